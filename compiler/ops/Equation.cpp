// The index equation: what makes one well formed.
#include "mlir/IR/OpImplementation.h"
#include "ops/Extents.h"
#include "ops/Format.h"
#include "ops/Ops.h"

using namespace mlir;
using namespace nacre;

/// The static extents of a type must be what the map says; where the map gives a constant, the type must be static.
static LogicalResult checkExtents(Operation *op, AffineMap map, RankedTensorType type) {
  for (auto [axis, extent] : llvm::enumerate(type.getShape())) {
    auto constant = dyn_cast<AffineConstantExpr>(map.getResult(axis));
    if (constant ? constant.getValue() != extent : !ShapedType::isDynamic(extent))
      return op->emitOpError() << "has extents " << AffineMapAttr::get(map) << ", which on axis " << axis
                               << " is not what the type says: " << type;
  }
  return success();
}

static LogicalResult checkSymbols(Operation *op, AffineMap map, size_t sizes) {
  if (map.getNumDims() != 0)
    return op->emitOpError("gives extents in terms of indices: ") << AffineMapAttr::get(map);
  if (map.getNumSymbols() != sizes)
    return op->emitOpError() << "has " << sizes << " sizes, but its extents have " << map.getNumSymbols() << " symbols";
  return success();
}

/// The inputs of an index space, their maps and the elements that the body is given.
static LogicalResult checkReads(IndexSpace space) {
  Operation *op = space;
  ValueRange inputs = space.getInputs();
  unsigned loops = space.getExtents().getNumResults();
  if (inputs.size() != space.getMaps().size())
    return op->emitOpError() << "has " << inputs.size() << " inputs and " << space.getMaps().size() << " maps";
  Block &block = space.getBody().front();
  if (block.getNumArguments() != inputs.size())
    return op->emitOpError() << "has " << inputs.size() << " inputs and " << block.getNumArguments()
                             << " block arguments";
  for (auto [number, input, attribute, argument] :
       llvm::enumerate(inputs, space.getMaps().getAsValueRange<AffineMapAttr>(), block.getArguments())) {
    auto type = cast<RankedTensorType>(input.getType());
    AffineMap map = attribute;
    if (map.getNumDims() != loops || map.getNumSymbols() != space.getSizes().size())
      return op->emitOpError() << "reads input " << number << " at " << AffineMapAttr::get(map) << ", but has " << loops
                               << " indices and " << space.getSizes().size() << " sizes";
    if (map.getNumResults() != type.getRank())
      return op->emitOpError() << "reads input " << number << " of rank " << type.getRank() << " at "
                               << map.getNumResults() << " subscripts";
    if (argument.getType() != type.getElementType())
      return op->emitOpError() << "gives element " << number << " as " << argument.getType() << ", its tensor is "
                               << type;
  }
  return success();
}

AffineMap EquationOp::extentsMap() {
  AffineMap all = getExtents();
  return AffineMap::get(0, all.getNumSymbols(), all.getResults().take_front(parallelCount()), getContext());
}

LogicalResult EquationOp::verify() {
  AffineMap extents = getExtents();
  if (failed(checkSymbols(*this, extents, getSizes().size())))
    return failure();
  if (loopCount() < parallelCount())
    return emitOpError() << "has " << loopCount() << " extents for a result of rank " << parallelCount();
  unsigned reduced = loopCount() - parallelCount();
  if (reduced != 0 && !getReduction())
    return emitOpError() << "has " << reduced << " reduced indices and no reduction";
  bool position = getReduction() == ReductionKind::ArgMax || getReduction() == ReductionKind::ArgMin;
  if (position && reduced != 1)
    return emitOpError() << stringifyEnum(*getReduction()) << " is over one index, not " << reduced;
  if (failed(checkExtents(*this, extentsMap(), getType())))
    return failure();

  if (failed(checkReads(*this)))
    return failure();
  auto yield = dyn_cast<YieldOp>(getBody().front().getTerminator());
  if (!yield)
    return emitOpError("needs `nacre.yield` at the end of its body");
  Type element = getType().getElementType(), value = yield.getValue().getType();
  bool truth = getReduction() == ReductionKind::Any || getReduction() == ReductionKind::All;
  if (position ? !element.isInteger(32) : element != value)
    return emitOpError() << "yields " << value << " for a result of " << element;
  if (truth && !element.isInteger(1))
    return emitOpError() << stringifyEnum(*getReduction()) << " reduces truth values, not " << element;
  return success();
}

