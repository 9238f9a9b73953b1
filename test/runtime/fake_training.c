/* A module with train blocks written by hand, as the compiler would emit it: logistic regression on rows `a, b, label`
   by gradient descent with momentum. Its steps draw noise from their seed, so that a run that is not resumed exactly
   shows. FAKE_SLOW=N makes a step take N microseconds. */
#include "fake_training.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WIDTH = 2, BATCH = 4, NET = 0, OPTIMIZER = 1, METRICS = 2 };

/* ---- models -------------------------------------------------------------------------------------------------------
 */
static const int64_t two[] = {WIDTH}, square[] = {2, 2};
static const nacre_weight_info net_weights[] = {{"fc.weight", NACRE_F32, 1, two, -1, 0, 1},
                                                {"fc.bias", NACRE_F32, 0, two, -1, 0, 1},
                                                {"fc.calls", NACRE_I64, 0, two, -1, 0, 0}};
static const nacre_weight_info velocity_weights[] = {{"fc.weight.v", NACRE_F32, 1, two, -1, 1, 0},
                                                     {"fc.bias.v", NACRE_F32, 0, two, -1, 1, 0}};
static const nacre_weight_info tally_weights[] = {{"confusion.count", NACRE_F64, 2, square, -1, 1, 0}};

static int32_t draw(int32_t index, uint64_t seed, void *out, void *scratch) {
  (void)scratch;
  float *at = out;
  if (index == 2)
    memset(out, 0, 8);
  for (int i = 0; i < (index == 0 ? WIDTH : index == 1 ? 1 : 0); ++i)
    at[i] = 0.1f * (float)((seed + (uint64_t)i) % 5);
  return 0;
}
static int32_t clear(int32_t index, uint64_t seed, void *out, void *scratch) {
  (void)seed, (void)scratch;
  memset(out, 0, index == 0 ? WIDTH * sizeof(float) : sizeof(float));
  return 0;
}
static int32_t clear_tally(int32_t index, uint64_t seed, void *out, void *scratch) {
  (void)index, (void)seed, (void)scratch;
  memset(out, 0, 4 * sizeof(double));
  return 0;
}
/* For published files; what a trainer writes is not renamed again. */
static const nacre_rename renames[] = {{"{p}.weight", "{p}.kernel", 0}};
#define MODEL(id, text, count, list, start)                                                                            \
  static const nacre_model_info id = {.abi = NACRE_ABI,                                                                \
                                      .name = text,                                                                    \
                                      .weight_count = count,                                                           \
                                      .rename_count = 1,                                                               \
                                      .weights = list,                                                                 \
                                      .renames = renames,                                                              \
                                      .file = "",                                                                      \
                                      .initialise = start,                                                             \
                                      .cpu = "x86-64"}
MODEL(net, "net", 3, net_weights, draw);
MODEL(velocity, "fit.optimizer", 2, velocity_weights, clear);
MODEL(tally, "fit.metrics", 1, tally_weights, clear_tally);
static const int32_t trained[] = {NET, OPTIMIZER}, measured[] = {NET, METRICS}, counted[] = {METRICS};

/* ---- map(row: f32[3], seed) -> (x: f32[2], label: i32), augment(x, label, seed) ------------------------------------
 */
static uint64_t none(const int64_t *dims) { return (void)dims, 0; }
static void map_extents(const int64_t *dims, int64_t *out) { (void)dims, out[0] = WIDTH + 1, out[1] = WIDTH; }
static void map_call(const void *const *const *tensors, const int64_t *dims, const void *const *arguments,
                     void *const *results, void *work) {
  (void)tensors, (void)dims, (void)work;
  const float *row = arguments[0];
  memcpy(results[0], row, WIDTH * sizeof *row);
  *(int32_t *)results[1] = (int32_t)row[WIDTH];
}
static void augment_extents(const int64_t *dims, int64_t *out) { (void)dims, out[0] = out[1] = WIDTH; }
static void augment_call(const void *const *const *tensors, const int64_t *dims, const void *const *arguments,
                         void *const *results, void *work) {
  (void)tensors, (void)dims, (void)work;
  uint64_t seed = *(const uint64_t *)arguments[2];
  for (int i = 0; i < WIDTH; ++i)
    ((float *)results[0])[i] = ((const float *)arguments[0])[i] + 0.01f * (float)(seed >> (8 * i) & 15);
  *(int32_t *)results[1] = *(const int32_t *)arguments[1];
}
static const nacre_field_info map_arguments[] = {{"row", NACRE_F32, 1, "npy", "[3]"},
                                                 {"seed", NACRE_U64, 0, "npy", ""}};
