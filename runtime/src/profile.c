/* Counts what the kernels of a program built with `nacre build --profile` cost, and remembers when each ran, for a
   trace. Only generated code that was built so refers to this file: others neither link nor pay for it.

   Sums are kept in the records themselves; moments go to a ring per thread, which keeps the latest. A hook reads the
   time-stamp counter and adds three numbers: 20 to 40 ns for a pair of them. */
#include "internal.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
  RING = 1 << 15, /* moments per thread */
  DEPTH = 64      /* kernels inside kernels: an entry, a kernel, a chunk */
};

typedef struct moment {
  const nacre_kernel_record *record;
  uint64_t begin, end;
  int64_t chunk;
} moment;

typedef struct ring {
  struct ring *next;
  int number, depth;
  uint64_t begins[DEPTH];
  uint64_t written; /* moments ever */
  moment moments[RING];
} ring;

static nacre_kernel_record *records;
static ring *rings;
static int threads;
static _Thread_local ring *mine;
static uint64_t first_ticks, first_nanoseconds; /* of the clocks, to know how long a tick is */

static uint64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t ticks(void) {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  uint64_t now;
  __asm__ volatile("mrs %0, cntvct_el0" : "=r"(now));
  return now;
#else
  return nanoseconds();
#endif
}

static ring *my_ring(void) {
  if (mine)
    return mine;
  ring *fresh = calloc(1, sizeof *fresh); /* pages of moments that are not reached are never touched */
  if (!fresh)
    return NULL; /* this thread is not measured; it tries again */
  fresh->number = __atomic_fetch_add(&threads, 1, __ATOMIC_RELAXED);
  if (fresh->number == 0) {
    first_nanoseconds = nanoseconds();
    first_ticks = ticks();
  }
  fresh->next = __atomic_load_n(&rings, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(&rings, &fresh->next, fresh, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
  }
  return mine = fresh;
}

static void add(int64_t *sum, int64_t more) { __atomic_fetch_add(sum, more, __ATOMIC_RELAXED); }

static void list(nacre_kernel_record *record) {
  int64_t no = 0;
  if (!__atomic_compare_exchange_n(&record->listed, &no, 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    return;
  nacre_kernel_record *next = __atomic_load_n(&records, __ATOMIC_RELAXED);
  do
    record->next = (int64_t)(intptr_t)next;
  while (!__atomic_compare_exchange_n(&records, &next, record, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

static void begin(ring *own) {
  if (!own)
    return;
  if (own->depth < DEPTH)
    own->begins[own->depth] = ticks();
  ++own->depth;
}

static int64_t end(ring *own, const nacre_kernel_record *record, bool chunk) {
  uint64_t now = ticks();
  if (!own || own->depth == 0 || --own->depth >= DEPTH)
    return 0;
  uint64_t start = own->begins[own->depth];
  own->moments[own->written++ % RING] = (moment){record, start, now, chunk};
  return (int64_t)(now - start);
}

void nacre_profile_kernel_begin(nacre_kernel_record *record, int64_t flops, int64_t bytes) {
  ring *own = my_ring();
  if (!__atomic_load_n(&record->listed, __ATOMIC_RELAXED))
    list(record);
  add(&record->flops, flops);
  if (record->kind[0] != 'e' || strcmp(record->kind, "entry") != 0)
    add(&record->bytes, bytes);
  else if (bytes > __atomic_load_n(&record->bytes, __ATOMIC_RELAXED)) /* callers at once: the last of two large ones */
    __atomic_store_n(&record->bytes, bytes, __ATOMIC_RELAXED);
  begin(own);
}

void nacre_profile_kernel_end(nacre_kernel_record *record) {
  add(&record->ticks, end(my_ring(), record, false));
  add(&record->calls, 1);
}

void nacre_profile_chunk_begin(nacre_kernel_record *record) {
  (void)record;
  begin(my_ring());
}

void nacre_profile_chunk_end(nacre_kernel_record *record) {
  add(&record->chunk_ticks, end(my_ring(), record, true));
  add(&record->chunks, 1);
}

void nacre_profile_reset(void) {
  for (nacre_kernel_record *record = records; record; record = (nacre_kernel_record *)(intptr_t)record->next)
    record->calls = record->ticks = record->flops = record->bytes = record->chunks = record->chunk_ticks = 0;
  for (ring *one = rings; one; one = one->next)
    one->written = 0;
}

/* ---- the file: JSON, read by `nacre profile` --------------------------------------------------------------------- */
static void write_text(FILE *out, const char *name, const char *text, const char *after) {
  fprintf(out, "\"%s\": \"", name);
  for (; *text; ++text)
    if ((unsigned char)*text < 32 || *text == '"' || *text == '\\')
      fprintf(out, "\\u%04x", (unsigned)(unsigned char)*text);
    else
      fputc(*text, out);
  fprintf(out, "\"%s", after);
}

/* The time that a pair of hooks takes of its own, in ticks: the least of some. */
static uint64_t cost_of_hooks(void) {
  static nacre_kernel_record empty = {.function = "", .name = "", .kind = "", .listed = 1};
  uint64_t least = UINT64_MAX;
  for (int i = 0; i < 64; ++i) {
    uint64_t start = ticks();
    nacre_profile_kernel_begin(&empty, 0, 0);
    nacre_profile_kernel_end(&empty);
    uint64_t took = ticks() - start;
    least = took < least ? took : least;
  }
  return least;
}

void nacre_profile_write(void) {
  const char *path = getenv("NACRE_PROFILE");
  if (!path || !*path || !rings)
    return;
  double per_tick = (double)(nanoseconds() - first_nanoseconds) / (double)(ticks() - first_ticks);
  uint64_t hooks = cost_of_hooks();
  FILE *out = fopen(path, "w");
  if (!out) {
    fprintf(stderr, "cannot write the profile %s\n", path);
    return;
  }
  fprintf(out, "{\"version\": 1, \"threads\": %d, \"hook_ns\": %.1f,\n\"records\": [", nacre_threads(),
          per_tick * (double)hooks);
  const char *between = "\n";
  for (nacre_kernel_record *record = records; record; record = (nacre_kernel_record *)(intptr_t)record->next) {
    fprintf(out, "%s{\"id\": %lld, ", between, (long long)(intptr_t)record);
    write_text(out, "function", record->function, ", ");
    write_text(out, "name", record->name, ", ");
    write_text(out, "kind", record->kind, ", ");
    write_text(out, "lines", record->lines, ", ");
    write_text(out, "operations", record->operations, ", ");
    write_text(out, "traffic", record->traffic, ", ");
    fprintf(out,
            "\"calls\": %lld, \"ns\": %.0f, \"flops\": %lld, \"bytes\": %lld, \"chunks\": %lld, \"chunk_ns\": %.0f}",
            (long long)record->calls, per_tick * (double)record->ticks, (long long)record->flops,
            (long long)record->bytes, (long long)record->chunks, per_tick * (double)record->chunk_ticks);
    between = ",\n";
  }
  fprintf(out, "],\n\"rings\": [");
  between = "\n";
  for (ring *one = rings; one; one = one->next) {
    uint64_t kept = one->written < RING ? one->written : RING;
    fprintf(out, "%s{\"thread\": %d, \"dropped\": %llu, \"moments\": [", between, one->number,
            (unsigned long long)(one->written - kept));
    const char *comma = "\n";
    for (uint64_t i = one->written - kept; i < one->written; ++i) {
      const moment *m = &one->moments[i % RING];
      if (!*m->record->kind) /* of cost_of_hooks */
        continue;
      fprintf(out, "%s[%lld, %.3f, %.3f, %d]", comma, (long long)(intptr_t)m->record,
              1e-3 * per_tick * (double)(int64_t)(m->begin - first_ticks),
              1e-3 * per_tick * (double)(m->end - m->begin), (int)m->chunk);
      comma = ",\n";
    }
    fprintf(out, "]}");
    between = ",\n";
  }
  fprintf(out, "]}\n");
  if (fclose(out) != 0)
    fprintf(stderr, "cannot write the profile %s\n", path);
}
