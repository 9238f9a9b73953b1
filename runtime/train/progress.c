/* The line of an epoch on standard error: drawn again and again on a terminal, once per epoch everywhere else. */
#include "command.h"
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { BAR = 16 };

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int64_t nacre_total_iterations(const nacre_trainer *t) {
  return t->settings.steps > 0 ? t->settings.steps : t->settings.epochs * t->per_epoch;
}

static int64_t total_epochs(const nacre_trainer *t) {
  return (nacre_total_iterations(t) + t->per_epoch - 1) / t->per_epoch;
}

void nacre_progress_begin(nacre_progress *p, const nacre_trainer *t, const char *label, bool quiet) {
  *p = (nacre_progress){.quiet = quiet,
                        .live = isatty(STDERR_FILENO) && !quiet,
                        .started = seconds(),
                        .first_iteration = t->at.iteration,
                        .label = label};
}

double nacre_progress_speed(const nacre_progress *p, const nacre_trainer *t) {
  double elapsed = seconds() - p->started;
  double samples = (double)((t->at.iteration - p->first_iteration) * t->settings.accumulate) *
                   (t->loader ? (double)t->settings.batch : 1);
  return elapsed > 0 ? samples / elapsed : 0;
}

static void add_duration(nacre_text *text, double time) {
  long long whole = (long long)(time + 0.5);
  if (whole >= 3600)
    nacre_text_add(text, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
  else
    nacre_text_add(text, "%lld:%02lld", whole / 60, whole % 60);
}

static void add_count(nacre_text *text, double value) {
  if (value >= 1e6)
    nacre_text_add(text, "%.2fM", value * 1e-6);
  else if (value >= 1e4)
    nacre_text_add(text, "%.1fk", value * 1e-3);
  else
    nacre_text_add(text, value >= 100 ? "%.0f" : "%.3g", value);
}

/* Terminal columns, so that the line is never broken: one that is cannot be drawn over. */
static size_t columns(void) {
  struct winsize size;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
    return size.ws_col;
  return 80;
}

static void draw(nacre_progress *p, nacre_text *line) {
  if (!line->data || line->failed)
    return;
  size_t limit = columns() - 1, length = line->length < limit ? line->length : limit;
  fprintf(stderr, "\r%.*s%*s", (int)length, line->data, (int)(p->width > length ? p->width - length : 0), "");
  fflush(stderr);
  p->width = length;
}

static void end_line(nacre_progress *p) {
  if (p->width)
    fprintf(stderr, "\r%*s\r", (int)p->width, "");
  p->width = 0;
}

static void add_place(nacre_text *text, const nacre_progress *p, const nacre_trainer *t) {
  char last[24];
  int width = snprintf(last, sizeof last, "%lld", (long long)total_epochs(t));
  nacre_text_add(text, "%s  epoch %*lld/%s", p->label, width, (long long)t->at.epoch + 1, last);
}

void nacre_progress_step(nacre_progress *p, const nacre_trainer *t) {
  if (!p->live || seconds() - p->drawn < 0.1)
    return;
  p->drawn = seconds();
  nacre_text line = {0};
  double share = (double)t->at.done / (double)t->per_epoch, speed = nacre_progress_speed(p, t);
  add_place(&line, p, t);
  nacre_text_add(&line, " [");
  for (int i = 0; i < BAR; ++i)
    nacre_text_add(&line, i < (int)(share * BAR) ? "#" : ".");
  nacre_text_add(&line, "] %3.0f %%  ", share * 100);
  double per_iteration = (double)t->settings.accumulate * (t->loader ? (double)t->settings.batch : 1);
  double left = (double)(nacre_total_iterations(t) - t->at.iteration) * per_iteration / (speed > 0 ? speed : 1);
  add_duration(&line, left > 0 ? left : 0);
  nacre_text_add(&line, " left  ");
  add_count(&line, speed);
  nacre_text_add(&line, t->loader ? " samples/s" : " steps/s");
  for (size_t i = 0; i < t->now.count; ++i) { /* what steps log, not what evaluations measured */
    const nacre_measure *measure = &t->now.list[i];
    char item[160];
    if (measure->rank != 0 || nacre_function_result(&t->step, measure->name) < 0)
      continue;
    int length = snprintf(item, sizeof item, "  %s %.4g", measure->name, measure->values[0]);
    if (line.length + (size_t)length < columns()) /* half a number would be another number */
      nacre_text_add(&line, "%s", item);
  }
  draw(p, &line);
  free(line.data);
}

void nacre_progress_epoch(nacre_progress *p, const nacre_trainer *t) {
  if (p->quiet)
    return;
  nacre_text line = {0};
  add_place(&line, p, t);
  for (size_t i = 0; i < t->now.count; ++i) {
    const nacre_measure *measure = &t->now.list[i];
    if (measure->rank == 0 && strcmp(measure->name, "epoch") != 0 && strcmp(measure->name, "iteration") != 0 &&
        strcmp(measure->name, "seconds") != 0)
      nacre_text_add(&line, "  %s %.4g", measure->name, measure->values[0]);
  }
  nacre_text_add(&line, "  ");
  add_count(&line, nacre_progress_speed(p, t));
  nacre_text_add(&line, t->loader ? " samples/s  " : " steps/s  ");
  add_duration(&line, t->at.seconds);
  end_line(p);
  fprintf(stderr, "%s\n", line.data && !line.failed ? line.data : "out of memory");
  free(line.data);
}

void nacre_progress_say(nacre_progress *p, const char *format, ...) {
  end_line(p);
  if (p->quiet)
    return;
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
}
