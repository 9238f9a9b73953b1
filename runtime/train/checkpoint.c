/* Checkpoints: one safetensors file with everything that an identical continuation needs, and files of weights that
   `load` accepts. Tensors of a checkpoint: model/NAME/PATH for each tensor that the block writes, run/position (the
   whole numbers of nacre_position), run/best, run/sums, run/identity, history/names, history/values. */
#include "train.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LAYOUT = 2, POSITIONS = 10, REALS = 4, IDENTITY = 6 };

static void pack_position(const nacre_position *at, int64_t whole[POSITIONS], double reals[REALS]) {
  const int64_t numbers[] = {at->epoch,      at->iteration, at->done,     at->closed, at->waited,
                             at->best_epoch, at->begun,     at->plateaus, at->level,  at->resting};
  const double values[] = {at->stop_best, at->save_best, at->plateau_best, at->seconds};
  memcpy(whole, numbers, sizeof numbers);
  memcpy(reals, values, sizeof values);
}

static void unpack_position(nacre_position *at, const int64_t whole[POSITIONS], const double reals[REALS]) {
  *at = (nacre_position){.epoch = whole[0],
                         .iteration = whole[1],
                         .done = whole[2],
                         .closed = whole[3],
                         .waited = whole[4],
                         .best_epoch = whole[5],
                         .begun = whole[6],
                         .plateaus = whole[7],
                         .level = whole[8],
                         .resting = whole[9],
                         .stop_best = reals[0],
                         .save_best = reals[1],
                         .plateau_best = reals[2],
                         .seconds = reals[3]};
}

/* What must agree for a continuation to be the same run. */
static void identity_of(const nacre_trainer *t, int64_t identity[IDENTITY]) {
  const int64_t numbers[] = {
      LAYOUT, (int64_t)t->seed, t->settings.batch, t->settings.accumulate, t->data ? nacre_dataset_count(t->data) : 0,
      t->fold};
  memcpy(identity, numbers, sizeof numbers);
}

/* The models whose tensors belong to a run: all of the block and its optimiser; metrics start afresh at each pass. */
static int32_t saved_model(const nacre_trainer *t, int32_t i) {
  return i < t->info->model_count ? t->info->models[i] : t->info->optimizer;
}

static bool is_saved(const nacre_trainer *t, int32_t i) {
  int32_t number = saved_model(t, i);
  for (int32_t earlier = 0; earlier < i; ++earlier)
    if (saved_model(t, earlier) == number)
      return false;
  return number >= 0 && number != t->info->metrics;
}

/* A parameter that is no number any more is not written over one that was: the optimiser may have made it after a loss
   that was still finite. */
static int require_finite(const nacre_trainer *t, const char *what, const char *path) {
  for (int32_t i = 0; i < t->info->trained_count; ++i) {
    const struct nacre_model *model = t->models[t->info->models[i]];
    for (int32_t k = 0; k < model->info->weight_count; ++k) {
      const nacre_weight_info *weight = &model->info->weights[k];
      nacre_type type = (nacre_type)weight->type;
      if (!weight->trained || weight->tied_to >= 0 || !nacre_type_is_real(type))
        continue;
      size_t count = nacre_weight_bytes(weight) / nacre_type_bytes(type);
      for (size_t at = 0; at < count; ++at)
        if (!isfinite(nacre_element_as_real(type, model->tensors[k], at)))
          return nacre_fail(
              NACRE_ERROR_CONDITION,
              "train %s: `%s` of `%s` is no longer finite after iteration %lld: no %s is written, %s stays "
              "as it is (%s)",
              t->info->name, weight->path, model->info->name, (long long)t->at.iteration, what, path, t->info->place);
    }
  }
  return NACRE_OK;
}

static int add_models(nacre_storage *storage, const nacre_trainer *t) {
  int status = NACRE_OK;
  for (int32_t i = 0; i <= t->info->model_count; ++i) {
    const struct nacre_model *model = is_saved(t, i) ? t->models[saved_model(t, i)] : NULL;
    for (int32_t k = 0; model && k < model->info->weight_count && status == NACRE_OK; ++k) {
      const nacre_weight_info *weight = &model->info->weights[k];
      if (weight->tied_to < 0)
        status = nacre_storage_add(storage, weight->type, weight->rank, weight->extents, model->tensors[k],
                                   "model/%s/%s", model->info->name, weight->path);
    }
  }
  return status;
}

int nacre_history_store(nacre_storage *storage, const nacre_history *history, const char *prefix, nacre_text *names) {
  nacre_text_add(names, "%s", "");
  for (size_t i = 0; i < history->columns; ++i)
    nacre_text_add(names, "%s\n", history->names[i]);
  if (names->failed)
    return nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
  int64_t length = (int64_t)names->length, extents[] = {(int64_t)history->rows, (int64_t)history->columns};
  int status = nacre_storage_add(storage, NACRE_U8, 1, &length, names->data, "%s/names", prefix);
  if (status == NACRE_OK)
    status = nacre_storage_add(storage, NACRE_F64, 2, extents, history->values, "%s/values", prefix);
  return status;
}

