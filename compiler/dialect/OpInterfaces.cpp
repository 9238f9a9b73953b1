// Definitions of the interfaces, and how the language's types are held after lowering.
#include "dialect/OpInterfaces.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;

namespace nacre {

Type scalarStorage(Type type) {
  auto integer = dyn_cast<IntegerType>(type);
  return integer ? IntegerType::get(type.getContext(), integer.getWidth()) : type;
}

// Vectors of i1 are packed into bits in memory while scalars take a byte each; a byte per bool has one meaning in both.
Type elementStorage(Type type) {
  return type.isInteger(1) ? IntegerType::get(type.getContext(), 8) : scalarStorage(type);
}

RankedTensorType tensorStorage(RankedTensorType type) { return type.clone(elementStorage(type.getElementType())); }

LogicalResult LinalgLowering::lowerOps(Block &block) {
  for (Operation &op : block.without_terminator()) {
    auto lowers = dyn_cast<LowersToLinalg>(op);
    if (!lowers) {
      builder.clone(op, values);
      continue;
    }
    Block *into = builder.getInsertionBlock();
    Operation *last = into->empty() ? nullptr : &into->back();
    if (failed(lowers.lowerToLinalg(*this)))
      return failure();
    // What the backward pass computes again is not to be merged with what it repeats.
    if (Attribute mark = op.getAttr("nacre.backward"))
      for (Operation *made = last ? last->getNextNode() : &into->front(); made; made = made->getNextNode())
        if (isa<linalg::LinalgOp>(made))
          made->setAttr("nacre.backward", mark);
  }
  return success();
}

} // namespace nacre

#include "dialect/OpInterfaces.cpp.inc"