static const nacre_field_info sample[] = {
    {"x", NACRE_F32, 1, "npy", "[2]"}, {"label", NACRE_I32, 0, "npy", ""}, {"seed", NACRE_U64, 0, "npy", ""}};
#define FUNCTION(id, text, ...)                                                                                        \
  static const nacre_entry_info id = {                                                                                 \
      .abi = NACRE_ABI, .module = "fake", .name = text, .documentation = "", __VA_ARGS__}
FUNCTION(map, "rows.map0", .argument_count = 2, .result_count = 2, .arguments = map_arguments, .results = sample,
         .extents = map_extents, .workspace = none, .call = map_call);
FUNCTION(augment, "rows.augment0", .argument_count = 3, .result_count = 2, .arguments = sample, .results = sample,
         .extents = augment_extents, .workspace = none, .call = augment_call);

/* ---- step, accumulate, evaluate, summary, show, probe ---------------------------------------------------------------
 */
static const nacre_field_info batch_fields[] = {
    {"x", NACRE_F32, 2, "npy", "[n, 2]"}, {"label", NACRE_I32, 1, "npy", "[n]"},
    {"seed", NACRE_U64, 0, "npy", ""},    {"iteration", NACRE_I64, 0, "npy", ""},
    {"epoch", NACRE_I64, 0, "npy", ""},   {"plateaus", NACRE_I64, 0, "npy", ""}};
static const nacre_field_info step_results[] = {{"loss", NACRE_F32, 0, "npy", ""},
                                                {"learning_rate", NACRE_F32, 0, "npy", ""}};
static const nacre_dim_info dynamic[] = {{"n", 1, BATCH, 0, 0}};
static uint64_t some(const int64_t *dims) { return (void)dims, 640; }
static void step_extents(const int64_t *dims, int64_t *out) { (void)dims, out[0] = out[2] = BATCH, out[1] = WIDTH; }
static void batch_extents(const int64_t *dims, int64_t *out) { out[0] = out[2] = dims[0], out[1] = WIDTH; }
static void show_extents(const int64_t *dims, int64_t *out) {
  const int64_t list[] = {dims[0], WIDTH, dims[0], dims[0], 4, 4, dims[0]};
  memcpy(out, list, sizeof list);
}

