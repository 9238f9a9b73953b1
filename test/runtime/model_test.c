/* Weights of a file against a model: renames, conversions, ties, initialisers, and every way they may disagree. */
#include "check.h"
#include "fake_module.h"

#define FC "\"fc.weight\":{\"dtype\":\"F32\",\"shape\":[3,4],\"data_offsets\":[0,48]}"
#define BIAS "\"fc.bias\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[48,60]}"

static struct nacre_model *open_bytes(const nacre_model_info *info, const char *header, const void *data,
                                      size_t data_bytes) {
  size_t length;
  unsigned char *bytes = safetensors_bytes(header, data_bytes, &length);
  if (data)
    memcpy(bytes + length - data_bytes, data, data_bytes);
  const char *path = scratch_path("weights.safetensors");
  write_bytes(path, bytes, length);
  free(bytes);
  struct nacre_model *model = nacre_model_open(info, path);
  unlink(path);
  return model;
}

static void test_plain(void) {
  float data[15];
  for (int i = 0; i < 15; ++i)
    data[i] = (float)i;
  struct nacre_model *model = open_bytes(&fake_net, "{" FC "," BIAS "}   ", data, sizeof data);
  EXPECT(model != NULL);
  EXPECT(model && memcmp(model->tensors[0], data, 48) == 0 && memcmp(model->tensors[1], data + 12, 12) == 0);
  const float *prepared = model ? model->tensors[3] : data;
  EXPECT(prepared[1] == 4 && prepared[3] == 1 && (uintptr_t)prepared % 64 == 0);
  EXPECT(model && *(const int64_t *)model->tensors[2] == 0); /* steps: initialised from seed 0 */
  nacre_model_close(model);
  nacre_model_close(NULL);
}

static void test_renamed_transposed_converted(void) {
  /* linear.kernel [4, 3] as f16, transposed into fc.weight; linear.bias as f64; something to ignore. */
  static const char header[] = "{\"linear.kernel\":{\"dtype\":\"F16\",\"shape\":[4,3],\"data_offsets\":[0,24]},"
                               "\"linear.bias\":{\"dtype\":\"F64\",\"shape\":[3],\"data_offsets\":[24,48]},"
                               "\"extra.deep.thing\":{\"dtype\":\"I16\",\"shape\":[1],\"data_offsets\":[48,50]}}";
  unsigned char data[50] = {0};
  for (int i = 0; i < 12; ++i) {
    double value = i * 0.25;
    size_t where;
    nacre_convert(NACRE_F64, &value, NACRE_F16, data + 2 * i, 1, &where);
  }
  double bias[] = {1, 2, 3};
  memcpy(data + 24, bias, 24);
  struct nacre_model *model = open_bytes(&fake_net, header, data, sizeof data);
  EXPECT(model != NULL);
  const float *weight = model ? model->tensors[0] : NULL;
  bool good = weight != NULL;
  for (int o = 0; good && o < 3; ++o)
    for (int i = 0; i < 4; ++i)
      good &= weight[o * 4 + i] == (float)(i * 3 + o) * 0.25f;
  EXPECT(good);
  EXPECT(model && ((const float *)model->tensors[1])[2] == 3);
  nacre_model_close(model);
}

static const struct {
  const char *header;
  size_t data_bytes;
  const char *message;
} bad[] = {
    {"{" FC "}", 48, "not in the file: `fc.bias` f32[3]"},
    {"{" FC "," BIAS ",\"head.w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[60,64]}}", 64,
     "not in the model: `head.w` F32[1]"},
    {"{\"fc.weight\":{\"dtype\":\"F32\",\"shape\":[4,3],\"data_offsets\":[0,48]}," BIAS "}", 60,
     "weight `fc.weight` is f32[3, 4] in model `net`, F32[4, 3] in"},
    {"{\"fc.weight\":{\"dtype\":\"F32\",\"shape\":[12],\"data_offsets\":[0,48]}," BIAS "}", 60, "F32[12] in"},
    {"{\"fc.weight\":{\"dtype\":\"I32\",\"shape\":[3,4],\"data_offsets\":[0,48]}," BIAS "}", 60, "reals and integers"},
    {"{\"fc.weight\":{\"dtype\":\"U32\",\"shape\":[3,4],\"data_offsets\":[0,48]}," BIAS "}", 60, "no such type"},
    {"{" FC "," BIAS ",\"linear.bias\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[60,72]}}", 72,
     "are both weight `fc.bias`"},
    {"{\"fc.kernel\":{\"dtype\":\"F32\",\"shape\":[3,4],\"data_offsets\":[0,48]}," BIAS "}", 60, "to be transposed"},
};

