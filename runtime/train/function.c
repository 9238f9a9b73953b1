/* A generated function bound to its models, arguments and results. Its arguments are, by position: the fields of a
   batch, the fields of shared data, then `seed`, `iteration`, `epoch` and, where there is such an argument, `plateaus`.
 */
#include "train.h"
#include <stdlib.h>
#include <string.h>

static int no_memory(const nacre_entry_info *info) {
  return nacre_fail(NACRE_ERROR_MEMORY, "%s.%s: out of memory", info->module, info->name);
}

static int wrong(const nacre_entry_info *info, int32_t argument) {
  return nacre_fail(NACRE_ERROR_UNSUPPORTED, "%s.%s: argument %d does not fit the data (%s%s)", info->module,
                    info->name, argument + 1,
                    argument < info->argument_count ? info->arguments[argument].name : "there is none",
                    argument < info->argument_count ? info->arguments[argument].shape : "");
}

/* Does argument `index` take `field` with (or without) a leading axis? Fills what it has but for that axis. */
static bool fits(nacre_function *f, int32_t index, const nacre_data_field *field, int64_t leading) {
  const nacre_entry_info *info = f->info;
  if (index >= info->argument_count || info->arguments[index].type != (int32_t)field->type ||
      info->arguments[index].rank != field->rank + 1)
    return false;
  int64_t *given = f->given + (size_t)index * (NACRE_MAX_RANK + 1);
  given[0] = leading;
  memcpy(given + 1, field->extents, (size_t)field->rank * sizeof *given);
  return true;
}

static int bind_arguments(nacre_function *f, struct nacre_trainer *t, const nacre_dataset *batch) {
  int32_t index = 0;
  int count = batch ? nacre_dataset_field_count(batch) : 0, shared = 0;
  for (; f->batch_fields < count; ++f->batch_fields, ++index)
    if (!fits(f, index, nacre_dataset_field(batch, f->batch_fields), 0))
      return wrong(f->info, index);
  for (int32_t i = 0; f->counters && i < t->info->shared_count; ++i)
    for (int field = 0; field < nacre_dataset_field_count(t->shared[i]); ++field, ++index, ++f->shared_fields) {
      if (!fits(f, index, nacre_dataset_field(t->shared[i], field), nacre_dataset_count(t->shared[i])))
        return wrong(f->info, index);
      f->arguments[index] = t->shared_fields[shared++];
    }
  if (f->counters) {
    static const int32_t types[] = {NACRE_U64, NACRE_I64, NACRE_I64, NACRE_I64};
    const void *places[] = {&t->seed_argument, &t->iteration_argument, &t->epoch_argument, &t->plateaus_argument};
    int numbers = f->info->argument_count - index > 3 ? 4 : 3;
    for (int i = 0; i < numbers; ++i, ++index) {
      if (index >= f->info->argument_count || f->info->arguments[index].type != types[i] ||
          f->info->arguments[index].rank != 0)
        return wrong(f->info, index);
      f->arguments[index] = places[i];
    }
  }
  return index == f->info->argument_count ? NACRE_OK : wrong(f->info, index);
}

int nacre_function_bind(nacre_function *f, const nacre_entry_info *info, struct nacre_trainer *t,
                        const nacre_dataset *batch, bool counters) {
  *f = (nacre_function){.info = info, .counters = counters};
  if (!info)
    return NACRE_OK;
  if (info->argument_count < 0 || info->result_count < 0 || info->model_count > NACRE_MAX_MODELS)
    return nacre_fail(NACRE_ERROR_UNSUPPORTED, "%s.%s: too many models", info->module, info->name);
  size_t arguments = (size_t)info->argument_count + 1, results = (size_t)info->result_count + 1;
  f->models = calloc((size_t)info->model_count + 1, sizeof *f->models);
  f->arguments = calloc(arguments, sizeof *f->arguments);
  f->results = calloc(results, sizeof *f->results);
  f->dims = calloc((size_t)info->dim_count + 1, sizeof *f->dims);
  f->extents = calloc(NACRE_MAX_EXTENTS, sizeof *f->extents);
  f->given = calloc(arguments * (NACRE_MAX_RANK + 1), sizeof *f->given);
  if (!f->models || !f->arguments || !f->results || !f->dims || !f->extents || !f->given)
    return no_memory(info);
  for (int32_t i = 0; i < info->model_count; ++i)
    if (!(f->models[i] = t->models[info->models[i]]))
      return nacre_fail(NACRE_ERROR_UNSUPPORTED, "%s.%s uses model `%s`, which its train block does not name",
                        info->module, info->name, t->module->models[info->models[i]]->name);
  return bind_arguments(f, t, batch);
}

