// Affine subscripts as sums of index times constant, and what is known about their values.
#pragma once
#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/ValueRange.h"
#include <optional>

namespace nacre {

/// sum(coefficients[v] * v) + sum(factor * atom) + offset. Atoms are `e floordiv n` and `e mod n` over indices; the
/// offset is over sizes only.
struct Linear {
  llvm::SmallVector<int64_t> coefficients;
  llvm::SmallVector<std::pair<mlir::AffineExpr, int64_t>> atoms;
  mlir::AffineExpr offset;

  mlir::AffineExpr expression() const;
  /// Indices with a coefficient, in order.
  llvm::SmallVector<unsigned> indices() const;
};

/// Nothing for a product of an index and a size.
std::optional<Linear> linearOf(mlir::AffineExpr, unsigned indices);

/// The indices and sizes that expressions are over: index v runs from 0 below extents[v]. Sizes are at least 0, those
/// that are arguments of the function at least 1.
struct Box {
  llvm::ArrayRef<mlir::AffineExpr> extents;
  llvm::ArrayRef<mlir::Value> sizes;

  /// Bounds over sizes only; null if there is none.
  mlir::AffineExpr lower(mlir::AffineExpr) const;
  mlir::AffineExpr upper(mlir::AffineExpr) const;
  /// Bounds that hold for all sizes.
  std::optional<int64_t> least(mlir::AffineExpr) const;
  std::optional<int64_t> greatest(mlir::AffineExpr) const;
  bool isNonNegative(mlir::AffineExpr expression) const { return least(expression).value_or(-1) >= 0; }
  bool isNegative(mlir::AffineExpr expression) const { return greatest(expression).value_or(0) < 0; }

  mlir::AffineExpr simplify(mlir::AffineExpr) const;
  std::optional<int64_t> constantExtent(unsigned index) const;

private:
  mlir::AffineExpr bound(mlir::AffineExpr, bool upper) const;
};

std::optional<int64_t> constantOf(mlir::AffineExpr);

} // namespace nacre
