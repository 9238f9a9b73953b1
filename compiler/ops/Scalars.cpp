// Lowers the scalar ops that are no primitives: numbers, indices, gathered elements, casts, choices.
#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "ops/Ops.h"
#include "ops/Scalar.h"

using namespace mlir;
using namespace nacre;

Value nacre::fromStorage(ScalarLowering &lowering, Value element, Type type) {
  if (!type.isInteger(1))
    return element;
  Value zero = arith::ConstantOp::create(lowering.builder, lowering.location, lowering.builder.getI8IntegerAttr(0));
  return arith::CmpIOp::create(lowering.builder, lowering.location, arith::CmpIPredicate::ne, element, zero);
}

Value nacre::indexValue(ScalarLowering &lowering, AffineExpr expression) {
  SmallVector<Value> indices(lowering.loopCount);
  for (unsigned index = 0; index < lowering.loopCount; ++index)
    if (expression.isFunctionOfDim(index))
      indices[index] = lowering.indices.empty()
                           ? linalg::IndexOp::create(lowering.builder, lowering.location, index).getResult()
                           : lowering.indices[index];
  return affine::expandAffineExpr(lowering.builder, lowering.location, expression, indices, lowering.sizes);
}

IRMapping nacre::lowerBody(ScalarLowering &lowering, Block &body, ElementOf element,
                           llvm::function_ref<bool(Value)> wanted) {
  OpBuilder &builder = lowering.builder;
  Location location = lowering.location;
  IRMapping scalars;
  for (BlockArgument argument : body.getArguments())
    if (!wanted || wanted(argument))
      scalars.map(argument, fromStorage(lowering, element(lowering, argument.getArgNumber()), argument.getType()));
  for (Operation &op : body.without_terminator()) {
    if (wanted && !wanted(op.getResult(0)))
      continue;
    SmallVector<Value> arguments;
    for (Value operand : op.getOperands()) // tensors and sizes come from outside, by lowering.values
      arguments.push_back(scalars.lookupOrNull(operand));
    lowering.location = op.getLoc();
    // No processor computes in f16 or bf16 one by one; primitives are taken in f32 and rounded back.
    bool narrow = isa<ScalarPrimitive>(op) && isa<Float16Type, BFloat16Type>(op.getOperand(0).getType());
    if (narrow)
      for (Value &argument : arguments)
        argument = arith::ExtFOp::create(builder, op.getLoc(), builder.getF32Type(), argument);
    Value lowered = cast<LowersToScalar>(op).lowerToScalar(lowering, arguments);
    if (narrow && isa<FloatType>(lowered.getType()))
      lowered = arith::TruncFOp::create(builder, op.getLoc(), op.getResult(0).getType(), lowered);
    scalars.map(op.getResult(0), lowered);
  }
  lowering.location = location;
  return scalars;
}

Value NumberOp::lowerToScalar(ScalarLowering &lowering, ValueRange) {
  TypedAttr value = getValue();
  if (auto integer = dyn_cast<IntegerAttr>(value))
    value = IntegerAttr::get(scalarStorage(integer.getType()), integer.getValue());
  return arith::ConstantOp::create(lowering.builder, lowering.location, value);
}

Value IndexOp::lowerToScalar(ScalarLowering &lowering, ValueRange) {
  Value value = indexValue(lowering, getExpression().getResult(0));
  return arith::IndexCastOp::create(lowering.builder, lowering.location, lowering.builder.getI64Type(), value);
}

Value ElementOp::lowerToScalar(ScalarLowering &lowering, ValueRange operands) {
  OpBuilder &builder = lowering.builder;
  Location location = lowering.location;
  Value tensor = lowering.values.lookup(getTensor());
  SmallVector<Value> subscripts;
  for (auto [axis, subscript] : llvm::enumerate(operands.drop_front())) {
    Value place = arith::IndexCastOp::create(builder, location, builder.getIndexType(), subscript);
    if (!getProved() || !(*getProved())[axis]) {
      Value zero = arith::ConstantIndexOp::create(builder, location, 0);
      Value one = arith::ConstantIndexOp::create(builder, location, 1);
      Value extent = tensor::DimOp::create(builder, location, tensor, axis);
      Value last = arith::SubIOp::create(builder, location, extent, one);
      place = arith::MaxSIOp::create(builder, location, place, zero);
      place = arith::MinSIOp::create(builder, location, place, last);
    }
    subscripts.push_back(place);
  }
  Value element = tensor::ExtractOp::create(builder, location, tensor, subscripts);
  return fromStorage(lowering, element, getResult().getType());
}

