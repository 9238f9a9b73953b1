// An attention as loops over blocks of queries and, inside, of keys (Dao et al., "FlashAttention", 2022). The scores of
// one block lie in scratch, keys down and queries along the lanes, so that the maximum and the sum over the keys are
// ordinary reductions and no lane ever meets another:
//
//   s[j,i] = f(sum[d](k[j,d] q[d,i]))     m' = max(m, max[j](s))     c = exp(m - m')     p[j,i] = exp(s - m')
//   z = c z + sum[j](p)                   o[e,i] = c o + sum[j](v[j,e] p[j,i])
//
// and at the end y[i,e] = o / z. Blocks of k and v are copied into scratch: their rows may lie anywhere, and the last
// block is filled up with zeros, so that all steps but the copies have fixed sizes.
#include "AttentionBlocks.h"
#include "Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace nacre {
#define GEN_PASS_DEF_TILEATTENTION
#include "lower/loops/Passes.h.inc"

namespace loops {
namespace {

constexpr int64_t queriesPerBlock = 64, keysPerBlock = 64;

class Forward : public AttentionBlocks {
public:
  using AttentionBlocks::AttentionBlocks;

  void run() {
    int64_t queries = staticExtent(query), keys = staticExtent(key);
    columns = staticExtent(value);
    features = staticExtent(feature);
    rows = ShapedType::isDynamic(queries) ? queriesPerBlock
                                          : std::min(queriesPerBlock, int64_t(llvm::alignTo(queries, lanes)));
    depth = ShapedType::isDynamic(keys) ? keysPerBlock : std::min(keysPerBlock, keys);
    q = scratch({features, rows});
    k = scratch({depth, features});
    v = scratch({depth, columns});
    s = scratch({depth, rows});
    o = scratch({columns, rows});
    for (Value *row : {&top, &before, &scaledTop, &factor, &sum})
      *row = scratch({rows});

    SmallVector<Count> axes;
    for (unsigned index : op.batchIndices())
      axes.push_back(extent(index));
    axes.push_back(blocks(query, rows));
    int64_t many = ShapedType::isDynamic(keys) ? 256 : keys;
    parallelLoop(emitter, axes, rows * many * (features + columns) / lanes, threads, [&](ArrayRef<Value> position) {
      for (auto [index, place] : llvm::zip(op.batchIndices(), position))
        at[index] = place;
      at[query] = arith::MulIOp::create(b, loc, position.back(), emitter.constant(rows));
      block();
    });
  }

private:
  void block() {
    OpFoldResult count = countFrom(query, at[query], rows);
    copyIn(0, q, {{feature, b.getIndexAttr(features)}, {query, count}});
    fill(top, -1e30); // not -inf, from which nothing can be subtracted
    fill(sum, 0);
    fill(o, 0);
    auto [begin, end] = range(key, query, depth, rows);
    forLoop(emitter, begin, end, depth, [&](Value start) {
      at[key] = start;
      keys(count);
    });
    at[key] = emitter.constant(0);
    finish(count);
  }

  void keys(OpFoldResult queries) {
    OpFoldResult count = countFrom(key, at[key], depth);
    copyIn(1, k, {{key, count}, {feature, b.getIndexAttr(features)}});
    copyIn(2, v, {{key, count}, {value, b.getIndexAttr(columns)}});
    fill(s, 0);
    product({k, {0, 2}}, {q, {2, 1}}, s);
    score(queries, count);

    elementwise(1, Axes{top, {0}}, Axes{before, {0}},
                [](OpBuilder &, ValueRange x) { return SmallVector<Value>{x[0]}; });
    step(2, 1, Axes{s, {1, 0}}, Axes{top, {0}},
         [&](OpBuilder &inner, ValueRange x) { return SmallVector<Value>{larger(inner, x[1], x[0])}; });
    elementwise(1, {{top, {0}}, {before, {0}}}, {{scaledTop, {0}}, {factor, {0}}, {sum, {0}}},
                [&](OpBuilder &inner, ValueRange x) {
                  Value now = multiply(inner, x[0], real(inner, unit)), old = multiply(inner, x[1], real(inner, unit));
                  Value c = exponential(inner, arith::SubFOp::create(inner, loc, old, now));
                  return SmallVector<Value>{now, c, multiply(inner, x[4], c)};
                });
    elementwise(2, Axes{scaledTop, {1}}, Axes{s, {0, 1}}, [&](OpBuilder &inner, ValueRange x) {
      Value scaled = multiply(inner, x[1], real(inner, unit));
      return SmallVector<Value>{exponential(inner, arith::SubFOp::create(inner, loc, scaled, x[0]))};
    });
    step(2, 1, Axes{s, {1, 0}}, Axes{sum, {0}}, [&](OpBuilder &inner, ValueRange x) {
      return SmallVector<Value>{arith::AddFOp::create(inner, loc, x[1], x[0])};
    });
    if (op.getBody().front().getTerminator()->getNumOperands() > 1)
      weigh(queries, count);
    elementwise(2, Axes{factor, {1}}, Axes{o, {0, 1}},
                [&](OpBuilder &inner, ValueRange x) { return SmallVector<Value>{multiply(inner, x[1], x[0])}; });
    product({v, {2, 0}}, {s, {2, 1}}, o);
  }

