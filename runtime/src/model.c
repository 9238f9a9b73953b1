/* A model in memory: the weights of a file matched with what the generated code expects, converted where the types
   differ, drawn where the source says so, and then prepared (packed) once. */
#include "internal.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LISTED = 5 }; /* how many missing or unknown weights a message names */

typedef struct loading {
  struct nacre_model *model;
  const nacre_model_info *info;
  const char *source; /* how messages call the file */
  const nacre_model_options *options;
  int32_t *by_path;            /* weights sorted by path */
  const nacre_stored **stored; /* per weight: its tensor in the file, or null */
  bool *transposed;
  nacre_text unknown;
  size_t unknown_count;
} loading;

/* The weight whose tensor weight `index` shares; itself if none. */
static int32_t root_of(const nacre_model_info *info, int32_t index) {
  for (int32_t steps = 0; info->weights[index].tied_to >= 0 && steps < info->weight_count; ++steps)
    index = info->weights[index].tied_to;
  return index;
}

/* Heap sort over indices: qsort has no context argument in C11. */
static void sort_by_path(int32_t *order, int32_t count, const nacre_weight_info *weights) {
  for (int32_t end = count, start = count / 2; end > 1;) {
    int32_t moving, at;
    if (start > 0) {
      moving = order[at = --start];
    } else {
      moving = order[--end];
      order[end] = order[0];
      at = 0;
    }
    for (int32_t child; (child = 2 * at + 1) < end; at = child) {
      if (child + 1 < end && strcmp(weights[order[child]].path, weights[order[child + 1]].path) < 0)
        ++child;
      if (strcmp(weights[order[child]].path, weights[moving].path) <= 0)
        break;
      order[at] = order[child];
    }
    order[at] = moving;
  }
}

static int32_t weight_named(const loading *l, const char *path) {
  int32_t low = 0, high = l->info->weight_count;
  while (low < high) {
    int32_t middle = low + (high - low) / 2, weight = l->by_path[middle];
    int order = strcmp(path, l->info->weights[weight].path);
    if (order == 0)
      return weight;
    if (order < 0)
      high = middle;
    else
      low = middle + 1;
  }
  return -1;
}

/* Every rename in its order, each once, applied to what the earlier ones left. */
static int apply_renames(const loading *l, const char *name, char **path, bool *transposed) {
  *transposed = false;
  if (!(*path = strdup(name)))
    return nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
  int32_t count = nacre_safetensors_own_names(l->model->file) ? 0 : l->info->rename_count;
  for (int32_t i = 0; i < count; ++i) {
    const nacre_rename *rename = &l->info->renames[i];
    char *renamed = NULL;
    int matched = nacre_pattern_match(rename->from, *path, rename->to, &renamed);
    if (matched < 0) {
      free(*path);
      return nacre_fail(NACRE_ERROR_WEIGHTS, "rename \"%s\" -> \"%s\" cannot be applied to `%.200s`", rename->from,
                        rename->to, name);
    }
    if (matched) {
      free(*path);
      *path = renamed;
      *transposed ^= rename->transpose != 0;
    }
  }
  return NACRE_OK;
}

static int is_ignored(const loading *l, const char *name) {
  if (nacre_safetensors_own_names(l->model->file))
    return 0;
  for (int32_t i = 0; i < l->info->ignore_count; ++i) {
    int matched = nacre_pattern_match(l->info->ignores[i], name, NULL, NULL);
    if (matched)
      return matched;
  }
  return 0;
}

static int match_tensor(loading *l, const nacre_stored *stored) {
  int ignored = is_ignored(l, stored->name);
  if (ignored)
    return ignored < 0 ? nacre_fail(NACRE_ERROR_MEMORY, "out of memory") : NACRE_OK;
  char *path;
  bool transposed;
  int status = apply_renames(l, stored->name, &path, &transposed);
  if (status != NACRE_OK)
    return status;
  int32_t weight = weight_named(l, path);
  if (weight < 0) {
    char shape[NACRE_SHAPE_TEXT];
    if (l->unknown_count++ < LISTED)
      nacre_text_add(&l->unknown, "\n  not in the model: `%.200s` %s%s", path, stored->dtype,
                     nacre_shape_text(shape, stored->rank, stored->extents));
  } else if (l->stored[weight]) {
    status = nacre_fail(NACRE_ERROR_WEIGHTS, "%s: `%.200s` and `%.200s` are both weight `%s`", l->source,
                        l->stored[weight]->name, stored->name, l->info->weights[weight].path);
  } else {
    l->stored[weight] = stored;
    l->transposed[weight] = transposed;
  }
  free(path);
  return status;
}

