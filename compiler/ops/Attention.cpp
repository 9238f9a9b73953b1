// Attention: what makes one well formed, how its results are shaped, and its form from linalg on.
#include "differentiate/Piece.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "ops/Extents.h"
#include "ops/Ops.h"
#include "ops/Scalar.h"

using namespace mlir;
using namespace nacre;

template <typename Op> static SmallVector<unsigned> batchIndicesOf(Op op, unsigned rank) {
  SmallVector<unsigned> indices;
  for (unsigned index = 0; index < rank; ++index)
    if (index != op.getQuery() && index != op.getValue())
      indices.push_back(index);
  return indices;
}
SmallVector<unsigned> AttentionOp::batchIndices() { return batchIndicesOf(*this, rank()); }
SmallVector<unsigned> AttendOp::batchIndices() { return batchIndicesOf(*this, rank()); }

// ---- shapes --------------------------------------------------------------------------------------------------------
template <typename Op> static Extents extentsAlong(Op op, ArrayRef<unsigned> indices) {
  SmallVector<AffineExpr> list;
  for (unsigned index : indices)
    list.push_back(op.getExtents().getResult(index));
  return {AffineMap::get(0, op.getExtents().getNumSymbols(), list, op.getContext()), llvm::to_vector(op.getSizes())};
}

/// The indices of each result: of an attention y and lse; of a gradient dq, dk, dv, points.
static SmallVector<unsigned> axesOfResult(unsigned rank, unsigned query, unsigned value, bool backward,
                                          unsigned number) {
  SmallVector<unsigned> axes;
  for (unsigned index = 0; index < rank; ++index)
    if ((!backward && number == 0) || index != value)
      if (!backward || index != query)
        axes.push_back(index);
  if (!backward)
    return axes;
  unsigned key = rank, feature = rank + 1;
  axes.push_back(number == 0 || number >= 3 ? query : key);
  axes.push_back(number == 0 || number == 1 ? feature : number == 2 ? value : key);
  return axes;
}

std::optional<Extents> AttentionOp::knownExtents(Value result) {
  return extentsAlong(*this,
                      axesOfResult(rank(), getQuery(), getValue(), false, cast<OpResult>(result).getResultNumber()));
}

std::optional<Extents> AttentionGradientOp::knownExtents(Value result) {
  return extentsAlong(*this, axesOfResult(getExtents().getNumResults() - 2, getQuery(), getValue(), true,
                                          cast<OpResult>(result).getResultNumber()));
}

// ---- verification --------------------------------------------------------------------------------------------------
template <typename Op> static LogicalResult checkAttention(Op op, unsigned rank, bool backward) {
  unsigned before = Op::operandsBefore, loops = op.getExtents().getNumResults();
  if (rank < 2 || loops != rank + 2 || op.getExtents().getNumDims() != 0 ||
      op.getExtents().getNumSymbols() != op.getSizes().size())
    return op.emitOpError("needs the extents of its result, of the keys and of the features, over its sizes");
  if (op.getQuery() >= rank || op.getValue() >= rank || op.getQuery() == op.getValue())
    return op.emitOpError("has no query or no value among its indices");
  if (op.getInputs().size() < before || op.getMaps().size() != op.getInputs().size())
    return op.emitOpError() << "has " << op.getInputs().size() << " inputs and " << op.getMaps().size() << " maps";
  for (auto [input, map] : llvm::zip(op.getInputs(), op.getMaps().template getAsValueRange<AffineMapAttr>()))
    if (map.getNumDims() != loops || map.getNumSymbols() != op.getSizes().size() ||
        map.getNumResults() != cast<RankedTensorType>(input.getType()).getRank())
      return op.emitOpError("reads an input at other subscripts than it has axes");
  Block &body = op.getBody().front();
  auto real = dyn_cast<FloatType>(cast<RankedTensorType>(op->getResult(0).getType()).getElementType());
  if (!real)
    return op.emitOpError("is of real numbers");
  if (body.getNumArguments() != op.getInputs().size() - before + 1 || body.getArgument(0).getType() != real)
    return op.emitOpError("needs the product and the elements of its further inputs as arguments of its body");
  for (unsigned number = before; number < op.getInputs().size(); ++number)
    if (body.getArgument(number - before + 1).getType() !=
        cast<RankedTensorType>(op.getInputs()[number].getType()).getElementType())
      return op.emitOpError() << "gives element " << number << " in another type than its tensor";
  auto yield = dyn_cast<ScoreYieldOp>(body.getTerminator());
  if (!yield || llvm::any_of(yield.getValues().getTypes(), [&](Type type) { return type != real; }))
    return op.emitOpError("needs to yield numbers of its type");
  return success();
}

LogicalResult AttentionOp::verify() {
  if (failed(checkAttention(*this, rank(), false)))
    return failure();
  size_t yielded = getBody().front().getTerminator()->getNumOperands();
  return yielded == 1 || yielded == 2 ? success() : LogicalResult(emitOpError("yields a score and perhaps a factor"));
}

LogicalResult AttentionGradientOp::verify() {
  if (getNumResults() != 3 + getOthers().size())
    return emitOpError("has results for dq, dk, dv and each of the others");
  if (failed(checkAttention(*this, getExtents().getNumResults() - 2, true)))
    return failure();
  size_t yielded = getBody().front().getTerminator()->getNumOperands(), others = getOthers().size();
  return yielded == 2 + others || yielded == 3 + 2 * others
             ? success()
             : LogicalResult(emitOpError("yields a score, its derivatives and perhaps a factor and its derivatives"));
}

