// The passes on buffers and loops (the records are in LoopsPasses.td).
#pragma once
#include "dialect/Upstream.h"
#include "mlir/Pass/Pass.h"

namespace nacre {
#define GEN_PASS_DECL
#include "lower/loops/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "lower/loops/Passes.h.inc"
/// Whole pipelines under the name `nacre-loops`, for nacre-opt.
void registerLoopsPipelines();
} // namespace nacre
