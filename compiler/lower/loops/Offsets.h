// Where buffers lie in a workspace, from how large they are and when they are alive.
#pragma once
#include "llvm/ADT/ArrayRef.h"
#include <cstdint>

namespace nacre {

struct Tenant {
  int64_t bytes;
  unsigned first, last; // the steps in which it is alive, both included
  int64_t offset = 0;
};

/// Chooses offsets so that tenants that are alive together do not overlap, and returns the bytes needed; the same for
/// the same input. Usually a few percent above the most that is alive at once, which nothing can be below.
int64_t chooseOffsets(llvm::MutableArrayRef<Tenant> tenants);

/// The most bytes alive in any one step.
int64_t mostAlive(llvm::ArrayRef<Tenant> tenants);

} // namespace nacre
