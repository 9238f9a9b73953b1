/* Calls attention and its derivatives with buffers of exactly the promised bytes, at lengths below, at and between the
   sizes of its blocks, on one thread and on two, whose results must be the same bits. */
#ifndef SHORT
#define SHORT 0 /* bytes that the keys lack: a planted fault */
#endif
#include "attended.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static float *drawn(int64_t count, int64_t lacking, uint32_t seed) {
  float *numbers = malloc((size_t)count * sizeof *numbers - (size_t)lacking);
  for (int64_t i = 0; i < count - (lacking ? 1 : 0); i++) {
    seed = seed * 1664525u + 1013904223u;
    numbers[i] = (float)(seed >> 8) / 8388608.0f - 1.0f;
  }
  return numbers;
}

int main(void) {
  const int64_t lengths[][2] = {{1, 1}, {3, 3}, {17, 17}, {1, 200}, {64, 64}, {65, 129}, {63, 190}, {300, 300}};
  int passed = 0, failed = 0;
  for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
    const int64_t n = lengths[l][0], m = lengths[l][1];
    const int64_t counts[] = {4 * n * 20, 4 * n * 12, 2 * m * 12, 2 * m * 20}; /* y dq dk dv */
    float *q = drawn(4 * n * 12, 0, 1), *k = drawn(2 * m * 12, SHORT, 2), *v = drawn(2 * m * 20, 0, 3);
    float *r = drawn(4 * n * 20, 0, 4);
    bool *pad = malloc((size_t)m * sizeof *pad);
    for (int64_t j = 0; j < m; j++)
      pad[j] = j % 5 != 0; /* the first query may see no key at all */
    float *results[2][4];
    int good = 1;
    for (int threads = 1; threads <= 2; threads++) {
      nacre_set_threads(threads);
      float **to = results[threads - 1];
      for (int i = 0; i < 4; i++)
        to[i] = malloc((size_t)counts[i] * sizeof **to);
      void *workspace = malloc(attended_slopes_workspace(n, m));
      good = good && attended_slopes(n, m, q, k, v, pad, r, to[0], to[1], to[2], to[3], workspace) == 0;
      free(workspace);
    }
    for (int i = 0; i < 4; i++) {
      good = good && !memcmp(results[0][i], results[1][i], (size_t)counts[i] * sizeof **results[0]);
      for (int64_t e = 0; e < counts[i]; e++)
        good = good && isfinite(results[0][i][e]);
      free(results[0][i]), free(results[1][i]);
    }
    good ? passed++ : failed++;
    free(q), free(k), free(v), free(r), free(pad);
  }
  printf("attention: %d passed, %d failed\n", passed, failed);
  return failed != 0;
}
