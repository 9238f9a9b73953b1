/* What the files of the trainer share with each other. Hidden: none of it is visible outside the library. */
#ifndef NACRE_TRAIN_INTERNAL_H
#define NACRE_TRAIN_INTERNAL_H
#include "../data/data.h"
#include "../src/internal.h"
#include "nacre_train.h"

/* More purposes of nacre_seed, beside those of data.h. */
enum { NACRE_SEED_EVALUATE = NACRE_SEED_STEP + 1, NACRE_SEED_BEGIN };

/* ---- settings.c: the options of a train block, read once ----------------------------------------------------------
 */
typedef enum nacre_better { NACRE_UNSAID, NACRE_SMALLER, NACRE_LARGER } nacre_better;
typedef struct nacre_settings {
  int64_t batch, epochs, steps, accumulate, folds; /* epochs or steps is 0, folds 0: none */
  uint64_t seed, folds_seed;
  const char *after, *stratify; /* null: none, here and below */
  int64_t patience;             /* 0: no early stop */
  const char *stop_on, *best_by;
  nacre_better stop_mode, best_mode;
  const char *best_path, *every_path;
  int64_t every; /* epochs between checkpoints */
  const char *resume_path;
  bool resume_optional;
  bool plateaus; /* whether they are counted; then: */
  int64_t plateau_patience, plateau_cooldown;
  double plateau_threshold; /* a share of the best value */
  const char *plateau_on;
  nacre_better plateau_mode;
} nacre_settings;
int nacre_settings_read(const nacre_train_info *train, nacre_settings *settings);
const nacre_option *nacre_option_find(const nacre_option *options, int32_t count, const char *name);

/* ---- values.c: named numbers, such as those of an epoch -----------------------------------------------------------
 */
typedef struct nacre_measure {
  char *name; /* "validate.accuracy" */
  int rank;
  int64_t extents[NACRE_MAX_RANK];
  size_t count;   /* of elements */
  double *values; /* row-major */
} nacre_measure;
typedef struct nacre_measures {
  nacre_measure *list;
  size_t count;
} nacre_measures;
void nacre_measures_release(nacre_measures *measures);
/* The measure of this name, made if need be and shaped so; null when memory ran out. */
nacre_measure *nacre_measures_set(nacre_measures *measures, const char *name, int rank, const int64_t *extents);
bool nacre_measures_set_number(nacre_measures *measures, const char *name, double value);
const nacre_measure *nacre_measures_find(const nacre_measures *measures, const char *name);

/* A table of numbers: one row per epoch, a NaN where a row has no such number. */
typedef struct nacre_history {
  char **names;
  double *values; /* [rows, columns] */
  size_t columns, rows;
} nacre_history;
void nacre_history_release(nacre_history *history);
/* A new row from the single numbers among the measures. */
int nacre_history_add(nacre_history *history, const nacre_measures *measures);
double nacre_history_value(const nacre_history *history, size_t row, const char *name); /* or a NaN */

/* ---- function.c: a generated function bound to what it reads and writes --------------------------------------------
 */
typedef struct nacre_function {
  const nacre_entry_info *info; /* null: there is none */
  const struct nacre_model **models;
  const void **arguments;
  void **results;
  int64_t *dims, *extents, *given; /* extents of arguments and results; what the arguments have */
  int batch_fields, shared_fields; /* how many arguments of each kind, in this order, before the numbers */
  bool counters;                   /* whether seed, iteration, epoch and, maybe, plateaus follow */
} nacre_function;
/* `batch`, `shared`: datasets whose fields come first; null or 0: none. Compares their types with the signature. */
int nacre_function_bind(nacre_function *function, const nacre_entry_info *info, struct nacre_trainer *trainer,
                        const nacre_dataset *batch, bool counters);
void nacre_function_release(nacre_function *function);
/* Sizes for `count` samples: dims, extents and memory of the results. */
int nacre_function_size(nacre_function *function, int64_t count);
int nacre_function_call(nacre_function *function, struct nacre_trainer *trainer, void *const *fields, uint64_t seed);
/* Number of the result with this name, or -1. */
int32_t nacre_function_result(const nacre_function *function, const char *name);
double nacre_function_number(const nacre_function *function, int32_t result);
const int64_t *nacre_function_result_extents(const nacre_function *function, int32_t result);

/* ---- trainer.c ----------------------------------------------------------------------------------------------------
 */
/* How far a run is. All of it is in a checkpoint: an interrupted and resumed run is the same run. */
typedef struct nacre_position {
  int64_t epoch, iteration;    /* from 0; iterations of the whole run */
  int64_t done;                /* iterations of this epoch */
  int64_t closed;              /* epochs that were evaluated and recorded */
  int64_t waited, best_epoch;  /* closed epochs since the best one for early stopping; the epoch of the best weights */
  int64_t begun;               /* whether `begin` was called */
  int64_t plateaus;            /* how often the value that plateaus are about has stopped improving, */
  int64_t level, resting;      /* for how many epochs it has, and for how many more that does not count */
  double stop_best, save_best; /* the best values so far, a NaN at first */
  double plateau_best;
  double seconds; /* of work so far */
} nacre_position;

