// Steps shared by the lowerings of scalar ops.
#pragma once
#include "dialect/OpInterfaces.h"

namespace nacre {

/// What was read from a tensor, as a number: a byte becomes a truth value where `type` (before lowering) is i1.
mlir::Value fromStorage(ScalarLowering &, mlir::Value element, mlir::Type type);
/// An affine expression of the loops and sizes, as a value of type index.
mlir::Value indexValue(ScalarLowering &, mlir::AffineExpr);

} // namespace nacre
