// Merges an elementwise equation into its only user, or a cheap one into all: the value in between never reaches
// memory. In training functions the updates of one parameter and of its optimiser's state become one op.
#include "Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace nacre {
#define GEN_PASS_DEF_FUSEELEMENTWISE
#include "Passes.h.inc"
} // namespace nacre

using namespace mlir;

constexpr unsigned mostRepeated = 3; // operations on an element that several readers compute again

/// More than a few cycles per element: not to be repeated along a broadcast.
static bool isCostly(linalg::GenericOp producer) {
  return llvm::any_of(producer.getRegion().front(), [](Operation &op) {
    return isa<arith::DivFOp, arith::DivSIOp, arith::DivUIOp, arith::RemFOp, arith::RemSIOp, arith::RemUIOp,
               arith::MulUIExtendedOp, tensor::ExtractOp>(op) ||
           isa_and_nonnull<math::MathDialect>(op.getDialect());
  });
}

/// A few operations on one tensor and on what is broadcast over it: each reader may as well read that tensor and
/// compute this again, and the result is never stored.
///   c = x - mean;  y = f(c);  s = sum(g(c))   =>   y = f(x - mean);  s = sum(g(x - mean))
static bool isCheapView(linalg::GenericOp producer) {
  if (producer.getNumDpsInits() != 1 || producer.getNumReductionLoops() || producer.hasIndexSemantics() ||
      isCostly(producer) || !llvm::hasNItemsOrLess(producer.getRegion().front(), mostRepeated + 1))
    return false;
  auto type = cast<RankedTensorType>(producer.getResult(0).getType());
  int64_t whole = 0;
  for (OpOperand *operand : producer.getDpsInputOperands()) {
    auto read = dyn_cast<RankedTensorType>(operand->get().getType());
    if (!read)
      continue;
    AffineMap map = producer.getMatchingIndexingMap(operand);
    if (!map.isProjectedPermutation() || read.getElementTypeBitWidth() > type.getElementTypeBitWidth())
      return false;
    whole += map.getNumResults() == producer.getNumLoops();
  }
  return whole == 1;
}

/// Whether every reader takes each element once, in an op that the producer can become a part of.
static bool allReadersTakeIn(linalg::GenericOp producer) {
  return llvm::all_of(producer.getResult(0).getUses(), [&](OpOperand &use) {
    auto reader = dyn_cast<linalg::GenericOp>(use.getOwner());
    if (!reader || reader->getBlock() != producer->getBlock() || !reader.isDpsInput(&use))
      return false;
    AffineMap map = reader.getMatchingIndexingMap(&use);
    return map.isProjectedPermutation() && map.getNumResults() == reader.getNumLoops() &&
           linalg::areElementwiseOpsFusable(&use);
  });
}

/// Whether a sum of several large tensors would wait for another that is computed later, so that all of them have to be
/// kept until then and are read from memory where their sum alone would be:
///   s = a + b;  c = x . w;  t = s + c
static bool waits(linalg::GenericOp producer, linalg::GenericOp consumer, OpOperand *operand) {
  auto isLarge = [](OpOperand *read, linalg::GenericOp op) {
    return op.getMatchingIndexingMap(read).getNumResults() == op.getNumLoops() && op.getNumLoops() > 0;
  };
  auto reads = [&](OpOperand *read) { return isLarge(read, producer); };
  if (llvm::count_if(producer.getDpsInputOperands(), reads) < 2)
    return false;
  return llvm::any_of(consumer.getDpsInputOperands(), [&](OpOperand *other) {
    Operation *source = other->get().getDefiningOp();
    while (auto slice = dyn_cast_if_present<tensor::ExtractSliceOp>(source))
      source = slice.getSource().getDefiningOp();
    auto computed = dyn_cast_if_present<linalg::GenericOp>(source);
    bool elementwise = computed && computed.getNumReductionLoops() == 0; // one epilogue of what is computed
    if (elementwise)
      for (Value input : computed.getDpsInputs())
        if (auto root = input.getDefiningOp<linalg::GenericOp>(); root && root.getNumReductionLoops())
          computed = root;
    return computed && other != operand && isLarge(other, consumer) && computed.getNumReductionLoops() &&
           computed->getBlock() == producer->getBlock() && producer->isBeforeInBlock(computed);
  });
}

