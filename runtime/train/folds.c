/* Cross-validation: the block is trained once per fold with fresh weights, and measured on the samples held back. What
   comes out is the mean of each value over the folds and its standard deviation; the weights of each fold stay as
   STEM.foldN.safetensors.

   Two files let it go on after it was stopped: a record of the folds that are done (the file that --resume names:
   folds/identity, folds/rows, fold N/names, fold N/values, tables/NAME), and beside it the checkpoint of the fold that
   runs. Fresh runs begin by writing an empty record and removing the checkpoints of others. */
#include "command.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LAYOUT = 1, IDENTITY = 6 };

typedef struct validation {
  const nacre_command *command;
  const nacre_train_info *train;
  nacre_settings settings;
  nacre_trainer *before, *last; /* of `after`; the newest fold's */
  nacre_run_files files;        /* stems of those of the folds */
  nacre_log log;
  nacre_fold_results results;
  int64_t identity[IDENTITY];
} validation;

/* ---- results ------------------------------------------------------------------------------------------------------
 */
bool nacre_is_position(const char *name) {
  return strcmp(name, "epoch") == 0 || strcmp(name, "iteration") == 0 || strcmp(name, "seconds") == 0;
}

double nacre_fold_value(const nacre_fold_results *results, int fold, const char *name) {
  return nacre_history_value(&results->histories[fold], results->rows[fold], name);
}

nacre_spread nacre_fold_spread(const nacre_fold_results *results, const char *name) {
  nacre_spread spread = {0, 0, 0};
  for (int fold = 0; fold < results->done; ++fold) {
    double value = nacre_fold_value(results, fold, name);
    spread.mean += isnan(value) ? 0 : value;
    spread.count += !isnan(value);
  }
  spread.mean = spread.count ? spread.mean / spread.count : NAN;
  double squares = 0;
  for (int fold = 0; fold < results->done; ++fold) {
    double value = nacre_fold_value(results, fold, name);
    squares += isnan(value) ? 0 : (value - spread.mean) * (value - spread.mean);
  }
  spread.deviation = spread.count > 1 ? sqrt(squares / (spread.count - 1)) : 0;
  return spread;
}

static void release_results(nacre_fold_results *results) {
  for (int i = 0; i < results->done; ++i)
    nacre_history_release(&results->histories[i]);
  free(results->histories);
  free(results->rows);
  nacre_measures_release(&results->tables);
}

/* What a finished fold leaves: its history, the row that its weights belong to, its matrix of counts. */
static int take_results(nacre_fold_results *results, nacre_trainer *t) {
  size_t row = t->history.rows ? t->history.rows - 1 : 0;
  bool best = t->settings.best_path && t->at.best_epoch >= 0;
  while (best && row > 0 && nacre_history_value(&t->history, row, "epoch") != (double)t->at.best_epoch)
    --row;
  for (size_t i = 0; i < t->now.count && row + 1 == t->history.rows; ++i) {
    const nacre_measure *measure = &t->now.list[i];
    const char *dot = strrchr(measure->name, '.');
    if (measure->rank != 2 || strcmp(dot ? dot + 1 : measure->name, "confusion") != 0)
      continue;
    const nacre_measure *before = nacre_measures_find(&results->tables, measure->name);
    bool known = before && before->count == measure->count; /* a record may be of an older version of the source */
    nacre_measure *sum = nacre_measures_set(&results->tables, measure->name, 2, measure->extents);
    if (!sum)
      return nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
    for (size_t k = 0; k < sum->count; ++k)
      sum->values[k] = (known ? sum->values[k] : 0) + measure->values[k];
  }
  results->rows[results->done] = row;
  results->histories[results->done++] = t->history; /* it changes hands */
  t->history = (nacre_history){0};
  return NACRE_OK;
}

/* ---- the record ---------------------------------------------------------------------------------------------------
 */
