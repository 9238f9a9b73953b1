// Lowers every primitive to arith and math. Integers have lost their sign by now: the op's own types still have it.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "ops/Ops.h"

using namespace mlir;
using namespace nacre;

namespace {

/// Arithmetic on numbers of one type: as in nacre with its sign, but f32 for f16 and bf16, whose operands arrive so.
struct Numbers {
  Numbers(ScalarLowering &lowering, Type type)
      : lowering(lowering), type(isa<Float16Type, BFloat16Type>(type) ? lowering.builder.getF32Type() : type),
        flags(lowering.contract ? arith::FastMathFlags::contract : arith::FastMathFlags::none) {}

  ScalarLowering &lowering;
  Type type;
  arith::FastMathFlags flags;

  bool real() const { return isa<FloatType>(type); }
  bool hasSign() const { return !type.isUnsignedInteger() && !type.isInteger(1); }

  template <typename Op, typename... Arguments> Value make(Arguments... arguments) {
    return Op::create(lowering.builder, lowering.location, arguments...);
  }
  template <typename Op> Value real1(Value x) { return make<Op>(x, flags); }
  template <typename Op> Value real2(Value x, Value y) { return make<Op>(x, y, flags); }

  Value number(double value) {
    if (real())
      return make<arith::ConstantOp>(cast<TypedAttr>(lowering.builder.getFloatAttr(type, value)));
    return make<arith::ConstantOp>(
        cast<TypedAttr>(lowering.builder.getIntegerAttr(scalarStorage(type), static_cast<int64_t>(value))));
  }
  Value compare(arith::CmpFPredicate forReal, arith::CmpIPredicate forSigned, arith::CmpIPredicate forOthers, Value x,
                Value y) {
    if (real())
      return make<arith::CmpFOp>(forReal, x, y);
    return make<arith::CmpIOp>(hasSign() ? forSigned : forOthers, x, y);
  }
  Value less(Value x, Value y) {
    return compare(arith::CmpFPredicate::OLT, arith::CmpIPredicate::slt, arith::CmpIPredicate::ult, x, y);
  }
  Value equal(Value x, Value y) {
    return compare(arith::CmpFPredicate::OEQ, arith::CmpIPredicate::eq, arith::CmpIPredicate::eq, x, y);
  }
  Value select(Value condition, Value yes, Value no) { return make<arith::SelectOp>(condition, yes, no); }

  // Both arms of a choice are computed, so an integer division must not trap whatever it is given: a divisor of 0 is
  // replaced (the result is 0), and the smallest number by -1, which has no answer, wraps.
  struct Division {
    Value quotient, remainder; // towards zero
    Value divisor;
    Value byZero;
  };
  Division divide(Value x, Value y) {
    Value zero = number(0), one = number(1);
    Value byZero = make<arith::CmpIOp>(arith::CmpIPredicate::eq, y, zero);
    if (!hasSign()) {
      Value safe = select(byZero, one, y);
      return {make<arith::DivUIOp>(x, safe), make<arith::RemUIOp>(x, safe), safe, byZero};
    }
    Value minusOne = number(-1);
    Value byMinusOne = make<arith::CmpIOp>(arith::CmpIPredicate::eq, y, minusOne);
    Value safe = select(make<arith::OrIOp>(byZero, byMinusOne), one, y);
    Value quotient = make<arith::DivSIOp>(x, safe), remainder = make<arith::RemSIOp>(x, safe);
    return {select(byMinusOne, make<arith::SubIOp>(zero, x), quotient), remainder, y, byZero};
  }
  /// True where the remainder and the divisor have different signs: rounding towards zero went up.
  Value roundedUp(const Division &division) {
    Value zero = number(0);
    Value nonzero = make<arith::CmpIOp>(arith::CmpIPredicate::ne, division.remainder, zero);
    Value mixed = make<arith::XOrIOp>(division.remainder, division.divisor);
    return make<arith::AndIOp>(nonzero, make<arith::CmpIOp>(arith::CmpIPredicate::slt, mixed, zero));
  }
};

using Pred = arith::CmpIPredicate;

} // namespace

