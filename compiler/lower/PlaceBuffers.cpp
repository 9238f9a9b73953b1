// Every allocation becomes a view of the caller's workspace at an offset of its own. Offsets are multiples of 64 bytes.
#include "Passes.h"
#include "lower/loops/Workspace.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace nacre {
#define GEN_PASS_DEF_PLACEBUFFERS
#include "Passes.h.inc"
} // namespace nacre

using namespace mlir;
using namespace nacre;

namespace {

/// Bytes of a buffer, rounded up; the sizes of its dynamic axes are given.
Value bytesOf(OpBuilder &builder, Location location, MemRefType type, ValueRange dynamicSizes) {
  int64_t known = unitBytes(type);
  if (type.hasStaticShape())
    return arith::ConstantIndexOp::create(builder, location,
                                          (known + workspaceAlignment - 1) / workspaceAlignment * workspaceAlignment);
  Value bytes = arith::ConstantIndexOp::create(builder, location, known);
  for (Value size : dynamicSizes)
    bytes = arith::MulIOp::create(builder, location, bytes, size);
  Value up = arith::ConstantIndexOp::create(builder, location, workspaceAlignment - 1);
  Value mask = arith::ConstantIndexOp::create(builder, location, -workspaceAlignment);
  return arith::AndIOp::create(builder, location, arith::AddIOp::create(builder, location, bytes, up), mask);
}

struct PlaceBuffers : nacre::impl::PlaceBuffersBase<PlaceBuffers> {
  void runOnOperation() override {
    for (auto function : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      if (takesWorkspace(function) && failed(place(function)))
        return signalPassFailure();
  }

  LogicalResult place(func::FuncOp function) {
    MLIRContext *context = &getContext();
    Location location = function.getLoc();
    Block &entry = function.front();
    SmallVector<memref::AllocOp> allocations;
    function.walk([&](memref::AllocOp op) { allocations.push_back(op); });
    Lives lives(function);

    // The twin that adds up the bytes: dimensions in, bytes out.
    OpBuilder builder(context);
    builder.setInsertionPointAfter(function);
    IRMapping known;
    SmallVector<Type> dimensions;
    for (BlockArgument argument : entry.getArguments())
      if (argument.getType().isIndex())
        dimensions.push_back(argument.getType());
    auto twin = func::FuncOp::create(builder, location, (function.getName() + "__bytes").str(),
                                     builder.getFunctionType(dimensions, builder.getIndexType()));
    twin.setPrivate();
    Block *twinEntry = twin.addEntryBlock();
    unsigned next = 0;
    for (BlockArgument argument : entry.getArguments())
      if (argument.getType().isIndex())
        known.map(argument, twinEntry->getArgument(next++));
    builder.setInsertionPointToStart(twinEntry);
    Value total = arith::ConstantIndexOp::create(builder, location, 0);

    auto workspaceType = MemRefType::get({ShapedType::kDynamic}, builder.getI8Type());
    unsigned last = function.getNumArguments();
    auto attributes = DictionaryAttr::get(context, builder.getNamedAttr("nacre.workspace", builder.getUnitAttr()));
    if (failed(function.insertArgument(last, workspaceType, attributes, location)))
      return failure();
    Value workspace = entry.getArgument(last), offset;
    for (memref::AllocOp op : allocations) {
      // In a loop it is the same place in every round, large enough for all.
      OpBuilder outside(entry.findAncestorOpInBlock(*op));
      SmallVector<Value> largest;
      for (Value size : op.getDynamicSizes()) {
        FailureOr<Value> most = largestSize(outside, size);
        if (failed(most))
          return failure();
        largest.push_back(*most);
      }
      if (failed(lives.of(op)))
        return failure();
      MemRefType type = op.getType();
      if (!type.getLayout().isIdentity())
        return op.emitError() << "a buffer has the layout of " << type;
      SmallVector<Value> sizes;
      for (Value size : largest) {
        if (failed(repeatSize(builder, size, known)))
          return failure();
        sizes.push_back(known.lookup(size));
      }
      total = arith::AddIOp::create(builder, op.getLoc(), total, bytesOf(builder, op.getLoc(), type, sizes));

      OpBuilder here(op);
      if (!offset)
        offset = arith::ConstantIndexOp::create(outside, op.getLoc(), 0);
      auto view = memref::ViewOp::create(here, op.getLoc(), type, workspace, offset, op.getDynamicSizes());
      offset = arith::AddIOp::create(outside, op.getLoc(), offset, bytesOf(outside, op.getLoc(), type, largest));
      op.replaceAllUsesWith(view.getResult());
      op.erase();
    }
    func::ReturnOp::create(builder, location, total);
    return success();
  }
};
} // namespace
