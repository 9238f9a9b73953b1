// What the two planners of the workspace share: who gets one, how large a buffer is, how a size is computed elsewhere.
#pragma once
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"

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

/// A size, or the most that it can be: one that is computed in a loop from its counter is bounded over all rounds. The
/// result is computed at `builder`, which stands in front of that loop, from what is known there.
llvm::FailureOr<mlir::Value> largestSize(mlir::OpBuilder &builder, mlir::Value size);

/// When the contents of a buffer are wanted: in positions of ops in the order of the text, and in which block. A buffer
/// that is allocated in a loop lives within one round.
struct Life {
  unsigned first, last;
};
/// Numbers the ops of a function and finds the lives of its buffers.
class Lives {
public:
  explicit Lives(mlir::Operation *function);
  /// Fails after an error if the buffer passes from one round of a loop to the next.
  llvm::FailureOr<Life> of(mlir::Operation *allocation) const;
  unsigned position(mlir::Operation *op) const { return places.lookup(op).first; }

private:
  llvm::DenseMap<mlir::Operation *, Life> places; // of an op with all that is in it
};

} // namespace nacre
