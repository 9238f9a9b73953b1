// Scalar arithmetic that knows zeros: null is a zero for certain, and a choice whose other arm is zero stays outermost,
// so that an infinity or NaN on the side that was not chosen never meets a factor.
#pragma once
#include "ops/Ops.h"

namespace nacre {

class Arithmetic {
public:
  Arithmetic(mlir::OpBuilder &builder, mlir::Location location) : builder(builder), location(location) {}
  explicit Arithmetic(ScalarCotangents &body) : builder(body.builder()), location(body.location()) {}

  mlir::Value number(mlir::Type, double);
  mlir::Value add(mlir::Value, mlir::Value);
  mlir::Value sub(mlir::Value, mlir::Value);
  mlir::Value negate(mlir::Value);
  mlir::Value mul(mlir::Value, mlir::Value);
  mlir::Value mul(mlir::Value, double);
  mlir::Value div(mlir::Value, mlir::Value);
  mlir::Value select(mlir::Value condition, mlir::Value yes, mlir::Value no);
  mlir::Value cast(mlir::Value, mlir::Type);

  mlir::Value less(mlir::Value a, mlir::Value b) { return make<LessOp>(builder.getI1Type(), a, b); }
  mlir::Value lessEqual(mlir::Value a, mlir::Value b) { return make<LessEqualOp>(builder.getI1Type(), a, b); }
  mlir::Value equal(mlir::Value a, mlir::Value b) { return make<EqualOp>(builder.getI1Type(), a, b); }
  mlir::Value both(mlir::Value a, mlir::Value b) { return make<AndOp>(builder.getI1Type(), a, b); }
  template <typename Op> mlir::Value apply(mlir::Value x) { return make<Op>(x.getType(), x); }
  mlir::Value power(mlir::Value x, double exponent);

private:
  template <typename Op, typename... Operands> mlir::Value make(mlir::Type type, Operands... operands) {
    return Op::create(builder, location, type, operands...);
  }
  mlir::OpBuilder &builder;
  mlir::Location location;
};

/// The literal that a scalar is, if it is one.
std::optional<double> literal(mlir::Value);
/// Null, or the literal 0.
bool isZero(mlir::Value);

} // namespace nacre
