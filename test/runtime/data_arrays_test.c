/* npy and IDX: shapes and types against what `map` declares, and files that are not what they claim to be. */
#include "fake_data.h"

static const unsigned char images_idx[] = {0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2,  0,  0,
                                           0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
static const unsigned char labels_idx[] = {0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 9};
static const fake_field mnist[] = {
    {"image", NACRE_U8, 2, {2, 2}}, {"label", NACRE_U8, 0, {0}}, {"index", NACRE_I32, 0, {0}}, {0}};

static nacre_dataset *open_mnist(const void *images, size_t bytes, double classes) {
  nacre_option options[] = {
      TEXT("images", "i-idx3-ubyte"), TEXT("label", "l-idx1-ubyte"), NUMBER("classes", classes), {0}};
  write_file("i-idx3-ubyte", images, bytes);
  return open_data(fake_data("idx", mnist, options, NULL), 0);
}

static void idx(void) {
  unsigned char image[4], label;
  int32_t index;
  void *fields[] = {image, &label, &index};
  write_file("l-idx1-ubyte", labels_idx, sizeof labels_idx);
  nacre_dataset *d = open_mnist(images_idx, sizeof images_idx, 10);
  EXPECT(d && nacre_dataset_count(d) == 3);
  EXPECT(d && nacre_dataset_sample(d, 2, false, 0, fields) == 0 && image[0] == 9 && image[3] == 12 && label == 9 &&
         index == 2);
  char place[NACRE_PLACE_TEXT];
  EXPECT(d && strstr(nacre_dataset_place(d, 2, place), "i-idx3-ubyte, item 2"));
  nacre_dataset_close(d);
  EXPECT_ERROR(!open_mnist(images_idx, sizeof images_idx, 7),
               "l-idx1-ubyte, item 0: 7 is no class (0 to 6) (the first of 2 such items)");
  EXPECT_ERROR(!open_mnist(images_idx, sizeof images_idx - 1, 0), "is truncated: [3, 2, 2] of 1 bytes each needs 12");
  EXPECT_ERROR(!open_mnist("\0\1\x08\x01", 4, 0), "no IDX file");
  EXPECT_ERROR(!open_mnist("\0\0\x07\x01", 4, 0), "no element type 0x07");
  EXPECT_ERROR(!open_mnist("\0\0\x08\x63", 4, 0), "99 axes");
  EXPECT_ERROR(!open_mnist("\0\0\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16, 0), "too large");
  EXPECT_ERROR(!open_mnist("\0\0\x08\x03\0\0\0\1\0\0\0\4\0\0\0\1abcd", 20, 0),
               "is [1, 4, 1]: samples of [4, 1], but `map` declares `image` as [2, 2]");
  EXPECT_ERROR(!open_mnist("\0\0\x08\x03\0\0\0\1\0\0\0\2\0\0\0\2abcd", 20, 0), "has 1 samples, ");

  /* All element types arrive in this machine's byte order. */
  static const struct {
    const char *bytes;
    size_t count;
    double value;
  } kinds[] = {{"\0\0\x09\1\0\0\0\1\xfe", 9, -2},
               {"\0\0\x0b\1\0\0\0\1\xff\x00", 10, -256},
               {"\0\0\x0c\1\0\0\0\1\xff\xff\xff\x00", 12, -256},
               {"\0\0\x0d\1\0\0\0\1\xc0\x48\x00\x00", 12, -3.125},
               {"\0\0\x0e\1\0\0\0\1\xc0\x09\x00\x00\x00\x00\x00\x00", 16, -3.125}};
  static const fake_field number[] = {{"x", NACRE_F64, 0, {0}}, {0}};
  const nacre_option options[] = {TEXT("x", "x.idx"), {0}};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i) {
    double x = 0;
    void *at[] = {&x};
    write_file("x.idx", kinds[i].bytes, kinds[i].count);
    d = open_data(fake_data("idx", number, options, NULL), 0);
    EXPECT(d && nacre_dataset_sample(d, 0, false, 0, at) == 0 && x == kinds[i].value);
    nacre_dataset_close(d);
  }
}

static void save(const char *name, nacre_type type, int rank, const int64_t *extents, const void *data) {
  nacre_tensor tensor = {.type = type, .rank = rank, .data = (void *)(uintptr_t)data};
  size_t count;
  char path[128];
  for (int axis = 0; axis < rank; ++axis)
    tensor.extents[axis] = extents[axis];
  nacre_count_elements(rank, extents, nacre_type_bytes(type), &count, &tensor.bytes);
  snprintf(path, sizeof path, "%s/%s", test_folder(), name);
  EXPECT(nacre_npy_write(path, &tensor) == 0);
}

static void npy(void) {
  static const fake_field fields[] = {{"x", NACRE_F32, 2, {2, 1}}, {"y", NACRE_I32, 0, {0}}, {0}};
  const nacre_option options[] = {TEXT("x", "x.npy"), TEXT("y", "y.npy"), {0}};
  const double x[] = {1, 2, 3, 4, 5, 1e39};
  const int64_t y[] = {4, 5, (int64_t)1 << 40};
  float out[2];
  int32_t label;
  void *at[] = {out, &label};
  save("x.npy", NACRE_F64, 2, (const int64_t[]){2, 2}, x);
  save("y.npy", NACRE_I64, 1, (const int64_t[]){2}, y);
  nacre_dataset *d = open_data(fake_data("npy", fields, options, NULL), 0);
  EXPECT(d && nacre_dataset_sample(d, 1, false, 0, at) == 0 && out[0] == 3 && out[1] == 4 && label == 5);
  nacre_dataset_close(d);
  save("x.npy", NACRE_F64, 2, (const int64_t[]){3, 2}, x);
  EXPECT_ERROR(!open_data(fake_data("npy", fields, options, NULL), 0), "x.npy, item 2: element 1 too large in f32");
  save("x.npy", NACRE_U8, 2, (const int64_t[]){3, 2}, x);
  save("y.npy", NACRE_I64, 1, (const int64_t[]){3}, y);
  EXPECT_ERROR(!open_data(fake_data("npy", fields, options, NULL), 0), "y.npy, item 2: element 0 does not fit in i32");
  save("y.npy", NACRE_F64, 1, (const int64_t[]){3}, x);
  EXPECT_ERROR(!open_data(fake_data("npy", fields, options, NULL), 0),
               "y.npy holds f64, `map` declares `y` as i32: declare it as f64 and convert there");
  save("y.npy", NACRE_I64, 0, NULL, y);
  EXPECT_ERROR(!open_data(fake_data("npy", fields, options, NULL), 0), "a single number");
  write_text("y.npy", "no array");
  EXPECT_ERROR(!open_data(fake_data("npy", fields, options, NULL), 0), "y.npy is no npy file");
}

int main(void) {
  idx();
  npy();
  remove_folder();
  return finish();
}
