// A right operand that is packed anew in every call is packed panel by panel inside the product that reads it: the
// panel stays in the cache between the two, and its elements are fetched from memory while the panel before is computed
// with.
#ifndef NACRE_LOWER_LOOPS_INLINEPACKING_H
#define NACRE_LOWER_LOOPS_INLINEPACKING_H

#include "Point.h"
#include "Tile.h"

namespace nacre::loops {

/// The copy of `source` into panels that only the root of a kernel reads, taken into that kernel.
struct InlinePacking {
  mlir::linalg::LinalgOp copy;
  unsigned operand; // of the root: the panels
  mlir::Value source;
  mlir::AffineMap map; // of the source, over the dims of the kernel
  unsigned step;       // the reduction dim
  int64_t width;       // columns of a panel
  int64_t depth;       // reduction steps that are packed at once, so that a panel does not outgrow the stack
};

/// A step of a block as a step of the whole reduction.
Index globalStep(PointEmitter &emitter, Index start, Index step);

/// Whether the kernel can take in the copy that made one of its operands.
std::optional<InlinePacking> inlinePackingOf(const Kernel &kernel, const Tile &tile);

/// Emits the two halves: a scratch panel with its filling, and what reads it.
class InlinePackingEmitter {
public:
  InlinePackingEmitter(PointEmitter &emitter, const Kernel &kernel, const Tile &tile, const InlinePacking &copy)
      : emitter(emitter), kernel(kernel), tile(tile), copy(copy) {}

  /// Copies the columns from `base` on, in the steps from `start` on; `masks` as in the tile. `at`: all other dims.
  void fill(llvm::ArrayRef<Index> at, Index base, Index start, int64_t length, llvm::ArrayRef<mlir::Value> masks,
            int64_t vectors);
  /// Vector number `vector` at a step of the block.
  mlir::Value load(Index step, int64_t vector);
  /// Fetches the share of the next block that belongs to the tile of `height` rows at `row`.
  void prefetch(llvm::ArrayRef<Index> at, Index base, Index start, int64_t length, bool lastBlock, Index row,
                int64_t height, Index step);

private:
  PointEmitter &emitter;
  const Kernel &kernel;
  const Tile &tile;
  const InlinePacking &copy;
  mlir::Value scratch;
};

} // namespace nacre::loops
#endif
