/* Tables: RFC 4180 (quoted cells, "" for a quote, line breaks inside quotes), LF or CRLF, a delimiter of one character,
   gzip or plain. The whole table is read, checked and converted when it is opened: a cell that is no number, a row with
   too many or too few cells or a class out of range is an error with its line and column, and all such rows are
   counted. Empty lines at the end are the only text that is passed over.

   Which column goes where: with a header, and only scalars in `map` that are all names of columns, by name. Otherwise
   the columns (or those of `columns = [..]`) are taken from left to right: a scalar takes one, real[64] takes 64, and
   all must be used. */
#include "internal.h"
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CELL_SHOWN = 40 };

typedef struct cell {
  size_t begin, length; /* in `text` of the scanner */
  int64_t line, column; /* where it starts, from 1 */
} cell;

/* Splits the text into rows. The cells of the row being read are unquoted into `text`, each closed by 0. */
typedef struct scanner {
  const char *at, *end, *line_start;
  const char *path;
  char delimiter;
  int64_t line; /* of `at` */
  char *text;
  size_t text_length, text_room;
  cell *cells;
  int64_t cell_count, cell_room;
  bool memory_failed;
  const char *problem; /* of the row's syntax, with its place */
  int64_t problem_line, problem_column;
} scanner;

static bool grow(void **block, size_t needed, size_t element) {
  void *grown = realloc(*block, needed * element);
  if (grown)
    *block = grown;
  return grown != NULL;
}

static void put(scanner *s, char c) {
  if (s->text_length == s->text_room) {
    size_t room = s->text_room ? s->text_room * 2 : 4096;
    if (!grow((void **)&s->text, room, 1)) {
      s->memory_failed = true;
      return;
    }
    s->text_room = room;
  }
  s->text[s->text_length++] = c;
}

static int64_t column_of(const scanner *s) { return s->at - s->line_start + 1; }

static void syntax(scanner *s, const char *problem, int64_t line, int64_t column) {
  if (s->problem)
    return;
  s->problem = problem;
  s->problem_line = line;
  s->problem_column = column;
}

static void next_line(scanner *s) {
  ++s->line;
  s->line_start = s->at;
}

static void quoted_cell(scanner *s) {
  int64_t line = s->line, column = column_of(s);
  for (++s->at;; ++s->at) {
    if (s->at == s->end) {
      syntax(s, "a quote is never closed", line, column);
      return;
    }
    if (*s->at == '"') {
      if (s->at + 1 == s->end || s->at[1] != '"')
        break;
      ++s->at;
    }
    put(s, *s->at);
    if (*s->at == '\n') {
      ++s->line;
      s->line_start = s->at + 1;
    }
  }
  ++s->at; /* the closing quote */
  if (s->at < s->end && *s->at != s->delimiter && *s->at != '\n' && *s->at != '\r')
    syntax(s, "text after a closing quote", s->line, column_of(s));
}

static bool add_cell(scanner *s) {
  if (s->cell_count == s->cell_room) {
    int64_t room = s->cell_room ? s->cell_room * 2 : 64;
    if (!grow((void **)&s->cells, (size_t)room, sizeof *s->cells))
      return false;
    s->cell_room = room;
  }
  s->cells[s->cell_count++] = (cell){s->text_length, 0, s->line, column_of(s)};
  return true;
}

/* The next row into `cells`; false at the end of the text, or without memory. */
static bool next_row(scanner *s) {
  s->text_length = 0;
  s->cell_count = 0;
  s->problem = NULL;
  if (s->at == s->end)
    return false;
  for (;;) {
    if (!add_cell(s)) {
      s->memory_failed = true;
      return false;
    }
    if (s->at < s->end && *s->at == '"')
      quoted_cell(s);
    while (s->at < s->end && *s->at != s->delimiter && *s->at != '\n' &&
           !(*s->at == '\r' && (s->at + 1 == s->end || s->at[1] == '\n')))
      put(s, *s->at++);
    cell *made = &s->cells[s->cell_count - 1];
    made->length = s->text_length - made->begin;
    put(s, 0);
    if (s->memory_failed)
      return false;
    if (s->at < s->end && *s->at == s->delimiter) {
      ++s->at;
      continue;
    }
    if (s->at < s->end && *s->at == '\r')
      ++s->at;
    if (s->at < s->end) {
      ++s->at;
      next_line(s);
    }
    return true;
  }
}

static const char *cell_text(const scanner *s, int64_t i) { return s->text + s->cells[i].begin; }

/* Nothing but line breaks from here on? */
static bool only_empty_lines(const scanner *s) {
  for (const char *at = s->at; at < s->end; ++at)
    if (*at != '\n' && *at != '\r')
      return false;
  return true;
}

