// What the two planners of the workspace share: who gets one, how large a buffer is, how a size is computed elsewhere.
#pragma once
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"

namespace mlir {
class IRMapping;
class OpBuilder;
namespace func {
class FuncOp;
}
} // namespace mlir

namespace nacre {

constexpr int64_t workspaceAlignment = 64; // bytes: a cache line, and the widest vector

/// Whether the function keeps its buffers in a workspace of its caller: entries, tests, and work on weights.
bool takesWorkspace(mlir::func::FuncOp function);

/// Bytes of a buffer whose dynamic extents are 1. A bool takes a byte.
int64_t unitBytes(mlir::MemRefType type);

/// Repeats the computation of a size in another function, whose arguments are mapped.
llvm::LogicalResult repeatSize(mlir::OpBuilder &builder, mlir::Value size, mlir::IRMapping &known);

} // namespace nacre
