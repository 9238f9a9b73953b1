// The plan of a kernel: which dim moves through the lanes, how many rows and vectors a register tile has, and what one
// parallel iteration covers. ChooseTile decides, TileKernel and ReduceAcross emit.
#ifndef NACRE_LOWER_LOOPS_TILE_H
#define NACRE_LOWER_LOOPS_TILE_H

#include "Dot.h"
#include "ParallelLoop.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace nacre::loops {

struct Tile {
  unsigned lane = 0;                  // the dim of the lanes
  int64_t lanes = 1;                  // elements of a vector
  bool across = false;                // the lanes run over a reduction dim and are summed at the end
  int64_t vectors = 1;                // vectors side by side in a tile
  int row = -1;                       // the dim of the tile's rows, or -1
  int64_t rows = 1;                   // rows of a tile
  int64_t group = 1;                  // tiles side by side in one parallel iteration; one row takes them all at once
  int64_t rowBlock = 0;               // rows of one parallel iteration; 0: all of them
  llvm::SmallVector<unsigned> turned; // operands of the root read along the rows, and turned in registers
  bool columnsParallel = false;       // columns are an axis of the parallel nest
  bool columnsOutermost = false;
  std::optional<Dot> dot; // the factors are taken in groups by one instruction
  std::optional<PanelCopy> panels;
  double cycles = 0; // of the whole kernel, as `cyclesOf` counts
};

/// Marks memory on the stack that one kernel uses: HoistScratch gives all kernels of a function the same.
inline constexpr llvm::StringLiteral panelScratchAttribute = "nacre.panel_scratch";

/// The plan, or nothing where only scalar code is right. `dots`: what the target has of DotForms.def; `precise`: sums
/// of reals stay in the order of the loops.
std::optional<Tile> chooseTile(const Kernel &kernel, unsigned vectorBits, llvm::ArrayRef<const DotForm *> dots = {},
                               bool precise = false);

/// What a kernel costs with this plan, or as scalar code: for comparing ways to compute the same, not a prediction.
double cyclesOf(const Kernel &kernel, const std::optional<Tile> &tile);

/// The rows of the tile: a parallel dim that some operand of the lanes does not depend on, so that a loaded vector
/// serves several rows; -1 if there is none. `full`: rows of a whole tile.
int chooseRow(const Kernel &kernel, unsigned lane, int64_t full);
int64_t fullRows(unsigned vectorBits);

/// Vectors of a tile for a product of operands: the width of the panels that its operand is packed into.
int64_t vectorsSideBySide(const Kernel &kernel, unsigned lane, int row, int64_t lanes, unsigned vectorBits);

/// How a reduction combines two partial results, by the op in the root's body; nothing if it is no such reduction.
struct Combiner {
  mlir::Operation *op;
  mlir::vector::CombiningKind kind;
};
std::optional<llvm::SmallVector<Combiner>> combinersOf(mlir::linalg::LinalgOp root);

struct EmitOptions {
  unsigned vectorBits = 512;
  bool threads = true;
};
struct InlinePacking;
/// `copy`: the packing of an operand that the kernel does itself, or null.
void emitTileKernel(PointEmitter &emitter, const Kernel &kernel, const Tile &tile, const EmitOptions &options,
                    const InlinePacking *copy = nullptr);
void emitDotTiles(PointEmitter &emitter, const Kernel &kernel, const Tile &tile, const EmitOptions &options);
void emitDotVectors(PointEmitter &emitter, const Kernel &kernel, const Tile &tile, const EmitOptions &options);
void emitPanelCopy(PointEmitter &emitter, const Kernel &kernel, const Tile &tile, const EmitOptions &options);
void emitReduceAcross(PointEmitter &emitter, const Kernel &kernel, const Tile &tile, const EmitOptions &options);

/// An operand in panels [.., n floordiv w, reductions, n mod w] that is too large to stay in a cache between calls.
struct PanelStream {
  mlir::OpOperand *operand;
  unsigned panelAxis;
  llvm::SmallVector<unsigned> order; // reduction dims, outermost first
  int64_t width, steps, rows;        // columns of a panel, its reduction steps, rows that read it in turn
};
std::optional<PanelStream> panelStream(const Kernel &kernel, const Tile &tile);
/// Fetches the share of the next panel that belongs to the tile of `height` rows at `point` and its reduction step.
void prefetchShare(PointEmitter &emitter, const Kernel &kernel, const PanelStream &stream, const Tile &tile,
                   Point point, int64_t height);
/// Whether the order in which terms are combined does not show in the result.
bool isExactInAnyOrder(mlir::linalg::LinalgOp root);

/// The extents of the kernel's dims, materialised where they are dynamic.
llvm::SmallVector<Count> extentsOf(PointEmitter &emitter, const Kernel &kernel);

/// Runs the epilogues of a kernel on the root's results at one point and stores what must be stored.
void finish(PointEmitter &emitter, const Kernel &kernel, llvm::ArrayRef<mlir::Value> results, const Point &point);

/// Turns a square of vectors: blocks of 1, 2, 4, ... places that lie across the diagonal change places.
void transpose(PointEmitter &emitter, llvm::MutableArrayRef<mlir::Value> square);

/// Ops in the bodies of the kernel, loads included: the cost of one point.
int64_t bodyCost(const Kernel &kernel, bool rootOnly);

} // namespace nacre::loops
#endif