// Most rows are one op of arith or math.
#define REAL_UNARY(Name, Target)                                                                                       \
  Value Name::lowerToScalar(ScalarLowering &lowering, ValueRange x) {                                                  \
    return Numbers{lowering, getOperand().getType()}.real1<Target>(x[0]);                                              \
  }
REAL_UNARY(ExpOp, math::ExpOp)
REAL_UNARY(LogOp, math::LogOp)
REAL_UNARY(Log1pOp, math::Log1pOp)
REAL_UNARY(Expm1Op, math::ExpM1Op)
REAL_UNARY(SqrtOp, math::SqrtOp)
REAL_UNARY(SinOp, math::SinOp)
REAL_UNARY(CosOp, math::CosOp)
REAL_UNARY(TanhOp, math::TanhOp)
REAL_UNARY(ErfOp, math::ErfOp)
#undef REAL_UNARY

// Integers are their own floor, ceil and round.
#define ROUNDING(Name, Target)                                                                                         \
  Value Name::lowerToScalar(ScalarLowering &lowering, ValueRange x) {                                                  \
    Numbers n{lowering, getOperand().getType()};                                                                       \
    return n.real() ? n.real1<Target>(x[0]) : x[0];                                                                    \
  }
ROUNDING(FloorOp, math::FloorOp)
ROUNDING(CeilOp, math::CeilOp)
ROUNDING(RoundOp, math::RoundEvenOp)
#undef ROUNDING

#define BINARY(Name, Real, Signed, Unsigned)                                                                           \
  Value Name::lowerToScalar(ScalarLowering &lowering, ValueRange x) {                                                  \
    Numbers n{lowering, getLhs().getType()};                                                                           \
    return n.real()      ? n.real2<Real>(x[0], x[1])                                                                   \
           : n.hasSign() ? n.make<Signed>(x[0], x[1])                                                                  \
                         : n.make<Unsigned>(x[0], x[1]);                                                               \
  }
BINARY(AddOp, arith::AddFOp, arith::AddIOp, arith::AddIOp)
BINARY(SubtractOp, arith::SubFOp, arith::SubIOp, arith::SubIOp)
BINARY(MultiplyOp, arith::MulFOp, arith::MulIOp, arith::MulIOp)
BINARY(MinimumOp, arith::MinimumFOp, arith::MinSIOp, arith::MinUIOp)
BINARY(MaximumOp, arith::MaximumFOp, arith::MaxSIOp, arith::MaxUIOp)
#undef BINARY

#define COMPARISON(Name, Real, Signed, Unsigned)                                                                       \
  Value Name::lowerToScalar(ScalarLowering &lowering, ValueRange x) {                                                  \
    Numbers n{lowering, getLhs().getType()};                                                                           \
    return n.compare(arith::CmpFPredicate::Real, Pred::Signed, Pred::Unsigned, x[0], x[1]);                            \
  }
COMPARISON(LessOp, OLT, slt, ult)
COMPARISON(LessEqualOp, OLE, sle, ule)
COMPARISON(EqualOp, OEQ, eq, eq)
COMPARISON(NotEqualOp, UNE, ne, ne)
#undef COMPARISON

#define LOGICAL(Name, Target)                                                                                          \
  Value Name::lowerToScalar(ScalarLowering &lowering, ValueRange x) {                                                  \
    return Target::create(lowering.builder, lowering.location, x[0], x[1]);                                            \
  }
LOGICAL(AndOp, arith::AndIOp)
LOGICAL(OrOp, arith::OrIOp)
LOGICAL(XorOp, arith::XOrIOp)
#undef LOGICAL

Value NotOp::lowerToScalar(ScalarLowering &lowering, ValueRange x) {
  Numbers n{lowering, getOperand().getType()};
  return n.make<arith::XOrIOp>(x[0], n.number(1));
}

