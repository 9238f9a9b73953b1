// The passes of optimize/ and lower/ (the records are in Passes.td).
#pragma once
#include "dialect/Upstream.h"
#include "mlir/Pass/Pass.h"

namespace nacre {
#define GEN_PASS_DECL
#include "Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "Passes.h.inc"
} // namespace nacre
