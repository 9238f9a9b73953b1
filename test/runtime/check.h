/* A test is a C program: EXPECT lines, then `return finish();`, which prints `N passed, N failed`. */
#ifndef CHECK_H
#define CHECK_H
#include "internal.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int passed, failed;

#define EXPECT(condition) expect((condition) ? 1 : 0, #condition, __FILE__, __LINE__)
static inline void expect(int good, const char *text, const char *file, int line) {
  good ? ++passed : ++failed;
  if (!good)
    printf("%s:%d: %s\n  last error: %s\n", file, line, text, nacre_last_error());
}

/* The call failed, and its text contains `part`. */
#define EXPECT_ERROR(failure, part) expect_error((failure) ? 1 : 0, part, #failure, __FILE__, __LINE__)
static inline void expect_error(int failure, const char *part, const char *text, const char *file, int line) {
  int good = failure && strstr(nacre_last_error(), part);
  good ? ++passed : ++failed;
  if (!good)
    printf("%s:%d: %s\n  expected: %s\n  last error: %s\n", file, line, text, part,
           failure ? nacre_last_error() : "(none)");
}

static inline int finish(void) {
  printf("%d passed, %d failed\n", passed, failed);
  return failed != 0;
}

/* A counter-based stream of bits: the same on every machine. */
static inline uint64_t random_bits(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* Damages `data` in one to four places: bits, bytes, numbers, cuts, repetitions. Returns the new length. */
static inline size_t mutate(unsigned char *data, size_t length, size_t room, uint64_t *state) {
  static const char *const words[] = {"0",
                                      "-1",
                                      "18446744073709551615",
                                      "9223372036854775807",
                                      "[",
                                      "]",
                                      "{",
                                      "}",
                                      "\"",
                                      ",",
                                      "F32",
                                      "shape",
                                      "\\u0000",
                                      "\xff",
                                      "1e9",
                                      "True",
                                      "(",
                                      ")",
                                      ":",
                                      "\n"};
  for (int times = (int)(random_bits(state) % 4) + 1; times-- > 0 && length;) {
    size_t at = random_bits(state) % length;
    const char *word = words[random_bits(state) % (sizeof words / sizeof *words)];
    size_t word_length = strlen(word), count;
    switch (random_bits(state) % 6) {
    case 0:
      data[at] ^= (unsigned char)(1u << random_bits(state) % 8);
      break;
    case 1:
      data[at] = (unsigned char)random_bits(state);
      break;
    case 2:
      length = at;
      break;
    case 3:
      if (length + word_length > room)
        break;
      memmove(data + at + word_length, data + at, length - at);
      memcpy(data + at, word, word_length);
      length += word_length;
      break;
    case 4:
      count = random_bits(state) % (length - at) + 1;
      memmove(data + at, data + at + count, length - at - count);
      length -= count;
      break;
    default:
      count = random_bits(state) % (length - at) + 1;
      count = count < room - length ? count : room - length;
      memmove(data + at + count, data + at, length - at);
      length += count;
    }
  }
  return length;
}

/* Calls `use` with damaged copies of `seed`, each in memory of exactly its size so that a sanitizer sees every step
   outside, for about `seconds`. */
static inline void fuzz(const void *seed, size_t length, double seconds, void (*use)(const void *data, size_t length)) {
  size_t room = length + 256;
  unsigned char *buffer = malloc(room);
  uint64_t state = 1;
  clock_t start = clock();
  long count = 0;
  for (; (double)(clock() - start) < seconds * CLOCKS_PER_SEC; ++count) {
    memcpy(buffer, seed, length);
    size_t now = mutate(buffer, length, room, &state);
    unsigned char *exact = malloc(now ? now : 1);
    memcpy(exact, buffer, now);
    use(exact, now);
    free(exact);
  }
  free(buffer);
  ++passed;
  printf("%ld damaged inputs\n", count);
}

static inline const char *scratch_path(const char *name) {
  static char paths[4][256];
  static int next;
  char *path = paths[next++ % 4];
  const char *folder = getenv("TMPDIR");
  snprintf(path, sizeof paths[0], "%s/nacre-test-%ld-%s", folder ? folder : "/tmp", (long)getpid(), name);
  return path;
}

static inline void write_bytes(const char *path, const void *data, size_t bytes) {
  FILE *stream = fopen(path, "wb");
  if (!stream || fwrite(data, 1, bytes, stream) != bytes || fclose(stream) != 0) {
    perror(path);
    exit(2);
  }
}

/* A safetensors file in memory: 8 bytes of length, the header, `data_bytes` bytes 0, 1, 2, ... Free the result. */
static inline unsigned char *safetensors_bytes(const char *header, size_t data_bytes, size_t *length) {
  size_t header_bytes = strlen(header);
  *length = 8 + header_bytes + data_bytes;
  unsigned char *bytes = malloc(*length);
  for (int i = 0; i < 8; ++i)
    bytes[i] = (unsigned char)((uint64_t)header_bytes >> 8 * i);
  memcpy(bytes + 8, header, header_bytes);
  for (size_t i = 0; i < data_bytes; ++i)
    bytes[8 + header_bytes + i] = (unsigned char)i;
  return bytes;
}

#endif
