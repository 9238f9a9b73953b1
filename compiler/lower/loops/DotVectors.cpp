// Emits a sum of products of narrow factors on vectors: one group of the left factor is broadcast to all lanes, a
// vector of the right one holds a group for each of 16 columns, and one instruction multiplies and adds them. Tiles are
// 12 rows of 2 vectors, carried through the reduction loops.
#include "Access.h"
#include "Dot.h"
#include "Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace nacre::loops {

static constexpr int64_t mostRows = 12, wideTile = 2 * dotLanes, blockRows = 10 * mostRows;

namespace {
class DotVectorEmitter {
public:
  DotVectorEmitter(PointEmitter &emitter, const Kernel &kernel, const Tile &tile, const Dot &dot,
                   const EmitOptions &options)
      : emitter(emitter), b(emitter.builder), loc(emitter.loc), kernel(kernel), tile(tile), dot(dot), options(options) {
  }

  void emit() {
    extents = extentsOf(emitter, kernel);
    at.assign(kernel.rank(), Index{});
    for (unsigned d = 0; d < kernel.rank(); ++d) {
      if (kernel.reduction[d])
        reductions.push_back(d);
      else if (d != dot.lane && int(d) != tile.row)
        outer.push_back(d);
    }
    int64_t columns = kernel.extents[dot.lane], whole = columns / wideTile, rest = columns % wideTile;
    if (whole)
      emitNest(Count::of(whole), 2, [&](Value index) {
        Value base = arith::MulIOp::create(b, loc, index, emitter.constant(wideTile));
        emitRows(Index{base, 0, wideTile}, 2, {});
      });
    if (rest) {
      int64_t vectors = llvm::divideCeil(rest, dotLanes);
      SmallVector<Value> masks(vectors);
      if (rest % dotLanes)
        masks.back() = emitter.firstLanes(dotLanes, emitter.constant(rest % dotLanes));
      emitNest(Count::of(1), vectors,
               [&](Value) { emitRows(Index{nullptr, whole * wideTile, wideTile}, vectors, masks); });
    }
  }

private:
  Count rows() const { return tile.row < 0 ? Count::of(1) : extents[tile.row]; }

  void emitNest(Count columns, int64_t vectors, function_ref<void(Value)> body) {
    SmallVector<Count> axes;
    for (unsigned d : outer)
      axes.push_back(extents[d]);
    Count blocks = rows().isKnown()
                       ? Count::of(llvm::divideCeil(rows().known, blockRows))
                       : Count{ShapedType::kDynamic,
                               arith::CeilDivUIOp::create(b, loc, rows().value, emitter.constant(blockRows))};
    axes.push_back(blocks);
    axes.push_back(columns);
    int64_t height = rows().isKnown() ? std::min(rows().known, blockRows) : mostRows;
    int64_t cycles = kernel.reductionSize() / dot.form->group * height * vectors;
    parallelLoop(emitter, axes, cycles, options.threads, [&](ArrayRef<Value> position) {
      for (auto [d, value] : llvm::zip(outer, position))
        at[d] = extents[d].known == 1 ? Index{} : Index{value, 0, 1};
      block = blocks.known == 1 ? Value() : position[outer.size()];
      body(position.back());
    });
  }

  /// Rows in tiles of falling height.
  void emitRows(Index base, int64_t vectors, ArrayRef<Value> masks) {
    first = base;
    Count begin = Count::of(0), end = rows();
    if (block) {
      Value from = arith::MulIOp::create(b, loc, block, emitter.constant(blockRows));
      Value next = arith::AddIOp::create(b, loc, from, emitter.constant(blockRows));
      begin = {ShapedType::kDynamic, from};
      end = {ShapedType::kDynamic, arith::MinUIOp::create(b, loc, next, materialise(emitter, rows()))};
    }
    for (int64_t height = mostRows; height > 0; height = height == mostRows ? 4 : height == 4 ? 1 : 0) {
      Count stop = end;
      if (begin.isKnown() && end.isKnown()) {
        stop = Count::of(begin.known + (end.known - begin.known) / height * height);
      } else if (height > 1) {
        Value from = materialise(emitter, begin), by = emitter.constant(height);
        Value left = arith::SubIOp::create(b, loc, materialise(emitter, end), from);
        Value whole = arith::MulIOp::create(b, loc, arith::DivUIOp::create(b, loc, left, by), by);
        stop = {ShapedType::kDynamic, arith::AddIOp::create(b, loc, from, whole)};
      }
      forLoop(emitter, begin, stop, height, [&](Value row) { emitTile(row, height, vectors, masks); });
      begin = stop;
    }
  }

