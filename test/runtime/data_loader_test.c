/* Orders, folds and batches: the same bits for one seed however they are asked for; every sample where it belongs. */
#include "fake_data.h"
#include <math.h>
#include <pthread.h>

enum { SAMPLES = 103 };
static const fake_field fields[] = {{"x", NACRE_F32, 0, {0}}, {"label", NACRE_I32, 0, {0}}, {0}};
static const nacre_option table[] = {TEXT("file", "t.csv"), NUMBER("header", 0), {0}};

/* x is the number of the sample; classes 0, 1, 2 have 80, 20 and 3 samples. */
static int32_t class_of(int64_t i) { return i < 80 ? 0 : i < 100 ? 1 : 2; }

static const nacre_data_info *block(const nacre_option *sampling) {
  char text[SAMPLES * 12] = "";
  for (int i = 0; i < SAMPLES; ++i)
    sprintf(text + strlen(text), "%d,%d\n", i, class_of(i));
  write_text("t.csv", text);
  return fake_data("csv", fields, table, sampling);
}

/* One epoch: x of every sample as it was delivered, and how many. */
static int64_t epoch_of(nacre_loader *l, int64_t epoch, int64_t first, float *x, int64_t *samples) {
  nacre_batch batch;
  int64_t count = 0;
  EXPECT(nacre_loader_start(l, epoch, first) == 0);
  for (;;) {
    EXPECT(nacre_loader_next(l, &batch) == 0);
    if (batch.count == 0)
      return count;
    EXPECT(batch.number == first++);
    for (int64_t i = 0; i < batch.count; ++i) {
      x[count] = ((const float *)batch.fields[0])[i];
      EXPECT(((const int32_t *)batch.fields[1])[i] == class_of(batch.samples[i]));
      samples[count++] = batch.samples[i];
    }
  }
}

static nacre_loader *loader(nacre_dataset *d, int64_t batch, bool training) {
  nacre_loader_options options = {.batch = batch, .training = training, .seed = 11};
  return nacre_loader_open(d, &options);
}

static void epochs(void) {
  nacre_dataset *d = open_data(fake_augmented(block(NULL)), 0), *uncached = open_data(fake_augmented(block(NULL)), 1);
  EXPECT(d && uncached);
  nacre_loader *a = loader(d, 10, true), *b = loader(uncached, 10, true), *c = loader(d, 10, false);
  float x[3][SAMPLES];
  int64_t s[3][SAMPLES];
  EXPECT(nacre_loader_batches(a) == 10 && nacre_loader_batches(c) == 11);
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    EXPECT(epoch_of(a, epoch, 0, x[0], s[0]) == 100);
    EXPECT(epoch_of(b, epoch, 0, x[1], s[1]) == 100);
    EXPECT(memcmp(x[0], x[1], 100 * sizeof(float)) == 0 && memcmp(s[0], s[1], 100 * sizeof **s) == 0);
    int seen[SAMPLES] = {0}, twice = 0, moved = 0, changed = 0;
    for (int i = 0; i < 100; ++i) {
      twice += seen[s[0][i]]++;
      moved += s[0][i] != i;
      changed += x[0][i] != (float)s[0][i];
    }
    EXPECT(twice == 0 && moved > 90 && changed > 90);
    if (epoch > 0)
      EXPECT(memcmp(s[0], s[2], 100 * sizeof **s) != 0);
    memcpy(s[2], s[0], sizeof s[0]);
  }
  /* Resumed in the middle of an epoch, and after jumps to and fro. */
  EXPECT(epoch_of(a, 1, 0, x[0], s[0]) == 100);
  EXPECT(epoch_of(b, 1, 6, x[1], s[1]) == 40);
  EXPECT(memcmp(x[0] + 60, x[1], 40 * sizeof(float)) == 0);
  EXPECT(epoch_of(b, 9, 10, x[1], s[1]) == 0);
  EXPECT(epoch_of(b, 1, 6, x[1], s[1]) == 40 && memcmp(x[0] + 60, x[1], 40 * sizeof(float)) == 0);
  EXPECT_ERROR(nacre_loader_start(a, 0, 11), "no batch 11");
  /* Without training: every sample once, in order, unaugmented. */
  EXPECT(epoch_of(c, 0, 0, x[0], s[0]) == SAMPLES);
  for (int i = 0; i < SAMPLES; ++i)
    EXPECT(s[0][i] == i && x[0][i] == (float)i);
  nacre_loader_close(a);
  nacre_loader_close(b);
  nacre_loader_close(c);
  nacre_loader *large = loader(d, 104, true);
  EXPECT_ERROR(!large, "103 samples, too few for one batch of 104");
  large = loader(d, 1000, false);
  EXPECT(large && epoch_of(large, 0, 0, x[0], s[0]) == SAMPLES);
  nacre_loader_close(large);
  nacre_dataset_close(d);
  nacre_dataset_close(uncached);
}

