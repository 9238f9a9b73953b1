// Scratch on the stack is asked for where it is used, inside loops; it is taken once, at the entry of the function. The
// kernels of a function run one after the other, so the largest scratch serves all of them.
#include "Passes.h"
#include "Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace nacre {
#define GEN_PASS_DEF_HOISTSCRATCH
#include "lower/loops/Passes.h.inc"

namespace {
struct HoistScratchPass : impl::HoistScratchBase<HoistScratchPass> {
  void runOnOperation() override {
    SmallVector<memref::AllocaOp> wanted;
    int64_t most = 0;
    getOperation().walk([&](memref::AllocaOp op) {
      if (!op->hasAttr(loops::panelScratchAttribute))
        return;
      wanted.push_back(op);
      most = std::max(most, op.getType().getNumElements() * op.getType().getElementTypeBitWidth() / 8);
    });
    if (wanted.empty())
      return;
    OpBuilder b = OpBuilder::atBlockBegin(&getOperation().front());
    Location loc = wanted.front().getLoc();
    auto bytes = MemRefType::get({most}, b.getI8Type());
    auto place = memref::AllocaOp::create(b, loc, bytes, b.getI64IntegerAttr(64));
    Value start = arith::ConstantIndexOp::create(b, loc, 0);
    for (memref::AllocaOp op : wanted) {
      auto view = memref::ViewOp::create(b, op.getLoc(), op.getType(), place, start, ValueRange());
      op.replaceAllUsesWith(view.getResult());
      op.erase();
    }
  }
};
} // namespace
} // namespace nacre
