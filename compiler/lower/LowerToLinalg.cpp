// nacre on tensors to linalg on tensors. Functions are rebuilt: bools become bytes, integers lose their sign, and every
// result is written into a buffer that the caller passes.
#include "Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
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

/// The signature after lowering: tensors in, then one buffer per result.
FunctionType loweredType(func::FuncOp function) {
  SmallVector<Type> inputs;
  for (Type type : function.getArgumentTypes())
    inputs.push_back(storage(type));
  for (Type type : function.getResultTypes()) {
    auto tensor = nacre::tensorStorage(cast<RankedTensorType>(type));
    inputs.push_back(MemRefType::get(tensor.getShape(), tensor.getElementType()));
  }
  return FunctionType::get(function.getContext(), inputs, {});
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
    function.setFunctionType(loweredType(old));
    function.removeResAttrsAttr();
    function.removeArgAttrsAttr();
    Block *entry = function.addEntryBlock();
    builder.setInsertionPointToStart(entry);

    IRMapping values;
    size_t given = old.getNumArguments();
    for (size_t number = 0; number < given; ++number) {
      values.map(old.getArgument(number), entry->getArgument(number));
      if (auto attributes = old.getArgAttrDict(number))
        function.setArgAttrs(number, attributes);
      if (isa<RankedTensorType>(entry->getArgument(number).getType()))
        function.setArgAttr(number, "bufferization.writable", builder.getBoolAttr(false));
    }
    nacre::LinalgLowering lowering{builder, values, reassociate};
    for (Operation &op : old.front()) {
      if (auto lowers = dyn_cast<nacre::LowersToLinalg>(op)) {
        if (failed(lowers.lowerToLinalg(lowering)))
          return failure();
      } else if (auto back = dyn_cast<func::ReturnOp>(op)) {
        for (auto [number, result] : llvm::enumerate(back.getOperands())) {
          Value buffer = entry->getArgument(given + number);
          auto write = bufferization::MaterializeInDestinationOp::create(builder, op.getLoc(), Type(),
                                                                          values.lookup(result), buffer);
          write.setRestrict(true);
          write.setWritable(true);
          if (auto attributes = old.getResultAttrDict(number))
            function.setArgAttrs(given + number, attributes);
        }
        func::ReturnOp::create(builder, op.getLoc());
      } else {
        builder.clone(op, values);
      }
    }
    old.erase();
    return success();
  }
};
} // namespace
