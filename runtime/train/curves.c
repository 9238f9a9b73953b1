/* Curves of histories as inline SVG. In a run, values that end in the same word share a picture (loss, validate.loss);
   in a cross-validation each value has one, with a line per fold. */
#include "command.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 560, HEIGHT = 240, LEFT = 58, RIGHT = 14, TOP = 10, BOTTOM = 34, COLOURS = 8, MOST_CURVES = 32 };

typedef struct curve {
  const nacre_history *history;
  size_t column;
  char label[128];
} curve;

typedef struct frame {
  const char *title;
  const curve *curves;
  size_t count, rows; /* epochs of the longest curve */
  double low, high, step, first_epoch;
} frame;

static const char *last_word(const char *name) {
  const char *dot = strchr(name, '.');
  bool prefix = dot && (strncmp(name, "validate.", 9) == 0 || strncmp(name, "train.", 6) == 0);
  return prefix ? dot + 1 : name;
}

static double x_of(const frame *f, size_t row) {
  return f->rows < 2 ? LEFT + (WIDTH - LEFT - RIGHT) / 2.0
                     : LEFT + (double)row * (WIDTH - LEFT - RIGHT) / (double)(f->rows - 1);
}

static double y_of(const frame *f, double value) {
  return TOP + (f->high - value) / (f->high - f->low) * (HEIGHT - TOP - BOTTOM);
}

static double value_at(const curve *c, size_t row) { return c->history->values[row * c->history->columns + c->column]; }

/* 1, 2 or 5 times a power of ten: four to eight of them span the range. */
static double nice_step(double range) {
  double power = pow(10, floor(log10(range / 4)));
  double rest = range / 4 / power;
  return power * (rest >= 5 ? 5 : rest >= 2 ? 2 : 1);
}

/* The range of all curves that share the picture, in whole steps; a single value gets some room around it. */
static bool find_range(frame *f) {
  f->low = INFINITY;
  f->high = -INFINITY;
  f->rows = 0;
  for (size_t i = 0; i < f->count; ++i) {
    const curve *c = &f->curves[i];
    f->rows = c->history->rows > f->rows ? c->history->rows : f->rows;
    for (size_t row = 0; row < c->history->rows; ++row) {
      double value = value_at(c, row);
      if (!isfinite(value))
        continue;
      f->low = value < f->low ? value : f->low;
      f->high = value > f->high ? value : f->high;
    }
  }
  if (!(f->high >= f->low))
    return false;
  if (f->high - f->low <= 1e-9 * fabs(f->high)) {
    double room = f->high != 0 ? fabs(f->high) * 0.1 : 1;
    f->low -= room;
    f->high += room;
  }
  f->step = nice_step(f->high - f->low);
  f->low = floor(f->low / f->step + 1e-9) * f->step;
  f->high = ceil(f->high / f->step - 1e-9) * f->step;
  f->first_epoch = nacre_history_value(f->curves[0].history, 0, "epoch") + 1;
  return true;
}

/* Epochs between labels of the x axis: 1, 2, 5, 10, ... so that at most ten stand there. */
static size_t epoch_step(size_t rows) {
  size_t step = 1;
  for (int i = 0; rows / step > 10; ++i)
    step = step * (i % 3 == 1 ? 5 : 4) / 2; /* 1 2 5 10 20 50 */
  return step;
}

