// Loops: plain ones that carry values, and nests whose iterations may run on several threads.
#ifndef NACRE_LOWER_LOOPS_PARALLELLOOP_H
#define NACRE_LOWER_LOOPS_PARALLELLOOP_H

#include "Point.h"

namespace nacre::loops {

/// A number that may be known now; `value` is materialised only when asked for.
struct Count {
  int64_t known = mlir::ShapedType::kDynamic;
  mlir::Value value;

  bool isKnown() const { return !mlir::ShapedType::isDynamic(known); }
  static Count of(int64_t number) { return {number, nullptr}; }
};
mlir::Value materialise(PointEmitter &emitter, const Count &count);

using CarryingBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value, mlir::ValueRange)>;

/// for (i = begin; i < end; i += step); a loop known to run once is only its body.
llvm::SmallVector<mlir::Value> forLoop(PointEmitter &emitter, Count begin, Count end, int64_t step,
                                       mlir::ValueRange initial, CarryingBody body);
void forLoop(PointEmitter &emitter, Count begin, Count end, int64_t step, llvm::function_ref<void(mlir::Value)> body);

/// A nest over `axes` (outermost first) whose iterations are independent; each takes about `cycles`. Where the whole is
/// worth it the nest becomes one loop marked with its grain, which Outline hands to the threads.
void parallelLoop(PointEmitter &emitter, llvm::ArrayRef<Count> axes, int64_t cycles, bool threads,
                  llvm::function_ref<void(llvm::ArrayRef<mlir::Value>)> body);

/// On the scf.for of a parallel nest: how many iterations a chunk has at least.
inline constexpr llvm::StringLiteral grainAttribute = "nacre.grain";
/// Beside it where the count is known only at run time: with fewer iterations all of them are one chunk.
inline constexpr llvm::StringLiteral leastAttribute = "nacre.least";

} // namespace nacre::loops
#endif
