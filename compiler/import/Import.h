// The checked program as a module of nacre ops.
#pragma once
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "program/Program.h"

namespace nacre {

/// One function per entry, test and initialiser. Null after errors were reported to the context: each is a mistake of
/// the front end, never of the user.
mlir::OwningOpRef<mlir::ModuleOp> importProgram(const Program &, mlir::MLIRContext &);

} // namespace nacre