Value NegateOp::lowerToScalar(ScalarLowering &lowering, ValueRange x) {
  Numbers n{lowering, getOperand().getType()};
  return n.real() ? n.real1<arith::NegFOp>(x[0]) : n.make<arith::SubIOp>(n.number(0), x[0]);
}

Value AbsoluteOp::lowerToScalar(ScalarLowering &lowering, ValueRange x) {
  Numbers n{lowering, getOperand().getType()};
  return n.real() ? n.real1<math::AbsFOp>(x[0]) : n.hasSign() ? n.make<math::AbsIOp>(x[0]) : x[0];
}

Value SignOp::lowerToScalar(ScalarLowering &lowering, ValueRange x) {
  Numbers n{lowering, getOperand().getType()};
  Value zero = n.number(0), one = n.number(1);
  Value positive = n.less(zero, x[0]);
  if (!n.real() && !n.hasSign())
    return n.select(positive, one, zero);
  Value negative = n.less(x[0], zero);
  Value rest = n.real() ? x[0] : zero; // a zero with its sign, or a NaN
  return n.select(positive, one, n.select(negative, n.number(-1), rest));
}

Value RsqrtOp::lowerToScalar(ScalarLowering &lowering, ValueRange x) {
  Numbers n{lowering, getOperand().getType()};
  return n.real2<arith::DivFOp>(n.number(1), n.real1<math::SqrtOp>(x[0]));
}

Value DivideOp::lowerToScalar(ScalarLowering &lowering, ValueRange x) {
  return Numbers{lowering, getLhs().getType()}.real2<arith::DivFOp>(x[0], x[1]);
}

Value FloorDivideOp::lowerToScalar(ScalarLowering &lowering, ValueRange x) {
  Numbers n{lowering, getLhs().getType()};
  if (n.real())
    return n.real1<math::FloorOp>(n.real2<arith::DivFOp>(x[0], x[1]));
  auto division = n.divide(x[0], x[1]);
  Value quotient = division.quotient;
  if (n.hasSign())
    quotient = n.select(n.roundedUp(division), n.make<arith::SubIOp>(quotient, n.number(1)), quotient);
  return n.select(division.byZero, n.number(0), quotient);
}

Value RemainderOp::lowerToScalar(ScalarLowering &lowering, ValueRange x) {
  Numbers n{lowering, getLhs().getType()};
  if (n.real()) {
    Value rest = n.real2<arith::RemFOp>(x[0], x[1]), zero = n.number(0);
    Value differs = n.make<arith::XOrIOp>(n.less(rest, zero), n.less(x[1], zero));
    Value nonzero = n.make<arith::CmpFOp>(arith::CmpFPredicate::UNE, rest, zero);
    return n.select(n.make<arith::AndIOp>(nonzero, differs), n.real2<arith::AddFOp>(rest, x[1]), rest);
  }
  auto division = n.divide(x[0], x[1]);
  Value rest = division.remainder;
  if (n.hasSign())
    rest = n.select(n.roundedUp(division), n.make<arith::AddIOp>(rest, division.divisor), rest);
  return n.select(division.byZero, n.number(0), rest);
}