static void test_bad(void) {
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
    struct nacre_model *model = open_bytes(&fake_net, bad[i].header, NULL, bad[i].data_bytes);
    EXPECT_ERROR(!model, bad[i].message);
    nacre_model_close(model);
  }
  double huge[15] = {0, 0, 1e300};
  static const char header[] = "{\"fc.weight\":{\"dtype\":\"F64\",\"shape\":[3,4],\"data_offsets\":[0,96]},"
                               "\"fc.bias\":{\"dtype\":\"F64\",\"shape\":[3],\"data_offsets\":[96,120]}}";
  EXPECT_ERROR(!open_bytes(&fake_net, header, huge, sizeof huge), "element 2 of F64");
  EXPECT_ERROR(!nacre_model_open(&fake_net, NULL), "needs a file of weights");
  EXPECT_ERROR(!nacre_model_open(&fake_tied, NULL), "cannot open nowhere.safetensors");
  nacre_model_info other = fake_net;
  other.abi = 99;
  EXPECT_ERROR(!nacre_model_open(&other, NULL), "runtime interface 99");
  other = fake_net;
  other.cpu = "a machine of the future";
#if defined(__x86_64__)
  other.cpu_features = UINT64_C(1) << 25; /* amx-int8: absent here, or on the machines of most */
  if (nacre_check_object("probe", NACRE_ABI, "", other.cpu_features) != NACRE_OK)
    EXPECT_ERROR(!nacre_model_open(&other, NULL), "lacks amx-int8");
#endif
}

static void test_ties(void) {
#define EMBED "\"embed.weight\":{\"dtype\":\"F32\",\"shape\":[3,4],\"data_offsets\":[0,48]}"
#define HEAD(a, b) "\"head.weight\":{\"dtype\":\"F32\",\"shape\":[3,4],\"data_offsets\":[" #a "," #b "]}"
  struct nacre_model *model = open_bytes(&fake_tied, "{" EMBED "}", NULL, 48);
  EXPECT(model && model->tensors[0] == model->tensors[1]);
  nacre_model_close(model);
  model = open_bytes(&fake_tied, "{" HEAD(0, 48) "}", NULL, 48);
  EXPECT(model && model->tensors[0] == model->tensors[1]);
  nacre_model_close(model);
  float data[24] = {1, 2, 3};
  memcpy(data + 12, data, 48);
  model = open_bytes(&fake_tied, "{" EMBED "," HEAD(48, 96) "}", data, 96);
  EXPECT(model != NULL);
  nacre_model_close(model);
  data[12] = 7;
  EXPECT_ERROR(!open_bytes(&fake_tied, "{" EMBED "," HEAD(48, 96) "}", data, 96), "are tied");
}

static void test_embedded_and_initialised(void) {
  size_t length;
  unsigned char *bytes = safetensors_bytes("{" FC "," BIAS "}", 60, &length);
  nacre_model_info info = fake_net;
  info.embedded = bytes;
  info.embedded_bytes = length;
  struct nacre_model *model = nacre_model_open(&info, NULL);
  EXPECT(model && memcmp(model->tensors[1], bytes + length - 12, 12) == 0);
  nacre_model_close(model);
  info.embedded_bytes = length - 1;
  EXPECT_ERROR(!nacre_model_open(&info, NULL), "the embedded weights");
  free(bytes);
  nacre_model_options options = {.seed = 3, .initialise = true};
  model = nacre_model_open_with(&fake_net, &options);
  EXPECT(model && ((const float *)model->tensors[1])[1] == 4 && *(const int64_t *)model->tensors[2] == 3);
  nacre_model_close(model);
  EXPECT_ERROR(!nacre_model_open_with(&fake_tied, &options), "has no initialiser");
}

static void use(const void *data, size_t length) {
  nacre_model_info info = fake_net;
  info.embedded = data;
  info.embedded_bytes = length;
  nacre_model_close(nacre_model_open(&info, NULL));
}

int main(void) {
  test_plain();
  test_renamed_transposed_converted();
  test_bad();
  test_ties();
  test_embedded_and_initialised();
  size_t length;
  unsigned char *bytes = safetensors_bytes("{" FC "," BIAS "}", 60, &length);
  fuzz(bytes, length, 2, use);
  free(bytes);
  return finish();
}
