// Named composites become the ops of their bodies: what no fusion has recognised is ordinary arithmetic.
#include "Passes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"
#include "ops/Ops.h"

namespace nacre {
#define GEN_PASS_DEF_INLINEKEEP
#include "Passes.h.inc"
} // namespace nacre

using namespace mlir;

namespace {
struct InlineKeep : nacre::impl::InlineKeepBase<InlineKeep> {
  void runOnOperation() override {
    SmallVector<nacre::KeepOp> found; // inner ones first
    getOperation().walk([&](nacre::KeepOp keep) { found.push_back(keep); });
    for (nacre::KeepOp keep : found) {
      Block &body = keep.getBody().front();
      auto yield = cast<nacre::YieldOp>(body.getTerminator());
      for (auto [argument, operand] : llvm::zip(body.getArguments(), keep.getInputs()))
        argument.replaceAllUsesWith(operand);
      Value result = yield.getValue();
      yield.erase();
      keep->getBlock()->getOperations().splice(keep->getIterator(), body.getOperations());
      keep.getResult().replaceAllUsesWith(result);
      keep.erase();
    }
  }
};
} // namespace