static void write_axes(nacre_text *text, const frame *f) {
  int lines = (int)((f->high - f->low) / f->step + 0.5);
  for (int i = 0; i <= lines; ++i) {
    double value = f->low + f->step * i, y = y_of(f, value);
    if (fabs(value) < f->step * 1e-6)
      value = 0; /* not -1e-17 */
    nacre_text_add(text, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT, WIDTH - RIGHT, y,
                   y);
    nacre_text_add(text, "<text class=\"tick\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.5g</text>\n", LEFT - 7, y + 4,
                   value);
  }
  size_t step = epoch_step(f->rows);
  for (size_t row = 0; row < f->rows; ++row) {
    long long epoch = (long long)(f->first_epoch + (double)row);
    bool shown = step == 1 || epoch % (long long)step == 0 || row == 0;
    bool crowded = row == 0 ? false : step > 1 && row < step / 2; /* too near to the first label */
    if (shown && !crowded)
      nacre_text_add(text, "<text class=\"tick\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%lld</text>\n",
                     x_of(f, row), HEIGHT - 18, epoch);
  }
  nacre_text_add(text, "<text class=\"tick\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">epoch</text>\n",
                 (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4);
}

/* Lines are broken where a value is missing or no number; every point tells its value to whoever points at it. */
static void write_line(nacre_text *text, const frame *f, size_t number) {
  const curve *c = &f->curves[number];
  int colour = (int)(number % COLOURS);
  bool pen = false;
  nacre_text_add(text, "<path fill=\"none\" stroke=\"var(--s%d)\" stroke-width=\"2\" stroke-linejoin=\"round\" d=\"",
                 colour);
  for (size_t row = 0; row < c->history->rows; ++row) {
    double value = value_at(c, row);
    if (isfinite(value))
      nacre_text_add(text, "%s%.1f %.1f", pen ? " L" : " M", x_of(f, row), y_of(f, value));
    pen = isfinite(value);
  }
  nacre_text_add(text, "\"/>\n");
  for (size_t row = 0; row < c->history->rows; ++row) {
    double value = value_at(c, row);
    if (!isfinite(value))
      continue;
    nacre_text_add(text, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%s\" fill=\"var(--s%d)\"><title>", x_of(f, row),
                   y_of(f, value), f->rows > 60 ? "1.2" : "2.6", colour);
    nacre_html_add(text, c->label);
    nacre_text_add(text, " %.6g, epoch %.0f</title></circle>\n", value, f->first_epoch + (double)row);
  }
}

static void write_picture(nacre_text *text, frame *f) {
  if (f->count == 0 || !find_range(f))
    return;
  nacre_text_add(text, "<figure><figcaption><b>");
  nacre_html_add(text, f->title);
  nacre_text_add(text, "</b> ");
  for (size_t i = 0; i < f->count && (f->count > 1 || strcmp(f->curves[0].label, f->title) != 0); ++i) {
    nacre_text_add(text, "<span><i style=\"background:var(--s%d)\"></i>", (int)(i % COLOURS));
    nacre_html_add(text, f->curves[i].label);
    nacre_text_add(text, "</span> ");
  }
  nacre_text_add(text, "</figcaption>\n<svg viewBox=\"0 0 %d %d\" role=\"img\">\n", WIDTH, HEIGHT);
  write_axes(text, f);
  for (size_t i = 0; i < f->count; ++i)
    write_line(text, f, i);
  nacre_text_add(text, "</svg></figure>\n");
}

void nacre_curves_write(nacre_text *text, const nacre_history *history) {
  for (size_t i = 0; i < history->columns; ++i) {
    const char *word = last_word(history->names[i]);
    bool first = !nacre_is_position(history->names[i]);
    for (size_t k = 0; k < i; ++k)
      first &= strcmp(last_word(history->names[k]), word) != 0;
    curve curves[MOST_CURVES];
    frame f = {.title = word, .curves = curves};
    for (size_t k = i; k < history->columns && first && f.count < MOST_CURVES; ++k)
      if (strcmp(last_word(history->names[k]), word) == 0) {
        curve *c = &curves[f.count++];
        *c = (curve){.history = history, .column = k};
        snprintf(c->label, sizeof c->label, "%s", history->names[k]);
      }
    write_picture(text, &f);
  }
}

void nacre_fold_curves_write(nacre_text *text, const nacre_fold_results *results) {
  const nacre_history *first = &results->histories[0];
  for (size_t i = 0; i < first->columns; ++i) {
    if (nacre_is_position(first->names[i]))
      continue;
    curve curves[MOST_CURVES];
    frame f = {.title = first->names[i], .curves = curves};
    for (int fold = 0; fold < results->done && f.count < MOST_CURVES; ++fold)
      for (size_t k = 0; k < results->histories[fold].columns; ++k)
        if (strcmp(results->histories[fold].names[k], first->names[i]) == 0) {
          curve *c = &curves[f.count++];
          *c = (curve){.history = &results->histories[fold], .column = k};
          snprintf(c->label, sizeof c->label, "fold %d", fold + 1);
          break;
        }
    write_picture(text, &f);
  }
}
