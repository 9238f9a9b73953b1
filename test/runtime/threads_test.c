/* The pool: every element exactly once, the same chunks for any number of threads, callers at once, calls in calls,
   forks. Also run under the thread sanitizer. */
#include "check.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

enum { COUNT = 10007, CALLERS = 12 };

typedef struct work {
  atomic_uchar touched[COUNT];
  atomic_int wrong_chunks;
  int64_t count, grain;
  double sums[COUNT];
} work;

static void touch(void *context, int64_t begin, int64_t end) {
  work *w = context;
  bool right = begin % w->grain == 0 && (end - begin == w->grain || end == w->count) && begin < end;
  atomic_fetch_add(&w->wrong_chunks, !right);
  double sum = 0;
  for (int64_t i = begin; i < end; ++i) {
    atomic_fetch_add(&w->touched[i], 1);
    sum += 1.0 / (double)(i + 1);
  }
  w->sums[begin / w->grain] = sum;
}

static bool run_once(int64_t count, int64_t grain, double *total) {
  work *w = calloc(1, sizeof *w);
  w->count = count;
  w->grain = grain;
  nacre_parallel_for(touch, w, count, grain);
  bool good = w->wrong_chunks == 0;
  for (int64_t i = 0; i < COUNT; ++i)
    good &= w->touched[i] == (i < count);
  *total = 0;
  for (int64_t i = 0; i < COUNT; ++i)
    *total += w->sums[i];
  free(w);
  return good;
}

static void test_chunks(void) {
  static const int64_t counts[] = {0, 1, 2, 7, 64, 1000, COUNT}, grains[] = {1, 3, 64, 20000};
  for (size_t c = 0; c < sizeof counts / sizeof *counts; ++c)
    for (size_t g = 0; g < sizeof grains / sizeof *grains; ++g) {
      double first = 0, other;
      for (int threads = 1; threads <= 5; ++threads) {
        nacre_set_threads(threads);
        EXPECT(nacre_threads() == threads && run_once(counts[c], grains[g], threads == 1 ? &first : &other));
        EXPECT(threads == 1 || other == first); /* the same bits */
      }
    }
}

static void *caller(void *argument) {
  double total, expected = *(double *)argument;
  for (int i = 0; i < 40; ++i)
    if (!run_once(COUNT, 101, &total) || total != expected)
      return "wrong";
  return NULL;
}

static void test_callers_at_once(void) {
  nacre_set_threads(4);
  double expected;
  EXPECT(run_once(COUNT, 101, &expected));
  pthread_t threads[CALLERS];
  for (int i = 0; i < CALLERS; ++i)
    pthread_create(&threads[i], NULL, caller, &expected);
  for (int i = 0; i < CALLERS; ++i) {
    void *problem = NULL;
    pthread_join(threads[i], &problem);
    EXPECT(problem == NULL);
  }
}

static void inner(void *context, int64_t begin, int64_t end) { atomic_fetch_add((atomic_llong *)context, end - begin); }
static void outer(void *context, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i)
    nacre_parallel_for(inner, context, 10, 3);
}

static void test_calls_in_calls(void) {
  nacre_set_threads(3);
  atomic_llong total = 0;
  nacre_parallel_for(outer, &total, 50, 1);
  EXPECT(total == 500);
}

/* Short pauses let the workers fall asleep between two calls. */
static void test_sleeping(void) {
  nacre_set_threads(3);
  double total;
  for (int i = 0; i < 20; ++i) {
    struct timespec pause = {0, 2000000};
    nanosleep(&pause, NULL);
    EXPECT(run_once(1000, 10, &total));
  }
}

#ifndef SANITIZE_THREAD /* the sanitizer does not follow forks of threaded programs */
static void test_fork(void) {
  double total;
  pid_t child = fork();
  if (child == 0)
    _exit(run_once(COUNT, 101, &total) ? 0 : 1);
  int status = -1;
  EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT(run_once(COUNT, 101, &total));
}
#endif

int main(void) {
  setenv("NACRE_THREADS", "3", 1);
  nacre_set_threads(0);
  EXPECT(nacre_threads() == 3);
  setenv("NACRE_THREADS", "nonsense", 1);
  nacre_set_threads(-1);
  EXPECT(nacre_threads() >= 1);
  test_chunks();
  test_callers_at_once();
  test_calls_in_calls();
  test_sleeping();
#ifndef SANITIZE_THREAD
  test_fork();
#endif
  return finish();
}
