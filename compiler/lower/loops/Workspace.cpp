// Who gets a workspace, and what its buffers need.
#include "lower/loops/Workspace.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;

namespace nacre {

bool takesWorkspace(func::FuncOp function) {
  for (StringRef role : {"nacre.entry", "nacre.test", "nacre.prepare", "nacre.initialise"})
    if (function->hasAttr(role))
      return !function.isExternal();
  return false;
}

int64_t unitBytes(MemRefType type) {
  int64_t bytes = (type.getElementTypeBitWidth() + 7) / 8;
  for (int64_t extent : type.getShape())
    bytes *= ShapedType::isDynamic(extent) ? 1 : extent;
  return bytes;
}

LogicalResult repeatSize(OpBuilder &builder, Value size, IRMapping &known) {
  if (known.contains(size))
    return success();
  Operation *op = size.getDefiningOp();
  if (!op || !isPure(op) || op->getNumRegions() != 0)
    return emitError(size.getLoc(), "the size of a buffer is not a function of the dimensions");
  for (Value operand : op->getOperands())
    if (failed(repeatSize(builder, operand, known)))
      return failure();
  builder.clone(*op, known);
  return success();
}

} // namespace nacre