static bool worthFusing(OpOperand *operand) {
  auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  if (!producer || !consumer)
    return false;
  if (producer->getBlock() != consumer->getBlock()) // once, not in every round of a loop
    return false;
  if (!operand->get().hasOneUse())
    return isCheapView(producer) && allReadersTakeIn(producer);
  AffineMap map = consumer.getMatchingIndexingMap(operand);
  if (!map.isProjectedPermutation()) // windows of a convolution read each element many times
    return false;
  bool everyPointOnce = map.getNumResults() == consumer.getNumLoops();
  if (everyPointOnce)
    return consumer.getNumReductionLoops() || !waits(producer, consumer, operand);
  return consumer.getNumReductionLoops() == 0 && !isCostly(producer);
}

/// Whether all of an op's loops are parallel and the value is read and written in their order.
static bool isInOrder(OpOperand *operand, OpResult result) {
  auto producer = cast<linalg::GenericOp>(result.getOwner()), consumer = cast<linalg::GenericOp>(operand->getOwner());
  return producer.getNumReductionLoops() == 0 && consumer.getNumReductionLoops() == 0 &&
         producer.getIndexingMapMatchingResult(result).isIdentity() &&
         consumer.getMatchingIndexingMap(operand).isIdentity() && linalg::areElementwiseOpsFusable(operand);
}

/// What an optimiser leaves in its state and in a parameter is computed in one sweep: an update merges with the updates
/// that it reads, whose results stay results.
///   m' = f(m, g);  w' = h(w, m')   =>   m', w' = (f(m, g), h(w, f(m, g)))
static bool mergeUpdates(func::FuncOp function) {
  Operation *back = function.front().getTerminator();
  for (auto [number, value] : llvm::enumerate(back->getOperands())) {
    auto consumer = value.getDefiningOp<linalg::GenericOp>();
    if (!consumer || !function.getResultAttr(number, "nacre.store"))
      continue;
    for (OpOperand *operand : consumer.getDpsInputOperands()) {
      auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
      if (!producer || producer->getBlock() != consumer->getBlock() ||
          !isInOrder(operand, cast<OpResult>(operand->get())))
        continue;
      bool stored = llvm::all_of(producer->getUsers(), [&](Operation *user) { // nobody needs it before the consumer
        return user == consumer || user == back ||
               (user->getBlock() == consumer->getBlock() && consumer->isBeforeInBlock(user));
      });
      // Fusing takes one operand away: where the consumer reads the producer once more, the op would read itself.
      bool readOnce =
          llvm::count_if(consumer->getOperands(), [&](Value read) { return read.getDefiningOp() == producer; }) == 1;
      if (!stored || !readOnce)
        continue;
      IRRewriter rewriter(consumer);
      auto fused = linalg::fuseElementwiseOps(rewriter, operand);
      if (failed(fused))
        continue;
      for (auto [from, to] : fused->replacements)
        rewriter.replaceAllUsesWith(from, to);
      rewriter.eraseOp(consumer);
      if (producer.use_empty())
        rewriter.eraseOp(producer);
      return true;
    }
  }
  return false;
}

namespace {
struct FuseElementwise : nacre::impl::FuseElementwiseBase<FuseElementwise> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    linalg::populateElementwiseOpsFusionPatterns(patterns, worthFusing);
    linalg::GenericOp::getCanonicalizationPatterns(patterns, &getContext());
    FrozenRewritePatternSet frozen(std::move(patterns));
    if (failed(applyPatternsGreedily(getOperation(), frozen)))
      return signalPassFailure();
    bool merged = false;
    while (getOperation()->hasAttr("nacre.training") && mergeUpdates(getOperation()))
      merged = true;
    if (merged && failed(applyPatternsGreedily(getOperation(), frozen)))
      signalPassFailure();
  }
};
} // namespace
