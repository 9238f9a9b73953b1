/* Which samples of the files one use of a data block has. Steps, each on what the one before leaves:
     rows = "a.npy"      the numbers in the file, in its order
     except = "a.npy"    all others
     held_back = "a.npy", split = s     "train": all others; "test": these
     ratio = [0.8, 0.2], split = s, seed = n     one part of a shuffle that `seed` (0) fixes; every sample is in exactly
                                               one part, whatever the sizes; inside a part the order of the file
     take(n)             the first n
     shard(by = "rank")  every ranks-th, from rank */
#include "internal.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct rows {
  int64_t *list, count;
} rows;

static int bad_rows(const char *path, const char *why) {
  return nacre_fail(NACRE_ERROR_FORMAT, "%s: row numbers are a one-dimensional array of integers: %s", path, why);
}

/* Marks[i] says whether the file names row i; `order` (if not null) gets the numbers as they stand there. */
static int read_numbers(const char *path, int64_t available, unsigned char *marks, rows *order) {
  nacre_tensor tensor;
  int status = nacre_npy_read(path, &tensor);
  if (status != NACRE_OK)
    return status;
  nacre_faults faults = {0};
  if (tensor.rank != 1 || nacre_type_is_real(tensor.type) || tensor.type == NACRE_BOOL)
    status = bad_rows(path, tensor.rank != 1 ? "this has another rank" : "this holds other numbers");
  int64_t count = status == NACRE_OK ? tensor.extents[0] : 0;
  if (status == NACRE_OK && order && !(order->list = malloc(((size_t)count + 1) * sizeof *order->list)))
    status = nacre_fail(NACRE_ERROR_MEMORY, "%s: out of memory", path);
  for (int64_t i = 0; status == NACRE_OK && i < count; ++i) {
    int64_t row = nacre_element_as_integer(tensor.type, tensor.data, (size_t)i);
    if (row < 0 || row >= available) {
      nacre_fault(&faults, NACRE_ERROR_FORMAT, "%s, item %lld: row %lld, but the data has rows 0 to %lld", path,
                  (long long)i, (long long)row, (long long)available - 1);
      continue;
    }
    if (marks[row])
      nacre_fault(&faults, NACRE_ERROR_FORMAT, "%s, item %lld: row %lld is named twice", path, (long long)i,
                  (long long)row);
    marks[row] = 1;
    if (order)
      order->list[order->count++] = row;
  }
  free(tensor.data);
  return status == NACRE_OK ? nacre_faults_result(&faults, "items") : status;
}

/* The row numbers of a file are numbers of the files' samples, so they come before everything else. */
static int by_file(const nacre_data_info *info, const char *folder, int64_t available, rows *r) {
  const char *only = nacre_option_text(info, "rows"), *without = nacre_option_text(info, "except"),
             *held = nacre_option_text(info, "held_back"), *split = nacre_option_text(info, "split");
  const char *const files[] = {only, without, held};
  bool kept[] = {true, false, held && split && strcmp(split, "train") != 0};
  int status = NACRE_OK;
  for (int i = 0; i < 3 && status == NACRE_OK; ++i) {
    if (!files[i])
      continue;
    unsigned char *marks = calloc((size_t)available + 1, 1);
    char *path = nacre_path_join(folder, files[i]);
    rows order = {0};
    if (!marks || !path)
      status = nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
    else
      status = read_numbers(path, available, marks, &order);
    if (status == NACRE_OK && i == 0) { /* in the order of the file */
      free(r->list);
      *r = order;
      order.list = NULL;
    } else if (status == NACRE_OK) {
      int64_t next = 0;
      for (int64_t k = 0; k < r->count; ++k)
        if ((marks[r->list[k]] != 0) == kept[i])
          r->list[next++] = r->list[k];
      r->count = next;
    }
    free(order.list);
    free(marks);
    free(path);
  }
  return status;
}

static int ascending(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* Part `split` of a shuffle: parts begin at the rounded running sums of the ratio. */
static int by_ratio(const nacre_data_info *info, rows *r) {
  const nacre_option *ratio = nacre_find_option(info->options, info->option_count, "ratio");
  const char *split = nacre_option_text(info, "split");
  if (!ratio || !split)
    return NACRE_OK;
  int part = strcmp(split, "train") == 0 ? 0 : strcmp(split, "validate") == 0 ? 1 : ratio->count - 1;
  double before = 0;
  for (int i = 0; i < part; ++i)
    before += ratio->numbers[i];
  int64_t begin = (int64_t)floor(before * (double)r->count + 0.5);
  int64_t end = (int64_t)floor((before + ratio->numbers[part]) * (double)r->count + 0.5);
  end = part == ratio->count - 1 || end > r->count ? r->count : end;
  int64_t *positions = malloc(((size_t)r->count + 1) * sizeof *positions);
  if (!positions)
    return nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
  for (int64_t i = 0; i < r->count; ++i)
    positions[i] = i;
  nacre_shuffle(positions, r->count,
                nacre_seed((uint64_t)nacre_option_number(info, "seed", 0), NACRE_SEED_SPLIT, 0, 0));
  qsort(positions + begin, (size_t)(end - begin), sizeof *positions, ascending);
  for (int64_t i = begin; i < end; ++i)
    positions[i - begin] = r->list[positions[i]]; /* i - begin <= i: what is overwritten was read before */
  free(r->list);
  *r = (rows){positions, end - begin};
  return NACRE_OK;
}

int64_t *nacre_select_rows(const nacre_data_info *info, const char *folder, int64_t available, int rank, int ranks,
                           int64_t *count) {
  rows r = {malloc(((size_t)available + 1) * sizeof *r.list), available};
  int status = r.list ? NACRE_OK : nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
  for (int64_t i = 0; status == NACRE_OK && i < available; ++i)
    r.list[i] = i;
  if (status == NACRE_OK)
    status = by_file(info, folder, available, &r);
  if (status == NACRE_OK)
    status = by_ratio(info, &r);
  const nacre_option *take = nacre_find_option(info->sampling, info->sampling_count, "take");
  if (status == NACRE_OK && take && take->number < (double)r.count)
    r.count = (int64_t)take->number;
  if (status == NACRE_OK && ranks > 1 && nacre_find_option(info->sampling, info->sampling_count, "shard")) {
    int64_t next = 0;
    for (int64_t i = rank; i < r.count; i += ranks)
      r.list[next++] = r.list[i];
    r.count = next;
  }
  if (status == NACRE_OK && r.count == 0)
    status = nacre_fail(NACRE_ERROR_FORMAT, "%s: no samples are left (the files have %lld)", info->title,
                        (long long)available);
  if (status != NACRE_OK) {
    free(r.list);
    return NULL;
  }
  *count = r.count;
  return r.list;
}
