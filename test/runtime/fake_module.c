/* See fake_module.h. The arithmetic is a linear layer with argmax, and a table lookup. */
#include "fake_module.h"
#include <string.h>

enum { CLASSES = 3, WIDTH = 4 };

static const int64_t weight_extents[] = {CLASSES, WIDTH}, bias_extents[] = {CLASSES};
static const nacre_weight_info net_weights[] = {
    {"fc.weight", NACRE_F32, 2, weight_extents, -1, 0, 1},
    {"fc.bias", NACRE_F32, 1, bias_extents, -1, 0, 1},
    {"steps", NACRE_I64, 0, weight_extents, -1, 1, 0},
};
static const nacre_rename net_renames[] = {{"linear.{p}", "fc.{p}", 0}, {"{p}.kernel", "{p}.weight", 1}};
static const char *const net_ignores[] = {"extra.**"};

/* prepared: the transposed weight, [WIDTH, CLASSES] */
static void net_prepare(const void *const *weights, void *prepared, void *scratch) {
  const float *weight = weights[0];
  (void)scratch;
  for (int o = 0; o < CLASSES; ++o)
    for (int i = 0; i < WIDTH; ++i)
      ((float *)prepared)[i * CLASSES + o] = weight[o * WIDTH + i];
}

static int32_t net_initialise(int32_t index, uint64_t seed, void *out, void *scratch) {
  (void)scratch;
  if (index == 2) {
    memcpy(out, &seed, 8);
    return 0;
  }
  for (int i = 0; i < (index ? CLASSES : CLASSES * WIDTH); ++i)
    ((float *)out)[i] = (float)((seed + (uint64_t)i) % 7);
  return 0;
}

const nacre_model_info fake_net = {NACRE_ABI,
                                   "net",
                                   3,
                                   2,
                                   1,
                                   net_weights,
                                   net_renames,
                                   net_ignores,
                                   "",
                                   0,
                                   NULL,
                                   0,
                                   sizeof(float) * CLASSES *WIDTH,
                                   net_prepare,
                                   0,
                                   net_initialise,
                                   "x86-64",
                                   0};

static const nacre_weight_info tied_weights[] = {
    {"embed.weight", NACRE_F32, 2, weight_extents, -1, 0, 1},
    {"head.weight", NACRE_F32, 2, weight_extents, 0, 0, 1},
};
const nacre_model_info fake_tied = {
    NACRE_ABI, "tied", 2, 0,    0, tied_weights, NULL,     NULL, "nowhere.safetensors", 0,
    NULL,      0,      0, NULL, 0, NULL,         "x86-64", 0};

/* ---- predict(image: f32[n, 4]) -> (label: i32[n], score: f32[n, 3]) where n <= 64, n % 5 != 3 -------------------- */
static void predict_extents(const int64_t *dims, int64_t *out) {
  const int64_t list[] = {dims[0], WIDTH, dims[0], dims[0], CLASSES};
  memcpy(out, list, sizeof list);
}
static int32_t predict_guard(const int64_t *dims) { return dims[0] % 5 == 3 ? 0 : -1; }
static uint64_t predict_workspace(const int64_t *dims) { return (uint64_t)dims[0] * CLASSES * sizeof(float); }

typedef struct rows {
  const float *image, *prepared, *bias;
  float *score;
  int32_t *label;
} rows;
static void predict_rows(void *context, int64_t begin, int64_t end) {
  const rows *r = context;
  for (int64_t n = begin; n < end; ++n) {
    int best = 0;
    for (int o = 0; o < CLASSES; ++o) {
      float sum = r->bias[o];
      for (int i = 0; i < WIDTH; ++i)
        sum += r->image[n * WIDTH + i] * r->prepared[i * CLASSES + o];
      r->score[n * CLASSES + o] = sum;
      best = sum > r->score[n * CLASSES + best] ? o : best;
    }
    r->label[n] = best;
  }
}
static void predict_call(const void *const *const *tensors, const int64_t *dims, const void *const *arguments,
                         void *const *results, void *workspace) {
  rows r = {arguments[0], tensors[0][3], tensors[0][1], results[1], results[0]};
  memset(workspace, 0x5a, (size_t)predict_workspace(dims)); /* all of it is ours */
  nacre_parallel_for(predict_rows, &r, dims[0], 4);
}

static const nacre_dim_info predict_dims[] = {{"n", 1, 64, 0, 0}};
static const nacre_field_info predict_arguments[] = {{"image", NACRE_F32, 2, "npy", "[n, 4]"}};
static const nacre_field_info predict_results[] = {{"label", NACRE_I32, 1, "npy", "[n]"},
                                                   {"score", NACRE_F32, 2, "npy", "[n, 3]"}};
static const char *const predict_guards[] = {"n % 5 != 3"};
static const int32_t first_model[] = {0};
const nacre_entry_info fake_predict = {NACRE_ABI,
                                       "fake",
                                       "predict",
                                       "Scores of three classes.\nThe label is the best.",
                                       1,
                                       1,
                                       2,
                                       1,
                                       1,
                                       0,
                                       predict_dims,
                                       predict_arguments,
                                       predict_results,
                                       predict_guards,
                                       first_model,
                                       NULL,
                                       predict_extents,
                                       predict_guard,
                                       NULL,
                                       predict_workspace,
                                       predict_call};

/* ---- lookup(table: f32[k], ids: i32[m], scale: f64) -> f32[m]: subscripts are checked against k
 * ---------------------- */
