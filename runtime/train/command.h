/* What the files behind `PROG train` and `PROG eval` share. */
#ifndef NACRE_TRAIN_COMMAND_H
#define NACRE_TRAIN_COMMAND_H
#include "train.h"

typedef struct nacre_command {
  const char *program;
  const nacre_module_info *module;
  const nacre_train_info *train; /* null: all blocks, in the order of the source */
  const char *out, *weights, *resume, *log, *report, *data;
  char *joined; /* owns `weights` if it was given several times */
  int64_t epochs, steps;
  uint64_t seed;
  int threads;
  bool evaluation, seeded, fresh, quiet, json, help;
  bool append; /* to the log: an earlier block of this process has written to it */
} nacre_command;
/* arguments.c: 0, or -1 after a message on standard error. */
int nacre_command_parse(int argc, char **argv, const nacre_module_info *module, nacre_command *command);
void nacre_command_help(const nacre_command *command);

/* ---- progress.c: what a person sees on standard error --------------------------------------------------------------
 */
typedef struct nacre_progress {
  bool quiet, live; /* live: a terminal, the line is drawn again and again */
  double started, drawn;
  int64_t first_iteration; /* of this process */
  size_t width;            /* of the line on the screen */
  const char *label;       /* "fit", "fit, fold 2 of 5" */
} nacre_progress;
void nacre_progress_begin(nacre_progress *progress, const nacre_trainer *trainer, const char *label, bool quiet);
void nacre_progress_step(nacre_progress *progress, const nacre_trainer *trainer);
void nacre_progress_epoch(nacre_progress *progress, const nacre_trainer *trainer);
void nacre_progress_say(nacre_progress *progress, const char *format, ...) __attribute__((format(printf, 2, 3)));
double nacre_progress_speed(const nacre_progress *progress, const nacre_trainer *trainer); /* samples per second */
int64_t nacre_total_iterations(const nacre_trainer *trainer);

/* ---- log.c: --log, one JSON object per line ------------------------------------------------------------------------
 */
typedef struct nacre_log {
  FILE *stream; /* null: none */
  const char *path;
} nacre_log;
int nacre_log_open(nacre_log *log, const char *path, bool append);
int nacre_log_start(nacre_log *log, const nacre_trainer *trainer);
int nacre_log_epoch(nacre_log *log, const nacre_trainer *trainer, double speed);
int nacre_log_end(nacre_log *log, const nacre_trainer *trainer, const char *reason, const char *weights);
int nacre_log_close(nacre_log *log);
void nacre_measures_json(nacre_text *text, const nacre_measures *measures);

/* ---- scores.c: what a confusion matrix [label, guess] says ---------------------------------------------------------
 */
typedef struct nacre_scores {
  int64_t classes;
  const double *counts;                              /* [label, guess] */
  double accuracy, precision, recall, f1, micro;     /* macro means, and the micro F1 */
  double *class_precision, *class_recall, *class_f1; /* per class */
} nacre_scores;
/* From the square matrix called `confusion` (or ending in `.confusion`), if there is one. */
bool nacre_scores_from(nacre_scores *scores, const nacre_measures *measures);
void nacre_scores_release(nacre_scores *scores);
void nacre_measures_print(FILE *stream, const nacre_measures *measures, const char *prefix);
void nacre_scores_print(FILE *stream, const nacre_scores *scores);

/* ---- folds.c: what the folds of a cross-validation have given so far ------------------------------------------------
 */
typedef struct nacre_fold_results {
  int folds, done;
  nacre_history *histories; /* per fold; row `rows[i]` of it is what fold i is worth */
  size_t *rows;
  nacre_measures tables; /* confusion matrices, summed over the folds: every sample once */
} nacre_fold_results;
double nacre_fold_value(const nacre_fold_results *results, int fold, const char *name);
typedef struct nacre_spread {
  double mean, deviation; /* of a sample: divided by count - 1 */
  int count;              /* folds that have the value */
} nacre_spread;
nacre_spread nacre_fold_spread(const nacre_fold_results *results, const char *name);
bool nacre_is_position(const char *name); /* epoch, iteration, seconds: where a row stands, not what it measured */

/* ---- report.c, page.c, curves.c, pictures.c: the HTML page ----------------------------------------------------------
 */
int nacre_report_write(nacre_trainer *trainer, const char *path, const char *reason);
int nacre_report_write_folds(nacre_trainer *last, const char *path, const nacre_fold_results *results);
void nacre_page_begin(nacre_text *text, const nacre_trainer *trainer);
void nacre_page_fact(nacre_text *text, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
void nacre_page_confusion(nacre_text *text, const nacre_measures *measures);
int nacre_page_end(nacre_text *text, const char *path); /* writes it and frees the text */
void nacre_curves_write(nacre_text *text, const nacre_history *history);
void nacre_fold_curves_write(nacre_text *text, const nacre_fold_results *results);
void nacre_picture_write(nacre_text *text, const double *values, int64_t height, int64_t width, int64_t channels);
void nacre_html_add(nacre_text *text, const char *words); /* escaped */

/* ---- run.c: a whole run, until it is finished, stopped or interrupted -----------------------------------------------
 */
enum { NACRE_INTERRUPTED = 1000 };
/* `before`: the trainer of `after`, or null. `*trainer` (may be null before) is the trainer as the run left it. */
int nacre_run(const nacre_command *command, const nacre_train_info *train, nacre_trainer *before,
              nacre_trainer **trainer);
/* folds.c */
int nacre_run_folds(const nacre_command *command, const nacre_train_info *train, nacre_trainer *before);
/* From the current position to the end, without files: used by both. Returns NACRE_INTERRUPTED after Ctrl-C. */
typedef struct nacre_run_files {
  char *weights, *checkpoint, *report;
  bool named_checkpoint; /* by the source: it stays */
} nacre_run_files;
int nacre_name_files(const nacre_command *command, const nacre_train_info *train, const nacre_settings *settings,
                     nacre_run_files *files);
void nacre_release_files(nacre_run_files *files);
char *nacre_beside(const char *path, const char *ending); /* malloc'ed: PATH with another ending */
/* The checkpoint that the command line or the source says to go on from; null: from the beginning. */
const char *nacre_resumed(const nacre_command *command, const nacre_settings *settings);
void nacre_say_how_to_resume(nacre_progress *progress, const nacre_command *command, const nacre_trainer *trainer,
                             const char *checkpoint);
int nacre_run_loop(nacre_trainer *trainer, const nacre_run_files *files, nacre_progress *progress, nacre_log *log,
                   const char **reason);
void nacre_catch_interrupts(void);
bool nacre_interrupted(void);

/* command.c: what main of an executable with train blocks calls for `train` and `eval`; the exit code. */
NACRE_API int nacre_train_command(int argc, char **argv, const nacre_module_info *module);

#endif
