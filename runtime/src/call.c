/* A call from the command line: arguments read, dimensions inferred from their shapes, models opened, memory laid out.
 */
#include "program.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fail_no_memory(void) { return nacre_fail(NACRE_ERROR_MEMORY, "out of memory"); }

static int32_t argument_named(const nacre_entry_info *entry, const char *name, size_t length) {
  for (int32_t i = 0; i < entry->argument_count; ++i)
    if (strlen(entry->arguments[i].name) == length && memcmp(entry->arguments[i].name, name, length) == 0)
      return i;
  return -1;
}

static int list_arguments(const nacre_entry_info *entry, const char *name, size_t length) {
  nacre_text names = {0};
  for (int32_t i = 0; i < entry->argument_count; ++i)
    nacre_text_add(&names, "%s`%s`", i ? ", " : "", entry->arguments[i].name);
  int status = nacre_fail(NACRE_ERROR_ARGUMENT, "%s.%s has no argument `%.*s`; it takes %s", entry->module, entry->name,
                          (int)length, name, names.data ? names.data : "none");
  free(names.data);
  return status;
}

static int read_arguments(nacre_call *call, const nacre_flags *flags) {
  const nacre_entry_info *entry = call->entry;
  for (int i = 0; i < flags->input_count; ++i) {
    const char *input = flags->inputs[i], *equals = strchr(input, '=');
    int32_t index = argument_named(entry, input, (size_t)(equals - input));
    if (index < 0)
      return list_arguments(entry, input, (size_t)(equals - input));
    if (call->arguments[index].data)
      return nacre_fail(NACRE_ERROR_ARGUMENT, "%s.%s: `%s` is given twice", entry->module, entry->name,
                        entry->arguments[index].name);
    int status = nacre_read_argument(call, index, equals + 1);
    if (status != NACRE_OK)
      return status;
  }
  for (int32_t i = 0; i < entry->argument_count; ++i) {
    const nacre_field_info *field = &entry->arguments[i];
    nacre_tensor *tensor = &call->arguments[i];
    if (tensor->data)
      continue;
    if (!flags->seeded || field->rank || field->type != NACRE_U64 || strcmp(field->name, "seed") != 0)
      return nacre_fail(NACRE_ERROR_ARGUMENT, "%s.%s needs `%s`, which is %s%s: pass %s=%s", entry->module, entry->name,
                        field->name, nacre_type_name((nacre_type)field->type), field->shape, field->name,
                        field->rank ? strcmp(field->codec, "npy") == 0 ? "FILE.npy" : "FILE.png" : "NUMBER");
    if (!(call->owned[i] = tensor->data = nacre_aligned_alloc(8)))
      return fail_no_memory();
    memcpy(tensor->data, &flags->seed, 8);
    tensor->bytes = 8;
    tensor->type = NACRE_U64;
  }
  return NACRE_OK;
}

static int wrong_shape(const nacre_call *call, int32_t index) {
  const nacre_entry_info *entry = call->entry;
  const nacre_tensor *tensor = &call->arguments[index];
  char shape[NACRE_SHAPE_TEXT];
  nacre_text dims = {0};
  for (int32_t i = 0; i < entry->dim_count; ++i)
    if (call->dims[i] >= 0 && entry->dims[i].argument != index)
      nacre_text_add(&dims, "%s%s = %lld", dims.length ? ", " : " with ", entry->dims[i].name,
                     (long long)call->dims[i]);
  int status = nacre_fail(NACRE_ERROR_ARGUMENT, "%s.%s: input `%s` is %s; needs %s%s", entry->module, entry->name,
                          entry->arguments[index].name, nacre_shape_text(shape, tensor->rank, tensor->extents),
                          *entry->arguments[index].shape ? entry->arguments[index].shape : "a single number",
                          dims.data ? dims.data : "");
  free(dims.data);
  return status;
}

/* The dims are where the signature says they stand alone; every other extent follows and is compared. */
static int infer_dims(nacre_call *call) {
  const nacre_entry_info *entry = call->entry;
  for (int32_t i = 0; i < entry->dim_count; ++i)
    call->dims[i] = -1;
  for (int32_t i = 0; i < entry->argument_count; ++i)
    if (call->arguments[i].rank != entry->arguments[i].rank)
      return wrong_shape(call, i);
  for (int32_t i = 0; i < entry->dim_count; ++i)
    call->dims[i] = call->arguments[entry->dims[i].argument].extents[entry->dims[i].axis];
  int status = nacre_entry_check_dims(entry, call->dims);
  if (status != NACRE_OK)
    return status;
  int64_t extents[NACRE_MAX_EXTENTS], *at = extents;
  entry->extents(call->dims, extents);
  for (int32_t i = 0; i < entry->argument_count; at += entry->arguments[i++].rank)
    for (int axis = 0; axis < entry->arguments[i].rank; ++axis)
      if (call->arguments[i].extents[axis] != at[axis])
        return wrong_shape(call, i);
  for (int32_t i = 0; i < entry->result_count; at += entry->results[i++].rank) {
    nacre_tensor *result = &call->results[i];
    size_t count;
    result->type = (nacre_type)entry->results[i].type;
    result->rank = entry->results[i].rank;
    memcpy(result->extents, at, (size_t)result->rank * sizeof *at);
    if (!nacre_count_elements(result->rank, result->extents, nacre_type_bytes(result->type), &count, &result->bytes) ||
        !(result->data = nacre_aligned_alloc(result->bytes)))
      return nacre_fail(NACRE_ERROR_MEMORY, "%s.%s: out of memory for result `%s`", entry->module, entry->name,
                        entry->results[i].name);
    call->result_data[i] = result->data;
  }
  return NACRE_OK;
}

