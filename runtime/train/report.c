/* The page of a run, and that of a cross-validation. */
#include "command.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 16 };

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

static void write_setting(nacre_text *text, const nacre_trainer *t) {
  nacre_page_fact(text, "parameters", "%lld", count_parameters(t));
  if (t->data)
    nacre_page_fact(text, "data", "%s, %lld samples", t->info->data->title, (long long)nacre_dataset_count(t->data));
  if (t->validate)
    nacre_page_fact(text, "validation", "%s, %lld samples", t->info->validate->title,
                    (long long)nacre_dataset_count(t->validate));
  if (t->settings.accumulate > 1)
    nacre_page_fact(text, "batch", "%lld, %lld of them per step", (long long)t->settings.batch,
                    (long long)t->settings.accumulate);
  else
    nacre_page_fact(text, "batch", "%lld", (long long)t->settings.batch);
  nacre_page_fact(text, "seed", "%llu", (unsigned long long)t->seed);
}

static void write_facts(nacre_text *text, const nacre_trainer *t, const char *reason) {
  nacre_text_add(text, "<table class=\"facts\">\n");
  nacre_page_fact(text, "end", "%s after %lld epochs, %lld iterations, %.1f s", reason, (long long)t->at.closed,
                  (long long)t->at.iteration, t->at.seconds);
  write_setting(text, t);
  if (t->at.best_epoch >= 0)
    nacre_page_fact(text, "best epoch", "%lld: %s %g", (long long)t->at.best_epoch + 1,
                    t->settings.best_by ? t->settings.best_by : "loss", t->at.save_best);
  nacre_page_fact(text, "compiled by", "nacre %s for %s", t->module->version, t->module->cpu);
  nacre_text_add(text, "</table>\n");
}

/* A few numbers, such as the scores of classes, as bars; the largest one stands out. */
static void write_bars(nacre_text *text, const double *values, int64_t count) {
  double low = 0, high = 0;
  int64_t best = 0;
  for (int64_t i = 0; i < count; ++i) {
    low = values[i] < low ? values[i] : low;
    high = values[i] > high ? values[i] : high;
    best = values[i] > values[best] ? i : best;
  }
  double range = high > low ? high - low : 1, width = 120.0 / (double)count;
  nacre_text_add(text, "<svg viewBox=\"0 0 120 46\" role=\"img\">");
  for (int64_t i = 0; i < count; ++i) {
    double top = (high - (values[i] > 0 ? values[i] : 0)) / range * 34, height = fabs(values[i]) / range * 34;
    nacre_text_add(text,
                   "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"var(--s%d)\"><title>%lld: "
                   "%.4g</title></rect>",
                   (double)i * width + 0.1 * width, top, width * 0.8, height > 0.6 ? height : 0.6, i == best ? 0 : 5,
                   (long long)i, values[i]);
  }
  nacre_text_add(text, "<text class=\"tick\" x=\"%.2f\" y=\"45\" text-anchor=\"middle\">%lld</text></svg>",
                 fmin(fmax(((double)best + 0.5) * width, 6), 114), (long long)best);
}

/* One result of `show` for one sample: a picture if it looks like one, else its numbers. */
static void write_shown(nacre_text *text, const char *name, const double *values, int rank, const int64_t *extents) {
  int64_t channels = rank == 3 ? extents[2] : 1, count = 1;
  for (int i = 0; i < rank; ++i)
    count *= extents[i];
  bool picture = (rank == 2 || rank == 3) && extents[0] > 1 && extents[1] > 1 && extents[0] <= 512 &&
                 extents[1] <= 512 && (channels == 1 || channels == 3 || channels == 4);
  bool bars = rank == 1 && count > 1 && count <= 32;
  for (int64_t i = 0; i < count; ++i)
    bars &= isfinite(values[i]);
  nacre_text_add(text, "<div>");
  if (picture)
    nacre_picture_write(text, values, extents[0], extents[1], channels);
  nacre_text_add(text, "<span class=\"name\">");
  nacre_html_add(text, name);
  nacre_text_add(text, "</span>");
  if (bars) {
    write_bars(text, values, count);
  } else if (!picture) {
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
    nacre_text_add(text, "<div class=\"place\">");
    const char *where = nacre_dataset_place(dataset, batch.samples[n], place), *slash = strrchr(where, '/');
    nacre_html_add(text, slash ? slash + 1 : where);
    nacre_text_add(text, "</div></div>\n");
  }
  nacre_text_add(text, "</div>\n");
  return NACRE_OK;
}

