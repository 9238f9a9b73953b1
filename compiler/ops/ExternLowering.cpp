// A C function that is called with dense tensors: written into a tensor that nobody else has yet.
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "ops/Extents.h"
#include "ops/Ops.h"

using namespace mlir;
using namespace nacre;

LogicalResult ExternOp::lowerToLinalg(LinalgLowering &lowering) {
  OpBuilder &builder = lowering.builder;
  RankedTensorType type = tensorStorage(cast<RankedTensorType>(getResult().getType()));
  SmallVector<OpFoldResult> sizes, extents;
  for (Value symbol : getSizes())
    sizes.push_back(lowering(symbol));
  for (AffineExpr extent : getExtents().getResults())
    extents.push_back(affine::makeComposedFoldedAffineApply(
        builder, getLoc(), AffineMap::get(0, getExtents().getNumSymbols(), extent), sizes));
  SmallVector<Value> inputs;
  for (Value input : getInputs())
    inputs.push_back(lowering(input));
  Value result = tensor::EmptyOp::create(builder, getLoc(), extents, type.getElementType());
  result =
      CallExternOp::create(builder, getLoc(), TypeRange(result.getType()), getSymbol(), inputs, result).getResult(0);
  if (result.getType() != type)
    result = tensor::CastOp::create(builder, getLoc(), type, result);
  lowering.values.map(getResult(), result);
  return success();
}

void CallExternOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  for (OpOperand &operand : getInputsMutable())
    if (isa<MemRefType>(operand.get().getType()))
      effects.emplace_back(MemoryEffects::Read::get(), &operand, SideEffects::DefaultResource::get());
  if (isa<MemRefType>(getInit().getType()))
    effects.emplace_back(MemoryEffects::Write::get(), &getInitMutable(), SideEffects::DefaultResource::get());
}