LogicalResult ReshapeOp::verify() {
  if (getExtents().getNumResults() != cast<RankedTensorType>(getResult().getType()).getRank())
    return emitOpError("needs one extent per axis of the result");
  if (failed(checkSymbols(*this, getExtents(), getSizes().size())))
    return failure();
  auto from = cast<RankedTensorType>(getOperand().getType()), to = cast<RankedTensorType>(getResult().getType());
  if (from.getElementType() != to.getElementType())
    return emitOpError() << "changes the element type from " << from.getElementType() << " to " << to.getElementType();
  if (from.hasStaticShape() && to.hasStaticShape() && from.getNumElements() != to.getNumElements())
    return emitOpError() << "turns " << from.getNumElements() << " elements into " << to.getNumElements();
  return checkExtents(*this, getExtents(), to);
}

LogicalResult ConcatOp::verify() {
  auto type = cast<RankedTensorType>(getResult().getType());
  if (getInputs().empty())
    return emitOpError("joins nothing");
  if (getAxis() >= static_cast<uint64_t>(type.getRank()))
    return emitOpError() << "joins along axis " << getAxis() << " of a tensor of rank " << type.getRank();
  if (getExtents().getNumResults() != type.getRank())
    return emitOpError("needs one extent per axis of the result");
  if (failed(checkSymbols(*this, getExtents(), getSizes().size())))
    return failure();
  for (Type operand : getInputs().getTypes()) {
    auto tensor = cast<RankedTensorType>(operand);
    if (tensor.getRank() != type.getRank() || tensor.getElementType() != type.getElementType())
      return emitOpError() << "joins " << tensor << " into " << type;
  }
  return checkExtents(*this, getExtents(), type);
}

LogicalResult AssembleOp::verify() {
  auto type = cast<RankedTensorType>(getResult().getType());
  if (getExtents().getNumResults() != type.getRank())
    return emitOpError("needs one extent per axis of the result");
  if (failed(checkSymbols(*this, getExtents(), getSizes().size())))
    return failure();
  if (getOffsets().size() != getPieces().size() || getStrides().size() != getPieces().size())
    return emitOpError() << "has " << getPieces().size() << " pieces, " << getOffsets().size() << " offsets and "
                         << getStrides().size() << " strides";
  for (auto [piece, offsets, list] :
       llvm::zip(getPieces(), getOffsets().getAsValueRange<AffineMapAttr>(), getStrides())) {
    auto part = cast<RankedTensorType>(piece.getType());
    if (part.getRank() != type.getRank() || part.getElementType() != type.getElementType())
      return emitOpError() << "puts " << part << " into " << type;
    auto strides = dyn_cast<DenseI64ArrayAttr>(list);
    if (!strides || strides.size() != type.getRank() || offsets.getNumResults() != type.getRank())
      return emitOpError("needs an offset and a stride per axis of every piece");
    if (offsets.getNumDims() != 0 || offsets.getNumSymbols() != getSizes().size())
      return emitOpError() << "gives an offset over other than its sizes: " << AffineMapAttr::get(offsets);
    for (auto [axis, stride] : llvm::enumerate(strides.asArrayRef())) {
      auto offset = dyn_cast<AffineConstantExpr>(offsets.getResult(axis));
      if (stride < 1 || (offset && offset.getValue() < 0))
        return emitOpError() << "has a negative offset or no stride on axis " << axis;
      bool known = offset && !part.isDynamicDim(axis) && !type.isDynamicDim(axis);
      if (known && part.getDimSize(axis) > 0 &&
          offset.getValue() + stride * (part.getDimSize(axis) - 1) >= type.getDimSize(axis))
        return emitOpError() << "puts " << part << " beyond the end of axis " << axis << " of " << type;
    }
  }
  return checkExtents(*this, getExtents(), type);
}

