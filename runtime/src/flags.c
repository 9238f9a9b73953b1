/* The command line of a built executable, and its help. */
#include "program.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static int usage(const nacre_flags *flags, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int usage(const nacre_flags *flags, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "error: ");
  vfprintf(stderr, format, arguments);
  fprintf(stderr, " (`%s --help` shows what there is)\n", flags->program);
  va_end(arguments);
  return -1;
}

static bool whole_number(const char *text, unsigned long long limit, unsigned long long *out) {
  char *end;
  errno = 0;
  *out = strtoull(text, &end, 10);
  return *text >= '0' && *text <= '9' && !*end && !errno && *out <= limit;
}

typedef enum flag_kind { WEIGHTS, THREADS, OUT, TIME, SEED, JSON, TEST, HELP, VERSION, FLAG_COUNT } flag_kind;
static const struct {
  const char *name, *value, *text;
} known[FLAG_COUNT] = {
    {"--weights", "FILE", "safetensors file of the weights; MODEL=FILE where there are several models"},
    {"--threads", "N", "threads to use (default: NACRE_THREADS, else all processors)"},
    {"--out", "DIR", "write each result as DIR/NAME.npy instead of printing it"},
    {"--time", "N", "call N times and print the smallest and the median time as JSON"},
    {"--seed", "N", "draw weights that no file gives, and `seed` arguments, from this seed"},
    {"--json", NULL, "print the results as JSON"},
    {"--test", NULL, "run the tests of the module"},
    {"--help", NULL, "print this, or with ENTRY what it takes and gives"},
    {"--version", NULL, "print what this was built by and for"},
};

static int set_flag(nacre_flags *flags, flag_kind kind, const char *value) {
  unsigned long long number = 0;
  switch (kind) {
  case WEIGHTS:
    flags->weights[flags->weights_count++] = value;
    return 0;
  case OUT:
    flags->out = value;
    return 0;
  case JSON:
    flags->json = true;
    return 0;
  case TEST:
    flags->test = true;
    return 0;
  case HELP:
    flags->help = true;
    return 0;
  case VERSION:
    flags->version = true;
    return 0;
  case THREADS:
    if (!whole_number(value, 256, &number) || number == 0)
      return usage(flags, "--threads needs a number from 1 to 256, not `%s`", value);
    flags->threads = (int)number;
    return 0;
  case TIME:
    if (!whole_number(value, 1000000000, &number) || number == 0)
      return usage(flags, "--time needs a number of calls, not `%s`", value);
    flags->repeat = (int)number;
    return 0;
  default:
    if (!whole_number(value, UINT64_MAX, &number))
      return usage(flags, "--seed needs a whole number, not `%s`", value);
    flags->seed = number;
    flags->seeded = true;
    return 0;
  }
}

/* `--name value` or `--name=value`; advances *at past the value. */
static int parse_flag(nacre_flags *flags, int argc, char **argv, int *at) {
  const char *word = argv[*at], *equals = strchr(word, '=');
  size_t length = equals ? (size_t)(equals - word) : strlen(word);
  if (strcmp(word, "-h") == 0)
    return set_flag(flags, HELP, NULL);
  for (int kind = 0; kind < FLAG_COUNT; ++kind) {
    if (strlen(known[kind].name) != length || memcmp(known[kind].name, word, length) != 0)
      continue;
    if (!known[kind].value)
      return equals ? usage(flags, "%s takes no value", known[kind].name) : set_flag(flags, (flag_kind)kind, NULL);
    if (!equals && *at + 1 == argc)
      return usage(flags, "%s needs a value (%s)", word, known[kind].value);
    return set_flag(flags, (flag_kind)kind, equals ? equals + 1 : argv[++*at]);
  }
  return usage(flags, "unknown flag `%s`", word);
}

static const nacre_entry_info *entry_named(const nacre_module_info *module, const char *name) {
  for (int32_t i = 0; i < module->entry_count; ++i)
    if (strcmp(module->entries[i]->name, name) == 0)
      return module->entries[i];
  return NULL;
}

