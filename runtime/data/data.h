/* Data for training: what a `data` block describes, read from files, one sample or one batch at a time. What a training
   loop needs; libnacre_data.a (with libnacre_rt.a below it). Errors as everywhere: a code or null, and the text in
   nacre_last_error(), with file, line and column where there is one. Every number drawn comes from (seed, epoch,
   sample), so nothing depends on threads, on the order of calls, or on resuming. */
#ifndef NACRE_DATA_H
#define NACRE_DATA_H
#include "../src/module.h"
#include <stdbool.h>

/* ---- a dataset: samples 0 .. count-1 ----------------------------------------------------------------------------- */
typedef struct nacre_dataset nacre_dataset;

typedef struct nacre_dataset_options {
  const char *folder;   /* where relative paths of the block start; null or "": the working folder */
  uint64_t seed;        /* of the run: draws inside `map` */
  uint64_t cache_bytes; /* mapped samples are kept if all of them fit; 0: NACRE_CACHE_BYTES */
  int rank, ranks;      /* of `|> shard(by = "rank")`; 0 ranks: one process */
} nacre_dataset_options;
#define NACRE_CACHE_BYTES ((uint64_t)1 << 30)

typedef struct nacre_data_field {
  const char *name;
  nacre_type type;
  int rank;
  int64_t extents[NACRE_MAX_RANK];
  size_t bytes; /* of one sample */
} nacre_data_field;

/* Opens and validates every file that the block names: malformed rows, missing pictures and bad labels are errors here,
   with the place of the first and the number of all. `info` must outlive the dataset. */
nacre_dataset *nacre_dataset_open(const nacre_data_info *info, const nacre_dataset_options *options);
void nacre_dataset_close(nacre_dataset *dataset);
const nacre_data_info *nacre_dataset_info(const nacre_dataset *dataset);
int64_t nacre_dataset_count(const nacre_dataset *dataset);
/* The fields of a sample, in the order of the block: those of a batch without the leading axis. */
int nacre_dataset_field_count(const nacre_dataset *dataset);
const nacre_data_field *nacre_dataset_field(const nacre_dataset *dataset, int field);
/* The number of the field with this name, or -1. */
int nacre_dataset_find_field(const nacre_dataset *dataset, const char *name);
/* Sample `index` into one buffer per field. `augment`: as training sees it in `epoch`. Any thread may call. */
int nacre_dataset_sample(nacre_dataset *dataset, int64_t index, bool augment, int64_t epoch, void *const *fields);
/* All samples (without augmentation), each field stacked on a leading axis: for `shared`. */
int nacre_dataset_whole(nacre_dataset *dataset, void *const *fields);
/* Where a sample comes from: "digits.csv.gz, line 17", "faces/anna/3.png", "images.npy, item 5". Returns `buffer`. */
enum { NACRE_PLACE_TEXT = 512 };
const char *nacre_dataset_place(const nacre_dataset *dataset, int64_t index, char buffer[NACRE_PLACE_TEXT]);
/* Every element of an integer field in 0 .. limit-1? Else an error with the place of the first sample that breaks it
   and the number of all. For nacre_subscript_check of a step: call it once, before training. */
int nacre_dataset_check_range(nacre_dataset *dataset, int field, int64_t limit);

/* ---- folds: `kfold(k, seed = s, stratify = "label")` ------------------------------------------------------------- */
/* Sample numbers of fold `fold` of `k`: held back, and all others; ascending, malloc'ed as one block that
   free(held_back) releases. Folds differ by at most one sample (with `stratify`, per class; null: plain). */
typedef struct nacre_fold {
  int64_t *held_back, *others;
  int64_t held_back_count, others_count;
} nacre_fold;
int nacre_dataset_fold(nacre_dataset *dataset, int k, uint64_t seed, const char *stratify, int fold, nacre_fold *out);

/* ---- a loader: batches, assembled ahead on a thread of its own --------------------------------------------------- */
typedef struct nacre_loader nacre_loader;

typedef struct nacre_loader_options {
  int64_t batch;         /* samples per batch, at least 1 */
  bool training;         /* shuffled per epoch (or drawn by the sampler), augmented, a last partial batch dropped; else
                            every sample once, in order, the last batch as short as need be */
  uint64_t seed;         /* of the run */
  const int64_t *subset; /* the samples to use, such as a fold; copied; null: all */
  int64_t subset_count;
} nacre_loader_options;

typedef struct nacre_batch {
  int64_t number;         /* in its epoch, from 0 */
  int64_t count;          /* samples; 0: the epoch is over */
  void *const *fields;    /* [count, ...] per field, 64-byte aligned */
  const int64_t *samples; /* their numbers in the dataset */
} nacre_batch;

/* Fails if training would see no full batch. */
nacre_loader *nacre_loader_open(nacre_dataset *dataset, const nacre_loader_options *options);
void nacre_loader_close(nacre_loader *loader);
int64_t nacre_loader_batches(const nacre_loader *loader); /* per epoch */
/* What comes next is batch `batch` of `epoch` (both from 0): 0 to begin, anything to resume. Going on to the next epoch
   costs no waiting: its first batches are prepared already. */
int nacre_loader_start(nacre_loader *loader, int64_t epoch, int64_t batch);
/* The next batch, valid until the next call on this loader. After an error the loader can only be closed or started. */
int nacre_loader_next(nacre_loader *loader, nacre_batch *batch);
/* Seconds for which nacre_loader_next has waited since nacre_loader_open: for the report. */
double nacre_loader_waited(const nacre_loader *loader);

/* ---- numbers drawn by counter (draws.c): the runtime's seeds for generated functions ----------------------------- */
/* A 64-bit hash of the run's seed and up to two counters, with a `purpose` that keeps uses apart. */
enum { NACRE_SEED_MAP = 1, NACRE_SEED_AUGMENT, NACRE_SEED_ORDER, NACRE_SEED_FOLDS, NACRE_SEED_SPLIT, NACRE_SEED_STEP };
uint64_t nacre_seed(uint64_t run, uint64_t purpose, uint64_t a, uint64_t b);

#endif
