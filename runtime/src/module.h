/* What a generated object tells the runtime about itself. Not public: generated code and the runtime are built for
   each other, and NACRE_ABI says so. All tables are constant data in the object; pointers are never null unless said.
 */
#ifndef NACRE_MODULE_H
#define NACRE_MODULE_H
#include "nacre.h" /* nacre_type: the element types, in the order of the front end's table */
#include <stddef.h>
#include <stdint.h>

#define NACRE_ABI 3

typedef struct nacre_weight_info {
  const char *path; /* encoder.layer.0.fc1.weight */
  int32_t type, rank;
  const int64_t *extents;
  int32_t tied_to;        /* index of the weight whose tensor it shares, or -1 */
  int32_t may_be_missing; /* an `init` item covers it */
  int32_t trained;        /* param, else state */
} nacre_weight_info;

typedef struct nacre_rename {
  const char *from, *to;
  int32_t transpose;
} nacre_rename;

typedef struct nacre_model_info {
  uint32_t abi;
  const char *name; /* the model's name in the source */
  int32_t weight_count, rename_count, ignore_count;
  const nacre_weight_info *weights;
  const nacre_rename *renames;
  const char *const *ignores;
  const char *file; /* of `load`, or "" */
  int32_t file_optional;
  const void *embedded; /* a whole safetensors file (--embed-weights), or null */
  uint64_t embedded_bytes;
  uint64_t prepared_bytes; /* what `prepare` fills: packed weights and everything that depends on weights only */
  /* Fills `prepared` (64-byte aligned) from the weights; `scratch` has prepare_scratch bytes. */
  void (*prepare)(const void *const *weights, void *prepared, void *scratch);
  uint64_t prepare_scratch;
  /* Writes weight number `index` as its initialiser says; returns 0, or -1 if it has none. `scratch` as in prepare. */
  int32_t (*initialise)(int32_t index, uint64_t seed, void *out, void *scratch);
  const char *cpu;       /* what the code needs, such as "x86-64-v3" */
  uint64_t cpu_features; /* the same as bits, numbered by CpuFeatures.def */
} nacre_model_info;

typedef struct nacre_dim_info {
  const char *name;
  int64_t lower, upper;   /* INT64_MAX: no upper bound */
  int32_t argument, axis; /* the extent of an argument that gives its value */
} nacre_dim_info;

typedef struct nacre_field_info {
  const char *name;
  int32_t type, rank;
  const char *codec; /* "npy", "png" */
  const char *shape; /* as the source says it: "[n, 784]", "" for a scalar */
} nacre_field_info;

typedef struct nacre_subscript_check {
  int32_t argument;
  const char *text;
} nacre_subscript_check;

typedef struct nacre_entry_info {
  uint32_t abi;
  const char *module, *name, *documentation;
  int32_t dim_count, argument_count, result_count, guard_count, model_count, subscript_check_count;
  const nacre_dim_info *dims;
  const nacre_field_info *arguments, *results;
  const char *const *guards; /* the clauses, as the source says them */
  const int32_t *models;     /* positions in nacre_module_info.models */
  const nacre_subscript_check *subscript_checks;
  /* All extents of all arguments, then of all results, in order, from the dims. */
  void (*extents)(const int64_t *dims, int64_t *out);
  /* The number of the first violated guard, or -1. */
  int32_t (*guard)(const int64_t *dims);
  /* Exclusive limits of the subscript checks. */
  void (*limits)(const int64_t *dims, int64_t *out);
  /* Bytes of workspace, 64-byte aligned (nacre_entry_invoke aligns what its caller gives). */
  uint64_t (*workspace)(const int64_t *dims);
  /* `tensors[m]`: for model m of `models`, its weights and, in the last place, its prepared block. Never fails. A
     function of a train block writes weights in place: it is given memory that may be written, and no prepared block
     (it packs what it needs itself, since weights change with every call). */
  void (*call)(const void *const *const *tensors, const int64_t *dims, const void *const *arguments,
               void *const *results, void *workspace);
} nacre_entry_info;

typedef struct nacre_expect_info {
  const char *text;  /* the expectation as the source says it */
  const char *place; /* file:line:column */
  int32_t condition; /* which result: a bool */
  int32_t deviation; /* which result: f64, or -1 */
  double tolerance;
} nacre_expect_info;

typedef struct nacre_test_info {
  const char *name;
  int32_t expect_count;
  const nacre_expect_info *expects;
  uint64_t seed;
  nacre_entry_info entry; /* no arguments; weights are initialised from the seed */
} nacre_test_info;

/* ---- data and training: rows as in dsl/program/Program.h (Option, Data, Train), which says what each means ----- */
typedef enum nacre_option_form { NACRE_NUMBER, NACRE_TEXT, NACRE_NUMBERS, NACRE_TEXTS } nacre_option_form;
typedef struct nacre_option {
  const char *name;
  int32_t form, count; /* nacre_option_form; length of a list */
  double number;
  const char *text;
  const double *numbers;
  const char *const *texts;
} nacre_option;

