// Decides how a kernel is emitted: the dim of the lanes by a small cost model of loads, and the shape of the register
// tile from the number of registers and from who reads what again.
#include "Access.h"
#include "Tile.h"
#include <cmath>

using namespace mlir;

namespace nacre::loops {

static constexpr int64_t largeBytes = 1 << 20; // half of a usual L2: beyond it, operands are walked in blocks

int64_t bodyCost(const Kernel &kernel, bool rootOnly) {
  int64_t cost = 0;
  for (const Step &step : kernel.steps) {
    linalg::LinalgOp op = step.op;
    for (Operation &inner : op.getBlock()->without_terminator())
      cost += inner.getDialect()->getNamespace() == "math" ? 8 : 1;
    cost += op->getNumOperands() / 2;
    if (rootOnly)
      break;
  }
  return std::max<int64_t>(cost, 1);
}

static int64_t widthOf(Type type) {
  type = getElementTypeOrSelf(type);
  return type.isIntOrFloat() ? type.getIntOrFloatBitWidth() : 32;
}

/// Lanes of a vector of the widest element that the kernel keeps in registers.
static int64_t lanesOf(const Kernel &kernel, unsigned vectorBits) {
  int64_t width = 32;
  for (const Step &step : kernel.steps)
    for (Value operand : linalg::LinalgOp(step.op)->getOperands())
      width = std::max(width, widthOf(operand.getType()));
  return vectorBits / width;
}

static bool isForwarded(const Step &step, unsigned operand) {
  return llvm::any_of(step.forwarded, [&](std::pair<unsigned, unsigned> pair) { return pair.first == operand; });
}

/// The rows of squares that an elementwise kernel with the lanes along `lane` reads along the rows and turns in
/// registers, where its operands lie so: a transposed matrix is read by whole cache lines. -1: there are none.
static int rowToTurn(const Kernel &kernel, unsigned lane, int64_t lanes) {
  if (kernel.hasReduction())
    return -1;
  linalg::LinalgOp op = kernel.root().op;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    auto type = dyn_cast<MemRefType>(operand->get().getType());
    AffineMap map = kernel.root().maps[operand->getOperandNumber()];
    if (type && accessAlong(map, type, lane, lanes) == Access::Strided)
      for (unsigned row = 0; row < kernel.rank(); ++row) {
        int64_t extent = kernel.extents[row];
        if (row != lane && turns(map, type, lane, row) && (ShapedType::isDynamic(extent) || extent >= lanes / 2))
          return row;
      }
  }
  return -1;
}

/// Cost of one point with the lanes along `dim`, in cycles; nothing where that is impossible.
static std::optional<double> costAlong(const Kernel &kernel, unsigned dim, int64_t lanes, bool across) {
  int turnedRow = across ? -1 : rowToTurn(kernel, dim, lanes);
  double cost = double(bodyCost(kernel, true)) / lanes;
  for (auto [index, step] : llvm::enumerate(kernel.steps)) {
    linalg::LinalgOp op = step.op;
    double often = index ? 1.0 / kernel.reductionSize(64) : 1.0; // an epilogue runs once per result
    if (across && index > 0)
      break; // epilogues run on scalars
    for (OpOperand &operand : op->getOpOperands()) {
      auto type = dyn_cast<MemRefType>(operand.get().getType());
      if (!type || isForwarded(step, operand.getOperandNumber()))
        continue;
      Access access = accessAlong(step.maps[operand.getOperandNumber()], type, dim, lanes);
      if (access == Access::Opaque)
        return std::nullopt;
      if (type.getElementType().isInteger(1) && access != Access::Uniform)
        return std::nullopt; // one byte each in memory, one bit each in a vector
      // A masked or strided access of halves may be taken apart lane by lane, and single bf16 lanes need library calls.
      bool masked = kernel.extents[dim] % lanes != 0 || ShapedType::isDynamic(kernel.extents[dim]);
      if (type.getElementType().isBF16() && access != Access::Uniform && (masked || access == Access::Strided))
        return std::nullopt;
      if (op.isDpsInit(&operand) && access != (across ? Access::Uniform : Access::Contiguous))
        return std::nullopt;
      if (op.isDpsInit(&operand) && (kernel.hasReduction() || index > 0))
        continue;
      bool turned = access == Access::Strided && index == 0 && turnedRow >= 0 &&
                    turns(step.maps[operand.getOperandNumber()], type, dim, turnedRow);
      cost += often * (access == Access::Uniform      ? 0.02
                       : access == Access::Contiguous ? 1.0 / lanes
                       : turned                       ? (1 + std::log2(double(lanes))) / lanes
                                                      : 1.2);
    }
  }
  int64_t extent = kernel.extents[dim];
  if (!ShapedType::isDynamic(extent))
    cost *= double(llvm::alignTo(extent, lanes)) / extent;
  if (across) // across the lanes at the end, once per result
    cost += 10.0 / kernel.reductionSize(64);
  return cost;
}

