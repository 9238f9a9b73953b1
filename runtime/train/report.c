/* The page of a run: one HTML file that needs nothing else. */
#include "command.h"
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 16 };

static const char style[] =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:1180px;margin:2em auto;padding:0 1em;color:#1f2328}"
    "h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}.charts{display:flex;flex-wrap:wrap;gap:1em}"
    "figure{margin:0;flex:1 1 480px;max-width:570px}figcaption{font-size:.9em}svg{width:100%;height:auto}"
    ".grid{stroke:#d8dee4}.tick{font-size:11px;fill:#57606a}table{border-collapse:collapse;font-size:.9em}"
    "td,th{padding:.2em .6em;text-align:right;border-bottom:1px solid #eaeef2}th{color:#57606a;font-weight:600}"
    ".facts td{text-align:left}.matrix td{border:1px solid #fff;min-width:2.6em}"
    ".samples{display:flex;flex-wrap:wrap;gap:1em}.sample{font-size:.85em;max-width:180px;overflow-wrap:anywhere}"
    ".sample img{display:block;min-width:96px;image-rendering:pixelated;border:1px solid #d8dee4}"
    "@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}.grid{stroke:#30363d}"
    "td,th{border-color:#21262d}.tick{fill:#8d96a0}}";

void nacre_html_add(nacre_text *text, const char *words) {
  for (; *words; ++words)
    if (*words == '<')
      nacre_text_add(text, "&lt;");
    else if (*words == '&')
      nacre_text_add(text, "&amp;");
    else if (*words == '"')
      nacre_text_add(text, "&quot;");
    else
      nacre_text_add(text, "%c", *words);
}

