// Wall time per pass, for `nacre build --time-passes`.
#pragma once
#include "Compile.h"
#include "mlir/Pass/PassInstrumentation.h"
#include <memory>

namespace nacre {

/// Adds a row per kind of pass to `passes`, which must outlive the pass manager. A pass that runs others counts its own
/// time only.
std::unique_ptr<mlir::PassInstrumentation> timePasses(Stage, std::vector<PassTime> &passes);

} // namespace nacre
