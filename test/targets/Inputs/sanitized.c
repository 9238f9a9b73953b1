/* Calls the entries of a digit network with buffers of exactly the bytes that its header asks for, at batches below, at
   and between the sizes of its tiles, on one thread and on two. Built twice: NETWORK is mlp or lenet. */
#ifndef SHORT
#define SHORT 0 /* bytes that the result lacks: a planted fault */
#endif
#define NAME2(a, b) a##b
#define NAME1(a, b) NAME2(a, b)
#define NAME(suffix) NAME1(NETWORK, suffix)
#define TEXT2(a) #a
#define TEXT1(a) TEXT2(a)
#define TEXT TEXT1(NETWORK)
#include HEADER
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int count, char **words) {
  const int64_t batches[] = {1, 2, 3, 7, 13, 14, 17, 33, 64, 101};
  int passed = 0, failed = 0;
  NAME(_net) *net = NAME(_net_load)(count > 1 ? words[1] : "");
  if (!net) {
    fprintf(stderr, "%s\n", nacre_last_error());
    return 1;
  }
  float *alone[2] = {NULL, NULL};
  for (size_t b = 0; b < sizeof batches / sizeof *batches; b++) {
    const int64_t n = batches[b];
    for (int threads = 1; threads <= 2; threads++) {
      nacre_set_threads(threads);
      float *image = malloc((size_t)n * 64 * sizeof *image), *prob = malloc((size_t)n * 10 * sizeof *prob - SHORT);
      int32_t *label = malloc((size_t)n * sizeof *label);
      void *workspace = malloc(NAME(_predict_workspace)(n));
      for (int64_t i = 0; i < n * 64; i++)
        image[i] = (float)((i * 7 + i / 64) % 17);
      int good = NAME(_predict)(net, n, image, label, prob, workspace) == 0;
      for (int64_t i = 0; i < n && good; i++)
        good = label[i] >= 0 && label[i] < 10;
      /* the same bits on one thread and on two */
      alone[threads - 1] = prob;
      if (threads == 2) {
        good = good && !memcmp(alone[0], alone[1], (size_t)n * 10 * sizeof *prob);
        free(alone[0]);
        free(alone[1]);
      }
      good ? passed++ : failed++;
      free(image), free(label), free(workspace);
    }
  }
  NAME(_net_free)(net);
  printf("%s: %d passed, %d failed\n", TEXT, passed, failed);
  return failed != 0;
}
