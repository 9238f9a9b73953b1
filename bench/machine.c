/* What this machine can do with N threads, as one line of JSON: peak of f32 multiply-adds, of bf16 products in AMX
   tiles (0 where there are none), and the bandwidth of reading from the second-level cache and from memory.

       machine N BYTES_IN_L2 BYTES_IN_MEMORY        both per thread */
#define _GNU_SOURCE
#include <immintrin.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef __AVX512F__
enum { LANES = 16 };
#else
enum { LANES = 8 };
#endif
typedef float Vector __attribute__((vector_size(LANES * 4)));

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct Work {
  long rounds;
  size_t bytes;
  char *memory;
} Work;

static volatile float sink;

/* Twelve chains hide the latency of four cycles on two ports. Names instead of an array, which compilers leave in
 * memory. */
#define CHAINS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)

static void *multiplyAdd(void *argument) {
  const Work *work = argument;
  Vector x = {0}, y = {0}, sum = {0};
  x += 0.999f;
  y += 0.001f;
#define BEGIN(k) Vector c##k = y;
#define STEP(k)                                                                                                        \
  c##k = c##k * x + y;                                                                                                 \
  __asm__ volatile("" : "+v"(c##k));
#define END(k) sum += c##k;
  CHAINS(BEGIN)
  for (long i = 0; i < work->rounds; i++) {
    CHAINS(STEP)
  }
  CHAINS(END)
  sink = sum[0];
  return NULL;
}

static void *readMemory(void *argument) {
  const Work *work = argument;
  const Vector *memory = (const Vector *)work->memory;
  long count = (long)(work->bytes / sizeof(Vector));
  Vector s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
#define READ(k)                                                                                                        \
  s##k += memory[i + k];                                                                                               \
  __asm__ volatile("" : "+v"(s##k));
  for (long r = 0; r < work->rounds; r++)
    for (long i = 0; i + 4 <= count; i += 4) {
      READ(0) READ(1) READ(2) READ(3)
    }
  s0 += s1 + s2 + s3;
  sink = s0[0];
  return NULL;
}

#if defined(__AMX_BF16__) && defined(__AMX_TILE__)
enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
/* Four accumulators, two tiles of either operand: what a product keeps in registers. 16 rows of 64 bytes each. */
static void *multiplyTiles(void *argument) {
  const Work *work = argument;
  struct {
    uint8_t palette, start, reserved[14];
    uint16_t columns[16];
    uint8_t rows[16];
  } config = {.palette = 1};
  for (int i = 0; i < 8; i++) {
    config.columns[i] = 64;
    config.rows[i] = 16;
  }
  __asm__ volatile("" ::"r"(&config) : "memory"); /* GCC does not see that the next line reads it */
  _tile_loadconfig(&config);
  for (long i = 0; i < work->rounds; i++) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
  return NULL;
}
#endif

/* The shortest of several runs on all threads. */
static double best(int threads, void *(*function)(void *), Work *works) {
  double shortest = 1e9;
  pthread_t ids[256];
  for (int run = 0; run < 30; run++) {
    double start = seconds();
    for (int i = 0; i < threads; i++)
      pthread_create(&ids[i], NULL, function, &works[i]);
    for (int i = 0; i < threads; i++)
      pthread_join(ids[i], NULL);
    double took = seconds() - start;
    if (took < shortest)
      shortest = took;
  }
  return shortest;
}

static double bandwidth(int threads, Work *works, size_t bytes) {
  for (int i = 0; i < threads; i++) {
    works[i].bytes = bytes;
    works[i].rounds = (long)((200u << 20) / bytes) + 1;
    works[i].memory = aligned_alloc(64, bytes / 64 * 64);
    memset(works[i].memory, 0, bytes / 64 * 64);
  }
  double took = best(threads, readMemory, works);
  for (int i = 0; i < threads; i++)
    free(works[i].memory);
  return threads * (double)works[0].rounds * (double)bytes / took / 1e9;
}

int main(int count, char **words) {
  if (count != 4)
    return 2;
  int threads = atoi(words[1]);
  if (threads < 1 || threads > 256)
    return 2;
  Work works[256] = {0};
  for (int i = 0; i < threads; i++)
    works[i].rounds = 5000000;
  double took = best(threads, multiplyAdd, works);
  printf("{\"fma_gflops\": %.1f", threads * 5e6 * 12 * LANES * 2 / took / 1e9);
  double tiles = 0;
#if defined(__AMX_BF16__) && defined(__AMX_TILE__)
  if (syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0) {
    for (int i = 0; i < threads; i++)
      works[i].rounds = 500000;
    took = best(threads, multiplyTiles, works);
    tiles = threads * 5e5 * 4 * (2.0 * 16 * 16 * 32) / took / 1e9;
  }
#endif
  printf(", \"amx_bf16_gflops\": %.1f", tiles);
  printf(", \"l2_gbps\": %.1f", bandwidth(threads, works, (size_t)atol(words[2])));
  printf(", \"memory_gbps\": %.1f}\n", bandwidth(threads, works, (size_t)atol(words[3])));
  return 0;
}
