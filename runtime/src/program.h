/* What the files behind `main` of a built executable share. */
#ifndef NACRE_PROGRAM_H
#define NACRE_PROGRAM_H
#include "internal.h"

typedef struct nacre_flags {
  const char *program;
  const nacre_entry_info *entry;
  const char **weights, **inputs; /* "F" or "MODEL=F"; "name=value" */
  int weights_count, input_count;
  const char *out;
  int threads, repeat;
  bool json, seeded, test, help, version;
  uint64_t seed;
} nacre_flags;

/* flags.c: the command line, or -1 after a message on standard error. */
int nacre_parse_flags(int argc, char **argv, const nacre_module_info *module, nacre_flags *flags);
void nacre_flags_release(nacre_flags *flags);
void nacre_print_help(const nacre_module_info *module, const nacre_flags *flags);

/* One call with everything it reads and writes. */
typedef struct nacre_call {
  const nacre_entry_info *entry;
  nacre_mapping *files; /* per argument */
  void **owned;         /* per argument: memory, or null when the data lies in its file */
  nacre_tensor *arguments, *results;
  int64_t *dims;
  const void **argument_data;
  void **result_data;
  struct nacre_model **models;
  void *workspace;
} nacre_call;

/* call.c */
int nacre_call_prepare(nacre_call *call, const nacre_module_info *module, const nacre_flags *flags);
int nacre_call_run(nacre_call *call);
void nacre_call_release(nacre_call *call);

/* arguments.c: argument `index` from what the command line says about it. */
int nacre_read_argument(nacre_call *call, int32_t index, const char *text);

/* images.c: a picture as argument `index`, a result as a picture. */
int nacre_read_image(nacre_call *call, int32_t index, const char *path);
int nacre_write_image(const char *path, const nacre_field_info *field, const nacre_tensor *tensor);

/* print.c */
void nacre_print_result(FILE *stream, const char *name, const nacre_tensor *tensor);
void nacre_print_json(FILE *stream, const nacre_entry_info *entry, const nacre_tensor *results);
int nacre_write_results(const char *directory, const nacre_entry_info *entry, const nacre_tensor *results);

/* tests.c: runs all; the number of failed tests. */
int nacre_run_tests(const nacre_module_info *module, const nacre_flags *flags);

#endif
