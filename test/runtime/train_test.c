/* The C interface of a trainer: it learns, several of them run at once, and a checkpoint goes on as if nothing had
 * been. */
#include "check.h"
#include "fake_training.h"
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROWS = 43 };
static char folder[] = "train_test_XXXXXX";

static const char *path_of(const char *name) {
  static char paths[4][128];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static void write_rows(const char *name, int first, int count, int bad) {
  FILE *file = fopen(path_of(name), "w");
  if (!file)
    abort();
  for (int i = first; i < first + count; ++i) {
    double a = (i * 37 % 41) / 20.0 - 1, b = (i * 53 % 43) / 21.0 - 1;
    fprintf(file, "%g,%g,%d\n", a, b, i == bad ? 2 : a + 0.5 * b > 0.1);
  }
  fclose(file);
}

static nacre_trainer *make(int block, const char *resume) {
  nacre_trainer_options options = {.data = folder, .resume = resume};
  return nacre_trainer_create(nacre_fitting(&nacre_main_variants), fake_trains[block], &options);
}

static void learns(void) {
  nacre_trainer *t = make(FIT, NULL);
  double first, last;
  EXPECT(t && nacre_trainer_epoch(t, &first) == 0);
  for (int i = 0; i < 5; ++i)
    EXPECT(nacre_trainer_epoch(t, &last) == 0);
  EXPECT(last < 0.8 * first);
  EXPECT(nacre_trainer_value(t, "validate.accuracy") > 0.8);
  EXPECT(nacre_trainer_value(t, "accuracy") == nacre_trainer_value(t, "validate.accuracy"));
  EXPECT(isnan(nacre_trainer_value(t, "nothing")));
  double loss;
  EXPECT(nacre_trainer_evaluate(t, &loss) == 0 && loss == nacre_trainer_value(t, "validate.loss"));
  EXPECT(nacre_trainer_save(t, path_of("net.safetensors")) == 0);
  const nacre_model_info *info = nacre_fitting_model(&nacre_main_variants, 0);
  struct nacre_model *net = nacre_model_open(info, path_of("net.safetensors"));
  EXPECT(net && memcmp(net->tensors[0], t->models[0]->tensors[0], 8) == 0);
  EXPECT(net && *(const int64_t *)net->tensors[2] == 6 * (ROWS / 4));
  nacre_model_close(net);
  nacre_trainer_destroy(t);
}

static bool same_state(const nacre_trainer *a, const nacre_trainer *b) {
  bool same = memcmp(&a->at, &b->at, offsetof(nacre_position, seconds)) == 0;
  for (int model = 0; model < 2; ++model)
    for (int32_t i = 0; i < a->models[model]->info->weight_count; ++i)
      same &= memcmp(a->models[model]->tensors[i], b->models[model]->tensors[i],
                     nacre_weight_bytes(&a->models[model]->info->weights[i])) == 0;
  return same && a->history.rows == b->history.rows;
}

/* Stopped after every possible number of iterations, within epochs and between them. */
static void resumes(int block) {
  nacre_trainer *whole = make(block, NULL);
  EXPECT(whole != NULL);
  for (int i = 0; i < 25; ++i)
    EXPECT(nacre_trainer_step(whole, NULL) == 0);
  for (int stop = 0; stop < 25; ++stop) {
    nacre_trainer *t = make(block, NULL);
    for (int i = 0; i < stop; ++i)
      EXPECT(nacre_trainer_step(t, NULL) == 0);
    EXPECT(nacre_trainer_checkpoint(t, path_of("stopped.train")) == 0);
    nacre_trainer_destroy(t);
    t = make(block, path_of("stopped.train"));
    EXPECT(t != NULL);
    for (int i = stop; t && i < 25; ++i)
      EXPECT(nacre_trainer_step(t, NULL) == 0);
    EXPECT(t && same_state(t, whole));
    EXPECT(t && (t->at.done == 0 || memcmp(t->sums, whole->sums, sizeof(double)) == 0));
    nacre_trainer_destroy(t);
  }
  nacre_trainer_destroy(whole);
}

static void *train_alone(void *loss) {
  nacre_trainer *t = make(FIT, NULL);
  for (int i = 0; i < 4; ++i)
    nacre_trainer_epoch(t, loss);
  nacre_trainer_destroy(t);
  return NULL;
}

static void several(void) {
  pthread_t threads[4];
  double losses[4] = {0};
  for (int i = 0; i < 4; ++i)
    pthread_create(&threads[i], NULL, train_alone, &losses[i]);
  for (int i = 0; i < 4; ++i)
    pthread_join(threads[i], NULL);
  EXPECT(losses[0] > 0);
  for (int i = 1; i < 4; ++i)
    EXPECT(losses[i] == losses[0]);
}

static void refuses(void) {
  EXPECT(nacre_trainer_step(NULL, NULL) == NACRE_ERROR_ARGUMENT);
  EXPECT(!make(FIT, path_of("nowhere.train")) && strstr(nacre_last_error(), "nowhere.train"));
  EXPECT(!make(FIT, path_of("net.safetensors")) && strstr(nacre_last_error(), "cannot be resumed"));
  nacre_trainer *t = make(FIT, NULL);
  EXPECT(nacre_trainer_checkpoint(t, path_of("fit.train")) == 0);
  nacre_trainer_options options = {.data = folder, .resume = path_of("fit.train"), .seed = 9, .seeded = 1};
  EXPECT(!nacre_trainer_create(nacre_fitting(&nacre_main_variants), fake_trains[FIT], &options));
  EXPECT(strstr(nacre_last_error(), "another seed (7 there, 9 here)") != NULL);
  EXPECT(nacre_trainer_save(t, "/dev/full/x") != 0);
  EXPECT(nacre_trainer_save(t, NULL) == NACRE_ERROR_ARGUMENT);
  nacre_trainer_destroy(t);
  write_rows("train.csv", 0, ROWS, 17);
  EXPECT(!make(FIT, NULL) && strstr(nacre_last_error(), "train.csv") && strstr(nacre_last_error(), "18"));
  write_rows("train.csv", 0, 3, -1);
  EXPECT(!make(FIT, NULL) && *nacre_last_error());
  nacre_trainer_destroy(NULL);
}

/* Damaged checkpoints: an error, never a crash. */
static void use(const void *data, size_t length) {
  write_bytes(path_of("damaged.train"), data, length);
  nacre_trainer_destroy(make(FIT, path_of("damaged.train")));
}

static void damaged(void) {
  nacre_trainer *t = make(FIT, NULL);
  EXPECT(nacre_trainer_epoch(t, NULL) == 0);
  EXPECT(nacre_trainer_checkpoint(t, path_of("good.train")) == 0);
  nacre_trainer_destroy(t);
  nacre_mapping file;
  EXPECT(nacre_map(path_of("good.train"), &file) == 0);
  fuzz(file.data, file.bytes, 0.5, use);
  nacre_unmap(&file);
}

int main(void) {
  if (!mkdtemp(folder))
    return 2;
  write_rows("train.csv", 0, ROWS, -1);
  write_rows("check.csv", 100, 22, -1);
  learns();
  resumes(FIT);
  resumes(GROUPS);
  resumes(WALK);
  several();
  damaged();
  refuses();
  char command[64];
  snprintf(command, sizeof command, "rm -rf %s", folder);
  return system(command) || finish();
}
