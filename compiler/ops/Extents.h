// What is known about the extents of a tensor before lowering, and the sizes themselves after it.
#pragma once
#include "dialect/OpInterfaces.h"
#include "mlir/IR/ValueRange.h"

namespace nacre {

/// From the op that makes the tensor, or from `nacre.extents` of a function argument.
std::optional<Extents> extentsOf(mlir::Value tensor);

/// True only if the two expressions are equal for all sizes.
bool sameExtent(mlir::AffineExpr a, mlir::ValueRange symbolsOfA, mlir::AffineExpr b, mlir::ValueRange symbolsOfB);

/// Arguments of a function that carry `nacre.dimension`, in order: the symbols of every `nacre.extents`.
llvm::SmallVector<mlir::Value> dimensionArguments(mlir::Operation *function);

} // namespace nacre
