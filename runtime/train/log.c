/* --log: one JSON object per line, each complete when it is written. Numbers that JSON lacks (NaN, infinity) are null.
 */
#include "command.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void add_number(nacre_text *text, double value) {
  if (isfinite(value))
    nacre_text_add(text, "%.17g", value);
  else
    nacre_text_add(text, "null");
}

static void add_values(nacre_text *text, const nacre_measure *measure, int axis, const double **at) {
  if (axis == measure->rank) {
    add_number(text, *(*at)++);
    return;
  }
  nacre_text_add(text, "[");
  for (int64_t i = 0; i < measure->extents[axis]; ++i) {
    nacre_text_add(text, i ? ", " : "");
    add_values(text, measure, axis + 1, at);
  }
  nacre_text_add(text, "]");
}

void nacre_measures_json(nacre_text *text, const nacre_measures *measures) {
  for (size_t i = 0; i < measures->count; ++i) {
    const double *at = measures->list[i].values;
    nacre_text_add(text, ", ");
    nacre_text_add_json(text, measures->list[i].name);
    nacre_text_add(text, ": ");
    add_values(text, &measures->list[i], 0, &at);
  }
}

int nacre_log_open(nacre_log *log, const char *path, bool append) {
  *log = (nacre_log){NULL, path};
  if (!path)
    return NACRE_OK;
  int status = nacre_make_folders(path);
  if (status == NACRE_OK && !(log->stream = fopen(path, append ? "ae" : "we")))
    status = nacre_fail(NACRE_ERROR_FILE, "cannot write %s: %s", path, strerror(errno));
  return status;
}

static int put_line(nacre_log *log, nacre_text *line) {
  nacre_text_add(line, "}\n");
  int status = NACRE_OK;
  if (line->failed || !line->data)
    status = nacre_fail(NACRE_ERROR_MEMORY, "%s: out of memory", log->path);
  else if (fwrite(line->data, 1, line->length, log->stream) != line->length || fflush(log->stream) != 0)
    status = nacre_fail(NACRE_ERROR_FILE, "cannot write %s: %s", log->path, strerror(errno));
  free(line->data);
  return status;
}

int nacre_log_start(nacre_log *log, const nacre_trainer *t) {
  if (!log->stream)
    return NACRE_OK;
  nacre_text line = {0};
  nacre_text_add(&line, "{\"event\": \"%s\", \"module\": ", t->at.iteration ? "resume" : "start");
  nacre_text_add_json(&line, t->module->name);
  nacre_text_add(&line, ", \"train\": ");
  nacre_text_add_json(&line, t->info->name);
  nacre_text_add(&line,
                 ", \"version\": \"%s\", \"seed\": %llu, \"batch\": %lld, \"samples\": %lld, \"epochs\": %lld, "
                 "\"iterations\": %lld, \"iteration\": %lld, \"threads\": %d, \"arena\": %llu",
                 nacre_version(), (unsigned long long)t->seed, (long long)t->settings.batch,
                 (long long)(t->data ? nacre_dataset_count(t->data) : 0), (long long)t->settings.epochs,
                 (long long)nacre_total_iterations(t), (long long)t->at.iteration, nacre_threads(),
                 (unsigned long long)t->workspace_bytes);
  if (t->fold >= 0)
    nacre_text_add(&line, ", \"fold\": %d", t->fold);
  return put_line(log, &line);
}

int nacre_log_epoch(nacre_log *log, const nacre_trainer *t, double speed) {
  if (!log->stream)
    return NACRE_OK;
  nacre_text line = {0};
  nacre_text_add(&line, "{\"event\": \"epoch\", \"train\": ");
  nacre_text_add_json(&line, t->info->name);
  if (t->fold >= 0)
    nacre_text_add(&line, ", \"fold\": %d", t->fold);
  nacre_measures_json(&line, &t->now);
  nacre_text_add(&line, ", \"samples_per_second\": ");
  add_number(&line, speed);
  if (t->loader) {
    nacre_text_add(&line, ", \"seconds_waited_for_data\": ");
    add_number(&line, nacre_loader_waited(t->loader));
  }
  return put_line(log, &line);
}

int nacre_log_end(nacre_log *log, const nacre_trainer *t, const char *reason, const char *weights) {
  if (!log->stream)
    return NACRE_OK;
  nacre_text line = {0};
  nacre_text_add(&line, "{\"event\": \"end\", \"train\": ");
  nacre_text_add_json(&line, t->info->name);
  nacre_text_add(&line, ", \"reason\": ");
  nacre_text_add_json(&line, reason);
  nacre_text_add(&line, ", \"iteration\": %lld, \"weights\": ", (long long)t->at.iteration);
  if (weights)
    nacre_text_add_json(&line, weights);
  else
    nacre_text_add(&line, "null");
  return put_line(log, &line);
}

int nacre_log_close(nacre_log *log) {
  int status = NACRE_OK;
  if (log->stream && fclose(log->stream) != 0)
    status = nacre_fail(NACRE_ERROR_FILE, "cannot write %s: %s", log->path, strerror(errno));
  log->stream = NULL;
  return status;
}
