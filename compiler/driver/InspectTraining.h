// What a train block needs in memory.
#pragma once
#include "Compile.h"
#include "llvm/Support/JSON.h"
#include <string>
#include <vector>

namespace nacre {

struct TrainingMemory { // bytes
  int64_t weights = 0, state = 0, arena = 0, gradients = 0, batch = 0;
  struct Function {
    std::string name;
    int64_t bytes, alive; // its workspace, and what of it is alive at once, at the size of a batch
  };
  std::vector<Function> functions;
};
/// What the buffers of a scale that are alive at the same step need at most, where it is 1: no plan can need less.
int64_t lowerBound(const MemoryPlan &, const std::string &scale);
TrainingMemory memoryOf(const Program &, const Train &, const std::vector<MemoryPlan> &);
void printTraining(const Program &, const std::vector<MemoryPlan> &);
llvm::json::Array trainingJson(const Program &, const std::vector<MemoryPlan> &);

} // namespace nacre
