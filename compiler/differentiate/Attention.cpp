// The adjoint of an attention: nothing of the size of the scores is kept, the weights are computed again from lse.
//
//   p[i,j] = exp(s[i,j] - lse[i])      dp = w sum[e](dy[i,e] v[j,e])      ds = p (dp - D[i])     D[i] = sum[e](dy[i,e]
//   y[i,e]) dv[j,e] = sum[i](w p dy[i,e])      dq = sum[j](ds ds/d(qk) k)         dk = sum[i](ds ds/d(qk) q)
//
// w is the factor behind the softmax, 1 without one. Where q, k or v are read at fixed or repeated places, their
// cotangents are put there, or added up, like those of any equation.
#include "differentiate/Arithmetic.h"
#include "differentiate/Differentiate.h"
#include "differentiate/Piece.h"
#include "ops/Extents.h"

using namespace mlir;
using namespace nacre;

namespace {

/// Reverse mode over the body: what a value changes by with the product and with each further input.
class Slopes : public ScalarCotangents {
public:
  Slopes(Block &body, Value score, OpBuilder &builder) : body(body), build(builder), place(score.getLoc()) {
    for (Operation &op : body)
      forward.push_back(&op);
    sum[score] = Arithmetic(build, place).number(score.getType(), 1);
  }

  void by(ArrayRef<Value> arguments) {
    active.insert(arguments.begin(), arguments.end());
    for (Operation *op : forward)
      if (op->getNumResults() == 1 && isa<FloatType>(op->getResult(0).getType()) &&
          llvm::any_of(op->getOperands(), [&](Value operand) { return wants(operand); }))
        active.insert(op->getResult(0));
    for (Operation *op : llvm::reverse(forward)) {
      Value cotangent = op->getNumResults() == 1 ? sum.lookup(op->getResult(0)) : Value();
      if (!cotangent || isZero(cotangent))
        continue;
      place = op->getLoc();
      if (auto rule = dyn_cast<ScalarDerivative>(op))
        rule.differentiate(*this, cotangent);
    }
  }
  Value operator()(Value argument) {
    Value slope = sum.lookup(argument);
    return slope ? slope : Arithmetic(build, place).number(argument.getType(), 0);
  }

  OpBuilder &builder() override { return build; }
  Location location() override { return place; }
  bool wants(Value operand) override { return active.contains(operand); }
  Value output(Operation *op) override { return op->getResult(0); }
  void add(Value operand, Value contribution) override {
    if (!contribution || !wants(operand))
      return;
    Value &known = sum[operand];
    known = Arithmetic(*this).add(known, contribution);
  }

private:
  Block &body;
  OpBuilder &build;
  Location place;
  SmallVector<Operation *> forward;
  DenseSet<Value> active;
  DenseMap<Value, Value> sum;
};

AffineMap dimsOnly(ArrayRef<unsigned> dims, unsigned count, unsigned symbols, MLIRContext *context) {
  SmallVector<AffineExpr> list;
  for (unsigned dim : dims)
    list.push_back(getAffineDimExpr(dim, context));
  return AffineMap::get(count, symbols, list, context);
}

class Adjoint {
public:
  Adjoint(AttentionOp op, Cotangents &cotangents)
      : op(op), cotangents(cotangents), builder(cotangents.builder()), location(op.getLoc()), context(op.getContext()),
        rank(op.rank()), batch(op.batchIndices()) {}

  LogicalResult run() {
    for (unsigned number = AttentionOp::operandsBefore; number < op.getInputs().size(); ++number)
      if (isReal(op.getInputs()[number]) && cotangents.wants(op.getInputs()[number]))
        others.push_back(number - AttentionOp::operandsBefore);
    AttentionGradientOp gradient = makeGradient();
    unsigned key = op.keyIndex(), feature = op.featureIndex(), query = op.getQuery(), value = op.getValue();
    if (failed(contribute(0, gradient.getResult(0), {query, feature})) ||
        failed(contribute(1, gradient.getResult(1), {key, feature})) ||
        failed(contribute(2, gradient.getResult(2), {key, value})))
      return failure();
    for (auto [number, other] : llvm::enumerate(others))
      if (failed(contribute(other + AttentionOp::operandsBefore, gradient.getResult(3 + number), {query, key})))
        return failure();
    return success();
  }

private:
  SmallVector<unsigned> along(ArrayRef<unsigned> last) {
    SmallVector<unsigned> indices(batch);
    indices.append(last.begin(), last.end());
    return indices;
  }
  AffineExpr extent(unsigned index) { return op.getExtents().getResult(index); }
  RankedTensorType typeAlong(ArrayRef<unsigned> indices) {
    SmallVector<int64_t> shape;
    for (unsigned index : indices)
      shape.push_back(constantOf(extent(index)).value_or(ShapedType::kDynamic));
    return RankedTensorType::get(shape, cast<RankedTensorType>(op.getResult().getType()).getElementType());
  }

