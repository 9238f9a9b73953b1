/* Curves of a history as inline SVG: values that end in the same word share a picture (loss, validate.loss). */
#include "command.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 560, HEIGHT = 240, LEFT = 62, RIGHT = 12, TOP = 12, BOTTOM = 30, TICKS = 4 };
static const char *const colours[] = {"#1f6feb", "#d1570b", "#1a7f37", "#8250df", "#cf222e", "#57606a"};

static const char *last_word(const char *name) {
  const char *dot = strchr(name, '.');
  bool prefix = dot && (strncmp(name, "validate.", 9) == 0 || strncmp(name, "train.", 6) == 0);
  return prefix ? dot + 1 : name;
}

static bool is_drawn(const char *name) {
  return strcmp(name, "epoch") != 0 && strcmp(name, "iteration") != 0 && strcmp(name, "seconds") != 0;
}

typedef struct frame {
  const nacre_history *history;
  double low, high;
} frame;

static double x_of(const frame *f, size_t row) {
  return f->history->rows < 2 ? LEFT + (WIDTH - LEFT - RIGHT) / 2.0
                              : LEFT + (double)row * (WIDTH - LEFT - RIGHT) / (double)(f->history->rows - 1);
}

static double y_of(const frame *f, double value) {
  return TOP + (f->high - value) / (f->high - f->low) * (HEIGHT - TOP - BOTTOM);
}

static double value_at(const frame *f, size_t row, size_t column) {
  return f->history->values[row * f->history->columns + column];
}

/* The range of all columns that share the picture; a single value gets some room around it. */
static bool find_range(frame *f, const char *word) {
  f->low = INFINITY;
  f->high = -INFINITY;
  for (size_t i = 0; i < f->history->columns; ++i)
    for (size_t row = 0; row < f->history->rows && strcmp(last_word(f->history->names[i]), word) == 0; ++row) {
      double value = value_at(f, row, i);
      if (!isfinite(value))
        continue;
      f->low = value < f->low ? value : f->low;
      f->high = value > f->high ? value : f->high;
    }
  if (!(f->high >= f->low))
    return false;
  double room = f->high > f->low ? (f->high - f->low) * 0.05 : fabs(f->high) * 0.1 + 1e-12;
  f->low -= room;
  f->high += room;
  return true;
}

static void write_axes(nacre_text *text, const frame *f) {
  for (int i = 0; i <= TICKS; ++i) {
    double value = f->low + (f->high - f->low) * i / TICKS, y = y_of(f, value);
    nacre_text_add(text, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT, WIDTH - RIGHT, y,
                   y);
    nacre_text_add(text, "<text class=\"tick\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.3g</text>\n", LEFT - 6, y + 4,
                   value);
  }
  size_t rows = f->history->rows, step = rows / 8 + 1;
  for (size_t row = 0; row < rows; row += step)
    nacre_text_add(text, "<text class=\"tick\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.0f</text>\n", x_of(f, row),
                   HEIGHT - 10, nacre_history_value(f->history, row, "epoch") + 1);
}

/* Lines are broken where a value is missing or no number; every point tells its value to whoever points at it. */
static void write_line(nacre_text *text, const frame *f, size_t column, const char *colour) {
  bool pen = false;
  nacre_text_add(text, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"2\" d=\"", colour);
  for (size_t row = 0; row < f->history->rows; ++row) {
    double value = value_at(f, row, column);
    if (isfinite(value))
      nacre_text_add(text, "%s%.1f %.1f", pen ? " L" : " M", x_of(f, row), y_of(f, value));
    pen = isfinite(value);
  }
  nacre_text_add(text, "\"/>\n");
  for (size_t row = 0; row < f->history->rows; ++row) {
    double value = value_at(f, row, column);
    if (!isfinite(value))
      continue;
    nacre_text_add(text, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%s\" fill=\"%s\"><title>", x_of(f, row), y_of(f, value),
                   f->history->rows > 60 ? "1.5" : "3", colour);
    nacre_html_add(text, f->history->names[column]);
    nacre_text_add(text, " %.6g, epoch %.0f</title></circle>\n", value,
                   nacre_history_value(f->history, row, "epoch") + 1);
  }
}

static void write_picture(nacre_text *text, const nacre_history *history, const char *word) {
  frame f = {history, 0, 0};
  if (!find_range(&f, word))
    return;
  nacre_text_add(text, "<figure><figcaption>");
  size_t colour = 0;
  for (size_t i = 0; i < history->columns; ++i) {
    if (strcmp(last_word(history->names[i]), word) != 0)
      continue;
    nacre_text_add(text, "<span style=\"color:%s\">&#9679;</span> ", colours[colour++ % 6]);
    nacre_html_add(text, history->names[i]);
    nacre_text_add(text, " ");
  }
  nacre_text_add(text, "</figcaption>\n<svg viewBox=\"0 0 %d %d\" role=\"img\">\n", WIDTH, HEIGHT);
  write_axes(text, &f);
  colour = 0;
  for (size_t i = 0; i < history->columns; ++i)
    if (strcmp(last_word(history->names[i]), word) == 0)
      write_line(text, &f, i, colours[colour++ % 6]);
  nacre_text_add(text, "</svg></figure>\n");
}

void nacre_curves_write(nacre_text *text, const nacre_history *history) {
  for (size_t i = 0; i < history->columns; ++i) {
    bool first = is_drawn(history->names[i]);
    for (size_t k = 0; k < i; ++k)
      first &= strcmp(last_word(history->names[k]), last_word(history->names[i])) != 0;
    if (first)
      write_picture(text, history, last_word(history->names[i]));
  }
}
