/* One pass over the validation data, or where there is none over the training data: every sample once, nothing trains.
 */
#include "train.h"
#include <stdlib.h>
#include <string.h>

static nacre_measure *measure_result(nacre_trainer *t, const char *prefix, const nacre_function *f, int32_t result) {
  char name[256];
  snprintf(name, sizeof name, "%s.%s", prefix, f->info->results[result].name);
  return nacre_measures_set(&t->now, name, f->info->results[result].rank, nacre_function_result_extents(f, result));
}

/* All results of a function but `skipped`, as they are now. */
static int take_results(nacre_trainer *t, const char *prefix, const nacre_function *f, int32_t skipped) {
  for (int32_t i = 0; i < f->info->result_count; ++i) {
    nacre_type type = (nacre_type)f->info->results[i].type;
    nacre_measure *measure = i == skipped ? NULL : measure_result(t, prefix, f, i);
    if (!measure && i != skipped)
      return nacre_fail(NACRE_ERROR_MEMORY, "train %s: out of memory", t->info->name);
    for (size_t k = 0; measure && k < measure->count; ++k)
      measure->values[k] = nacre_type_is_real(type) ? nacre_element_as_real(type, f->results[i], k)
                                                    : (double)nacre_element_as_integer(type, f->results[i], k);
  }
  return NACRE_OK;
}

static int restart_metrics(nacre_trainer *t) {
  return t->info->metrics < 0 ? NACRE_OK : nacre_model_restart(t->models[t->info->metrics], t->seed);
}

int nacre_trainer_measure(nacre_trainer *t, const char *prefix) {
  nacre_function *f = &t->evaluate;
  int32_t loss = nacre_function_result(f, "loss");
  double sum = 0, samples = 0;
  int64_t sized = -1;
  int status = restart_metrics(t);
  if (status == NACRE_OK)
    status = nacre_loader_start(t->checker, 0, 0);
  while (status == NACRE_OK) {
    nacre_batch batch;
    status = nacre_loader_next(t->checker, &batch);
    if (status != NACRE_OK || batch.count == 0)
      break;
    if (batch.count != sized)
      status = nacre_function_size(f, sized = batch.count);
    if (status == NACRE_OK)
      status =
          nacre_function_call(f, t, batch.fields, nacre_seed(t->seed, NACRE_SEED_EVALUATE, (uint64_t)batch.number, 0));
    if (status == NACRE_OK && loss >= 0)
      sum += nacre_function_number(f, loss) * (double)batch.count;
    samples += (double)batch.count;
  }
  if (status == NACRE_OK && loss >= 0) {
    nacre_measure *measure = measure_result(t, prefix, f, loss);
    if (measure && measure->rank == 0)
      measure->values[0] = sum / samples;
  }
  if (status == NACRE_OK && samples > 0)
    status = take_results(t, prefix, f, loss);
  if (status == NACRE_OK && t->summary.info) {
    static void *const nothing[] = {NULL};
    status = nacre_function_call(&t->summary, t, nothing, 0);
    if (status == NACRE_OK)
      status = take_results(t, prefix, &t->summary, -1);
  }
  return status;
}
