// The order of the passes on buffers and loops.
#include "Loops.h"
#include "Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace nacre {

void buildLoopsPipeline(OpPassManager &manager, const LoopsOptions &options) {
  manager.addNestedPass<func::FuncOp>(createCanonicalizerPass());
  manager.addNestedPass<func::FuncOp>(createCSEPass());
  if (options.optimise) {
    EmitLoopsOptions emit;
    emit.vectorBits = options.vectorBits;
    emit.threads = options.threads;
    manager.addNestedPass<func::FuncOp>(createEmitLoops(emit));
    manager.addNestedPass<func::FuncOp>(createApproximateMath());
  } else {
    manager.addNestedPass<func::FuncOp>(createScalarLoops());
  }
  manager.addNestedPass<func::FuncOp>(createCanonicalizerPass());
  manager.addNestedPass<func::FuncOp>(createCSEPass());
  manager.addNestedPass<func::FuncOp>(createLoopInvariantCodeMotionPass());
  if (options.optimise && options.threads)
    manager.addPass(createOutlineParallel());
}

void buildPackPipeline(OpPassManager &, const LoopsOptions &) {}

} // namespace nacre
