/* A module may be built for several processors; the first that this machine can run is chosen once per process. */
#include "internal.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* NACRE_CPU names a variant: the same bits on different machines, or a look at what an older one would do. */
static const nacre_module_info *named(const nacre_variants *variants, const char *cpu) {
  for (int32_t i = 0; i < variants->count; ++i)
    if (strcmp(variants->modules[i]->cpu, cpu) == 0)
      return variants->modules[i];
  return NULL;
}

static const nacre_module_info *choose(const nacre_variants *variants) {
  const nacre_module_info *weakest = variants->modules[variants->count - 1];
  if (weakest->abi != NACRE_ABI) {
    nacre_check_object(weakest->name, weakest->abi, weakest->cpu, 0);
    return NULL;
  }
  const char *wanted = variants->count > 1 ? getenv("NACRE_CPU") : NULL;
  if (wanted && *wanted) {
    const nacre_module_info *module = named(variants, wanted);
    if (module)
      return nacre_check_object(module->name, module->abi, module->cpu, module->cpu_features) == NACRE_OK ? module
                                                                                                          : NULL;
    nacre_text names = {0};
    for (int32_t i = 0; i < variants->count; ++i)
      nacre_text_add(&names, "%s%s", i ? ", " : "", variants->modules[i]->cpu);
    nacre_fail(NACRE_ERROR_PROCESSOR, "NACRE_CPU is `%s`, but %s was built for %s", wanted, weakest->name,
               names.data ? names.data : "others");
    free(names.data);
    return NULL;
  }
  for (int32_t i = 0; i < variants->count; ++i)
    if (nacre_check_object(weakest->name, NACRE_ABI, variants->modules[i]->cpu, variants->modules[i]->cpu_features) ==
        NACRE_OK)
      return variants->modules[i];
  return NULL; /* the text is that of the weakest */
}

const nacre_module_info *nacre_fitting(nacre_variants *variants) {
  _Atomic(const nacre_module_info *) *place = (_Atomic(const nacre_module_info *) *)&variants->chosen;
  const nacre_module_info *module = atomic_load_explicit(place, memory_order_acquire);
  if (!module && (module = choose(variants)))
    atomic_store_explicit(place, module, memory_order_release); /* every thread would choose the same */
  return module;
}

const nacre_entry_info *nacre_fitting_entry(nacre_variants *variants, int32_t number) {
  const nacre_module_info *module = nacre_fitting(variants);
  return module ? module->entries[number] : NULL;
}

const nacre_model_info *nacre_fitting_model(nacre_variants *variants, int32_t number) {
  const nacre_module_info *module = nacre_fitting(variants);
  return module ? module->models[number] : NULL;
}

const nacre_train_info *nacre_fitting_train(nacre_variants *variants, int32_t number) {
  const nacre_module_info *module = nacre_fitting(variants);
  return module ? module->trains[number] : NULL;
}
