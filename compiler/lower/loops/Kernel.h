// A kernel: one linalg op on buffers (the root), the constant that its outputs start from, and the elementwise ops
// that follow it over the same space and are computed before its result leaves the registers.
#ifndef NACRE_LOWER_LOOPS_KERNEL_H
#define NACRE_LOWER_LOOPS_KERNEL_H

#include "dialect/Upstream.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/SmallPtrSet.h"
#include <optional>

namespace nacre::loops {

/// One linalg op, its indexing maps rewritten over the dims of the kernel.
struct Step {
  mlir::linalg::LinalgOp op;
  llvm::SmallVector<mlir::AffineMap> maps;                    // one per operand
  llvm::SmallVector<unsigned> dims;                           // the kernel dim that each loop of `op` runs over
  llvm::SmallVector<bool> stored;                             // one per output: whether anybody reads it from memory
  llvm::SmallVector<std::pair<unsigned, unsigned>> forwarded; // (operand, producing step * 16 + output)
};

struct Kernel {
  llvm::SmallVector<int64_t> extents; // ShapedType::kDynamic where unknown
  llvm::SmallVector<bool> reduction;
  llvm::SmallVector<Step, 2> steps;              // root first
  llvm::SmallVector<mlir::Value> initial;        // per output of the root: the scalar it starts from, or null
  llvm::SmallVector<mlir::Operation *> absorbed; // fills and epilogues whose work the kernel does

  Step &root() { return steps.front(); }
  const Step &root() const { return steps.front(); }
  unsigned rank() const { return extents.size(); }
  bool hasReduction() const { return llvm::is_contained(reduction, true); }
  /// Product of the static extents of the reduction dims; a dynamic one counts as `guess`.
  int64_t reductionSize(int64_t guess = 16) const;
};

/// The kernel rooted at `root`, before any fusion.
Kernel makeKernel(mlir::linalg::LinalgOp root);

/// The ops on tensors that sum (or multiply, or compare) into one result, in the order of the program.
llvm::SmallVector<mlir::linalg::GenericOp> singleReductions(mlir::func::FuncOp function);

constexpr unsigned mostEpilogues = 8;

/// Takes the fill that initialises the outputs, and at most so many elementwise consumers, into the kernel. The kernel
/// is then emitted in place of its last op. Ops in `taken` belong to other kernels already; those taken here are added.
void absorbNeighbours(Kernel &kernel, llvm::SmallPtrSetImpl<mlir::Operation *> &taken, unsigned epilogues);

/// Whether an op strictly between two of one block may write (or touch at all) the memory behind `buffer`.
bool touchedBetween(mlir::Operation *first, mlir::Operation *last, mlir::Value buffer, bool writesOnly);

/// The buffer behind views: an allocation or a function argument.
mlir::Value rootBuffer(mlir::Value memref);

} // namespace nacre::loops
#endif
