/* The safetensors reader: what a good file gives, what each kind of lie is answered with, and damaged files at random.
 */
#include "check.h"

#define TENSOR "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"

static const struct {
  const char *what, *header;
  size_t data_bytes;
  const char *message;
} bad[] = {
    {"no object", "[]", 0, "`{` expected"},
    {"empty header", "", 0, "`{` expected"},
    {"starts with a blank", " {}", 0, "`{` expected"},
    {"no end", "{\"a\":" TENSOR, 8, "`}` or `,` expected"},
    {"text after the end", "{\"a\":" TENSOR "}x", 8, "text after the header's end"},
    {"trailing comma", "{\"a\":" TENSOR ",}", 8, "a string expected"},
    {"no colon", "{\"a\"" TENSOR "}", 8, "`:` expected"},
    {"name twice",
     "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
     "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
     8, "occurs twice"},
    {"field twice", "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8,
     "unknown or repeated field"},
    {"unknown field", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}}", 8,
     "unknown or repeated field"},
    {"no dtype", "{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "lacks dtype"},
    {"no shape", "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, "lacks dtype, shape"},
    {"no offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "data_offsets"},
    {"empty tensor object", "{\"a\":{}}", 8, "lacks dtype"},
    {"unknown dtype", "{\"a\":{\"dtype\":\"F31\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "unknown dtype"},
    {"dtype as number", "{\"a\":{\"dtype\":3,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "a string expected"},
    {"negative extent", "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "whole number"},
    {"fraction", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", 8, "whole number expected"},
    {"exponent", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2e0],\"data_offsets\":[0,8]}}", 8, "whole number expected"},
    {"leading zero", "{\"a\":{\"dtype\":\"F32\",\"shape\":[02],\"data_offsets\":[0,8]}}", 8, "leading zero"},
    {"extent beyond 64 bits", "{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,8]}}", 8,
     "beyond 64 bits"},
    {"product overflows", "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}}", 8,
     "too large"},
    {"product overflows to fit", "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387906],\"data_offsets\":[0,8]}}",
     8, "too large"},
    {"rank 17", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1,
     "more than 16"},
    {"shape without end", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,\"data_offsets\":[0,8]}}", 8, "whole number"},
    {"offsets reversed", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "outside the file"},
    {"offsets past the end", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}", 8,
     "outside the file"},
    {"offsets do not fit", "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, "do not fit"},
    {"three offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}}", 8, "`]` or `,` expected"},
    {"one offset", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8]}}", 8, "`,` expected"},
    {"overlap",
     "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
     "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
     8, "overlaps"},
    {"same place",
     "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
     "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
     4, "overlaps"},
    {"hole at the start", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "hole"},
    {"hole between",
     "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
     "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}",
     12, "hole"},
    {"data left over", "{\"a\":" TENSOR "}", 12, "4 bytes at the end"},
    {"data without tensors", "{}", 4, "4 bytes at the end"},
    {"metadata twice", "{\"__metadata__\":{},\"__metadata__\":{}}", 0, "second `__metadata__`"},
    {"metadata of numbers", "{\"__metadata__\":{\"a\":1}}", 0, "a string expected"},
    {"nested deeply", "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 0, "`{` expected"},
    {"string without end", "{\"a", 0, "string without end"},
    {"control character", "{\"a\nb\":" TENSOR "}", 8, "control character"},
    {"bad escape", "{\"\\x\":" TENSOR "}", 8, "bad escape"},
    {"cut escape", "{\"\\u12", 0, "bad escape"},
    {"lone surrogate", "{\"\\ud800\":" TENSOR "}", 8, "bad escape"},
    {"surrogate pair reversed", "{\"\\udc00\\ud800\":" TENSOR "}", 8, "bad escape"},
    {"zero character", "{\"a\\u0000\":" TENSOR "}", 8, "zero character"},
    {"bad UTF-8", "{\"\xff\":" TENSOR "}", 8, "bad UTF-8"},
    {"overlong UTF-8", "{\"\xc0\x80\":" TENSOR "}", 8, "bad UTF-8"},
    {"cut UTF-8", "{\"\xe2\x82", 0, "bad UTF-8"},
};

static void test_bad(void) {
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
    size_t length;
    unsigned char *bytes = safetensors_bytes(bad[i].header, bad[i].data_bytes, &length);
    nacre_safetensors *file = nacre_safetensors_parse(bytes, length, bad[i].what);
    EXPECT_ERROR(!file, bad[i].message);
    nacre_safetensors_close(file);
    free(bytes);
  }
}

static void test_lengths(void) {
  static const unsigned char huge[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, '{', '}'};
  static const unsigned char long_header[] = {100, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
  static const unsigned char limit[] = {0x01, 0xe1, 0xf5, 0x05, 0, 0, 0, 0, '{', '}'};
  EXPECT_ERROR(!nacre_safetensors_parse(huge, sizeof huge, "huge"), "the limit is");
  EXPECT_ERROR(!nacre_safetensors_parse(limit, sizeof limit, "one more"), "the limit is");
  EXPECT_ERROR(!nacre_safetensors_parse(long_header, sizeof long_header, "long"), "the file has 2");
  EXPECT_ERROR(!nacre_safetensors_parse("1234567", 7, "short"), "the header alone needs 8");
  EXPECT_ERROR(!nacre_safetensors_parse("", 0, "empty"), "the header alone needs 8");
  EXPECT_ERROR(!nacre_safetensors_open("/nowhere/at/all"), "cannot open");
  EXPECT_ERROR(!nacre_safetensors_open("/tmp"), "a directory");
  EXPECT_ERROR(!nacre_safetensors_open("/dev/zero"), "a device");
  EXPECT_ERROR(!nacre_safetensors_open(NULL), "no path");
}

static const char good[] = "{\"__metadata__\":{\"format\":\"pt\"},"
                           "\"z.\\u00e4\\ud83d\\ude00\":{\"shape\":[],\"dtype\":\"I64\",\"data_offsets\":[8,16]},"
                           "\"a\":" TENSOR ", \"empty\":{\"dtype\":\"F16\",\"shape\":[3,0],\"data_offsets\":[16,16]},"
                           "\"short\":{\"dtype\":\"I16\",\"shape\":[1],\"data_offsets\":[16,18]}}   ";

static void test_good(void) {
  size_t length;
  unsigned char *bytes = safetensors_bytes(good, 18, &length);
  const char *path = scratch_path("good.safetensors");
  write_bytes(path, bytes, length);
  nacre_safetensors *file = nacre_safetensors_open(path);
  EXPECT(file && nacre_safetensors_count(file) == 4);
  nacre_tensor tensor;
  EXPECT(strcmp(nacre_safetensors_tensor(file, 0, &tensor), "a") == 0 && tensor.type == NACRE_F32 && tensor.rank == 1 &&
         tensor.extents[0] == 2 && tensor.bytes == 8 && memcmp(tensor.data, "\0\1\2\3\4\5\6\7", 8) == 0);
  EXPECT(strcmp(nacre_safetensors_tensor(file, 1, &tensor), "empty") == 0 && tensor.bytes == 0 && tensor.rank == 2);
  EXPECT(strcmp(nacre_safetensors_tensor(file, 2, &tensor), "short") == 0 && !tensor.data);
  EXPECT(strcmp(nacre_safetensors_tensor(file, 3, &tensor), "z.\xc3\xa4\xf0\x9f\x98\x80") == 0 && tensor.rank == 0);
  EXPECT(nacre_safetensors_tensor(file, 4, &tensor) == NULL);
  EXPECT(nacre_safetensors_find(file, "a") && !nacre_safetensors_find(file, "b"));
  nacre_safetensors_close(file);
  file = nacre_safetensors_parse("\2\0\0\0\0\0\0\0{}", 10, "no tensors");
  EXPECT(file && nacre_safetensors_count(file) == 0 && !nacre_safetensors_find(file, "a"));
  nacre_safetensors_close(file);
  nacre_safetensors_close(NULL);
  unlink(path);
  free(bytes);
}

static unsigned sum;
static void read_all(const void *data, size_t length) {
  nacre_safetensors *file = nacre_safetensors_parse(data, length, "damaged");
  for (size_t i = 0; file && i < nacre_safetensors_count(file); ++i) {
    const nacre_stored *tensor = nacre_safetensors_stored(file, i);
    for (size_t at = 0; at < tensor->bytes; ++at) /* every byte that a shape promises can be read */
      sum += tensor->data[at];
    if (nacre_safetensors_find(file, tensor->name) != tensor)
      abort();
  }
  nacre_safetensors_close(file);
}

int main(void) {
  test_bad();
  test_lengths();
  test_good();
  size_t length;
  unsigned char *bytes = safetensors_bytes(good, 18, &length);
  fuzz(bytes, length, 3, read_all);
  free(bytes);
  return finish();
}
