// Lowers constants, reshapes and joins. Reshapes are views where memory allows; a join copies each part into its place.
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "ops/Extents.h"
#include "ops/Ops.h"

using namespace mlir;
using namespace nacre;

static SmallVector<OpFoldResult> evaluate(LinalgLowering &lowering, Location location, AffineMap map,
                                          ValueRange symbols) {
  SmallVector<OpFoldResult> sizes, extents;
  for (Value symbol : symbols)
    sizes.push_back(lowering(symbol));
  for (AffineExpr extent : map.getResults())
    extents.push_back(affine::makeComposedFoldedAffineApply(lowering.builder, location,
                                                            AffineMap::get(0, map.getNumSymbols(), extent), sizes));
  return extents;
}

LogicalResult ConstantOp::lowerToLinalg(LinalgLowering &lowering) {
  RankedTensorType type = tensorStorage(cast<RankedTensorType>(getResult().getType()));
  auto value = cast<DenseElementsAttr>(getValue());
  if (value.getElementType().isInteger(1)) {
    SmallVector<int8_t> bytes;
    for (bool truth : value.getValues<bool>())
      bytes.push_back(truth);
    value = DenseElementsAttr::get(type, ArrayRef<int8_t>(bytes));
  } else if (value.getElementType() != type.getElementType()) {
    value = value.bitcast(type.getElementType());
  }
  lowering.values.map(getResult(), arith::ConstantOp::create(lowering.builder, getLoc(), type, cast<TypedAttr>(value)));
  return success();
}

namespace {
/// Axes of one shape that hold the same elements as axes of the other.
struct Groups {
  SmallVector<ReassociationIndices> from, to;
};
} // namespace

/// Equal axes at the front and at the back stay what they are; what is between is one group.
static Groups match(const std::optional<Extents> &from, size_t fromRank, AffineMap to, ValueRange symbols) {
  size_t toRank = to.getNumResults(), front = 0, back = 0, most = std::min(fromRank, toRank);
  auto equal = [&](size_t i, size_t j) {
    return from && sameExtent(from->map.getResult(i), from->symbols, to.getResult(j), symbols);
  };
  while (front < most && equal(front, front))
    ++front;
  while (front + back < most && equal(fromRank - 1 - back, toRank - 1 - back))
    ++back;
  // A group needs an axis on both sides.
  while ((front + back == fromRank || front + back == toRank) && !(fromRank == toRank && front + back == fromRank)) {
    if (back > 0)
      --back;
    else if (front > 0)
      --front;
    else
      break;
  }
  Groups groups;
  auto fill = [&](SmallVector<ReassociationIndices> &list, size_t rank) {
    for (size_t axis = 0; axis < front; ++axis)
      list.push_back({static_cast<int64_t>(axis)});
    if (front + back < rank)
      list.emplace_back();
    for (size_t axis = front; axis < rank - back; ++axis)
      list.back().push_back(axis);
    for (size_t axis = rank - back; axis < rank; ++axis)
      list.push_back({static_cast<int64_t>(axis)});
  };
  fill(groups.from, fromRank);
  fill(groups.to, toRank);
  return groups;
}

LogicalResult ReshapeOp::lowerToLinalg(LinalgLowering &lowering) {
  OpBuilder &builder = lowering.builder;
  RankedTensorType to = tensorStorage(cast<RankedTensorType>(getResult().getType()));
  Value value = lowering(getOperand());
  auto from = cast<RankedTensorType>(value.getType());
  Groups groups = match(extentsOf(getOperand()), from.getRank(), getExtents(), getSizes());
  bool collapse = static_cast<int64_t>(groups.from.size()) < from.getRank();
  bool expand = static_cast<int64_t>(groups.to.size()) < to.getRank() || (from.getRank() == 0 && to.getRank() != 0);
  if (collapse || (from.getRank() != 0 && to.getRank() == 0))
    value = tensor::CollapseShapeOp::create(builder, getLoc(), value,
                                            to.getRank() == 0 ? SmallVector<ReassociationIndices>() : groups.from);
  if (expand)
    value = tensor::ExpandShapeOp::create(
        builder, getLoc(), to, value,
        cast<RankedTensorType>(value.getType()).getRank() == 0 ? SmallVector<ReassociationIndices>() : groups.to,
        evaluate(lowering, getLoc(), getExtents(), getSizes()));
  if (value.getType() != to)
    value = tensor::CastOp::create(builder, getLoc(), to, value);
  lowering.values.map(getResult(), value);
  return success();
}

