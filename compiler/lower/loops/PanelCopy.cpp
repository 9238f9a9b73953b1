// Emits the copy of a factor into panels of groups, P[n floordiv 16, k floordiv g, n mod 16, k mod g], and whatever is
// computed on the way: one vector of 16 columns by g factors is stored at a time. Where the operands lie along n, g
// rows are interleaved; where they lie along k, squares of 16 x 16 groups are turned in registers.
#include "Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace nacre::loops {

namespace {
class PanelEmitter {
public:
  PanelEmitter(PointEmitter &emitter, const Kernel &kernel, const PanelCopy &copy, const EmitOptions &options)
      : emitter(emitter), b(emitter.builder), loc(emitter.loc), kernel(kernel), copy(copy), options(options) {}

  void emit() {
    extents = extentsOf(emitter, kernel);
    at.assign(kernel.rank(), Index{});
    for (unsigned d = 0; d < kernel.rank(); ++d)
      if (d != copy.lane && d != copy.deep)
        outer.push_back(d);
    int64_t columns = kernel.extents[copy.lane], whole = columns / dotLanes, rest = columns % dotLanes;
    if (whole)
      emitPanels(whole, 0, dotLanes);
    if (rest)
      emitPanels(1, whole * dotLanes, rest);
  }

private:
  void emitPanels(int64_t panels, int64_t first, int64_t columns) {
    SmallVector<Count> axes;
    for (unsigned d : outer)
      axes.push_back(extents[d]);
    axes.push_back(Count::of(panels));
    int64_t cycles = kernel.extents[copy.deep] * (bodyCost(kernel, true) + 2) * (copy.alongDeep ? 2 : 1);
    parallelLoop(emitter, axes, cycles, options.threads, [&](ArrayRef<Value> position) {
      for (auto [d, value] : llvm::zip(outer, position))
        at[d] = kernel.extents[d] == 1 ? Index{} : Index{value, 0, 1};
      column = Index{nullptr, first, dotLanes};
      if (panels > 1)
        column.base = arith::MulIOp::create(b, loc, position.back(), emitter.constant(dotLanes));
      int64_t step = copy.alongDeep ? dotLanes * copy.group : copy.group;
      forLoop(emitter, Count::of(0), Count::of(kernel.extents[copy.deep]), step,
              [&](Value k) { copy.alongDeep ? turn(k, columns) : interleave(k, columns); });
    });
  }

  Value compute(const Point &point) {
    const Step &root = kernel.root();
    linalg::LinalgOp op = root.op;
    SmallVector<Value> arguments;
    for (OpOperand &operand : op->getOpOperands()) {
      Value value;
      if (op.payloadUsesValueFromOperand(&operand))
        value = emitter.load(operand.get(), root.maps[operand.getOperandNumber()], point);
      else
        value = arith::ConstantOp::create(b, loc, b.getZeroAttr(getElementTypeOrSelf(operand.get())));
      arguments.push_back(value);
    }
    return emitter.broadcast(emitter.body(root, arguments, point)[0], point.lanes);
  }

  void store(Value group, Value k, int64_t further) {
    linalg::LinalgOp op = kernel.root().op;
    Point point{at, -1, 1, Value()};
    point.at[copy.lane] = column;
    point.at[copy.deep] = Index{k, further * copy.group, copy.group};
    SmallVector<Value> indices;
    for (AffineExpr expr : kernel.root().maps.back().getResults())
      indices.push_back(emitter.evaluate(expr, point));
    vector::StoreOp::create(b, loc, group, op.getDpsInits()[0], indices);
  }

  void interleave(Value k, int64_t columns) {
    Value mask;
    if (columns < dotLanes)
      mask = emitter.firstLanes(dotLanes, emitter.constant(columns));
    SmallVector<Value> rows;
    for (int64_t j = 0; j < copy.group; ++j) {
      Point point{at, int(copy.lane), dotLanes, mask};
      point.at[copy.lane] = column;
      point.at[copy.deep] = Index{k, j, 1};
      rows.push_back(compute(point));
    }
    Value group =
        copy.group == 2 ? zip(rows[0], rows[1], 1) : zip(zip(rows[0], rows[1], 1), zip(rows[2], rows[3], 1), 2);
    store(group, k, 0);
  }

  /// a0 b0 a1 b1 ..: elements of two vectors in turn, `width` at a time.
  Value zip(Value a, Value c, int64_t width) {
    int64_t lanes = cast<VectorType>(a.getType()).getNumElements();
    SmallVector<int64_t> order;
    for (int64_t i = 0; i < lanes; i += width)
      for (int64_t second : {0, 1})
        for (int64_t j = 0; j < width; ++j)
          order.push_back(i + j + second * lanes);
    return vector::ShuffleOp::create(b, loc, a, c, order);
  }

  void turn(Value k, int64_t columns) {
    int64_t wide = dotLanes * copy.group;
    auto groups = VectorType::get({dotLanes}, b.getI32Type());
    SmallVector<Value> square;
    Type factors;
    for (int64_t n = 0; n < dotLanes; ++n) {
      Point point{at, int(copy.deep), wide, Value()};
      point.at[copy.deep] = Index{k, 0, wide};
      point.at[copy.lane] = column;
      point.at[copy.lane].offset += std::min(n, columns - 1); // beyond the end: what is there does not matter
      Value row = compute(point);
      factors = row.getType();
      square.push_back(vector::BitCastOp::create(b, loc, groups, row));
    }
    transpose(emitter, square);
    for (auto [further, row] : llvm::enumerate(square))
      store(vector::BitCastOp::create(b, loc, factors, row), k, further);
  }

  PointEmitter &emitter;
  OpBuilder &b;
  Location loc;
  const Kernel &kernel;
  const PanelCopy &copy;
  const EmitOptions &options;
  SmallVector<Count> extents;
  SmallVector<unsigned> outer;
  SmallVector<Index> at;
  Index column; // the first of the panel
};
} // namespace

void emitPanelCopy(PointEmitter &emitter, const Kernel &kernel, const Tile &tile, const EmitOptions &options) {
  PanelEmitter(emitter, kernel, *tile.panels, options).emit();
}

} // namespace nacre::loops
