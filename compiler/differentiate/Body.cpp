// The adjoint of an index equation: reverse mode over its body, then one piece per read.
//
//   y[i, o] = sum[k](x[i, k] * w[o, k])     =>     dx[i, k] += dy[i, o] * w[o, k]     dw[o, k] += dy[i, o] * x[i, k]
//
// over the same box. What the pieces become is decided in Gather.cpp and Place.cpp.
#include "differentiate/Differentiate.h"
#include "differentiate/Piece.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>
#include <limits>
#include <numeric>

using namespace mlir;

namespace nacre {

namespace {

/// A copy of a body to which reads and numbers are added.
class OpenBody : public AdjointBody {
public:
  explicit OpenBody(IndexSpace space) : piece(space, originals), end(piece.atEnd()) {}

  Value operator()(Value original) override { return originals.lookupOrDefault(original); }
  Value read(Value tensor, ArrayRef<AffineExpr> subscripts) override { return piece.read(tensor, subscripts); }
  Value index(AffineExpr expression) override { return piece.indexValue(expression); }
  OpBuilder &builder() override {
    end.setInsertionPointToEnd(piece.body.get());
    return end;
  }
  Location location() override { return piece.location; }

private:
  IRMapping originals;

public:
  Piece piece;

private:
  OpBuilder end;
};

/// Reverse mode over a copy of a body. `result`: the tensor whose element the yielded value is, if it is one.
class ReverseBody : public OpenBody, public ScalarCotangents {
public:
  ReverseBody(IndexSpace space, Value yielded, Value result)
      : OpenBody(space), root((*this)(yielded)), result(result), place(space->getLoc()) {
    for (Operation &op : *piece.body)
      forward.push_back(&op);
  }

  OpBuilder &builder() override { return OpenBody::builder(); }
  Location location() override { return place; }
  bool wants(Value operand) override { return active.contains(operand); }
  void add(Value operand, Value contribution) override {
    if (!contribution || !wants(operand))
      return;
    Value &sum = cotangent[operand];
    sum = Arithmetic(*this).add(sum, contribution);
  }
  Value output(Operation *op) override {
    if (!result || op->getResult(0) != root)
      return op->getResult(0);
    SmallVector<AffineExpr> axes;
    for (unsigned axis = 0; axis < cast<RankedTensorType>(result.getType()).getRank(); ++axis)
      axes.push_back(piece.index(axis));
    return piece.read(result, axes);
  }

  LogicalResult run(IndexSpace space, Cotangents &cotangents, llvm::function_ref<Value(AdjointBody &)> seed) {
    size_t inputs = piece.reads.size();
    for (size_t number = 0; number < inputs; ++number)
      if (isReal(piece.reads[number].tensor) && cotangents.wants(piece.reads[number].tensor))
        active.insert(piece.body->getArgument(number));
    for (Operation *op : forward) {
      auto element = dyn_cast<ElementOp>(op);
      bool reached = element ? isReal(element.getTensor()) && cotangents.wants(element.getTensor())
                             : llvm::any_of(op->getOperands(), [&](Value operand) { return wants(operand); });
      if (reached && isa<FloatType>(op->getResult(0).getType()))
        active.insert(op->getResult(0));
    }
    add(root, seed(*this));
    for (Operation *op : llvm::reverse(forward)) {
      auto found = cotangent.find(op->getResult(0));
      if (found == cotangent.end() || isZero(found->second) || isa<ElementOp>(op))
        continue;
      place = op->getLoc();
      if (auto rule = dyn_cast<ScalarDerivative>(op))
        rule.differentiate(*this, Value(found->second));
    }
    // x + b and its like have one cotangent for several reads: the one that is read at every point holds it as a tensor
    // from which the others sum.
    DenseMap<Value, std::pair<Value, SmallVector<AffineExpr>>> whole;
    SmallVector<size_t> order(inputs);
    std::iota(order.begin(), order.end(), 0);
    std::stable_partition(order.begin(), order.end(), [&](size_t number) { return readsEveryPoint(number); });
    for (size_t number : order) {
      Value g = cotangent.lookup(piece.body->getArgument(number));
      if (!g)
        continue;
      Read target = piece.reads[number];
      if (auto known = whole.find(g); known != whole.end()) {
        auto [tensor, subscripts] = known->second;
        g = piece.read(tensor, subscripts);
      }
      FailureOr<Value> sum = contribute(target.tensor, g, target.subscripts, {}, {}, cotangents);
      if (failed(sum))
        return failure();
      if (*sum && readsEveryPoint(number) && !whole.contains(g) && isWorthSharing(g))
        whole[g] = {*sum, target.subscripts};
    }
    for (Operation *op : forward)
      if (auto element = dyn_cast<ElementOp>(op))
        if (Value g = cotangent.lookup(element.getResult()))
          if (failed(contributeAt(element, g, cotangents)))
            return failure();
    return success();
  }

private:
  bool readsEveryPoint(size_t number) {
    DenseSet<unsigned> seen;
    for (AffineExpr subscript : piece.reads[number].subscripts) {
      auto index = dyn_cast<AffineDimExpr>(subscript);
      if (!index || !seen.insert(index.getPosition()).second)
        return false;
    }
    return seen.size() == piece.indexCount();
  }

