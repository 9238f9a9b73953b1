/* Results as people read them, as JSON, and as files. */
#include "program.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { WHOLE = 1000, EDGE = 3 }; /* larger tensors show this many at each end of an axis */

static void print_element(FILE *stream, const nacre_tensor *tensor, size_t at, bool json) {
  if (nacre_type_is_real(tensor->type)) {
    double value = nacre_element_as_real(tensor->type, tensor->data, at);
    if (json && !isfinite(value))
      fputs("null", stream);
    else
      fprintf(stream, "%.*g", json ? tensor->type == NACRE_F64 ? 17 : 9 : 6, value);
  } else if (tensor->type == NACRE_BOOL) {
    fputs(((const unsigned char *)tensor->data)[at] ? "true" : "false", stream);
  } else if (tensor->type == NACRE_U64) {
    fprintf(stream, "%llu", (unsigned long long)nacre_element_as_integer(tensor->type, tensor->data, at));
  } else {
    fprintf(stream, "%lld", (long long)nacre_element_as_integer(tensor->type, tensor->data, at));
  }
}

/* Nested brackets; `at` and `count` are the elements of this part. */
static void print_part(FILE *stream, const nacre_tensor *tensor, int axis, size_t at, size_t count, bool whole,
                       int indent) {
  if (axis == tensor->rank) {
    print_element(stream, tensor, at, false);
    return;
  }
  int64_t extent = tensor->extents[axis];
  size_t step = extent ? count / (size_t)extent : 0;
  bool inner = axis + 1 == tensor->rank;
  fputc('[', stream);
  for (int64_t i = 0; i < extent; ++i) {
    if (i)
      inner ? fputs(", ", stream) : fprintf(stream, ",\n%*s", indent + axis + 1, "");
    if (!whole && extent > 2 * EDGE && i == EDGE) {
      fputs("...", stream);
      i = extent - EDGE - 1;
      continue;
    }
    print_part(stream, tensor, axis + 1, at + (size_t)i * step, step, whole, indent);
  }
  fputc(']', stream);
}

void nacre_print_result(FILE *stream, const char *name, const nacre_tensor *tensor) {
  size_t count = tensor->bytes / nacre_type_bytes(tensor->type);
  char shape[NACRE_SHAPE_TEXT];
  int indent = fprintf(stream, "%s: %s%s = ", name, nacre_type_name(tensor->type),
                       tensor->rank ? nacre_shape_text(shape, tensor->rank, tensor->extents) : "");
  print_part(stream, tensor, 0, 0, count, count <= WHOLE, indent > 0 ? indent : 0);
  fputc('\n', stream);
}

/* The result as JSON: a number, or lists in lists. */
static void print_json_part(FILE *stream, const nacre_tensor *tensor, int axis, size_t at, size_t count) {
  if (axis == tensor->rank) {
    print_element(stream, tensor, at, true);
    return;
  }
  int64_t extent = tensor->extents[axis];
  size_t step = extent ? count / (size_t)extent : 0;
  fputc('[', stream);
  for (int64_t i = 0; i < extent; ++i) {
    if (i)
      fputs(", ", stream);
    print_json_part(stream, tensor, axis + 1, at + (size_t)i * step, step);
  }
  fputc(']', stream);
}

void nacre_print_json(FILE *stream, const nacre_entry_info *entry, const nacre_tensor *results) {
  fputc('{', stream);
  for (int32_t i = 0; i < entry->result_count; ++i) {
    fprintf(stream, "%s\"%s\": ", i ? ", " : "", entry->results[i].name);
    print_json_part(stream, &results[i], 0, 0, results[i].bytes / nacre_type_bytes(results[i].type));
  }
  fputs("}\n", stream);
}

/* bf16 has no NumPy type: it is written as f32, which holds it exactly. */
static int write_npy(const char *path, const nacre_tensor *tensor) {
  if (tensor->type != NACRE_BF16)
    return nacre_npy_write(path, tensor);
  nacre_tensor wide = *tensor;
  size_t count = tensor->bytes / 2, where;
  wide.type = NACRE_F32;
  wide.bytes = 4 * count;
  if (!(wide.data = nacre_aligned_alloc(wide.bytes)))
    return nacre_fail(NACRE_ERROR_MEMORY, "%s: out of memory", path);
  nacre_convert(NACRE_BF16, tensor->data, NACRE_F32, wide.data, count, &where);
  int status = nacre_npy_write(path, &wide);
  free(wide.data);
  return status;
}

int nacre_write_results(const char *directory, const nacre_entry_info *entry, const nacre_tensor *results) {
  if (mkdir(directory, 0777) != 0 && errno != EEXIST)
    return nacre_fail(NACRE_ERROR_FILE, "cannot make the directory %s: %s", directory, strerror(errno));
  int status = NACRE_OK;
  for (int32_t i = 0; i < entry->result_count && status == NACRE_OK; ++i) {
    const nacre_field_info *field = &entry->results[i];
    nacre_text path = {0};
    bool png = strcmp(field->codec, "png") == 0;
    nacre_text_add(&path, "%s/%s.%s", directory, field->name, png ? "png" : "npy");
    if (path.failed)
      status = nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
    else
      status = png ? nacre_write_image(path.data, field, &results[i]) : write_npy(path.data, &results[i]);
    free(path.data);
  }
  return status;
}
