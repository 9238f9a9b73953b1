/* The command line of `PROG train` and `PROG eval`, and its help. */
#include "command.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

typedef enum flag_form { TEXT, COUNT, WHOLE, SWITCH } flag_form;
typedef struct flag {
  const char *name, *value;
  flag_form form;
  bool train, evaluation; /* which of the two commands takes it */
  size_t place;           /* in nacre_command */
  const char *text;
} flag;
#define PLACE(field) offsetof(nacre_command, field)
static const flag flags[] = {
    {"--epochs", "N", COUNT, true, false, PLACE(epochs),
     "how often all samples are seen, instead of what the source says"},
    {"--steps", "N", COUNT, true, false, PLACE(steps),
     "how many iterations there are, instead of what the source says"},
    {"--seed", "S", WHOLE, true, true, PLACE(seed), "the seed of initial weights, order, augmentation and dropout"},
    {"--out", "FILE", TEXT, true, false, PLACE(out),
     "where the weights go (default: that of `checkpoint: best`, else NAME.safetensors)"},
    {"--weights", "FILE", TEXT, true, true, PLACE(weights),
     "safetensors to start from; MODEL=FILE, once per model, where there are several"},
    {"--resume", "FILE", TEXT, true, false, PLACE(resume),
     "go on from a checkpoint: the run ends as if it had never stopped"},
    {"--fresh", NULL, SWITCH, true, false, PLACE(fresh),
     "draw all weights, also those that a file holds, and train first what `after` names"},
    {"--log", "FILE", TEXT, true, false, PLACE(log), "one line of JSON per epoch"},
    {"--report", "FILE", TEXT, true, false, PLACE(report), "the HTML page of the run (default: beside the weights)"},
    {"--data-dir", "DIR", TEXT, true, true, PLACE(data),
     "the folder that the paths of data start from (default: here)"},
    {"--threads", "N", COUNT, true, true, PLACE(threads),
     "threads to use (default: NACRE_THREADS, else all processors)"},
    {"--json", NULL, SWITCH, true, true, PLACE(json), "print the results as JSON"},
    {"--quiet", NULL, SWITCH, true, true, PLACE(quiet), "no progress"},
    {"--help", NULL, SWITCH, true, true, PLACE(help), "print this"},
};
enum { FLAGS = sizeof flags / sizeof *flags };

static int usage(const nacre_command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int usage(const nacre_command *command, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "error: ");
  vfprintf(stderr, format, arguments);
  fprintf(stderr, " (`%s %s --help` shows what there is)\n", command->program, command->evaluation ? "eval" : "train");
  va_end(arguments);
  return -1;
}

static int set_flag(nacre_command *command, const flag *f, const char *value) {
  char *place = (char *)command + f->place, *end;
  if (f->form == SWITCH) {
    *(bool *)place = true;
    return 0;
  }
  if (f->form == TEXT) {
    if (!*value)
      return usage(command, "%s needs a %s", f->name, strcmp(f->value, "DIR") == 0 ? "folder" : "file");
    if (f->place == PLACE(weights) && command->weights) { /* one line per file */
      char *both = NULL;
      if (asprintf(&both, "%s\n%s", command->weights, value) < 0)
        return usage(command, "out of memory");
      free(command->joined);
      command->weights = command->joined = both;
      return 0;
    }
    *(const char **)place = value;
    return 0;
  }
  errno = 0;
  unsigned long long number = strtoull(value, &end, 10);
  unsigned long long limit = f->place == PLACE(threads) ? 256 : f->form == COUNT ? 1000000000000 : UINT64_MAX;
  bool good = *value >= '0' && *value <= '9' && !*end && !errno && number <= limit && (f->form == WHOLE || number > 0);
  if (!good && f->form == COUNT)
    return usage(command, "%s needs a number from 1 to %llu, not `%s`", f->name, limit, value);
  if (!good)
    return usage(command, "%s needs a whole number, not `%s`", f->name, value);
  if (f->place == PLACE(threads))
    command->threads = (int)number;
  else if (f->place == PLACE(seed))
    command->seed = number;
  else
    *(int64_t *)place = (int64_t)number;
  command->seeded |= f->place == PLACE(seed);
  return 0;
}

/* `--name value` or `--name=value`; advances *at past the value. */
static int parse_flag(nacre_command *command, int argc, char **argv, int *at) {
  const char *word = argv[*at], *equals = strchr(word, '=');
  size_t length = equals ? (size_t)(equals - word) : strlen(word);
  if (strcmp(word, "-h") == 0) {
    command->help = true;
    return 0;
  }
  for (int i = 0; i < FLAGS; ++i) {
    if (strlen(flags[i].name) != length || memcmp(flags[i].name, word, length) != 0)
      continue;
    if (!(command->evaluation ? flags[i].evaluation : flags[i].train))
      return usage(command, "%s belongs to `%s %s`", flags[i].name, command->program,
                   command->evaluation ? "train" : "eval");
    if (flags[i].form == SWITCH)
      return equals ? usage(command, "%s takes no value", flags[i].name) : set_flag(command, &flags[i], NULL);
    if (!equals && *at + 1 == argc)
      return usage(command, "%s needs a value (%s)", word, flags[i].value);
    return set_flag(command, &flags[i], equals ? equals + 1 : argv[++*at]);
  }
  return usage(command, "unknown flag `%s`", word);
}