void nacre_function_release(nacre_function *f) {
  for (int32_t i = 0; f->info && f->results && i < f->info->result_count; ++i)
    free(f->results[i]);
  free((void *)f->models);
  free((void *)f->arguments);
  free(f->results);
  free(f->dims);
  free(f->extents);
  free(f->given);
  *f = (nacre_function){0};
}

int nacre_function_size(nacre_function *f, int64_t count) {
  const nacre_entry_info *info = f->info;
  for (int i = 0; i < f->batch_fields; ++i)
    f->given[(size_t)i * (NACRE_MAX_RANK + 1)] = count;
  for (int32_t i = 0; i < info->dim_count; ++i) {
    int32_t argument = info->dims[i].argument, axis = info->dims[i].axis;
    if (argument < 0 || argument >= info->argument_count || axis < 0 || axis > NACRE_MAX_RANK)
      return wrong(info, argument);
    f->dims[i] = f->given[(size_t)argument * (NACRE_MAX_RANK + 1) + (size_t)axis];
  }
  int status = nacre_entry_check_dims(info, f->dims);
  if (status != NACRE_OK)
    return status;
  info->extents(f->dims, f->extents);
  const int64_t *at = f->extents;
  for (int32_t i = 0; i < info->argument_count; at += info->arguments[i++].rank)
    if (memcmp(at, f->given + (size_t)i * (NACRE_MAX_RANK + 1), (size_t)info->arguments[i].rank * sizeof *at) != 0)
      return wrong(info, i);
  for (int32_t i = 0; i < info->result_count; at += info->results[i++].rank) {
    size_t elements, bytes;
    if (!nacre_count_elements(info->results[i].rank, at, nacre_type_bytes((nacre_type)info->results[i].type), &elements,
                              &bytes))
      return no_memory(info);
    free(f->results[i]);
    if (!(f->results[i] = nacre_aligned_alloc(bytes)))
      return no_memory(info);
  }
  return NACRE_OK;
}

int nacre_function_call(nacre_function *f, struct nacre_trainer *t, void *const *fields, uint64_t seed) {
  for (int i = 0; i < f->batch_fields; ++i)
    f->arguments[i] = fields[i];
  t->seed_argument = seed;
  t->iteration_argument = t->at.iteration;
  t->epoch_argument = t->at.epoch;
  t->plateaus_argument = t->at.plateaus;
  return nacre_entry_invoke(f->info, f->models, f->dims, f->arguments, f->results, t->workspace);
}

int32_t nacre_function_result(const nacre_function *f, const char *name) {
  for (int32_t i = 0; f->info && i < f->info->result_count; ++i)
    if (strcmp(f->info->results[i].name, name) == 0)
      return i;
  return -1;
}

double nacre_function_number(const nacre_function *f, int32_t result) {
  nacre_type type = (nacre_type)f->info->results[result].type;
  return nacre_type_is_real(type) ? nacre_element_as_real(type, f->results[result], 0)
                                  : (double)nacre_element_as_integer(type, f->results[result], 0);
}

const int64_t *nacre_function_result_extents(const nacre_function *f, int32_t result) {
  const int64_t *at = f->extents;
  for (int32_t i = 0; i < f->info->argument_count; ++i)
    at += f->info->arguments[i].rank;
  for (int32_t i = 0; i < result; ++i)
    at += f->info->results[i].rank;
  return at;
}
