// Steps shared by the lowerings of scalar ops.
#pragma once
#include "dialect/OpInterfaces.h"

namespace nacre {

/// What was read from a tensor, as a number: a byte becomes a truth value where `type` (before lowering) is i1.
mlir::Value fromStorage(ScalarLowering &, mlir::Value element, mlir::Type type);
/// An affine expression of the loops and sizes, as a value of type index.
mlir::Value indexValue(ScalarLowering &, mlir::AffineExpr);

/// The number that argument `number` of a body stands for, as it is held in memory.
using ElementOf = llvm::function_ref<mlir::Value(ScalarLowering &, unsigned number)>;
/// The ops of a body as arith and math, in place of the builder; what each became. `wanted`: only these ops.
mlir::IRMapping lowerBody(ScalarLowering &, mlir::Block &body, ElementOf element,
                          llvm::function_ref<bool(mlir::Value)> wanted = nullptr);

/// Repeated numbers are written where they are wanted to be changed, not copied from the object file.
mlir::Value ownTensor(mlir::OpBuilder &, mlir::Location, mlir::Value tensor);

} // namespace nacre