static bool initialised(const loading *l, int32_t weight) {
  return l->info->weights[weight].may_be_missing || (!l->model->file && l->options->initialise);
}

/* Every weight of the model in the file or allowed to be missing, every tensor of the file in the model. */
static int check_complete(loading *l) {
  const nacre_model_info *info = l->info;
  nacre_text text = {0};
  size_t missing = 0;
  for (int32_t i = 0; i < info->weight_count; ++i) {
    if (root_of(info, i) != i || l->stored[i] || initialised(l, i))
      continue;
    char shape[NACRE_SHAPE_TEXT];
    const nacre_weight_info *weight = &info->weights[i];
    if (missing++ < LISTED)
      nacre_text_add(&text, "\n  not in the file: `%s` %s%s", weight->path, nacre_type_name((nacre_type)weight->type),
                     nacre_shape_text(shape, weight->rank, weight->extents));
  }
  if (missing > LISTED)
    nacre_text_add(&text, "\n  and %zu more that the model needs", missing - LISTED);
  if (l->unknown_count) {
    nacre_text_add(&text, "%s", l->unknown.data ? l->unknown.data : "");
    if (l->unknown_count > LISTED)
      nacre_text_add(&text, "\n  and %zu more that the model lacks", l->unknown_count - LISTED);
  }
  int status = NACRE_OK;
  if (missing || l->unknown_count)
    status = nacre_fail(NACRE_ERROR_WEIGHTS,
                        "%s does not fit model `%s`: %zu weights missing, %zu unknown%s\n  (`rename`, "
                        "`ignore` and `init` in the model say what may differ)",
                        l->source, info->name, missing, l->unknown_count, text.data ? text.data : "");
  free(text.data);
  return status;
}

/* target[j, i] = source[i, j] */
static void transpose(const unsigned char *source, int64_t rows, int64_t columns, size_t element,
                      unsigned char *target) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j, source += element)
      memcpy(target + (size_t)(j * rows + i) * element, source, element);
}

static int check_shape(const loading *l, int32_t index) {
  const nacre_weight_info *weight = &l->info->weights[index];
  const nacre_stored *stored = l->stored[index];
  char here[NACRE_SHAPE_TEXT], there[NACRE_SHAPE_TEXT];
  bool turned = l->transposed[index], same = weight->rank == stored->rank && !(turned && weight->rank != 2);
  for (int axis = 0; same && axis < weight->rank; ++axis)
    same = weight->extents[axis] == stored->extents[turned ? 1 - axis : axis];
  if (!same)
    return nacre_fail(NACRE_ERROR_WEIGHTS, "weight `%s` is %s%s in model `%s`, %s%s in %s (as `%.200s`%s)",
                      weight->path, nacre_type_name((nacre_type)weight->type),
                      nacre_shape_text(here, weight->rank, weight->extents), l->info->name, stored->dtype,
                      nacre_shape_text(there, stored->rank, stored->extents), l->source, stored->name,
                      turned ? ", to be transposed" : "");
  return NACRE_OK;
}

static void *allocate(loading *l, int32_t index, size_t bytes) {
  void *memory = nacre_aligned_alloc(bytes);
  l->model->owned[index] = memory;
  l->model->tensors[index] = memory;
  return memory;
}

