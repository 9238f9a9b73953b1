/* NumPy files: what is written can be read, each kind of wrong file has its message, damaged files at random. */
#include "check.h"

static const struct {
  const char *what, *header;
  size_t data_bytes;
  const char *message;
} bad[] = {
    {"Fortran order", "{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }", 8, "ascontiguousarray"},
    {"big-endian", "{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", 8, "big-endian"},
    {"complex", "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", 8, "`c8`, which Nacre lacks"},
    {"int16", "{'descr': '<i2', 'fortran_order': False, 'shape': (4,), }", 8, "`i2`, which Nacre lacks"},
    {"text", "{'descr': '<U3', 'fortran_order': False, 'shape': (1,), }", 12, "which Nacre lacks"},
    {"objects", "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", 8, "which Nacre lacks"},
    {"record", "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", 8, "no simple type"},
    {"too short", "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", 8,
     "is truncated: f32[3] needs 12 bytes"},
    {"too long", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", 8, "bytes left over"},
    {"overflow", "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", 8, "too large"},
    {"extent beyond 64 bits", "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", 8,
     "beyond 64 bits"},
    {"negative extent", "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", 8, "other than whole numbers"},
    {"rank 17", "{'descr': '|u1', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1), }", 1,
     "more than 16"},
    {"shape as list", "{'descr': '<f4', 'fortran_order': False, 'shape': [2], }", 8, "no tuple"},
    {"shape without end", "{'descr': '<f4', 'fortran_order': False, 'shape': (2", 8, "does not end"},
    {"no shape", "{'descr': '<f4', 'fortran_order': False, }", 8, "are needed"},
    {"shape twice", "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'shape': (2,), }", 8,
     "unknown or repeated"},
    {"unknown key", "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}", 8, "unknown or repeated"},
    {"order as number", "{'descr': '<f4', 'fortran_order': 0, 'shape': (2,), }", 8, "neither True nor False"},
    {"no dictionary", "x", 8, "no dictionary"},
    {"text after it", "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), } x", 8, "text after"},
    {"no end", "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)", 8, "`}` expected"},
    {"no colon", "{'descr' '<f4'}", 8, "a key expected"},
    {"long descr", "{'descr': '<f4444444444444444444444', 'fortran_order': False, 'shape': (2,), }", 8,
     "no simple type"},
};

static unsigned char *npy_bytes(int version, const char *header, size_t data_bytes, size_t *length) {
  size_t header_bytes = strlen(header), start = version == 1 ? 10 : 12;
  *length = start + header_bytes + data_bytes;
  unsigned char *bytes = calloc(*length, 1);
  memcpy(bytes, "\x93NUMPY", 6);
  bytes[6] = (unsigned char)version;
  for (size_t i = 0; i < start - 8; ++i)
    bytes[8 + i] = (unsigned char)(header_bytes >> 8 * i);
  memcpy(bytes + start, header, header_bytes);
  return bytes;
}

static void test_bad(void) {
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i)
    for (int version = 1; version <= 3; ++version) {
      size_t length;
      unsigned char *bytes = npy_bytes(version, bad[i].header, bad[i].data_bytes, &length);
      nacre_tensor tensor;
      EXPECT_ERROR(nacre_npy_parse(bytes, length, bad[i].what, &tensor), bad[i].message);
      free(bytes);
    }
  nacre_tensor tensor;
  EXPECT_ERROR(nacre_npy_parse("", 0, "empty", &tensor), "no npy file");
  EXPECT_ERROR(nacre_npy_parse("\x93NUMPY\x04\0\0\0\0\0", 12, "version 4", &tensor), "version 4.0");
  EXPECT_ERROR(nacre_npy_parse("\x93NUMPY\x01\0\xff\xff", 10, "cut", &tensor), "truncated");
  EXPECT_ERROR(nacre_npy_parse("\x93NUMPY\x02\0\xff\xff", 10, "cut", &tensor), "truncated");
  EXPECT_ERROR(nacre_npy_read("/nowhere.npy", &tensor), "cannot open");
  EXPECT_ERROR(nacre_npy_read(NULL, &tensor), "needs a path");
}

static void test_round_trip(void) {
  static const nacre_type types[] = {NACRE_F64, NACRE_F32, NACRE_F16, NACRE_I64, NACRE_I32,
                                     NACRE_I8,  NACRE_U64, NACRE_U8,  NACRE_BOOL};
  const char *path = scratch_path("round.npy");
  unsigned char data[6 * 8];
  for (size_t i = 0; i < sizeof data; ++i)
    data[i] = (unsigned char)(i % 2);
  for (size_t i = 0; i < sizeof types / sizeof *types; ++i)
    for (int rank = 0; rank <= 3; ++rank) {
      nacre_tensor out = {.type = types[i], .rank = rank, .extents = {2, 3, 1}, .data = data}, in;
      size_t count;
      nacre_count_elements(rank, out.extents, nacre_type_bytes(out.type), &count, &out.bytes);
      EXPECT(nacre_npy_write(path, &out) == NACRE_OK);
      EXPECT(nacre_npy_read(path, &in) == NACRE_OK);
      EXPECT(in.type == out.type && in.rank == rank && in.bytes == out.bytes && memcmp(in.data, data, in.bytes) == 0 &&
             memcmp(in.extents, out.extents, (size_t)rank * 8) == 0 && (uintptr_t)in.data % 64 == 0);
      nacre_tensor_release(&in);
    }
  nacre_tensor empty = {.type = NACRE_F32, .rank = 2, .extents = {0, 5}};
  EXPECT(nacre_npy_write(path, &empty) == NACRE_OK);
  EXPECT(nacre_npy_read(path, &empty) == NACRE_OK && empty.bytes == 0 && empty.extents[1] == 5);
  nacre_tensor_release(&empty);
  nacre_tensor brain = {.type = NACRE_BF16, .data = data, .bytes = 2};
  EXPECT_ERROR(nacre_npy_write(path, &brain), "no type for bf16");
  EXPECT_ERROR(nacre_npy_write("/nowhere/x.npy", &empty), "cannot write");
  EXPECT_ERROR(nacre_npy_write("/nowhere/x.npy", NULL), "needs a path");
  unlink(path);
}

/* A failed write leaves neither the file nor a piece of it. */
static void test_no_half_files(void) {
  const char *path = scratch_path("directory");
  mkdir(path, 0777);
  int data = 1;
  nacre_tensor tensor = {.type = NACRE_I32, .data = &data, .bytes = 4};
  EXPECT_ERROR(nacre_npy_write(path, &tensor), "cannot write"); /* a directory stands in the way */
  EXPECT(rmdir(path) == 0);
  nacre_output output;
  EXPECT(nacre_output_open(&output, path) == NACRE_OK);
  char beside[300];
  snprintf(beside, sizeof beside, "%s", output.beside);
  EXPECT(access(beside, F_OK) == 0 && access(path, F_OK) != 0);
  EXPECT(nacre_output_close(&output, false) == NACRE_OK);
  EXPECT(access(beside, F_OK) != 0 && access(path, F_OK) != 0);
}

static unsigned sum;
static void read_one(const void *data, size_t length) {
  nacre_tensor tensor;
  if (nacre_npy_parse(data, length, "damaged", &tensor) == NACRE_OK)
    for (size_t i = 0; i < tensor.bytes; ++i)
      sum += ((unsigned char *)tensor.data)[i];
}

int main(void) {
  test_bad();
  test_round_trip();
  test_no_half_files();
  size_t length;
  unsigned char *bytes = npy_bytes(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", 24, &length);
  fuzz(bytes, length, 2, read_one);
  free(bytes);
  return finish();
}
