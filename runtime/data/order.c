/* Which sample comes when. In training each epoch has as many samples as there are, in an order that only the seed and
   the epoch decide:
     no sampler   every sample once, shuffled
     balanced     class after class in turn, each class a shuffled cycle of its own samples, then all of it shuffled:
                  classes differ by at most one, and no sample of a class comes twice before all others came once
     weighted     with replacement, each sample as likely as the weight of its class
   Without training: every sample once, in the order of the data. */
#include "internal.h"
#include <stdlib.h>
#include <string.h>

typedef struct class_samples {
  int64_t class, begin, count; /* in `members` */
  double up_to;                /* weighted: sum of the weights of all samples up to the last of this class */
} class_samples;

struct nacre_order {
  bool training;
  enum { PLAIN, BALANCED, WEIGHTED } sampler;
  uint64_t seed;
  int64_t *samples, count;
  int64_t *members; /* samples, class by class */
  class_samples *classes;
  int64_t class_count;
};

static int compare(const void *a, const void *b) {
  const int64_t *x = a, *y = b;
  int order = (x[0] > y[0]) - (x[0] < y[0]);
  return order ? order : (x[1] > y[1]) - (x[1] < y[1]);
}

static int group(nacre_order *o, nacre_dataset *dataset, const char *field) {
  int64_t *all = nacre_dataset_classes(dataset, field), *pairs = malloc((size_t)o->count * 2 * sizeof *pairs);
  o->members = malloc((size_t)o->count * sizeof *o->members);
  o->classes = malloc((size_t)o->count * sizeof *o->classes);
  if (!all || !pairs || !o->members || !o->classes) {
    int status = all ? nacre_fail(NACRE_ERROR_MEMORY, "out of memory") : NACRE_ERROR_ARGUMENT;
    free(all);
    free(pairs);
    return status;
  }
  for (int64_t i = 0; i < o->count; ++i) {
    pairs[2 * i] = all[o->samples[i]];
    pairs[2 * i + 1] = o->samples[i];
  }
  qsort(pairs, (size_t)o->count, 2 * sizeof *pairs, compare);
  for (int64_t i = 0; i < o->count; ++i) {
    o->members[i] = pairs[2 * i + 1];
    if (i == 0 || pairs[2 * i] != pairs[2 * i - 2])
      o->classes[o->class_count++] = (class_samples){pairs[2 * i], i, 0, 0};
    ++o->classes[o->class_count - 1].count;
  }
  free(all);
  free(pairs);
  return NACRE_OK;
}

static int weigh(nacre_order *o, const nacre_data_info *info) {
  const nacre_option *weights = nacre_find_option(info->sampling, info->sampling_count, "sampler.weights");
  double sum = 0;
  for (int64_t i = 0; i < o->class_count; ++i) {
    class_samples *c = &o->classes[i];
    if (!weights || c->class < 0 || c->class >= weights->count)
      return nacre_fail(NACRE_ERROR_FORMAT, "%s: `weighted` has %d weights, but there are samples of class %lld",
                        info->title, weights ? weights->count : 0, (long long)c->class);
    sum += weights->numbers[c->class] * (double)c->count;
    c->up_to = sum;
  }
  return sum > 0 ? NACRE_OK
                 : nacre_fail(NACRE_ERROR_FORMAT, "%s: every sample that there is has weight 0", info->title);
}

