// What a loop computes anew in every round from nothing that changes is computed once, before it.
#include "Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"

namespace nacre {
#define GEN_PASS_DEF_HOISTFROMLOOPS
#include "Passes.h.inc"
} // namespace nacre

using namespace mlir;

namespace {

class Lifting {
public:
  explicit Lifting(scf::ForOp loop) : loop(loop) {}

  void run() {
    SmallVector<linalg::LinalgOp> found;
    loop.getBody()->walk([&](linalg::LinalgOp op) { found.push_back(op); });
    for (linalg::LinalgOp op : found)
      if (isWork(op) && isFixed(op))
        lift(op);
  }

private:
  /// Places without contents cost nothing; each round wants its own.
  static bool isPlace(Operation *op) { return isa<tensor::EmptyOp, linalg::FillOp>(op); }
  static bool isWork(linalg::LinalgOp op) { return op.hasPureTensorSemantics() && !isPlace(op); }

  bool isOutside(Value value) { return !loop->isAncestor(value.getParentBlock()->getParentOp()); }

  /// Whether an op inside the loop gives the same in every round.
  bool isFixed(Operation *op) {
    if (!isPure(op) || (op->getNumRegions() != 0 && !isa<linalg::LinalgOp>(op)))
      return false;
    SetVector<Value> used(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), used);
    return llvm::all_of(used, [&](Value value) {
      return isOutside(value) || (value.getDefiningOp() && isFixed(value.getDefiningOp()));
    });
  }

  void lift(Operation *op) {
    SetVector<Value> used(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), used);
    for (Value value : used) {
      if (isOutside(value))
        continue;
      Operation *source = value.getDefiningOp();
      if (isPlace(source)) { // its other users keep theirs
        OpBuilder builder(source);
        Operation *copy = builder.clone(*source);
        op->replaceUsesOfWith(value, copy->getResult(0));
        source = copy;
      }
      lift(source);
    }
    op->moveBefore(loop);
  }

  scf::ForOp loop;
};

struct HoistFromLoops : nacre::impl::HoistFromLoopsBase<HoistFromLoops> {
  void runOnOperation() override {
    SmallVector<scf::ForOp> loops; // inner ones first
    getOperation().walk<WalkOrder::PostOrder>([&](scf::ForOp loop) { loops.push_back(loop); });
    for (scf::ForOp loop : loops)
      Lifting(loop).run();
  }
};
} // namespace
