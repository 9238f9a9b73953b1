/* A whole run: epochs until it is finished, gives up early, is interrupted or fails; weights, checkpoints, log and
   report on the way. */
#include "command.h"
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Without `checkpoint: every`, a run keeps a checkpoint of its own and removes it at the end. It is written at most
   this often, and seldom enough to cost no more than a twentieth of the time. */
static const double own_checkpoint_seconds = 10, own_checkpoint_share = 20;

/* A signal may arrive twice for one Ctrl-C: from the terminal, and passed on by `nacre train`. */
static const double same_signal_seconds = 0.5;

static volatile sig_atomic_t interrupted;
static double interrupted_at;

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void on_interrupt(int number) {
  if (interrupted && seconds() - interrupted_at > same_signal_seconds) {
    signal(number, SIG_DFL);
    raise(number);
  }
  if (!interrupted)
    interrupted_at = seconds();
  interrupted = 1;
}

/* The first Ctrl-C asks the run to end after its step, a later one ends the process. */
void nacre_catch_interrupts(void) {
  struct sigaction action = {.sa_handler = on_interrupt};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
}

bool nacre_interrupted(void) { return interrupted != 0; }

static int keep_best(nacre_trainer *t, const nacre_run_files *files) {
  bool best = false;
  if (!t->settings.best_path || !files->weights)
    return NACRE_OK;
  int status = nacre_watch_best(t, &best);
  return best ? nacre_weights_write_all(t, files->weights) : status;
}

/* ---- the loop -----------------------------------------------------------------------------------------------------
 */
typedef struct checkpoints {
  double last, cost; /* when the last one was done, and how long it took: seconds */
} checkpoints;

static int save_checkpoint(const nacre_trainer *t, const nacre_run_files *files, checkpoints *saved) {
  double now = seconds();
  int status = nacre_checkpoint_write(t, files->checkpoint);
  *saved = (checkpoints){seconds(), seconds() - now};
  return status;
}

static bool own_is_due(const nacre_run_files *files, const checkpoints *saved) {
  if (!files->checkpoint || files->named_checkpoint)
    return false;
  double passed = seconds() - saved->last;
  return passed > own_checkpoint_seconds && passed > own_checkpoint_share * saved->cost;
}

static bool named_is_due(const nacre_trainer *t, const nacre_run_files *files) {
  return files->checkpoint && files->named_checkpoint && t->at.closed % t->settings.every == 0;
}

static int end_epoch(nacre_trainer *t, const nacre_run_files *files, nacre_progress *progress, nacre_log *log,
                     checkpoints *saved) {
  int status = nacre_trainer_close_epoch(t);
  if (status == NACRE_OK) {
    nacre_progress_epoch(progress, t);
    status = nacre_log_epoch(log, t, nacre_progress_speed(progress, t));
  }
  if (status == NACRE_OK)
    status = keep_best(t, files);
  if (status == NACRE_OK)
    status = nacre_watch_stop(t);
  if (status == NACRE_OK && (named_is_due(t, files) || own_is_due(files, saved)))
    status = save_checkpoint(t, files, saved);
  return status;
}

int nacre_run_loop(nacre_trainer *t, const nacre_run_files *files, nacre_progress *progress, nacre_log *log,
                   const char **reason) {
  checkpoints saved = {seconds(), 0};
  int status = NACRE_OK;
  *reason = "finished";
  while (status == NACRE_OK) {
    if (nacre_trainer_epoch_over(t) && t->at.closed <= t->at.epoch)
      status = end_epoch(t, files, progress, log, &saved);
    if (status != NACRE_OK || nacre_trainer_finished(t))
      break;
    if (nacre_gives_up(t)) {
      *reason = "stopped early";
      break;
    }
    if (interrupted) {
      *reason = "interrupted";
      return NACRE_INTERRUPTED;
    }
    status = nacre_trainer_iterate(t);
    if (status == NACRE_OK)
      nacre_progress_step(progress, t);
    if (status == NACRE_OK && !nacre_trainer_epoch_over(t) && own_is_due(files, &saved))
      status = save_checkpoint(t, files, &saved);
  }
  if (status == NACRE_OK && t->at.done > 0 && t->at.closed <= t->at.epoch) /* `steps` ended within an epoch */
    status = end_epoch(t, files, progress, log, &saved);
  if (status != NACRE_OK)
    *reason = "failed";
  return status;
}