/* ---- the table --------------------------------------------------------------------------------------------------- */
typedef struct target {
  int field;
  size_t element;
} target; /* where the cell of a column goes */

typedef struct table {
  nacre_reader reader;
  char *path;
  int field_count;
  size_t *field_bytes;
  unsigned char **values; /* per field, row after row; null for `index` */
  int64_t *lines;         /* where each row starts */
  int64_t room;
} table;

typedef struct plan {
  int64_t columns; /* in every row of the file */
  int64_t *chosen; /* column of the file for each of `targets` */
  target *targets;
  int64_t count;
  int64_t label; /* column that holds classes, or -1 */
  const nacre_option *classes;
} plan;

static void close_table(nacre_reader *reader) {
  table *t = (table *)reader;
  for (int i = 0; t->values && i < t->field_count; ++i)
    free(t->values[i]);
  free(t->values);
  free(t->field_bytes);
  free(t->lines);
  free(t->path);
  free(t);
}

static int sample(nacre_reader *reader, int64_t index, void *const *fields) {
  table *t = (table *)reader;
  for (int i = 0; i < t->field_count; ++i)
    if (t->values[i])
      memcpy(fields[i], t->values[i] + (size_t)index * t->field_bytes[i], t->field_bytes[i]);
  return NACRE_OK;
}

static void place(const nacre_reader *reader, int64_t index, char *buffer, size_t room) {
  const table *t = (const table *)reader;
  snprintf(buffer, room, "%s:%lld", t->path, (long long)t->lines[index]);
}

static int64_t column_named(const scanner *header, const char *name) {
  for (int64_t i = 0; i < header->cell_count; ++i)
    if (strcmp(cell_text(header, i), name) == 0)
      return i;
  return -1;
}

static size_t elements_of(const nacre_data_field *field) {
  return nacre_field_is_index(field) ? 0 : field->bytes / nacre_type_bytes(field->type);
}

static int no_column(const table *t, const char *name) {
  return nacre_fail(NACRE_ERROR_FORMAT, "%s:1: no column is called `%s`", t->path, name);
}

/* Which column each element of each field comes from. `first` is the first row, a header or not. */
static int make_plan(const nacre_source *source, const table *t, const scanner *first, bool header, plan *p) {
  const nacre_option *columns = nacre_find_option(source->info->options, source->info->option_count, "columns");
  p->columns = first->cell_count;
  size_t wanted = 0;
  bool by_name = header && !columns;
  for (int i = 0; i < source->field_count; ++i) {
    size_t elements = elements_of(&source->fields[i]);
    wanted += elements;
    by_name =
        by_name && (elements == 0 || (source->fields[i].rank == 0 && column_named(first, source->fields[i].name) >= 0));
  }
  if (columns && !header)
    return nacre_fail(NACRE_ERROR_ARGUMENT, "%s: `columns` names columns, so `header = true` is needed", t->path);
  size_t available = columns ? (size_t)columns->count : (size_t)p->columns;
  if (!by_name && wanted != available)
    return nacre_fail(NACRE_ERROR_FORMAT, "%s:%lld: `map` takes %zu columns, %s has %zu", t->path,
                      (long long)first->cells[0].line, wanted, columns ? "`columns`" : "the table", available);
  p->count = (int64_t)wanted;
  p->chosen = malloc((wanted + 1) * sizeof *p->chosen);
  p->targets = malloc((wanted + 1) * sizeof *p->targets);
  if (!p->chosen || !p->targets)
    return nacre_fail(NACRE_ERROR_MEMORY, "%s: out of memory", t->path);
  size_t next = 0;
  for (int i = 0; i < source->field_count; ++i)
    for (size_t element = 0; element < elements_of(&source->fields[i]); ++element, ++next) {
      p->targets[next] = (target){i, element};
      p->chosen[next] = by_name   ? column_named(first, source->fields[i].name)
                        : columns ? column_named(first, columns->texts[next])
                                  : (int64_t)next;
      if (p->chosen[next] < 0)
        return no_column(t, columns->texts[next]);
    }
  return NACRE_OK;
}

