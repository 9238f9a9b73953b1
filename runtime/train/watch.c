/* The values that decide about a run: plateaus for the learning rate, early stopping, the best weights. All of them are
   looked at once, after an epoch was closed. */
#include "train.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_loss(const char *name) {
  const char *dot = strrchr(name, '.');
  return strcmp(dot ? dot + 1 : name, "loss") == 0;
}

static bool smaller_is_better(nacre_better mode, const char *name) {
  return mode == NACRE_UNSAID ? is_loss(name) : mode == NACRE_SMALLER;
}

bool nacre_is_better(nacre_better mode, const char *name, double value, double than) {
  if (isnan(value) || isnan(than))
    return !isnan(value);
  return smaller_is_better(mode, name) ? value < than : value > than;
}

static int unknown_value(const nacre_trainer *t, const char *setting, const char *name) {
  nacre_text names = {0};
  for (size_t i = 0; i < t->now.count; ++i)
    if (t->now.list[i].rank == 0)
      nacre_text_add(&names, "%s`%s`", names.length ? ", " : "", t->now.list[i].name);
  int status = nacre_fail(NACRE_ERROR_ARGUMENT, "train %s: `%s` names the value `%s`; there are %s", t->info->name,
                          setting, name, names.data ? names.data : "none");
  free(names.data);
  return status;
}

static const char *watched(const nacre_trainer *t, const char *said) {
  return said ? said : nacre_measures_find(&t->now, "validate.loss") ? "validate.loss" : "loss";
}

/* The value that a setting watches. That it is a NaN is no error; that there is no such value is one. */
static int take_value(nacre_trainer *t, const char *setting, const char *said, const char **name, double *value) {
  *name = watched(t, said);
  *value = nacre_trainer_value(t, *name);
  bool known = nacre_measures_find(&t->now, *name) || !isnan(*value);
  return known || t->at.closed != 1 ? NACRE_OK : unknown_value(t, setting, *name);
}

/* The rule of torch.optim.lr_scheduler.ReduceLROnPlateau with a relative threshold: an epoch counts as better when it
   beats the best by that share; after more than `patience` others in a row there is one plateau more, and `cooldown`
   epochs that do not count. */
int nacre_watch_plateau(nacre_trainer *t) {
  const nacre_settings *s = &t->settings;
  nacre_position *at = &t->at;
  const char *name;
  double value;
  if (!s->plateaus)
    return NACRE_OK;
  int status = take_value(t, "plateau", s->plateau_on, &name, &value);
  if (status != NACRE_OK)
    return status;
  bool smaller = smaller_is_better(s->plateau_mode, name);
  double bound = at->plateau_best * (smaller ? 1 - s->plateau_threshold : 1 + s->plateau_threshold);
  bool better = !isnan(value) && (isnan(at->plateau_best) || (smaller ? value < bound : value > bound));
  if (better)
    at->plateau_best = value;
  at->level = better ? 0 : at->level + 1;
  if (at->resting > 0) {
    --at->resting;
    at->level = 0;
  }
  if (at->level > s->plateau_patience) {
    ++at->plateaus;
    at->resting = s->plateau_cooldown;
    at->level = 0;
  }
  return NACRE_OK;
}

int nacre_watch_stop(nacre_trainer *t) {
  const char *name;
  double value;
  if (t->settings.patience <= 0)
    return NACRE_OK;
  int status = take_value(t, "early_stop", t->settings.stop_on, &name, &value);
  if (status != NACRE_OK)
    return status;
  if (nacre_is_better(t->settings.stop_mode, name, value, t->at.stop_best)) {
    t->at.stop_best = value;
    t->at.waited = 0;
  } else {
    ++t->at.waited;
  }
  return NACRE_OK;
}

bool nacre_gives_up(const nacre_trainer *t) { return t->settings.patience > 0 && t->at.waited >= t->settings.patience; }

int nacre_watch_best(nacre_trainer *t, bool *best) {
  const char *name;
  double value;
  int status = take_value(t, "checkpoint: best", t->settings.best_by, &name, &value);
  *best = status == NACRE_OK &&
          (t->at.best_epoch < 0 || nacre_is_better(t->settings.best_mode, name, value, t->at.save_best));
  if (*best) {
    t->at.save_best = value;
    t->at.best_epoch = t->at.epoch;
  }
  return status;
}