static double score(const float *weight, const float *bias, const float *x) {
  return (double)weight[0] * x[0] + (double)weight[1] * x[1] + *bias;
}
/* Loss of the samples, and its gradient in g[0 .. WIDTH]. */
static float descend(const void *const *const *tensors, const void *const *arguments, int64_t n, double *g) {
  const float *weight = tensors[0][0], *bias = tensors[0][1], *x = arguments[0];
  const int32_t *label = arguments[1];
  double loss = 0;
  for (int64_t i = 0; i < n; ++i, x += WIDTH) {
    double z = score(weight, bias, x), p = 1 / (1 + exp(-z));
    loss += log1p(exp(-fabs(z))) + (z > 0 ? z : 0) - label[i] * z;
    for (int k = 0; k <= WIDTH; ++k)
      g[k] += (p - label[i]) * (k < WIDTH ? x[k] : 1) / (double)n;
  }
  return (float)(loss / (double)n);
}
static void take_step(const void *const *const *tensors, const void *const *arguments, void *const *results, float rate,
                      void *work) {
  double g[WIDTH + 1] = {0};
  uint64_t seed = *(const uint64_t *)arguments[2];
  const char *slow = getenv("FAKE_SLOW");
  if (slow)
    usleep((useconds_t)atoi(slow));
  memset(work, 0x5a, 640); /* all of it is ours */
  float loss = descend(tensors, arguments, BATCH, g);
  memcpy(results[0], &loss, sizeof loss);
  memcpy(results[1], &rate, sizeof rate);
  if (!isfinite(loss))
    return;
  float *weight = (float *)(uintptr_t)tensors[0][0], *bias = (float *)(uintptr_t)tensors[0][1];
  float *v = (float *)(uintptr_t)tensors[1][0], *bias_v = (float *)(uintptr_t)tensors[1][1];
  ++*(int64_t *)(uintptr_t)tensors[0][2];
  for (int k = 0; k <= WIDTH; ++k) {
    float *velocity = k < WIDTH ? &v[k] : bias_v, *at = k < WIDTH ? &weight[k] : bias;
    *velocity = 0.9f * *velocity + (float)g[k] + 1e-4f * (float)(seed >> (k * 8) & 255);
    *at -= rate * *velocity;
  }
}
static void step_call(const void *const *const *tensors, const int64_t *dims, const void *const *arguments,
                      void *const *results, void *work) {
  (void)dims;
  take_step(tensors, arguments, results, 0.05f * powf(0.8f, (float)*(const int64_t *)arguments[5]), work);
}
static void explode_call(const void *const *const *tensors, const int64_t *dims, const void *const *arguments,
                         void *const *results, void *work) {
  (void)dims;
  take_step(tensors, arguments, results, *(const int64_t *)arguments[3] < 7 ? 0.05f : 3e38f, work);
}
static void evaluate_call(const void *const *const *tensors, const int64_t *dims, const void *const *arguments,
                          void *const *results, void *work) {
  (void)work;
  double g[WIDTH + 1] = {0}, *count = (double *)(uintptr_t)tensors[1][0];
  *(float *)results[0] = descend(tensors, arguments, dims[0], g);
  const float *x = arguments[0];
  for (int64_t i = 0; i < dims[0]; ++i)
    count[2 * ((const int32_t *)arguments[1])[i] + (score(tensors[0][0], tensors[0][1], x + WIDTH * i) > 0)] += 1;
}
static void summary_extents(const int64_t *dims, int64_t *out) { (void)dims, out[0] = out[1] = 2; }
static void summary_call(const void *const *const *tensors, const int64_t *dims, const void *const *arguments,
                         void *const *results, void *work) {
  (void)dims, (void)arguments, (void)work;
  const double *count = tensors[0][0];
  *(float *)results[0] = (float)((count[0] + count[3]) / (count[0] + count[1] + count[2] + count[3]));
  for (int i = 0; i < 4; ++i)
    ((float *)results[1])[i] = (float)count[i];
}
static void show_call(const void *const *const *tensors, const int64_t *dims, const void *const *arguments,
                      void *const *results, void *work) {
  (void)work;
  for (int64_t i = 0; i < dims[0]; ++i) {
    const float *x = (const float *)arguments[0] + WIDTH * i;
    for (int k = 0; k < 16; ++k)
      ((float *)results[0])[16 * i + k] = x[k % 2];
    ((float *)results[1])[i] = (float)score(tensors[0][0], tensors[0][1], x);
  }
}
static void probe_extents(const int64_t *dims, int64_t *out) { step_extents(dims, out), out[3] = 2; }
static void probe_call(const void *const *const *tensors, const int64_t *dims, const void *const *arguments,
                       void *const *results, void *work) {
  (void)dims, (void)work;
  double g[WIDTH + 1] = {0};
  float loss = descend(tensors, arguments, BATCH, g);
  ((int32_t *)results[0])[0] = !isfinite(score(tensors[0][0], tensors[0][1], arguments[0]));
  ((int32_t *)results[0])[1] = !isfinite(loss);
}
/* Without data: the weight wanders as the seeds say. */
static void wander_call(const void *const *const *tensors, const int64_t *dims, const void *const *arguments,
                        void *const *results, void *work) {
  (void)dims, (void)work;
  float *weight = (float *)(uintptr_t)tensors[0][0];
  weight[0] += (float)(*(const uint64_t *)arguments[0] % 1000) * 1e-3f;
  *(float *)results[0] = weight[0];
}
static const nacre_field_info summary_results[] = {{"accuracy", NACRE_F32, 0, "npy", ""},
                                                   {"confusion", NACRE_F32, 2, "npy", "[2, 2]"}};
