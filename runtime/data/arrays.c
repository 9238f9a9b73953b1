/* The two formats of arrays: NumPy's npy, and the IDX files in which MNIST is kept. */
#include "internal.h"
#include <stdlib.h>
#include <string.h>

static int parse_npy(nacre_stack *stack) {
  nacre_tensor tensor;
  int status = nacre_npy_parse(stack->content.data, stack->content.bytes, stack->path, &tensor);
  if (status != NACRE_OK)
    return status;
  stack->type = tensor.type;
  stack->rank = tensor.rank;
  memcpy(stack->extents, tensor.extents, sizeof stack->extents);
  stack->data = tensor.data;
  return NACRE_OK;
}

nacre_reader *nacre_npy_open(const nacre_source *source) { return nacre_stacks_open(source, parse_npy); }

/* IDX: two zero bytes, a code for the type, the number of axes; their extents, 32 bits each; the data. All numbers are
   big-endian. Ours lacks i16: it becomes i32. */
static const struct {
  unsigned char code;
  unsigned char bytes;
  nacre_type type;
} kinds[] = {{0x08, 1, NACRE_U8},  {0x09, 1, NACRE_I8},  {0x0b, 2, NACRE_I32},
             {0x0c, 4, NACRE_I32}, {0x0d, 4, NACRE_F32}, {0x0e, 8, NACRE_F64}};

static uint64_t big_endian(const unsigned char *at, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; ++i)
    value = value << 8 | at[i];
  return value;
}

static void unpack(const unsigned char *from, int bytes, size_t count, unsigned char *to) {
  for (size_t i = 0; i < count; ++i, from += bytes) {
    uint64_t value = big_endian(from, bytes);
    uint32_t narrow = bytes == 2 ? (uint32_t)(int32_t)(int16_t)value : (uint32_t)value;
    if (bytes == 8)
      memcpy(to + 8 * i, &value, 8);
    else
      memcpy(to + 4 * i, &narrow, 4);
  }
}

static int parse_idx(nacre_stack *stack) {
  const unsigned char *data = stack->content.data;
  size_t bytes = stack->content.bytes, kind = 0, count, stored, ours;
  if (bytes < 4 || data[0] || data[1])
    return nacre_fail(NACRE_ERROR_FORMAT, "%s is no IDX file (it would begin with two zero bytes)", stack->path);
  while (kind < sizeof kinds / sizeof *kinds && kinds[kind].code != data[2])
    ++kind;
  if (kind == sizeof kinds / sizeof *kinds)
    return nacre_fail(NACRE_ERROR_FORMAT, "%s: IDX knows no element type 0x%02x", stack->path, data[2]);
  stack->type = kinds[kind].type;
  stack->rank = data[3];
  if (stack->rank < 1 || stack->rank > NACRE_MAX_RANK)
    return nacre_fail(NACRE_ERROR_UNSUPPORTED, "%s has %d axes; 1 to %d are read", stack->path, stack->rank,
                      NACRE_MAX_RANK);
  size_t header = 4 + 4 * (size_t)stack->rank;
  if (bytes < header)
    return nacre_fail(NACRE_ERROR_FORMAT, "%s is truncated: its header has %zu bytes, the file %zu", stack->path,
                      header, bytes);
  for (int axis = 0; axis < stack->rank; ++axis)
    stack->extents[axis] = (int64_t)big_endian(data + 4 + 4 * axis, 4);
  char shape[NACRE_SHAPE_TEXT];
  if (!nacre_count_elements(stack->rank, stack->extents, kinds[kind].bytes, &count, &stored) ||
      !nacre_count_elements(stack->rank, stack->extents, nacre_type_bytes(stack->type), &count, &ours))
    return nacre_fail(NACRE_ERROR_FORMAT, "%s: its shape is too large for this machine", stack->path);
  if (stored != bytes - header)
    return nacre_fail(NACRE_ERROR_FORMAT, "%s %s: %s of %d bytes each needs %zu bytes of data, the file has %zu",
                      stack->path, stored > bytes - header ? "is truncated" : "has bytes left over",
                      nacre_shape_text(shape, stack->rank, stack->extents), kinds[kind].bytes, stored, bytes - header);
  stack->data = data + header;
  if (kinds[kind].bytes == 1)
    return NACRE_OK;
  stack->owned = malloc(ours + 1);
  if (!stack->owned)
    return nacre_fail(NACRE_ERROR_MEMORY, "%s: out of memory", stack->path);
  unpack(data + header, kinds[kind].bytes, count, stack->owned);
  stack->data = stack->owned;
  return NACRE_OK;
}

nacre_reader *nacre_idx_open(const nacre_source *source) { return nacre_stacks_open(source, parse_idx); }
