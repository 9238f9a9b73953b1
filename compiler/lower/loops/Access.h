// How a memory operand is reached while one dim of the iteration space moves through the lanes of a vector.
#ifndef NACRE_LOWER_LOOPS_ACCESS_H
#define NACRE_LOWER_LOOPS_ACCESS_H

#include "mlir/IR/AffineMap.h"
#include "mlir/IR/BuiltinTypes.h"
#include <optional>

namespace nacre::loops {

enum class Access {
  Uniform,    // every lane reads the same element
  Contiguous, // lane l reads the element l places after lane 0
  Strided,    // lane l reads the element l * stride places after lane 0
  Opaque      // none of these
};

/// The smallest and largest value of an expression, where known (an unknown extent has no upper end).
struct Interval {
  std::optional<int64_t> low, high;
};
Interval intervalOf(mlir::AffineExpr expr, llvm::ArrayRef<int64_t> extents);

/// Replaces dims of extent 1 by 0 and drops divisions that the extents decide.
mlir::AffineExpr simplifyForExtents(mlir::AffineExpr expr, llvm::ArrayRef<int64_t> extents);

/// The factor of `dim` in an expression that is linear in it, else nothing.
std::optional<int64_t> coefficientOf(mlir::AffineExpr expr, unsigned dim);

/// Lane 0 is always at a multiple of `lanes`, so `dim floordiv 32` is uniform over 16 lanes, and `dim mod 32`
/// contiguous.
Access accessAlong(mlir::AffineMap map, mlir::MemRefType type, unsigned dim, int64_t lanes);

/// Whether a square of `lane` and `row` can be read as rows of neighbours and turned: lanes far apart, rows side by
/// side.
bool turns(mlir::AffineMap map, mlir::MemRefType type, unsigned lane, unsigned row);

bool dependsOn(mlir::AffineMap map, unsigned dim);

} // namespace nacre::loops
#endif
