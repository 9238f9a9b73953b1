#include "InlinePacking.h"
#include "Access.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include <numeric>

using namespace mlir;

namespace nacre::loops {

Index globalStep(PointEmitter &emitter, Index start, Index step) {
  Index sum{step.base, step.offset + start.offset, 1};
  if (start.base)
    sum.base = step.base
                   ? Value(arith::AddIOp::create(emitter.builder, emitter.loc, start.base, step.base,
                                                 arith::IntegerOverflowFlags::nsw | arith::IntegerOverflowFlags::nuw))
                   : start.base;
  return sum;
}

static constexpr int64_t mostScratch = 128 << 10; // bytes of stack
static constexpr int64_t coldBytes = 1 << 20;     // a smaller source is in the cache already
static constexpr int64_t rowsThatPay = 24;        // that use a packed element before it is packed again

/// The only op that writes the buffer, if nobody but it and `reader` touches it.
static linalg::GenericOp onlyWriter(Value panels, Operation *reader) {
  linalg::GenericOp writer;
  for (Operation *user : panels.getUsers()) {
    if (user == reader || isa<memref::DeallocOp>(user))
      continue;
    auto generic = dyn_cast<linalg::GenericOp>(user);
    if (!generic || writer || generic.getNumDpsInits() != 1 || generic.getDpsInits()[0] != panels)
      return {};
    writer = generic;
  }
  return writer;
}

/// Rows of the source that lie a power of two apart meet in a few sets of the second-level cache: no more of them are
/// fetched ahead than half of these sets hold. A cache of 1 MB with 16 ways, which most servers have at least.
static int64_t stepsThatStay(AffineMap read, MemRefType source, unsigned step, int64_t bytes) {
  constexpr int64_t sets = 1024, ways = 16, line = 64;
  SmallVector<int64_t> strides;
  int64_t offset, stride = 0;
  if (failed(source.getStridesAndOffset(strides, offset)))
    return INT64_MAX;
  for (auto [expr, unit] : llvm::zip(read.getResults(), strides))
    if (expr.isFunctionOfDim(step))
      stride = ShapedType::isDynamic(unit) ? 0 : unit * source.getElementTypeBitWidth() / 8;
  if (stride == 0 || stride % line != 0)
    return INT64_MAX;
  int64_t reached = sets / std::gcd(stride / line, sets);
  return std::max<int64_t>(64, reached * ways / 2) * std::max<int64_t>(1, bytes / line) / (bytes / line);
}

std::optional<InlinePacking> inlinePackingOf(const Kernel &kernel, const Tile &tile) {
  linalg::LinalgOp root = kernel.root().op;
  int64_t panelVectors = tile.vectors * tile.lanes;
  if (tile.row < 0 || !tile.columnsParallel || tile.group != 1 || tile.across || root.getNumDpsInits() != 1)
    return std::nullopt;
  int64_t rows = tile.rowBlock ? tile.rowBlock : kernel.extents[tile.row];
  if (llvm::count(kernel.reduction, true) != 1 || (!ShapedType::isDynamic(rows) && rows < rowsThatPay))
    return std::nullopt;
  unsigned step = llvm::find(kernel.reduction, true) - kernel.reduction.begin();
  int64_t steps = kernel.extents[step];
  if (ShapedType::isDynamic(steps) || steps < 64)
    return std::nullopt;
  for (OpOperand *operand : root.getDpsInputOperands()) {
    Value panels = operand->get();
    AffineMap map = kernel.root().maps[operand->getOperandNumber()];
    auto type = dyn_cast<MemRefType>(panels.getType());
    if (!type || !panels.getDefiningOp<memref::AllocOp>() || !dependsOn(map, tile.lane) ||
        type.getElementType() != getElementTypeOrSelf(root.getDpsInits()[0]))
      continue;
    linalg::GenericOp writer = onlyWriter(panels, root);
    if (!writer || writer->getBlock() != root->getBlock() || !writer->isBeforeInBlock(root) ||
        writer.getNumDpsInputs() != 1 || writer.getNumReductionLoops() != 0 ||
        !writer.getMatchingIndexingMap(writer.getDpsInputOperand(0)).isIdentity())
      continue;
    auto yield = cast<linalg::YieldOp>(writer.getBody()->getTerminator());
    if (yield.getOperand(0) != writer.getBody()->getArgument(0) || !llvm::hasSingleElement(*writer.getBody()))
      continue;

    // The copy's dims in those of the kernel, by the axes of the panels: [.., n floordiv w, k, n mod w].
    AffineMap written = writer.getIndexingMapsArray().back();
    int64_t width = type.getShape().back();
    AffineExpr lane = getAffineDimExpr(tile.lane, map.getContext());
    SmallVector<AffineExpr> axes(written.getNumDims());
    bool fits = width == panelVectors;
    for (auto [inCopy, inKernel] : llvm::zip(written.getResults(), map.getResults())) {
      if (auto dim = dyn_cast<AffineDimExpr>(inCopy)) {
        axes[dim.getPosition()] = inKernel;
        fits &= isa<AffineDimExpr>(inKernel) || isa<AffineConstantExpr>(inKernel);
      } else {
        auto binary = cast<AffineBinaryOpExpr>(inCopy);
        auto column = dyn_cast<AffineDimExpr>(binary.getLHS());
        fits &= column && (inKernel == lane.floorDiv(width) || inKernel == lane % width);
        if (column)
          axes[column.getPosition()] = lane;
      }
    }
    Value source = writer.getDpsInputs()[0];
    if (!fits || llvm::is_contained(axes, AffineExpr()) || axes.back() != lane ||
        touchedBetween(writer, kernel.steps.back().op, rootBuffer(source), /*writesOnly=*/true))
      continue;
    AffineMap read = AffineMap::get(kernel.rank(), 0, axes, map.getContext());
    if (accessAlong(read, cast<MemRefType>(source.getType()), tile.lane, tile.lanes) != Access::Contiguous)
      continue;
    int64_t bytes = width * type.getElementTypeBitWidth() / 8;
    int64_t most = std::min(mostScratch / bytes, stepsThatStay(read, cast<MemRefType>(source.getType()), step, bytes));
    int64_t depth = llvm::alignTo(llvm::divideCeil(steps, llvm::divideCeil(steps, most)), 4);
    return InlinePacking{writer, operand->getOperandNumber(), source, read, step, width, std::min(depth, steps)};
  }
  return std::nullopt;
}

void InlinePackingEmitter::fill(ArrayRef<Index> at, Index base, Index start, int64_t length, ArrayRef<Value> masks,
                                int64_t vectors) {
  OpBuilder &b = emitter.builder;
  auto type = MemRefType::get({copy.depth, copy.width}, getElementTypeOrSelf(copy.source));
  auto place = memref::AllocaOp::create(b, emitter.loc, type, b.getI64IntegerAttr(64));
  place->setAttr(panelScratchAttribute, b.getUnitAttr());
  scratch = place;
  AffineMap identity = AffineMap::getMultiDimIdentityMap(2, b.getContext());
  forLoop(emitter, Count::of(0), Count::of(length), 1, [&](Value iv) {
    for (int64_t v = 0; v < vectors; ++v) {
      Point from{SmallVector<Index>(at), int(tile.lane), tile.lanes, masks.empty() ? Value() : masks[v]};
      from.at[copy.step] = globalStep(emitter, start, Index{iv, 0, 1});
      from.at[tile.lane] = base;
      from.at[tile.lane].offset += v * tile.lanes;
      Point to{{Index{iv, 0, 1}, Index{nullptr, v * tile.lanes, 1}}, 1, tile.lanes, Value()};
      emitter.store(emitter.load(copy.source, copy.map, from), scratch, identity, to);
    }
  });
}

Value InlinePackingEmitter::load(Index step, int64_t vector) {
  Point point{{step, Index{nullptr, vector * tile.lanes, 1}}, 1, tile.lanes, Value()};
  return emitter.load(scratch, AffineMap::getMultiDimIdentityMap(2, emitter.builder.getContext()), point);
}

void InlinePackingEmitter::prefetch(ArrayRef<Index> at, Index base, Index start, int64_t length, bool lastBlock,
                                    Index row, int64_t height, Index step) {
  auto type = cast<MemRefType>(copy.source.getType());
  int64_t rows = tile.rowBlock ? tile.rowBlock : kernel.extents[tile.row];
  if (ShapedType::isDynamic(rows) || !type.hasStaticShape() ||
      type.getNumElements() * type.getElementTypeBitWidth() / 8 < coldBytes)
    return;
  // Step k of `length` in the tile at row r of R fetches row (r length + k h) / R of the next block.
  OpBuilder &b = emitter.builder;
  Location loc = emitter.loc;
  auto flags = arith::IntegerOverflowFlags::nsw | arith::IntegerOverflowFlags::nuw;
  Value place = emitter.value(row);
  if (tile.rowBlock)
    place = arith::RemUIOp::create(b, loc, place, emitter.constant(rows));
  place = arith::MulIOp::create(b, loc, place, emitter.constant(length), flags);
  Value moved = arith::MulIOp::create(b, loc, emitter.value(step), emitter.constant(height), flags);
  place = arith::DivUIOp::create(b, loc, arith::AddIOp::create(b, loc, place, moved, flags), emitter.constant(rows));
  Point point{SmallVector<Index>(at), -1, 1, Value()};
  point.at[tile.lane] = base;
  point.at[copy.step] = Index{place, 0, 1};
  if (lastBlock)
    point.at[tile.lane].offset += copy.width;
  else
    point.at[copy.step] = globalStep(emitter, Index{start.base, start.offset + length, 1}, Index{place, 0, 1});
  int64_t line = 64 * 8 / type.getElementTypeBitWidth();
  for (int64_t column = 0; column < copy.width; column += line) {
    SmallVector<Value> indices;
    for (AffineExpr expr : copy.map.getResults())
      indices.push_back(emitter.evaluate(expr, point));
    memref::PrefetchOp::create(b, loc, copy.source, indices, /*isWrite=*/false, /*localityHint=*/2,
                               /*isDataCache=*/true);
    point.at[tile.lane].offset += line;
  }
}

} // namespace nacre::loops