std::optional<Extents> GradientOp::knownExtents(Value) { return extentsOf(getWrt()); }
std::optional<Extents> StopGradientOp::knownExtents(Value) { return extentsOf(getOperand()); }

LogicalResult KeepOp::verify() {
  Block &block = getBody().front();
  if (block.getArgumentTypes() != getInputs().getTypes())
    return emitOpError("has operands of other types than its block arguments");
  auto yield = dyn_cast<YieldOp>(block.getTerminator());
  if (!yield || yield.getValue().getType() != getResult().getType())
    return emitOpError("needs to yield a value of its result type");
  return success();
}

LogicalResult IndexOp::verify() {
  AffineMap map = getExpression();
  auto check = [&](auto space) -> LogicalResult {
    unsigned loops = space.getExtents().getNumResults();
    if (map.getNumResults() != 1 || map.getNumDims() != loops || map.getNumSymbols() != space.getSizes().size())
      return emitOpError() << "needs one expression over " << loops << " indices and " << space.getSizes().size()
                           << " sizes, not " << AffineMapAttr::get(map);
    return success();
  };
  if (auto space = (*this)->getParentOfType<IndexSpace>())
    return check(space);
  if (auto attention = (*this)->getParentOfType<AttentionOp>())
    return check(attention);
  if (auto gradient = (*this)->getParentOfType<AttentionGradientOp>())
    return check(gradient);
  return emitOpError("stands outside an equation");
}

LogicalResult ElementOp::verify() {
  size_t rank = cast<RankedTensorType>(getTensor().getType()).getRank();
  if (getSubscripts().size() != rank)
    return emitOpError() << "has " << getSubscripts().size() << " subscripts into a tensor of rank " << rank;
  if (getProved() && getProved()->size() != rank)
    return emitOpError("marks another number of subscripts than it has");
  return success();
}

LogicalResult ScatterOp::verify() {
  if (failed(checkSymbols(*this, getExtents(), getSizes().size())) || failed(checkReads(*this)))
    return failure();
  if (getInit().getType() != getResult().getType())
    return emitOpError() << "turns " << getInit().getType() << " into " << getResult().getType();
  auto yield = dyn_cast<ScatterYieldOp>(getBody().front().getTerminator());
  if (!yield)
    return emitOpError("needs `nacre.scatter_yield` at the end of its body");
  RankedTensorType type = getType();
  if (yield.getValue().getType() != type.getElementType())
    return emitOpError() << "adds " << yield.getValue().getType() << " to " << type;
  if (yield.getSubscripts().size() != static_cast<size_t>(type.getRank()))
    return emitOpError() << "has " << yield.getSubscripts().size() << " subscripts into a tensor of rank "
                         << type.getRank();
  return success();
}

template <typename Op> static LogicalResult checkAxis(Op op) {
  auto type = cast<RankedTensorType>(op.getOperand().getType());
  if (op.getAxis() >= static_cast<uint64_t>(type.getRank()))
    return op.emitOpError() << "runs along axis " << op.getAxis() << " of a tensor of rank " << type.getRank();
  return success();
}

LogicalResult CumulativeSumOp::verify() { return checkAxis(*this); }
LogicalResult PermutationOp::verify() {
  auto type = cast<RankedTensorType>(getOperand().getType());
  if (getResult().getType() != type.clone(IntegerType::get(getContext(), 32)))
    return emitOpError() << "gives subscripts into " << type << " as " << getResult().getType();
  return checkAxis(*this);
}

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }
OpFoldResult ReshapeOp::fold(FoldAdaptor) {
  auto type = cast<RankedTensorType>(getResult().getType());
  return getOperand().getType() == type && type.hasStaticShape() ? getOperand() : Value();
}

#define GET_OP_CLASSES
#include "ops/Ops.cpp.inc"
