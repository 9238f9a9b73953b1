/* A trainer: everything that a train block needs in memory, and one iteration of it. The workspace is allocated once,
   for the largest of its functions. */
#include "train.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int no_memory(const nacre_trainer *t) {
  return nacre_fail(NACRE_ERROR_MEMORY, "train %s: out of memory", t->info->name);
}

static int check_tables(const nacre_module_info *module, const nacre_train_info *train) {
  int status = nacre_check_object(module->name, module->abi, module->cpu, module->cpu_features);
  const int32_t *models = train->models;
  for (int32_t i = 0; i < train->model_count && status == NACRE_OK; ++i)
    if (models[i] < 0 || models[i] >= module->model_count || train->trained_count > train->model_count)
      status = nacre_fail(NACRE_ERROR_VERSION, "train %s names a model that its module lacks", train->name);
  return status;
}

/* ---- data ---------------------------------------------------------------------------------------------------------
 */
static int open_shared(nacre_trainer *t, const nacre_dataset_options *options) {
  int32_t count = t->info->shared_count;
  size_t fields = 0, at = 0;
  if (!(t->shared = calloc((size_t)count + 1, sizeof *t->shared)))
    return no_memory(t);
  for (int32_t i = 0; i < count; ++i) {
    if (!(t->shared[i] = nacre_dataset_open(t->info->shared[i], options)))
      return NACRE_ERROR_FILE;
    fields += (size_t)nacre_dataset_field_count(t->shared[i]);
  }
  if (!(t->shared_fields = calloc(fields + 1, sizeof *t->shared_fields)))
    return no_memory(t);
  for (int32_t i = 0; i < count; ++i) {
    size_t first = at;
    for (int field = 0; field < nacre_dataset_field_count(t->shared[i]); ++field, ++at)
      if (!(t->shared_fields[at] = nacre_aligned_alloc(nacre_dataset_field(t->shared[i], field)->bytes *
                                                       (size_t)nacre_dataset_count(t->shared[i]))))
        return no_memory(t);
    int status = nacre_dataset_whole(t->shared[i], t->shared_fields + first);
    if (status != NACRE_OK)
      return status;
  }
  return NACRE_OK;
}

static nacre_loader *open_loader(const nacre_trainer *t, nacre_dataset *dataset, bool training,
                                 const nacre_fold *fold) {
  nacre_loader_options options = {.batch = t->settings.batch, .training = training, .seed = t->seed};
  if (fold) {
    options.subset = training ? fold->others : fold->held_back;
    options.subset_count = training ? fold->others_count : fold->held_back_count;
  }
  return nacre_loader_open(dataset, &options);
}

/* One loader trains, the other evaluates: on `validate`, else on the fold held back, else on the same data. */
static int open_loaders(nacre_trainer *t, const nacre_trainer_setup *setup) {
  nacre_fold fold = {0};
  if (setup->fold >= 0) {
    int status = nacre_dataset_fold(t->data, (int)t->settings.folds, t->settings.folds_seed, t->settings.stratify,
                                    setup->fold, &fold);
    if (status != NACRE_OK)
      return status;
  }
  const nacre_fold *part = setup->fold >= 0 ? &fold : NULL;
  int status = NACRE_OK;
  if (!setup->evaluation && !(t->loader = open_loader(t, t->data, true, part)))
    status = NACRE_ERROR_FILE;
  if (status == NACRE_OK && t->info->evaluate &&
      !(t->checker = open_loader(t, t->validate ? t->validate : t->data, false, t->validate ? NULL : part)))
    status = NACRE_ERROR_FILE;
  free(fold.held_back);
  return status;
}

static int open_data(nacre_trainer *t, const nacre_trainer_setup *setup) {
  const nacre_trainer_options *given = setup->options;
  nacre_dataset_options options = {.folder = given && given->data ? given->data : "", .seed = t->seed};
  if (t->info->data && !(setup->evaluation && t->info->validate) &&
      !(t->data = nacre_dataset_open(t->info->data, &options)))
    return NACRE_ERROR_FILE;
  if (t->info->validate && setup->fold < 0 && !(t->validate = nacre_dataset_open(t->info->validate, &options)))
    return NACRE_ERROR_FILE;
  int status = open_shared(t, &options);
  if (status == NACRE_OK && t->info->data)
    status = open_loaders(t, setup);
  return status;
}

