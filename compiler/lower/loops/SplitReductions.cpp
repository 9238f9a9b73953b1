// A long sum with few results is taken in chunks: partial sums over fixed parts of its outermost reduced axis, which
// are independent of each other, then the sum of these in order.
//   y[n] = sum[k](f(k, n))   =>   p[s, n] = sum[k'](f(s c + k', n));  y[n] = sum[s](p[s, n])
// That gives several threads something to do, and keeps the part of the operands that all tiles of a chunk read in the
// cache. The number of chunks follows from the shape alone, and so do the bits of the result.
#include "Access.h"
#include "Passes.h"
#include "Tile.h"
#include "dialect/Remarks.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace nacre {
#define GEN_PASS_DEF_SPLITREDUCTIONS
#include "lower/loops/Passes.h.inc"

using namespace loops;

static constexpr int64_t enoughTasks = 16;        // chunks times tiles, for a few threads to share evenly
static constexpr int64_t tilePoints = 14 * 32;    // results of one register tile
static constexpr int64_t pointsThatPay = 1 << 20; // of a sum that is split for the sake of threads
static constexpr int64_t longSum = 4096;          // terms of a sum that is split for the sake of the cache
static constexpr int64_t longOuterSum = 2048;     // the same where no operand has its terms side by side
static constexpr int64_t cachedBytes = 512 << 10; // operands of one chunk
static constexpr int64_t leastTerms = 256;        // of a chunk for its sake: fewer, and the partial sums cost too much
static constexpr int64_t smallPartials = 256 << 10; // bytes of partial sums that nobody minds

namespace {
struct SplitReductionsPass : impl::SplitReductionsBase<SplitReductionsPass> {
  void runOnOperation() override {
    for (linalg::GenericOp op : singleReductions(getOperation()))
      if (!op.hasIndexSemantics())
        visit(op);
  }

  static int64_t bytesOf(RankedTensorType type) {
    return type.getNumElements() * ((type.getElementTypeBitWidth() + 7) / 8);
  }

  static void visit(linalg::GenericOp op) {
    Kernel kernel = makeKernel(op);
    auto type = dyn_cast<RankedTensorType>(op.getResult(0).getType());
    if (!combinersOf(op) || !bodyVectorises(op) || llvm::any_of(kernel.extents, ShapedType::isDynamic))
      return;
    int64_t results = 1, points = 1, read = 0;
    for (unsigned d = 0; d < kernel.rank(); ++d) {
      points *= kernel.extents[d];
      results *= kernel.reduction[d] ? 1 : kernel.extents[d];
    }
    for (OpOperand *operand : op.getDpsInputOperands())
      if (auto tensor = dyn_cast<RankedTensorType>(operand->get().getType()))
        read += bytesOf(tensor);
    if (results == 0 || points == 0 || results != type.getNumElements())
      return;
    int64_t tiles = llvm::divideCeil(results, tilePoints), wanted = 1;
    if (tiles < enoughTasks && points >= pointsThatPay)
      wanted = llvm::divideCeil(enoughTasks, tiles);
    // Sums as long as those of a filter's gradient, whose partial results stay small beside what is read. Terms that
    // lie one pixel of many channels apart meet in few sets of the cache, and every tile reads a line of each.
    bool outer = llvm::all_of(op.getDpsInputOperands(), [&](OpOperand *operand) { return !endsInTerms(op, operand); });
    bool isLong = points / results >= (outer ? longOuterSum : longSum);
    if (tiles >= 4 && read > 2 * cachedBytes && isLong && (outer || bytesOf(type) <= cachedBytes * 3 / 2))
      wanted = std::max(wanted, std::min(int64_t(llvm::divideCeil(read, cachedBytes)), points / results / leastTerms));
    wanted = std::min(wanted, std::max(read, smallPartials) / bytesOf(type));

    for (unsigned d = 0; d < kernel.rank(); ++d) {
      if (!kernel.reduction[d] || kernel.extents[d] == 1)
        continue;
      int64_t chunks = std::min(wanted, kernel.extents[d]);
      while (chunks > 1 && kernel.extents[d] % chunks)
        --chunks;
      if (chunks > 1 && standsAlone(op, d)) {
        note(op, RemarkKind::Done, [&] {
          return "sums " + std::to_string(kernel.extents[d]) + " terms in " + std::to_string(chunks) +
                 " parts, and then the parts";
        });
        split(op, d, chunks);
      }
      return; // the outermost one or none: chunks are to be whole pieces of the operands
    }
  }