  /// Not a mere read, nor a choice by indices, which bounds the box of each piece instead.
  bool isWorthSharing(Value g) {
    auto choice = g.getDefiningOp<SelectOp>();
    return g.getDefiningOp() && !g.getDefiningOp<NumberOp>() &&
           !(choice && affineConditions(choice.getCondition(), piece.context));
  }

  FailureOr<Value> contribute(Value tensor, Value g, ArrayRef<AffineExpr> target, ArrayRef<Value> gathered,
                              ArrayRef<AffineExpr> guards, Cotangents &cotangents) {
    Value old = piece.value;
    piece.value = g;
    piece.target = llvm::to_vector(target);
    piece.gathered = llvm::to_vector(gathered);
    piece.guards = llvm::to_vector(guards);
    FailureOr<Value> contribution = accumulate(cotangents.builder(), piece.clone(), tensor);
    piece.value = old;
    if (succeeded(contribution) && *contribution)
      cotangents.add(tensor, *contribution);
    return contribution;
  }

  /// A gathered read; where its subscripts are affine after all, it is like any other, but may be out of range.
  LogicalResult contributeAt(ElementOp element, Value g, Cotangents &cotangents) {
    SmallVector<AffineExpr> target, guards;
    SmallVector<Value> gathered;
    for (auto [axis, subscript] : llvm::enumerate(element.getSubscripts())) {
      AffineExpr affine = affineOf(subscript, piece.context);
      AffineExpr extent = affine ? piece.extentOf(element.getTensor(), axis) : AffineExpr();
      target.push_back(extent ? affine : AffineExpr());
      gathered.push_back(extent ? Value() : subscript);
      if (extent && !(element.getProved() && (*element.getProved())[axis])) {
        guards.push_back(affine);
        guards.push_back(extent - 1 - affine);
      }
    }
    return contribute(element.getTensor(), g, target, gathered, guards, cotangents);
  }