/* ---- files --------------------------------------------------------------------------------------------------------
 */
/* PATH with another ending: out/mlp.safetensors, .html -> out/mlp.html */
char *nacre_beside(const char *path, const char *ending) {
  const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
  size_t stem = dot && dot != path && (!slash || dot > slash) ? (size_t)(dot - path) : strlen(path);
  char *result = NULL;
  return asprintf(&result, "%.*s%s", (int)stem, path, ending) < 0 ? NULL : result;
}

int nacre_name_files(const nacre_command *command, const nacre_train_info *train, const nacre_settings *settings,
                     nacre_run_files *files) {
  *files = (nacre_run_files){.named_checkpoint = settings->every > 0 && settings->every_path};
  if (command->out && command->train)
    files->weights = strdup(command->out);
  else if (settings->best_path)
    files->weights = strdup(settings->best_path);
  else if (asprintf(&files->weights, "%s.safetensors", train->name) < 0)
    files->weights = NULL;
  if (files->weights) {
    files->checkpoint = files->named_checkpoint ? strdup(settings->every_path) : nacre_beside(files->weights, ".train");
    files->report = command->report ? strdup(command->report) : nacre_beside(files->weights, ".html");
  }
  if (!files->weights || !files->checkpoint || !files->report)
    return nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
  return NACRE_OK;
}

void nacre_release_files(nacre_run_files *files) {
  free(files->weights);
  free(files->checkpoint);
  free(files->report);
}

const char *nacre_resumed(const nacre_command *command, const nacre_settings *settings) {
  if (command->resume)
    return command->resume;
  if (!settings->resume_path || (settings->resume_optional && access(settings->resume_path, F_OK) != 0))
    return NULL;
  return settings->resume_path;
}

void nacre_say_how_to_resume(nacre_progress *progress, const nacre_command *command, const nacre_trainer *t,
                             const char *checkpoint) {
  const char *driver = getenv("NACRE_TRAINER_COMMAND"); /* `nacre train FILE` runs this program for a person */
  nacre_progress_say(progress, "interrupted after iteration %lld; go on with\n  %s%s %s --resume %s%s%s%s%s",
                     (long long)t->at.iteration, driver ? driver : command->program, driver ? "" : " train",
                     t->info->name, checkpoint, command->out ? " --out " : "", command->out ? command->out : "",
                     command->data ? " --data-dir " : "", command->data ? command->data : "");
}

/* ---- one run ------------------------------------------------------------------------------------------------------
 */
/* The last values; where the weights are those of the best epoch, also that epoch's. */
static void print_results(const nacre_trainer *t, const nacre_command *command, const char *weights, bool best) {
  size_t row = 0;
  while (best && row + 1 < t->history.rows &&
         nacre_history_value(&t->history, row, "epoch") != (double)t->at.best_epoch)
    ++row;
  if (!command->json) {
    nacre_measures_print(stdout, &t->now, "");
    for (size_t i = 0; best && i < t->history.columns; ++i)
      printf("best.%-15s %.6g\n", t->history.names[i],
             t->history.values[row * t->history.columns + i] + (strcmp(t->history.names[i], "epoch") == 0));
    return;
  }
  nacre_text line = {0};
  nacre_text_add(&line, "{\"train\": ");
  nacre_text_add_json(&line, t->info->name);
  nacre_text_add(&line, ", \"weights\": ");
  nacre_text_add_json(&line, weights);
  nacre_measures_json(&line, &t->now);
  if (best) {
    nacre_measures of_best = {0};
    for (size_t i = 0; i < t->history.columns; ++i)
      nacre_measures_set_number(&of_best, t->history.names[i], t->history.values[row * t->history.columns + i]);
    nacre_text_add(&line, ", \"best\": {\"weights\": ");
    nacre_text_add_json(&line, weights);
    nacre_measures_json(&line, &of_best);
    nacre_text_add(&line, "}");
    nacre_measures_release(&of_best);
  }
  printf("%s}\n", line.data && !line.failed ? line.data : "{\"error\": \"out of memory\"");
  free(line.data);
}

