// Scalar mathematics after vectorisation: calls of the C library where the processor has no instruction.
#include "Passes.h"
#include "mlir/Conversion/MathToLibm/MathToLibm.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Transforms/DialectConversion.h"

namespace nacre {
#define GEN_PASS_DEF_LOWERSCALARMATH
#include "Passes.h.inc"
} // namespace nacre

using namespace mlir;

static bool isBFloat(Type type) { return getElementTypeOrSelf(type).isBF16(); }

namespace {
struct LowerScalarMath : nacre::impl::LowerScalarMathBase<LowerScalarMath> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateMathToLibmConversionPatterns(patterns);
    arith::populateCeilFloorDivExpandOpsPatterns(patterns);
    arith::populateExpandBFloat16Patterns(patterns);
    ConversionTarget target(getContext());
    target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
    target.addIllegalOp<math::ExpOp, math::LogOp, math::Log1pOp, math::ExpM1Op, math::SinOp, math::CosOp, math::TanhOp,
                        math::ErfOp, math::PowFOp, arith::CeilDivSIOp, arith::CeilDivUIOp, arith::FloorDivSIOp>();
    target.addDynamicallyLegalOp<arith::ExtFOp>([](arith::ExtFOp op) { return !isBFloat(op.getIn().getType()); });
    target.addDynamicallyLegalOp<arith::TruncFOp>([](arith::TruncFOp op) { return !isBFloat(op.getType()); });
    if (failed(applyPartialConversion(getOperation(), target, std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
