/* The tensors that a train block writes: weights of its models, state of its optimiser and of its metrics, all in
   memory of their own. Where they start: the weights of `after`, a file, or their initialisers. */
#include "train.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

size_t nacre_weight_bytes(const nacre_weight_info *weight) {
  size_t count, bytes;
  return nacre_count_elements(weight->rank, weight->extents, nacre_type_bytes((nacre_type)weight->type), &count, &bytes)
             ? bytes
             : 0;
}

int nacre_model_restart(struct nacre_model *model, uint64_t seed) {
  const nacre_model_info *info = model->info;
  void *scratch = nacre_aligned_alloc((size_t)info->prepare_scratch);
  if (!scratch)
    return nacre_fail(NACRE_ERROR_MEMORY, "model `%s`: out of memory", info->name);
  int status = NACRE_OK;
  for (int32_t i = 0; i < info->weight_count && status == NACRE_OK; ++i)
    if (info->weights[i].tied_to < 0 && info->initialise(i, seed, model->owned[i], scratch) != 0)
      status = nacre_fail(NACRE_ERROR_WEIGHTS, "`%s` of `%s` has no initial value", info->weights[i].path, info->name);
  free(scratch);
  return status;
}

/* Is this line MODEL=FILE for that model? Its file, or null. */
static const char *file_in(const char *line, const char *model) {
  size_t length = strlen(model);
  return strncmp(line, model, length) == 0 && line[length] == '=' ? line + length + 1 : NULL;
}

/* What `weights` of the options says about a model: lines of MODEL=FILE, or of FILE, which is for the first model.
   `*file` is malloc'ed, or null. */
static int named_file(const nacre_trainer *t, const nacre_trainer_setup *setup, const nacre_model_info *model,
                      int32_t position, char **file) {
  *file = NULL;
  for (const char *line = setup->options ? setup->options->weights : NULL; line && *line;) {
    size_t length = strcspn(line, "\n");
    const char *found = file_in(line, model->name);
    bool others = false;
    for (int32_t i = 0; i < t->info->model_count; ++i)
      others |= file_in(line, t->module->models[t->info->models[i]]->name) != NULL;
    if (!found && !others && position == 0)
      found = line;
    if (found) {
      free(*file);
      if (!(*file = strndup(found, length - (size_t)(found - line))))
        return nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
    }
    line += length + (line[length] == '\n');
  }
  return NACRE_OK;
}

static bool ends_with(const char *text, const char *tail) {
  size_t length = strlen(text), end = strlen(tail);
  return length >= end && strcmp(text + length - end, tail) == 0 &&
         (length == end || text[length - end - 1] == '/' || *tail == '/');
}

/* A model that loads the very file which this run is about to write starts from its initialisers. */
static bool makes_own_file(const nacre_trainer *t, const nacre_trainer_setup *setup, const nacre_model_info *model) {
  const char *said = t->settings.best_path;
  return *model->file && ((said && ends_with(model->file, said)) || (setup->out && ends_with(model->file, setup->out)));
}

static int open_model(nacre_trainer *t, const nacre_trainer_setup *setup, int32_t number, int32_t position) {
  const nacre_model_info *info = t->module->models[number];
  bool state = number == t->info->optimizer || number == t->info->metrics;
  char *file = NULL;
  int status = state ? NACRE_OK : named_file(t, setup, info, position, &file);
  if (status != NACRE_OK)
    return status;
  bool absent = *info->file && info->file_optional && access(info->file, F_OK) != 0;
  bool stored = !state && !setup->fresh && *info->file && !absent && !makes_own_file(t, setup, info);
  if (setup->evaluation && !state && *info->file)
    stored = true;
  if (setup->evaluation && !state && !file && !stored && !info->embedded)
    return nacre_fail(NACRE_ERROR_WEIGHTS, "model `%s` names no file of weights: give --weights FILE", info->name);
  nacre_model_options options = {
      .weights = file, .seed = t->seed, .initialise = !file && !stored && !info->embedded, .writable = true};
  if (setup->fresh && !file)
    options.initialise = true;
  t->models[number] = nacre_model_open_with(info, &options);
  free(file);
  return t->models[number] ? NACRE_OK : NACRE_ERROR_WEIGHTS;
}

static int copy_model(nacre_trainer *t, const struct nacre_model *from, int32_t number) {
  nacre_model_options options = {.seed = t->seed, .initialise = true, .writable = true};
  struct nacre_model *model = t->models[number] = nacre_model_open_with(from->info, &options);
  for (int32_t i = 0; model && i < model->info->weight_count; ++i)
    if (model->owned[i])
      memcpy(model->owned[i], from->tensors[i], nacre_weight_bytes(&model->info->weights[i]));
  return model ? NACRE_OK : NACRE_ERROR_WEIGHTS;
}

int nacre_trainer_open_models(nacre_trainer *t, const nacre_trainer_setup *setup) {
  for (int32_t i = 0; i < t->info->model_count; ++i) {
    int32_t number = t->info->models[i];
    if (t->models[number])
      continue;
    bool state = number == t->info->optimizer || number == t->info->metrics;
    const struct nacre_model *earlier = setup->before && !state ? setup->before->models[number] : NULL;
    int status = earlier ? copy_model(t, earlier, number) : open_model(t, setup, number, i);
    if (status != NACRE_OK)
      return status;
  }
  int32_t states[] = {t->info->optimizer, t->info->metrics};
  for (int i = 0; i < 2; ++i)
    if (states[i] >= 0 && !t->models[states[i]]) {
      int status = open_model(t, setup, states[i], -1);
      if (status != NACRE_OK)
        return status;
    }
  return NACRE_OK;
}
