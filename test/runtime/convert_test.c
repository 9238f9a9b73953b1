/* Conversions between element types against the compiler's own _Float16 and exact reasoning. */
#include "check.h"
#include <math.h>

static bool same(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

static void test_all_halves(void) {
  size_t bad = 0, where;
  for (unsigned bits = 0; bits < 65536; ++bits) {
    uint16_t half = (uint16_t)bits, back;
    _Float16 reference;
    memcpy(&reference, &half, 2);
    double value = nacre_element_as_real(NACRE_F16, &half, 0);
    nacre_convert(NACRE_F64, &value, NACRE_F16, &back, 1, &where);
    bad += !same(value, (double)reference) || signbit(value) != signbit((double)reference) ||
           (!isnan(value) && back != half);
    uint32_t wide = (uint32_t)bits << 16;
    float single;
    memcpy(&single, &wide, 4);
    value = nacre_element_as_real(NACRE_BF16, &half, 0);
    nacre_convert(NACRE_F64, &value, NACRE_BF16, &back, 1, &where);
    bad += !same(value, single) || (!isnan(value) && back != half);
  }
  EXPECT(bad == 0);
}

/* Random bits, and values next to the middle between two neighbours, where rounding is decided. */
static void test_rounding(void) {
  uint64_t state = 7;
  size_t bad = 0, where;
  for (int i = 0; i < 400000; ++i) {
    double value;
    uint64_t bits = random_bits(&state);
    if (i % 2) { /* around the range of f16 */
      uint16_t half = (uint16_t)bits;
      value = nacre_element_as_real(NACRE_F16, &half, 0);
      half += 1;
      value = 0.5 * (value + nacre_element_as_real(NACRE_F16, &half, 0));
      value = bits >> 20 & 1 ? nextafter(value, bits >> 21 & 1 ? INFINITY : -INFINITY) : value;
    } else {
      memcpy(&value, &bits, 8);
    }
    if (!isfinite(value))
      continue;
    uint16_t half;
    _Float16 reference = (_Float16)value;
    const char *problem = nacre_convert(NACRE_F64, &value, NACRE_F16, &half, 1, &where);
    bad += isinf((double)reference) ? problem == NULL
                                    : problem || !same(nacre_element_as_real(NACRE_F16, &half, 0), (double)reference);
  }
  EXPECT(bad == 0);
}

static void test_brain_rounding(void) {
  static const struct {
    double in;
    uint16_t out;
  } cases[] = {{1.0, 0x3f80},        {1.00390625, 0x3f80}, /* half way: even */
               {1.01171875, 0x3f82}, {1.00390626, 0x3f81}, {-1.01171875, 0xbf82}, {0x1p-133, 0x0001},
               {0x1p-134, 0x0000},   {0x1.8p-134, 0x0001}, {-0.0, 0x8000},        {3.3895313892515355e38, 0x7f7f}};
  size_t where;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
    uint16_t brain = 0xdead;
    EXPECT(!nacre_convert(NACRE_F64, &cases[i].in, NACRE_BF16, &brain, 1, &where) && brain == cases[i].out);
  }
  double large = 3.4e38;
  uint16_t brain;
  EXPECT(nacre_convert(NACRE_F64, &large, NACRE_BF16, &brain, 1, &where) != NULL && where == 0);
}

static void test_limits(void) {
  size_t where;
  double reals[] = {1, 1e300, INFINITY, NAN};
  float singles[4];
  EXPECT(strcmp(nacre_convert(NACRE_F64, reals, NACRE_F32, singles, 4, &where), "too large") == 0 && where == 1);
  reals[1] = -2.5;
  EXPECT(!nacre_convert(NACRE_F64, reals, NACRE_F32, singles, 4, &where) && singles[1] == -2.5f && isinf(singles[2]) &&
         isnan(singles[3]));
  int64_t wide[] = {-128, 127, 128};
  int8_t narrow[3];
  EXPECT(!nacre_convert(NACRE_I64, wide, NACRE_I8, narrow, 2, &where) && narrow[0] == -128 && narrow[1] == 127);
  EXPECT(nacre_convert(NACRE_I64, wide, NACRE_I8, narrow, 3, &where) && where == 2);
  uint64_t huge[] = {UINT64_MAX};
  int64_t back;
  EXPECT(nacre_convert(NACRE_U64, huge, NACRE_I64, &back, 1, &where) && where == 0);
  EXPECT(nacre_convert(NACRE_I64, wide, NACRE_U64, &back, 1, &where) && where == 0);
  EXPECT(nacre_convert(NACRE_I64, wide, NACRE_F32, singles, 1, &where) && where == SIZE_MAX);
  unsigned char flags[] = {0, 1, 2}, clean[3];
  EXPECT(!nacre_convert(NACRE_BOOL, flags, NACRE_BOOL, clean, 3, &where) && clean[2] == 1);
  EXPECT(nacre_convert(NACRE_U8, flags, NACRE_BOOL, clean, 3, &where) && where == 2);
}

static void test_unaligned(void) {
  unsigned char bytes[9];
  double value = 1.5;
  float single;
  size_t where;
  memcpy(bytes + 1, &value, 8);
  EXPECT(!nacre_convert(NACRE_F64, bytes + 1, NACRE_F32, &single, 1, &where) && single == 1.5f);
}

static void test_counts(void) {
  size_t count, bytes;
  int64_t extents[] = {INT64_MAX, 0, INT64_MAX}, negative[] = {-1}, large[] = {(int64_t)1 << 32, (int64_t)1 << 31};
  EXPECT(nacre_count_elements(3, extents, 8, &count, &bytes) && count == 0);
  EXPECT(!nacre_count_elements(1, negative, 8, &count, &bytes));
  EXPECT(!nacre_count_elements(2, large, 1, &count, &bytes));
  EXPECT(nacre_count_elements(0, extents, 8, &count, &bytes) && count == 1 && bytes == 8);
}

int main(void) {
  test_all_halves();
  test_rounding();
  test_brain_rounding();
  test_limits();
  test_unaligned();
  test_counts();
  return finish();
}
