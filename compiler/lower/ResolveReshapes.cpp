// Reshapes of dense buffers become descriptors with other sizes and strides. Upstream's lowering of them does not take
// two dynamic extents in one group, which reshape(x, [b, _]) of dynamic sizes needs.
#include "Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace nacre {
#define GEN_PASS_DEF_RESOLVERESHAPES
#include "Passes.h.inc"
} // namespace nacre

using namespace mlir;

static OpFoldResult multiply(OpBuilder &builder, Location location, OpFoldResult a, OpFoldResult b) {
  auto x = getConstantIntValue(a), y = getConstantIntValue(b);
  if (x && y)
    return builder.getIndexAttr(*x * *y);
  if (x == 1 || y == 1)
    return x == 1 ? b : a;
  Value product = arith::MulIOp::create(builder, location, getValueOrCreateConstantIndexOp(builder, location, a),
                                        getValueOrCreateConstantIndexOp(builder, location, b));
  return product;
}

static SmallVector<OpFoldResult> sizesOf(OpBuilder &builder, memref::ExpandShapeOp op) {
  return getMixedValues(op.getStaticOutputShape(), op.getOutputShape(), builder);
}

static SmallVector<OpFoldResult> sizesOf(OpBuilder &builder, memref::CollapseShapeOp op) {
  SmallVector<OpFoldResult> sizes;
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    OpFoldResult size = builder.getIndexAttr(1);
    for (int64_t axis : group)
      size = multiply(builder, op.getLoc(), size, memref::getMixedSize(builder, op.getLoc(), op.getSrc(), axis));
    sizes.push_back(size);
  }
  return sizes;
}

template <typename Op> static void resolve(Op op) {
  auto from = cast<MemRefType>(op.getSrc().getType()), to = cast<MemRefType>(op.getType());
  if (!from.getLayout().isIdentity() || !to.getLayout().isIdentity())
    return;
  OpBuilder builder(op);
  SmallVector<OpFoldResult> sizes = sizesOf(builder, op), strides(sizes.size());
  OpFoldResult stride = builder.getIndexAttr(1);
  for (size_t axis = sizes.size(); axis-- > 0;) {
    strides[axis] = stride;
    if (axis > 0)
      stride = multiply(builder, op.getLoc(), stride, sizes[axis]);
  }
  op.replaceAllUsesWith(
      memref::ReinterpretCastOp::create(builder, op.getLoc(), to, op.getSrc(), builder.getIndexAttr(0), sizes, strides)
          .getResult());
  op.erase();
}

namespace {
struct ResolveReshapes : nacre::impl::ResolveReshapesBase<ResolveReshapes> {
  void runOnOperation() override {
    getOperation().walk([](memref::ExpandShapeOp op) { resolve(op); });
    getOperation().walk([](memref::CollapseShapeOp op) { resolve(op); });
  }
};
} // namespace
