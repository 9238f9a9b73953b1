/* Element types and the conversions between them. */
#include "internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  const char *name;
  size_t bytes;
} types[] = {{"f64", 8}, {"f32", 4}, {"f16", 2}, {"bf16", 2}, {"i64", 8},
             {"i32", 4}, {"i8", 1},  {"u64", 8}, {"u8", 1},   {"bool", 1}};

enum { TYPES = sizeof types / sizeof *types };

const char *nacre_type_name(nacre_type type) { return (unsigned)type < TYPES ? types[type].name : "?"; }
size_t nacre_type_bytes(nacre_type type) { return (unsigned)type < TYPES ? types[type].bytes : 0; }
bool nacre_type_is_real(nacre_type type) { return type <= NACRE_BF16; }

void nacre_tensor_release(nacre_tensor *tensor) {
  if (!tensor)
    return;
  free(tensor->data);
  memset(tensor, 0, sizeof *tensor);
}

bool nacre_count_elements(int rank, const int64_t *extents, size_t element_bytes, size_t *count, size_t *bytes) {
  uint64_t product = 1, limit = (uint64_t)INT64_MAX / (element_bytes ? element_bytes : 1);
  bool empty = false;
  for (int axis = 0; axis < rank; ++axis) {
    if (extents[axis] < 0)
      return false;
    empty |= extents[axis] == 0;
  }
  for (int axis = 0; axis < rank && !empty; ++axis) {
    if (product > limit / (uint64_t)extents[axis])
      return false;
    product *= (uint64_t)extents[axis];
  }
  *count = empty ? 0 : (size_t)product;
  *bytes = *count * element_bytes;
  return true;
}

static float half_to_float(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 1023, bits;
  if (exponent == 31) {
    bits = sign | 0x7f800000 | fraction << 13;
  } else if (exponent) {
    bits = sign | (exponent + 112) << 23 | fraction << 13;
  } else { /* fraction * 2^-24, exact in f32 */
    float value = (float)fraction * 0x1p-24f;
    memcpy(&bits, &value, 4);
    bits |= sign;
  }
  float result;
  memcpy(&result, &bits, 4);
  return result;
}

static float brain_to_float(uint16_t brain) {
  uint32_t bits = (uint32_t)brain << 16;
  float result;
  memcpy(&result, &bits, 4);
  return result;
}

/* A double rounded once, to nearest even, to `digits` significant bits with the smallest exponent `lowest` (of the last
   bit): the value, still as a double, which the narrow type holds exactly unless it is too large. */
static double round_to(double value, int digits, int lowest) {
  uint64_t bits;
  memcpy(&bits, &value, 8);
  int exponent = (int)(bits >> 52 & 2047) - 1023;
  if (exponent > 200 || value == 0) /* too large for either type, infinite or not a number: left to the caller */
    return value;
  int last = exponent - digits + 1 > lowest ? exponent - digits + 1 : lowest; /* exponent of the last bit kept */
  /* Adding and subtracting 1.5 * 2^(52 + last) rounds to a multiple of 2^last, ties to even. */
  uint64_t magic_bits = (uint64_t)(1023 + 52 + last) << 52 | (uint64_t)1 << 51;
  double magic;
  memcpy(&magic, &magic_bits, 8);
  volatile double sum = value + magic; /* volatile: not to be simplified away */
  return sum - magic;
}

static uint16_t real_to_half(double value) {
  uint64_t bits;
  memcpy(&bits, &value, 8);
  uint16_t sign = (uint16_t)(bits >> 48 & 0x8000);
  if (value != value)
    return sign | 0x7e00;
  double rounded = round_to(value, 11, -24), magnitude = rounded < 0 ? -rounded : rounded;
  if (magnitude >= 65520)
    return sign | 0x7c00;
  if (magnitude < 0x1p-14) /* a multiple of 2^-24 */
    return sign | (uint16_t)(magnitude * 0x1p24);
  memcpy(&bits, &magnitude, 8);
  return sign | (uint16_t)(((bits >> 52) - 1008) << 10 | (bits >> 42 & 1023));
}