static int write_record(const validation *v) {
  const nacre_fold_results *results = &v->results;
  nacre_storage storage = {0};
  nacre_text *names = calloc((size_t)results->folds, sizeof *names);
  int64_t *rows = calloc((size_t)results->folds, sizeof *rows), identity = IDENTITY, done = results->done;
  int status = names && rows ? NACRE_OK : nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
  for (int i = 0; i < results->done && status == NACRE_OK; ++i) {
    char prefix[32];
    snprintf(prefix, sizeof prefix, "fold %d", i + 1);
    rows[i] = (int64_t)results->rows[i];
    status = nacre_history_store(&storage, &results->histories[i], prefix, &names[i]);
  }
  if (status == NACRE_OK)
    status = nacre_storage_add(&storage, NACRE_I64, 1, &identity, v->identity, "folds/identity");
  if (status == NACRE_OK)
    status = nacre_storage_add(&storage, NACRE_I64, 1, &done, rows, "folds/rows");
  for (size_t i = 0; i < results->tables.count && status == NACRE_OK; ++i) {
    const nacre_measure *table = &results->tables.list[i];
    status = nacre_storage_add(&storage, NACRE_F64, 2, table->extents, table->values, "tables/%s", table->name);
  }
  nacre_storage_note(&storage, "nacre", "folds of train %s: %d of %d are done", v->train->name, results->done,
                     results->folds);
  if (status == NACRE_OK)
    status = nacre_storage_write(&storage, v->files.checkpoint);
  nacre_storage_release(&storage);
  for (int i = 0; names && i < results->folds; ++i)
    free(names[i].data);
  free(names);
  free(rows);
  return status;
}

static int unfit(const char *path, const char *what) {
  return nacre_fail(NACRE_ERROR_FORMAT, "%s cannot be resumed: %s", path, what);
}

static int read_tables(nacre_fold_results *results, const nacre_safetensors *file) {
  size_t prefix = strlen("tables/");
  const nacre_stored *stored;
  for (size_t i = 0; (stored = nacre_safetensors_stored(file, i)) != NULL; ++i) {
    if (strncmp(stored->name, "tables/", prefix) != 0 || stored->type != NACRE_F64 || stored->rank != 2)
      continue;
    nacre_measure *table = nacre_measures_set(&results->tables, stored->name + prefix, 2, stored->extents);
    if (!table)
      return nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
    memcpy(table->values, stored->data, stored->bytes);
  }
  return NACRE_OK;
}

static int read_record(validation *v, const char *path) {
  static const char *const what[IDENTITY] = {
      "its layout is of another version of Nacre", "it was made with another seed",
      "it was made with another `batch`",          "it was made with another `accumulate`",
      "it was made with another number of folds",  "it was made with another seed of the folds"};
  nacre_fold_results *results = &v->results;
  nacre_safetensors *file = nacre_safetensors_open(path);
  if (!file)
    return NACRE_ERROR_FILE;
  const nacre_stored *identity = nacre_safetensors_find(file, "folds/identity");
  const nacre_stored *rows = nacre_safetensors_find(file, "folds/rows");
  int status = NACRE_OK;
  if (!identity || !rows || identity->type != NACRE_I64 || identity->bytes != sizeof v->identity ||
      rows->type != NACRE_I64 || rows->rank != 1 || rows->extents[0] > results->folds)
    status = unfit(path, "it is no record of a cross-validation");
  for (int i = 0; i < IDENTITY && status == NACRE_OK; ++i) {
    int64_t stored;
    memcpy(&stored, (const char *)identity->data + (size_t)i * sizeof stored, sizeof stored);
    if (stored != v->identity[i])
      status = nacre_fail(NACRE_ERROR_FORMAT, "%s cannot be resumed: %s (%lld there, %lld here)", path, what[i],
                          (long long)stored, (long long)v->identity[i]);
  }
  for (int64_t i = 0; status == NACRE_OK && i < rows->extents[0]; ++i) {
    char prefix[32];
    int64_t row;
    snprintf(prefix, sizeof prefix, "fold %lld", (long long)i + 1);
    memcpy(&row, (const char *)rows->data + (size_t)i * sizeof row, sizeof row);
    status = nacre_history_load(file, path, prefix, &results->histories[i]);
    if (status != NACRE_OK)
      break;
    results->rows[i] = (size_t)row;
    ++results->done;
    if (row < 0 || (size_t)row >= results->histories[i].rows)
      status = unfit(path, "its rows lie outside of its histories");
  }
  if (status == NACRE_OK)
    status = read_tables(results, file);
  nacre_safetensors_close(file);
  return status;
}