int nacre_checkpoint_write(const nacre_trainer *t, const char *path) {
  nacre_storage storage = {0};
  nacre_text names = {0};
  int64_t whole[POSITIONS], identity[IDENTITY], results = t->step.info ? t->step.info->result_count : 0;
  double reals[REALS];
  pack_position(&t->at, whole, reals);
  identity_of(t, identity);
  int status = require_finite(t, "checkpoint", path);
  if (status == NACRE_OK)
    status = add_models(&storage, t);
  if (status == NACRE_OK)
    status = nacre_history_store(&storage, &t->history, "history", &names);
  const struct {
    const char *name;
    int type, rank;
    int64_t extents[2];
    const void *data;
  } parts[] = {
      {"run/position", NACRE_I64, 1, {POSITIONS}, whole},
      {"run/identity", NACRE_I64, 1, {IDENTITY}, identity},
      {"run/best", NACRE_F64, 1, {REALS}, reals},
      {"run/sums", NACRE_F64, 1, {results}, t->sums},
  };
  for (size_t i = 0; i < sizeof parts / sizeof *parts && status == NACRE_OK; ++i)
    status =
        nacre_storage_add(&storage, parts[i].type, parts[i].rank, parts[i].extents, parts[i].data, "%s", parts[i].name);
  nacre_storage_note(&storage, "nacre", "checkpoint of train %s in %s", t->info->name, t->module->name);
  nacre_storage_note(&storage, "epoch", "%lld", (long long)t->at.epoch + 1);
  nacre_storage_note(&storage, "iteration", "%lld", (long long)t->at.iteration);
  if (status == NACRE_OK)
    status = nacre_storage_write(&storage, path);
  nacre_storage_release(&storage);
  free(names.data);
  return status;
}

/* ---- reading ------------------------------------------------------------------------------------------------------
 */
static int unfit(const char *path, const char *what) {
  return nacre_fail(NACRE_ERROR_FORMAT, "%s cannot be resumed: %s", path, what);
}

/* Tensor `name` of exactly this type and number of bytes, copied to `out`. */
static int read_part(const nacre_safetensors *file, const char *path, const char *name, int type, size_t bytes,
                     void *out) {
  const nacre_stored *stored = nacre_safetensors_find(file, name);
  if (!stored || stored->type != type || stored->bytes != bytes) {
    nacre_text text = {0};
    nacre_text_add(&text, "`%.200s` is %s", name, stored ? "of another type or size" : "not in it");
    int status = unfit(path, text.data ? text.data : "out of memory");
    free(text.data);
    return status;
  }
  nacre_safetensors_copy(file, stored, out);
  return NACRE_OK;
}

static int read_models(nacre_trainer *t, const nacre_safetensors *file, const char *path) {
  int status = NACRE_OK;
  for (int32_t i = 0; i <= t->info->model_count; ++i) {
    struct nacre_model *model = is_saved(t, i) ? t->models[saved_model(t, i)] : NULL;
    for (int32_t k = 0; model && k < model->info->weight_count && status == NACRE_OK; ++k) {
      const nacre_weight_info *weight = &model->info->weights[k];
      char name[1024];
      if (weight->tied_to >= 0)
        continue;
      snprintf(name, sizeof name, "model/%s/%s", model->info->name, weight->path);
      status =
          read_part(file, path, name, weight->type, nacre_weight_bytes(weight), (void *)(uintptr_t)model->tensors[k]);
    }
  }
  return status;
}

int nacre_history_load(const nacre_safetensors *file, const char *path, const char *prefix, nacre_history *history) {
  char name[64];
  snprintf(name, sizeof name, "%s/names", prefix);
  const nacre_stored *names = nacre_safetensors_find(file, name);
  snprintf(name, sizeof name, "%s/values", prefix);
  const nacre_stored *values = nacre_safetensors_find(file, name);
  if (!names || !values || names->type != NACRE_U8 || values->type != NACRE_F64 || values->rank != 2)
    return unfit(path, "its history is missing");
  *history = (nacre_history){.rows = (size_t)values->extents[0], .columns = (size_t)values->extents[1]};
  history->names = calloc(history->columns + 1, sizeof *history->names);
  history->values = malloc(values->bytes + sizeof(double));
  const char *at = (const char *)names->data, *end = at + names->bytes;
  bool good = history->names && history->values;
  for (size_t i = 0; i < history->columns && good; ++i) {
    const char *line = memchr(at, '\n', (size_t)(end - at));
    good = line && (history->names[i] = strndup(at, (size_t)(line - at)));
    at = line ? line + 1 : end;
  }
  if (good && values->bytes)
    memcpy(history->values, values->data, values->bytes);
  if (good)
    return NACRE_OK;
  if (!history->names)
    history->columns = 0;
  nacre_history_release(history);
  return unfit(path, "its history is damaged");
}

