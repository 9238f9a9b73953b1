// The passes on buffers and loops (the records are in LoopsPasses.td).
#pragma once
#include "dialect/Upstream.h"
#include "mlir/Pass/Pass.h"

namespace nacre {
#define GEN_PASS_DECL
#include "lower/loops/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "lower/loops/Passes.h.inc"
/// Whether a value is computed from weights and constants alone, and so before the call. Each value is looked at
/// once: in a chain whose links are used twice there are exponentially many ways back.
bool isWeightOnly(mlir::Value value);

/// Whole pipelines under the name `nacre-loops`, for nacre-opt.
void registerLoopsPipelines();
} // namespace nacre