static int finish(nacre_trainer *t, const nacre_command *command, const nacre_run_files *files,
                  nacre_progress *progress, nacre_log *log, const char *reason) {
  int status = NACRE_OK;
  bool best = t->settings.best_path && t->at.best_epoch >= 0;
  if (!best)
    status = nacre_weights_write_all(t, files->weights);
  if (status == NACRE_OK)
    status = nacre_report_write(t, files->report, reason);
  if (status == NACRE_OK)
    status = nacre_log_end(log, t, reason, files->weights);
  if (status == NACRE_OK && !files->named_checkpoint)
    unlink(files->checkpoint);
  if (status != NACRE_OK)
    return status;
  if (strcmp(reason, "finished") != 0)
    nacre_progress_say(progress, "%s: %s after epoch %lld", t->info->name, reason, (long long)t->at.epoch + 1);
  nacre_progress_say(progress, "%s: wrote %s%s and %s", t->info->name, files->weights, best ? " (the best epoch)" : "",
                     files->report);
  print_results(t, command, files->weights, best);
  return NACRE_OK;
}

/* Keeps the text of an error across what is done after it. Where a value was no number the step has not been stored, so
   what is in memory is the last good state: it is saved if no checkpoint is there. (One that is may be worth more: it
   was written long before the numbers grew. In the middle of an accumulated step there is no state to save.) */
static int also_report(nacre_trainer *t, const nacre_run_files *files, nacre_log *log, int status) {
  char *text = strdup(nacre_last_error());
  if (status == NACRE_ERROR_CONDITION && t->settings.accumulate == 1 && access(files->checkpoint, F_OK) != 0)
    nacre_checkpoint_write(t, files->checkpoint);
  bool written = access(files->checkpoint, F_OK) == 0;
  nacre_report_write(t, files->report, text ? text : "failed");
  nacre_log_end(log, t, text ? text : "failed", NULL);
  status = nacre_fail(status, "%s%s%s", text ? text : "out of memory", written ? "\n  the last checkpoint is " : "",
                      written ? files->checkpoint : "");
  free(text);
  return status;
}

static int run_with(const nacre_command *command, nacre_trainer *t, const nacre_run_files *files) {
  nacre_progress progress;
  nacre_log log;
  const char *reason;
  int status = nacre_log_open(&log, command->log, command->append || t->at.iteration > 0);
  if (status != NACRE_OK)
    return status;
  nacre_progress_begin(&progress, t, t->info->name, command->quiet);
  if (t->at.iteration > 0)
    nacre_progress_say(&progress, "%s: goes on after iteration %lld", t->info->name, (long long)t->at.iteration);
  status = nacre_log_start(&log, t);
  if (status == NACRE_OK)
    status = nacre_run_loop(t, files, &progress, &log, &reason);
  if (status == NACRE_INTERRUPTED) {
    int failed = nacre_checkpoint_write(t, files->checkpoint);
    if (failed == NACRE_OK) {
      nacre_say_how_to_resume(&progress, command, t, files->checkpoint);
      failed = nacre_log_end(&log, t, reason, NULL);
    }
    status = failed == NACRE_OK ? NACRE_INTERRUPTED : failed;
  } else if (status == NACRE_OK) {
    status = finish(t, command, files, &progress, &log, reason);
  } else {
    status = also_report(t, files, &log, status);
  }
  int closed = nacre_log_close(&log);
  return status == NACRE_OK ? closed : status;
}

int nacre_run(const nacre_command *command, const nacre_train_info *train, nacre_trainer *before,
              nacre_trainer **trainer) {
  nacre_settings settings;
  nacre_run_files files = {0};
  int status = nacre_settings_read(train, &settings);
  if (status == NACRE_OK)
    status = nacre_name_files(command, train, &settings, &files);
  nacre_trainer_options options = {.seed = command->seed,
                                   .seeded = command->seeded,
                                   .epochs = command->epochs,
                                   .steps = command->steps,
                                   .data = command->data,
                                   .weights = command->weights,
                                   .resume = status == NACRE_OK ? nacre_resumed(command, &settings) : NULL};
  nacre_trainer_setup setup = {
      .options = &options, .before = before, .out = files.weights, .fresh = command->fresh, .fold = -1};
  if (status == NACRE_OK) {
    *trainer = nacre_trainer_open(command->module, train, &setup);
    status = *trainer ? run_with(command, *trainer, &files) : NACRE_ERROR_ARGUMENT;
  }
  nacre_release_files(&files);
  return status;
}
