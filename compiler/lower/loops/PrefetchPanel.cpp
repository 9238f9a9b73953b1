// Weights that lie beyond the second-level cache are walked panel by panel, and every row tile of a column reads the
// whole panel again. Only the first of them waits for memory; so the tiles of a panel fetch the next one, each a share
// of it: the tile at row r of R fetches, at step k of K, the element (r K + k h) w / R of the next panel of w columns,
// h being the tile's height.
#include "Access.h"
#include "Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace nacre::loops {

static constexpr int64_t coldBytes = 1 << 20;  // an operand of half a usual L2 is not found there in the next call
static constexpr int64_t leastPanel = 4 << 10; // the processor's own prefetching covers less
static constexpr int64_t mostTiles = 24;       // with more tiles, the first one's wait does not show

std::optional<PanelStream> panelStream(const Kernel &kernel, const Tile &tile) {
  linalg::LinalgOp op = kernel.root().op;
  if (tile.row < 0)
    return std::nullopt;
  int64_t rows = tile.rowBlock ? tile.rowBlock : kernel.extents[tile.row];
  if (ShapedType::isDynamic(rows) || rows < 2 * tile.rows || rows > mostTiles * tile.rows)
    return std::nullopt;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    AffineMap map = kernel.root().maps[operand->getOperandNumber()];
    auto type = dyn_cast<MemRefType>(operand->get().getType());
    if (!type || !type.hasStaticShape() || !type.getLayout().isIdentity() || !dependsOn(map, tile.lane) ||
        map.getNumResults() < 3 || dependsOn(map, tile.row))
      continue;
    // [.., n floordiv w, reductions in order, n mod w]
    SmallVector<unsigned> order;
    unsigned axis = map.getNumResults() - 1;
    int64_t width = type.getDimSize(axis), steps = 1;
    MLIRContext *context = map.getContext();
    AffineExpr lane = getAffineDimExpr(tile.lane, context);
    if (map.getResult(axis) != lane % width)
      continue;
    while (axis > 0) {
      auto dim = dyn_cast<AffineDimExpr>(map.getResult(axis - 1));
      if (!dim || !kernel.reduction[dim.getPosition()])
        break;
      order.insert(order.begin(), dim.getPosition());
      steps *= type.getDimSize(--axis);
    }
    if (axis == 0 || map.getResult(axis - 1) != lane.floorDiv(width) || order.empty())
      continue;
    int64_t element = llvm::divideCeil(type.getElementTypeBitWidth(), 8);
    if (type.getNumElements() * element < coldBytes || steps * width * element < leastPanel)
      continue;
    return PanelStream{operand, axis - 1, std::move(order), width, steps, rows};
  }
  return std::nullopt;
}

void prefetchShare(PointEmitter &emitter, const Kernel &kernel, const PanelStream &stream, const Tile &tile,
                   Point point, int64_t height) {
  OpBuilder &b = emitter.builder;
  Location loc = emitter.loc;
  auto flags = arith::IntegerOverflowFlags::nsw | arith::IntegerOverflowFlags::nuw;
  auto scaled = [&](Value value, int64_t factor) -> Value {
    return factor == 1 ? value : arith::MulIOp::create(b, loc, value, emitter.constant(factor), flags);
  };
  // The row inside its block, then the number of the reduction step; constants are gathered apart.
  const Index &row = point.at[tile.row];
  Value place;
  int64_t constant = row.offset * stream.steps * stream.width / stream.rows;
  if (row.base) {
    Value inBlock =
        tile.rowBlock ? Value(arith::RemUIOp::create(b, loc, row.base, emitter.constant(stream.rows))) : row.base;
    place = arith::DivUIOp::create(b, loc, scaled(inBlock, stream.steps * stream.width), emitter.constant(stream.rows));
  }
  int64_t share = llvm::divideCeil(height * stream.width, stream.rows), inner = share;
  for (unsigned d : llvm::reverse(stream.order)) {
    const Index &at = point.at[d];
    constant += at.offset * inner;
    if (at.base) {
      Value moved = scaled(at.base, inner);
      place = place ? Value(arith::AddIOp::create(b, loc, place, moved, flags)) : moved;
    }
    inner *= kernel.extents[d];
  }
  if (constant || !place) {
    Value offset = emitter.constant(constant);
    place = place ? Value(arith::AddIOp::create(b, loc, place, offset, flags)) : offset;
  }

  AffineMap map = kernel.root().maps[stream.operand->getOperandNumber()];
  SmallVector<Value> indices;
  for (unsigned axis = 0; axis < stream.panelAxis; ++axis)
    indices.push_back(emitter.evaluate(map.getResult(axis), point));
  Value panel = emitter.evaluate(map.getResult(stream.panelAxis), point);
  indices.push_back(arith::AddIOp::create(b, loc, panel, emitter.constant(1), flags));
  for (size_t i = 0; i < stream.order.size(); ++i)
    indices.push_back(emitter.constant(0));
  indices.push_back(place);
  memref::PrefetchOp::create(b, loc, stream.operand->get(), indices, /*isWrite=*/false, /*localityHint=*/2,
                             /*isDataCache=*/true);
}

} // namespace nacre::loops