typedef struct nacre_data_info {
  const char *name, *title, *reader;
  int32_t option_count, sampling_count;
  const nacre_option *options, *sampling;
  const nacre_entry_info *map;
  const nacre_entry_info *augment;        /* or null */
  const nacre_entry_info *before_augment; /* or null: `augment` takes the results of `map` */
  const char *place;                      /* file:line:column */
} nacre_data_info;

typedef struct nacre_train_info {
  const char *name, *documentation;
  int32_t model_count, trained_count;
  const int32_t *models;      /* positions in nacre_module_info.models */
  int32_t optimizer, metrics; /* likewise, or -1 */
  const nacre_entry_info *step, *accumulate, *begin, *evaluate, *summary, *show, *probe; /* all but step may be null */
  int32_t probe_count;
  const char *const *probes;
  const nacre_data_info *data, *validate; /* or null */
  int32_t shared_count;
  const nacre_data_info *const *shared;
  int32_t option_count, sweep_count;
  const nacre_option *options, *sweep;
  const char *place;
} nacre_train_info;

typedef struct nacre_module_info {
  uint32_t abi;
  const char *name, *version; /* module name; version of the compiler that made it */
  const char *cpu;            /* what the code needs, such as "x86-64-v3" */
  int32_t model_count, entry_count, test_count;
  const nacre_model_info *const *models;
  const nacre_entry_info *const *entries;
  const nacre_test_info *const *tests;
  const char *documentation;
  uint64_t cpu_features;
  int32_t train_count;
  const nacre_train_info *const *trains;
} nacre_module_info;

/* The same module for several processors, the most demanding first; at least one. */
typedef struct nacre_variants {
  int32_t count;
  const nacre_module_info *const *modules;
  const nacre_module_info *chosen; /* null until nacre_fitting has chosen */
} nacre_variants;

/* The executable's own; defined by the generated object of an executable. */
extern nacre_variants nacre_main_variants;

/* The variant that NACRE_CPU names, else the first that this machine can run; null with an error if there is none. The
   others are members of that variant. */
const nacre_module_info *nacre_fitting(nacre_variants *variants);
const nacre_entry_info *nacre_fitting_entry(nacre_variants *variants, int32_t number);
const nacre_model_info *nacre_fitting_model(nacre_variants *variants, int32_t number);
const nacre_train_info *nacre_fitting_train(nacre_variants *variants, int32_t number);

/* Called by generated code: runs body(context, begin, end) over 0..count in chunks, on the pool of the process, and
   returns when all of it is done. Chunks are fixed by `count` and `grain` alone, never by the number of threads. */
void nacre_parallel_for(void (*body)(void *context, int64_t begin, int64_t end), void *context, int64_t count,
                        int64_t grain);

/* ---- a program that is measured (nacre build --profile); profile.c -------------------------------------------------
 */
/* A kernel, an entry or a preparation: what it is, then what has been counted. */
typedef struct nacre_kernel_record {
  const char *function, *name, *kind; /* digits_predict, fc1.product.linear_9, product (or entry, prepare) */
  const char *lines;                  /* FILE\tLINE\tLAYER\tCALLER FILE\tCALLER LINE\n of every equation in it */
  const char *operations, *traffic;   /* formulas of the sizes */
  int64_t listed;                     /* 1 from its first call on: `next` is valid */
  int64_t next;                       /* a record, as a number */
  int64_t calls, ticks, flops, bytes; /* sums over all calls; bytes of an entry: its largest workspace */
  int64_t chunks, chunk_ticks;        /* parts of it that threads took, and their time */
} nacre_kernel_record;
void nacre_profile_kernel_begin(nacre_kernel_record *record, int64_t flops, int64_t bytes);
void nacre_profile_kernel_end(nacre_kernel_record *record);
void nacre_profile_chunk_begin(nacre_kernel_record *record);
void nacre_profile_chunk_end(nacre_kernel_record *record);
/* Forgets what was counted: after the call that warms up. */
void nacre_profile_reset(void);
/* Writes everything to the file that NACRE_PROFILE names; called once, at the end. */
void nacre_profile_write(void);
/* Called by generated code before it uses the tile registers of AMX: asks the system for them, once per process. Ends
   the program where that is refused, which nacre_model_open and executables find out before. */
void nacre_use_tiles(void);

/* Called by the typed wrappers that generated objects export: checks dims, guards and subscripts, then calls.
   `models` in the order of entry->models. 0 or an error code with its text in nacre_last_error(). */
struct nacre_model;
int nacre_entry_invoke(const nacre_entry_info *entry, const struct nacre_model *const *models, const int64_t *dims,
                       const void *const *arguments, void *const *results, void *workspace);
/* Workspace bytes with room for aligning, or 0 with an error set when the dims are refused. */
size_t nacre_entry_workspace(const nacre_entry_info *entry, const int64_t *dims);
struct nacre_model *nacre_model_open(const nacre_model_info *info, const char *weights);
void nacre_model_close(struct nacre_model *model);

#endif