static int load_weight(loading *l, int32_t index) {
  const nacre_weight_info *weight = &l->info->weights[index];
  const nacre_stored *stored = l->stored[index];
  nacre_type type = (nacre_type)weight->type;
  size_t element = nacre_type_bytes(type), count, bytes;
  if (!nacre_count_elements(weight->rank, weight->extents, element, &count, &bytes))
    return nacre_fail(NACRE_ERROR_WEIGHTS, "weight `%s` is too large", weight->path);
  if (!stored) {
    void *memory = allocate(l, index, bytes);
    if (!memory)
      return nacre_fail(NACRE_ERROR_MEMORY, "weight `%s`: out of memory", weight->path);
    void *scratch = nacre_aligned_alloc((size_t)l->info->prepare_scratch);
    if (!scratch)
      return nacre_fail(NACRE_ERROR_MEMORY, "weight `%s`: out of memory", weight->path);
    int32_t status = l->info->initialise ? l->info->initialise(index, l->options->seed, memory, scratch) : -1;
    free(scratch);
    if (status != 0)
      return nacre_fail(NACRE_ERROR_WEIGHTS, "weight `%s` of model `%s` has no initialiser", weight->path,
                        l->info->name);
    return NACRE_OK;
  }
  int status = check_shape(l, index);
  if (status != NACRE_OK)
    return status;
  bool same_type = stored->type == weight->type && type != NACRE_BOOL; /* a stored bool may hold any byte */
  if (same_type && !l->options->writable && !l->transposed[index] && (uintptr_t)stored->data % element == 0) {
    l->model->tensors[index] = stored->data;
    return NACRE_OK;
  }
  unsigned char *memory = allocate(l, index, bytes);
  if (!memory)
    return nacre_fail(NACRE_ERROR_MEMORY, "weight `%s`: out of memory", weight->path);
  if (same_type && !l->transposed[index]) {
    nacre_safetensors_copy(l->model->file, stored, memory);
    return NACRE_OK;
  }
  const void *source = stored->data;
  void *turned = NULL;
  if (l->transposed[index]) {
    size_t file_element = count ? stored->bytes / count : 1;
    if (!(turned = malloc(stored->bytes + 1)))
      return nacre_fail(NACRE_ERROR_MEMORY, "weight `%s`: out of memory", weight->path);
    transpose(stored->data, stored->extents[0], stored->extents[1], file_element, turned);
    source = turned;
  }
  size_t where = SIZE_MAX;
  const char *problem = stored->type < 0 ? "Nacre has no such type"
                                         : nacre_convert((nacre_type)stored->type, source, type, memory, count, &where);
  free(turned);
  if (!problem)
    return NACRE_OK;
  if (where == SIZE_MAX)
    return nacre_fail(NACRE_ERROR_WEIGHTS, "weight `%s` is %s in model `%s`, %s in %s: %s", weight->path,
                      nacre_type_name(type), l->info->name, stored->dtype, l->source, problem);
  return nacre_fail(NACRE_ERROR_WEIGHTS, "weight `%s`: element %zu of %s in %s %s for %s", weight->path, where,
                    stored->dtype, l->source, problem, nacre_type_name(type));
}

/* A file may hold a tied tensor under either path, or under both if they are equal. */
static int join_ties(loading *l) {
  for (int32_t i = 0; i < l->info->weight_count; ++i) {
    int32_t root = root_of(l->info, i);
    if (root == i || !l->stored[i])
      continue;
    const nacre_stored *mine = l->stored[i], *other = l->stored[root];
    if (!other) {
      l->stored[root] = mine;
      l->transposed[root] = l->transposed[i];
    } else if (mine->bytes != other->bytes || mine->type != other->type || l->transposed[i] != l->transposed[root] ||
               (mine->bytes && memcmp(mine->data, other->data, mine->bytes) != 0)) {
      return nacre_fail(NACRE_ERROR_WEIGHTS, "weights `%s` and `%s` are tied in model `%s` but differ in %s",
                        l->info->weights[i].path, l->info->weights[root].path, l->info->name, l->source);
    }
  }
  return NACRE_OK;
}

static int load_weights(loading *l) {
  const nacre_model_info *info = l->info;
  for (int32_t i = 0; i < info->weight_count; ++i)
    l->by_path[i] = i;
  sort_by_path(l->by_path, info->weight_count, info->weights);
  for (size_t i = 0; i < nacre_safetensors_count(l->model->file); ++i) {
    int status = match_tensor(l, nacre_safetensors_stored(l->model->file, i));
    if (status != NACRE_OK)
      return status;
  }
  int status = join_ties(l);
  if (status == NACRE_OK)
    status = check_complete(l);
  for (int32_t i = 0; i < info->weight_count && status == NACRE_OK; ++i)
    if (root_of(info, i) == i)
      status = load_weight(l, i);
  for (int32_t i = 0; i < info->weight_count; ++i)
    l->model->tensors[i] = l->model->tensors[root_of(info, i)];
  return status;
}