/// Square and multiply; a constant exponent keeps only the steps it needs.
static Value integerPower(Numbers &n, Value base, Value exponent) {
  Value zero = n.number(0), one = n.number(1), result = one, square = base;
  APInt constant;
  bool known = matchPattern(exponent, m_ConstantInt(&constant));
  unsigned width = scalarStorage(n.type).getIntOrFloatBitWidth();
  unsigned steps = known ? constant.getActiveBits() : width - (n.hasSign() ? 1 : 0);
  for (unsigned bit = 0; bit < steps && !(known && constant.isNegative() && n.hasSign()); ++bit) {
    Value product = n.make<arith::MulIOp>(result, square);
    if (known) {
      result = constant[bit] ? product : result;
    } else {
      Value mask = n.make<arith::ConstantOp>(
          cast<TypedAttr>(IntegerAttr::get(scalarStorage(n.type), APInt::getOneBitSet(width, bit))));
      Value set = n.make<arith::CmpIOp>(Pred::ne, n.make<arith::AndIOp>(exponent, mask), zero);
      result = n.select(set, product, result);
    }
    if (bit + 1 < steps)
      square = n.make<arith::MulIOp>(square, square);
  }
  if (!n.hasSign() || (known && !constant.isNegative()))
    return result;
  // 1 / base^|y|, of which only 1 and -1 leave a whole part.
  Value odd = n.make<arith::CmpIOp>(Pred::ne, n.make<arith::AndIOp>(exponent, one), zero);
  Value isOne = n.equal(base, one), isMinusOne = n.equal(base, n.number(-1));
  Value inverse = n.select(isOne, one, n.select(isMinusOne, n.select(odd, n.number(-1), one), zero));
  return n.select(n.less(exponent, zero), inverse, result);
}

Value PowerOp::lowerToScalar(ScalarLowering &lowering, ValueRange x) {
  Numbers n{lowering, getLhs().getType()};
  if (!n.real())
    return integerPower(n, x[0], x[1]);
  // Squares and cubes are common enough (variances) that a call of pow would be felt.
  APFloat exponent(0.0);
  if (matchPattern(x[1], m_ConstantFloat(&exponent))) {
    double value = exponent.convertToDouble();
    if (value == 1)
      return x[0];
    if (value == 2 || value == 3) {
      Value square = n.real2<arith::MulFOp>(x[0], x[0]);
      return value == 2 ? square : n.real2<arith::MulFOp>(square, x[0]);
    }
  }
  return n.real2<math::PowFOp>(x[0], x[1]);
}

// Philox4x32-10: ten rounds of two 32x32 -> 64 bit products; the key advances by the golden ratio and sqrt(3) - 1.
Value RandomBitsOp::lowerToScalar(ScalarLowering &lowering, ValueRange operands) {
  OpBuilder &builder = lowering.builder;
  Location location = lowering.location;
  Type word = builder.getI32Type();
  auto constant = [&](uint32_t value) -> Value {
    return arith::ConstantOp::create(builder, location, builder.getI32IntegerAttr(static_cast<int32_t>(value)));
  };
  auto halves = [&](Value wide) {
    Value shift = arith::ConstantOp::create(builder, location, builder.getI64IntegerAttr(32));
    Value high = arith::ShRUIOp::create(builder, location, wide, shift);
    return std::pair<Value, Value>{arith::TruncIOp::create(builder, location, word, wide),
                                   arith::TruncIOp::create(builder, location, word, high)};
  };
  auto [key0, key1] = halves(arith::XOrIOp::create(builder, location, operands[0], operands[1]));
  auto [c0, c1] = halves(operands[2]);
  Value counter[4] = {c0, c1, constant(0), constant(0)}, key[2] = {key0, key1};
  for (int round = 0; round < 10; ++round) {
    auto first = arith::MulUIExtendedOp::create(builder, location, counter[0], constant(0xD2511F53));
    auto second = arith::MulUIExtendedOp::create(builder, location, counter[2], constant(0xCD9E8D57));
    auto mix = [&](Value a, Value b, Value c) -> Value {
      return arith::XOrIOp::create(builder, location, arith::XOrIOp::create(builder, location, a, b), c);
    };
    Value next[4] = {mix(second.getHigh(), counter[1], key[0]), second.getLow(),
                     mix(first.getHigh(), counter[3], key[1]), first.getLow()};
    std::copy(next, next + 4, counter);
    key[0] = arith::AddIOp::create(builder, location, key[0], constant(0x9E3779B9));
    key[1] = arith::AddIOp::create(builder, location, key[1], constant(0xBB67AE85));
  }
  return arith::ShRUIOp::create(builder, location, counter[0], constant(8));
}
