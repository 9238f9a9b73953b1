/* A call of an entry: everything that could go wrong is checked first, then the generated code runs. */
#include "internal.h"
#include <string.h>

static int check_dim(const nacre_entry_info *entry, const nacre_dim_info *dim, int64_t value) {
  if (value >= dim->lower && value <= dim->upper)
    return NACRE_OK;
  if (value < dim->lower)
    return nacre_fail(NACRE_ERROR_DIMENSION, "%s.%s: %s = %lld, but `%s >= %lld` is needed", entry->module, entry->name,
                      dim->name, (long long)value, dim->name, (long long)dim->lower);
  return nacre_fail(NACRE_ERROR_DIMENSION, "%s.%s: %s = %lld, but `%s <= %lld` is needed", entry->module, entry->name,
                    dim->name, (long long)value, dim->name, (long long)dim->upper);
}

int nacre_entry_check_dims(const nacre_entry_info *entry, const int64_t *dims) {
  for (int32_t i = 0; i < entry->dim_count; ++i) {
    int status = check_dim(entry, &entry->dims[i], dims[i]);
    if (status != NACRE_OK)
      return status;
  }
  int32_t violated = entry->guard_count ? entry->guard(dims) : -1;
  if (violated < 0 || violated >= entry->guard_count)
    return NACRE_OK;
  char values[512];
  size_t length = 0;
  values[0] = 0;
  for (int32_t i = 0; i < entry->dim_count && length < sizeof values; ++i)
    length += (size_t)snprintf(values + length, sizeof values - length, "%s%s = %lld", i ? ", " : "",
                               entry->dims[i].name, (long long)dims[i]);
  return nacre_fail(NACRE_ERROR_CONDITION, "%s.%s: `%s` does not hold (%s)", entry->module, entry->name,
                    entry->guards[violated], values);
}

static int32_t extent_count(const nacre_entry_info *entry) {
  int32_t count = 0;
  for (int32_t i = 0; i < entry->argument_count; ++i)
    count += entry->arguments[i].rank;
  for (int32_t i = 0; i < entry->result_count; ++i)
    count += entry->results[i].rank;
  return count;
}

static int check_entry(const nacre_entry_info *entry) {
  if (!entry)
    return NACRE_ERROR_PROCESSOR; /* nacre_fitting_entry has said why */
  if (entry->abi != NACRE_ABI)
    return nacre_check_object(entry->name, entry->abi, "", 0);
  if (extent_count(entry) > NACRE_MAX_EXTENTS || entry->model_count > NACRE_MAX_MODELS ||
      entry->subscript_check_count > NACRE_MAX_MODELS)
    return nacre_fail(NACRE_ERROR_UNSUPPORTED, "%s.%s has too many arguments or models", entry->module, entry->name);
  return NACRE_OK;
}

/* Every element of an argument that is used as a subscript lies in 0 .. limit-1. */
static int check_subscript(const nacre_entry_info *entry, const nacre_subscript_check *check, int64_t limit,
                           const int64_t *extents, const void *data) {
  const nacre_field_info *field = &entry->arguments[check->argument];
  for (int32_t i = 0; i < check->argument; ++i)
    extents += entry->arguments[i].rank;
  size_t count, bytes;
  nacre_type type = (nacre_type)field->type;
  if (!nacre_count_elements(field->rank, extents, nacre_type_bytes(type), &count, &bytes))
    return nacre_fail(NACRE_ERROR_DIMENSION, "%s.%s: `%s` is too large", entry->module, entry->name, field->name);
  for (size_t i = 0; i < count; ++i) {
    int64_t value = nacre_element_as_integer(type, data, i);
    if (value >= 0 && value < limit)
      continue;
    return nacre_fail(NACRE_ERROR_SUBSCRIPT, "%s.%s: element %zu of `%s` is %lld; %s needs 0 .. %lld", entry->module,
                      entry->name, i, field->name, (long long)value, check->text, (long long)limit - 1);
  }
  return NACRE_OK;
}

static int check_subscripts(const nacre_entry_info *entry, const int64_t *dims, const void *const *arguments) {
  int64_t extents[NACRE_MAX_EXTENTS], limits[NACRE_MAX_MODELS];
  entry->extents(dims, extents);
  entry->limits(dims, limits);
  for (int32_t i = 0; i < entry->subscript_check_count; ++i) {
    const nacre_subscript_check *check = &entry->subscript_checks[i];
    int status = check_subscript(entry, check, limits[i], extents, arguments[check->argument]);
    if (status != NACRE_OK)
      return status;
  }
  return NACRE_OK;
}

static int missing(const nacre_entry_info *entry, const char *what, const char *name) {
  return nacre_fail(NACRE_ERROR_ARGUMENT, "%s.%s: %s `%s` is a null pointer", entry->module, entry->name, what, name);
}

int nacre_entry_invoke(const nacre_entry_info *entry, const struct nacre_model *const *models, const int64_t *dims,
                       const void *const *arguments, void *const *results, void *workspace) {
  int status = check_entry(entry);
  if (status == NACRE_OK)
    status = nacre_entry_check_dims(entry, dims);
  if (status != NACRE_OK)
    return status;
  const void *const *tensors[NACRE_MAX_MODELS] = {0};
  for (int32_t i = 0; i < entry->model_count; ++i) {
    if (!models[i])
      return nacre_fail(NACRE_ERROR_ARGUMENT, "%s.%s: model number %d is a null pointer (was it loaded?)",
                        entry->module, entry->name, i + 1);
    tensors[i] = (const void *const *)models[i]->tensors;
  }
  for (int32_t i = 0; i < entry->argument_count; ++i)
    if (!arguments[i])
      return missing(entry, "argument", entry->arguments[i].name);
  for (int32_t i = 0; i < entry->result_count; ++i)
    if (!results[i])
      return missing(entry, "result", entry->results[i].name);
  if (entry->subscript_check_count && (status = check_subscripts(entry, dims, arguments)) != NACRE_OK)
    return status;
  if (!workspace && entry->workspace(dims) > 0)
    return nacre_fail(NACRE_ERROR_ARGUMENT, "%s.%s: the workspace is a null pointer; it needs %zu bytes", entry->module,
                      entry->name, nacre_entry_workspace(entry, dims));
  uintptr_t aligned = ((uintptr_t)workspace + 63) & ~(uintptr_t)63;
  entry->call(tensors, dims, arguments, results, (void *)aligned);
  return NACRE_OK;
}

size_t nacre_entry_workspace(const nacre_entry_info *entry, const int64_t *dims) {
  if (check_entry(entry) != NACRE_OK || nacre_entry_check_dims(entry, dims) != NACRE_OK)
    return 0;
  return (size_t)entry->workspace(dims) + 64;
}
