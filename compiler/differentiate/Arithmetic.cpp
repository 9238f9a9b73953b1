// Scalar arithmetic with zeros and ones folded and choices hoisted.
#include "differentiate/Arithmetic.h"

using namespace mlir;

namespace nacre {

std::optional<double> literal(Value value) {
  auto number = value ? value.getDefiningOp<NumberOp>() : nullptr;
  if (!number)
    return std::nullopt;
  if (auto real = dyn_cast<FloatAttr>(number.getValue()))
    return real.getValueAsDouble();
  if (auto integer = dyn_cast<IntegerAttr>(number.getValue()))
    return integer.getType().isUnsignedInteger() ? static_cast<double>(integer.getValue().getZExtValue())
                                                 : static_cast<double>(integer.getValue().getSExtValue());
  return std::nullopt;
}

bool isZero(Value value) { return !value || literal(value) == 0.0; }

/// `select(c, x, 0)`.
static SelectOp masked(Value value) {
  auto select = value.getDefiningOp<SelectOp>();
  return select && isZero(select.getNo()) ? select : nullptr;
}

Value Arithmetic::number(Type type, double value) {
  if (isa<FloatType>(type))
    return NumberOp::create(builder, location, llvm::cast<TypedAttr>(builder.getFloatAttr(type, value)));
  return NumberOp::create(builder, location,
                          llvm::cast<TypedAttr>(builder.getIntegerAttr(type, static_cast<int64_t>(value))));
}

Value Arithmetic::add(Value a, Value b) {
  if (isZero(a) || isZero(b))
    return isZero(a) ? b : a;
  if (auto x = literal(a), y = literal(b); x && y)
    return number(a.getType(), *x + *y);
  SelectOp s = masked(a), t = masked(b);
  if (s && t && s.getCondition() == t.getCondition())
    return select(s.getCondition(), add(s.getYes(), t.getYes()), {});
  if (auto negative = b.getDefiningOp<NegateOp>())
    return make<SubtractOp>(a.getType(), a, negative.getOperand());
  return make<AddOp>(a.getType(), a, b);
}

Value Arithmetic::sub(Value a, Value b) {
  if (isZero(b))
    return a;
  if (isZero(a))
    return negate(b);
  return make<SubtractOp>(a.getType(), a, b);
}

Value Arithmetic::negate(Value a) {
  if (isZero(a))
    return {};
  if (auto x = literal(a))
    return number(a.getType(), -*x);
  if (auto negative = a.getDefiningOp<NegateOp>())
    return negative.getOperand();
  if (SelectOp choice = masked(a))
    return select(choice.getCondition(), negate(choice.getYes()), {});
  return make<NegateOp>(a.getType(), a);
}

Value Arithmetic::mul(Value a, Value b) {
  if (isZero(a) || isZero(b))
    return {};
  auto x = literal(a), y = literal(b);
  if (x && y)
    return number(a.getType(), *x * *y);
  if (x == 1.0 || y == 1.0)
    return x == 1.0 ? b : a;
  if (x == -1.0 || y == -1.0)
    return negate(x == -1.0 ? b : a);
  if (SelectOp choice = masked(a))
    return select(choice.getCondition(), mul(choice.getYes(), b), {});
  if (SelectOp choice = masked(b))
    return select(choice.getCondition(), mul(a, choice.getYes()), {});
  if (auto negative = a.getDefiningOp<NegateOp>())
    return negate(mul(negative.getOperand(), b));
  if (auto negative = b.getDefiningOp<NegateOp>())
    return negate(mul(a, negative.getOperand()));
  return make<MultiplyOp>(a.getType(), a, b);
}

Value Arithmetic::mul(Value a, double factor) { return isZero(a) ? Value() : mul(a, number(a.getType(), factor)); }

Value Arithmetic::div(Value a, Value b) {
  if (isZero(a))
    return {};
  if (auto y = literal(b); y && *y != 0)
    return mul(a, 1 / *y);
  if (SelectOp choice = masked(a))
    return select(choice.getCondition(), div(choice.getYes(), b), {});
  if (auto negative = a.getDefiningOp<NegateOp>())
    return negate(div(negative.getOperand(), b));
  return make<DivideOp>(a.getType(), a, b);
}

// A zero on the `yes` side is turned to the other one, where it is looked for.
Value Arithmetic::select(Value condition, Value yes, Value no) {
  if (isZero(yes) && isZero(no))
    return {};
  if (yes == no)
    return yes;
  if (isZero(yes))
    return select(make<NotOp>(builder.getI1Type(), condition), no, {});
  return make<SelectOp>(yes.getType(), condition, yes, no ? no : number(yes.getType(), 0));
}

Value Arithmetic::cast(Value a, Type type) {
  if (isZero(a))
    return {};
  if (a.getType() == type)
    return a;
  if (auto x = literal(a); x && isa<FloatType>(type))
    return number(type, *x);
  if (SelectOp choice = masked(a))
    return select(choice.getCondition(), cast(choice.getYes(), type), {});
  return make<CastOp>(type, a);
}

// Small whole exponents are products: exact for negative x, and many times faster.
Value Arithmetic::power(Value x, double exponent) {
  if (exponent == 0)
    return number(x.getType(), 1);
  if (exponent == 1)
    return x;
  if (exponent == 2)
    return make<MultiplyOp>(x.getType(), x, x);
  if (exponent == 3)
    return make<MultiplyOp>(x.getType(), power(x, 2), x);
  return make<PowerOp>(x.getType(), x, number(x.getType(), exponent));
}

} // namespace nacre
