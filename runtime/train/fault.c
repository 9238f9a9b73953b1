/* A loss that is no number: the probe runs the same step again, without storing, and says which value was the first. */
#include "train.h"
#include <math.h>
#include <stdlib.h>

/* The first row of the probes whose value holds a NaN or an infinity; null: the probe found none, or there is none. */
static const char *first_bad(nacre_trainer *t, void *const *fields) {
  nacre_function *f = &t->probe;
  if (!f->info || f->info->result_count < 1 || f->info->results[0].type != NACRE_I32)
    return NULL;
  if (nacre_function_call(f, t, fields, t->seed_argument) != NACRE_OK)
    return NULL;
  for (int32_t i = 0; i < t->info->probe_count; ++i)
    if (((const int32_t *)f->results[0])[i])
      return t->info->probes[i];
  return NULL;
}

int nacre_fault_report(nacre_trainer *t, void *const *fields, const int64_t *samples, int64_t count, const char *what,
                       double value) {
  const char *probe = first_bad(t, fields);
  char place[NACRE_PLACE_TEXT];
  nacre_text text = {0};
  nacre_text_add(&text, "train %s: ", t->info->name);
  if (what)
    nacre_text_add(&text, "`%s` is %s", what, isnan(value) ? "not a number" : "infinite");
  else
    nacre_text_add(&text, "what the step writes is not finite, and was not stored,");
  nacre_text_add(&text, " at iteration %lld (epoch %lld", (long long)t->at.iteration + 1, (long long)t->at.epoch + 1);
  if (count > 0 && t->data && samples)
    nacre_text_add(&text, ", the batch that starts with %s", nacre_dataset_place(t->data, samples[0], place));
  nacre_text_add(&text, ")");
  if (probe)
    nacre_text_add(&text, "; the first value that is not finite: %s", probe);
  else
    nacre_text_add(&text, " (%s)", t->info->place);
  int status = nacre_fail(NACRE_ERROR_CONDITION, "%s", text.failed || !text.data ? "out of memory" : text.data);
  free(text.data);
  return status;
}
