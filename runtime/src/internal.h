/* What the files of the runtime share with each other. Hidden: none of it is visible outside the library. */
#ifndef NACRE_INTERNAL_H
#define NACRE_INTERNAL_H
#include "module.h"
#include <stdbool.h>
#include <stdio.h>

/* ---- errors.c: remembers the text for this thread and returns the code ------------------------------------------- */
int nacre_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- text.c: texts that grow, for messages and output ------------------------------------------------------------ */
typedef struct nacre_text {
  char *data; /* always ends in 0 once something was added */
  size_t length, capacity;
  bool failed; /* memory ran out: what follows is dropped */
} nacre_text;
void nacre_text_add(nacre_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "[32, 28, 28]", "[]" for a scalar. Returns `buffer`. */
enum { NACRE_SHAPE_TEXT = 24 * NACRE_MAX_RANK + 8 };
const char *nacre_shape_text(char buffer[NACRE_SHAPE_TEXT], int rank, const int64_t *extents);

/* ---- files.c ----------------------------------------------------------------------------------------------------- */
/* A file mapped for reading. An empty file has data = "". */
typedef struct nacre_mapping {
  const unsigned char *data;
  size_t bytes;
} nacre_mapping;
int nacre_map(const char *path, nacre_mapping *mapping);
void nacre_unmap(nacre_mapping *mapping);
/* A file written beside its destination, then renamed. */
typedef struct nacre_output {
  FILE *stream;
  char *path, *beside;
} nacre_output;
int nacre_output_open(nacre_output *output, const char *path);
/* Finishes and renames, or (`keep` false, or a failed write) removes what was written. */
int nacre_output_close(nacre_output *output, bool keep);
void *nacre_aligned_alloc(size_t bytes); /* 64-byte aligned; never null for 0 bytes; freed with free */

/* ---- json.c: a strict reader of one text, pulled token by token -------------------------------------------------- */
typedef struct nacre_json {
  const char *begin, *at, *end;
  const char *problem; /* null while all is well */
} nacre_json;
/* After white space: is `c` next? It is consumed if so. */
bool nacre_json_take(nacre_json *json, char c);
bool nacre_json_expect(nacre_json *json, char c);
/* A string, decoded into `out` with a closing 0, which needs no more room than the text itself. Returns the length, or
   -1. Control characters, bad escapes, lone surrogates, bad UTF-8 and \u0000 are refused. */
ptrdiff_t nacre_json_string(nacre_json *json, char *out);
/* 0 .. INT64_MAX without sign, fraction, exponent or leading zeros. */
bool nacre_json_integer(nacre_json *json, int64_t *out);
bool nacre_json_fail(nacre_json *json, const char *problem); /* false */

/* ---- types and conversion (convert.c) ---------------------------------------------------------------------------- */
bool nacre_type_is_real(nacre_type type);
/* Bytes of a dense tensor; false when the product overflows or an extent is negative. */
bool nacre_count_elements(int rank, const int64_t *extents, size_t element_bytes, size_t *count, size_t *bytes);
/* Converts `count` elements. Real to real: the nearest value, ties to even; a finite value that would become infinite
   is refused. Integer to integer: only values that fit. Nothing else converts. Source may be unaligned.
   Returns null, or why not, with the position of the element in `where` (SIZE_MAX: the types as such). */
const char *nacre_convert(nacre_type from, const void *source, nacre_type to, void *target, size_t count,
                          size_t *where);
double nacre_element_as_real(nacre_type type, const void *data, size_t index);
int64_t nacre_element_as_integer(nacre_type type, const void *data, size_t index);

/* ---- pattern.c: `{x}` one or more parts, `*` within one part, `**` one or more parts ----------------------------- */
/* 1: `name` matches `from`, and `*result` (malloc'ed, if `to` is not null) is `to` with the captures; 0: no match;
   -1: out of memory, or `to` names an unknown capture. */
int nacre_pattern_match(const char *from, const char *name, const char *to, char **result);

/* ---- safetensors.c ----------------------------------------------------------------------------------------------- */
typedef struct nacre_stored {
  const char *name;
  const char *dtype; /* as the file says it: "F32" */
  int type;          /* nacre_type, or -1: one that Nacre lacks */
  int rank;
  int64_t extents[NACRE_MAX_RANK];
  const unsigned char *data;
  size_t bytes;
} nacre_stored;
/* `name` is used in messages; the data must outlive the result, which takes over no ownership. */
nacre_safetensors *nacre_safetensors_parse(const void *data, size_t bytes, const char *name);
/* Written by a trainer: names are paths of the model as they stand, neither `rename` nor `ignore` is for them. */
bool nacre_safetensors_own_names(const nacre_safetensors *file);
const nacre_stored *nacre_safetensors_stored(const nacre_safetensors *file, size_t index);
const nacre_stored *nacre_safetensors_find(const nacre_safetensors *file, const char *name);
/* Copies the bytes of a tensor out of its file, and lets go of what has been copied: a model that owns its weights
   never has them in memory twice. */
void nacre_safetensors_copy(const nacre_safetensors *file, const nacre_stored *stored, void *out);

/* ---- model.c ----------------------------------------------------------------------------------------------------- */
struct nacre_model {
  const nacre_model_info *info;
  const void **tensors; /* weight_count weights, then the prepared block */
  void *prepared;
  void **owned; /* per weight: memory of this model, or null when it lies in the file */
  nacre_safetensors *file;
};
typedef struct nacre_model_options {
  const char *weights; /* a path, or null: embedded weights, else the file of `load` */
  uint64_t seed;       /* of initialisers */
  bool initialise;     /* without a file, every weight is initialised */
  bool writable;       /* every weight in memory of its own, to be trained: nothing is prepared from it */
} nacre_model_options;
struct nacre_model *nacre_model_open_with(const nacre_model_info *info, const nacre_model_options *options);

/* ---- processor.c ------------------------------------------------------------------------------------------------- */
/* `what` names the object in the message. */
int nacre_check_object(const char *what, uint32_t abi, const char *cpu, uint64_t features);

/* ---- npy.c ------------------------------------------------------------------------------------------------------- */
/* A validated npy file in memory; tensor->data points into it. */
int nacre_npy_parse(const void *data, size_t bytes, const char *name, nacre_tensor *tensor);

/* ---- codecs: png.c defines nacre_codec_png in a library of its own, linked where a module names it --------------- */
typedef struct nacre_image {
  int64_t height, width;
  int channels;  /* 1 grey, 2 grey alpha, 3 red green blue, 4 with alpha */
  int depth;     /* 8 or 16 bits; samples are u8 or native u16 */
  void *samples; /* [height, width, channels], malloc'ed */
} nacre_image;
typedef struct nacre_codec {
  const char *name;
  int (*read)(const void *data, size_t bytes, const char *name, nacre_image *image);
  int (*write)(FILE *stream, const char *name, const nacre_image *image);
} nacre_codec;
extern const nacre_codec nacre_codec_png __attribute__((weak, visibility("default")));

/* ---- entry.c ----------------------------------------------------------------------------------------------------- */
enum { NACRE_MAX_EXTENTS = 1024, NACRE_MAX_MODELS = 64 };
/* Dims within their bounds and guards kept? */
int nacre_entry_check_dims(const nacre_entry_info *entry, const int64_t *dims);

#endif