static const nacre_field_info show_results[] = {{"picture", NACRE_F32, 3, "npy", "[n, 4, 4]"},
                                                {"score", NACRE_F32, 1, "npy", "[n]"}};
static const nacre_field_info probe_results[] = {{"flags", NACRE_I32, 1, "npy", "[2]"}};
static const nacre_field_info wander_results[] = {{"place", NACRE_F32, 0, "npy", ""}};
static void label_limits(const int64_t *dims, int64_t *out) { (void)dims, out[0] = 2; }
static const nacre_subscript_check label_check[] = {{1, "`count[label[i]]`"}};
#define STEP(id, text, code)                                                                                           \
  FUNCTION(id, text, .argument_count = 6, .result_count = 2, .model_count = 2, .arguments = batch_fields,              \
           .results = step_results, .models = trained, .extents = step_extents, .workspace = some, .call = code,       \
           .subscript_check_count = 1, .subscript_checks = label_check, .limits = label_limits)
STEP(step, "fit.step", step_call);
STEP(explode, "exploding.step", explode_call);
FUNCTION(evaluate, "fit.evaluate", .dim_count = 1, .dims = dynamic, .argument_count = 5, .result_count = 1,
         .model_count = 2, .arguments = batch_fields, .results = step_results, .models = measured,
         .extents = batch_extents, .workspace = none, .call = evaluate_call);
FUNCTION(summary, "fit.summary", .result_count = 2, .model_count = 1, .results = summary_results, .models = counted,
         .extents = summary_extents, .workspace = none, .call = summary_call);
FUNCTION(show, "fit.show", .dim_count = 1, .dims = dynamic, .argument_count = 5, .result_count = 2, .model_count = 1,
         .arguments = batch_fields, .results = show_results, .models = trained, .extents = show_extents,
         .workspace = none, .call = show_call);
FUNCTION(probe, "fit.probe", .argument_count = 5, .result_count = 1, .model_count = 2, .arguments = batch_fields,
         .results = probe_results, .models = trained, .extents = probe_extents, .workspace = some, .call = probe_call);
static void no_extents(const int64_t *dims, int64_t *out) { (void)dims, (void)out; }
FUNCTION(wander, "walk.step", .argument_count = 3, .result_count = 1, .model_count = 2, .arguments = batch_fields + 2,
         .results = wander_results, .models = trained, .extents = no_extents, .workspace = none, .call = wander_call);

/* ---- blocks ---------------------------------------------------------------------------------------------------------
 */
#define NUMBER(name, number) {name, NACRE_NUMBER, 0, number, "", NULL, NULL}
#define TEXT(name, text) {name, NACRE_TEXT, 0, 0, text, NULL, NULL}
#define COUNT(list) (int32_t)(sizeof(list) / sizeof *(list))
static const nacre_option train_file[] = {TEXT("file", "train.csv"), NUMBER("header", 0)};
static const nacre_option check_file[] = {TEXT("file", "check.csv"), NUMBER("header", 0)};
static const nacre_data_info rows = {.name = "rows",
                                     .title = "rows[\"train\"]",
                                     .reader = "csv",
                                     .option_count = 2,
                                     .options = train_file,
                                     .map = &map,
                                     .augment = &augment,
                                     .place = "fake.nacre:3:1"};
static const nacre_data_info held = {.name = "rows",
                                     .title = "rows[\"check\"]",
                                     .reader = "csv",
                                     .option_count = 2,
                                     .options = check_file,
                                     .map = &map,
                                     .place = "fake.nacre:3:1"};