static void add_fact(nacre_text *text, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void add_fact(nacre_text *text, const char *name, const char *format, ...) {
  char value[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(value, sizeof value, format, arguments);
  va_end(arguments);
  nacre_text_add(text, "<tr><th>%s</th><td>", name);
  nacre_html_add(text, value);
  nacre_text_add(text, "</td></tr>\n");
}

static long long count_parameters(const nacre_trainer *t) {
  long long sum = 0;
  for (int32_t i = 0; i < t->info->trained_count; ++i) {
    const nacre_model_info *model = t->module->models[t->info->models[i]];
    for (int32_t k = 0; k < model->weight_count; ++k)
      if (model->weights[k].trained && model->weights[k].tied_to < 0)
        sum +=
            (long long)(nacre_weight_bytes(&model->weights[k]) / nacre_type_bytes((nacre_type)model->weights[k].type));
  }
  return sum;
}

static void write_facts(nacre_text *text, const nacre_trainer *t, const char *reason) {
  nacre_text_add(text, "<table class=\"facts\">\n");
  add_fact(text, "end", "%s after %lld epochs, %lld iterations, %.1f s", reason, (long long)t->at.closed,
           (long long)t->at.iteration, t->at.seconds);
  add_fact(text, "parameters", "%lld", count_parameters(t));
  if (t->data)
    add_fact(text, "data", "%s, %lld samples", t->info->data->title, (long long)nacre_dataset_count(t->data));
  if (t->validate)
    add_fact(text, "validation", "%s, %lld samples", t->info->validate->title,
             (long long)nacre_dataset_count(t->validate));
  add_fact(text, "batch", "%lld%s", (long long)t->settings.batch, t->settings.accumulate > 1 ? ", accumulated" : "");
  add_fact(text, "seed", "%llu", (unsigned long long)t->seed);
  if (t->at.best_epoch >= 0)
    add_fact(text, "best epoch", "%lld (%g)", (long long)t->at.best_epoch + 1, t->at.save_best);
  add_fact(text, "compiled by", "nacre %s for %s", t->module->version, t->module->cpu);
  nacre_text_add(text, "</table>\n");
}

static void write_scores(nacre_text *text, const nacre_scores *s) {
  double most = 0;
  for (int64_t i = 0; i < s->classes * s->classes; ++i)
    most = s->counts[i] > most ? s->counts[i] : most;
  nacre_text_add(text,
                 "<h2>Confusion</h2>\n<p>Rows are labels, columns are guesses. Accuracy %.4f; macro precision %.4f, "
                 "recall %.4f, F1 %.4f; micro F1 %.4f.</p>\n<table class=\"matrix\"><tr><th></th>",
                 s->accuracy, s->precision, s->recall, s->f1, s->micro);
  for (int64_t k = 0; k < s->classes; ++k)
    nacre_text_add(text, "<th>%lld</th>", (long long)k);
  nacre_text_add(text, "<th>precision</th><th>recall</th><th>F1</th></tr>\n");
  for (int64_t c = 0; c < s->classes; ++c) {
    nacre_text_add(text, "<tr><th>%lld</th>", (long long)c);
    for (int64_t k = 0; k < s->classes; ++k) {
      double count = s->counts[c * s->classes + k];
      nacre_text_add(text, "<td style=\"background:rgba(%s,%.2f)\">%.0f</td>", c == k ? "31,111,235" : "207,34,46",
                     most > 0 ? 0.85 * sqrt(count / most) : 0, count);
    }
    nacre_text_add(text, "<td>%.4f</td><td>%.4f</td><td>%.4f</td></tr>\n", s->class_precision[c], s->class_recall[c],
                   s->class_f1[c]);
  }
  nacre_text_add(text, "</table>\n");
}

/* One result of `show` for one sample: a picture if it looks like one, else its numbers. */
static void write_shown(nacre_text *text, const char *name, const double *values, int rank, const int64_t *extents) {
  int64_t channels = rank == 3 ? extents[2] : 1, count = 1;
  for (int i = 0; i < rank; ++i)
    count *= extents[i];
  bool picture = (rank == 2 || rank == 3) && extents[0] > 1 && extents[1] > 1 && extents[0] <= 512 &&
                 extents[1] <= 512 && (channels == 1 || channels == 3 || channels == 4);
  nacre_text_add(text, "<div>");
  if (picture) {
    nacre_picture_write(text, values, extents[0], extents[1], channels);
    nacre_html_add(text, name);
  } else {
    nacre_html_add(text, name);
    for (int64_t i = 0; i < count && i < 16; ++i)
      nacre_text_add(text, " %.4g", values[i]);
    nacre_text_add(text, count > 16 ? " ..." : "");
  }
  nacre_text_add(text, "</div>\n");
}

static int write_samples(nacre_text *text, nacre_trainer *t) {
  if (!t->show.info || !t->checker)
    return NACRE_OK;
  nacre_function *f = &t->show;
  nacre_batch batch;
  int status = nacre_loader_start(t->checker, 0, 0);
  if (status == NACRE_OK)
    status = nacre_loader_next(t->checker, &batch);
  if (status == NACRE_OK)
    status = nacre_function_size(f, batch.count);
  if (status == NACRE_OK)
    status = nacre_function_call(f, t, batch.fields, nacre_seed(t->seed, NACRE_SEED_EVALUATE, 0, 1));
  if (status != NACRE_OK)
    return status;
  nacre_text_add(text, "<h2>Samples</h2>\n<div class=\"samples\">\n");
  for (int64_t n = 0; n < batch.count && n < SAMPLES; ++n) {
    char place[NACRE_PLACE_TEXT];
    nacre_text_add(text, "<div class=\"sample\">");
    for (int32_t i = 0; i < f->info->result_count; ++i) {
      const int64_t *extents = nacre_function_result_extents(f, i);
      int rank = f->info->results[i].rank;
      nacre_type type = (nacre_type)f->info->results[i].type;
      size_t count, bytes;
      if (rank < 1 || extents[0] != batch.count ||
          !nacre_count_elements(rank - 1, extents + 1, sizeof(double), &count, &bytes))
        continue;
      double *values = malloc(bytes + 8);
      for (size_t k = 0; values && k < count; ++k)
        values[k] = nacre_type_is_real(type)
                        ? nacre_element_as_real(type, f->results[i], (size_t)n * count + k)
                        : (double)nacre_element_as_integer(type, f->results[i], (size_t)n * count + k);
      if (values)
        write_shown(text, f->info->results[i].name, values, rank - 1, extents + 1);
      free(values);
    }
    const nacre_dataset *dataset = t->validate ? t->validate : t->data;
    nacre_html_add(text, nacre_dataset_place(dataset, batch.samples[n], place));
    nacre_text_add(text, "</div>\n");
  }
  nacre_text_add(text, "</div>\n");
  return NACRE_OK;
}

static void write_table(nacre_text *text, const nacre_history *history) {
  nacre_text_add(text, "<h2>Epochs</h2>\n<details><summary>all numbers</summary>\n<table><tr>");
  for (size_t i = 0; i < history->columns; ++i) {
    nacre_text_add(text, "<th>");
    nacre_html_add(text, history->names[i]);
    nacre_text_add(text, "</th>");
  }
  nacre_text_add(text, "</tr>\n");
  for (size_t row = 0; row < history->rows; ++row) {
    nacre_text_add(text, "<tr>");
    for (size_t i = 0; i < history->columns; ++i)
      nacre_text_add(text, "<td>%.6g</td>",
                     history->values[row * history->columns + i] + (strcmp(history->names[i], "epoch") == 0));
    nacre_text_add(text, "</tr>\n");
  }
  nacre_text_add(text, "</table></details>\n");
}

int nacre_report_write(nacre_trainer *t, const char *path, const char *reason) {
  nacre_text text = {0};
  nacre_output output;
  nacre_scores scores;
  nacre_text_add(&text, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>");
  nacre_html_add(&text, t->info->name);
  nacre_text_add(&text, "</title>\n<style>%s</style></head><body>\n<h1>train ", style);
  nacre_html_add(&text, t->info->name);
  nacre_text_add(&text, " of ");
  nacre_html_add(&text, t->module->name);
  nacre_text_add(&text, "</h1>\n<p>");
  nacre_html_add(&text, t->info->documentation);
  nacre_text_add(&text, "</p>\n");
  write_facts(&text, t, reason);
  nacre_text_add(&text, "<h2>Curves</h2>\n<div class=\"charts\">\n");
  nacre_curves_write(&text, &t->history);
  nacre_text_add(&text, "</div>\n");
  if (nacre_scores_from(&scores, &t->now)) {
    if (scores.classes <= 100)
      write_scores(&text, &scores);
    nacre_scores_release(&scores);
  }
  int status = write_samples(&text, t);
  write_table(&text, &t->history);
  nacre_text_add(&text, "</body></html>\n");
  if (status == NACRE_OK && (text.failed || !text.data))
    status = nacre_fail(NACRE_ERROR_MEMORY, "%s: out of memory", path);
  if (status == NACRE_OK)
    status = nacre_make_folders(path);
  if (status == NACRE_OK)
    status = nacre_output_open(&output, path);
  if (status == NACRE_OK) {
    fwrite(text.data, 1, text.length, output.stream);
    status = nacre_output_close(&output, true);
  }
  free(text.data);
  return status;
}
