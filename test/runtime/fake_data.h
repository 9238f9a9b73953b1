/* Data blocks written by hand: `map` passes the fields of the reader on, `augment` adds to the first field, a real,
   what its seed says. One shape of fields at a time, since generated functions have no context. */
#ifndef FAKE_DATA_H
#define FAKE_DATA_H
#include "../../runtime/data/internal.h"
#include "check.h"

typedef struct fake_field {
  const char *name;
  nacre_type type;
  int rank;
  int64_t extents[4];
} fake_field;

#define TEXT(name, text) {name, NACRE_TEXT, 0, 0, text, NULL, NULL}
#define NUMBER(name, number) {name, NACRE_NUMBER, 0, number, "", NULL, NULL}
#define NUMBERS(name, count, ...) {name, NACRE_NUMBERS, count, 0, "", (const double[]){__VA_ARGS__}, NULL}
#define TEXTS(name, count, ...)                                                                                        \
  {                                                                                                                    \
    name, NACRE_TEXTS, count, 0, "", NULL, (const char *const[]) { __VA_ARGS__ }                                       \
  }

/* Lists end with a row without a name; `sampling` may be null. The result is valid until the next call. */
const nacre_data_info *fake_data(const char *reader, const fake_field *fields, const nacre_option *options,
                                 const nacre_option *sampling);
/* The same with `augment`. */
const nacre_data_info *fake_augmented(const nacre_data_info *info);
nacre_dataset *open_data(const nacre_data_info *info, uint64_t cache_bytes);

/* A folder of its own for the files of a test, under the working folder; removed at the end. */
const char *test_folder(void);
void write_file(const char *name, const void *data, size_t bytes);
void write_text(const char *name, const char *text);
void remove_folder(void);

#endif