int nacre_parse_flags(int argc, char **argv, const nacre_module_info *module, nacre_flags *flags) {
  const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
  *flags = (nacre_flags){.program = slash ? slash + 1 : argc > 0 ? argv[0] : module->name};
  flags->weights = calloc((size_t)argc + 1, sizeof *flags->weights);
  flags->inputs = calloc((size_t)argc + 1, sizeof *flags->inputs);
  if (!flags->weights || !flags->inputs)
    return usage(flags, "out of memory");
  for (int i = 1; i < argc; ++i) {
    const char *word = argv[i];
    if (word[0] == '-') {
      if (parse_flag(flags, argc, argv, &i) != 0)
        return -1;
    } else if (strchr(word, '=')) {
      flags->inputs[flags->input_count++] = word;
    } else if (flags->entry) {
      return usage(flags, "`%s` is neither a flag nor name=value, and %s is already the entry", word,
                   flags->entry->name);
    } else if (!(flags->entry = entry_named(module, word))) {
      return usage(flags, "%s has no entry `%s`", module->name, word);
    }
  }
  if (!flags->entry && flags->input_count && module->entry_count == 1)
    flags->entry = module->entries[0]; /* there is no choice */
  if (!flags->entry && flags->input_count && !flags->help && !flags->version)
    return usage(flags, "which entry? %s has %d", module->name, module->entry_count);
  return 0;
}

void nacre_flags_release(nacre_flags *flags) {
  free((void *)flags->weights);
  free((void *)flags->inputs);
}

static void print_documentation(const char *text, const char *indent) {
  while (text && *text) {
    size_t line = strcspn(text, "\n");
    printf("%s%.*s\n", indent, (int)line, text);
    text += line + (text[line] == '\n');
  }
}

static void print_fields(const char *title, int32_t count, const nacre_field_info *fields, bool argument) {
  for (int32_t i = 0; i < count; ++i) {
    bool number = argument && fields[i].rank == 0;
    printf("    %s %s%s%s %s%s%s\n", title, fields[i].name, argument ? "=" : ":",
           !argument                             ? ""
           : number                              ? "NUMBER"
           : strcmp(fields[i].codec, "npy") == 0 ? "FILE.npy"
                                                 : "FILE.png",
           argument ? "  " : "", nacre_type_name((nacre_type)fields[i].type), fields[i].shape);
  }
}

/* Whether a clause is `n >= 1` or `n <= 64`, which the line of the dimension says already. */
static bool says_bound(const nacre_entry_info *entry, const char *clause) {
  char bound[160];
  for (int32_t i = 0; i < entry->dim_count; ++i) {
    const nacre_dim_info *dim = &entry->dims[i];
    if (dim->upper == INT64_MAX)
      continue;
    snprintf(bound, sizeof bound, "%s >= %lld", dim->name, (long long)dim->lower);
    if (strcmp(clause, bound) == 0)
      return true;
    snprintf(bound, sizeof bound, "%s <= %lld", dim->name, (long long)dim->upper);
    if (strcmp(clause, bound) == 0)
      return true;
  }
  return false;
}

static void print_entry(const nacre_entry_info *entry) {
  printf("  %s\n", entry->name);
  print_documentation(entry->documentation, "    ");
  print_fields("takes", entry->argument_count, entry->arguments, true);
  print_fields("gives", entry->result_count, entry->results, false);
  for (int32_t i = 0; i < entry->dim_count; ++i)
    if (entry->dims[i].upper != INT64_MAX)
      printf("    where %s in %lld..%lld\n", entry->dims[i].name, (long long)entry->dims[i].lower,
             (long long)entry->dims[i].upper);
  for (int32_t i = 0; i < entry->guard_count; ++i)
    if (!says_bound(entry, entry->guards[i]))
      printf("    where %s\n", entry->guards[i]);
}

void nacre_print_help(const nacre_module_info *module, const nacre_flags *flags) {
  printf("usage: %s ENTRY name=file.npy ... [flags]\n\n", flags->program);
  if (module->documentation && *module->documentation) {
    print_documentation(module->documentation, "");
    printf("\n");
  }
  printf("entries of %s:\n", module->name);
  for (int32_t i = 0; i < module->entry_count; ++i)
    if (!flags->entry || flags->entry == module->entries[i])
      print_entry(module->entries[i]);
  if (module->train_count && !flags->entry)
    printf("\n`%s train --help` and `%s eval --help`: its %d train block%s\n", flags->program, flags->program,
           (int)module->train_count, module->train_count == 1 ? "" : "s");
  printf("\nflags:\n");
  for (int kind = 0; kind < FLAG_COUNT; ++kind)
    printf("  %-9s %-5s %s\n", known[kind].name, known[kind].value ? known[kind].value : "", known[kind].text);
}