  Point pointAt(Value row, int64_t r, int64_t v, Value mask) {
    Point point{at, int(dot.lane), dotLanes, mask};
    point.at[dot.lane] = first;
    point.at[dot.lane].offset += v * dotLanes;
    if (tile.row >= 0)
      point.at[tile.row] = Index{row, r, 1};
    return point;
  }

  void emitTile(Value row, int64_t height, int64_t vectors, ArrayRef<Value> masks) {
    linalg::LinalgOp root = kernel.root().op;
    OpOperand *output = root.getDpsInitOperand(0);
    SmallVector<Value> sums;
    for (int64_t r = 0; r < height; ++r)
      for (int64_t v = 0; v < vectors; ++v) {
        Value start = kernel.initial[0];
        if (!start)
          start = emitter.load(output->get(), mapOf(output), pointAt(row, r, v, masks.empty() ? Value() : masks[v]));
        sums.push_back(emitter.broadcast(start, dotLanes));
      }
    sums = reduce(0, sums, [&](ValueRange carried) { return step(row, height, vectors, carried); });
    for (int64_t r = 0; r < height; ++r)
      for (int64_t v = 0; v < vectors; ++v)
        finish(emitter, kernel, sums[r * vectors + v], pointAt(row, r, v, masks.empty() ? Value() : masks[v]));
  }

  SmallVector<Value> reduce(unsigned level, ValueRange carried, function_ref<SmallVector<Value>(ValueRange)> leaf) {
    if (level == reductions.size())
      return leaf(carried);
    unsigned dim = reductions[level];
    int64_t by = dim == dot.deep ? dot.form->group : 1;
    return forLoop(emitter, Count::of(0), extents[dim], by, carried, [&](Value iv, ValueRange values) {
      at[dim] = extents[dim].known == by ? Index{} : Index{iv, 0, by};
      return reduce(level + 1, values, leaf);
    });
  }

  AffineMap mapOf(OpOperand *operand) { return kernel.root().maps[operand->getOperandNumber()]; }

  /// One group of each factor, as the operands of the instruction.
  SmallVector<Value> step(Value row, int64_t height, int64_t vectors, ValueRange carried) {
    int64_t group = dot.form->group;
    Type factor = getElementTypeOrSelf(dot.left->get().getType());
    auto groupType = VectorType::get({group}, factor), wideType = VectorType::get({dotLanes * group}, factor);
    auto indices = [&](OpOperand *operand, const Point &point) {
      SmallVector<Value> places;
      for (AffineExpr expr : mapOf(operand).getResults())
        places.push_back(emitter.evaluate(expr, point));
      return places;
    };
    SmallVector<Value> right, next;
    for (int64_t v = 0; v < vectors; ++v)
      right.push_back(
          vector::LoadOp::create(b, loc, wideType, dot.right->get(), indices(dot.right, pointAt(row, 0, v, Value()))));
    auto word = VectorType::get({1}, b.getI32Type()), words = VectorType::get({dotLanes}, b.getI32Type());
    bool swapped = dot.form->left == Factor::Signed && dot.form->right == Factor::Unsigned; // unsigned ones come first
    for (int64_t r = 0; r < height; ++r) {
      Value one =
          vector::LoadOp::create(b, loc, groupType, dot.left->get(), indices(dot.left, pointAt(row, r, 0, Value())));
      Value bits = vector::ExtractOp::create(b, loc, vector::BitCastOp::create(b, loc, word, one), int64_t(0));
      Value left = vector::BroadcastOp::create(b, loc, words, bits);
      left = vector::BitCastOp::create(b, loc, wideType, left);
      for (int64_t v = 0; v < vectors; ++v) {
        Value sum = carried[r * vectors + v];
        SmallVector<Value> operands{sum, swapped ? right[v] : left, swapped ? left : right[v]};
        auto call =
            LLVM::CallIntrinsicOp::create(b, loc, sum.getType(), b.getStringAttr(dot.form->intrinsic), operands);
        next.push_back(call->getResult(0));
      }
    }
    return next;
  }

  PointEmitter &emitter;
  OpBuilder &b;
  Location loc;
  const Kernel &kernel;
  const Tile &tile;
  const Dot &dot;
  const EmitOptions &options;
  SmallVector<Count> extents;
  SmallVector<Index> at;
  SmallVector<unsigned> outer, reductions;
  Index first;
  Value block; // number of the block of rows; null: there is one
};
} // namespace

void emitDotVectors(PointEmitter &emitter, const Kernel &kernel, const Tile &tile, const EmitOptions &options) {
  DotVectorEmitter(emitter, kernel, tile, *tile.dot, options).emit();
}

} // namespace nacre::loops