/* Packed weights and everything else that depends on weights only. */
static int prepare(struct nacre_model *model) {
  const nacre_model_info *info = model->info;
  model->prepared = nacre_aligned_alloc((size_t)info->prepared_bytes);
  void *scratch = nacre_aligned_alloc((size_t)info->prepare_scratch);
  int status = NACRE_OK;
  if (!model->prepared || !scratch)
    status = nacre_fail(NACRE_ERROR_MEMORY, "model `%s`: out of memory for %llu bytes", info->name,
                        (unsigned long long)(info->prepared_bytes + info->prepare_scratch));
  else if (info->prepare)
    info->prepare(model->tensors, model->prepared, scratch);
  free(scratch);
  model->tensors[info->weight_count] = model->prepared;
  return status;
}

/* Opens the file that the options, the object or the source name; none is fine where every weight has an initialiser.
 */
static int open_file(loading *l) {
  const nacre_model_info *info = l->info;
  struct nacre_model *model = l->model;
  l->source = info->file;
  if (l->options->weights) {
    l->source = l->options->weights;
    model->file = nacre_safetensors_open(l->source);
    return model->file ? NACRE_OK : NACRE_ERROR_FILE;
  }
  if (info->embedded) {
    l->source = "the embedded weights";
    model->file = nacre_safetensors_parse(info->embedded, (size_t)info->embedded_bytes, l->source);
    return model->file ? NACRE_OK : NACRE_ERROR_FORMAT;
  }
  if (l->options->initialise)
    return NACRE_OK;
  if (*info->file && !(info->file_optional && access(info->file, F_OK) != 0)) {
    model->file = nacre_safetensors_open(info->file);
    return model->file ? NACRE_OK : NACRE_ERROR_FILE;
  }
  for (int32_t i = 0; i < info->weight_count; ++i)
    if (root_of(info, i) == i && !info->weights[i].may_be_missing)
      return nacre_fail(NACRE_ERROR_WEIGHTS,
                        "model `%s` needs a file of weights (safetensors): none was given, and weight "
                        "`%s` has no `init`",
                        info->name, info->weights[i].path);
  return NACRE_OK;
}

struct nacre_model *nacre_model_open_with(const nacre_model_info *info, const nacre_model_options *options) {
  if (!info || nacre_check_object(info->name, info->abi, info->cpu, info->cpu_features) != NACRE_OK)
    return NULL;
  size_t count = (size_t)info->weight_count + 1;
  struct nacre_model *model = calloc(1, sizeof *model);
  loading l = {.model = model, .info = info, .options = options};
  l.by_path = calloc(count, sizeof *l.by_path);
  l.stored = calloc(count, sizeof *l.stored);
  l.transposed = calloc(count, sizeof *l.transposed);
  if (model) {
    model->info = info;
    model->tensors = calloc(count, sizeof *model->tensors);
    model->owned = calloc(count, sizeof *model->owned);
  }
  int status = NACRE_OK;
  if (!model || !l.by_path || !l.stored || !l.transposed || !model->tensors || !model->owned)
    status = nacre_fail(NACRE_ERROR_MEMORY, "model `%s`: out of memory", info->name);
  if (status == NACRE_OK)
    status = open_file(&l);
  if (status == NACRE_OK)
    status = load_weights(&l);
  if (status == NACRE_OK && !options->writable) {
    status = prepare(model);
  } else { /* every weight has been copied */
    nacre_safetensors_close(model->file);
    model->file = NULL;
  }
  free(l.by_path);
  free((void *)l.stored);
  free(l.transposed);
  free(l.unknown.data);
  if (status == NACRE_OK)
    return model;
  nacre_model_close(model);
  return NULL;
}

struct nacre_model *nacre_model_open(const nacre_model_info *info, const char *weights) {
  nacre_model_options options = {.weights = weights};
  return nacre_model_open_with(info, &options);
}

void nacre_model_close(struct nacre_model *model) {
  if (!model)
    return;
  if (model->owned)
    for (int32_t i = 0; i < model->info->weight_count; ++i)
      free(model->owned[i]);
  free(model->owned);
  free((void *)model->tensors);
  free(model->prepared);
  nacre_safetensors_close(model->file);
  free(model);
}
