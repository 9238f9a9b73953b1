/* One argument of an entry from the command line: a file, a number, or a list of numbers in brackets. */
#include "program.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int refuse(const nacre_call *call, const nacre_field_info *field, const char *text, const char *problem) {
  return nacre_fail(NACRE_ERROR_ARGUMENT, "%s.%s: `%s` is %s%s; `%.200s` %s", call->entry->module, call->entry->name,
                    field->name, nacre_type_name((nacre_type)field->type), field->shape, text, problem);
}

/* The number at *at as f64 or i64 (a u64 as its bits), and what follows it. */
static bool read_number(const char **at, nacre_type type, void *out) {
  char *end;
  errno = 0;
  if (type == NACRE_BOOL && (strncmp(*at, "true", 4) == 0 || strncmp(*at, "false", 5) == 0)) {
    *(int64_t *)out = **at == 't';
    *at += **at == 't' ? 4 : 5;
    return true;
  }
  if (nacre_type_is_real(type))
    *(double *)out = strtod(*at, &end);
  else if (type == NACRE_U64)
    *(uint64_t *)out = strtoull(*at, &end, 10);
  else
    *(int64_t *)out = strtoll(*at, &end, 10);
  bool good = end != *at && !(errno == ERANGE && !nacre_type_is_real(type)) &&
              !(type == NACRE_U64 && strchr(*at, '-') && strchr(*at, '-') < end);
  *at = end;
  return good;
}

static const char *after_space(const char *at) { return at + strspn(at, " \t\n"); }

/* [[1, 2], [3, 4]]: fills extents on the way down, numbers (8 bytes each) in order. Null, or what is wrong. */
static const char *read_list(const char **at, nacre_type type, int depth, nacre_tensor *shape, nacre_text *numbers) {
  *at = after_space(*at);
  if (**at != '[') {
    if (depth != shape->rank && shape->rank != 0)
      return "has lists of different depths";
    shape->rank = depth;
    uint64_t number;
    if (!read_number(at, type, &number))
      return "holds something that is no such number";
    nacre_text_add(numbers, "%016llx", (unsigned long long)number);
    return numbers->failed ? "is too long" : NULL;
  }
  if (depth == NACRE_MAX_RANK)
    return "is nested too deeply";
  ++*at;
  int64_t count = 0;
  do {
    const char *problem = read_list(at, type, depth + 1, shape, numbers);
    if (problem)
      return problem;
    ++count;
    *at = after_space(*at);
  } while (**at == ',' && (++*at, true));
  if (**at != ']')
    return "does not end in `]`";
  ++*at;
  if (shape->extents[depth] != 0 && shape->extents[depth] != count)
    return "has rows of different lengths";
  shape->extents[depth] = count;
  return NULL;
}

static int64_t hex_number(const char *digits) {
  char text[17];
  memcpy(text, digits, 16);
  text[16] = 0;
  return (int64_t)strtoull(text, NULL, 16);
}

static int read_literal(nacre_call *call, int32_t index, const char *text) {
  const nacre_field_info *field = &call->entry->arguments[index];
  nacre_tensor *tensor = &call->arguments[index];
  nacre_type type = (nacre_type)field->type;
  const char *at = text;
  nacre_text numbers = {0};
  memset(tensor, 0, sizeof *tensor);
  const char *problem = read_list(&at, type, 0, tensor, &numbers);
  if (!problem && *after_space(at))
    problem = field->rank ? "is no file that could be opened, and no list such as [1, 2]" : "is no number";
  if (problem) {
    free(numbers.data);
    return refuse(call, field, text, problem);
  }
  size_t count = numbers.length / 16, where;
  tensor->type = type;
  tensor->bytes = count * nacre_type_bytes(type);
  call->owned[index] = tensor->data = nacre_aligned_alloc(tensor->bytes);
  if (!tensor->data) {
    free(numbers.data);
    return nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
  }
  nacre_type wide = nacre_type_is_real(type) ? NACRE_F64 : type == NACRE_U64 ? NACRE_U64 : NACRE_I64;
  for (size_t i = 0; i < count && !problem; ++i) {
    int64_t number = hex_number(numbers.data + 16 * i);
    problem = nacre_convert(wide, &number, type, (char *)tensor->data + i * nacre_type_bytes(type), 1, &where);
  }
  free(numbers.data);
  return problem ? refuse(call, field, text, "holds a number outside that type") : NACRE_OK;
}

/* The data of a npy file, in place where type and alignment allow. */
static int read_npy(nacre_call *call, int32_t index, const char *path) {
  const nacre_field_info *field = &call->entry->arguments[index];
  nacre_tensor *tensor = &call->arguments[index];
  nacre_mapping *file = &call->files[index];
  int status = nacre_npy_parse(file->data, file->bytes, path, tensor);
  if (status != NACRE_OK)
    return status;
  nacre_type type = (nacre_type)field->type;
  size_t element = nacre_type_bytes(type), count, bytes, where;
  if (tensor->type == type && type != NACRE_BOOL && (uintptr_t)tensor->data % element == 0)
    return NACRE_OK;
  if (!nacre_count_elements(tensor->rank, tensor->extents, element, &count, &bytes))
    return refuse(call, field, path, "is too large");
  if (!(call->owned[index] = nacre_aligned_alloc(bytes)))
    return nacre_fail(NACRE_ERROR_MEMORY, "%s: out of memory for %zu bytes", path, bytes);
  const char *problem = nacre_convert(tensor->type, tensor->data, type, call->owned[index], count, &where);
  if (problem && where == SIZE_MAX)
    return nacre_fail(NACRE_ERROR_ARGUMENT, "%s.%s: `%s` is %s%s, %s holds %s: %s", call->entry->module,
                      call->entry->name, field->name, nacre_type_name(type), field->shape, path,
                      nacre_type_name(tensor->type), problem);
  if (problem)
    return nacre_fail(NACRE_ERROR_ARGUMENT, "%s.%s: element %zu of %s (%s) %s for `%s`, which is %s",
                      call->entry->module, call->entry->name, where, path, nacre_type_name(tensor->type), problem,
                      field->name, nacre_type_name(type));
  tensor->type = type;
  tensor->data = call->owned[index];
  tensor->bytes = bytes;
  return NACRE_OK;
}

int nacre_read_argument(nacre_call *call, int32_t index, const char *text) {
  const nacre_field_info *field = &call->entry->arguments[index];
  const char *first = after_space(text);
  bool number =
      field->rank == 0 && (strchr("+-.0123456789", *first) || strcmp(first, "true") == 0 ||
                           strcmp(first, "false") == 0 || strcmp(first, "inf") == 0 || strcmp(first, "nan") == 0);
  if (*first == '[' || (number && *first)) {
    char *end;
    strtod(first, &end); /* 1.npy is a file */
    if (*first == '[' || !*after_space(end) || strcmp(end, "true") == 0 || strcmp(end, "false") == 0)
      return read_literal(call, index, text);
  }
  int status = nacre_map(text, &call->files[index]);
  if (status != NACRE_OK)
    return nacre_fail(status, "%s.%s: argument `%s`: %s", call->entry->module, call->entry->name, field->name,
                      *text ? nacre_last_error() : "no value after `=`");
  const nacre_mapping *file = &call->files[index];
  bool npy = file->bytes >= 6 && memcmp(file->data, "\x93NUMPY", 6) == 0;
  if (!npy && strcmp(field->codec, "png") == 0)
    return nacre_read_image(call, index, text);
  return read_npy(call, index, text);
}