/* The file that --weights names for a model: `MODEL=F`, or `F` alone. */
static const char *weights_of(const nacre_flags *flags, const char *model) {
  const char *plain = NULL;
  for (int i = 0; i < flags->weights_count; ++i) {
    size_t length = strlen(model);
    if (strncmp(flags->weights[i], model, length) == 0 && flags->weights[i][length] == '=')
      return flags->weights[i] + length + 1;
    if (!strchr(flags->weights[i], '='))
      plain = flags->weights[i];
  }
  return plain;
}

/* The file of `load` beside the program, when there is none at the path itself: what was shipped together is found from
   anywhere. Null: nothing there either. The caller frees it. */
static char *beside_program(const nacre_model_info *info) {
  if (info->embedded || !*info->file || *info->file == '/' || access(info->file, F_OK) == 0)
    return NULL;
  size_t room = 4096 + strlen(info->file);
  char *path = malloc(room);
  ssize_t length = path ? readlink("/proc/self/exe", path, 4095) : -1;
  while (length > 0 && path[length - 1] != '/')
    --length;
  if (length > 0) {
    strcpy(path + length, info->file);
    if (access(path, F_OK) == 0)
      return path;
  }
  free(path);
  return NULL;
}

static int open_models(nacre_call *call, const nacre_module_info *module, const nacre_flags *flags) {
  for (int32_t i = 0; i < call->entry->model_count; ++i) {
    const nacre_model_info *info = module->models[call->entry->models[i]];
    const char *named = weights_of(flags, info->name);
    char *found = named || flags->seeded ? NULL : beside_program(info);
    nacre_model_options options = {.weights = found ? found : named, .seed = flags->seed, .initialise = flags->seeded};
    call->models[i] = nacre_model_open_with(info, &options);
    free(found);
    if (!call->models[i])
      return NACRE_ERROR_WEIGHTS;
  }
  return NACRE_OK;
}

int nacre_call_prepare(nacre_call *call, const nacre_module_info *module, const nacre_flags *flags) {
  const nacre_entry_info *entry = flags->entry;
  size_t arguments = (size_t)entry->argument_count + 1, results = (size_t)entry->result_count + 1;
  *call = (nacre_call){.entry = entry};
  call->files = calloc(arguments, sizeof *call->files);
  call->owned = calloc(arguments, sizeof *call->owned);
  call->arguments = calloc(arguments, sizeof *call->arguments);
  call->argument_data = calloc(arguments, sizeof *call->argument_data);
  call->results = calloc(results, sizeof *call->results);
  call->result_data = calloc(results, sizeof *call->result_data);
  call->dims = calloc((size_t)entry->dim_count + 1, sizeof *call->dims);
  call->models = calloc((size_t)entry->model_count + 1, sizeof *call->models);
  if (!call->files || !call->owned || !call->arguments || !call->argument_data || !call->results ||
      !call->result_data || !call->dims || !call->models)
    return fail_no_memory();
  int status = read_arguments(call, flags);
  if (status == NACRE_OK)
    status = infer_dims(call);
  if (status == NACRE_OK)
    status = open_models(call, module, flags);
  if (status != NACRE_OK)
    return status;
  for (int32_t i = 0; i < entry->argument_count; ++i)
    call->argument_data[i] = call->arguments[i].data;
  size_t bytes = nacre_entry_workspace(entry, call->dims);
  if (bytes && !(call->workspace = nacre_aligned_alloc(bytes)))
    return nacre_fail(NACRE_ERROR_MEMORY, "%s.%s: out of memory for %zu bytes of workspace", entry->module, entry->name,
                      bytes);
  return NACRE_OK;
}

int nacre_call_run(nacre_call *call) {
  return nacre_entry_invoke(call->entry, (const struct nacre_model *const *)call->models, call->dims,
                            call->argument_data, call->result_data, call->workspace);
}

void nacre_call_release(nacre_call *call) {
  for (int32_t i = 0; call->owned && call->files && i < call->entry->argument_count; ++i) {
    free(call->owned[i]);
    nacre_unmap(&call->files[i]);
  }
  for (int32_t i = 0; call->results && i < call->entry->result_count; ++i)
    nacre_tensor_release(&call->results[i]);
  for (int32_t i = 0; call->models && i < call->entry->model_count; ++i)
    nacre_model_close(call->models[i]);
  free(call->files);
  free((void *)call->owned);
  free(call->arguments);
  free((void *)call->argument_data);
  free(call->results);
  free((void *)call->result_data);
  free(call->dims);
  free((void *)call->models);
  free(call->workspace);
}
