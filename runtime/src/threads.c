/* The pool of the process: nacre_parallel_for cuts a range into chunks that only its length and grain determine. Each
   thread has a part of neighbouring chunks, so that it reads what it wrote in the range before and what it fetched
   ahead, and takes from the parts of others when its own is done. Workers start when first needed, spin a little for
   the next piece of work and then sleep. Several callers share the workers through a few job slots; a call from inside
   a body, or one that finds no free slot, runs its chunks by itself. Which thread runs a chunk never shows in the
   result. */
#include "internal.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
  SLOTS = 8,  /* callers at once that get help */
  PARTS = 64, /* of a range; more threads share them */
  THREADS_MAX = 256,
  SPINS = 4000,   /* looks for new work before a worker sleeps: tens of microseconds */
  PATIENCE = 2000 /* looks at the last busy helpers before the caller gives up its time slice */
};

/* A range being worked on. Helpers announce themselves in `helpers` before they look at `open`, the owner closes before
   it looks at `helpers` (all sequentially consistent), so after close and helpers == 0 nobody touches the slot. */
typedef struct part {
  _Alignas(64) _Atomic int64_t next; /* the first chunk nobody has taken */
  int64_t end;
} part;

typedef struct slot {
  _Alignas(64) atomic_int taken, open, helpers;
  void (*body)(void *, int64_t, int64_t);
  void *context;
  int64_t count, grain;
  int parts_used;
  part parts[PARTS];
} slot;