/* `label = "species"` or a number from 0; without it the column called label, or the last one. */
static int plan_label(const nacre_source *source, const table *t, const scanner *first, bool header, plan *p) {
  const nacre_option *label = nacre_find_option(source->info->options, source->info->option_count, "label");
  p->classes = nacre_find_option(source->info->options, source->info->option_count, "classes");
  p->label = -1;
  if (!p->classes)
    return label ? nacre_fail(NACRE_ERROR_ARGUMENT, "%s: `label` names the column of `classes`, which is missing",
                              t->path)
                 : NACRE_OK;
  if (label && label->form == NACRE_NUMBER) {
    if (!(label->number >= 0 && label->number < (double)p->columns && label->number == floor(label->number)))
      return nacre_fail(NACRE_ERROR_ARGUMENT, "%s: `label = %g`, but the columns are 0 to %lld", t->path, label->number,
                        (long long)p->columns - 1);
    p->label = (int64_t)label->number;
    return NACRE_OK;
  }
  if (label && !header)
    return nacre_fail(NACRE_ERROR_ARGUMENT, "%s: without a header `label` is the number of a column, from 0", t->path);
  p->label = header ? column_named(first, label ? label->text : "label") : -1;
  if (p->label < 0 && label)
    return no_column(t, label->text);
  if (p->label < 0)
    p->label = p->columns - 1;
  return NACRE_OK;
}

/* ---- cells ------------------------------------------------------------------------------------------------------- */
static locale_t plain_locale; /* a decimal point, whatever the process has chosen */

__attribute__((constructor)) static void open_locale(void) { plain_locale = newlocale(LC_ALL_MASK, "C", NULL); }

/* A number as the cell's type takes it; null, or why not. */
static const char *parse_cell(const char *text, nacre_type type, void *out) {
  while (*text == ' ' || *text == '\t')
    ++text;
  if (!*text)
    return "is empty where a number is needed";
  char *end;
  if (!nacre_type_is_real(type)) { /* all 64 bits, which a double has not */
    long long whole = strtoll(text, &end, 10);
    while (*end == ' ' || *end == '\t')
      ++end;
    if (!*end && whole != INT64_MAX && whole != INT64_MIN)
      return nacre_store_integer(type, whole, out) ? NULL : "does not fit";
  }
  double value = plain_locale ? strtod_l(text, &end, plain_locale) : strtod(text, &end);
  bool number = end != text;
  while (*end == ' ' || *end == '\t')
    ++end;
  if (!number || *end)
    return "is no number";
  if (!isfinite(value))
    return "is no finite number";
  if (!nacre_type_is_real(type) && value != floor(value))
    return "is no whole number";
  return nacre_store_number(type, value, out) ? NULL : "does not fit";
}

/* The class of a cell: its place in a list of texts, or a whole number below a bound. */
static const char *parse_class(const char *text, const nacre_option *classes, double *value) {
  if (classes->form == NACRE_TEXTS) {
    for (int i = 0; i < classes->count; ++i)
      if (strcmp(text, classes->texts[i]) == 0) {
        *value = i;
        return NULL;
      }
    return "is none of the classes";
  }
  const char *problem = parse_cell(text, NACRE_F64, value);
  if (problem)
    return problem;
  return *value >= 0 && *value < classes->number && *value == floor(*value) ? NULL : "is no class below the limit";
}

/* One row of cells into the table; a malformed one is counted and leaves nothing behind. */
static void store_row(table *t, const nacre_source *source, const scanner *s, const plan *p, nacre_faults *faults) {
  if (s->problem) {
    nacre_fault(faults, NACRE_ERROR_FORMAT, "%s:%lld:%lld: %s", t->path, (long long)s->problem_line,
                (long long)s->problem_column, s->problem);
    return;
  }
  if (s->cell_count != p->columns) {
    const cell *last = &s->cells[s->cell_count - 1];
    nacre_fault(faults, NACRE_ERROR_FORMAT, "%s:%lld:%lld: %lld columns in this row, %lld in the first", t->path,
                (long long)last->line, (long long)last->column, (long long)s->cell_count, (long long)p->columns);
    return;
  }
  for (int64_t i = 0; i < p->count; ++i) {
    const target *to = &p->targets[i];
    const cell *from = &s->cells[p->chosen[i]];
    const char *text = s->text + from->begin, *problem;
    nacre_type type = source->fields[to->field].type;
    unsigned char *out = t->values[to->field] + (size_t)t->reader.count * t->field_bytes[to->field] +
                         to->element * nacre_type_bytes(type);
    if (p->chosen[i] == p->label) {
      double value = 0;
      problem = parse_class(text, p->classes, &value);
      if (!problem && !nacre_store_number(type, value, out))
        problem = "does not fit";
    } else {
      problem = strlen(text) == from->length ? parse_cell(text, type, out) : "is no number";
    }
    if (problem) {
      bool bound = p->chosen[i] == p->label && p->classes->form == NACRE_NUMBER;
      char limit[40] = "";
      if (bound)
        snprintf(limit, sizeof limit, " (0 to %.0f)", p->classes->number - 1);
      nacre_fault(faults, NACRE_ERROR_FORMAT, "%s:%lld:%lld: `%.*s%s` %s%s", t->path, (long long)from->line,
                  (long long)from->column, CELL_SHOWN, text, strlen(text) > CELL_SHOWN ? "..." : "", problem, limit);
      return;
    }
  }
  t->lines[t->reader.count++] = s->cells[0].line;
}

