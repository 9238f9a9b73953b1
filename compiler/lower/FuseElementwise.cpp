// Merges an elementwise equation into its only user: the value in between never reaches memory.
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

/// More than a few cycles per element: not to be repeated along a broadcast.
static bool isCostly(linalg::GenericOp producer) {
  return llvm::any_of(producer.getRegion().front(), [](Operation &op) {
    return isa<arith::DivFOp, arith::DivSIOp, arith::DivUIOp, arith::RemFOp, arith::RemSIOp, arith::RemUIOp,
               arith::MulUIExtendedOp, tensor::ExtractOp>(op) ||
           isa_and_nonnull<math::MathDialect>(op.getDialect());
  });
}

static bool worthFusing(OpOperand *operand) {
  auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  if (!producer || !consumer || !operand->get().hasOneUse())
    return false;
  AffineMap map = consumer.getMatchingIndexingMap(operand);
  if (!map.isProjectedPermutation()) // windows of a convolution read each element many times
    return false;
  bool everyPointOnce = map.getNumResults() == consumer.getNumLoops();
  if (everyPointOnce)
    return true;
  return consumer.getNumReductionLoops() == 0 && !isCostly(producer);
}

namespace {
struct FuseElementwise : nacre::impl::FuseElementwiseBase<FuseElementwise> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    linalg::populateElementwiseOpsFusionPatterns(patterns, worthFusing);
    linalg::GenericOp::getCanonicalizationPatterns(patterns, &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