nacre_order *nacre_order_open(nacre_dataset *dataset, const nacre_loader_options *options) {
  const nacre_data_info *info = nacre_dataset_info(dataset);
  nacre_order *o = calloc(1, sizeof *o);
  if (!o) {
    nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
    return NULL;
  }
  o->training = options->training;
  o->seed = options->seed;
  o->count = options->subset ? options->subset_count : nacre_dataset_count(dataset);
  o->samples = malloc(((size_t)o->count + 1) * sizeof *o->samples);
  int status = o->samples ? NACRE_OK : nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
  for (int64_t i = 0; status == NACRE_OK && i < o->count; ++i) {
    o->samples[i] = options->subset ? options->subset[i] : i;
    if (o->samples[i] < 0 || o->samples[i] >= nacre_dataset_count(dataset))
      status = nacre_fail(NACRE_ERROR_ARGUMENT, "%s has no sample %lld", info->title, (long long)o->samples[i]);
  }
  const nacre_option *sampler = nacre_find_option(info->sampling, info->sampling_count, "sampler");
  const nacre_option *field = nacre_find_option(info->sampling, info->sampling_count, "sampler.field");
  if (status == NACRE_OK && o->training && sampler && o->count > 0) {
    o->sampler = strcmp(sampler->text, "weighted") == 0 ? WEIGHTED : BALANCED;
    status = group(o, dataset, field ? field->text : "label");
    if (status == NACRE_OK && o->sampler == WEIGHTED)
      status = weigh(o, info);
  }
  if (status == NACRE_OK)
    return o;
  nacre_order_close(o);
  return NULL;
}

void nacre_order_close(nacre_order *o) {
  if (!o)
    return;
  free(o->samples);
  free(o->members);
  free(o->classes);
  free(o);
}

int64_t nacre_order_length(const nacre_order *o) { return o->count; }

static void balanced(const nacre_order *o, uint64_t seed, int64_t *out) {
  int64_t base = o->count / o->class_count, extra = o->count % o->class_count, next = 0;
  /* Which classes get one more changes from epoch to epoch. */
  int64_t first = (int64_t)nacre_draw_below(nacre_seed(seed, 1, 0, 0), 0, (uint64_t)o->class_count);
  for (int64_t c = 0; c < o->class_count; ++c) {
    const class_samples *class = &o->classes[c];
    int64_t turn = (c - first + o->class_count) % o->class_count;
    int64_t wanted = base + (turn < extra);
    for (int64_t round = 0; wanted > 0; ++round) {
      int64_t taken = wanted < class->count ? wanted : class->count;
      /* A whole cycle needs no shuffle of its own; a part of one is a random part. Floyd's choice would need a set:
         classes are small enough to shuffle a copy in place, at the end of `out`. */
      if (taken == class->count) {
        memcpy(out + next, o->members + class->begin, (size_t)taken * sizeof *out);
      } else {
        uint64_t cycle = nacre_seed(seed, 2, (uint64_t)c, (uint64_t)round);
        int64_t seen = 0; /* selection sampling (Knuth, algorithm S) */
        for (int64_t i = 0, chosen = 0; chosen < taken; ++i, ++seen)
          if ((int64_t)nacre_draw_below(cycle, (uint64_t)i, (uint64_t)(class->count - seen)) < taken - chosen)
            out[next + chosen++] = o->members[class->begin + i];
      }
      next += taken;
      wanted -= taken;
    }
  }
  nacre_shuffle(out, o->count, seed);
}

static void weighted(const nacre_order *o, uint64_t seed, int64_t *out) {
  double sum = o->classes[o->class_count - 1].up_to;
  for (int64_t i = 0; i < o->count; ++i) {
    double point = nacre_draw_unit(seed, 2 * (uint64_t)i) * sum;
    int64_t low = 0, high = o->class_count - 1; /* the first class whose sum lies beyond the point */
    while (low < high) {
      int64_t middle = low + (high - low) / 2;
      if (o->classes[middle].up_to > point)
        high = middle;
      else
        low = middle + 1;
    }
    const class_samples *class = &o->classes[low];
    out[i] = o->members[class->begin + (int64_t)nacre_draw_below(seed, 2 * (uint64_t)i + 1, (uint64_t)class->count)];
  }
}

void nacre_order_epoch(const nacre_order *o, int64_t epoch, int64_t *out) {
  uint64_t seed = nacre_seed(o->seed, NACRE_SEED_ORDER, (uint64_t)epoch, 0);
  if (o->training && o->sampler == BALANCED) {
    balanced(o, seed, out);
  } else if (o->training && o->sampler == WEIGHTED) {
    weighted(o, seed, out);
  } else {
    memcpy(out, o->samples, (size_t)o->count * sizeof *out);
    if (o->training)
      nacre_shuffle(out, o->count, seed);
  }
}