/* Subscripts are compared with their limits once, before any work: the message names the file and the line. */
static int check_ranges(const nacre_function *f, nacre_dataset *dataset) {
  int64_t limits[NACRE_MAX_MODELS];
  if (!f->info || !f->info->subscript_check_count || !dataset)
    return NACRE_OK;
  f->info->limits(f->dims, limits);
  for (int32_t i = 0; i < f->info->subscript_check_count; ++i) {
    int32_t argument = f->info->subscript_checks[i].argument;
    if (argument >= f->batch_fields)
      continue;
    int status = nacre_dataset_check_range(dataset, argument, limits[i]);
    if (status != NACRE_OK)
      return status;
  }
  return NACRE_OK;
}

/* ---- functions ----------------------------------------------------------------------------------------------------
 */
static int bind_functions(nacre_trainer *t, bool evaluation) {
  const nacre_train_info *info = t->info;
  const nacre_dataset *sample = t->data ? t->data : t->validate;
  const struct {
    nacre_function *function;
    const nacre_entry_info *info;
    const nacre_dataset *batch;
    bool counters;
  } list[] = {
      {&t->step, evaluation ? NULL : info->step, sample, true},
      {&t->accumulate, evaluation ? NULL : info->accumulate, sample, true},
      {&t->begin, evaluation ? NULL : info->begin, NULL, true},
      {&t->evaluate, info->evaluate, t->validate ? t->validate : sample, true},
      {&t->summary, info->summary, NULL, false},
      {&t->show, info->show, t->validate ? t->validate : sample, true},
      {&t->probe, evaluation ? NULL : info->probe, sample, true},
  };
  uint64_t most = 0;
  for (size_t i = 0; i < sizeof list / sizeof *list; ++i) {
    nacre_function *f = list[i].function;
    int status = nacre_function_bind(f, list[i].info, t, list[i].batch, list[i].counters);
    if (status == NACRE_OK && f->info)
      status = nacre_function_size(f, t->settings.batch);
    if (status != NACRE_OK)
      return status;
    uint64_t bytes = f->info ? f->info->workspace(f->dims) : 0;
    most = bytes > most ? bytes : most;
  }
  t->workspace_bytes = most;
  t->workspace = nacre_aligned_alloc((size_t)most);
  t->sums = calloc((size_t)(t->step.info ? t->step.info->result_count : 0) + 1, sizeof *t->sums);
  return t->workspace && t->sums ? NACRE_OK : no_memory(t);
}

/* Iterations per epoch: whole groups of `accumulate` batches; a block without data has one epoch of all its steps. */
static int count_iterations(nacre_trainer *t) {
  nacre_settings *s = &t->settings;
  t->batches = t->loader ? nacre_loader_batches(t->loader) : s->steps * s->accumulate;
  t->per_epoch = t->batches / s->accumulate;
  if (t->per_epoch >= 1)
    return NACRE_OK;
  if (!t->loader)
    return nacre_fail(NACRE_ERROR_ARGUMENT, "train %s: it has no data, so it needs `steps`", t->info->name);
  return nacre_fail(NACRE_ERROR_ARGUMENT,
                    "train %s: an epoch has %lld batches of %lld samples, fewer than the %lld that one iteration takes "
                    "(`accumulate`): make `batch` smaller",
                    t->info->name, (long long)t->batches, (long long)s->batch, (long long)s->accumulate);
}

