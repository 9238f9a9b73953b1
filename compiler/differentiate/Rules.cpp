// The derivative of every scalar primitive. A row without a rule does not link.
//
// Conventions at corners: |x| has slope 0 at 0; max(x, c) with a constant has slope 0 where they meet, so relu is flat
// at 0; min(x, 0) has slope 1 there, so that max(x, 0) + min(x, 0) = x has slope 1 everywhere; two tensors share a tie,
// half each.
#include "differentiate/Arithmetic.h"
#include <cmath>

using namespace mlir;
using namespace nacre;

// ---- nothing comes through -----------------------------------------------------------------------------------------
#define FLAT(Name)                                                                                                     \
  void Name::differentiate(ScalarCotangents &, Value) {}
FLAT(SignOp)
FLAT(FloorOp)
FLAT(CeilOp)
FLAT(RoundOp)
FLAT(FloorDivideOp)
FLAT(NotOp)
FLAT(LessOp)
FLAT(LessEqualOp)
FLAT(EqualOp)
FLAT(NotEqualOp)
FLAT(AndOp)
FLAT(OrOp)
FLAT(XorOp)
FLAT(RandomBitsOp)
#undef FLAT

// ---- one operand: x, the result y, the cotangent g -----------------------------------------------------------------
#define UNARY(Name, formula)                                                                                           \
  void Name::differentiate(ScalarCotangents &body, Value g) {                                                          \
    Arithmetic a(body);                                                                                                \
    [[maybe_unused]] Value x = getOperand();                                                                           \
    [[maybe_unused]] auto y = [&] { return body.output(*this); };                                                      \
    body.add(x, formula);                                                                                              \
  }
UNARY(NegateOp, a.negate(g))
UNARY(AbsoluteOp, a.mul(g, a.apply<SignOp>(x)))
UNARY(ExpOp, a.mul(g, y()))
UNARY(LogOp, a.div(g, x))
UNARY(Log1pOp, a.div(g, a.add(a.number(x.getType(), 1), x)))
UNARY(Expm1Op, a.mul(g, a.add(y(), a.number(x.getType(), 1))))
UNARY(SqrtOp, a.div(a.mul(g, 0.5), y()))
UNARY(RsqrtOp, a.mul(a.mul(g, -0.5), a.power(y(), 3)))
UNARY(SinOp, a.mul(g, a.apply<CosOp>(x)))
UNARY(CosOp, a.negate(a.mul(g, a.apply<SinOp>(x))))
UNARY(TanhOp, a.mul(g, a.sub(a.number(x.getType(), 1), a.power(y(), 2))))
UNARY(ErfOp, a.mul(a.mul(g, 2 / std::sqrt(M_PI)), a.apply<ExpOp>(a.negate(a.power(x, 2)))))
#undef UNARY

// ---- two operands --------------------------------------------------------------------------------------------------
void AddOp::differentiate(ScalarCotangents &body, Value g) {
  body.add(getLhs(), g);
  body.add(getRhs(), g);
}

void SubtractOp::differentiate(ScalarCotangents &body, Value g) {
  body.add(getLhs(), g);
  if (body.wants(getRhs()))
    body.add(getRhs(), Arithmetic(body).negate(g));
}

void MultiplyOp::differentiate(ScalarCotangents &body, Value g) {
  Arithmetic a(body);
  if (body.wants(getLhs()))
    body.add(getLhs(), a.mul(g, getRhs()));
  if (body.wants(getRhs()))
    body.add(getRhs(), a.mul(g, getLhs()));
}

void DivideOp::differentiate(ScalarCotangents &body, Value g) {
  Arithmetic a(body);
  if (body.wants(getLhs()))
    body.add(getLhs(), a.div(g, getRhs()));
  if (body.wants(getRhs()))
    body.add(getRhs(), a.negate(a.mul(g, a.div(body.output(*this), getRhs()))));
}

// x - y floor(x / y)
void RemainderOp::differentiate(ScalarCotangents &body, Value g) {
  Arithmetic a(body);
  body.add(getLhs(), g);
  if (body.wants(getRhs()))
    body.add(getRhs(), a.negate(a.mul(g, a.apply<FloorOp>(a.div(getLhs(), getRhs())))));
}

// A constant exponent n gives n x^(n-1) and no logarithm; otherwise x^0 has slope 0 in x, and 0^y slope 0 in y.
void PowerOp::differentiate(ScalarCotangents &body, Value g) {
  Arithmetic a(body);
  Value x = getLhs(), n = getRhs();
  if (auto exponent = literal(n)) {
    if (body.wants(x) && *exponent != 0)
      body.add(x, a.mul(a.mul(g, *exponent), a.power(x, *exponent - 1)));
    return;
  }
  Value zero = a.number(x.getType(), 0);
  if (body.wants(x)) {
    Value less = a.sub(n, a.number(n.getType(), 1));
    Value slope = a.mul(n, PowerOp::create(body.builder(), body.location(), x.getType(), x, less));
    body.add(x, a.select(a.equal(n, zero), {}, a.mul(g, slope)));
  }
  if (body.wants(n))
    body.add(n, a.select(a.equal(x, zero), {}, a.mul(g, a.mul(body.output(*this), a.apply<LogOp>(x)))));
}

/// `wins(a, b)`: strictly, the first one is the result y. Against a constant c, y beats c exactly where x does, so x
/// itself need not be kept.
template <typename Wins> static void choose(ScalarCotangents &body, Operation *op, Value g, Wins wins) {
  Arithmetic a(body);
  auto one = [&](Value mine, Value other) {
    if (!body.wants(mine))
      return;
    if (literal(other))
      return body.add(mine, a.select(wins(body.output(op), other), g, {}));
    Value whole = a.select(wins(mine, other), g, a.number(g.getType(), 0));
    body.add(mine, SelectOp::create(body.builder(), body.location(), g.getType(), a.equal(mine, other), a.mul(g, 0.5),
                                    whole));
  };
  one(op->getOperand(0), op->getOperand(1));
  one(op->getOperand(1), op->getOperand(0));
}

void MaximumOp::differentiate(ScalarCotangents &body, Value g) {
  choose(body, *this, g, [&](Value x, Value y) { return Arithmetic(body).less(y, x); });
}

void MinimumOp::differentiate(ScalarCotangents &body, Value g) {
  Arithmetic a(body);
  for (auto [mine, other] : {std::pair(getLhs(), getRhs()), std::pair(getRhs(), getLhs())})
    if (literal(other) == 0.0)
      return body.add(mine, a.select(a.lessEqual(mine, other), g, {}));
  choose(body, *this, g, [&](Value x, Value y) { return Arithmetic(body).less(x, y); });
}

// ---- neither primitive nor opaque ----------------------------------------------------------------------------------
void SelectOp::differentiate(ScalarCotangents &body, Value g) {
  Arithmetic a(body);
  if (body.wants(getYes()))
    body.add(getYes(), a.select(getCondition(), g, {}));
  if (body.wants(getNo()))
    body.add(getNo(), a.select(getCondition(), {}, g));
}

void CastOp::differentiate(ScalarCotangents &body, Value g) {
  if (isa<FloatType>(getOperand().getType()) && isa<FloatType>(getResult().getType()))
    body.add(getOperand(), Arithmetic(body).cast(g, getOperand().getType()));
}