/// n for an access `lane mod n`: the operand lies in panels of n columns.
static int64_t panelWidth(const Kernel &kernel, unsigned lane) {
  for (AffineMap map : kernel.root().maps) {
    if (map.getNumResults() == 0)
      continue;
    auto binary = dyn_cast<AffineBinaryOpExpr>(map.getResults().back());
    if (binary && binary.getKind() == AffineExprKind::Mod && binary.isFunctionOfDim(lane))
      if (auto constant = dyn_cast<AffineConstantExpr>(binary.getRHS()))
        return constant.getValue();
  }
  return 0;
}

/// Bytes from one row to the next in the operand that the rows of a tile read element by element; 0 if unknown.
static int64_t rowStrideBytes(const Kernel &kernel, unsigned lane, unsigned row) {
  const Step &root = kernel.root();
  for (OpOperand *operand : linalg::LinalgOp(root.op).getDpsInputOperands()) {
    auto type = dyn_cast<ShapedType>(operand->get().getType());
    AffineMap map = root.maps[operand->getOperandNumber()];
    if (!type || dependsOn(map, lane) || !dependsOn(map, row))
      continue;
    SmallVector<int64_t> strides;
    int64_t offset, stride = 0;
    auto layout = dyn_cast<MemRefType>(type);
    if (!layout) // a tensor becomes a dense buffer
      layout = MemRefType::get(type.getShape(), type.getElementType());
    if (failed(layout.getStridesAndOffset(strides, offset)))
      continue;
    for (auto [expr, unit] : llvm::zip(map.getResults(), strides))
      if (auto coefficient = coefficientOf(expr, row); coefficient && *coefficient) {
        if (ShapedType::isDynamic(unit))
          return 0;
        stride += *coefficient * unit;
      }
    return stride * widthOf(type) / 8;
  }
  return 0;
}

static int64_t bytesOf(MemRefType type) {
  return type.hasStaticShape() ? type.getNumElements() * widthOf(type) / 8 : 0;
}

// The longest such dim up to a full tile; the innermost of equals.
int chooseRow(const Kernel &kernel, unsigned lane, int64_t full) {
  int best = -1;
  int64_t bestSize = 1;
  for (unsigned d = 0; d < kernel.rank(); ++d) {
    if (kernel.reduction[d] || d == lane || kernel.extents[d] == 1)
      continue;
    bool reuses = false;
    linalg::LinalgOp op = kernel.root().op;
    for (OpOperand *operand : op.getDpsInputOperands()) {
      AffineMap map = kernel.root().maps[operand->getOperandNumber()];
      reuses |= isa<ShapedType>(operand->get().getType()) && dependsOn(map, lane) && !dependsOn(map, d);
    }
    int64_t size = ShapedType::isDynamic(kernel.extents[d]) ? full : std::min(full, kernel.extents[d]);
    if (reuses && size >= bestSize) {
      best = d;
      bestSize = size;
    }
  }
  return best;
}

