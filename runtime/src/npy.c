/* NumPy files: magic, version, a header that is a Python dictionary, then the data. */
#include "internal.h"
#include <stdlib.h>
#include <string.h>

/* NumPy's letter and size for our types; bf16 has none. */
static const struct {
  char kind;
  int bytes;
  nacre_type type;
} kinds[] = {{'f', 8, NACRE_F64}, {'f', 4, NACRE_F32}, {'f', 2, NACRE_F16}, {'i', 8, NACRE_I64}, {'i', 4, NACRE_I32},
             {'i', 1, NACRE_I8},  {'u', 8, NACRE_U64}, {'u', 1, NACRE_U8},  {'b', 1, NACRE_BOOL}};

typedef struct reader {
  const char *at, *end;
  const char *name;
} reader;

static void skip_space(reader *r) {
  while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r'))
    ++r->at;
}

static bool take(reader *r, char c) {
  skip_space(r);
  if (r->at == r->end || *r->at != c)
    return false;
  ++r->at;
  return true;
}

static bool take_word(reader *r, const char *word) {
  skip_space(r);
  size_t length = strlen(word);
  if ((size_t)(r->end - r->at) < length || memcmp(r->at, word, length) != 0)
    return false;
  r->at += length;
  return true;
}

/* 'text' or "text" without escapes, into `out`. */
static bool take_string(reader *r, char *out, size_t room) {
  skip_space(r);
  if (r->at == r->end || (*r->at != '\'' && *r->at != '"'))
    return false;
  char quote = *r->at++;
  size_t length = 0;
  for (; r->at < r->end && *r->at != quote; ++r->at) {
    if (length + 1 >= room || *r->at == '\\')
      return false;
    out[length++] = *r->at;
  }
  out[length] = 0;
  return take(r, quote);
}

static int bad_header(const reader *r, const char *problem) {
  return nacre_fail(NACRE_ERROR_FORMAT, "%s: bad npy header: %s", r->name, problem);
}

static int read_descr(reader *r, nacre_tensor *tensor) {
  char descr[16];
  if (!take_string(r, descr, sizeof descr))
    return bad_header(r, "`descr` is no simple type (records are not read)");
  bool swapped = descr[0] == '>';
  if (strchr("<>|=", descr[0]) && descr[0])
    memmove(descr, descr + 1, strlen(descr));
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i) {
    if (descr[0] != kinds[i].kind || descr[1] != '0' + kinds[i].bytes || descr[2])
      continue;
    if (swapped && kinds[i].bytes > 1)
      return nacre_fail(NACRE_ERROR_UNSUPPORTED,
                        "%s has big-endian numbers: save it as `a.astype(a.dtype.newbyteorder(\"<\"))`", r->name);
    tensor->type = kinds[i].type;
    return NACRE_OK;
  }
  return nacre_fail(NACRE_ERROR_UNSUPPORTED,
                    "%s has elements of type `%s`, which Nacre lacks: save it as float32, float64, "
                    "float16, int64, int32, int8, uint64, uint8 or bool",
                    r->name, descr);
}

static int read_shape(reader *r, nacre_tensor *tensor) {
  if (!take(r, '('))
    return bad_header(r, "`shape` is no tuple");
  while (!take(r, ')')) {
    if (tensor->rank == NACRE_MAX_RANK)
      return nacre_fail(NACRE_ERROR_UNSUPPORTED, "%s has more than %d dimensions", r->name, NACRE_MAX_RANK);
    skip_space(r);
    const char *start = r->at;
    int64_t value = 0;
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; ++r->at) {
      if (value > (INT64_MAX - 9) / 10)
        return bad_header(r, "an extent beyond 64 bits");
      value = value * 10 + (*r->at - '0');
    }
    if (r->at == start)
      return bad_header(r, "`shape` holds something other than whole numbers");
    if (r->at < r->end && *r->at == 'L') /* written by Python 2 */
      ++r->at;
    tensor->extents[tensor->rank++] = value;
    if (take(r, ','))
      continue;
    if (!take(r, ')'))
      return bad_header(r, "`shape` does not end");
    break;
  }
  return NACRE_OK;
}

/* {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } */
static int read_header(reader *r, nacre_tensor *tensor) {
  enum { DESCR = 1, ORDER = 2, SHAPE = 4 };
  int seen = 0;
  if (!take(r, '{'))
    return bad_header(r, "no dictionary");
  while (!take(r, '}')) {
    char key[20];
    int status = NACRE_OK, which;
    if (!take_string(r, key, sizeof key) || !take(r, ':'))
      return bad_header(r, "a key expected");
    which = strcmp(key, "descr") == 0           ? DESCR
            : strcmp(key, "fortran_order") == 0 ? ORDER
            : strcmp(key, "shape") == 0         ? SHAPE
                                                : 0;
    if (!which || (seen & which))
      return bad_header(r, "an unknown or repeated key");
    seen |= which;
    if (which == DESCR)
      status = read_descr(r, tensor);
    else if (which == SHAPE)
      status = read_shape(r, tensor);
    else if (take_word(r, "True"))
      status = nacre_fail(NACRE_ERROR_UNSUPPORTED, "%s is in Fortran order: save it as `numpy.ascontiguousarray(a)`",
                          r->name);
    else if (!take_word(r, "False"))
      return bad_header(r, "`fortran_order` is neither True nor False");
    if (status != NACRE_OK)
      return status;
    if (take(r, ','))
      continue;
    if (!take(r, '}'))
      return bad_header(r, "`}` expected");
    break;
  }
  skip_space(r);
  if (r->at != r->end)
    return bad_header(r, "text after the dictionary");
  return seen == (DESCR | ORDER | SHAPE) ? NACRE_OK : bad_header(r, "descr, fortran_order and shape are needed");
}