struct nacre_trainer {
  const nacre_module_info *module;
  const nacre_train_info *info;
  nacre_settings settings;
  struct nacre_model **models; /* per model of the module; null: not of this block */
  nacre_dataset *data, *validate, **shared;
  void **shared_fields; /* of all shared data in order, whole */
  nacre_loader *loader, *checker;
  nacre_function step, accumulate, begin, evaluate, summary, show, probe;
  void *workspace;
  uint64_t workspace_bytes;
  int64_t per_epoch, batches; /* iterations and batches of an epoch */
  uint64_t seed;
  bool streaming; /* the loader stands where `at` says */
  nacre_position at;
  double *sums;       /* per result of step: what this epoch gave so far */
  nacre_measures now; /* the newest values: loss, learning_rate, validate.accuracy, ... */
  nacre_history history;
  uint64_t seed_argument; /* the numbers that functions read */
  int64_t iteration_argument, epoch_argument, plateaus_argument;
  int fold; /* of settings.folds, from 0; -1: none */
};

/* What nacre_trainer_options cannot say. */
typedef struct nacre_trainer_setup {
  const nacre_trainer_options *options;
  struct nacre_trainer *before; /* of `after`: its weights are copied */
  const char *out;              /* the file of weights that the run will write: a model that loads it starts afresh */
  bool fresh;                   /* every weight is initialised */
  bool evaluation;              /* only evaluates: no data to train on, weights from their files */
  int fold;                     /* -1: none */
} nacre_trainer_setup;
nacre_trainer *nacre_trainer_open(const nacre_module_info *module, const nacre_train_info *train,
                                  const nacre_trainer_setup *setup);
bool nacre_trainer_epoch_over(const nacre_trainer *trainer);
/* Has the run reached the number of epochs or steps it was given? */
bool nacre_trainer_finished(const nacre_trainer *trainer);
int nacre_trainer_iterate(nacre_trainer *trainer);
/* Evaluates and adds a row to the history. */
int nacre_trainer_close_epoch(nacre_trainer *trainer);
double nacre_trainer_loss(const nacre_trainer *trainer); /* mean of the epoch so far */
/* Is this result of a step a number to show? Others tell the trainer how the step went. */
bool nacre_is_logged(const nacre_field_info *result);

/* ---- watch.c: the values that decide about a run, after each epoch --------------------------------------------------
 */
/* Is `value` better than `than`? A NaN never is; anything else is better than a NaN. Unless said, a loss should fall
   and anything else rise. */
bool nacre_is_better(nacre_better mode, const char *name, double value, double than);
int nacre_watch_plateau(nacre_trainer *trainer);
/* Counts the epochs without a better value. */
int nacre_watch_stop(nacre_trainer *trainer);
bool nacre_gives_up(const nacre_trainer *trainer);
/* Whether this epoch is the best one, which is noted. */
int nacre_watch_best(nacre_trainer *trainer, bool *best);

/* ---- models.c: writable weights ------------------------------------------------------------------------------------
 */
int nacre_trainer_open_models(nacre_trainer *trainer, const nacre_trainer_setup *setup);
int nacre_model_restart(struct nacre_model *model, uint64_t seed); /* every weight as its initialiser says */
size_t nacre_weight_bytes(const nacre_weight_info *weight);

/* ---- evaluate.c ----------------------------------------------------------------------------------------------------
 */
/* One pass; what it measured goes to trainer->now as PREFIX.loss, PREFIX.accuracy, ... */
int nacre_trainer_measure(nacre_trainer *trainer, const char *prefix);

/* ---- fault.c: where did the first value that is no number come from? ------------------------------------------------
 */
/* `what`: the result of the step that gave it away; null: what it would have stored. */
int nacre_fault_report(nacre_trainer *trainer, void *const *fields, const int64_t *samples, int64_t count,
                       const char *what, double value);

/* ---- storage.c: a safetensors file written beside its place, synced and renamed -------------------------------------
 */
typedef struct nacre_stored_tensor {
  char *name;
  int type, rank;
  int64_t extents[NACRE_MAX_RANK];
  const void *data;
} nacre_stored_tensor;
typedef struct nacre_storage {
  nacre_stored_tensor *list;
  size_t count, capacity;
  nacre_text metadata; /* pairs of JSON text, each with a comma before it but the first */
} nacre_storage;
void nacre_storage_release(nacre_storage *storage);
/* `data` must live until the file is written; the name is copied. */
int nacre_storage_add(nacre_storage *storage, int type, int rank, const int64_t *extents, const void *data,
                      const char *name, ...) __attribute__((format(printf, 6, 7)));
void nacre_storage_note(nacre_storage *storage, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int nacre_storage_write(const nacre_storage *storage, const char *path);
/* Folders above `path` that are missing. */
int nacre_make_folders(const char *path);
void nacre_text_add_json(nacre_text *text, const char *word); /* quoted and escaped */

/* ---- checkpoint.c ---------------------------------------------------------------------------------------------------
 */
int nacre_checkpoint_write(const nacre_trainer *trainer, const char *path);
int nacre_checkpoint_read(nacre_trainer *trainer, const char *path);
/* A history as PREFIX/names and PREFIX/values; `names` must live until the file is written. */
int nacre_history_store(nacre_storage *storage, const nacre_history *history, const char *prefix, nacre_text *names);
int nacre_history_load(const nacre_safetensors *file, const char *path, const char *prefix, nacre_history *history);
int nacre_checkpoint_seed(const char *path, uint64_t *seed); /* of the run that wrote it */
/* The weights of trained model number `model` (from 0) alone. */
int nacre_weights_write(const nacre_trainer *trainer, int32_t model, const char *path);
char *nacre_weights_path(const char *path, const char *model);               /* malloc'ed: STEM.MODEL.safetensors */
int nacre_weights_write_all(const nacre_trainer *trainer, const char *path); /* STEM.MODEL.safetensors if several */

#endif