static int read_history(nacre_trainer *t, const nacre_safetensors *file, const char *path) {
  nacre_history history;
  int status = nacre_history_load(file, path, "history", &history);
  if (status != NACRE_OK)
    return status;
  nacre_history_release(&t->history);
  t->history = history;
  for (size_t i = 0; i < history.columns && history.rows; ++i) { /* a finished run has its last values to tell */
    double value = history.values[(history.rows - 1) * history.columns + i];
    if (!isnan(value) && !nacre_measures_set_number(&t->now, history.names[i], value))
      return nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
  }
  return NACRE_OK;
}

static int compare_identity(const nacre_trainer *t, const int64_t stored[IDENTITY], const char *path) {
  static const char *const what[IDENTITY] = {
      "its layout is of another version of Nacre",  "it was made with another seed",
      "it was made with another `batch`",           "it was made with another `accumulate`",
      "the data has another number of samples now", "it is of another fold"};
  int64_t mine[IDENTITY];
  identity_of(t, mine);
  for (int i = 0; i < IDENTITY; ++i)
    if (mine[i] != stored[i])
      return nacre_fail(NACRE_ERROR_FORMAT, "%s cannot be resumed: %s (%lld there, %lld here)", path, what[i],
                        (long long)stored[i], (long long)mine[i]);
  return NACRE_OK;
}

int nacre_checkpoint_seed(const char *path, uint64_t *seed) {
  int64_t identity[IDENTITY];
  nacre_safetensors *file = nacre_safetensors_open(path);
  if (!file)
    return NACRE_ERROR_FILE;
  int status = read_part(file, path, "run/identity", NACRE_I64, sizeof identity, identity);
  if (status == NACRE_OK)
    *seed = (uint64_t)identity[1];
  nacre_safetensors_close(file);
  return status;
}

int nacre_checkpoint_read(nacre_trainer *t, const char *path) {
  nacre_safetensors *file = nacre_safetensors_open(path);
  if (!file)
    return NACRE_ERROR_FILE;
  int64_t whole[POSITIONS], identity[IDENTITY];
  double reals[REALS];
  size_t results = (size_t)(t->step.info ? t->step.info->result_count : 0);
  int status = read_part(file, path, "run/identity", NACRE_I64, sizeof identity, identity);
  if (status == NACRE_OK)
    status = compare_identity(t, identity, path);
  if (status == NACRE_OK)
    status = read_part(file, path, "run/position", NACRE_I64, sizeof whole, whole);
  if (status == NACRE_OK)
    status = read_part(file, path, "run/best", NACRE_F64, sizeof reals, reals);
  if (status == NACRE_OK)
    status = read_part(file, path, "run/sums", NACRE_F64, results * sizeof *t->sums, t->sums);
  if (status == NACRE_OK)
    status = read_models(t, file, path);
  if (status == NACRE_OK)
    status = read_history(t, file, path);
  if (status == NACRE_OK) {
    unpack_position(&t->at, whole, reals);
    if (t->at.done < 0 || t->at.done > t->per_epoch || t->at.epoch < 0 || t->at.iteration < 0)
      status = unfit(path, "its position lies outside the epoch");
  }
  t->streaming = false;
  nacre_safetensors_close(file);
  return status;
}

/* ---- weights ------------------------------------------------------------------------------------------------------
 */
int nacre_weights_write(const nacre_trainer *t, int32_t model, const char *path) {
  const struct nacre_model *written = t->models[t->info->models[model]];
  nacre_storage storage = {0};
  int status = require_finite(t, "file of weights", path);
  for (int32_t k = 0; k < written->info->weight_count && status == NACRE_OK; ++k) {
    const nacre_weight_info *weight = &written->info->weights[k];
    if (weight->tied_to < 0)
      status = nacre_storage_add(&storage, weight->type, weight->rank, weight->extents, written->tensors[k], "%s",
                                 weight->path);
  }
  nacre_storage_note(&storage, "nacre.names", "paths");
  nacre_storage_note(&storage, "nacre", "weights of %s, trained by %s in %s", written->info->name, t->info->name,
                     t->module->name);
  if (status == NACRE_OK)
    status = nacre_storage_write(&storage, path);
  nacre_storage_release(&storage);
  return status;
}

char *nacre_weights_path(const char *path, const char *model) {
  const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
  size_t stem = dot && (!slash || dot > slash) ? (size_t)(dot - path) : strlen(path);
  char *own = NULL;
  return asprintf(&own, "%.*s.%s%s", (int)stem, path, model, path + stem) < 0 ? NULL : own;
}

int nacre_weights_write_all(const nacre_trainer *t, const char *path) {
  int32_t count = t->info->trained_count;
  if (count <= 1)
    return nacre_weights_write(t, 0, path);
  int status = NACRE_OK;
  for (int32_t i = 0; i < count && status == NACRE_OK; ++i) {
    char *own = nacre_weights_path(path, t->models[t->info->models[i]]->info->name);
    status = own ? nacre_weights_write(t, i, own) : nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
    free(own);
  }
  return status;
}
