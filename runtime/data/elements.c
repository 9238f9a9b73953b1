/* Numbers that a file holds, as elements of the types that `map` declares. */
#include "internal.h"
#include <math.h>
#include <string.h>

bool nacre_store_integer(nacre_type type, int64_t value, void *out) {
  size_t where;
  if (nacre_type_is_real(type))
    return nacre_store_number(type, (double)value, out);
  return nacre_convert(NACRE_I64, &value, type, out, 1, &where) == NULL;
}

bool nacre_store_number(nacre_type type, double value, void *out) {
  size_t where;
  if (!isfinite(value))
    return false;
  if (nacre_type_is_real(type))
    return nacre_convert(NACRE_F64, &value, type, out, 1, &where) == NULL;
  if (value != floor(value) || value < -0x1p63 || value >= 0x1p64)
    return false;
  if (value >= 0x1p63) {
    uint64_t large = (uint64_t)value;
    return nacre_convert(NACRE_U64, &large, type, out, 1, &where) == NULL;
  }
  return nacre_store_integer(type, (int64_t)value, out);
}

const char *nacre_convert_elements(nacre_type from, const void *source, nacre_type to, void *target, size_t count,
                                   size_t *where) {
  if (nacre_type_is_real(from) || !nacre_type_is_real(to))
    return nacre_convert(from, source, to, target, count, where);
  unsigned char *at = target;
  for (size_t i = 0; i < count; ++i, at += nacre_type_bytes(to))
    if (!nacre_store_number(to, nacre_element_as_real(from, source, i), at)) {
      *where = i;
      return "too large";
    }
  return NULL;
}