int nacre_npy_parse(const void *data, size_t bytes, const char *name, nacre_tensor *tensor) {
  const unsigned char *start = data;
  memset(tensor, 0, sizeof *tensor);
  if (bytes < 10 || memcmp(start, "\x93NUMPY", 6) != 0)
    return nacre_fail(NACRE_ERROR_FORMAT, "%s is no npy file", name);
  int version = start[6];
  if (version < 1 || version > 3 || start[7] != 0)
    return nacre_fail(NACRE_ERROR_FORMAT, "%s has npy version %d.%d; 1.0 to 3.0 are known", name, version, start[7]);
  size_t at = version == 1 ? 10 : 12, length = (size_t)start[8] | (size_t)start[9] << 8;
  if (version > 1)
    length |= bytes < 12 ? 0 : (size_t)start[10] << 16 | (size_t)start[11] << 24;
  if (bytes < at || length > bytes - at)
    return nacre_fail(NACRE_ERROR_FORMAT, "%s is truncated: its header has %zu bytes, the file %zu", name, length,
                      bytes);
  reader r = {(const char *)start + at, (const char *)start + at + length, name};
  int status = read_header(&r, tensor);
  if (status != NACRE_OK)
    return status;
  size_t count;
  if (!nacre_count_elements(tensor->rank, tensor->extents, nacre_type_bytes(tensor->type), &count, &tensor->bytes))
    return nacre_fail(NACRE_ERROR_FORMAT, "%s: its shape is too large for this machine", name);
  char shape[NACRE_SHAPE_TEXT];
  if (tensor->bytes != bytes - at - length)
    return nacre_fail(NACRE_ERROR_FORMAT, "%s %s: %s%s needs %zu bytes of data, the file has %zu", name,
                      tensor->bytes > bytes - at - length ? "is truncated" : "has bytes left over",
                      nacre_type_name(tensor->type), nacre_shape_text(shape, tensor->rank, tensor->extents),
                      tensor->bytes, bytes - at - length);
  tensor->data = (void *)(uintptr_t)(start + at + length);
  return NACRE_OK;
}

int nacre_npy_read(const char *path, nacre_tensor *tensor) {
  nacre_mapping mapping;
  if (!path || !tensor)
    return nacre_fail(NACRE_ERROR_ARGUMENT, "nacre_npy_read needs a path and a tensor");
  memset(tensor, 0, sizeof *tensor);
  int status = nacre_map(path, &mapping);
  if (status != NACRE_OK)
    return status;
  status = nacre_npy_parse(mapping.data, mapping.bytes, path, tensor);
  const void *data = tensor->data;
  tensor->data = NULL;
  if (status == NACRE_OK && !(tensor->data = nacre_aligned_alloc(tensor->bytes)))
    status = nacre_fail(NACRE_ERROR_MEMORY, "%s: out of memory for %zu bytes", path, tensor->bytes);
  if (status == NACRE_OK && tensor->bytes)
    memcpy(tensor->data, data, tensor->bytes);
  nacre_unmap(&mapping);
  return status;
}

int nacre_npy_write(const char *path, const nacre_tensor *tensor) {
  if (!path || !tensor || (!tensor->data && tensor->bytes) || tensor->rank < 0 || tensor->rank > NACRE_MAX_RANK)
    return nacre_fail(NACRE_ERROR_ARGUMENT, "nacre_npy_write needs a path and a tensor with data");
  size_t count, bytes, kind = 0;
  while (kind < sizeof kinds / sizeof *kinds && kinds[kind].type != tensor->type)
    ++kind;
  if (kind == sizeof kinds / sizeof *kinds)
    return nacre_fail(NACRE_ERROR_UNSUPPORTED, "%s: npy has no type for %s", path, nacre_type_name(tensor->type));
  if (!nacre_count_elements(tensor->rank, tensor->extents, nacre_type_bytes(tensor->type), &count, &bytes))
    return nacre_fail(NACRE_ERROR_ARGUMENT, "%s: the shape is too large", path);
  /* 10 bytes before the header, which is filled with blanks so that the data starts at a multiple of 64. */
  char header[512];
  int length = snprintf(header, sizeof header, "{'descr': '%c%c%d', 'fortran_order': False, 'shape': (",
                        kinds[kind].bytes > 1 ? '<' : '|', kinds[kind].kind, kinds[kind].bytes);
  for (int axis = 0; axis < tensor->rank; ++axis)
    length += snprintf(header + length, sizeof header - (size_t)length, "%lld%s", (long long)tensor->extents[axis],
                       axis + 1 < tensor->rank ? ", "
                       : tensor->rank == 1     ? ","
                                               : "");
  length += snprintf(header + length, sizeof header - (size_t)length, "), }");
  int padded = (10 + length + 1 + 63) / 64 * 64 - 10;
  unsigned char start[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)padded, (unsigned char)(padded >> 8)};
  nacre_output output;
  int status = nacre_output_open(&output, path);
  if (status != NACRE_OK)
    return status;
  fwrite(start, 1, sizeof start, output.stream);
  fprintf(output.stream, "%-*s\n", padded - 1, header);
  if (bytes)
    fwrite(tensor->data, 1, bytes, output.stream);
  return nacre_output_close(&output, true);
}
