/* Named numbers, and the table of them that grows by a row with each epoch. */
#include "train.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

void nacre_measures_release(nacre_measures *measures) {
  for (size_t i = 0; i < measures->count; ++i) {
    free(measures->list[i].name);
    free(measures->list[i].values);
  }
  free(measures->list);
  *measures = (nacre_measures){0};
}

static nacre_measure *find(const nacre_measures *measures, const char *name) {
  for (size_t i = 0; i < measures->count; ++i)
    if (strcmp(measures->list[i].name, name) == 0)
      return &measures->list[i];
  return NULL;
}

const nacre_measure *nacre_measures_find(const nacre_measures *measures, const char *name) {
  return find(measures, name);
}

nacre_measure *nacre_measures_set(nacre_measures *measures, const char *name, int rank, const int64_t *extents) {
  size_t count, bytes;
  if (!nacre_count_elements(rank, extents, sizeof(double), &count, &bytes))
    return NULL;
  nacre_measure *measure = find(measures, name);
  if (!measure) {
    nacre_measure *list = realloc(measures->list, (measures->count + 1) * sizeof *list);
    char *copy = strdup(name);
    if (list)
      measures->list = list;
    if (!list || !copy) {
      free(copy);
      return NULL;
    }
    measure = &list[measures->count++];
    *measure = (nacre_measure){.name = copy};
  }
  double *values = realloc(measure->values, bytes + sizeof(double));
  if (!values)
    return NULL;
  measure->values = values;
  measure->count = count;
  measure->rank = rank;
  for (int i = 0; i < rank; ++i)
    measure->extents[i] = extents[i];
  return measure;
}

bool nacre_measures_set_number(nacre_measures *measures, const char *name, double value) {
  nacre_measure *measure = nacre_measures_set(measures, name, 0, NULL);
  if (measure)
    measure->values[0] = value;
  return measure != NULL;
}

void nacre_history_release(nacre_history *history) {
  for (size_t i = 0; i < history->columns; ++i)
    free(history->names[i]);
  free(history->names);
  free(history->values);
  *history = (nacre_history){0};
}

static size_t column(const nacre_history *history, const char *name) {
  size_t at = 0;
  while (at < history->columns && strcmp(history->names[at], name) != 0)
    ++at;
  return at;
}

/* The table with more columns; those of older rows are NaN. */
static bool widen(nacre_history *history, const nacre_measures *measures) {
  size_t more = 0;
  for (size_t i = 0; i < measures->count; ++i)
    more += measures->list[i].rank == 0 && column(history, measures->list[i].name) == history->columns;
  if (more == 0)
    return true;
  size_t columns = history->columns + more;
  char **names = realloc(history->names, columns * sizeof *names);
  if (!names)
    return false;
  history->names = names;
  double *values = malloc((history->rows + 1) * columns * sizeof *values);
  if (!values)
    return false;
  for (size_t row = 0; row < history->rows; ++row)
    for (size_t i = 0; i < columns; ++i)
      values[row * columns + i] = i < history->columns ? history->values[row * history->columns + i] : NAN;
  free(history->values);
  history->values = values;
  size_t at = history->columns;
  history->columns = columns;
  for (size_t i = at; i < columns; ++i)
    names[i] = NULL;
  for (size_t i = 0; i < measures->count; ++i) {
    const nacre_measure *measure = &measures->list[i];
    size_t known = 0;
    while (known < at && strcmp(names[known], measure->name) != 0)
      ++known;
    if (measure->rank == 0 && known == at && !(names[at++] = strdup(measure->name)))
      return false;
  }
  return true;
}

int nacre_history_add(nacre_history *history, const nacre_measures *measures) {
  bool good = widen(history, measures);
  double *values =
      good ? realloc(history->values, (history->rows + 1) * (history->columns + 1) * sizeof *values) : NULL;
  if (!values)
    return nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
  history->values = values;
  double *row = values + history->rows++ * history->columns;
  for (size_t i = 0; i < history->columns; ++i) {
    const nacre_measure *measure = find(measures, history->names[i]);
    row[i] = measure && measure->rank == 0 ? measure->values[0] : NAN;
  }
  return NACRE_OK;
}

double nacre_history_value(const nacre_history *history, size_t row, const char *name) {
  size_t at = column(history, name);
  return row < history->rows && at < history->columns ? history->values[row * history->columns + at] : NAN;
}
