/* `PROG train [NAME]` and `PROG eval [NAME]`: which blocks run, in which order, and where their weights start. */
#include "command.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FAILED = 1, USAGE = 2, STOPPED = 130 };

static const nacre_train_info *train_named(const nacre_module_info *module, const char *name) {
  for (int32_t i = 0; i < module->train_count; ++i)
    if (strcmp(module->trains[i]->name, name) == 0)
      return module->trains[i];
  return NULL;
}

/* The trainers of the blocks that have run in this process, by position. */
typedef struct session {
  const nacre_command *command;
  nacre_trainer **trainers;
  bool logged; /* a block has written to the log */
} session;

static int32_t position_of(const nacre_module_info *module, const nacre_train_info *train) {
  int32_t i = 0;
  while (module->trains[i] != train)
    ++i;
  return i;
}

/* The weights that a block has left in an earlier run, as --weights takes them; null: not all of them are there. The
   caller frees it. */
static char *left_files(const nacre_module_info *module, const nacre_train_info *train) {
  nacre_settings settings;
  nacre_text lines = {0};
  bool good = nacre_settings_read(train, &settings) == NACRE_OK && train->trained_count > 0;
  char *path = NULL;
  if (good && settings.best_path)
    path = strdup(settings.best_path);
  else if (good && asprintf(&path, "%s.safetensors", train->name) < 0)
    path = NULL;
  for (int32_t i = 0; path && good && i < train->trained_count; ++i) {
    const char *model = module->models[train->models[i]]->name;
    char *own = train->trained_count == 1 ? strdup(path) : nacre_weights_path(path, model);
    good = own && access(own, F_OK) == 0;
    nacre_text_add(&lines, "%s%s=%s", i ? "\n" : "", model, own ? own : "");
    free(own);
  }
  free(path);
  if (good && lines.data && !lines.failed)
    return lines.data;
  free(lines.data);
  return NULL;
}

static int run_block(session *s, const nacre_train_info *train, int depth);

/* `after`: the trainer of that block if it has run; else its file goes to `*file`, unless all is to be fresh; else it
   is run first. */
static int find_before(session *s, const nacre_train_info *train, int depth, nacre_trainer **before, char **file) {
  nacre_settings settings;
  int status = nacre_settings_read(train, &settings);
  if (status != NACRE_OK || !settings.after || (s->command->weights && depth == 0))
    return status;
  const nacre_train_info *other = train_named(s->command->module, settings.after);
  if (!other || other == train || depth > s->command->module->train_count)
    return nacre_fail(NACRE_ERROR_ARGUMENT, "train %s: `after: %s` leads nowhere", train->name, settings.after);
  nacre_trainer **place = &s->trainers[position_of(s->command->module, other)];
  if (!*place && s->command->train && !s->command->fresh && (*file = left_files(s->command->module, other))) {
    if (!s->command->quiet)
      fprintf(stderr, "%s starts from %s, which %s left (--fresh trains that again)\n", train->name, *file,
              other->name);
    return NACRE_OK;
  }
  if (!*place)
    status = run_block(s, other, depth + 1);
  *before = *place;
  if (status == NACRE_OK && !*before)
    status =
        nacre_fail(NACRE_ERROR_ARGUMENT,
                   "train %s: `after: %s` is a cross-validation, which leaves weights per fold: choose those of one "
                   "with --weights FILE",
                   train->name, other->name);
  return status;
}

static int run_block(session *s, const nacre_train_info *train, int depth) {
  nacre_trainer **place = &s->trainers[position_of(s->command->module, train)], *before = NULL;
  char *file = NULL;
  if (*place)
    return NACRE_OK;
  nacre_command command = *s->command;
  if (depth > 0) { /* what the command line says is about the block it names */
    command.out = command.report = command.resume = command.weights = command.log = NULL;
    command.epochs = command.steps = 0;
  }
  nacre_settings settings;
  int status = nacre_settings_read(train, &settings);
  if (status == NACRE_OK)
    status = find_before(s, train, depth, &before, &file);
  if (file)
    command.weights = file;
  command.append = s->logged;
  s->logged |= command.log != NULL;
  if (status == NACRE_OK)
    status = settings.folds ? nacre_run_folds(&command, train, before) : nacre_run(&command, train, before, place);
  free(file);
  return status;
}

