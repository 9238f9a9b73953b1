/* k-fold: the samples are dealt out in turn, after a shuffle that the seed fixes. Stratified, each class is shuffled by
   itself and dealt where the class before it ended: sizes differ by at most one, in each class and in all. */
#include "internal.h"
#include <stdlib.h>
#include <string.h>

typedef struct keyed {
  int64_t class, sample;
} keyed;

static int by_class(const void *a, const void *b) {
  const keyed *x = a, *y = b;
  int order = (x->class > y->class) - (x->class < y->class);
  return order ? order : (x->sample > y->sample) - (x->sample < y->sample);
}

int nacre_dataset_fold(nacre_dataset *dataset, int k, uint64_t seed, const char *stratify, int fold, nacre_fold *out) {
  int64_t count = nacre_dataset_count(dataset);
  const char *title = nacre_dataset_info(dataset)->title;
  memset(out, 0, sizeof *out);
  if (k < 2 || k > count || fold < 0 || fold >= k)
    return nacre_fail(NACRE_ERROR_ARGUMENT, "%s: fold %d of %d folds over %lld samples", title, fold, k,
                      (long long)count);
  int64_t *classes = stratify ? nacre_dataset_classes(dataset, stratify) : NULL;
  if (stratify && !classes)
    return NACRE_ERROR_ARGUMENT;
  keyed *dealt = malloc((size_t)count * sizeof *dealt);
  int64_t *order = malloc((size_t)count * sizeof *order), *folds = malloc((size_t)count * sizeof *folds);
  int64_t *block = malloc((size_t)count * sizeof *block);
  int status = dealt && order && folds && block ? NACRE_OK : nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
  for (int64_t i = 0; status == NACRE_OK && i < count; ++i)
    dealt[i] = (keyed){classes ? classes[i] : 0, i};
  if (status == NACRE_OK) {
    qsort(dealt, (size_t)count, sizeof *dealt, by_class);
    for (int64_t begin = 0, end; begin < count; begin = end) {
      for (end = begin; end < count && dealt[end].class == dealt[begin].class; ++end)
        order[end] = dealt[end].sample;
      nacre_shuffle(order + begin, end - begin, nacre_seed(seed, NACRE_SEED_FOLDS, (uint64_t)dealt[begin].class, 0));
    }
    for (int64_t i = 0; i < count; ++i)
      folds[order[i]] = i % k;
    for (int64_t i = 0; i < count; ++i)
      out->held_back_count += folds[i] == fold;
    out->others_count = count - out->held_back_count;
    out->held_back = block;
    out->others = block + out->held_back_count;
    int64_t held = 0, other = 0;
    for (int64_t i = 0; i < count; ++i)
      if (folds[i] == fold)
        out->held_back[held++] = i;
      else
        out->others[other++] = i;
  } else {
    free(block);
  }
  free(classes);
  free(dealt);
  free(order);
  free(folds);
  return status;
}