  Value multiply(OpBuilder &inner, Value x, Value y) { return arith::MulFOp::create(inner, loc, x, y); }

  /// A step on the scores of the block, whose body has the inputs of the attention's body. Where one of them ends
  /// within the block, the step ends there too.
  void onScores(OpFoldResult queries, OpFoldResult keys,
                function_ref<Value(OpBuilder &, Value element, ValueRange others)> body) {
    OpFoldResult width = bodyMoves(query) ? queries : b.getIndexAttr(rows);
    OpFoldResult height = bodyMoves(key) ? keys : b.getIndexAttr(depth);
    SmallVector<Axes> inputs = bodyInputs({{query, width}, {key, height}}, 1, 0);
    elementwise(2, inputs, Axes{front(s, {height, width}), {0, 1}}, [&](OpBuilder &inner, ValueRange x) {
      return SmallVector<Value>{body(inner, x.back(), x.drop_back())};
    });
  }

  void score(OpFoldResult queries, OpFoldResult keys) {
    bool ends = isPartial(key, depth), apart = ends && bodyMoves(key);
    onScores(queries, keys, [&](OpBuilder &inner, Value dot, ValueRange others) {
      Value result = runBody(inner, dot, others, 1, 0).front();
      return ends && !apart ? maskKeys(inner, result, 0) : result;
    });
    if (apart)
      elementwise(2, {}, Axes{s, {0, 1}},
                  [&](OpBuilder &inner, ValueRange x) { return SmallVector<Value>{maskKeys(inner, x[0], 0)}; });
  }

  void weigh(OpFoldResult queries, OpFoldResult keys) {
    onScores(queries, keys, [&](OpBuilder &inner, Value weight, ValueRange others) {
      return multiply(inner, weight, runBody(inner, real(inner, 0), others, 1, 0).back());
    });
  }

  void finish(OpFoldResult count) {
    elementwise(1, Axes{sum, {0}}, Axes{factor, {0}}, [&](OpBuilder &inner, ValueRange x) {
      Value none = arith::CmpFOp::create(inner, loc, arith::CmpFPredicate::OEQ, x[0], real(inner, 0));
      Value inverse = arith::DivFOp::create(inner, loc, real(inner, 1), x[0]);
      return SmallVector<Value>{arith::SelectOp::create(inner, loc, none, real(inner, 0), inverse)};
    });
    SmallVector<unsigned> result;
    for (unsigned index = 0; index < op.rank(); ++index)
      result.push_back(index);
    BlockView y = resultView(0, result, {{query, count}, {value, b.getIndexAttr(columns)}});
    unsigned queryLoop = y.indices.front() == query ? 0 : 1;
    elementwise(
        2,
        {{front(o, {b.getIndexAttr(columns), count}), {1 - queryLoop, queryLoop}}, {front(factor, count), {queryLoop}}},
        Axes{y.memref, {0, 1}},
        [&](OpBuilder &inner, ValueRange x) { return SmallVector<Value>{multiply(inner, x[0], x[1])}; });
    if (op.getInits().size() < 2)
      return;
    llvm::erase(result, value);
    elementwise(1, {{front(sum, count), {0}}, {front(top, count), {0}}},
                Axes{resultView(1, result, Moving{query, count}).memref, {0}}, [&](OpBuilder &inner, ValueRange x) {
                  Value none = arith::CmpFOp::create(inner, loc, arith::CmpFPredicate::OEQ, x[0], real(inner, 0));
                  Value some = arith::AddFOp::create(inner, loc, x[1], math::LogOp::create(inner, loc, x[0]));
                  return SmallVector<Value>{arith::SelectOp::create(inner, loc, none, real(inner, 0), some)};
                });
  }

  int64_t features = 0, columns = 0, rows = 0, depth = 0; // rows: queries of a block; depth: keys of one
  Value q, k, v, s, o, top, before, scaledTop, factor, sum;
};
} // namespace

void tileAttention(AttendOp op, unsigned vectorBits, bool threads) {
  Forward(op, vectorBits, threads).run();
  op.erase();
}
} // namespace loops

namespace {
struct TileAttentionPass : impl::TileAttentionBase<TileAttentionPass> {
  using TileAttentionBase::TileAttentionBase;

  void runOnOperation() override {
    SmallVector<AttendOp> found;
    getOperation().walk([&](AttendOp op) { found.push_back(op); });
    for (AttendOp op : found)
      (op.getBackward() ? loops::tileAttentionGradient : loops::tileAttention)(op, vectorBits, threads);
  }
};
} // namespace
} // namespace nacre
