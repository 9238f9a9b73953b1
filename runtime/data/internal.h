/* What the files of the data library share. */
#ifndef NACRE_DATA_INTERNAL_H
#define NACRE_DATA_INTERNAL_H
#include "../src/internal.h"
#include "data.h"

/* ---- draws.c: numbers by counter --------------------------------------------------------------------------------- */
/* The n-th 64 bits of stream `seed`. */
uint64_t nacre_draw_bits(uint64_t seed, uint64_t n);
/* Uniform in 0 .. bound-1 (bound >= 1), without bias that matters: 64-bit multiply-high. */
uint64_t nacre_draw_below(uint64_t seed, uint64_t n, uint64_t bound);
double nacre_draw_unit(uint64_t seed, uint64_t n); /* in [0, 1), 53 bits */
/* Fisher-Yates: the same seed and count, the same permutation, on every machine. */
void nacre_shuffle(int64_t *items, int64_t count, uint64_t seed);

/* ---- options.c: settings of a data block by name; null or the fallback where there is none ----------------------- */
const nacre_option *nacre_find_option(const nacre_option *options, int count, const char *name);
const char *nacre_option_text(const nacre_data_info *info, const char *name);
double nacre_option_number(const nacre_data_info *info, const char *name, double fallback);
/* `folder`/`path`, or `path` if it is absolute; malloc'ed; null when memory ran out (and the error is set). */
char *nacre_path_join(const char *folder, const char *path);

/* ---- content.c: a whole file in memory, decompressed if it is gzip ----------------------------------------------- */
typedef struct nacre_content {
  const unsigned char *data;
  size_t bytes;
  nacre_mapping mapping; /* of a plain file */
  void *owned;           /* of a compressed one */
} nacre_content;
int nacre_content_open(const char *path, nacre_content *content);
void nacre_content_close(nacre_content *content);

/* ---- what went wrong in many places: the first is kept, all are counted ------------------------------------------ */
typedef struct nacre_faults {
  int64_t count;
  int code;
  char first[1024];
} nacre_faults;
void nacre_fault(nacre_faults *faults, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* NACRE_OK if there were none. `what`, in the plural: "rows", "pictures". */
int nacre_faults_result(const nacre_faults *faults, const char *what);

/* ---- readers ----------------------------------------------------------------------------------------------------- */
/* What a reader is asked for: the arguments of `map`. A scalar integer called `index` is the number of the sample in
   the file; the dataset fills it, not the reader. */
typedef struct nacre_source {
  const nacre_data_info *info;
  const char *folder;
  nacre_data_field *fields;
  int field_count;
} nacre_source;
bool nacre_field_is_index(const nacre_data_field *field);

/* All samples of the files. sample and place may be called from any thread. */
typedef struct nacre_reader nacre_reader;
struct nacre_reader {
  int64_t count;
  int (*sample)(nacre_reader *reader, int64_t index, void *const *fields);
  void (*place)(const nacre_reader *reader, int64_t index, char *buffer, size_t room);
  void (*close)(nacre_reader *reader);
};
typedef nacre_reader *nacre_reader_open(const nacre_source *source);
nacre_reader *nacre_csv_open(const nacre_source *source);
nacre_reader *nacre_npy_open(const nacre_source *source);
nacre_reader *nacre_idx_open(const nacre_source *source);
nacre_reader *nacre_image_folder_open(const nacre_source *source);
nacre_reader *nacre_image_pairs_open(const nacre_source *source);

/* ---- stacks.c: one array per field, sample after sample (npy, idx) ----------------------------------------------- */
/* An array as its file has it, in this machine's byte order; `bytes` of data live as long as `content`. */
typedef struct nacre_stack {
  nacre_content content;
  char *path;
  nacre_type type;
  int rank; /* extents[0]: how many samples */
  int64_t extents[NACRE_MAX_RANK];
  const void *data;
  void *owned; /* data that was converted */
} nacre_stack;
typedef int nacre_stack_parse(nacre_stack *stack);
nacre_reader *nacre_stacks_open(const nacre_source *source, nacre_stack_parse *parse);

/* ---- numbers into fields (elements.c) ---------------------------------------------------------------------------- */
/* Stores a finite number as an element; false if it does not fit (an integer that is no whole number included). */
bool nacre_store_number(nacre_type type, double value, void *out);
bool nacre_store_integer(nacre_type type, int64_t value, void *out);
/* Converts elements as nacre_convert does, and integers into reals besides. */
const char *nacre_convert_elements(nacre_type from, const void *source, nacre_type to, void *target, size_t count,
                                   size_t *where);

/* ---- pictures ---------------------------------------------------------------------------------------------------- */
/* Decodes png and jpeg by content. Samples become 8 bits; png.c, jpeg.c. */
int nacre_picture_read(const char *path, nacre_image *image);
/* Height, width and channels only, from the head of the file. */
int nacre_picture_measure(const char *path, nacre_image *image);
/* The picture as a field wants it, [height, width] or [height, width, channels]: grey and colour are converted into
   each other, another size is an error unless `resize`. */
int nacre_picture_fit(const char *path, const nacre_image *image, bool resize, const nacre_data_field *field,
                      void *out);
/* What `fit` would say about a picture of this size. */
int nacre_picture_check(const char *path, const nacre_image *image, bool resize, const nacre_data_field *field);
const nacre_codec *nacre_png_reader(void);
int nacre_jpeg_decode(const void *data, size_t bytes, const char *name, bool head_only, nacre_image *image);
bool nacre_picture_named(const char *name); /* ends in .png, .jpg or .jpeg, in any case */

/* ---- select.c: which samples of the files a use has ---------------------------------------------------------------
 */
/* malloc'ed numbers, as `split`, `rows`, `except`, `take` and `shard` say; null after an error. */
int64_t *nacre_select_rows(const nacre_data_info *info, const char *folder, int64_t available, int rank, int ranks,
                           int64_t *count);

/* ---- dataset.c --------------------------------------------------------------------------------------------------- */
/* Memory for one call of map and augment; each thread has its own. */
typedef struct nacre_sample_room nacre_sample_room;
nacre_sample_room *nacre_sample_room_open(const nacre_dataset *dataset);
void nacre_sample_room_close(nacre_sample_room *room);
int nacre_dataset_read(nacre_dataset *dataset, nacre_sample_room *room, int64_t index, bool augment, int64_t epoch,
                       void *const *fields);
/* The value of an integer scalar field for every sample (malloc'ed), or null after an error. */
int64_t *nacre_dataset_classes(nacre_dataset *dataset, const char *field);
uint64_t nacre_dataset_seed(const nacre_dataset *dataset);

/* ---- order.c: which sample comes when ---------------------------------------------------------------------------- */
typedef struct nacre_order nacre_order;
nacre_order *nacre_order_open(nacre_dataset *dataset, const nacre_loader_options *options);
void nacre_order_close(nacre_order *order);
int64_t nacre_order_length(const nacre_order *order); /* samples per epoch, full batches or not */
/* Puts the sample numbers of an epoch into `out`. */
void nacre_order_epoch(const nacre_order *order, int64_t epoch, int64_t *out);

#endif
