// What a train block needs in memory.
#pragma once
#include "Compile.h"
#include "llvm/Support/JSON.h"
#include <string>
#include <utility>
#include <vector>

namespace nacre {

struct TrainingMemory { // bytes
  int64_t weights = 0, state = 0, arena = 0, gradients = 0, batch = 0;
  std::vector<std::pair<std::string, int64_t>> functions; // workspace of each at the size of a batch
};
TrainingMemory memoryOf(const Program &, const Train &, const std::vector<MemoryPlan> &);
void printTraining(const Program &, const std::vector<MemoryPlan> &);
llvm::json::Array trainingJson(const Program &, const std::vector<MemoryPlan> &);

} // namespace nacre
