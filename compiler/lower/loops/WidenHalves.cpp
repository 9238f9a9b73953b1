// Conversions between bf16 and f64 go through f32, where integer arithmetic does the rest: neither the processor nor a
// library need know bf16. Down from f64 this rounds twice.
#include "Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace nacre {
#define GEN_PASS_DEF_WIDENHALVES
#include "lower/loops/Passes.h.inc"

namespace {
struct WidenHalvesPass : impl::WidenHalvesBase<WidenHalvesPass> {
  void runOnOperation() override {
    getOperation().walk([](Operation *op) {
      if (!isa<arith::ExtFOp, arith::TruncFOp>(op))
        return;
      Type from = op->getOperand(0).getType(), to = op->getResult(0).getType();
      auto is = [](Type type, unsigned width) {
        Type element = getElementTypeOrSelf(type);
        return width == 64 ? element.isF64() : element.isBF16();
      };
      if (!(is(from, 16) && is(to, 64)) && !(is(from, 64) && is(to, 16)))
        return;
      OpBuilder builder(op);
      Type middle = builder.getF32Type();
      if (auto vector = dyn_cast<VectorType>(from))
        middle = vector.clone(middle);
      bool up = is(from, 16);
      Value half = up ? Value(arith::ExtFOp::create(builder, op->getLoc(), middle, op->getOperand(0)))
                      : Value(arith::TruncFOp::create(builder, op->getLoc(), middle, op->getOperand(0)));
      op->setOperand(0, half);
    });
  }
};
} // namespace
} // namespace nacre