  Value root, result;
  Location place;
  SmallVector<Operation *> forward;
  DenseSet<Value> active;
  DenseMap<Value, Value> cotangent;
};

/// The reduced indices of an equation as one number, row-major, as i64.
Value position(EquationOp equation, AdjointBody &body) {
  MLIRContext *context = equation.getContext();
  AffineExpr number = getAffineConstantExpr(0, context);
  Value computed;
  for (unsigned index = equation.parallelCount(); index < equation.loopCount(); ++index) {
    AffineExpr extent = equation.getExtents().getResult(index), dim = getAffineDimExpr(index, context);
    auto constant = constantOf(extent);
    if (constant && !computed) {
      number = number * *constant + dim;
      continue;
    }
    Value before = computed ? computed : body.index(number), count = body.index(extent), here = body.index(dim);
    OpBuilder &builder = body.builder();
    Location location = equation.getLoc();
    Value scaled = MultiplyOp::create(builder, location, before.getType(), before, count);
    computed = AddOp::create(builder, location, before.getType(), scaled, here);
  }
  return computed ? computed : body.index(number);
}

Value yieldedBy(EquationOp equation) { return cast<YieldOp>(equation.getBody().front().getTerminator()).getValue(); }

SmallVector<AffineExpr> axesOf(EquationOp equation) {
  SmallVector<AffineExpr> axes;
  for (unsigned axis = 0; axis < equation.parallelCount(); ++axis)
    axes.push_back(getAffineDimExpr(axis, equation.getContext()));
  return axes;
}

/// A reduction over the same box, right behind the equation: it is done while what was read is at hand.
Value reduceBeside(EquationOp equation, ReductionKind kind, llvm::function_ref<Value(AdjointBody &, Value)> summand) {
  OpenBody body(equation);
  body.piece.value = summand(body, body(yieldedBy(equation)));
  SmallVector<unsigned> axes;
  for (unsigned axis = 0; axis < equation.parallelCount(); ++axis)
    axes.push_back(axis);
  OpBuilder builder(equation);
  builder.setInsertionPointAfter(equation);
  return body.piece.equation(builder, axes, body.piece.value.getType(), kind);
}

// The first extremal element takes all: its place is kept, as a number below everything that is no place.
LogicalResult propagateExtremum(EquationOp equation, Value dy, Cotangents &cotangents) {
  MLIRContext *context = equation.getContext();
  int64_t count = 1;
  bool known = true;
  for (AffineExpr extent : equation.getExtents().getResults().drop_front(equation.parallelCount())) {
    known &= constantOf(extent).has_value();
    count *= constantOf(extent).value_or(1);
  }
  Type number = IntegerType::get(context, known && count < std::numeric_limits<int32_t>::max() ? 32 : 64);
  SmallVector<AffineExpr> axes = axesOf(equation);
  auto place = [&](AdjointBody &body) {
    Value here = position(equation, body);
    return here.getType() == number ? here : CastOp::create(body.builder(), body.location(), number, here).getResult();
  };
  Value first = reduceBeside(equation, ReductionKind::Minimum, [&](AdjointBody &body, Value element) {
    Value here = place(body), best = body.read(equation, axes);
    OpBuilder &builder = body.builder();
    Location location = body.location();
    Value none = NumberOp::create(
        builder, location,
        cast<TypedAttr>(builder.getIntegerAttr(number, APInt::getSignedMaxValue(number.getIntOrFloatBitWidth()))));
    Value reaches = EqualOp::create(builder, location, builder.getI1Type(), element, best);
    return SelectOp::create(builder, location, number, reaches, here, none).getResult();
  });
  return ReverseBody(equation, yieldedBy(equation), Value()).run(equation, cotangents, [&](AdjointBody &body) {
    Value here = place(body), winner = body.read(first, axes), g = body.read(dy, axes);
    Arithmetic a(body.builder(), body.location());
    return a.select(a.equal(winner, here), g, {});
  });
}

// Without zeros dx = dy y / x. One zero takes dy times the product of the others; of two or more, none gets anything.
LogicalResult propagateProduct(EquationOp equation, Value dy, Cotangents &cotangents) {
  SmallVector<AffineExpr> axes = axesOf(equation);
  auto isZeroElement = [](AdjointBody &body, Value element) {
    Arithmetic a(body.builder(), body.location());
    return a.equal(element, a.number(element.getType(), 0));
  };
  auto number = [](AdjointBody &body, Type type, double value) {
    return Arithmetic(body.builder(), body.location()).number(type, value);
  };
  Value zeros = reduceBeside(equation, ReductionKind::Sum, [&](AdjointBody &body, Value x) {
    return Arithmetic(body.builder(), body.location()).select(isZeroElement(body, x), number(body, x.getType(), 1), {});
  });
  Value others = reduceBeside(equation, ReductionKind::Product, [&](AdjointBody &body, Value x) {
    return SelectOp::create(body.builder(), body.location(), x.getType(), isZeroElement(body, x),
                            number(body, x.getType(), 1), x)
        .getResult();
  });
  Value yielded = yieldedBy(equation);
  return ReverseBody(equation, yielded, Value()).run(equation, cotangents, [&](AdjointBody &body) {
    Value x = body(yielded), count = body.read(zeros, axes), rest = body.read(others, axes), g = body.read(dy, axes);
    Arithmetic a(body.builder(), body.location());
    Value none = a.equal(count, number(body, x.getType(), 0)), one = a.equal(count, number(body, x.getType(), 1));
    Value alone = a.select(a.both(one, isZeroElement(body, x)), rest, {});
    return a.mul(g, a.select(none, a.div(rest, x), alone));
  });
}

} // namespace

LogicalResult propagateBody(IndexSpace space, Value yielded, Cotangents &cotangents,
                            llvm::function_ref<Value(AdjointBody &)> seed) {
  return ReverseBody(space, yielded, Value()).run(space, cotangents, seed);
}

} // namespace nacre

using namespace nacre;

LogicalResult EquationOp::propagate(Cotangents &cotangents) {
  Value dy = cotangents.of(getResult());
  std::optional<ReductionKind> kind = getReduction();
  if (kind == ReductionKind::Maximum || kind == ReductionKind::Minimum)
    return propagateExtremum(*this, dy, cotangents);
  if (kind == ReductionKind::Product)
    return propagateProduct(*this, dy, cotangents);
  if (kind && kind != ReductionKind::Sum)
    return success(); // positions and truth values
  Value result = kind ? Value() : Value(getResult());
  return ReverseBody(*this, yieldedBy(*this), result).run(*this, cotangents, [&](AdjointBody &body) {
    return body.read(dy, axesOf(*this));
  });
}