static int64_t rowsFor(int64_t vectors, unsigned vectorBits) {
  int64_t registers = vectorBits == 512 ? 32 : 16; // accumulators, a row of vectors, one element of the other operand
  return std::clamp<int64_t>((registers - 2 - vectors) / vectors, 1, 14);
}
int64_t fullRows(unsigned vectorBits) { return rowsFor(2, vectorBits); }

/// 14 rows that lie 2 KB or a multiple apart fall into the same few sets of the L1 cache; eight fit.
static bool rowsCollide(const Kernel &kernel, unsigned lane, int row) {
  int64_t stride = row < 0 ? 0 : rowStrideBytes(kernel, lane, row);
  return stride > 0 && stride % 2048 == 0;
}

int64_t vectorsSideBySide(const Kernel &kernel, unsigned lane, int row, int64_t lanes, unsigned vectorBits) {
  int64_t columns = kernel.extents[lane];
  int64_t all = ShapedType::isDynamic(columns) ? 64 : llvm::divideCeil(columns, lanes);
  if (all >= 3 && vectorBits == 512 && rowsCollide(kernel, lane, row))
    return 3;
  return std::min<int64_t>(all, 2);
}

static void shapeTile(const Kernel &kernel, Tile &tile, unsigned vectorBits) {
  int64_t columns = kernel.extents[tile.lane];
  bool columnsKnown = !ShapedType::isDynamic(columns);
  int64_t vectorsInAll = columnsKnown ? llvm::divideCeil(columns, tile.lanes) : 64;
  int64_t panel = panelWidth(kernel, tile.lane);
  tile.row = chooseRow(kernel, tile.lane, fullRows(vectorBits));

  bool sharesAcrossVectors = false; // an operand read by rows alone is loaded once for all vectors
  linalg::LinalgOp op = kernel.root().op;
  int64_t laneBytes = 0, otherBytes = 0;
  bool laneOperandIsShared = true; // by all outer dims
  for (OpOperand *operand : op.getDpsInputOperands()) {
    auto type = dyn_cast<MemRefType>(operand->get().getType());
    if (!type)
      continue;
    AffineMap map = kernel.root().maps[operand->getOperandNumber()];
    bool byLane = dependsOn(map, tile.lane);
    sharesAcrossVectors |= !byLane;
    (byLane ? laneBytes : otherBytes) += bytesOf(type);
    for (unsigned d = 0; d < kernel.rank(); ++d)
      if (byLane && !kernel.reduction[d] && d != tile.lane && int(d) != tile.row && dependsOn(map, d))
        laneOperandIsShared = false;
  }

  int turnedRow = rowToTurn(kernel, tile.lane, tile.lanes);
  if (turnedRow >= 0) {
    tile.row = turnedRow;
    for (OpOperand *operand : op.getDpsInputOperands()) {
      auto type = dyn_cast<MemRefType>(operand->get().getType());
      AffineMap map = kernel.root().maps[operand->getOperandNumber()];
      if (type && accessAlong(map, type, tile.lane, tile.lanes) == Access::Strided &&
          turns(map, type, tile.lane, turnedRow))
        tile.turned.push_back(operand->getOperandNumber());
    }
  }

  int64_t rowExtent = tile.row < 0 ? 1 : kernel.extents[tile.row];
  bool rowsKnown = !ShapedType::isDynamic(rowExtent);
  if (tile.row < 0) {
    // Several vectors hide the latency of a long chain of updates; a short one overlaps with the next tile.
    bool isLong = kernel.reductionSize(64) > 32 && op.getNumDpsInits() == 1;
    tile.vectors = panel ? panel / tile.lanes : !isLong ? 1 : std::min<int64_t>(vectorsInAll, columnsKnown ? 8 : 4);
  } else if (turnedRow >= 0) {
    tile.rows = rowsKnown ? std::min(tile.lanes, rowExtent) : tile.lanes;
  } else {
    tile.vectors = 1;
    if (sharesAcrossVectors)
      tile.vectors = vectorsSideBySide(kernel, tile.lane, tile.row, tile.lanes, vectorBits);
    if (panel)
      tile.vectors = std::min(panel / tile.lanes, vectorsInAll);
    tile.rows = rowsFor(tile.vectors, vectorBits);
    if (tile.vectors > 1 && kernel.hasReduction() && rowsCollide(kernel, tile.lane, tile.row))
      tile.rows = std::min<int64_t>(tile.rows, tile.vectors == 3 ? 8 : 6);
    if (rowsKnown)
      tile.rows = std::min(tile.rows, rowExtent);
  }

  // One row alone has too few accumulators in one tile: take several tiles together.
  if (columnsKnown && (!rowsKnown || rowExtent <= 2)) {
    int64_t tiles = columns / (tile.vectors * tile.lanes);
    for (int64_t group : {4, 3, 2})
      if (tiles && tiles % group == 0 && group * tile.vectors <= 8) {
        tile.group = group;
        break;
      }
  }

  tile.columnsParallel = true;
  if (tile.row >= 0) {
    int64_t rowBytes = kernel.reductionSize() * 4, most = std::max<int64_t>(1, largeBytes / rowBytes);
    if (!rowsKnown) {
      tile.rowBlock = tile.rows * std::clamp<int64_t>(most / tile.rows, 1, 8);
    } else {
      int64_t parallel = columnsKnown ? llvm::divideCeil(columns, tile.vectors * tile.lanes) : 16;
      for (unsigned d = 0; d < kernel.rank(); ++d)
        if (!kernel.reduction[d] && d != tile.lane && int(d) != tile.row)
          parallel *= ShapedType::isDynamic(kernel.extents[d]) ? 16 : kernel.extents[d];
      if (parallel < 16) // too few columns to share out
        most = std::min(most, std::max<int64_t>(4 * tile.rows, rowExtent * parallel / 16));
      if (rowExtent > most) {
        for (int64_t size = most; size >= std::max<int64_t>(most / 2, tile.rows) && !tile.rowBlock; --size)
          if (rowExtent % size == 0)
            tile.rowBlock = size;
        if (!tile.rowBlock)
          tile.rowBlock = std::max<int64_t>(1, most / tile.rows) * tile.rows;
      }
    }
    tile.columnsOutermost = laneOperandIsShared && laneBytes > largeBytes && otherBytes > 0 && otherBytes <= largeBytes;
  } else {
    int64_t others = 1;
    for (unsigned d = 0; d < kernel.rank(); ++d)
      if (!kernel.reduction[d] && d != tile.lane)
        others *= ShapedType::isDynamic(kernel.extents[d]) ? 64 : kernel.extents[d];
    tile.columnsParallel = others < 8 && vectorsInAll >= 8;
    if (!kernel.hasReduction()) {
      tile.vectors = 1;
      tile.group = tile.columnsParallel && vectorsInAll >= 64 ? 64 : 1; // strips that one iteration of the nest covers
    }
  }
}