static int choose_train(nacre_command *command, const char *name) {
  const nacre_module_info *module = command->module;
  if (command->train)
    return usage(command, "`%s` is not a flag, and %s is already the block", name, command->train->name);
  nacre_text names = {0};
  for (int32_t i = 0; i < module->train_count; ++i) {
    if (strcmp(module->trains[i]->name, name) == 0)
      command->train = module->trains[i];
    nacre_text_add(&names, "%s`%s`", i ? ", " : "", module->trains[i]->name);
  }
  int status = command->train ? 0
                              : usage(command, "%s has no train block `%s`; it has %s", module->name, name,
                                      names.data ? names.data : "none");
  free(names.data);
  return status;
}

int nacre_command_parse(int argc, char **argv, const nacre_module_info *module, nacre_command *command) {
  const char *slash = strrchr(argv[0], '/');
  *command = (nacre_command){
      .program = slash ? slash + 1 : argv[0], .module = module, .evaluation = strcmp(argv[1], "eval") == 0};
  for (int i = 2; i < argc; ++i) {
    int status = argv[i][0] == '-' ? parse_flag(command, argc, argv, &i) : choose_train(command, argv[i]);
    if (status != 0)
      return status;
  }
  if (command->epochs && command->steps)
    return usage(command, "--epochs and --steps exclude each other");
  if (!command->train && module->train_count == 1)
    command->train = module->trains[0]; /* there is no choice */
  if (!command->train && !command->help &&
      (command->evaluation || command->out || command->resume || command->weights || command->report))
    return usage(command, "which train block? %s has %d", module->name, module->train_count);
  return 0;
}

static void print_documentation(const char *text, const char *indent) {
  while (text && *text) {
    size_t line = strcspn(text, "\n");
    printf("%s%.*s\n", indent, (int)line, text);
    text += line + (text[line] == '\n');
  }
}

static void print_block(const nacre_module_info *module, const nacre_train_info *train) {
  nacre_settings settings;
  printf("  %s", train->name);
  for (int32_t i = 0; i < train->trained_count; ++i)
    printf("%s%s", i ? ", " : " trains ", module->models[train->models[i]]->name);
  if (train->data)
    printf(" on %s", train->data->title);
  printf("\n");
  print_documentation(train->documentation, "    ");
  if (nacre_settings_read(train, &settings) != NACRE_OK)
    return;
  printf("    batch %lld", (long long)settings.batch);
  if (settings.accumulate > 1)
    printf(" x %lld", (long long)settings.accumulate);
  if (settings.steps)
    printf(", %lld steps", (long long)settings.steps);
  else
    printf(", %lld epoch%s", (long long)settings.epochs, settings.epochs == 1 ? "" : "s");
  printf(", seed %llu", (unsigned long long)settings.seed);
  if (train->validate)
    printf(", validated on %s", train->validate->title);
  if (settings.folds)
    printf(", %lld folds", (long long)settings.folds);
  if (settings.after)
    printf(", after %s", settings.after);
  printf("\n");
}

void nacre_command_help(const nacre_command *command) {
  const char *verb = command->evaluation ? "eval" : "train";
  printf("usage: %s %s [NAME] [flags]\n\n", command->program, verb);
  if (command->evaluation)
    printf(
        "Measures a model with the loss and the metrics of a train block, on its validation data (without it: on its\n"
        "training data). Prints them on standard output; where a metric is a `confusion` matrix also accuracy,\n"
        "precision, recall and F1, per class, macro and micro.\n\n");
  else
    printf(
        "Trains. Without NAME all blocks run in the order of the source. A line per epoch goes to standard error, the\n"
        "last values to standard output. Weights are written as safetensors that the model loads, with a report (one\n"
        "HTML file) beside them. Ctrl-C finishes the step, saves a checkpoint and says how to go on; so does a TERM\n"
        "signal. While it runs there is a checkpoint beside the weights (.train) that survives a crash. A\n"
        "cross-validation leaves the weights of each fold (NAME.foldN.safetensors) and can be resumed as well.\n\n");
  printf("train blocks of %s:\n", command->module->name);
  for (int32_t i = 0; i < command->module->train_count; ++i)
    if (!command->train || command->train == command->module->trains[i])
      print_block(command->module, command->module->trains[i]);
  printf("\nflags:\n");
  for (int i = 0; i < FLAGS; ++i)
    if (command->evaluation ? flags[i].evaluation : flags[i].train)
      printf("  %-10s %-5s %s\n", flags[i].name, flags[i].value ? flags[i].value : "", flags[i].text);
  printf("\nexit code: 0 done, 1 failed (the reason is on standard error), 2 bad command line, 130 interrupted\n");
}
