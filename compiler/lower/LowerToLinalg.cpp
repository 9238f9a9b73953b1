// nacre on tensors to linalg on tensors. Functions are rebuilt: bools become bytes, integers lose their sign.
#include "Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "ops/Ops.h"

namespace nacre {
#define GEN_PASS_DEF_LOWERTOLINALG
#include "Passes.h.inc"
} // namespace nacre

using namespace mlir;

namespace {

Type storage(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? Type(nacre::tensorStorage(tensor)) : type;
}

FunctionType loweredType(func::FuncOp function) {
  SmallVector<Type> inputs, results;
  for (Type type : function.getArgumentTypes())
    inputs.push_back(storage(type));
  for (Type type : function.getResultTypes())
    results.push_back(storage(type));
  return FunctionType::get(function.getContext(), inputs, results);
}

struct LowerToLinalg : nacre::impl::LowerToLinalgBase<LowerToLinalg> {
  using LowerToLinalgBase::LowerToLinalgBase;

  void runOnOperation() override {
    for (auto function : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      if (!function.isExternal() && failed(lower(function)))
        return signalPassFailure();
  }

  LogicalResult lower(func::FuncOp old) {
    OpBuilder builder(old);
    auto function = func::FuncOp::create(builder, old.getLoc(), old.getName(), loweredType(old));
    function->setAttrs(old->getAttrs());
    function.setFunctionType(loweredType(old)); // among the attributes was the old type
    Block *entry = function.addEntryBlock();
    builder.setInsertionPointToStart(entry);
    IRMapping values;
    values.map(old.getArguments(), entry->getArguments());
    nacre::LinalgLowering lowering{builder, values, reassociate};
    if (failed(lowering.lowerOps(old.front())))
      return failure();
    builder.clone(*old.front().getTerminator(), values);
    old.erase();
    return success();
  }
};
} // namespace
