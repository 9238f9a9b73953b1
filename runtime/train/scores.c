/* Accuracy, precision, recall and F1 from a matrix of counts [label, guess], and how an evaluation is printed. A class
   without guesses has precision 0, one without samples recall 0, as scikit-learn has it with zero_division = 0. */
#include "command.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_confusion(const nacre_measure *measure) {
  const char *dot = strrchr(measure->name, '.');
  return strcmp(dot ? dot + 1 : measure->name, "confusion") == 0 && measure->rank == 2 &&
         measure->extents[0] == measure->extents[1] && measure->extents[0] > 0;
}

static double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

bool nacre_scores_from(nacre_scores *s, const nacre_measures *measures) {
  *s = (nacre_scores){0};
  for (size_t i = 0; i < measures->count; ++i)
    if (is_confusion(&measures->list[i])) {
      s->classes = measures->list[i].extents[0];
      s->counts = measures->list[i].values;
    }
  double *room = s->counts ? calloc((size_t)s->classes * 3, sizeof *room) : NULL;
  if (!room)
    return false;
  s->class_precision = room;
  s->class_recall = room + s->classes;
  s->class_f1 = room + 2 * s->classes;
  double right = 0, all = 0, present = 0;
  for (int64_t c = 0; c < s->classes; ++c) {
    double guesses = 0, labels = 0, hits = s->counts[c * s->classes + c];
    for (int64_t k = 0; k < s->classes; ++k) {
      guesses += s->counts[k * s->classes + c];
      labels += s->counts[c * s->classes + k];
    }
    s->class_precision[c] = ratio(hits, guesses);
    s->class_recall[c] = ratio(hits, labels);
    s->class_f1[c] = ratio(2 * hits, guesses + labels);
    right += hits;
    all += labels;
    if (guesses + labels == 0) /* neither labelled nor guessed: scikit-learn leaves such a class out */
      continue;
    ++present;
    s->precision += s->class_precision[c];
    s->recall += s->class_recall[c];
    s->f1 += s->class_f1[c];
  }
  s->precision = ratio(s->precision, present);
  s->recall = ratio(s->recall, present);
  s->f1 = ratio(s->f1, present);
  s->accuracy = s->micro = ratio(right, all); /* one label and one guess per sample: micro F1 is the accuracy */
  return true;
}

void nacre_scores_release(nacre_scores *s) {
  free(s->class_precision);
  *s = (nacre_scores){0};
}

void nacre_measures_print(FILE *stream, const nacre_measures *measures, const char *prefix) {
  size_t length = strlen(prefix);
  int width = 16;
  for (size_t i = 0; i < measures->count; ++i) {
    int own = (int)strlen(measures->list[i].name) - (int)length;
    width = own > width && own < 40 ? own : width;
  }
  for (size_t i = 0; i < measures->count; ++i) {
    const nacre_measure *measure = &measures->list[i];
    if (strncmp(measure->name, prefix, length) != 0 || is_confusion(measure))
      continue;
    fprintf(stream, "%-*s", width, measure->name + length);
    size_t shown = measure->count < 32 ? measure->count : 32;
    for (size_t k = 0; k < shown; ++k)
      fprintf(stream, "%s%.6g", k ? "  " : " ",
              measure->values[k] + (strcmp(measure->name, "epoch") == 0)); /* from 1 */
    fprintf(stream, "%s\n", shown < measure->count ? "  ..." : "");
  }
}

void nacre_scores_print(FILE *stream, const nacre_scores *s) {
  fprintf(stream, "\n%-10s %10s %10s %10s %10s\n", "class", "precision", "recall", "F1", "samples");
  for (int64_t c = 0; c < s->classes; ++c) {
    double labels = 0;
    for (int64_t k = 0; k < s->classes; ++k)
      labels += s->counts[c * s->classes + k];
    fprintf(stream, "%-10lld %10.4f %10.4f %10.4f %10.0f\n", (long long)c, s->class_precision[c], s->class_recall[c],
            s->class_f1[c], labels);
  }
  fprintf(stream, "%-10s %10.4f %10.4f %10.4f\n", "macro", s->precision, s->recall, s->f1);
  fprintf(stream, "%-10s %10.4f %10.4f %10.4f\n", "micro", s->micro, s->micro, s->micro);
  fprintf(stream, "%-10s %10.4f\n\nconfusion: rows are labels, columns are guesses\n%6s", "accuracy", s->accuracy, "");
  int64_t shown = s->classes < 32 ? s->classes : 32;
  for (int64_t k = 0; k < shown; ++k)
    fprintf(stream, " %6lld", (long long)k);
  for (int64_t c = 0; c < shown; ++c) {
    fprintf(stream, "\n%6lld", (long long)c);
    for (int64_t k = 0; k < shown; ++k)
      fprintf(stream, " %6.0f", s->counts[c * s->classes + k]);
  }
  fprintf(stream, "%s\n", shown < s->classes ? "\n(the first 32 classes)" : "");
}