// ---- lowering ------------------------------------------------------------------------------------------------------
static bool isMinusInfinity(Value value) {
  auto number = value.getDefiningOp<NumberOp>();
  auto real = number ? dyn_cast<FloatAttr>(number.getValue()) : FloatAttr();
  return real && real.getValue().isInfinity() && real.getValue().isNegative();
}

/// Expressions that are at least 0 wherever the condition holds, as far as they are affine.
static void impliedBy(Value condition, bool negated, SmallVectorImpl<AffineExpr> &forms) {
  Operation *op = condition.getDefiningOp();
  if (isa_and_nonnull<NotOp>(op))
    return impliedBy(op->getOperand(0), !negated, forms);
  if (op && (negated ? isa<OrOp>(op) : isa<AndOp>(op))) {
    impliedBy(op->getOperand(0), negated, forms);
    return impliedBy(op->getOperand(1), negated, forms);
  }
  MLIRContext *context = condition.getContext();
  if (auto all = negated ? affineConditionsOfNot(condition, context) : affineConditions(condition, context))
    llvm::append_range(forms, *all);
}

/// Expressions that are all at least 0 wherever the score is not -inf, from a mask `if j <= i then s else -inf` or
/// `s + (if j <= i then 0 else -inf)`.
static void neededFor(Value score, SmallVectorImpl<AffineExpr> &forms) {
  Operation *op = score.getDefiningOp();
  if (auto choice = dyn_cast_or_null<SelectOp>(op)) {
    bool masksNo = isMinusInfinity(choice.getNo()), masksYes = isMinusInfinity(choice.getYes());
    if (masksNo == masksYes)
      return;
    impliedBy(choice.getCondition(), masksYes, forms);
    neededFor(masksNo ? choice.getYes() : choice.getNo(), forms);
  } else if (isa_and_nonnull<AddOp>(op)) {
    neededFor(op->getOperand(0), forms);
    neededFor(op->getOperand(1), forms);
  }
}

/// The results that somebody wants, in an op that writes them where it is told.
template <typename Op>
static void lowerAttention(Op op, unsigned rank, bool backward, ArrayRef<int64_t> others, LinalgLowering &lowering) {
  OpBuilder &builder = lowering.builder;
  Location location = op.getLoc();
  SmallVector<Value> inputs, sizes, inits;
  for (Value input : op.getInputs())
    inputs.push_back(lowering(input));
  for (Value size : op.getSizes())
    sizes.push_back(lowering(size));
  SmallVector<OpFoldResult> extents;
  for (AffineExpr extent : op.getExtents().getResults())
    extents.push_back(affine::makeComposedFoldedAffineApply(builder, location, AffineMap::get(0, sizes.size(), extent),
                                                            getAsOpFoldResult(sizes)));
  SmallVector<int64_t> places;
  for (OpResult result : op->getResults()) {
    if (result.use_empty() && (backward || result.getResultNumber() > 0))
      continue;
    SmallVector<OpFoldResult> shape;
    for (unsigned axis : axesOfResult(rank, op.getQuery(), op.getValue(), backward, result.getResultNumber()))
      shape.push_back(extents[axis]);
    places.push_back(result.getResultNumber());
    inits.push_back(
        tensor::EmptyOp::create(builder, location, shape, cast<RankedTensorType>(result.getType()).getElementType()));
  }
  Block &old = op.getBody().front();
  auto yield = cast<ScoreYieldOp>(old.getTerminator());
  SmallVector<AffineExpr> needed;
  neededFor(yield.getValues().front(), needed);
  auto attend =
      AttendOp::create(builder, location, ValueRange(inits).getTypes(), inputs, sizes, inits, op.getExtents(),
                       op.getMaps(), op.getQuery(), op.getValue(),
                       AffineMap::get(rank + 2, sizes.size(), needed, op.getContext()), places, others, backward);
  Block &body = attend.getBody().emplaceBlock();
  SmallVector<Value> indices;
  for (unsigned index = 0; index <= rank; ++index)
    indices.push_back(body.addArgument(builder.getIndexType(), location));
  indices.push_back({}); // the feature
  SmallVector<Value> elements;
  for (BlockArgument argument : old.getArguments())
    elements.push_back(body.addArgument(elementStorage(argument.getType()), location));
  OpBuilder inside = OpBuilder::atBlockEnd(&body);
  ScalarLowering scalar{inside, location, lowering.values, sizes, rank + 2, lowering.reassociate, indices};
  IRMapping scalars = lowerBody(scalar, old, [&](ScalarLowering &, unsigned number) { return elements[number]; });
  SmallVector<Value> values;
  for (Value value : yield.getValues())
    values.push_back(scalars.lookup(value));
  ScoreYieldOp::create(inside, location, values);
  for (auto [place, value] : llvm::zip(places, attend.getResults())) {
    Value result = value;
    if (result.getType() != op->getResult(place).getType())
      result = tensor::CastOp::create(builder, location, op->getResult(place).getType(), result);
    lowering.values.map(op->getResult(place), result);
  }
}

LogicalResult AttentionOp::lowerToLinalg(LinalgLowering &lowering) {
  lowerAttention(*this, rank(), false, {}, lowering);
  return success();
}

LogicalResult AttentionGradientOp::lowerToLinalg(LinalgLowering &lowering) {
  lowerAttention(*this, getExtents().getNumResults() - 2, true, getOthers(), lowering);
  return success();
}

void AttendOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  for (OpOperand &operand : getInputsMutable())
    if (isa<MemRefType>(operand.get().getType()))
      effects.emplace_back(MemoryEffects::Read::get(), &operand, SideEffects::DefaultResource::get());
  for (OpOperand &operand : getInitsMutable())
    if (isa<MemRefType>(operand.get().getType()))
      effects.emplace_back(MemoryEffects::Write::get(), &operand, SideEffects::DefaultResource::get());
}
