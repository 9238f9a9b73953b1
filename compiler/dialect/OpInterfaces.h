// The interfaces of OpInterfaces.td and what they are given to work with.
#pragma once
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/PatternMatch.h"

namespace nacre {

/// State of lowering one function to linalg: where to build, and what each old value became.
struct LinalgLowering {
  mlir::OpBuilder &builder;
  mlir::IRMapping &values;
  bool reassociate = false; // sums may be reordered (never in the reference)

  mlir::Value operator()(mlir::Value old) const { return values.lookup(old); }
};

/// State of lowering the body of one equation.
struct ScalarLowering {
  mlir::OpBuilder &builder;
  mlir::Location location;
  const mlir::IRMapping &values;     // tensors outside the body
  llvm::ArrayRef<mlir::Value> sizes; // symbols of the equation, type index
  unsigned loopCount;
  bool contract = false; // a*b + c may become one rounding
};

/// The type that holds a number after lowering: without a sign; a bool in a tensor is a byte of 0 or 1.
mlir::Type scalarStorage(mlir::Type);  // ui8 -> i8, i1 -> i1
mlir::Type elementStorage(mlir::Type); // ui8 -> i8, i1 -> i8
mlir::RankedTensorType tensorStorage(mlir::RankedTensorType);

} // namespace nacre

#include "dialect/OpInterfaces.h.inc"
