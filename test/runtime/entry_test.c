/* Calls of entries: what is refused, with which words, and that a refused call touches nothing. */
#include "check.h"
#include "fake_module.h"
#include <pthread.h>

static void *fail_elsewhere(void *argument) {
  nacre_entry_workspace(&fake_predict, (int64_t[]){65});
  return strstr(nacre_last_error(), "65") ? argument : NULL;
}

static void test_predict(void) {
  nacre_model_options options = {.seed = 3, .initialise = true};
  struct nacre_model *model = nacre_model_open_with(&fake_net, &options);
  EXPECT(model != NULL);
  const struct nacre_model *models[] = {model}, *none[] = {NULL};
  static float image[64 * 4], score[64 * 3];
  static int32_t label[64];
  const void *arguments[] = {image}, *no_argument[] = {NULL};
  void *results[] = {label, score}, *no_result[] = {label, NULL};
  int64_t n = 64, zero = 0, many = 65, guarded = 8;
  for (int i = 0; i < 64 * 4; ++i)
    image[i] = (float)(i % 11);
  size_t bytes = nacre_entry_workspace(&fake_predict, &n);
  EXPECT(bytes == 64 * 3 * 4 + 64);
  unsigned char *workspace = malloc(bytes + 1); /* as badly aligned as it can be */
  EXPECT(nacre_entry_invoke(&fake_predict, models, &n, arguments, results, workspace) == NACRE_OK);
  EXPECT(nacre_entry_invoke(&fake_predict, models, &n, arguments, results, workspace + 1) == NACRE_OK);
  EXPECT(label[5] >= 0 && label[5] < 3);
  score[0] = -7;
  EXPECT_ERROR(nacre_entry_invoke(&fake_predict, models, &zero, arguments, results, workspace) == NACRE_ERROR_DIMENSION,
               "fake.predict: n = 0, but `n >= 1` is needed");
  EXPECT_ERROR(nacre_entry_invoke(&fake_predict, models, &many, arguments, results, workspace) == NACRE_ERROR_DIMENSION,
               "fake.predict: n = 65, but `n <= 64` is needed");
  EXPECT_ERROR(nacre_entry_invoke(&fake_predict, models, &guarded, arguments, results, workspace) ==
                   NACRE_ERROR_CONDITION,
               "`n % 5 != 3` does not hold (n = 8)");
  EXPECT_ERROR(nacre_entry_invoke(&fake_predict, none, &n, arguments, results, workspace) == NACRE_ERROR_ARGUMENT,
               "model number 1");
  EXPECT_ERROR(nacre_entry_invoke(&fake_predict, models, &n, no_argument, results, workspace) == NACRE_ERROR_ARGUMENT,
               "argument `image`");
  EXPECT_ERROR(nacre_entry_invoke(&fake_predict, models, &n, arguments, no_result, workspace) == NACRE_ERROR_ARGUMENT,
               "result `score`");
  EXPECT_ERROR(nacre_entry_invoke(&fake_predict, models, &n, arguments, results, NULL) == NACRE_ERROR_ARGUMENT,
               "needs 832 bytes");
  EXPECT_ERROR(nacre_entry_workspace(&fake_predict, &many) == 0, "n = 65");
  nacre_fail(NACRE_ERROR_PROCESSOR, "no variant fits"); /* as nacre_fitting_entry does, before it gives null */
  EXPECT_ERROR(nacre_entry_workspace(NULL, &many) == 0, "no variant fits");
  EXPECT_ERROR(nacre_entry_invoke(NULL, models, &n, arguments, results, workspace) == NACRE_ERROR_PROCESSOR,
               "no variant fits");
  EXPECT(score[0] == -7);
  nacre_fail(NACRE_ERROR_FILE, "mine");
  pthread_t thread;
  void *result = NULL;
  pthread_create(&thread, NULL, fail_elsewhere, &n);
  pthread_join(thread, &result);
  EXPECT(result == &n && strcmp(nacre_last_error(), "mine") == 0); /* texts are per thread */
  free(workspace);
  nacre_model_close(model);
}

static void test_lookup(void) {
  float table[4] = {0, 10, 20, 30}, out[3] = {-1, -1, -1};
  int32_t ids[3] = {3, 0, 1};
  double scale = 2;
  const void *arguments[] = {table, ids, &scale};
  void *results[] = {out};
  int64_t dims[] = {4, 3};
  EXPECT(nacre_entry_invoke(&fake_lookup, NULL, dims, arguments, results, NULL) == NACRE_OK && out[0] == 60 &&
         out[2] == 20);
  static const int32_t wrong[] = {4, -1, INT32_MAX, INT32_MIN};
  for (int i = 0; i < 4; ++i) {
    ids[2] = wrong[i];
    out[0] = -1;
    EXPECT_ERROR(nacre_entry_invoke(&fake_lookup, NULL, dims, arguments, results, NULL) == NACRE_ERROR_SUBSCRIPT,
                 "`table[ids[i]]` needs 0 .. 3");
    EXPECT(out[0] == -1 && strstr(nacre_last_error(), "element 2 of `ids`"));
  }
  nacre_entry_info other = fake_lookup;
  other.abi = NACRE_ABI + 1;
  EXPECT_ERROR(nacre_entry_invoke(&other, NULL, dims, arguments, results, NULL) == NACRE_ERROR_VERSION,
               "build it again");
}

static void test_texts(void) {
  for (int status = -1; status < 14; ++status)
    EXPECT(*nacre_error_text(status));
  EXPECT(strcmp(nacre_error_text(NACRE_ERROR_CONDITION), "where clause") == 0 &&
         strcmp(nacre_error_text(99), "unknown error") == 0);
  EXPECT(strcmp(nacre_version(), NACRE_VERSION) == 0 && nacre_abi() == NACRE_ABI);
}

int main(void) {
  test_predict();
  test_lookup();
  test_texts();
  return finish();
}
