// The pass: every `nacre.gradient` becomes the backward pass of its block. Afterwards cuts and custom derivatives have
// done their work and vanish.
#include "differentiate/Differentiate.h"
#include "Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "ops/Ops.h"
#include "llvm/ADT/MapVector.h"

namespace nacre {
#define GEN_PASS_DEF_DIFFERENTIATE
#include "Passes.h.inc"
} // namespace nacre

using namespace mlir;
using namespace nacre;

namespace {

struct Differentiate : nacre::impl::DifferentiateBase<Differentiate> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function.walk([](GradientOp) { return WalkResult::interrupt(); }).wasInterrupted()) {
        segmentCheckpoints(function);
        inlineSelectArms(function);
      }
    // Inner blocks first: what is around them is differentiated as it then stands.
    llvm::MapVector<std::pair<Block *, Value>, SmallVector<GradientOp>> groups;
    getOperation().walk<WalkOrder::PostOrder>(
        [&](GradientOp gradient) { groups[{gradient->getBlock(), gradient.getOf()}].push_back(gradient); });
    for (auto &[key, gradients] : groups)
      if (failed(replace(*key.first, gradients)))
        return signalPassFailure();
    getOperation().walk([](StopGradientOp stop) {
      stop.getResult().replaceAllUsesWith(stop.getOperand());
      stop.erase();
    });
    getOperation().walk([](CustomOp custom) { inlineBody(custom); });
  }

  static LogicalResult replace(Block &block, ArrayRef<GradientOp> gradients) {
    GradientOp first = gradients.front();
    Value of = first.getOf(); // by now perhaps a derivative that was computed
    OpBuilder builder(gradients.front());
    auto type = cast<RankedTensorType>(of.getType());
    Value one = ConstantOp::create(builder, of.getLoc(),
                                   DenseElementsAttr::get(type, builder.getFloatAttr(type.getElementType(), 1)));
    SmallVector<Value> wanted;
    for (GradientOp gradient : gradients)
      wanted.push_back(gradient.getWrt());
    auto cotangents = differentiateBlock(block, {{of, one}}, wanted, builder);
    if (failed(cotangents))
      return failure();
    for (Operation *op = one.getDefiningOp()->getNextNode(); op != gradients.front(); op = op->getNextNode())
      op->setAttr("nacre.backward", builder.getUnitAttr());
    bool missing = false;
    for (auto [number, cotangent] : llvm::enumerate(*cotangents)) {
      GradientOp gradient = gradients[number];
      if (!cotangent) {
        reportNoGradient(gradient);
        missing = true;
        continue;
      }
      gradient.getResult().replaceAllUsesWith(cotangent);
      gradient.erase();
    }
    return failure(missing);
  }

  static void inlineBody(CustomOp custom) {
    Block &body = custom.getBody().front();
    for (auto [argument, operand] : llvm::zip(body.getArguments(), custom.getInputs()))
      argument.replaceAllUsesWith(operand);
    Operation *end = body.getTerminator();
    SmallVector<Value> results(end->getOperands());
    end->erase();
    custom->getBlock()->getOperations().splice(custom->getIterator(), body.getOperations());
    custom->replaceAllUsesWith(results);
    custom.erase();
  }
};

} // namespace
