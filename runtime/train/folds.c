/* Cross-validation: the block is trained once per fold with fresh weights, and measured on the samples held back. What
   comes out is the mean of each value over the folds and its standard deviation; no weights are written. */
#include "command.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The last values of every fold, one row each. */
static int run_fold(const nacre_command *command, const nacre_train_info *train, nacre_trainer *before, int fold,
                    int folds, nacre_log *log, nacre_history *results) {
  nacre_trainer_options options = {.seed = command->seed,
                                   .seeded = command->seeded,
                                   .epochs = command->epochs,
                                   .steps = command->steps,
                                   .data = command->data,
                                   .weights = command->weights};
  nacre_trainer_setup setup = {.options = &options, .before = before, .fresh = command->fresh, .fold = fold};
  nacre_trainer *t = nacre_trainer_open(command->module, train, &setup);
  if (!t)
    return NACRE_ERROR_ARGUMENT;
  char label[256];
  snprintf(label, sizeof label, "%s fold %d/%d", train->name, fold + 1, folds);
  nacre_progress progress;
  nacre_run_files files = {0};
  const char *reason;
  nacre_progress_begin(&progress, t, label, command->quiet);
  int status = nacre_log_start(log, t);
  if (status == NACRE_OK)
    status = nacre_run_loop(t, &files, &progress, log, &reason);
  if (status == NACRE_INTERRUPTED)
    nacre_progress_say(&progress, "interrupted; a cross-validation begins anew the next time");
  if (status == NACRE_OK)
    status = nacre_log_end(log, t, reason, NULL);
  if (status == NACRE_OK)
    status = nacre_history_add(results, &t->now);
  nacre_trainer_destroy(t);
  return status;
}

/* Mean and sample standard deviation over the rows that have the value. */
static size_t statistics(const nacre_history *results, size_t column, double *mean, double *deviation) {
  double sum = 0, squares = 0;
  size_t count = 0;
  for (size_t row = 0; row < results->rows; ++row) {
    double value = results->values[row * results->columns + column];
    sum += isnan(value) ? 0 : value;
    count += !isnan(value);
  }
  *mean = count ? sum / (double)count : NAN;
  for (size_t row = 0; row < results->rows; ++row) {
    double value = results->values[row * results->columns + column];
    squares += isnan(value) ? 0 : (value - *mean) * (value - *mean);
  }
  *deviation = count > 1 ? sqrt(squares / (double)(count - 1)) : 0;
  return count;
}

static bool is_result(const char *name) {
  return strcmp(name, "epoch") != 0 && strcmp(name, "iteration") != 0 && strcmp(name, "seconds") != 0;
}

static void print_results(const nacre_command *command, const nacre_train_info *train, const nacre_history *results) {
  double mean, deviation;
  if (command->json)
    printf("{\"train\": \"%s\", \"folds\": %zu", train->name, results->rows);
  for (size_t i = 0; i < results->columns; ++i) {
    if (!is_result(results->names[i]) || !statistics(results, i, &mean, &deviation))
      continue;
    if (command->json)
      printf(", \"%s\": {\"mean\": %.17g, \"deviation\": %.17g}", results->names[i], mean, deviation);
    else
      printf("%-24s %.6g +- %.3g over %zu folds\n", results->names[i], mean, deviation, results->rows);
  }
  if (command->json)
    printf("}\n");
}

int nacre_run_folds(const nacre_command *command, const nacre_train_info *train, nacre_trainer *before) {
  nacre_settings settings;
  nacre_log log = {0};
  nacre_history results = {0};
  int status = nacre_settings_read(train, &settings);
  if (status == NACRE_OK && command->resume)
    status = nacre_fail(NACRE_ERROR_UNSUPPORTED, "train %s: a cross-validation cannot be resumed", train->name);
  if (status == NACRE_OK)
    status = nacre_log_open(&log, command->log, command->append);
  for (int fold = 0; fold < settings.folds && status == NACRE_OK; ++fold)
    status = run_fold(command, train, before, fold, (int)settings.folds, &log, &results);
  if (status == NACRE_OK)
    print_results(command, train, &results);
  int closed = log.stream ? nacre_log_close(&log) : NACRE_OK;
  nacre_history_release(&results);
  return status == NACRE_OK ? closed : status;
}