static struct {
  slot slots[SLOTS];
  _Alignas(64) atomic_uint posted; /* changes with every new job */
  atomic_int sleepers, limit;      /* limit: threads a call may use, 0: not yet decided */
  atomic_bool stopping;
  pthread_mutex_t lock; /* guards what follows */
  pthread_cond_t wake;
  pthread_t workers[THREADS_MAX];
  atomic_int started;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static _Thread_local bool inside; /* this thread runs a body */

static inline void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static int default_threads(void) {
  const char *text = getenv("NACRE_THREADS");
  if (text && *text) {
    char *end;
    long n = strtol(text, &end, 10);
    if (!*end && n >= 1)
      return n < THREADS_MAX ? (int)n : THREADS_MAX;
  }
  cpu_set_t set;
  int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
  return n < 1 ? 1 : n < THREADS_MAX ? n : THREADS_MAX;
}

int nacre_threads(void) {
  int limit = atomic_load(&pool.limit);
  if (limit == 0) {
    int mine = default_threads();
    limit = atomic_compare_exchange_strong(&pool.limit, &limit, mine) ? mine : limit;
  }
  return limit;
}

void nacre_set_threads(int n) {
  atomic_store(&pool.limit, n < 1 ? default_threads() : n < THREADS_MAX ? n : THREADS_MAX);
}

/* The thread's own part first, then the others in turn; thread 0 is the caller. */
static void run_chunks(slot *s, int thread) {
  bool outer = inside;
  inside = true;
  for (int i = 0; i < s->parts_used; ++i) {
    part *p = &s->parts[(thread + i) % s->parts_used];
    while (atomic_load_explicit(&p->next, memory_order_relaxed) < p->end) {
      int64_t chunk = atomic_fetch_add(&p->next, 1);
      if (chunk >= p->end)
        break;
      int64_t begin = chunk * s->grain;
      s->body(s->context, begin, s->count - begin < s->grain ? s->count : begin + s->grain);
    }
  }
  inside = outer;
}

static void help(int thread) {
  for (int i = 0; i < SLOTS; ++i) {
    slot *s = &pool.slots[i];
    if (!atomic_load(&s->open))
      continue;
    atomic_fetch_add(&s->helpers, 1);
    if (atomic_load(&s->open))
      run_chunks(s, thread);
    atomic_fetch_sub(&s->helpers, 1);
  }
}

static void *work(void *argument) {
  int number = (int)(intptr_t)argument; /* from 1: the caller is thread 0 */
  unsigned seen = atomic_load(&pool.posted) - 1;
  while (!atomic_load(&pool.stopping)) {
    for (int spin = 0; spin < SPINS && atomic_load_explicit(&pool.posted, memory_order_relaxed) == seen; ++spin)
      relax();
    if (atomic_load(&pool.posted) == seen) {
      pthread_mutex_lock(&pool.lock);
      atomic_fetch_add(&pool.sleepers, 1);
      while (atomic_load(&pool.posted) == seen && !atomic_load(&pool.stopping))
        pthread_cond_wait(&pool.wake, &pool.lock);
      atomic_fetch_sub(&pool.sleepers, 1);
      pthread_mutex_unlock(&pool.lock);
    }
    seen = atomic_load(&pool.posted);
    if (number < atomic_load(&pool.limit))
      help(number);
  }
  return NULL;
}

/* The child of a fork has no workers: it starts its own when it needs them. It knows itself by a page that the kernel
   clears for children; pthread_atfork would need the start files of a compiler, and survive dlclose badly. */
static atomic_int *parent_page;

static void forget_workers(void) {
  pool.lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
  pool.wake = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
  atomic_store(&pool.started, 0);
  atomic_store(&pool.sleepers, 0);
  for (int i = 0; i < SLOTS; ++i) {
    atomic_store(&pool.slots[i].open, 0);
    atomic_store(&pool.slots[i].helpers, 0);
    atomic_store(&pool.slots[i].taken, 0);
  }
  atomic_store(parent_page, 1);
}

static void mark_parent(void) {
  size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
  void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  static atomic_int fallback; /* on an old kernel the child runs every chunk itself: nobody else takes any */
  if (page != MAP_FAILED && madvise(page, bytes, MADV_WIPEONFORK) == 0)
    parent_page = page;
  else
    parent_page = &fallback;
  atomic_store(parent_page, 1);
}

/* As many workers as the limit allows; fewer if the system refuses, which costs speed only. */
static void start_workers(int wanted) {
  pthread_mutex_lock(&pool.lock);
  if (!parent_page)
    mark_parent();
  int started = atomic_load(&pool.started);
  while (started < wanted && !atomic_load(&pool.stopping) &&
         pthread_create(&pool.workers[started], NULL, work, (void *)(intptr_t)(started + 1)) == 0)
    ++started;
  atomic_store(&pool.started, started);
  pthread_mutex_unlock(&pool.lock);
}

/* Before the code of the workers is unmapped (dlclose), or at the end of the process. */
__attribute__((destructor)) static void stop_workers(void) {
  if (atomic_load(&pool.started) == 0 || !atomic_load(parent_page))
    return;
  pthread_mutex_lock(&pool.lock);
  atomic_store(&pool.stopping, true);
  atomic_fetch_add(&pool.posted, 1);
  pthread_cond_broadcast(&pool.wake);
  int started = atomic_exchange(&pool.started, 0);
  pthread_mutex_unlock(&pool.lock);
  for (int i = 0; i < started; ++i)
    if (!pthread_equal(pool.workers[i], pthread_self()))
      pthread_join(pool.workers[i], NULL);
}

static slot *take_slot(void) {
  for (int i = 0; i < SLOTS; ++i) {
    int free_now = 0;
    if (!atomic_load_explicit(&pool.slots[i].taken, memory_order_relaxed) &&
        atomic_compare_exchange_strong(&pool.slots[i].taken, &free_now, 1))
      return &pool.slots[i];
  }
  return NULL;
}

static void wake_workers(int64_t useful) {
  atomic_fetch_add(&pool.posted, 1);
  int sleepers = atomic_load(&pool.sleepers);
  if (sleepers == 0)
    return;
  pthread_mutex_lock(&pool.lock);
  if (useful < sleepers && atomic_load(&pool.started) < atomic_load(&pool.limit))
    while (useful-- > 0)
      pthread_cond_signal(&pool.wake);
  else
    pthread_cond_broadcast(&pool.wake);
  pthread_mutex_unlock(&pool.lock);
}

NACRE_API void nacre_parallel_for(void (*body)(void *context, int64_t begin, int64_t end), void *context, int64_t count,
                                  int64_t grain) {
  if (count <= 0)
    return;
  if (grain < 1)
    grain = 1;
  int64_t chunks = (count - 1) / grain + 1;
  int threads = chunks > 1 && !inside ? nacre_threads() : 1;
  if (threads > 1 && atomic_load(&pool.started) && !atomic_load_explicit(parent_page, memory_order_relaxed))
    forget_workers();
  slot *s = threads > 1 ? take_slot() : NULL;
  if (!s) {
    for (int64_t begin = 0; begin < count; begin += grain)
      body(context, begin, count - begin < grain ? count : begin + grain);
    return;
  }
  if (atomic_load(&pool.started) < threads - 1)
    start_workers(threads - 1);
  s->body = body;
  s->context = context;
  s->count = count;
  s->grain = grain;
  int parts = s->parts_used = threads < PARTS ? threads : PARTS;
  for (int i = 0; i < parts; ++i) {
    atomic_store_explicit(&s->parts[i].next, chunks / parts * i + chunks % parts * i / parts, memory_order_relaxed);
    s->parts[i].end = chunks / parts * (i + 1) + chunks % parts * (i + 1) / parts;
  }
  atomic_store(&s->open, 1);
  wake_workers(chunks - 1);
  run_chunks(s, 0);
  atomic_store(&s->open, 0);
  for (int look = 0; atomic_load(&s->helpers) != 0; ++look) {
    relax();
    if (look > PATIENCE)
      sched_yield();
  }
  atomic_store(&s->taken, 0);
}
