// Ops on whole tensors: each passes its cotangent on in another shape or in parts.
#include "differentiate/Differentiate.h"
#include "differentiate/Piece.h"

using namespace mlir;
using namespace nacre;

/// dy read at `subscripts`, in the shape of `like`.
static FailureOr<Value> part(OpBuilder &builder, Location location, Value dy, Value like,
                             llvm::function_ref<SmallVector<AffineExpr>(Piece &)> subscripts) {
  std::optional<Extents> extents = extentsOf(like);
  if (!extents)
    return emitError(location, "the shape of a derivative is not known here"), failure();
  Piece piece(builder.getContext(), location);
  piece.sizes = extents->symbols;
  piece.extents = llvm::to_vector(extents->map.getResults());
  piece.body = std::make_unique<Block>();
  piece.value = piece.read(dy, subscripts(piece));
  SmallVector<unsigned> axes;
  for (unsigned axis = 0; axis < piece.indexCount(); ++axis)
    axes.push_back(axis);
  return piece.equation(builder, axes, cast<RankedTensorType>(like.getType()).getElementType());
}

LogicalResult ReshapeOp::propagate(Cotangents &cotangents) {
  Value dy = cotangents.of(getResult());
  std::optional<Extents> extents = extentsOf(getOperand());
  if (!extents)
    return emitError("the shape of a derivative is not known here");
  cotangents.add(getOperand(), ReshapeOp::create(cotangents.builder(), getLoc(), getOperand().getType(), dy,
                                                 extents->symbols, AffineMapAttr::get(extents->map)));
  return success();
}

LogicalResult ConcatOp::propagate(Cotangents &cotangents) {
  Value dy = cotangents.of(getResult());
  for (auto [number, input] : llvm::enumerate(getInputs())) {
    if (!cotangents.wants(input))
      continue;
    FailureOr<Value> slice = part(cotangents.builder(), getLoc(), dy, input, [&](Piece &piece) {
      SmallVector<AffineExpr> subscripts;
      for (unsigned axis = 0; axis < piece.indexCount(); ++axis)
        subscripts.push_back(piece.index(axis));
      for (Value before : getInputs().take_front(number))
        subscripts[getAxis()] = subscripts[getAxis()] + piece.extentOf(before, getAxis());
      return subscripts;
    });
    if (failed(slice))
      return failure();
    cotangents.add(input, *slice);
  }
  return success();
}

LogicalResult AssembleOp::propagate(Cotangents &cotangents) {
  Value dy = cotangents.of(getResult());
  for (auto [input, offsets, strides] : llvm::zip(getPieces(), getOffsets().getAsValueRange<AffineMapAttr>(),
                                                  getStrides().getAsRange<DenseI64ArrayAttr>())) {
    if (!cotangents.wants(input))
      continue;
    FailureOr<Value> slice = part(cotangents.builder(), getLoc(), dy, input, [&](Piece &piece) {
      SmallVector<AffineExpr> subscripts;
      for (unsigned axis = 0; axis < piece.indexCount(); ++axis)
        subscripts.push_back(piece.index(axis) * strides[axis] + piece.adopt(offsets.getResult(axis), getSizes()));
      return subscripts;
    });
    if (failed(slice))
      return failure();
    cotangents.add(input, *slice);
  }
  return success();
}

/// An element counts in every sum from its own on: the sums of the cotangents from the other end.
LogicalResult CumulativeSumOp::propagate(Cotangents &cotangents) {
  Value dy = cotangents.of(getResult());
  cotangents.add(getOperand(),
                 CumulativeSumOp::create(cotangents.builder(), getLoc(), dy.getType(), dy, getAxis(), !getReverse()));
  return success();
}
