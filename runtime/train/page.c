/* The parts that every report is made of: its frame and style, facts, a matrix of counts. One file that needs nothing
   else; colours follow the reader's light or dark scheme. */
#include "command.h"
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char style[] =
    ":root{color-scheme:light dark;--paper:#fff;--ink:#1f2328;--soft:#59636e;--line:#d1d9e0;--faint:#f6f8fa;"
    "--right:31,111,235;--wrong:207,34,46;"
    "--s0:#1f6feb;--s1:#bc4c00;--s2:#1a7f37;--s3:#8250df;--s4:#cf222e;--s5:#57606a;--s6:#9a6700;--s7:#0a7b83}"
    "@media(prefers-color-scheme:dark){:root{--paper:#0d1117;--ink:#e6edf3;--soft:#9198a1;--line:#3d444d;"
    "--faint:#151b23;--right:56,139,253;--wrong:248,81,73;"
    "--s0:#58a6ff;--s1:#f0883e;--s2:#3fb950;--s3:#bc8cff;--s4:#ff7b72;--s5:#9198a1;--s6:#d29922;--s7:#39c5cf}}"
    "*{box-sizing:border-box}"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:1180px;margin:0 auto;padding:2em 1.25em 4em;"
    "color:var(--ink);background:var(--paper)}"
    "h1{font-size:1.6em;margin:0 0 .3em}h2{font-size:1.15em;margin:2.2em 0 .7em}p{max-width:70ch;margin:.4em 0}"
    ".charts{display:flex;flex-wrap:wrap;gap:1.6em 1.2em}"
    "figure{margin:0;flex:1 1 430px;max-width:560px;min-width:0}figcaption{font-size:.9em;margin-bottom:.3em}"
    "figcaption b{margin-right:.7em}figcaption span{white-space:nowrap;margin-right:.9em;color:var(--soft)}"
    "figcaption i{display:inline-block;width:1.1em;height:3px;border-radius:2px;margin-right:.35em;"
    "vertical-align:middle}"
    "svg{display:block;width:100%;height:auto}.grid{stroke:var(--line)}.tick{font-size:11px;fill:var(--soft)}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-size:.9em;font-variant-numeric:tabular-nums}"
    "td,th{padding:.25em .7em;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}"
    "th{color:var(--soft);font-weight:600}tr.sum td,tr.sum th{border-top:2px solid var(--line);font-weight:600}"
    ".facts th,.facts td{text-align:left;white-space:normal}"
    ".matrix td,.matrix th{border:1px solid var(--paper);min-width:2.9em;padding:.3em .5em;text-align:center}"
    ".matrix td.n{background:var(--faint)}.matrix td.z{color:var(--soft)}.matrix .gap{min-width:1em;border:0}"
    ".samples{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:1em}"
    ".sample{font-size:.85em;background:var(--faint);border:1px solid var(--line);border-radius:6px;padding:.7em;"
    "overflow-wrap:anywhere;min-width:0}"
    ".sample img{display:block;width:100%;max-width:128px;image-rendering:pixelated;border:1px solid var(--line);"
    "margin-bottom:.3em}"
    ".sample .name{color:var(--soft)}.sample .place{color:var(--soft);font-size:.85em;margin-top:.4em}"
    "summary{cursor:pointer;color:var(--soft)}";

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

void nacre_page_begin(nacre_text *text, const nacre_trainer *t) {
  nacre_text_add(text, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                       "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>");
  nacre_html_add(text, t->info->name);
  nacre_text_add(text, "</title>\n<style>%s</style></head><body>\n<h1>train ", style);
  nacre_html_add(text, t->info->name);
  nacre_text_add(text, " of ");
  nacre_html_add(text, t->module->name);
  nacre_text_add(text, "</h1>\n<p>");
  nacre_html_add(text, t->info->documentation);
  nacre_text_add(text, "</p>\n");
}

void nacre_page_fact(nacre_text *text, const char *name, const char *format, ...) {
  char value[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(value, sizeof value, format, arguments);
  va_end(arguments);
  nacre_text_add(text, "<tr><th>%s</th><td>", name);
  nacre_html_add(text, value);
  nacre_text_add(text, "</td></tr>\n");
}

/* One cell: the darker, the larger its share of the row's label; right guesses in one colour, wrong ones in another. */
static void add_cell(nacre_text *text, double count, double of_label, bool right) {
  if (count == 0)
    nacre_text_add(text, "<td class=\"n z\">&middot;</td>");
  else
    nacre_text_add(text, "<td style=\"background:rgba(var(--%s),%.2f)\">%.0f</td>", right ? "right" : "wrong",
                   0.12 + 0.5 * sqrt(count / of_label), count);
}

static void write_matrix(nacre_text *text, const nacre_scores *s) {
  nacre_text_add(text,
                 "<h2>Confusion</h2>\n<p>Rows are labels, columns are guesses. Accuracy %.4f; macro precision %.4f, "
                 "recall %.4f, F1 %.4f; micro F1 %.4f.</p>\n<div class=\"wide\"><table class=\"matrix\"><tr><th></th>",
                 s->accuracy, s->precision, s->recall, s->f1, s->micro);
  for (int64_t k = 0; k < s->classes; ++k)
    nacre_text_add(text, "<th>%lld</th>", (long long)k);
  nacre_text_add(text, "<th class=\"gap\"></th><th>samples</th><th>precision</th><th>recall</th><th>F1</th></tr>\n");
  for (int64_t c = 0; c < s->classes; ++c) {
    const double *row = s->counts + c * s->classes;
    double samples = 0;
    for (int64_t k = 0; k < s->classes; ++k)
      samples += row[k];
    nacre_text_add(text, "<tr><th>%lld</th>", (long long)c);
    for (int64_t k = 0; k < s->classes; ++k)
      add_cell(text, row[k], samples, c == k);
    nacre_text_add(text, "<td class=\"gap\"></td><td>%.0f</td><td>%.4f</td><td>%.4f</td><td>%.4f</td></tr>\n", samples,
                   s->class_precision[c], s->class_recall[c], s->class_f1[c]);
  }
  nacre_text_add(text, "</table></div>\n");
}

void nacre_page_confusion(nacre_text *text, const nacre_measures *measures) {
  enum { MOST = 100 }; /* classes that a page has room for */
  nacre_scores scores;
  if (!nacre_scores_from(&scores, measures))
    return;
  if (scores.classes <= MOST)
    write_matrix(text, &scores);
  nacre_scores_release(&scores);
}

int nacre_page_end(nacre_text *text, const char *path) {
  nacre_output output;
  nacre_text_add(text, "</body></html>\n");
  int status = text->failed || !text->data ? nacre_fail(NACRE_ERROR_MEMORY, "%s: out of memory", path) : NACRE_OK;
  if (status == NACRE_OK)
    status = nacre_make_folders(path);
  if (status == NACRE_OK)
    status = nacre_output_open(&output, path);
  if (status == NACRE_OK) {
    fwrite(text->data, 1, text->length, output.stream);
    status = nacre_output_close(&output, true);
  }
  free(text->data);
  *text = (nacre_text){0};
  return status;
}
