/* Samples: a reader's raw fields through the compiled `map`, kept in memory where they fit, and through `augment`. */
#include "internal.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { EMPTY, FILLING, READY }; /* of a kept sample */

/* What a sample is before augmentation: the results of `map`, or of what comes before `augment`. */
typedef struct stage {
  const nacre_entry_info *function;
  int field_count;
  nacre_data_field *fields;
  size_t *offsets; /* of each field in a kept sample */
  size_t bytes;    /* of a kept sample */
  char *kept;      /* null: computed at every use */
  atomic_uchar *states;
} stage;

struct nacre_dataset {
  const nacre_data_info *info;
  nacre_reader *reader;
  nacre_source source;
  char *folder;
  int64_t *rows, count;
  uint64_t seed;
  stage mapped, before; /* before.function is null unless it differs from map */
};

static const struct {
  const char *name;
  nacre_reader_open *open;
} readers[] = {{"csv", nacre_csv_open},
               {"npy", nacre_npy_open},
               {"idx", nacre_idx_open},
               {"image_folder", nacre_image_folder_open},
               {"image_pairs", nacre_image_pairs_open}};

/* ---- fields ------------------------------------------------------------------------------------------------------ */
static const int64_t no_dims[1];

/* Arguments (all but the last, `seed`) or results of a function, with their extents. */
static nacre_data_field *describe(const nacre_entry_info *function, bool results, int *count) {
  int64_t extents[NACRE_MAX_EXTENTS], *at = extents;
  int total = 0;
  for (int32_t i = 0; i < function->argument_count; ++i)
    total += function->arguments[i].rank;
  int64_t *first_result = extents + total;
  for (int32_t i = 0; i < function->result_count; ++i)
    total += function->results[i].rank;
  if (total > NACRE_MAX_EXTENTS || function->argument_count < 1 || function->dim_count != 0) {
    nacre_fail(NACRE_ERROR_UNSUPPORTED, "%s.%s has too many fields", function->module, function->name);
    return NULL;
  }
  function->extents(no_dims, extents);
  *count = results ? function->result_count : function->argument_count - 1;
  nacre_data_field *fields = calloc((size_t)*count + 1, sizeof *fields);
  if (!fields) {
    nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
    return NULL;
  }
  if (results)
    at = first_result;
  for (int i = 0; i < *count; ++i) {
    const nacre_field_info *info = results ? &function->results[i] : &function->arguments[i];
    fields[i] = (nacre_data_field){.name = info->name, .type = (nacre_type)info->type, .rank = info->rank};
    memcpy(fields[i].extents, at, (size_t)info->rank * sizeof *at);
    at += info->rank;
    size_t elements;
    if (!nacre_count_elements(info->rank, fields[i].extents, nacre_type_bytes(fields[i].type), &elements,
                              &fields[i].bytes)) {
      nacre_fail(NACRE_ERROR_UNSUPPORTED, "%s.%s: `%s` is too large", function->module, function->name, info->name);
      free(fields);
      return NULL;
    }
  }
  return fields;
}

