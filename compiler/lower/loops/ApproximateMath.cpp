// Functions of vectors become polynomials, so that no vector loop calls the C library lane by lane. Errors are a few
// units in the last place; the logarithm takes subnormal numbers for the smallest normal one.
#include "Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace nacre {
#define GEN_PASS_DEF_APPROXIMATEMATH
#include "lower/loops/Passes.h.inc"

namespace {
/// 1 / sqrt(x): two exactly rounded steps, faster than a call and without a library symbol that may be missing.
struct ReciprocalSquareRoot : OpRewritePattern<math::RsqrtOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::RsqrtOp op, PatternRewriter &rewriter) const override {
    Type type = op.getType();
    Attribute one = rewriter.getFloatAttr(getElementTypeOrSelf(type), 1.0);
    if (auto vector = dyn_cast<VectorType>(type))
      one = DenseElementsAttr::get(vector, one);
    Value ones = arith::ConstantOp::create(rewriter, op.getLoc(), cast<TypedAttr>(one));
    Value root = math::SqrtOp::create(rewriter, op.getLoc(), op.getOperand());
    rewriter.replaceOpWithNewOp<arith::DivFOp>(op, ones, root);
    return success();
  }
};

struct ApproximateMathPass : impl::ApproximateMathBase<ApproximateMathPass> {
  void runOnOperation() override {
    auto withPolynomial = [](StringRef name) {
      return llvm::is_contained({"math.exp", "math.expm1", "math.log", "math.log1p", "math.tanh", "math.erf"}, name);
    };
    RewritePatternSet patterns(&getContext());
    patterns.add<ReciprocalSquareRoot>(&getContext(), PatternBenefit(2));
    populateMathF32ExpansionPatterns(patterns, withPolynomial);
    populateMathPolynomialApproximationPatterns(patterns, withPolynomial);
    FrozenRewritePatternSet frozen(std::move(patterns));
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa<math::RsqrtOp>(op) ||
          (isa<math::MathDialect>(op->getDialect()) && isa<VectorType>(op->getResult(0).getType())))
        ops.push_back(op);
    });
    GreedyRewriteConfig config;
    config.setStrictness(GreedyRewriteStrictness::ExistingAndNewOps);
    if (failed(applyOpPatternsGreedily(ops, frozen, config)))
      return signalPassFailure();
  }
};
} // namespace
} // namespace nacre