static uint16_t real_to_brain(double value) {
  if (value != value)
    return 0x7fc0;
  float narrow = (float)round_to(value, 8, -133); /* exact, or infinite */
  uint32_t bits;
  memcpy(&bits, &narrow, 4);
  return (uint16_t)(bits >> 16);
}

double nacre_element_as_real(nacre_type type, const void *data, size_t index) {
  const unsigned char *at = (const unsigned char *)data + index * nacre_type_bytes(type);
  double wide;
  float single;
  uint16_t half;
  switch (type) {
  case NACRE_F64:
    memcpy(&wide, at, 8);
    return wide;
  case NACRE_F32:
    memcpy(&single, at, 4);
    return single;
  case NACRE_F16:
    memcpy(&half, at, 2);
    return half_to_float(half);
  case NACRE_BF16:
    memcpy(&half, at, 2);
    return brain_to_float(half);
  case NACRE_U64:
    return (double)(uint64_t)nacre_element_as_integer(type, data, index);
  default:
    return (double)nacre_element_as_integer(type, data, index);
  }
}

/* A u64 beyond INT64_MAX comes out negative: the same bits. */
int64_t nacre_element_as_integer(nacre_type type, const void *data, size_t index) {
  const unsigned char *at = (const unsigned char *)data + index * nacre_type_bytes(type);
  int64_t wide;
  int32_t narrow;
  switch (type) {
  case NACRE_I64:
  case NACRE_U64:
    memcpy(&wide, at, 8);
    return wide;
  case NACRE_I32:
    memcpy(&narrow, at, 4);
    return narrow;
  case NACRE_I8:
    return (int8_t)*at;
  case NACRE_U8:
    return *at;
  case NACRE_BOOL:
    return *at != 0;
  default:
    return (int64_t)nacre_element_as_real(type, data, index);
  }
}

static bool store_real(nacre_type type, double value, unsigned char *at) {
  bool finite = isfinite(value);
  float single;
  uint16_t half;
  switch (type) {
  case NACRE_F64:
    memcpy(at, &value, 8);
    return true;
  case NACRE_F32:
    single = (float)value;
    memcpy(at, &single, 4);
    return !finite || isfinite(single);
  case NACRE_F16:
    half = real_to_half(value);
    memcpy(at, &half, 2);
    return !finite || (half & 0x7c00) != 0x7c00;
  default:
    half = real_to_brain(value);
    memcpy(at, &half, 2);
    return !finite || (half & 0x7f80) != 0x7f80;
  }
}

static bool store_integer(nacre_type type, int64_t value, bool huge, unsigned char *at) {
  int32_t narrow = (int32_t)value;
  switch (type) {
  case NACRE_I64:
    memcpy(at, &value, 8);
    return !huge;
  case NACRE_U64:
    memcpy(at, &value, 8);
    return huge || value >= 0;
  case NACRE_I32:
    memcpy(at, &narrow, 4);
    return !huge && narrow == value;
  case NACRE_I8:
    *at = (unsigned char)value;
    return !huge && value >= -128 && value <= 127;
  case NACRE_U8:
    *at = (unsigned char)value;
    return !huge && value >= 0 && value <= 255;
  default:
    *at = value != 0;
    return !huge && (value == 0 || value == 1);
  }
}

const char *nacre_convert(nacre_type from, const void *source, nacre_type to, void *target, size_t count,
                          size_t *where) {
  size_t size = nacre_type_bytes(to);
  *where = SIZE_MAX;
  if (nacre_type_is_real(from) != nacre_type_is_real(to))
    return "reals and integers are not converted into each other";
  if (from == to && from != NACRE_BOOL) {
    if (count)
      memcpy(target, source, count * size);
    return NULL;
  }
  unsigned char *at = target;
  if (nacre_type_is_real(from)) {
    for (size_t i = 0; i < count; ++i, at += size)
      if (!store_real(to, nacre_element_as_real(from, source, i), at)) {
        *where = i;
        return "too large";
      }
    return NULL;
  }
  for (size_t i = 0; i < count; ++i, at += size) {
    int64_t value = nacre_element_as_integer(from, source, i);
    if (!store_integer(to, value, from == NACRE_U64 && value < 0, at)) {
      *where = i;
      return "does not fit";
    }
  }
  return NULL;
}