static int set_up(nacre_trainer *t, const nacre_trainer_setup *setup) {
  const nacre_trainer_options *given = setup->options;
  int status = nacre_settings_read(t->info, &t->settings);
  if (status != NACRE_OK)
    return status;
  nacre_settings *s = &t->settings;
  if (given && (given->epochs > 0 || given->steps > 0)) {
    s->epochs = given->epochs;
    s->steps = given->epochs > 0 ? 0 : given->steps;
  }
  t->seed = given && given->seeded ? given->seed : s->seed;
  if (given && given->resume && !given->seeded && (status = nacre_checkpoint_seed(given->resume, &t->seed)) != NACRE_OK)
    return status;
  t->fold = setup->fold;
  t->at.stop_best = t->at.save_best = t->at.plateau_best = NAN;
  t->at.best_epoch = -1;
  size_t models = (size_t)t->module->model_count + 1;
  t->models = calloc(models, sizeof *t->models);
  if (!t->models)
    return no_memory(t);
  status = nacre_trainer_open_models(t, setup);
  if (status == NACRE_OK)
    status = open_data(t, setup);
  if (status == NACRE_OK)
    status = bind_functions(t, setup->evaluation);
  if (status == NACRE_OK && !setup->evaluation)
    status = check_ranges(&t->step, t->data);
  if (status == NACRE_OK)
    status = check_ranges(&t->evaluate, t->validate);
  if (status == NACRE_OK && !setup->evaluation)
    status = count_iterations(t);
  if (status == NACRE_OK && given && given->resume)
    status = nacre_checkpoint_read(t, given->resume);
  return status;
}

nacre_trainer *nacre_trainer_open(const nacre_module_info *module, const nacre_train_info *train,
                                  const nacre_trainer_setup *setup) {
  if (check_tables(module, train) != NACRE_OK)
    return NULL;
  nacre_trainer *t = calloc(1, sizeof *t);
  if (!t) {
    nacre_fail(NACRE_ERROR_MEMORY, "train %s: out of memory", train->name);
    return NULL;
  }
  t->module = module;
  t->info = train;
  if (set_up(t, setup) == NACRE_OK)
    return t;
  nacre_trainer_destroy(t);
  return NULL;
}

nacre_trainer *nacre_trainer_create(const nacre_module_info *module, const nacre_train_info *train,
                                    const nacre_trainer_options *options) {
  nacre_trainer_setup setup = {.options = options, .fold = -1};
  if (!module || !train) /* nacre_fitting has said why */
    return NULL;
  return nacre_trainer_open(module, train, &setup);
}

void nacre_trainer_destroy(nacre_trainer *t) {
  if (!t)
    return;
  nacre_loader_close(t->loader);
  nacre_loader_close(t->checker);
  for (int32_t i = 0; t->models && i < t->module->model_count; ++i)
    nacre_model_close(t->models[i]);
  nacre_function *functions[] = {&t->step, &t->accumulate, &t->begin, &t->evaluate, &t->summary, &t->show, &t->probe};
  for (size_t i = 0; i < sizeof functions / sizeof *functions; ++i)
    nacre_function_release(functions[i]);
  size_t at = 0;
  for (int32_t i = 0; t->shared && i < t->info->shared_count; ++i) {
    for (int field = 0; t->shared_fields && t->shared[i] && field < nacre_dataset_field_count(t->shared[i]); ++field)
      free(t->shared_fields[at++]);
    nacre_dataset_close(t->shared[i]);
  }
  free(t->shared_fields);
  free(t->shared);
  nacre_dataset_close(t->data);
  nacre_dataset_close(t->validate);
  nacre_measures_release(&t->now);
  nacre_history_release(&t->history);
  free(t->models);
  free(t->workspace);
  free(t->sums);
  free(t);
}

/* ---- iterations ---------------------------------------------------------------------------------------------------
 */
bool nacre_trainer_epoch_over(const nacre_trainer *t) { return t->at.done == t->per_epoch; }

bool nacre_trainer_finished(const nacre_trainer *t) {
  if (t->settings.steps > 0)
    return t->at.iteration >= t->settings.steps;
  return t->at.epoch * t->per_epoch + t->at.done >= t->settings.epochs * t->per_epoch;
}

double nacre_trainer_loss(const nacre_trainer *t) {
  int32_t loss = nacre_function_result(&t->step, "loss");
  if (loss < 0)
    loss = t->step.info->result_count ? 0 : -1;
  return loss < 0 || t->at.done == 0 ? NAN : t->sums[loss] / (double)t->at.done;
}

