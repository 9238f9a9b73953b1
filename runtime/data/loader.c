/* Batches ahead of time. One thread fills the slots of a ring in the order of the epochs, another takes them out; the
   one slot that was taken last belongs to the taker, so AHEAD batches wait while it works. The thread goes on into the
   next epoch by itself. What a slot holds depends on its place (epoch, batch) alone. */
#include "internal.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { AHEAD = 2, SLOTS = AHEAD + 1 };

typedef struct slot {
  nacre_batch batch;
  int64_t epoch;
  void **fields;
  int64_t *samples;
  int status;
  char error[1024];
} slot;

struct nacre_loader {
  nacre_dataset *dataset;
  nacre_order *order;
  nacre_sample_room *room; /* of the thread */
  int64_t batch, batches, length;
  bool training;
  double waited;
  /* of the thread: the epoch whose order is in `list` */
  int64_t *list, list_epoch;
  void **at;

  pthread_t thread;
  bool threaded;
  pthread_mutex_t lock; /* guards what follows */
  pthread_cond_t changed;
  bool stopping, filling, failed, started;
  slot slots[SLOTS];
  int64_t made, taken;            /* batches since the last jump; slot number % SLOTS */
  int64_t make_epoch, make_batch; /* what the thread makes next */
  int64_t take_epoch, take_batch; /* what is taken next */
  uint64_t jumps;
};

/* ---- the thread -------------------------------------------------------------------------------------------------- */
static int fill(nacre_loader *l, slot *s, int64_t epoch, int64_t number) {
  if (l->list_epoch != epoch) {
    nacre_order_epoch(l->order, epoch, l->list);
    l->list_epoch = epoch;
  }
  int64_t begin = number * l->batch, left = l->length - begin;
  s->epoch = epoch;
  s->batch = (nacre_batch){number, left < l->batch ? left : l->batch, s->fields, s->samples};
  int fields = nacre_dataset_field_count(l->dataset);
  for (int64_t i = 0; i < s->batch.count; ++i) {
    s->samples[i] = l->list[begin + i];
    for (int f = 0; f < fields; ++f)
      l->at[f] = (char *)s->fields[f] + (size_t)i * nacre_dataset_field(l->dataset, f)->bytes;
    int status = nacre_dataset_read(l->dataset, l->room, s->samples[i], l->training, epoch, l->at);
    if (status != NACRE_OK)
      return status;
  }
  return NACRE_OK;
}