  /// sum[e](dy * y), in the shape of lse.
  Value rowSums(Value dy) {
    SmallVector<unsigned> axes, order;
    for (unsigned index = 0; index < rank; ++index)
      if (index != op.getValue())
        axes.push_back(index);
    order = axes;
    order.push_back(op.getValue());
    SmallVector<AffineExpr> extents, subscripts(rank);
    for (auto [place, index] : llvm::enumerate(order)) {
      extents.push_back(extent(index));
      subscripts[index] = getAffineDimExpr(place, context);
    }
    unsigned symbols = op.getSizes().size();
    AffineMap map = AffineMap::get(rank, symbols, subscripts, context);
    auto equation = EquationOp::create(
        builder, location, cast<RankedTensorType>(op.getLse().getType()), ValueRange{dy, op.getResult()}, op.getSizes(),
        AffineMapAttr::get(AffineMap::get(0, symbols, extents, context)), builder.getAffineMapArrayAttr({map, map}),
        ReductionKindAttr::get(context, ReductionKind::Sum));
    Block &block = equation.getBody().emplaceBlock();
    Type element = typeAlong({}).getElementType();
    Value a = block.addArgument(element, location), b = block.addArgument(element, location);
    OpBuilder inside = OpBuilder::atBlockEnd(&block);
    YieldOp::create(inside, location, Arithmetic(inside, location).mul(a, b));
    return equation;
  }

  AttentionGradientOp makeGradient() {
    Value dy = cotangents.of(op.getResult());
    unsigned symbols = op.getSizes().size(), loops = rank + 2;
    SmallVector<unsigned> result, rows;
    for (unsigned index = 0; index < rank; ++index) {
      result.push_back(index);
      if (index != op.getValue())
        rows.push_back(index);
    }
    SmallVector<Value> inputs(op.getInputs().take_front(3));
    SmallVector<Attribute> maps(op.getMaps().getValue().take_front(3));
    inputs.append({dy, op.getLse(), rowSums(dy)});
    Attribute byRow = AffineMapAttr::get(dimsOnly(rows, loops, symbols, context));
    maps.append({AffineMapAttr::get(dimsOnly(result, loops, symbols, context)), byRow, byRow});
    llvm::append_range(inputs, op.getInputs().drop_front(3));
    llvm::append_range(maps, op.getMaps().getValue().drop_front(3));

    SmallVector<Type> types{typeAlong(along({unsigned(op.getQuery()), op.featureIndex()})),
                            typeAlong(along({op.keyIndex(), op.featureIndex()})),
                            typeAlong(along({op.keyIndex(), unsigned(op.getValue())}))};
    for (size_t number = 0; number < others.size(); ++number)
      types.push_back(typeAlong(along({unsigned(op.getQuery()), op.keyIndex()})));
    auto gradient = AttentionGradientOp::create(builder, location, types, inputs, op.getSizes(), op.getExtents(),
                                                builder.getArrayAttr(maps), op.getQuery(), op.getValue(), others);
    IRMapping copies;
    op.getBody().cloneInto(&gradient.getBody(), copies);
    Block &body = gradient.getBody().front();
    auto yield = cast<ScoreYieldOp>(body.getTerminator());
    SmallVector<Value> values(yield.getValues());
    yield.erase();
    OpBuilder inside = OpBuilder::atBlockEnd(&body);
    SmallVector<Value> wanted{body.getArgument(0)}, yielded;
    for (int64_t other : others)
      wanted.push_back(body.getArgument(other + 1));
    for (auto [number, value] : llvm::enumerate(values)) {
      Slopes slopes(body, value, inside);
      slopes.by(wanted);
      yielded.push_back(value);
      for (Value argument : ArrayRef(wanted).drop_front(number)) // the factor does not depend on the product
        yielded.push_back(slopes(argument));
    }
    inside.setInsertionPointToEnd(&body);
    ScoreYieldOp::create(inside, location, yielded);
    return gradient;
  }

  /// Adds `given`, over the indices of the attentions and `last`, to where input `number` was read.
  LogicalResult contribute(unsigned number, Value given, ArrayRef<unsigned> last) {
    Value tensor = op.getInputs()[number];
    if (!isReal(tensor) || !cotangents.wants(tensor))
      return success();
    Piece piece(context, location);
    piece.body = std::make_unique<Block>();
    piece.sizes = llvm::to_vector(op.getSizes());
    SmallVector<unsigned> indices = along(last);
    SmallVector<AffineExpr> own, moved(rank + 2, getAffineConstantExpr(0, context));
    for (auto [place, index] : llvm::enumerate(indices)) {
      piece.extents.push_back(extent(index));
      own.push_back(getAffineDimExpr(place, context));
      moved[index] = own.back();
    }
    piece.value = piece.read(given, own);
    for (AffineExpr subscript : cast<AffineMapAttr>(op.getMaps()[number]).getValue().getResults())
      piece.target.push_back(piece.simplify(subscript.replaceDims(moved)));
    FailureOr<Value> contribution = accumulate(builder, std::move(piece), tensor);
    if (failed(contribution))
      return failure();
    if (*contribution)
      cotangents.add(tensor, *contribution);
    return success();
  }

  AttentionOp op;
  Cotangents &cotangents;
  OpBuilder &builder;
  Location location;
  MLIRContext *context;
  unsigned rank;
  SmallVector<unsigned> batch;
  SmallVector<int64_t> others; // inputs behind v that are wanted, counted from there
};

} // namespace

LogicalResult AttentionOp::propagate(Cotangents &cotangents) {
  return cotangents.of(getResult()) ? Adjoint(*this, cotangents).run() : success();
}