/// Points of the iteration space; an unknown extent counts as 64.
static double pointsOf(const Kernel &kernel) {
  double points = 1;
  for (int64_t extent : kernel.extents)
    points *= ShapedType::isDynamic(extent) ? 64 : extent;
  return points;
}

/// Cycles of one point in scalar code.
static double scalarCost(const Kernel &kernel) {
  return bodyCost(kernel, true) * 0.5 + 0.5 * kernel.root().maps.size();
}

double cyclesOf(const Kernel &kernel, const std::optional<Tile> &tile) {
  return tile ? tile->cycles : scalarCost(kernel) * pointsOf(kernel);
}

/// Whether the epilogues of a kernel can run on vectors along `lane`.
static bool epiloguesRunAlong(const Kernel &kernel, unsigned lane, int64_t lanes) {
  for (auto [index, step] : llvm::enumerate(kernel.steps)) {
    linalg::LinalgOp op = step.op;
    for (OpOperand &operand : op->getOpOperands()) {
      auto type = dyn_cast<MemRefType>(operand.get().getType());
      if (!type || isForwarded(step, operand.getOperandNumber()) || (index == 0 && !op.isDpsInit(&operand)))
        continue;
      Access access = accessAlong(step.maps[operand.getOperandNumber()], type, lane, lanes);
      bool takesBytes = type.getElementType().isInteger(1) && access != Access::Uniform;
      if (access == Access::Opaque || takesBytes || (op.isDpsInit(&operand) && access != Access::Contiguous))
        return false;
    }
  }
  return true;
}