/* ---- one fold -----------------------------------------------------------------------------------------------------
 */
/* out/net.safetensors -> out/net.fold2.safetensors */
static char *of_fold(const char *path, int fold) {
  char name[32];
  snprintf(name, sizeof name, "fold%d", fold + 1);
  return nacre_weights_path(path, name);
}

static int run_fold(validation *v, int fold, bool resumed) {
  const nacre_command *command = v->command;
  nacre_run_files files = {.weights = of_fold(v->files.weights, fold),
                           .checkpoint = of_fold(v->files.checkpoint, fold),
                           .named_checkpoint = v->files.named_checkpoint};
  if (!files.weights || !files.checkpoint) {
    nacre_release_files(&files);
    return nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
  }
  bool goes_on = resumed && access(files.checkpoint, F_OK) == 0;
  nacre_trainer_options options = {.seed = command->seed,
                                   .seeded = command->seeded,
                                   .epochs = command->epochs,
                                   .steps = command->steps,
                                   .data = command->data,
                                   .weights = command->weights,
                                   .resume = goes_on ? files.checkpoint : NULL};
  nacre_trainer_setup setup = {.options = &options, .before = v->before, .fresh = command->fresh, .fold = fold};
  nacre_trainer_destroy(v->last);
  nacre_trainer *t = v->last = nacre_trainer_open(command->module, v->train, &setup);
  nacre_progress progress;
  const char *reason;
  int status = t ? NACRE_OK : NACRE_ERROR_ARGUMENT;
  if (status == NACRE_OK) {
    char label[256];
    snprintf(label, sizeof label, "%s fold %d/%d", v->train->name, fold + 1, v->results.folds);
    nacre_progress_begin(&progress, t, label, command->quiet);
    if (goes_on)
      nacre_progress_say(&progress, "%s: goes on after iteration %lld", label, (long long)t->at.iteration);
    status = nacre_log_start(&v->log, t);
    if (status == NACRE_OK)
      status = nacre_run_loop(t, &files, &progress, &v->log, &reason);
    if (status == NACRE_INTERRUPTED) {
      int failed = nacre_checkpoint_write(t, files.checkpoint);
      if (failed == NACRE_OK)
        nacre_say_how_to_resume(&progress, command, t, v->files.checkpoint);
      status = failed == NACRE_OK ? status : failed;
    }
  }
  if (status == NACRE_OK && !(t->settings.best_path && t->at.best_epoch >= 0))
    status = nacre_weights_write_all(t, files.weights);
  if (status == NACRE_OK)
    status = nacre_log_end(&v->log, t, reason, files.weights);
  if (status == NACRE_OK)
    status = take_results(&v->results, t);
  if (status == NACRE_OK)
    status = write_record(v);
  if (status == NACRE_OK)
    unlink(files.checkpoint);
  nacre_release_files(&files);
  return status;
}

/* ---- the whole ----------------------------------------------------------------------------------------------------
 */