bool nacre_is_logged(const nacre_field_info *result) {
  return result->rank == 0 && strncmp(result->name, "stores.", 7) != 0;
}

/* The newest of what a step logs: the mean over the epoch, but the newest learning rate. */
static void note_values(nacre_trainer *t) {
  for (int32_t i = 0; i < t->step.info->result_count; ++i) {
    const nacre_field_info *result = &t->step.info->results[i];
    bool newest = strcmp(result->name, "learning_rate") == 0;
    if (nacre_is_logged(result))
      nacre_measures_set_number(&t->now, result->name,
                                newest ? nacre_function_number(&t->step, i) : t->sums[i] / (double)t->at.done);
  }
}

static int next_batch(nacre_trainer *t, nacre_batch *batch) {
  static void *const nothing[] = {NULL};
  *batch = (nacre_batch){.fields = nothing};
  if (!t->loader)
    return NACRE_OK;
  int status = nacre_loader_next(t->loader, batch);
  if (status == NACRE_OK && batch->count != t->settings.batch)
    status = nacre_fail(NACRE_ERROR_FORMAT, "train %s: a batch of %lld samples came instead of %lld", t->info->name,
                        (long long)batch->count, (long long)t->settings.batch);
  return status;
}

/* Is every number that the function gave finite? Where there is a loss, only that counts: it is what stops a run. */
static int32_t not_finite(const nacre_function *f) {
  int32_t loss = nacre_function_result(f, "loss");
  for (int32_t i = loss < 0 ? 0 : loss; i < (loss < 0 ? f->info->result_count : loss + 1); ++i)
    if (nacre_is_logged(&f->info->results[i]) && !isfinite(nacre_function_number(f, i)))
      return i;
  return -1;
}

/* Did a `step` block write something that is no number? Then it has not been stored. */
static bool stores_failed(const nacre_function *f) {
  int32_t good = nacre_function_result(f, "stores.good");
  return good >= 0 && nacre_function_number(f, good) == 0;
}

static int run_batch(nacre_trainer *t, nacre_function *f, int64_t part, double weight) {
  nacre_batch batch;
  int status = next_batch(t, &batch);
  if (status == NACRE_OK)
    status = nacre_function_call(f, t, batch.fields,
                                 nacre_seed(t->seed, NACRE_SEED_STEP, (uint64_t)t->at.iteration, (uint64_t)part));
  if (status != NACRE_OK)
    return status;
  int32_t bad = not_finite(f);
  if (bad >= 0)
    return nacre_fault_report(t, batch.fields, batch.samples, batch.count, f->info->results[bad].name,
                              nacre_function_number(f, bad));
  if (stores_failed(f))
    return nacre_fault_report(t, batch.fields, batch.samples, batch.count, NULL, NAN);
  for (int32_t i = 0; i < f->info->result_count; ++i)
    if (nacre_is_logged(&f->info->results[i]))
      t->sums[i] += weight * nacre_function_number(f, i);
  return NACRE_OK;
}

static int start_epoch(nacre_trainer *t) {
  if (nacre_trainer_epoch_over(t)) {
    ++t->at.epoch;
    t->at.done = 0;
  }
  if (t->at.done == 0)
    memset(t->sums, 0, (size_t)t->step.info->result_count * sizeof *t->sums);
  t->streaming = true;
  return t->loader ? nacre_loader_start(t->loader, t->at.epoch, t->at.done * t->settings.accumulate) : NACRE_OK;
}

int nacre_trainer_iterate(nacre_trainer *t) {
  double start = seconds();
  int status = NACRE_OK;
  if (t->begin.info && !t->at.begun) {
    static void *const nothing[] = {NULL};
    status = nacre_function_call(&t->begin, t, nothing, nacre_seed(t->seed, NACRE_SEED_BEGIN, 0, 0));
  }
  t->at.begun = 1;
  if (status == NACRE_OK && (!t->streaming || t->at.done == 0 || nacre_trainer_epoch_over(t)))
    status = start_epoch(t);
  int64_t parts = t->settings.accumulate;
  for (int64_t part = 0; part < parts && status == NACRE_OK; ++part) {
    bool last = part + 1 == parts || !t->accumulate.info;
    status = run_batch(t, last ? &t->step : &t->accumulate, part, 1.0 / (double)parts);
  }
  if (status != NACRE_OK)
    return status;
  ++t->at.iteration;
  ++t->at.done;
  note_values(t);
  t->at.seconds += seconds() - start;
  return NACRE_OK;
}

