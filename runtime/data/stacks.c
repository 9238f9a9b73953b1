/* Arrays of samples, one file per field: what npy and IDX have in common. The file of field `image` is the setting
   `image` or `images`. A file's elements become those that `map` declares, once, when it is opened. */
#include "internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct stacks {
  nacre_reader reader;
  int count; /* of fields; a field called index has no file */
  nacre_stack *stacks;
  size_t *bytes; /* of one sample */
} stacks;

static void close_stacks(nacre_reader *reader) {
  stacks *s = (stacks *)reader;
  for (int i = 0; s->stacks && i < s->count; ++i) {
    nacre_content_close(&s->stacks[i].content);
    free(s->stacks[i].owned);
    free(s->stacks[i].path);
  }
  free(s->stacks);
  free(s->bytes);
  free(s);
}

static int sample(nacre_reader *reader, int64_t index, void *const *fields) {
  stacks *s = (stacks *)reader;
  for (int i = 0; i < s->count; ++i)
    if (s->stacks[i].path)
      memcpy(fields[i], (const char *)s->stacks[i].data + (size_t)index * s->bytes[i], s->bytes[i]);
  return NACRE_OK;
}

static void place(const nacre_reader *reader, int64_t index, char *buffer, size_t room) {
  const stacks *s = (const stacks *)reader;
  int first = 0;
  while (first + 1 < s->count && !s->stacks[first].path)
    ++first;
  const char *path = s->stacks[first].path;
  snprintf(buffer, room, "%s, item %lld", path ? path : "", (long long)index);
}

static const char *file_of(const nacre_source *source, const char *field) {
  const char *file = nacre_option_text(source->info, field);
  char plural[256];
  snprintf(plural, sizeof plural, "%ss", field);
  return file ? file : nacre_option_text(source->info, plural);
}

/* The array holds samples of the field's shape; extents of 1 may be missing or extra ([n, 28, 28] is [28, 28, 1] too).
 */
static bool same_shape(const nacre_stack *stack, const nacre_data_field *field) {
  int a = 1, b = 0;
  for (;;) {
    while (a < stack->rank && stack->extents[a] == 1)
      ++a;
    while (b < field->rank && field->extents[b] == 1)
      ++b;
    if (a == stack->rank || b == field->rank)
      return a == stack->rank && b == field->rank;
    if (stack->extents[a++] != field->extents[b++])
      return false;
  }
}

static int convert(nacre_stack *stack, const nacre_data_field *field) {
  size_t count, bytes, where;
  void *converted = NULL;
  if (stack->type == field->type && field->type != NACRE_BOOL)
    return NACRE_OK;
  if (!nacre_count_elements(stack->rank, stack->extents, nacre_type_bytes(field->type), &count, &bytes) ||
      !(converted = malloc(bytes + 1)))
    return nacre_fail(NACRE_ERROR_MEMORY, "%s: out of memory", stack->path);
  const char *problem = nacre_convert_elements(stack->type, stack->data, field->type, converted, count, &where);
  free(stack->owned);
  stack->owned = converted;
  if (problem && where == SIZE_MAX)
    return nacre_fail(NACRE_ERROR_FORMAT, "%s holds %s, `map` declares `%s` as %s: declare it as %s and convert there",
                      stack->path, nacre_type_name(stack->type), field->name, nacre_type_name(field->type),
                      nacre_type_name(stack->type));
  if (problem) {
    size_t each = count / (size_t)stack->extents[0];
    return nacre_fail(NACRE_ERROR_FORMAT, "%s, item %zu: element %zu %s in %s", stack->path, where / each, where % each,
                      problem, nacre_type_name(field->type));
  }
  stack->data = stack->owned;
  return NACRE_OK;
}

