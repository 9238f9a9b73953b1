/* The hooks of measured programs: exact counts from several threads at once, nothing lost but old moments, and a file
   that says so. */
#include "check.h"
#include <pthread.h>

enum { THREADS = 4, ROUNDS = 10000 };

static nacre_kernel_record entry = {.function = "m_run",
                                    .name = "m_run",
                                    .kind = "entry",
                                    .lines = "",
                                    .operations = "",
                                    .traffic = ""},
                           kernel = {.function = "m_run",
                                     .name = "fc1.\"product\"",
                                     .kind = "product",
                                     .lines = "a b.nacre\t3\tfc1\t\t0\n",
                                     .operations = "2*n",
                                     .traffic = "8*n"};

static void *work(void *unused) {
  for (int i = 0; i < ROUNDS; ++i) {
    nacre_profile_kernel_begin(&entry, 0, i);
    nacre_profile_kernel_begin(&kernel, 10, 3);
    nacre_profile_chunk_begin(&kernel);
    nacre_profile_chunk_end(&kernel);
    nacre_profile_kernel_end(&kernel);
    nacre_profile_kernel_end(&entry);
  }
  return unused;
}

static void work_on_threads(void) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; ++i)
    EXPECT(pthread_create(&threads[i], NULL, work, NULL) == 0);
  for (int i = 0; i < THREADS; ++i)
    EXPECT(pthread_join(threads[i], NULL) == 0);
}

int main(void) {
  work(NULL);
  nacre_profile_reset();
  EXPECT(kernel.calls == 0 && kernel.flops == 0 && entry.ticks == 0 && entry.bytes == 0);
  work_on_threads();
  EXPECT(kernel.calls == THREADS * ROUNDS && kernel.chunks == THREADS * ROUNDS);
  EXPECT(kernel.flops == 10 * THREADS * ROUNDS && kernel.bytes == 3 * THREADS * ROUNDS);
  EXPECT(entry.calls == THREADS * ROUNDS && entry.bytes == ROUNDS - 1); /* the largest workspace */
  EXPECT(kernel.ticks > 0 && entry.ticks >= kernel.ticks && kernel.ticks >= kernel.chunk_ticks);

  /* An end too many, as after a reset inside a call, is not counted as time. */
  int64_t before = kernel.ticks;
  nacre_profile_kernel_end(&kernel);
  EXPECT(kernel.ticks == before);

  char path[] = "/tmp/nacre_profile_XXXXXX";
  int file = mkstemp(path);
  EXPECT(file >= 0 && close(file) == 0);
  unsetenv("NACRE_PROFILE");
  nacre_profile_write(); /* nobody asked */
  nacre_mapping mapping;
  EXPECT(nacre_map(path, &mapping) == NACRE_OK && mapping.bytes == 0);
  nacre_unmap(&mapping);
  setenv("NACRE_PROFILE", path, 1);
  nacre_profile_write();
  EXPECT(nacre_map(path, &mapping) == NACRE_OK && mapping.bytes > 0);
  char *text = calloc(mapping.bytes + 1, 1);
  EXPECT(text != NULL);
  memcpy(text, mapping.data, mapping.bytes);
  EXPECT(strstr(text, "\"name\": \"fc1.\\u0022product\\u0022\"") && strstr(text, "a b.nacre\\u00093\\u0009fc1"));
  EXPECT(strstr(text, "\"calls\": 40001, ") && strstr(text, "\"flops\": 400000, "));
  EXPECT(strstr(text, "\"dropped\": 0")); /* 30,000 moments of each thread are kept */
  free(text);
  nacre_unmap(&mapping);
  remove(path);
  return finish();
}