static bool make_room(table *t) {
  if (t->reader.count < t->room)
    return true;
  int64_t room = t->room ? t->room * 2 : 1024;
  if (!grow((void **)&t->lines, (size_t)room, sizeof *t->lines))
    return false;
  for (int i = 0; i < t->field_count; ++i)
    if (t->field_bytes[i] && !grow((void **)&t->values[i], (size_t)room, t->field_bytes[i]))
      return false;
  t->room = room;
  return true;
}

static int read_rows(table *t, const nacre_source *source, scanner *s) {
  const nacre_option *header_option = nacre_find_option(source->info->options, source->info->option_count, "header");
  bool header = !header_option || header_option->number != 0;
  plan p = {0};
  nacre_faults faults = {0};
  int status = NACRE_OK;
  if (!next_row(s) || (s->cell_count == 1 && s->cells[0].length == 0 && only_empty_lines(s)))
    return s->memory_failed ? nacre_fail(NACRE_ERROR_MEMORY, "%s: out of memory", t->path)
                            : nacre_fail(NACRE_ERROR_FORMAT, "%s: the table is empty", t->path);
  if (s->problem)
    return nacre_fail(NACRE_ERROR_FORMAT, "%s:%lld:%lld: %s", t->path, (long long)s->problem_line,
                      (long long)s->problem_column, s->problem);
  status = make_plan(source, t, s, header, &p);
  if (status == NACRE_OK)
    status = plan_label(source, t, s, header, &p);
  bool more = status == NACRE_OK && (!header || next_row(s));
  while (more && status == NACRE_OK) {
    if (s->cell_count == 1 && s->cells[0].length == 0 && only_empty_lines(s))
      break;
    if (!make_room(t)) {
      s->memory_failed = true;
      break;
    }
    store_row(t, source, s, &p, &faults);
    more = next_row(s);
  }
  free(p.chosen);
  free(p.targets);
  if (status != NACRE_OK)
    return status;
  if (s->memory_failed)
    return nacre_fail(NACRE_ERROR_MEMORY, "%s: out of memory after %lld rows", t->path, (long long)t->reader.count);
  if (faults.count == 0 && t->reader.count == 0)
    return nacre_fail(NACRE_ERROR_FORMAT, "%s: the table has a header and no rows", t->path);
  return nacre_faults_result(&faults, "rows");
}

nacre_reader *nacre_csv_open(const nacre_source *source) {
  const char *file = nacre_option_text(source->info, "file"), *delimiter = nacre_option_text(source->info, "delimiter");
  nacre_content content;
  table *t = calloc(1, sizeof *t);
  if (!t || !file) {
    if (t)
      nacre_fail(NACRE_ERROR_ARGUMENT, "csv: no file is named");
    else
      nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
    free(t);
    return NULL;
  }
  t->reader = (nacre_reader){0, sample, place, close_table};
  t->path = nacre_path_join(source->folder, file);
  t->field_count = source->field_count;
  t->field_bytes = calloc((size_t)source->field_count + 1, sizeof *t->field_bytes);
  t->values = calloc((size_t)source->field_count + 1, sizeof *t->values);
  int status = t->path && t->field_bytes && t->values ? NACRE_OK : nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
  if (status == NACRE_OK)
    status = nacre_content_open(t->path, &content);
  if (status == NACRE_OK) {
    for (int i = 0; i < source->field_count; ++i)
      t->field_bytes[i] = nacre_field_is_index(&source->fields[i]) ? 0 : source->fields[i].bytes;
    const char *start = (const char *)content.data;
    if (content.bytes >= 3 && memcmp(start, "\xef\xbb\xbf", 3) == 0) /* the mark that some programs write first */
      start += 3;
    scanner s = {.at = start, .end = (const char *)content.data + content.bytes, .line_start = start, .path = t->path};
    s.delimiter = delimiter ? delimiter[0] : ',';
    s.line = 1;
    status = read_rows(t, source, &s);
    free(s.text);
    free(s.cells);
    nacre_content_close(&content);
  }
  if (status == NACRE_OK)
    return &t->reader;
  close_table(&t->reader);
  return NULL;
}
