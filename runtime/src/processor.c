/* Does this machine, and this version of the runtime, fit the generated code? */
#include "internal.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint64_t saved_by_system(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & 1u << 27)) /* OSXSAVE */
    return 0;
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

/* The registers of AMX are 8 KB that Linux saves for a process only after it has asked: ARCH_REQ_XCOMP_PERM for the
   component XFEATURE_XTILE_DATA. It is enough to ask once per process, and harmless to ask again. */
enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };

static bool ask_for_tiles(void) {
  static atomic_bool granted;
  if (!atomic_load_explicit(&granted, memory_order_relaxed))
    atomic_store(&granted, syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0);
  return granted;
}

static bool wants_tiles(uint64_t wanted) {
#define NACRE_CPU_FEATURE(number, name, leaf, subleaf, reg, place, xcr0)                                               \
  if ((wanted >> number & 1) && ((xcr0) >> TILE_DATA & 1))                                                             \
    return true;
#include "CpuFeatures.def"
  return false;
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
static bool ask_for_tiles(void) { return false; }

static bool wants_tiles(uint64_t wanted) {
  (void)wanted;
  return false;
}

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
  if (wants_tiles(features) && !ask_for_tiles())
    return nacre_fail(NACRE_ERROR_PROCESSOR,
                      "%s was built for %s; the system does not let this process use the tile registers of AMX: build "
                      "with --cpu=x86-64-v4",
                      what, cpu);
  return NACRE_OK;
}

void nacre_use_tiles(void) {
  if (ask_for_tiles())
    return;
  fputs("nacre: the system does not let this process use the tile registers of AMX: build with --cpu=x86-64-v4\n",
        stderr);
  abort();
}