static void samplers(void) {
  const nacre_option balanced[] = {TEXT("sampler", "balanced"), TEXT("sampler.field", "label"), {0}};
  const nacre_option weighted[] = {
      TEXT("sampler", "weighted"), TEXT("sampler.field", "label"), NUMBERS("sampler.weights", 3, 0, 1, 10), {0}};
  const nacre_option few[] = {
      TEXT("sampler", "weighted"), TEXT("sampler.field", "label"), NUMBERS("sampler.weights", 2, 1, 1), {0}};
  float x[SAMPLES];
  int64_t s[SAMPLES];
  nacre_dataset *d = open_data(block(balanced), 0);
  nacre_loader *l = loader(d, 1, true);
  EXPECT(l && epoch_of(l, 4, 0, x, s) == SAMPLES);
  int counts[3] = {0}, each[SAMPLES] = {0};
  for (int i = 0; i < SAMPLES; ++i) {
    ++counts[class_of(s[i])];
    ++each[s[i]];
  }
  EXPECT(counts[0] + counts[1] + counts[2] == SAMPLES);
  for (int i = 0; i < 3; ++i)
    EXPECT(counts[i] == 34 || counts[i] == 35);
  for (int i = 0; i < SAMPLES; ++i) /* 34 of 80, 34 of 20, 34 of 3 */
    EXPECT(i < 80 ? each[i] <= 1 : i < 100 ? each[i] == 1 || each[i] == 2 : each[i] == 11 || each[i] == 12);
  nacre_loader_close(l);
  nacre_dataset_close(d);

  d = open_data(block(weighted), 0);
  l = loader(d, 1, true);
  int64_t rare = 0, all = 0;
  for (int epoch = 0; l && epoch < 40; ++epoch)
    for (int64_t i = 0, n = epoch_of(l, epoch, 0, x, s); i < n; ++i, ++all) {
      EXPECT(class_of(s[i]) != 0);
      rare += class_of(s[i]) == 2;
    }
  EXPECT(fabs((double)rare / (double)all - 0.6) < 0.03); /* 3 * 10 of 20 * 1 + 3 * 10 */
  nacre_loader_close(l);
  nacre_dataset_close(d);
  d = open_data(block(few), 0);
  l = loader(d, 1, true);
  EXPECT_ERROR(!l, "`weighted` has 2 weights, but there are samples of class 2");
  nacre_dataset_close(d);
}

static void folds(void) {
  nacre_dataset *d = open_data(block(NULL), 0);
  for (int stratified = 0; stratified < 2; ++stratified) {
    int seen[SAMPLES] = {0};
    for (int fold = 0; fold < 5; ++fold) {
      nacre_fold f;
      int counts[3] = {0};
      EXPECT(nacre_dataset_fold(d, 5, 3, stratified ? "label" : NULL, fold, &f) == 0);
      EXPECT(f.held_back_count + f.others_count == SAMPLES);
      EXPECT(f.held_back_count == 20 || f.held_back_count == 21);
      for (int64_t i = 0; i < f.held_back_count; ++i) {
        ++seen[f.held_back[i]];
        ++counts[class_of(f.held_back[i])];
        EXPECT(i == 0 || f.held_back[i] > f.held_back[i - 1]);
      }
      EXPECT(!stratified || (counts[0] == 16 && counts[1] == 4 && counts[2] <= 1));
      nacre_loader_options options = {
          .batch = 8, .training = false, .seed = 1, .subset = f.others, .subset_count = f.others_count};
      nacre_loader *l = nacre_loader_open(d, &options);
      float x[SAMPLES];
      int64_t s[SAMPLES];
      EXPECT(l && epoch_of(l, 0, 0, x, s) == f.others_count &&
             memcmp(s, f.others, sizeof *s * (size_t)f.others_count) == 0);
      nacre_loader_close(l);
      free(f.held_back);
    }
    for (int i = 0; i < SAMPLES; ++i)
      EXPECT(seen[i] == 1);
  }
  nacre_fold f;
  EXPECT_ERROR(nacre_dataset_fold(d, 1, 3, NULL, 0, &f), "1 folds");
  EXPECT_ERROR(nacre_dataset_fold(d, 5, 3, "x", 0, &f), "told apart by an integer");
  nacre_dataset_close(d);
}

/* Two loaders and this thread on one dataset, whose samples are kept by whoever comes first. */
static void *drain(void *argument) {
  nacre_loader *l = argument;
  nacre_batch batch;
  double sum = 0;
  for (int epoch = 0; epoch < 5; ++epoch) {
    if (nacre_loader_start(l, epoch, 0) != 0)
      return NULL;
    while (nacre_loader_next(l, &batch) == 0 && batch.count)
      for (int64_t i = 0; i < batch.count; ++i)
        sum += ((const float *)batch.fields[0])[i];
  }
  return sum == 5.0 * SAMPLES * (SAMPLES - 1) / 2 ? l : NULL;
}

static void threads(void) {
  nacre_dataset *d = open_data(block(NULL), 0);
  nacre_loader *a = loader(d, 1, false), *b = loader(d, 1, true);
  pthread_t other;
  EXPECT(pthread_create(&other, NULL, drain, a) == 0);
  EXPECT(drain(b) == b);
  for (int64_t i = 0; i < SAMPLES; ++i) {
    float x;
    int32_t label;
    void *at[] = {&x, &label};
    EXPECT(nacre_dataset_sample(d, i, false, 0, at) == 0 && x == (float)i);
  }
  void *good = NULL;
  pthread_join(other, &good);
  EXPECT(good == a);
  EXPECT(nacre_loader_waited(a) >= 0);
  nacre_loader_close(a);
  nacre_loader_close(b);
  float whole[SAMPLES];
  int32_t labels[SAMPLES];
  EXPECT(nacre_dataset_whole(d, (void *const[]){whole, labels}) == 0 && whole[102] == 102 && labels[102] == 2);
  nacre_dataset_close(d);
}

/* What was drawn once is drawn for ever: checkpoints of older runs resume. */
static void constants(void) {
  EXPECT(nacre_seed(1, 2, 3, 4) == 0x25a596754c56e473u);
  int64_t order[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  nacre_shuffle(order, 8, 42);
  char text[64] = "";
  for (int i = 0; i < 8; ++i)
    sprintf(text + strlen(text), "%d", (int)order[i]);
  EXPECT(strcmp(text, "52304671") == 0);
}

int main(void) {
  constants();
  epochs();
  samplers();
  folds();
  threads();
  remove_folder();
  return finish();
}