/* `classes = 10`: the field called label(s) holds 0 .. 9. */
static int check_classes(const nacre_source *source, const nacre_stack *stack, const nacre_data_field *field) {
  double limit = nacre_option_number(source->info, "classes", 0);
  if (limit <= 0 || (strcmp(field->name, "label") != 0 && strcmp(field->name, "labels") != 0))
    return NACRE_OK;
  size_t each = field->bytes / nacre_type_bytes(field->type);
  nacre_faults faults = {0};
  for (int64_t i = 0; i < stack->extents[0]; ++i)
    for (size_t k = 0; k < each; ++k) {
      double value = nacre_element_as_real(field->type, stack->data, (size_t)i * each + k);
      if (value >= 0 && value < limit && value == floor(value))
        continue;
      nacre_fault(&faults, NACRE_ERROR_FORMAT, "%s, item %lld: %g is no class (0 to %.0f)", stack->path, (long long)i,
                  value, limit - 1);
      break;
    }
  return nacre_faults_result(&faults, "items");
}

static int open_stack(const nacre_source *source, const nacre_data_field *field, nacre_stack_parse *parse,
                      nacre_stack *stack) {
  const char *file = file_of(source, field->name);
  char wanted[NACRE_SHAPE_TEXT], found[NACRE_SHAPE_TEXT];
  if (!file)
    return nacre_fail(NACRE_ERROR_ARGUMENT, "%s: no file is named for `%s`", source->info->title, field->name);
  stack->path = nacre_path_join(source->folder, file);
  int status = stack->path ? nacre_content_open(stack->path, &stack->content) : NACRE_ERROR_MEMORY;
  if (status == NACRE_OK)
    status = parse(stack);
  if (status != NACRE_OK)
    return status;
  if (stack->rank == 0)
    return nacre_fail(NACRE_ERROR_FORMAT, "%s holds a single number, no array of samples", stack->path);
  if (!same_shape(stack, field))
    return nacre_fail(NACRE_ERROR_FORMAT, "%s is %s: samples of %s, but `map` declares `%s` as %s", stack->path,
                      nacre_shape_text(found, stack->rank, stack->extents),
                      nacre_shape_text(wanted, stack->rank - 1, stack->extents + 1), field->name,
                      nacre_shape_text((char[NACRE_SHAPE_TEXT]){0}, field->rank, field->extents));
  if (stack->extents[0] == 0)
    return nacre_fail(NACRE_ERROR_FORMAT, "%s holds no samples", stack->path);
  status = convert(stack, field);
  return status == NACRE_OK ? check_classes(source, stack, field) : status;
}

nacre_reader *nacre_stacks_open(const nacre_source *source, nacre_stack_parse *parse) {
  stacks *s = calloc(1, sizeof *s);
  int status = NACRE_OK;
  if (s) {
    s->reader = (nacre_reader){-1, sample, place, close_stacks};
    s->count = source->field_count;
    s->stacks = calloc((size_t)s->count + 1, sizeof *s->stacks);
    s->bytes = calloc((size_t)s->count + 1, sizeof *s->bytes);
  }
  if (!s || !s->stacks || !s->bytes)
    status = nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
  int first = -1;
  for (int i = 0; status == NACRE_OK && i < s->count; ++i) {
    if (nacre_field_is_index(&source->fields[i]))
      continue;
    s->bytes[i] = source->fields[i].bytes;
    status = open_stack(source, &source->fields[i], parse, &s->stacks[i]);
    if (status != NACRE_OK)
      break;
    if (first < 0) {
      first = i;
      s->reader.count = s->stacks[i].extents[0];
    } else if (s->stacks[i].extents[0] != s->reader.count) {
      status = nacre_fail(NACRE_ERROR_FORMAT, "%s has %lld samples, %s has %lld", s->stacks[first].path,
                          (long long)s->reader.count, s->stacks[i].path, (long long)s->stacks[i].extents[0]);
    }
  }
  if (status == NACRE_OK && first < 0)
    status = nacre_fail(NACRE_ERROR_ARGUMENT, "%s: `map` asks for nothing but `index`", source->info->title);
  if (status == NACRE_OK)
    return &s->reader;
  if (s)
    close_stacks(&s->reader);
  return NULL;
}