static size_t aligned(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

static int open_stage(stage *s, const nacre_entry_info *function) {
  s->function = function;
  if (function->abi != NACRE_ABI)
    return nacre_check_object(function->name, function->abi, "", 0);
  s->fields = describe(function, true, &s->field_count);
  s->offsets = calloc((size_t)s->field_count + 1, sizeof *s->offsets);
  if (!s->fields || !s->offsets)
    return s->fields ? nacre_fail(NACRE_ERROR_MEMORY, "out of memory") : NACRE_ERROR_UNSUPPORTED;
  for (int i = 0; i < s->field_count; ++i) {
    s->offsets[i] = s->bytes;
    s->bytes += aligned(s->fields[i].bytes);
  }
  return NACRE_OK;
}

/* Memory for all samples, if they fit; without it they are mapped again at every use. */
static void keep_samples(stage *s, int64_t count, uint64_t limit) {
  size_t total;
  if (!s->function || __builtin_mul_overflow((size_t)count, s->bytes + 1, &total) || total > limit)
    return;
  s->kept = nacre_aligned_alloc((size_t)count * s->bytes);
  s->states = calloc((size_t)count, sizeof *s->states);
  if (!s->kept || !s->states) {
    free(s->kept);
    free(s->states);
    s->kept = NULL;
    s->states = NULL;
  }
}

static void close_stage(stage *s) {
  free(s->fields);
  free(s->offsets);
  free(s->kept);
  free(s->states);
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */
static int open_reader(nacre_dataset *d) {
  for (size_t i = 0; i < sizeof readers / sizeof *readers; ++i)
    if (strcmp(readers[i].name, d->info->reader) == 0) {
      d->reader = readers[i].open(&d->source);
      return d->reader ? NACRE_OK : NACRE_ERROR_FORMAT;
    }
  return nacre_fail(NACRE_ERROR_UNSUPPORTED, "%s: no reader is called `%s`", d->info->title, d->info->reader);
}

/* `augment` takes what comes out of the stage before it and gives the fields of a sample. */
static int check_augment(const nacre_dataset *d) {
  const nacre_entry_info *augment = d->info->augment;
  const stage *from = d->before.function ? &d->before : &d->mapped;
  if (augment && (augment->argument_count - 1 != from->field_count || augment->result_count != d->mapped.field_count))
    return nacre_fail(NACRE_ERROR_UNSUPPORTED, "%s: the tables of `augment` do not fit", d->info->title);
  return NACRE_OK;
}

nacre_dataset *nacre_dataset_open(const nacre_data_info *info, const nacre_dataset_options *options) {
  nacre_dataset *d = calloc(1, sizeof *d);
  if (!d) {
    nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
    return NULL;
  }
  d->info = info;
  d->seed = options->seed;
  d->folder = strdup(options->folder ? options->folder : "");
  d->source.info = info;
  d->source.folder = d->folder;
  int status = d->folder ? open_stage(&d->mapped, info->map) : nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
  if (status == NACRE_OK && info->augment && info->before_augment)
    status = open_stage(&d->before, info->before_augment);
  if (status == NACRE_OK)
    status = check_augment(d);
  if (status == NACRE_OK && !(d->source.fields = describe(info->map, false, &d->source.field_count)))
    status = NACRE_ERROR_UNSUPPORTED;
  if (status == NACRE_OK)
    status = open_reader(d);
  if (status == NACRE_OK) {
    d->rows = nacre_select_rows(info, d->folder, d->reader->count, options->rank, options->ranks, &d->count);
    status = d->rows ? NACRE_OK : NACRE_ERROR_FORMAT;
  }
  if (status == NACRE_OK) {
    uint64_t limit = options->cache_bytes ? options->cache_bytes : NACRE_CACHE_BYTES;
    keep_samples(&d->mapped, d->count, limit);
    keep_samples(&d->before, d->count, limit);
    return d;
  }
  nacre_dataset_close(d);
  return NULL;
}

void nacre_dataset_close(nacre_dataset *d) {
  if (!d)
    return;
  if (d->reader)
    d->reader->close(d->reader);
  close_stage(&d->mapped);
  close_stage(&d->before);
  free(d->source.fields);
  free(d->rows);
  free(d->folder);
  free(d);
}

const nacre_data_info *nacre_dataset_info(const nacre_dataset *d) { return d->info; }
int64_t nacre_dataset_count(const nacre_dataset *d) { return d->count; }
uint64_t nacre_dataset_seed(const nacre_dataset *d) { return d->seed; }
int nacre_dataset_field_count(const nacre_dataset *d) { return d->mapped.field_count; }
const nacre_data_field *nacre_dataset_field(const nacre_dataset *d, int field) { return &d->mapped.fields[field]; }

int nacre_dataset_find_field(const nacre_dataset *d, const char *name) {
  for (int i = 0; i < d->mapped.field_count; ++i)
    if (strcmp(d->mapped.fields[i].name, name) == 0)
      return i;
  return -1;
}

const char *nacre_dataset_place(const nacre_dataset *d, int64_t index, char buffer[NACRE_PLACE_TEXT]) {
  d->reader->place(d->reader, d->rows[index], buffer, NACRE_PLACE_TEXT);
  return buffer;
}

/* ---- one sample -------------------------------------------------------------------------------------------------- */
struct nacre_sample_room {
  char *block; /* the workspace, then every raw field, then every field before augmentation */
  char *workspace;
  void **raw, **plain;
};

static size_t workspace_of(const nacre_entry_info *function) {
  return function ? aligned(nacre_entry_workspace(function, no_dims)) : 0;
}

void nacre_sample_room_close(nacre_sample_room *room) {
  if (!room)
    return;
  free(room->block);
  free(room->raw);
  free(room->plain);
  free(room);
}

nacre_sample_room *nacre_sample_room_open(const nacre_dataset *d) {
  size_t work = 0, bytes,
         sizes[] = {workspace_of(d->info->map), workspace_of(d->info->augment), workspace_of(d->before.function)};
  for (int i = 0; i < 3; ++i)
    work = sizes[i] > work ? sizes[i] : work;
  const stage *plain = d->before.function ? &d->before : &d->mapped;
  bytes = work + plain->bytes;
  for (int i = 0; i < d->source.field_count; ++i)
    bytes += aligned(d->source.fields[i].bytes);
  nacre_sample_room *room = calloc(1, sizeof *room);
  if (room) {
    room->block = nacre_aligned_alloc(bytes);
    room->raw = calloc((size_t)d->source.field_count + 1, sizeof *room->raw);
    room->plain = calloc((size_t)plain->field_count + 1, sizeof *room->plain);
  }
  if (!room || !room->block || !room->raw || !room->plain) {
    nacre_sample_room_close(room);
    nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
    return NULL;
  }
  char *at = room->workspace = room->block;
  at += work;
  for (int i = 0; i < plain->field_count; ++i)
    room->plain[i] = at + plain->offsets[i];
  at += plain->bytes;
  for (int i = 0; i < d->source.field_count; ++i) {
    room->raw[i] = at;
    at += aligned(d->source.fields[i].bytes);
  }
  return room;
}

static int failed_at(const nacre_dataset *d, int64_t index, int status) {
  char place[NACRE_PLACE_TEXT];
  return nacre_fail(status, "%s: %s", nacre_dataset_place(d, index, place), nacre_last_error());
}

/* Draws inside `map` belong to a sample for the whole run, those inside `augment` to (epoch, sample): a sample is its
   row in the files, so that folds and shards do not change it. */
static int call(const nacre_dataset *d, const nacre_entry_info *function, void *const *arguments, uint64_t seed,
                void *const *results, void *workspace) {
  const void *all[NACRE_MAX_EXTENTS];
  (void)d;
  int last = function->argument_count - 1;
  for (int i = 0; i < last; ++i)
    all[i] = arguments[i];
  all[last] = &seed;
  return nacre_entry_invoke(function, NULL, no_dims, all, results, workspace);
}

static int compute(const nacre_dataset *d, const stage *s, nacre_sample_room *room, int64_t index,
                   void *const *fields) {
  int64_t row = d->rows[index];
  int status = d->reader->sample(d->reader, row, room->raw);
  for (int i = 0; i < d->source.field_count; ++i)
    if (nacre_field_is_index(&d->source.fields[i]) && !nacre_store_integer(d->source.fields[i].type, row, room->raw[i]))
      status = nacre_fail(NACRE_ERROR_FORMAT, "sample %lld does not fit `index` of type %s", (long long)row,
                          nacre_type_name(d->source.fields[i].type));
  if (status != NACRE_OK)
    return status;
  uint64_t seed = nacre_seed(d->seed, NACRE_SEED_MAP, (uint64_t)row, 0);
  status = call(d, s->function, room->raw, seed, fields, room->workspace);
  return status == NACRE_OK ? NACRE_OK : failed_at(d, index, status);
}

/* Fields of a stage, from memory where they are kept. */
static int read_stage(const nacre_dataset *d, stage *s, nacre_sample_room *room, int64_t index, void *const *fields) {
  unsigned char state = EMPTY;
  if (!s->kept)
    return compute(d, s, room, index, fields);
  char *kept = s->kept + (size_t)index * s->bytes;
  if (atomic_load_explicit(&s->states[index], memory_order_acquire) != READY) {
    int status = compute(d, s, room, index, fields);
    /* Whoever comes first keeps it; another thread that computes the same has the same bits. */
    if (status == NACRE_OK && atomic_compare_exchange_strong(&s->states[index], &state, FILLING)) {
      for (int i = 0; i < s->field_count; ++i)
        memcpy(kept + s->offsets[i], fields[i], s->fields[i].bytes);
      atomic_store_explicit(&s->states[index], READY, memory_order_release);
    }
    return status;
  }
  for (int i = 0; i < s->field_count; ++i)
    memcpy(fields[i], kept + s->offsets[i], s->fields[i].bytes);
  return NACRE_OK;
}

int nacre_dataset_read(nacre_dataset *d, nacre_sample_room *room, int64_t index, bool augment, int64_t epoch,
                       void *const *fields) {
  if (!augment || !d->info->augment)
    return read_stage(d, &d->mapped, room, index, fields);
  int status = read_stage(d, d->before.function ? &d->before : &d->mapped, room, index, room->plain);
  if (status != NACRE_OK)
    return status;
  uint64_t seed = nacre_seed(d->seed, NACRE_SEED_AUGMENT, (uint64_t)epoch, (uint64_t)d->rows[index]);
  status = call(d, d->info->augment, room->plain, seed, fields, room->workspace);
  return status == NACRE_OK ? NACRE_OK : failed_at(d, index, status);
}

int nacre_dataset_sample(nacre_dataset *d, int64_t index, bool augment, int64_t epoch, void *const *fields) {
  if (index < 0 || index >= d->count)
    return nacre_fail(NACRE_ERROR_ARGUMENT, "%s has samples 0 to %lld, not %lld", d->info->title,
                      (long long)d->count - 1, (long long)index);
  nacre_sample_room *room = nacre_sample_room_open(d);
  int status = room ? nacre_dataset_read(d, room, index, augment, epoch, fields) : NACRE_ERROR_MEMORY;
  nacre_sample_room_close(room);
  return status;
}

/* ---- all samples ------------------------------------------------------------------------------------------------- */
int nacre_dataset_whole(nacre_dataset *d, void *const *fields) {
  nacre_sample_room *room = nacre_sample_room_open(d);
  void **at = calloc((size_t)d->mapped.field_count + 1, sizeof *at);
  int status = room && at ? NACRE_OK : nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
  for (int64_t index = 0; status == NACRE_OK && index < d->count; ++index) {
    for (int i = 0; i < d->mapped.field_count; ++i)
      at[i] = (char *)fields[i] + (size_t)index * d->mapped.fields[i].bytes;
    status = nacre_dataset_read(d, room, index, false, 0, at);
  }
  free(at);
  nacre_sample_room_close(room);
  return status;
}

typedef int visit_sample(void *context, int64_t index, const void *field);

/* One field of every sample, one after the other. */
static int for_each(nacre_dataset *d, int field, visit_sample *visit, void *context) {
  nacre_sample_room *room = nacre_sample_room_open(d);
  char *block = nacre_aligned_alloc(d->mapped.bytes);
  void **at = calloc((size_t)d->mapped.field_count + 1, sizeof *at);
  int status = room && block && at ? NACRE_OK : nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
  for (int i = 0; status == NACRE_OK && i < d->mapped.field_count; ++i)
    at[i] = block + d->mapped.offsets[i];
  for (int64_t index = 0; status == NACRE_OK && index < d->count; ++index) {
    status = nacre_dataset_read(d, room, index, false, 0, at);
    if (status == NACRE_OK)
      status = visit(context, index, at[field]);
  }
  free(at);
  free(block);
  nacre_sample_room_close(room);
  return status;
}

typedef struct range {
  const nacre_dataset *dataset;
  const nacre_data_field *field;
  int64_t limit;
  nacre_faults faults;
} range;

static int check_sample(void *context, int64_t index, const void *data) {
  range *r = context;
  size_t elements = r->field->bytes / nacre_type_bytes(r->field->type);
  for (size_t k = 0; k < elements; ++k) {
    int64_t value = nacre_element_as_integer(r->field->type, data, k);
    char place[NACRE_PLACE_TEXT];
    if (value >= 0 && value < r->limit)
      continue;
    nacre_fault(&r->faults, NACRE_ERROR_SUBSCRIPT, "%s: `%s` is %lld, and must be 0 to %lld",
                nacre_dataset_place(r->dataset, index, place), r->field->name, (long long)value,
                (long long)r->limit - 1);
    break;
  }
  return NACRE_OK;
}

int nacre_dataset_check_range(nacre_dataset *d, int field, int64_t limit) {
  range r = {d, &d->mapped.fields[field], limit, {0}};
  if (nacre_type_is_real(r.field->type))
    return nacre_fail(NACRE_ERROR_ARGUMENT, "%s: `%s` is no integer", d->info->title, r.field->name);
  int status = for_each(d, field, check_sample, &r);
  return status == NACRE_OK ? nacre_faults_result(&r.faults, "samples") : status;
}

typedef struct classes {
  int64_t *list;
  nacre_type type;
} classes;

static int note_class(void *context, int64_t index, const void *data) {
  classes *c = context;
  c->list[index] = nacre_element_as_integer(c->type, data, 0);
  return NACRE_OK;
}

int64_t *nacre_dataset_classes(nacre_dataset *d, const char *name) {
  int field = nacre_dataset_find_field(d, name);
  if (field < 0 || d->mapped.fields[field].rank != 0 || nacre_type_is_real(d->mapped.fields[field].type)) {
    nacre_fail(NACRE_ERROR_ARGUMENT, "%s: samples are told apart by an integer, and `%s` is none", d->info->title,
               name);
    return NULL;
  }
  classes c = {malloc((size_t)d->count * sizeof *c.list), d->mapped.fields[field].type};
  if (!c.list) {
    nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
    return NULL;
  }
  if (for_each(d, field, note_class, &c) == NACRE_OK)
    return c.list;
  free(c.list);
  return NULL;
}