  /// Whether the neighbours in an operand are terms of one sum.
  static bool endsInTerms(linalg::GenericOp op, OpOperand *operand) {
    AffineMap map = op.getMatchingIndexingMap(operand);
    if (map.getNumResults() == 0)
      return false;
    for (auto [d, kind] : llvm::enumerate(op.getIteratorTypesArray()))
      if (kind == utils::IteratorType::reduction && map.getResults().back().isFunctionOfDim(d))
        return true;
    return false;
  }

  /// Whether every operand that depends on the dim has an axis for it alone.
  static bool standsAlone(linalg::GenericOp op, unsigned dim) {
    for (OpOperand *operand : op.getDpsInputOperands()) {
      AffineMap map = op.getMatchingIndexingMap(operand);
      unsigned plain = 0;
      for (AffineExpr expr : map.getResults()) {
        if (!expr.isFunctionOfDim(dim))
          continue;
        if (!isa<AffineDimExpr>(expr) || ++plain > 1)
          return false;
      }
    }
    return true;
  }

  static void split(linalg::GenericOp op, unsigned dim, int64_t chunks) {
    OpBuilder b(op);
    Location loc = op.getLoc();
    MLIRContext *context = op.getContext();
    auto type = cast<RankedTensorType>(op.getResult(0).getType());
    Operation *combiner = combinersOf(op)->front().op;
    unsigned loops = op.getNumLoops(), number = op.getDpsInitOperand(0)->getOperandNumber();

    // The new dim, the number of the chunk, comes first.
    SmallVector<AffineMap> maps;
    SmallVector<Value> inputs;
    for (OpOperand *operand : op.getDpsInputOperands()) {
      AffineMap map = op.getMatchingIndexingMap(operand).shiftDims(1);
      SmallVector<AffineExpr> results;
      SmallVector<ReassociationIndices> groups;
      SmallVector<int64_t> shape;
      auto tensor = dyn_cast<RankedTensorType>(operand->get().getType());
      for (auto [axis, expr] : llvm::enumerate(map.getResults())) {
        groups.emplace_back();
        if (expr.isFunctionOfDim(dim + 1)) {
          groups.back().push_back(results.size());
          results.push_back(b.getAffineDimExpr(0));
          shape.push_back(chunks);
          groups.back().push_back(results.size());
          shape.push_back(tensor.getDimSize(axis) / chunks);
        } else {
          groups.back().push_back(results.size());
          shape.push_back(tensor.getDimSize(axis));
        }
        results.push_back(expr);
      }
      Value value = operand->get();
      if (tensor && results.size() != map.getNumResults())
        value =
            tensor::ExpandShapeOp::create(b, loc, RankedTensorType::get(shape, tensor.getElementType()), value, groups);
      inputs.push_back(value);
      maps.push_back(AffineMap::get(loops + 1, 0, results, context));
    }
    SmallVector<AffineExpr> written{b.getAffineDimExpr(0)};
    AffineMap old = op.getIndexingMapsArray()[number];
    llvm::append_range(written, old.shiftDims(1).getResults());
    maps.push_back(AffineMap::get(loops + 1, 0, written, context));
    SmallVector<utils::IteratorType> kinds{utils::IteratorType::parallel};
    llvm::append_range(kinds, op.getIteratorTypesArray());

    SmallVector<int64_t> shape{chunks};
    llvm::append_range(shape, type.getShape());
    Value neutral = arith::ConstantOp::create(b, loc, *arith::getNeutralElement(combiner));
    Value empty = tensor::EmptyOp::create(b, loc, shape, type.getElementType());
    Value start = linalg::FillOp::create(b, loc, neutral, empty).getResult(0);
    auto partial = linalg::GenericOp::create(b, loc, start.getType(), inputs, start, maps, kinds);
    IRMapping nothing;
    op.getRegion().cloneInto(&partial.getRegion(), nothing);

    unsigned rank = type.getRank();
    SmallVector<AffineMap> sumMaps{b.getMultiDimIdentityMap(rank + 1),
                                   b.getMultiDimIdentityMap(rank + 1).dropResult(0)};
    SmallVector<utils::IteratorType> sumKinds(rank + 1, utils::IteratorType::parallel);
    sumKinds[0] = utils::IteratorType::reduction;
    auto sum = linalg::GenericOp::create(b, loc, type, partial.getResult(0), op.getDpsInits()[0], sumMaps, sumKinds,
                                         [&](OpBuilder &inner, Location at, ValueRange arguments) {
                                           Operation *both = inner.clone(*combiner);
                                           both->setOperands({arguments[1], arguments[0]});
                                           linalg::YieldOp::create(inner, at, both->getResult(0));
                                         });
    op.replaceAllUsesWith(sum);
    op.erase();
  }
};
} // namespace
} // namespace nacre
