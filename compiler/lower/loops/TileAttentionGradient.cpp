// The gradient of an attention, one block of keys after the other, the queries inside: the scores of a pair of blocks
// are computed again from lse, queries down and keys along the lanes. dk and dv of a block of keys stay in scratch; dq
// grows with every block of keys, in their order, so one attention is the work of one thread and sums are the same for
// any number of them.
//
//   s[i,j] = f(sum[d](q[i,d] k[d,j]))     p = exp(s - lse[i])     g[i,j] = sum[e](dy[i,e] v[e,j])     ds = p (w g -
//   D[i]) dv[e,j] += sum[i](dy[i,e] w p[i,j])   dk[d,j] += sum[i](q[i,d] ds f'[i,j])      dq[i,d] += sum[j](ds f'[i,j]
//   k[j,d])
#include "AttentionBlocks.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace nacre::loops {
namespace {

constexpr int64_t queriesPerBlock = 64, keysPerBlock = 64;
enum Input : unsigned { Q, K, V, Dy, Lse, RowSum };
enum Result : int64_t { DQ, DK, DV, FirstOther };

class Backward : public AttentionBlocks {
public:
  using AttentionBlocks::AttentionBlocks;

  void run() {
    int64_t queries = staticExtent(query), keys = staticExtent(key);
    columns = staticExtent(value);
    features = staticExtent(feature);
    rows = ShapedType::isDynamic(queries) ? queriesPerBlock : std::min(queriesPerBlock, queries);
    width = ShapedType::isDynamic(keys) ? keysPerBlock : std::min(keysPerBlock, int64_t(llvm::alignTo(keys, lanes)));
    for (auto [number, place] : llvm::enumerate(op.getPlaces()))
      results[place] = number;
    q = scratch({rows, features});
    dy = scratch({rows, columns});
    lse = scratch({rows});
    rowSum = scratch({rows});
    k = scratch({width, features});
    kTurned = scratch({features, width});
    vTurned = scratch({columns, width});
    s = scratch({rows, width});
    g = scratch({rows, width});
    dk = scratch({features, width});
    dv = scratch({columns, width});
    if (isPartial(query, rows))
      dq = scratch({rows, features});

    SmallVector<Count> axes;
    for (unsigned index : op.batchIndices())
      axes.push_back(extent(index));
    int64_t known = ShapedType::isDynamic(queries) || ShapedType::isDynamic(keys) ? 256 * 256 : queries * keys;
    parallelLoop(emitter, axes, known * (features + columns) * 3 / lanes, threads, [&](ArrayRef<Value> position) {
      for (auto [index, place] : llvm::zip(op.batchIndices(), position))
        at[index] = place;
      attention();
    });
  }

private:
  bool wants(int64_t result) const { return results.contains(result); }
  OpFoldResult all(unsigned index) {
    Count count = extent(index);
    return count.isKnown() ? OpFoldResult(b.getIndexAttr(count.known)) : OpFoldResult(count.value);
  }
  SmallVector<unsigned> axesOf(unsigned down, unsigned across) {
    SmallVector<unsigned> axes = op.batchIndices();
    axes.append({down, across});
    return axes;
  }
  BlockView gradient(int64_t result, Moving down, Moving across) {
    return resultView(results.lookup(result), axesOf(down.index, across.index), {down, across});
  }
  OpFoldResult count(int64_t number) { return b.getIndexAttr(number); }

  void attention() {
    if (wants(DQ))
      fill(gradient(DQ, {query, all(query)}, {feature, count(features)}).memref, 0);
    for (size_t other = 0; other < op.getOthers().size(); ++other) // blocks that are left out
      if (wants(FirstOther + other) && op.getNeeded().getNumResults())
        fill(gradient(FirstOther + other, {query, all(query)}, {key, all(key)}).memref, 0);
    forLoop(emitter, Count::of(0), extent(key), width, [&](Value start) {
      at[key] = start;
      keys();
      at[key] = emitter.constant(0);
    });
  }

  void keys() {
    OpFoldResult some = countFrom(key, at[key], width);
    copyIn(K, k, {{key, some}, {feature, count(features)}});
    copyIn(K, kTurned, {{feature, count(features)}, {key, some}});
    copyIn(V, vTurned, {{value, count(columns)}, {key, some}});
    fill(dk, 0);
    fill(dv, 0);
    auto [begin, end] = range(query, key, rows, width);
    forLoop(emitter, begin, end, rows, [&](Value start) {
      at[query] = start;
      pair(some);
    });
    at[query] = emitter.constant(0);
    copyOut(DK, dk, feature, features, some);
    copyOut(DV, dv, value, columns, some);
  }