static void *work(void *argument) {
  nacre_loader *l = argument;
  pthread_mutex_lock(&l->lock);
  for (;;) {
    /* The slot taken last is still read by the taker: only SLOTS - 1 can be ahead of it. */
    while (!l->stopping && (l->failed || !l->started || l->made - l->taken >= AHEAD))
      pthread_cond_wait(&l->changed, &l->lock);
    if (l->stopping)
      break;
    slot *s = &l->slots[l->made % SLOTS];
    int64_t epoch = l->make_epoch, number = l->make_batch;
    uint64_t jumps = l->jumps;
    l->filling = true;
    pthread_mutex_unlock(&l->lock);
    int status = fill(l, s, epoch, number);
    pthread_mutex_lock(&l->lock);
    l->filling = false;
    if (jumps == l->jumps) {
      s->status = status;
      if (status != NACRE_OK) {
        snprintf(s->error, sizeof s->error, "%s", nacre_last_error());
        l->failed = true;
      }
      ++l->made;
      if (++l->make_batch == l->batches) {
        ++l->make_epoch;
        l->make_batch = 0;
      }
    }
    pthread_cond_broadcast(&l->changed);
  }
  pthread_mutex_unlock(&l->lock);
  return NULL;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */
static bool make_slots(nacre_loader *l) {
  int fields = nacre_dataset_field_count(l->dataset);
  for (int i = 0; i < SLOTS; ++i) {
    slot *s = &l->slots[i];
    s->samples = malloc((size_t)l->batch * sizeof *s->samples);
    s->fields = calloc((size_t)fields + 1, sizeof *s->fields);
    if (!s->samples || !s->fields)
      return false;
    for (int f = 0; f < fields; ++f) {
      size_t bytes;
      if (__builtin_mul_overflow((size_t)l->batch, nacre_dataset_field(l->dataset, f)->bytes, &bytes) ||
          !(s->fields[f] = nacre_aligned_alloc(bytes)))
        return false;
    }
  }
  return true;
}

nacre_loader *nacre_loader_open(nacre_dataset *dataset, const nacre_loader_options *options) {
  const char *title = nacre_dataset_info(dataset)->title;
  if (options->batch < 1 || options->batch > INT32_MAX || (options->subset && options->subset_count < 1)) {
    nacre_fail(NACRE_ERROR_ARGUMENT, "%s: batches of %lld samples", title, (long long)options->batch);
    return NULL;
  }
  nacre_loader *l = calloc(1, sizeof *l);
  if (!l) {
    nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
    return NULL;
  }
  pthread_mutex_init(&l->lock, NULL);
  pthread_cond_init(&l->changed, NULL);
  l->dataset = dataset;
  l->batch = options->batch;
  l->training = options->training;
  l->list_epoch = -1;
  l->order = nacre_order_open(dataset, options);
  if (!l->order) {
    nacre_loader_close(l);
    return NULL;
  }
  l->length = nacre_order_length(l->order);
  l->batches = l->training ? l->length / l->batch : (l->length - 1) / l->batch + 1;
  if (!l->training && l->batch > l->length)
    l->batch = l->length;
  if (l->batches < 1) {
    nacre_fail(NACRE_ERROR_ARGUMENT, "%s has %lld samples, too few for one batch of %lld", title, (long long)l->length,
               (long long)l->batch);
    nacre_loader_close(l);
    return NULL;
  }
  l->list = malloc((size_t)l->length * sizeof *l->list);
  l->at = calloc((size_t)nacre_dataset_field_count(dataset) + 1, sizeof *l->at);
  l->room = nacre_sample_room_open(dataset);
  bool ready = l->list && l->at && l->room && make_slots(l);
  if (ready)
    l->threaded = ready = pthread_create(&l->thread, NULL, work, l) == 0;
  if (ready)
    return l;
  nacre_fail(NACRE_ERROR_MEMORY, "%s: not enough memory for batches of %lld samples", title, (long long)l->batch);
  nacre_loader_close(l);
  return NULL;
}

void nacre_loader_close(nacre_loader *l) {
  if (!l)
    return;
  if (l->threaded) {
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
  }
  int fields = nacre_dataset_field_count(l->dataset);
  for (int i = 0; i < SLOTS; ++i) {
    for (int f = 0; l->slots[i].fields && f < fields; ++f)
      free(l->slots[i].fields[f]);
    free(l->slots[i].fields);
    free(l->slots[i].samples);
  }
  nacre_sample_room_close(l->room);
  nacre_order_close(l->order);
  free(l->list);
  free(l->at);
  pthread_cond_destroy(&l->changed);
  pthread_mutex_destroy(&l->lock);
  free(l);
}

int64_t nacre_loader_batches(const nacre_loader *l) { return l->batches; }
double nacre_loader_waited(const nacre_loader *l) { return l->waited; }

/* ---- taking ------------------------------------------------------------------------------------------------------ */
int nacre_loader_start(nacre_loader *l, int64_t epoch, int64_t batch) {
  if (epoch < 0 || batch < 0 || batch > l->batches)
    return nacre_fail(NACRE_ERROR_ARGUMENT, "%s has %lld batches in an epoch, so there is no batch %lld",
                      nacre_dataset_info(l->dataset)->title, (long long)l->batches, (long long)batch);
  pthread_mutex_lock(&l->lock);
  int64_t make_epoch = batch == l->batches ? epoch + 1 : epoch, make_batch = batch == l->batches ? 0 : batch;
  /* What waits in the ring is what is wanted, or the ring is emptied. */
  int64_t next_epoch = l->take_batch == l->batches ? l->take_epoch + 1 : l->take_epoch;
  int64_t next_batch = l->take_batch == l->batches ? 0 : l->take_batch;
  if (!l->started || l->failed || next_epoch != make_epoch || next_batch != make_batch) {
    ++l->jumps;
    l->failed = true; /* keeps the thread from beginning another */
    while (l->filling)
      pthread_cond_wait(&l->changed, &l->lock);
    l->made = l->taken = 0;
    l->make_epoch = make_epoch;
    l->make_batch = make_batch;
    l->failed = false;
    l->started = true;
    pthread_cond_broadcast(&l->changed);
  }
  l->take_epoch = epoch;
  l->take_batch = batch;
  pthread_mutex_unlock(&l->lock);
  return NACRE_OK;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int nacre_loader_next(nacre_loader *l, nacre_batch *batch) {
  int status = NACRE_OK;
  *batch = (nacre_batch){0};
  pthread_mutex_lock(&l->lock);
  if (!l->started) {
    status = nacre_fail(NACRE_ERROR_ARGUMENT, "nacre_loader_start comes before nacre_loader_next");
  } else if (l->take_batch == l->batches) {
    batch->number = l->batches;
  } else {
    if (l->made == l->taken) {
      double start = now();
      while (l->made == l->taken)
        pthread_cond_wait(&l->changed, &l->lock);
      l->waited += now() - start;
    }
    slot *s = &l->slots[l->taken % SLOTS];
    status = s->status;
    if (status != NACRE_OK) {
      nacre_fail(status, "%s", s->error);
    } else {
      *batch = s->batch;
      ++l->taken;
      ++l->take_batch;
      pthread_cond_broadcast(&l->changed);
    }
  }
  pthread_mutex_unlock(&l->lock);
  return status;
}
