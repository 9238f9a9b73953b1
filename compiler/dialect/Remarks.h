// How any pass tells `nacre build --report` about a decision.
#pragma once
#include "Report.h"
#include "mlir/IR/Location.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace nacre {

/// The report of this compilation; null unless one was asked for (always null in nacre-opt).
Report *reportOf(mlir::MLIRContext *);
void collectReport(mlir::MLIRContext &, Report &);

/// Adds a remark about `op`. Costs nothing, the text is not even made, without a report:
///   note(op, RemarkKind::Fallback, [&] { return "scalar loops: " + reason; });
void note(mlir::Operation *op, RemarkKind kind, llvm::function_ref<std::string()> text);

/// The innermost line that a location names, with its layer and the innermost line of the model's own file around it.
SourceLine sourceLineOf(mlir::Location);

} // namespace nacre