/// The plan of a sum of products whose factors lie in groups for one instruction.
static std::optional<Tile> chooseDot(const Kernel &kernel, ArrayRef<const DotForm *> dots) {
  std::optional<Dot> dot = dotOf(kernel, dots);
  if (!dot || !epiloguesRunAlong(kernel, dot->lane, dotLanes))
    return std::nullopt;
  Tile tile;
  tile.dot = dot;
  tile.lane = dot->lane;
  tile.lanes = dotLanes;
  AffineMap left = kernel.root().maps[dot->left->getOperandNumber()];
  AffineMap right = kernel.root().maps[dot->right->getOperandNumber()];
  int64_t longest = 0;
  for (unsigned d = 0; d < kernel.rank(); ++d) {
    if (kernel.reduction[d] || d == dot->lane || dependsOn(right, d) || kernel.extents[d] == 1)
      continue;
    int64_t size = ShapedType::isDynamic(kernel.extents[d]) ? 64 : kernel.extents[d];
    bool linear = llvm::all_of(left.getResults(), [&](AffineExpr expr) { return coefficientOf(expr, d).has_value(); });
    if (linear && dependsOn(left, d) && size >= longest) {
      longest = size;
      tile.row = d;
    }
  }
  int64_t cost = bodyCost(kernel, false) - bodyCost(kernel, true);
  tile.cycles =
      pointsOf(kernel) * (1.0 / (32 * dot->form->depth()) + double(cost) / dotLanes / kernel.reductionSize(64));
  return tile;
}

std::optional<Tile> chooseTile(const Kernel &kernel, unsigned vectorBits, ArrayRef<const DotForm *> dots,
                               bool precise) {
  for (const Step &step : kernel.steps)
    if (!bodyVectorises(step.op))
      return std::nullopt;
  if (std::optional<Tile> tile = chooseDot(kernel, dots))
    return tile;
  if (std::optional<PanelCopy> panels = panelCopyOf(kernel); panels && !dots.empty()) {
    Tile tile;
    tile.panels = panels;
    tile.lane = panels->lane;
    tile.lanes = dotLanes;
    tile.cycles = pointsOf(kernel) * bodyCost(kernel, true) / dotLanes;
    return tile;
  }
  int64_t lanes = lanesOf(kernel, vectorBits);
  bool combines = kernel.hasReduction() && combinersOf(kernel.root().op).has_value();
  if (precise && combines)
    combines = isExactInAnyOrder(kernel.root().op);
  std::optional<Tile> best;
  double bestCost = scalarCost(kernel);
  for (unsigned d = 0; d < kernel.rank(); ++d) {
    if (kernel.extents[d] == 1 || (kernel.reduction[d] && !combines))
      continue;
    std::optional<double> cost = costAlong(kernel, d, lanes, kernel.reduction[d]);
    if (!cost || *cost > bestCost)
      continue;
    bestCost = *cost;
    best = Tile{};
    best->lane = d;
    best->lanes = lanes;
    best->across = kernel.reduction[d];
  }
  if (!best)
    return std::nullopt;
  if (best->across) {
    int64_t extent = kernel.extents[best->lane];
    best->vectors = ShapedType::isDynamic(extent) || extent >= 4 * lanes ? 4 : extent >= 2 * lanes ? 2 : 1;
  } else {
    shapeTile(kernel, *best, vectorBits);
  }
  best->cycles = bestCost * pointsOf(kernel);
  return best;
}

} // namespace nacre::loops
