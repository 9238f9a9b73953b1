// Which of the features that the runtime can test for does code for a processor rely on?
#include "target/Descriptor.h"

namespace nacre {

uint64_t cpuFeatureBits(const Processor &processor) {
  uint64_t bits = 0;
#define NACRE_CPU_FEATURE(bit, name, leaf, subleaf, reg, place, saved)                                                 \
  if (processor.has(name))                                                                                             \
    bits |= uint64_t(1) << bit;
#include "CpuFeatures.def"
  return bits;
}

} // namespace nacre
