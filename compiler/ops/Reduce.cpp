// Reductions in arith: identities and combining steps.
#include "ops/Reduce.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace nacre {

TypedAttr Reducer::identity(OpBuilder &builder) const {
  Type type = elementStorage(element);
  bool low = kind == ReductionKind::Maximum || kind == ReductionKind::ArgMax;
  bool high = kind == ReductionKind::Minimum || kind == ReductionKind::ArgMin;
  if (auto real = dyn_cast<FloatType>(type)) {
    if (low || high)
      return builder.getFloatAttr(type, APFloat::getInf(real.getFloatSemantics(), /*Negative=*/low));
    return builder.getFloatAttr(type, kind == ReductionKind::Product ? 1 : 0);
  }
  unsigned width = type.getIntOrFloatBitWidth();
  if (low || high) {
    bool hasSign = !element.isUnsignedInteger() && !element.isInteger(1);
    APInt bound = low ? (hasSign ? APInt::getSignedMinValue(width) : APInt::getMinValue(width))
                      : (hasSign ? APInt::getSignedMaxValue(width) : APInt::getMaxValue(width));
    return builder.getIntegerAttr(type, bound);
  }
  return builder.getIntegerAttr(type, kind == ReductionKind::Product || kind == ReductionKind::All ? 1 : 0);
}

SmallVector<std::pair<Type, Value>> Reducer::state(OpBuilder &builder, Location location) const {
  if (!kind)
    return {{elementStorage(element), Value()}};
  SmallVector<std::pair<Type, Value>> state;
  if (wantsPosition())
    state.push_back({builder.getI32Type(), arith::ConstantOp::create(builder, location, builder.getI32IntegerAttr(0))});
  state.push_back({elementStorage(element), arith::ConstantOp::create(builder, location, identity(builder))});
  return state;
}

SmallVector<Value> Reducer::combine(OpBuilder &builder, Location location, ValueRange state, Value value,
                                    Value position) const {
  bool real = isa<FloatType>(element), without = element.isUnsignedInteger() || element.isInteger(1);
  auto flags = arith::FastMathFlagsAttr::get(builder.getContext(), reassociate ? arith::FastMathFlags::reassoc |
                                                                                     arith::FastMathFlags::contract
                                                                               : arith::FastMathFlags::none);
  // A bool is a byte in the state; the body hands it over as i1.
  if (element.isInteger(1))
    value = arith::ExtUIOp::create(builder, location, builder.getI8Type(), value);
  if (!kind)
    return {value};
  Value old = state.back();
  switch (*kind) {
  case ReductionKind::Sum:
    return {real ? Value(arith::AddFOp::create(builder, location, old, value, flags))
                 : Value(arith::AddIOp::create(builder, location, old, value))};
  case ReductionKind::Product:
    return {real ? Value(arith::MulFOp::create(builder, location, old, value, flags))
                 : Value(arith::MulIOp::create(builder, location, old, value))};
  case ReductionKind::Maximum:
    return {real      ? Value(arith::MaximumFOp::create(builder, location, old, value))
            : without ? Value(arith::MaxUIOp::create(builder, location, old, value))
                      : Value(arith::MaxSIOp::create(builder, location, old, value))};
  case ReductionKind::Minimum:
    return {real      ? Value(arith::MinimumFOp::create(builder, location, old, value))
            : without ? Value(arith::MinUIOp::create(builder, location, old, value))
                      : Value(arith::MinSIOp::create(builder, location, old, value))};
  case ReductionKind::Any:
    return {arith::OrIOp::create(builder, location, old, value)};
  case ReductionKind::All:
    return {arith::AndIOp::create(builder, location, old, value)};
  case ReductionKind::ArgMax:
  case ReductionKind::ArgMin:
    break;
  }

  // The position moves only to a strictly better element, so the first of equals stays; the first NaN is best of all.
  bool largest = kind == ReductionKind::ArgMax;
  Value better;
  if (real) {
    auto beats = largest ? arith::CmpFPredicate::OGT : arith::CmpFPredicate::OLT;
    Value wins = arith::CmpFOp::create(builder, location, beats, value, old);
    Value newIsNan = arith::CmpFOp::create(builder, location, arith::CmpFPredicate::UNO, value, value);
    Value oldIsNumber = arith::CmpFOp::create(builder, location, arith::CmpFPredicate::ORD, old, old);
    Value firstNan = arith::AndIOp::create(builder, location, newIsNan, oldIsNumber);
    better = arith::OrIOp::create(builder, location, wins, firstNan);
  } else {
    auto beats = largest ? (without ? arith::CmpIPredicate::ugt : arith::CmpIPredicate::sgt)
                         : (without ? arith::CmpIPredicate::ult : arith::CmpIPredicate::slt);
    better = arith::CmpIOp::create(builder, location, beats, value, old);
  }
  Value here = arith::IndexCastOp::create(builder, location, builder.getI32Type(), position);
  return {arith::SelectOp::create(builder, location, better, here, state.front()),
          arith::SelectOp::create(builder, location, better, value, old)};
}

} // namespace nacre