static void write_table(nacre_text *text, const nacre_history *history) {
  nacre_text_add(text, "<h2>Epochs</h2>\n<details><summary>all numbers</summary>\n<div class=\"wide\"><table><tr>");
  for (size_t i = 0; i < history->columns; ++i) {
    nacre_text_add(text, "<th>");
    nacre_html_add(text, history->names[i]);
    nacre_text_add(text, "</th>");
  }
  nacre_text_add(text, "</tr>\n");
  for (size_t row = 0; row < history->rows; ++row) {
    nacre_text_add(text, "<tr>");
    for (size_t i = 0; i < history->columns; ++i) /* epochs count from 0 in the history, from 1 for people */
      nacre_text_add(text, "<td>%.6g</td>",
                     history->values[row * history->columns + i] + (strcmp(history->names[i], "epoch") == 0));
    nacre_text_add(text, "</tr>\n");
  }
  nacre_text_add(text, "</table></div></details>\n");
}

int nacre_report_write(nacre_trainer *t, const char *path, const char *reason) {
  nacre_text text = {0};
  nacre_page_begin(&text, t);
  write_facts(&text, t, reason);
  nacre_text_add(&text, "<h2>Curves</h2>\n<div class=\"charts\">\n");
  nacre_curves_write(&text, &t->history);
  nacre_text_add(&text, "</div>\n");
  nacre_page_confusion(&text, &t->now);
  int status = write_samples(&text, t);
  write_table(&text, &t->history);
  int written = nacre_page_end(&text, path);
  return status == NACRE_OK ? written : status;
}

/* A row per fold, then mean and deviation. */
static void write_folds(nacre_text *text, const nacre_fold_results *results) {
  const nacre_history *first = &results->histories[0];
  nacre_text_add(text, "<h2>Folds</h2>\n<div class=\"wide\"><table><tr><th>fold</th><th>epoch</th>");
  for (size_t i = 0; i < first->columns; ++i)
    if (!nacre_is_position(first->names[i])) {
      nacre_text_add(text, "<th>");
      nacre_html_add(text, first->names[i]);
      nacre_text_add(text, "</th>");
    }
  nacre_text_add(text, "</tr>\n");
  for (int fold = 0; fold < results->done; ++fold) {
    nacre_text_add(text, "<tr><td>%d</td><td>%.0f</td>", fold + 1, nacre_fold_value(results, fold, "epoch") + 1);
    for (size_t i = 0; i < first->columns; ++i)
      if (!nacre_is_position(first->names[i]))
        nacre_text_add(text, "<td>%.6g</td>", nacre_fold_value(results, fold, first->names[i]));
    nacre_text_add(text, "</tr>\n");
  }
  for (int deviation = 0; deviation < 2; ++deviation) {
    nacre_text_add(text, "<tr%s><th>%s</th><td></td>", deviation ? "" : " class=\"sum\"",
                   deviation ? "deviation" : "mean");
    for (size_t i = 0; i < first->columns; ++i) {
      nacre_spread spread = nacre_fold_spread(results, first->names[i]);
      if (!nacre_is_position(first->names[i]))
        nacre_text_add(text, deviation ? "<td>%.3g</td>" : "<td>%.6g</td>", deviation ? spread.deviation : spread.mean);
    }
    nacre_text_add(text, "</tr>\n");
  }
  nacre_text_add(text, "</table></div>\n");
}

int nacre_report_write_folds(nacre_trainer *t, const char *path, const nacre_fold_results *results) {
  nacre_text text = {0};
  nacre_page_begin(&text, t);
  nacre_text_add(&text, "<table class=\"facts\">\n");
  nacre_page_fact(&text, "cross-validation", "%d folds, dealt with seed %llu%s%s", results->folds,
                  (unsigned long long)t->settings.folds_seed, t->settings.stratify ? ", the same share of each " : "",
                  t->settings.stratify ? t->settings.stratify : "");
  write_setting(&text, t);
  nacre_page_fact(&text, "compiled by", "nacre %s for %s", t->module->version, t->module->cpu);
  nacre_text_add(&text, "</table>\n");
  write_folds(&text, results);
  nacre_text_add(&text, "<h2>Curves</h2>\n<div class=\"charts\">\n");
  nacre_fold_curves_write(&text, results);
  nacre_text_add(&text, "</div>\n");
  nacre_page_confusion(&text, &results->tables); /* every sample once, by the fold that did not train on it */
  return nacre_page_end(&text, path);
}
