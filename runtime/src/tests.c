/* Runs the tests of a module: a line per failed expectation, and a closing count. */
#include "program.h"
#include <stdlib.h>

static int run_test(const nacre_module_info *module, const nacre_test_info *test, const nacre_flags *flags,
                    int *failed) {
  const nacre_entry_info *entry = &test->entry;
  nacre_flags inner = {.entry = entry, .seed = flags->seeded ? flags->seed : test->seed, .seeded = true};
  nacre_call call;
  int status = nacre_call_prepare(&call, module, &inner);
  if (status == NACRE_OK)
    status = nacre_call_run(&call);
  for (int32_t i = 0; i < test->expect_count && status == NACRE_OK; ++i) {
    const nacre_expect_info *expect = &test->expects[i];
    const nacre_tensor *results = call.results;
    if (nacre_element_as_integer(results[expect->condition].type, results[expect->condition].data, 0))
      continue;
    ++*failed;
    printf("%s: test \"%s\" failed: expect %s", expect->place, test->name, expect->text);
    if (expect->deviation >= 0)
      printf(" (deviation %.3g, tolerance %.3g)",
             nacre_element_as_real(results[expect->deviation].type, results[expect->deviation].data, 0),
             expect->tolerance);
    putchar('\n');
  }
  nacre_call_release(&call);
  return status;
}

int nacre_run_tests(const nacre_module_info *module, const nacre_flags *flags) {
  int bad = 0;
  for (int32_t i = 0; i < module->test_count; ++i) {
    int failed = 0;
    if (run_test(module, module->tests[i], flags, &failed) != NACRE_OK) {
      printf("test \"%s\" failed: %s\n", module->tests[i]->name, nacre_last_error());
      failed = 1;
    }
    bad += failed > 0;
  }
  printf("%d passed, %d failed\n", module->test_count - bad, bad);
  return bad;
}
