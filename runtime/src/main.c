/* `main` of every built executable: picks an entry of the module, feeds it from files and writes what it gives.
 */
#include "program.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FAILED = 1, USAGE = 2 };

/* `train` and `eval`, in libnacre_train.a, which is linked only where a module has train blocks. */
extern int nacre_train_command(int argc, char **argv, const nacre_module_info *module) __attribute__((weak));

/* In a program that is measured: the first call, which warms up, does not count. */
extern void nacre_profile_reset(void) __attribute__((weak));

static double milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static int compare_times(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static int call_and_time(nacre_call *call, int repeat, double *minimum, double *median) {
  double *times = calloc((size_t)repeat, sizeof *times);
  int status =
      times ? nacre_call_run(call) : nacre_fail(NACRE_ERROR_MEMORY, "out of memory"); /* the first one warms up */
  if (nacre_profile_reset)
    nacre_profile_reset();
  for (int i = 0; i < repeat && status == NACRE_OK; ++i) {
    double start = milliseconds();
    status = nacre_call_run(call);
    times[i] = milliseconds() - start;
  }
  if (status == NACRE_OK) {
    qsort(times, (size_t)repeat, sizeof *times, compare_times);
    *minimum = times[0];
    *median = repeat % 2 ? times[repeat / 2] : (times[repeat / 2 - 1] + times[repeat / 2]) / 2;
  }
  free(times);
  return status;
}

static int run_entry(const nacre_module_info *module, const nacre_flags *flags) {
  nacre_call call;
  double minimum = 0, median = 0;
  int status = nacre_call_prepare(&call, module, flags);
  if (status == NACRE_OK)
    status = flags->repeat ? call_and_time(&call, flags->repeat, &minimum, &median) : nacre_call_run(&call);
  if (status == NACRE_OK && flags->out)
    status = nacre_write_results(flags->out, call.entry, call.results);
  if (status == NACRE_OK && flags->repeat)
    printf("{\"entry\": \"%s.%s\", \"calls\": %d, \"threads\": %d, \"min_ms\": %.6f, \"median_ms\": %.6f}\n",
           module->name, call.entry->name, flags->repeat, nacre_threads(), minimum, median);
  else if (status == NACRE_OK && flags->json)
    nacre_print_json(stdout, call.entry, call.results);
  else if (status == NACRE_OK && !flags->out)
    for (int32_t i = 0; i < call.entry->result_count; ++i)
      nacre_print_result(stdout, call.entry->results[i].name, &call.results[i]);
  nacre_call_release(&call);
  return status;
}

int main(int argc, char **argv) {
  const nacre_module_info *module = nacre_fitting(&nacre_main_variants);
  bool fits = module != NULL; /* help is for every machine */
  if (!fits)
    module = nacre_main_variants.modules[nacre_main_variants.count - 1];
  nacre_flags flags;
  if (!fits && argc > 1 && argv[1][0] != '-') {
    fprintf(stderr, "error: %s\n", nacre_last_error());
    return FAILED;
  }
  if (argc > 1 && module->train_count > 0 && nacre_train_command &&
      (strcmp(argv[1], "train") == 0 || strcmp(argv[1], "eval") == 0))
    return nacre_train_command(argc, argv, module);
  if (nacre_parse_flags(argc, argv, module, &flags) != 0) {
    nacre_flags_release(&flags);
    return USAGE;
  }
  int code = 0;
  if (flags.version) {
    printf("%s, built by nacre %s for %s (runtime %s, interface %u)\n", module->name, module->version, module->cpu,
           nacre_version(), (unsigned)nacre_abi());
  } else if (flags.help || (!flags.entry && !flags.test)) {
    nacre_print_help(module, &flags);
  } else {
    int status = fits ? NACRE_OK : NACRE_ERROR_PROCESSOR;
    if (status == NACRE_OK) {
      nacre_set_threads(flags.threads);
      if (flags.test)
        code = nacre_run_tests(module, &flags) ? FAILED : 0;
      else
        status = run_entry(module, &flags);
    }
    if (status != NACRE_OK) {
      fprintf(stderr, "error: %s\n", nacre_last_error());
      code = FAILED;
    }
  }
  nacre_flags_release(&flags);
  if (fflush(stdout) != 0 || ferror(stdout)) {
    fprintf(stderr, "error: cannot write to standard output\n");
    return FAILED;
  }
  return code;
}