Value SelectOp::lowerToScalar(ScalarLowering &lowering, ValueRange operands) {
  return arith::SelectOp::create(lowering.builder, lowering.location, operands[0], operands[1], operands[2]);
}

// ---- casts ---------------------------------------------------------------------------------------------------------
static bool hasSign(Type type) { return !type.isUnsignedInteger() && !type.isInteger(1); }

/// The largest and smallest number of a real type whose whole part fits an integer type.
static std::pair<APFloat, APFloat> bounds(FloatType real, IntegerType integer, bool isSigned) {
  unsigned width = integer.getWidth();
  auto bound = [&](APInt value) {
    APFloat number(real.getFloatSemantics());
    number.convertFromAPInt(value, isSigned, APFloat::rmTowardZero);
    return number;
  };
  return isSigned ? std::pair(bound(APInt::getSignedMinValue(width)), bound(APInt::getSignedMaxValue(width)))
                  : std::pair(bound(APInt::getMinValue(width)), bound(APInt::getMaxValue(width)));
}

/// Truncates towards zero; what does not fit goes to the nearest bound, a NaN to 0 (hardware would differ otherwise).
static Value realToInteger(OpBuilder &builder, Location location, Value value, IntegerType to, bool isSigned) {
  auto real = cast<FloatType>(value.getType());
  auto [low, high] = bounds(real, to, isSigned);
  auto number = [&](const APFloat &v) {
    return arith::ConstantOp::create(builder, location, builder.getFloatAttr(real, v));
  };
  Value isNumber = arith::CmpFOp::create(builder, location, arith::CmpFPredicate::ORD, value, value);
  value =
      arith::SelectOp::create(builder, location, isNumber, value, number(APFloat::getZero(real.getFloatSemantics())));
  value = arith::MaximumFOp::create(builder, location, value, number(low));
  value = arith::MinimumFOp::create(builder, location, value, number(high));
  if (isSigned)
    return arith::FPToSIOp::create(builder, location, to, value);
  return arith::FPToUIOp::create(builder, location, to, value);
}

static Value realToReal(OpBuilder &builder, Location location, Value value, FloatType to) {
  auto from = cast<FloatType>(value.getType());
  if (from == to)
    return value;
  if (from.getWidth() == to.getWidth()) // f16 and bf16 have no common step but f32
    value = arith::ExtFOp::create(builder, location, builder.getF32Type(), value), from = builder.getF32Type();
  if (from.getWidth() < to.getWidth())
    return arith::ExtFOp::create(builder, location, to, value);
  return arith::TruncFOp::create(builder, location, to, value);
}

Value CastOp::lowerToScalar(ScalarLowering &lowering, ValueRange operands) {
  OpBuilder &builder = lowering.builder;
  Location location = lowering.location;
  Type from = getOperand().getType(), to = getResult().getType(), storage = scalarStorage(to);
  Value value = operands[0];
  auto fromReal = dyn_cast<FloatType>(from), toReal = dyn_cast<FloatType>(to);
  if (to.isInteger(1)) {
    if (from.isInteger(1))
      return value;
    Value zero = arith::ConstantOp::create(builder, location, builder.getZeroAttr(value.getType()));
    if (fromReal)
      return arith::CmpFOp::create(builder, location, arith::CmpFPredicate::UNE, value, zero);
    return arith::CmpIOp::create(builder, location, arith::CmpIPredicate::ne, value, zero);
  }
  if (fromReal && toReal)
    return realToReal(builder, location, value, toReal);
  if (fromReal)
    return realToInteger(builder, location, value, cast<IntegerType>(storage), hasSign(to));
  if (toReal && hasSign(from))
    return arith::SIToFPOp::create(builder, location, to, value);
  if (toReal)
    return arith::UIToFPOp::create(builder, location, to, value);
  unsigned narrow = from.getIntOrFloatBitWidth(), wide = to.getIntOrFloatBitWidth();
  if (narrow == wide)
    return value;
  if (narrow > wide)
    return arith::TruncIOp::create(builder, location, storage, value);
  if (hasSign(from))
    return arith::ExtSIOp::create(builder, location, storage, value);
  return arith::ExtUIOp::create(builder, location, storage, value);
}
