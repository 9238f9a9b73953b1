// Types and places of the front end in MLIR's terms.
#pragma once
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Location.h"
#include "program/Program.h"

namespace nacre {

mlir::Type importType(Scalar, mlir::MLIRContext &);
mlir::Location importSpan(const Span &, mlir::MLIRContext &);
/// A place inside the equation that `around` names: with its layer and the calls that led there.
mlir::Location importPart(const Span &, mlir::Location around);
/// The place, the calls that led to it, and the layer path as a name around them.
mlir::Location importLocation(const Location *, mlir::MLIRContext &);

} // namespace nacre