static int run_train(const nacre_command *command) {
  const nacre_module_info *module = command->module;
  session s = {command, calloc((size_t)module->train_count + 1, sizeof *s.trainers), false};
  if (!s.trainers)
    return nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
  nacre_catch_interrupts();
  int status = NACRE_OK;
  for (int32_t i = 0; i < module->train_count && status == NACRE_OK; ++i)
    if (!command->train || command->train == module->trains[i])
      status = run_block(&s, module->trains[i], 0);
  for (int32_t i = 0; i < module->train_count; ++i)
    nacre_trainer_destroy(s.trainers[i]);
  free(s.trainers);
  return status;
}

static int run_eval(const nacre_command *command) {
  nacre_settings settings;
  int status = nacre_settings_read(command->train, &settings);
  if (status != NACRE_OK)
    return status;
  char *left = command->weights ? NULL : left_files(command->module, command->train);
  nacre_trainer_options options = {.seed = command->seed,
                                   .seeded = command->seeded,
                                   .data = command->data,
                                   .weights = command->weights ? command->weights : left};
  nacre_trainer_setup setup = {.options = &options, .evaluation = true, .fold = -1};
  if (left && !command->quiet)
    fprintf(stderr, "weights: %s\n", left);
  nacre_trainer *t = nacre_trainer_open(command->module, command->train, &setup);
  status = t ? nacre_trainer_evaluate(t, NULL) : NACRE_ERROR_ARGUMENT;
  nacre_scores scores;
  bool scored = status == NACRE_OK && nacre_scores_from(&scores, &t->now);
  if (status == NACRE_OK && command->json) {
    nacre_text line = {0};
    nacre_text_add(&line, "{\"train\": ");
    nacre_text_add_json(&line, command->train->name);
    nacre_measures_json(&line, &t->now);
    if (scored)
      nacre_text_add(
          &line, ", \"accuracy\": %.17g, \"precision\": %.17g, \"recall\": %.17g, \"f1\": %.17g, \"f1_micro\": %.17g",
          scores.accuracy, scores.precision, scores.recall, scores.f1, scores.micro);
    if (line.failed || !line.data)
      status = nacre_fail(NACRE_ERROR_MEMORY, "out of memory");
    else
      printf("%s}\n", line.data);
    free(line.data);
  } else if (status == NACRE_OK) {
    nacre_measures_print(stdout, &t->now, t->validate ? "validate." : "train.");
    if (scored)
      nacre_scores_print(stdout, &scores);
  }
  if (scored)
    nacre_scores_release(&scores);
  nacre_trainer_destroy(t);
  free(left);
  return status;
}

int nacre_train_command(int argc, char **argv, const nacre_module_info *module) {
  nacre_command command;
  if (nacre_command_parse(argc, argv, module, &command) != 0) {
    free(command.joined);
    return USAGE;
  }
  int status = NACRE_OK;
  if (command.help) {
    nacre_command_help(&command);
  } else {
    nacre_set_threads(command.threads);
    status = command.evaluation ? run_eval(&command) : run_train(&command);
  }
  if (status != NACRE_OK && status != NACRE_INTERRUPTED)
    fprintf(stderr, "error: %s\n", nacre_last_error());
  free(command.joined);
  if (fflush(stdout) != 0 || ferror(stdout)) {
    fprintf(stderr, "error: cannot write to standard output\n");
    return FAILED;
  }
  return status == NACRE_OK ? 0 : status == NACRE_INTERRUPTED ? STOPPED : FAILED;
}