static void lookup_extents(const int64_t *dims, int64_t *out) { out[0] = dims[0], out[1] = out[2] = dims[1]; }
static void lookup_limits(const int64_t *dims, int64_t *out) { out[0] = dims[0]; }
static uint64_t no_workspace(const int64_t *dims) { return (void)dims, 0; }
static void lookup_call(const void *const *const *tensors, const int64_t *dims, const void *const *arguments,
                        void *const *results, void *workspace) {
  (void)tensors, (void)workspace;
  for (int64_t i = 0; i < dims[1]; ++i)
    ((float *)results[0])[i] =
        ((const float *)arguments[0])[((const int32_t *)arguments[1])[i]] * (float)*(const double *)arguments[2];
}
static const nacre_dim_info lookup_dims[] = {{"k", 1, 100, 0, 0}, {"m", 1, 100, 1, 0}};
static const nacre_field_info lookup_arguments[] = {
    {"table", NACRE_F32, 1, "npy", "[k]"}, {"ids", NACRE_I32, 1, "npy", "[m]"}, {"scale", NACRE_F64, 0, "npy", ""}};
static const nacre_field_info lookup_results[] = {{"result", NACRE_F32, 1, "npy", "[m]"}};
static const nacre_subscript_check lookup_checks[] = {{1, "`table[ids[i]]`"}};
const nacre_entry_info fake_lookup = {NACRE_ABI,
                                      "fake",
                                      "lookup",
                                      "",
                                      2,
                                      3,
                                      1,
                                      0,
                                      0,
                                      1,
                                      lookup_dims,
                                      lookup_arguments,
                                      lookup_results,
                                      NULL,
                                      NULL,
                                      lookup_checks,
                                      lookup_extents,
                                      NULL,
                                      lookup_limits,
                                      no_workspace,
                                      lookup_call};

/* ---- picture(image: u8[h, w, 3]) -> (copy: u8[h, w, 3]), both png
 * ---------------------------------------------------- */
static void picture_extents(const int64_t *dims, int64_t *out) {
  out[0] = out[3] = dims[0], out[1] = out[4] = dims[1], out[2] = out[5] = 3;
}
static void picture_call(const void *const *const *tensors, const int64_t *dims, const void *const *arguments,
                         void *const *results, void *workspace) {
  (void)tensors, (void)workspace;
  memcpy(results[0], arguments[0], (size_t)(dims[0] * dims[1] * 3));
}
static const nacre_dim_info picture_dims[] = {{"h", 1, 4096, 0, 0}, {"w", 1, 4096, 0, 1}};
static const nacre_field_info picture_arguments[] = {{"image", NACRE_U8, 3, "png", "[h, w, 3]"}};
static const nacre_field_info picture_results[] = {{"copy", NACRE_U8, 3, "png", "[h, w, 3]"}};
const nacre_entry_info fake_picture = {NACRE_ABI,
                                       "fake",
                                       "picture",
                                       "",
                                       2,
                                       1,
                                       1,
                                       0,
                                       0,
                                       0,
                                       picture_dims,
                                       picture_arguments,
                                       picture_results,
                                       NULL,
                                       NULL,
                                       NULL,
                                       picture_extents,
                                       NULL,
                                       NULL,
                                       no_workspace,
                                       picture_call};

/* ---- a test: two expectations, the second fails when the seed is odd
 * -------------------------------------------------- */
static void test_extents(const int64_t *dims, int64_t *out) { (void)dims, (void)out; }
static void test_call(const void *const *const *tensors, const int64_t *dims, const void *const *arguments,
                      void *const *results, void *workspace) {
  (void)dims, (void)arguments, (void)workspace;
  int64_t seed = *(const int64_t *)tensors[0][2];
  *(uint8_t *)results[0] = 1;
  *(uint8_t *)results[1] = seed % 2 == 0;
  *(double *)results[2] = (double)(seed % 2);
}
static const nacre_field_info test_results[] = {
    {"a", NACRE_BOOL, 0, "npy", ""}, {"b", NACRE_BOOL, 0, "npy", ""}, {"c", NACRE_F64, 0, "npy", ""}};
static const nacre_expect_info expects[] = {{"1 + 1 == 2", "fake.nacre:3:3", 0, -1, 0},
                                            {"seed ~= even", "fake.nacre:4:3", 1, 2, 1e-5}};
static const nacre_test_info fake_test = {"arithmetic",
                                          2,
                                          expects,
                                          4,
                                          {NACRE_ABI,
                                           "fake",
                                           "arithmetic",
                                           "",
                                           0,
                                           0,
                                           3,
                                           0,
                                           1,
                                           0,
                                           NULL,
                                           NULL,
                                           test_results,
                                           NULL,
                                           first_model,
                                           NULL,
                                           test_extents,
                                           NULL,
                                           NULL,
                                           no_workspace,
                                           test_call}};

static const nacre_model_info *const models[] = {&fake_net};
static const nacre_entry_info *const entries[] = {&fake_predict, &fake_lookup, &fake_picture};
static const nacre_test_info *const tests[] = {&fake_test};
static const nacre_module_info module = {
    NACRE_ABI, "fake", "0.1.0", "x86-64", 1, 3, 1, models, entries, tests, "A module written by hand.", 0, 0, NULL};
static const nacre_module_info *const variants[] = {&module};
nacre_variants nacre_main_variants = {1, variants, NULL};