  void copyOut(int64_t result, Value from, unsigned index, int64_t size, OpFoldResult keys) {
    if (!wants(result))
      return;
    BlockView to = gradient(result, {key, keys}, {index, count(size)});
    elementwise(2, Axes{front(from, {count(size), keys}), {1, 0}}, Axes{to.memref, {0, 1}},
                [](OpBuilder &, ValueRange x) { return SmallVector<Value>{x[0]}; });
  }

  Value multiply(OpBuilder &inner, Value x, Value y) { return arith::MulFOp::create(inner, loc, x, y); }

  void pair(OpFoldResult keys) {
    OpFoldResult some = countFrom(query, at[query], rows);
    copyIn(Q, q, {{query, some}, {feature, count(features)}});
    copyIn(Dy, dy, {{query, some}, {value, count(columns)}});
    copyIn(Lse, lse, Moving{query, some}, unit, INFINITY); // no weight where there is no query
    copyIn(RowSum, rowSum, Moving{query, some});
    fill(s, 0);
    product({q, {0, 2}}, {kTurned, {2, 1}}, s);
    fill(g, 0);
    product({dy, {0, 2}}, {vTurned, {2, 1}}, g);
    weights(some, keys);
    product({dy, {2, 0}}, {s, {2, 1}}, dv);
    product({q, {2, 0}}, {g, {2, 1}}, dk);
    if (!wants(DQ))
      return;
    BlockView to = gradient(DQ, {query, some}, {feature, count(features)});
    if (!dq)
      return product({g, {0, 2}}, {k, {2, 1}}, to.memref);
    fill(dq, 0);
    product({g, {0, 2}}, {k, {2, 1}}, dq);
    elementwise(2, Axes{front(dq, {some, count(features)}), {0, 1}}, Axes{to.memref, {0, 1}},
                [&](OpBuilder &inner, ValueRange x) {
                  return SmallVector<Value>{arith::AddFOp::create(inner, loc, x[1], x[0])};
                });
  }

  /// The weights in place of the scores, and the cotangents of the products in place of g. Where an input of the body
  /// ends within the block, both stay 0 beyond it.
  void weights(OpFoldResult queries, OpFoldResult keys) {
    bool otherWanted = llvm::any_of(llvm::seq<int64_t>(0, op.getOthers().size()),
                                    [&](int64_t other) { return wants(FirstOther + other); });
    OpFoldResult high = bodyMoves(query) || otherWanted ? queries : count(rows);
    OpFoldResult wide = bodyMoves(key) || otherWanted ? keys : count(width);
    SmallVector<Axes> inputs{{front(lse, high), {0}}, {front(rowSum, high), {0}}};
    llvm::append_range(inputs, bodyInputs({{query, high}, {key, wide}}, 0, 1));
    SmallVector<Axes> outputs{{front(s, {high, wide}), {0, 1}}, {front(g, {high, wide}), {0, 1}}};
    SmallVector<size_t> wanted;
    for (size_t other = 0; other < op.getOthers().size(); ++other)
      if (wants(FirstOther + other)) {
        wanted.push_back(other);
        outputs.push_back({gradient(FirstOther + other, {query, high}, {key, wide}).memref, {0, 1}});
      }
    size_t given = inputs.size(), others = op.getOthers().size();
    bool ends = isPartial(key, width) && getConstantIntValue(wide) == width;
    elementwise(2, inputs, outputs, [&](OpBuilder &inner, ValueRange x) {
      SmallVector<Value> body = runBody(inner, x[given], x.slice(2, given - 2), 0, 1);
      Value score = ends ? maskKeys(inner, body[0], 1) : body[0], dot = x[given + 1];
      Value scaled = multiply(inner, score, real(inner, unit));
      Value p = exponential(inner, arith::SubFOp::create(inner, loc, scaled, x[0])), weighted = p;
      bool hasFactor = body.size() > 2 + others;
      if (hasFactor) {
        weighted = multiply(inner, p, body[2 + others]);
        dot = multiply(inner, dot, body[2 + others]);
      }
      Value ds = multiply(inner, p, arith::SubFOp::create(inner, loc, dot, x[1]));
      SmallVector<Value> results{weighted, multiply(inner, ds, body[1])};
      for (size_t other : wanted) {
        Value point = multiply(inner, ds, body[2 + other]);
        if (hasFactor) {
          Value byFactor = multiply(inner, multiply(inner, p, x[given + 1]), body[3 + others + other]);
          point = arith::AddFOp::create(inner, loc, point, byFactor);
        }
        results.push_back(point);
      }
      return results;
    });
  }

  int64_t features = 0, columns = 0, rows = 0, width = 0;
  llvm::DenseMap<int64_t, unsigned> results; // place of each wanted result
  Value q, dy, lse, rowSum, k, kTurned, vTurned, s, g, dk, dv;
  Value dq; // only where the last block of queries may be short
};
} // namespace

void tileAttentionGradient(AttendOp op, unsigned vectorBits, bool threads) {
  Backward(op, vectorBits, threads).run();
  op.erase();
}

} // namespace nacre::loops