/// Single numbers, joined. Bufferisation looks at every pair of writes into one tensor and at all between them: a
/// hundred numbers stored one after the other, as the marks of which weights are finite, cost it ten seconds.
static Value joinNumbers(LinalgLowering &lowering, Location location, RankedTensorType type, ValueRange inputs) {
  SmallVector<Value> numbers;
  for (Value old : inputs) {
    Value part = lowering(old);
    auto partType = cast<RankedTensorType>(part.getType());
    if (!partType.hasStaticShape() || partType.getNumElements() != 1)
      return {};
    SmallVector<Value> origin(partType.getRank(), arith::ConstantIndexOp::create(lowering.builder, location, 0));
    numbers.push_back(tensor::ExtractOp::create(lowering.builder, location, part, origin));
  }
  return tensor::FromElementsOp::create(lowering.builder, location, type, numbers);
}

LogicalResult ConcatOp::lowerToLinalg(LinalgLowering &lowering) {
  OpBuilder &builder = lowering.builder;
  Location location = getLoc();
  RankedTensorType type = tensorStorage(cast<RankedTensorType>(getResult().getType()));
  if (type.hasStaticShape() && type.getNumElements() == static_cast<int64_t>(getInputs().size()))
    if (Value joined = joinNumbers(lowering, location, type, getInputs())) {
      lowering.values.map(getResult(), joined);
      return success();
    }
  SmallVector<OpFoldResult> extents = evaluate(lowering, location, getExtents(), getSizes());
  Value result = tensor::EmptyOp::create(builder, location, extents, type.getElementType());
  SmallVector<OpFoldResult> offsets(type.getRank(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(type.getRank(), builder.getIndexAttr(1));
  for (Value old : getInputs()) {
    Value part = lowering(old);
    SmallVector<OpFoldResult> lengths = tensor::getMixedSizes(builder, location, part);
    result = tensor::InsertSliceOp::create(builder, location, part, result, offsets, lengths, strides);
    offsets[getAxis()] = affine::makeComposedFoldedAffineApply(
        builder, location, builder.getAffineSymbolExpr(0) + builder.getAffineSymbolExpr(1),
        {offsets[getAxis()], lengths[getAxis()]});
  }
  lowering.values.map(getResult(), result);
  return success();
}

// Each piece is stored into its cells; bufferisation computes it there.
LogicalResult AssembleOp::lowerToLinalg(LinalgLowering &lowering) {
  OpBuilder &builder = lowering.builder;
  Location location = getLoc();
  RankedTensorType type = tensorStorage(cast<RankedTensorType>(getResult().getType()));
  SmallVector<OpFoldResult> extents = evaluate(lowering, location, getExtents(), getSizes());
  Value result = tensor::EmptyOp::create(builder, location, extents, type.getElementType());
  if (getZero()) {
    Value zero = arith::ConstantOp::create(builder, location, builder.getZeroAttr(type.getElementType()));
    result = linalg::FillOp::create(builder, location, zero, result).getResult(0);
  }
  for (auto [old, places, list] : llvm::zip(getPieces(), getOffsets().getAsValueRange<AffineMapAttr>(),
                                            getStrides().getAsRange<DenseI64ArrayAttr>())) {
    Value part = lowering(old);
    SmallVector<OpFoldResult> offsets = evaluate(lowering, location, places, getSizes()), strides;
    for (int64_t stride : list.asArrayRef())
      strides.push_back(builder.getIndexAttr(stride));
    result = tensor::InsertSliceOp::create(builder, location, part, result, offsets,
                                           tensor::getMixedSizes(builder, location, part), strides);
  }
  if (result.getType() != type)
    result = tensor::CastOp::create(builder, location, type, result);
  lowering.values.map(getResult(), result);
  return success();
}