static const nacre_option fit_options[] = {NUMBER("batch", BATCH), NUMBER("epochs", 6), NUMBER("seed", 7)};
static const nacre_option stopping_options[] = {NUMBER("batch", BATCH),
                                                NUMBER("epochs", 400),
                                                NUMBER("early_stop.patience", 2),
                                                TEXT("early_stop.on", "validate.loss"),
                                                TEXT("checkpoint.best", "out/best.safetensors"),
                                                TEXT("checkpoint.by", "validate.loss"),
                                                NUMBER("checkpoint.every", 2),
                                                TEXT("checkpoint.path", "out/stopping.train"),
                                                TEXT("resume.path", "out/stopping.train"),
                                                NUMBER("resume.optional", 1),
                                                NUMBER("plateau.patience", 1),
                                                NUMBER("plateau.threshold", 0.05),
                                                NUMBER("plateau.cooldown", 1),
                                                TEXT("plateau.on", "validate.loss"),
                                                TEXT("plateau.mode", "min")};
static const nacre_option folded_options[] = {NUMBER("batch", BATCH), NUMBER("epochs", 4), NUMBER("folds", 3),
                                              NUMBER("checkpoint.every", 1),
                                              TEXT("checkpoint.path", "out/folded.train")};
static const nacre_option wander_options[] = {NUMBER("steps", 30), NUMBER("seed", 3)};
static const nacre_option later_options[] = {NUMBER("batch", BATCH), NUMBER("epochs", 1), TEXT("after", "fit")};
static const nacre_option groups_options[] = {NUMBER("batch", BATCH), NUMBER("epochs", 4), NUMBER("accumulate", 2)};
static const int32_t only_net[] = {NET};
static const char *const probes[] = {"fc: Linear at fake.nacre:5:20", "loss at fake.nacre:9:3"};
#define TRAIN(id, text, list, check, code)                                                                             \
  static const nacre_train_info id = {.name = text,                                                                    \
                                      .documentation = "A line.",                                                      \
                                      .model_count = 1,                                                                \
                                      .trained_count = 1,                                                              \
                                      .models = only_net,                                                              \
                                      .optimizer = OPTIMIZER,                                                          \
                                      .metrics = METRICS,                                                              \
                                      .step = code,                                                                    \
                                      .evaluate = &evaluate,                                                           \
                                      .summary = &summary,                                                             \
                                      .show = &show,                                                                   \
                                      .probe = &probe,                                                                 \
                                      .probe_count = 2,                                                                \
                                      .probes = probes,                                                                \
                                      .data = &rows,                                                                   \
                                      .validate = check,                                                               \
                                      .option_count = COUNT(list),                                                     \
                                      .options = list,                                                                 \
                                      .place = "fake.nacre:7:1"}
TRAIN(fit, "fit", fit_options, &held, &step);
TRAIN(stopping, "stopping", stopping_options, &held, &step);
TRAIN(folded, "folded", folded_options, NULL, &step);
TRAIN(exploding, "exploding", fit_options, &held, &explode);
TRAIN(later, "later", later_options, NULL, &step);
TRAIN(groups, "groups", groups_options, &held, &step);
static const nacre_train_info walk = {.name = "walk",
                                      .documentation = "",
                                      .model_count = 1,
                                      .trained_count = 1,
                                      .models = only_net,
                                      .optimizer = OPTIMIZER,
                                      .metrics = -1,
                                      .step = &wander,
                                      .option_count = COUNT(wander_options),
                                      .options = wander_options,
                                      .place = "fake.nacre:9:1"};
const nacre_train_info *const fake_trains[] = {&fit, &stopping, &folded, &exploding, &later, &groups, &walk};
static const nacre_model_info *const models[] = {&net, &velocity, &tally};
static const nacre_module_info module = {.abi = NACRE_ABI,
                                         .name = "fake",
                                         .version = "0.1.0",
                                         .cpu = "x86-64",
                                         .model_count = 3,
                                         .models = models,
                                         .documentation = "",
                                         .train_count = COUNT(fake_trains),
                                         .trains = fake_trains};
static const nacre_module_info *const variants[] = {&module};
nacre_variants nacre_main_variants = {1, variants, NULL};