int nacre_trainer_close_epoch(nacre_trainer *t) {
  double start = seconds();
  int status = NACRE_OK;
  if (t->checker && (t->validate || t->fold >= 0))
    status = nacre_trainer_measure(t, "validate");
  else if (t->checker && (t->summary.info || t->evaluate.info->result_count > 1)) /* metrics of the training data */
    status = nacre_trainer_measure(t, "train");
  if (status != NACRE_OK)
    return status;
  t->at.seconds += seconds() - start;
  if (!nacre_measures_set_number(&t->now, "epoch", (double)t->at.epoch) ||
      !nacre_measures_set_number(&t->now, "iteration", (double)t->at.iteration) ||
      !nacre_measures_set_number(&t->now, "seconds", t->at.seconds))
    return no_memory(t);
  status = nacre_history_add(&t->history, &t->now);
  if (status == NACRE_OK)
    t->at.closed = t->at.epoch + 1;
  return status == NACRE_OK ? nacre_watch_plateau(t) : status;
}

/* ---- the C interface ----------------------------------------------------------------------------------------------
 */
static int missing(const char *what) {
  return nacre_fail(NACRE_ERROR_ARGUMENT, "%s is a null pointer (did its creation fail?)", what);
}

int nacre_trainer_step(nacre_trainer *t, double *loss) {
  if (!t)
    return missing("the trainer");
  int status = nacre_trainer_iterate(t);
  if (status == NACRE_OK && loss) {
    int32_t result = nacre_function_result(&t->step, "loss");
    *loss = result >= 0 ? nacre_function_number(&t->step, result) : NAN;
  }
  return status;
}

int nacre_trainer_epoch(nacre_trainer *t, double *loss) {
  if (!t)
    return missing("the trainer");
  int status;
  do
    status = nacre_trainer_iterate(t);
  while (status == NACRE_OK && !nacre_trainer_epoch_over(t));
  if (status == NACRE_OK)
    status = nacre_trainer_close_epoch(t);
  if (status == NACRE_OK && loss)
    *loss = nacre_trainer_loss(t);
  return status;
}

int nacre_trainer_evaluate(nacre_trainer *t, double *loss) {
  if (!t)
    return missing("the trainer");
  if (!t->checker)
    return nacre_fail(NACRE_ERROR_UNSUPPORTED,
                      "train %s has nothing to evaluate: it needs `loss` or `metrics`, and data", t->info->name);
  const char *prefix = t->validate || t->fold >= 0 ? "validate" : "train";
  int status = nacre_trainer_measure(t, prefix);
  if (status == NACRE_OK && loss)
    *loss = nacre_trainer_value(t, t->validate || t->fold >= 0 ? "validate.loss" : "train.loss");
  return status;
}

double nacre_trainer_value(nacre_trainer *t, const char *name) {
  if (!t || !name)
    return NAN;
  static const char *const prefixes[] = {"", "validate.", "train."};
  char full[256];
  for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; ++i) {
    snprintf(full, sizeof full, "%s%s", prefixes[i], name);
    const nacre_measure *measure = nacre_measures_find(&t->now, full);
    if (measure && measure->rank == 0)
      return measure->values[0];
  }
  return NAN;
}

int nacre_trainer_save(nacre_trainer *t, const char *path) {
  return !t ? missing("the trainer") : !path ? missing("the path") : nacre_weights_write_all(t, path);
}

int nacre_trainer_checkpoint(nacre_trainer *t, const char *path) {
  return !t ? missing("the trainer") : !path ? missing("the path") : nacre_checkpoint_write(t, path);
}