static void print_results(const validation *v) {
  const nacre_fold_results *results = &v->results;
  const nacre_history *first = &results->histories[0];
  nacre_text line = {0};
  nacre_text_add(&line, "{\"train\": ");
  nacre_text_add_json(&line, v->train->name);
  nacre_text_add(&line, ", \"folds\": %d", results->done);
  for (size_t i = 0; i < first->columns; ++i) {
    const char *name = first->names[i];
    nacre_spread spread = nacre_fold_spread(results, name);
    if (nacre_is_position(name) || !spread.count)
      continue;
    if (!v->command->json)
      printf("%-24s %.6g +- %.3g over %d folds\n", name, spread.mean, spread.deviation, results->done);
    nacre_text_add(&line, ", ");
    nacre_text_add_json(&line, name);
    nacre_text_add(&line, ": {\"mean\": %.17g, \"deviation\": %.17g, \"values\": [", spread.mean, spread.deviation);
    for (int fold = 0; fold < results->done; ++fold) {
      double value = nacre_fold_value(results, fold, name);
      nacre_text_add(&line, fold ? ", " : "");
      nacre_text_add(&line, isfinite(value) ? "%.17g" : "null", value);
    }
    nacre_text_add(&line, "]}");
  }
  if (v->command->json)
    printf("%s}\n", line.data && !line.failed ? line.data : "{\"error\": \"out of memory\"");
  free(line.data);
}

static int start(validation *v, const char *resume) {
  const nacre_command *command = v->command;
  nacre_settings *s = &v->settings;
  v->results.folds = (int)s->folds;
  v->results.histories = calloc((size_t)s->folds, sizeof *v->results.histories);
  v->results.rows = calloc((size_t)s->folds, sizeof *v->results.rows);
  const int64_t identity[IDENTITY] = {LAYOUT,   (int64_t)(command->seeded ? command->seed : s->seed),
                                      s->batch, s->accumulate,
                                      s->folds, (int64_t)s->folds_seed};
  memcpy(v->identity, identity, sizeof identity);
  if (!v->results.histories || !v->results.rows)
    return nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
  if (resume) {
    int status = read_record(v, resume);
    if (status == NACRE_OK && strcmp(resume, v->files.checkpoint) != 0) { /* its folds stand beside it */
      free(v->files.checkpoint);
      if (!(v->files.checkpoint = strdup(resume)))
        status = nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
    }
    return status;
  }
  for (int fold = 0; fold < v->results.folds; ++fold) {
    char *stale = of_fold(v->files.checkpoint, fold);
    if (stale)
      unlink(stale);
    free(stale);
  }
  return write_record(v);
}

static int finish(validation *v) {
  int status = NACRE_OK;
  if (v->last) /* none: all folds were done before */
    status = nacre_report_write_folds(v->last, v->files.report, &v->results);
  if (status != NACRE_OK)
    return status;
  if (!v->files.named_checkpoint)
    unlink(v->files.checkpoint);
  if (!v->command->quiet) {
    char *first = of_fold(v->files.weights, 0);
    fprintf(stderr, "%s: wrote %s and so on, one per fold%s%s\n", v->train->name, first ? first : "",
            v->last ? ", and " : "", v->last ? v->files.report : "");
    free(first);
  }
  print_results(v);
  return NACRE_OK;
}

int nacre_run_folds(const nacre_command *command, const nacre_train_info *train, nacre_trainer *before) {
  validation v = {.command = command, .train = train, .before = before};
  int status = nacre_settings_read(train, &v.settings);
  if (status == NACRE_OK)
    status = nacre_name_files(command, train, &v.settings, &v.files);
  const char *resume = status == NACRE_OK ? nacre_resumed(command, &v.settings) : NULL;
  if (status == NACRE_OK)
    status = start(&v, resume);
  if (status == NACRE_OK)
    status = nacre_log_open(&v.log, command->log, command->append || resume);
  while (v.results.done < v.results.folds && status == NACRE_OK)
    status = run_fold(&v, v.results.done, resume != NULL);
  if (status == NACRE_OK)
    status = finish(&v);
  int closed = v.log.stream ? nacre_log_close(&v.log) : NACRE_OK;
  nacre_trainer_destroy(v.last);
  release_results(&v.results);
  nacre_release_files(&v.files);
  return status == NACRE_OK ? closed : status;
}
