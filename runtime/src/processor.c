/* Does this machine, and this version of the runtime, fit the generated code? */
#include "internal.h"

#if defined(__x86_64__)
#include <cpuid.h>

static uint64_t saved_by_system(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & 1u << 27)) /* OSXSAVE */
    return 0;
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

/* The name of the first feature of `wanted` that is missing, or null. */
static const char *missing_feature(uint64_t wanted) {
  const uint64_t saved = saved_by_system();
  unsigned a, b, c, d;
#define NACRE_CPU_FEATURE(number, name, leaf, subleaf, reg, place, xcr0)                                               \
  if (wanted >> number & 1) {                                                                                          \
    a = b = c = d = 0;                                                                                                 \
    if (!__get_cpuid_count(leaf, subleaf, &a, &b, &c, &d) || !(reg >> place & 1) || (saved & (xcr0)) != (xcr0))        \
      return name;                                                                                                     \
  }
#include "CpuFeatures.def"
  (void)a, (void)b, (void)c, (void)d;
  return NULL;
}
#else
static const char *missing_feature(uint64_t wanted) {
  (void)wanted;
  return NULL;
}
#endif

int nacre_check_object(const char *what, uint32_t abi, const char *cpu, uint64_t features) {
  if (abi != NACRE_ABI)
    return nacre_fail(NACRE_ERROR_VERSION, "%s was built for runtime interface %u; this runtime has %u: build it again",
                      what, (unsigned)abi, (unsigned)NACRE_ABI);
  const char *missing = missing_feature(features);
  if (missing)
    return nacre_fail(NACRE_ERROR_PROCESSOR,
                      "%s was built for %s; this processor lacks %s: build with --cpu=x86-64-v2 or "
                      "what this machine has",
                      what, cpu, missing);
  return NACRE_OK;
}
