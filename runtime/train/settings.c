/* The options of a train block. The compiler has checked what the source says; what is read here is checked once more
   where a wrong number could do harm. */
#include "train.h"
#include <math.h>
#include <string.h>

const nacre_option *nacre_option_find(const nacre_option *options, int32_t count, const char *name) {
  for (int32_t i = 0; i < count; ++i)
    if (strcmp(options[i].name, name) == 0)
      return &options[i];
  return NULL;
}

typedef struct reader {
  const nacre_train_info *train;
  int status;
} reader;

static const nacre_option *option(const reader *r, const char *name) {
  return nacre_option_find(r->train->options, r->train->option_count, name);
}

static int64_t whole_number(reader *r, const char *name, int64_t missing, int64_t least) {
  const nacre_option *found = option(r, name);
  if (!found)
    return missing;
  if (found->form == NACRE_NUMBER && found->number >= (double)least && found->number <= 9e15 &&
      found->number == floor(found->number))
    return (int64_t)found->number;
  if (r->status == NACRE_OK)
    r->status = nacre_fail(NACRE_ERROR_UNSUPPORTED, "train %s: `%s` is %g; it needs a whole number of at least %lld",
                           r->train->name, name, found->number, (long long)least);
  return missing;
}

static const char *word(const reader *r, const char *name) {
  const nacre_option *found = option(r, name);
  return found && found->form == NACRE_TEXT && *found->text ? found->text : NULL;
}

static nacre_better mode(const reader *r, const char *name) {
  const char *said = word(r, name);
  return !said ? NACRE_UNSAID : strcmp(said, "max") == 0 ? NACRE_LARGER : NACRE_SMALLER;
}

int nacre_settings_read(const nacre_train_info *train, nacre_settings *settings) {
  reader r = {train, NACRE_OK};
  *settings = (nacre_settings){
      .batch = whole_number(&r, "batch", 1, 1),
      .epochs = whole_number(&r, "epochs", 0, 0),
      .steps = whole_number(&r, "steps", 0, 0),
      .accumulate = whole_number(&r, "accumulate", 1, 1),
      .folds = whole_number(&r, "folds", 0, 0),
      .seed = (uint64_t)whole_number(&r, "seed", 0, INT64_MIN / 1024),
      .folds_seed = (uint64_t)whole_number(&r, "folds.seed", 0, INT64_MIN / 1024),
      .after = word(&r, "after"),
      .stratify = word(&r, "folds.stratify"),
      .patience = whole_number(&r, "early_stop.patience", 0, 0),
      .stop_on = word(&r, "early_stop.on"),
      .stop_mode = mode(&r, "early_stop.mode"),
      .best_path = word(&r, "checkpoint.best"),
      .best_by = word(&r, "checkpoint.by"),
      .best_mode = mode(&r, "checkpoint.mode"),
      .every = whole_number(&r, "checkpoint.every", 0, 0),
      .every_path = word(&r, "checkpoint.path"),
      .resume_path = word(&r, "resume.path"),
      .resume_optional = whole_number(&r, "resume.optional", 0, 0) != 0,
      .plateaus = option(&r, "plateau.patience") != NULL,
      .plateau_patience = whole_number(&r, "plateau.patience", 0, 0),
      .plateau_cooldown = whole_number(&r, "plateau.cooldown", 0, 0),
      .plateau_on = word(&r, "plateau.on"),
      .plateau_mode = mode(&r, "plateau.mode"),
  };
  const nacre_option *threshold = option(&r, "plateau.threshold");
  settings->plateau_threshold = threshold && threshold->form == NACRE_NUMBER ? threshold->number : 0;
  return r.status;
}
