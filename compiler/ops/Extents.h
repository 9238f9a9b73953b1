// What is known about the extents of a tensor before lowering, and the sizes themselves after it.
#pragma once
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/ValueRange.h"
#include <optional>

namespace nacre {

/// One affine expression per axis over `symbols` (values of type index).
struct Extents {
  mlir::AffineMap map;
  llvm::SmallVector<mlir::Value> symbols;
};

/// From the op that makes the tensor, or from `nacre.extents` of a function argument.
std::optional<Extents> extentsOf(mlir::Value tensor);

/// True only if the two expressions are equal for all sizes.
bool sameExtent(mlir::AffineExpr a, mlir::ValueRange symbolsOfA, mlir::AffineExpr b, mlir::ValueRange symbolsOfB);

/// Arguments of a function that carry `nacre.dimension`, in order: the symbols of every `nacre.extents`.
llvm::SmallVector<mlir::Value> dimensionArguments(mlir::Operation *function);

} // namespace nacre
