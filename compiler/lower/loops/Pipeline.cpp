// The order of the passes on buffers and loops.
#include "Loops.h"
#include "Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace nacre {

void buildLoopsPipeline(OpPassManager &manager, const LoopsOptions &options) {
  manager.addNestedPass<func::FuncOp>(createCanonicalizerPass());
  manager.addNestedPass<func::FuncOp>(createCSEPass());
  if (options.profile)
    manager.addPass(createDeclareHooks());
  if (options.optimise) {
    TileAttentionOptions attention;
    attention.vectorBits = options.vectorBits;
    attention.threads = options.threads;
    manager.addNestedPass<func::FuncOp>(createTileAttention(attention));
    EmitLoopsOptions emit;
    emit.profile = options.profile;
    emit.vectorBits = options.vectorBits;
    emit.threads = options.threads;
    emit.dots = options.dots;
    emit.precise = options.precise;
    manager.addNestedPass<func::FuncOp>(createEmitLoops(emit));
    if (!options.precise)
      manager.addNestedPass<func::FuncOp>(createApproximateMath());
  } else {
    manager.addNestedPass<func::FuncOp>(createScalarLoops());
  }
  math::MathExtendToSupportedTypesOptions halves;
  halves.targetTypeStr = "f32";
  manager.addNestedPass<func::FuncOp>(math::createMathExtendToSupportedTypes(halves));
  arith::ArithEmulateUnsupportedFloatsOptions emulated;
  emulated.sourceTypeStrs = {"bf16"};
  manager.addNestedPass<func::FuncOp>(arith::createArithEmulateUnsupportedFloats(emulated));
  manager.addNestedPass<func::FuncOp>(createWidenHalves());
  arith::ArithExpandOpsPassOptions expand;
  expand.includeBf16 = true;
  manager.addNestedPass<func::FuncOp>(arith::createArithExpandOpsPass(expand));
  manager.addNestedPass<func::FuncOp>(createCanonicalizerPass());
  manager.addNestedPass<func::FuncOp>(createCSEPass());
  manager.addNestedPass<func::FuncOp>(createLoopInvariantCodeMotionPass());
  if (options.optimise && options.threads)
    manager.addPass(createOutlineParallel());
  if (options.optimise)
    manager.addNestedPass<func::FuncOp>(createHoistScratch());
}

void buildPackPipeline(OpPassManager &manager, const LoopsOptions &options) {
  manager.addNestedPass<func::FuncOp>(createCropResults());
  PermuteResultsOptions permute;
  permute.vectorBits = options.vectorBits;
  manager.addNestedPass<func::FuncOp>(createPermuteResults(permute));
  if (!options.precise)
    manager.addNestedPass<func::FuncOp>(createSplitReductions());
  if (options.winograd && !options.precise) {
    TransformFiltersOptions filters;
    filters.vectorBits = options.vectorBits;
    filters.edge = options.winogradEdge;
    manager.addNestedPass<func::FuncOp>(createTransformFilters(filters));
  }
  PackDotsOptions dots;
  dots.dots = options.precise ? "" : options.dots;
  manager.addNestedPass<func::FuncOp>(createPackDots(dots));
  PackOperandsOptions pack;
  pack.vectorBits = options.vectorBits;
  manager.addNestedPass<func::FuncOp>(createPackOperands(pack));
}

namespace {
struct PipelineFlags : PassPipelineOptions<PipelineFlags> {
  Option<unsigned> vectorBits{*this, "vector-bits", llvm::cl::desc("bits of a vector register"), llvm::cl::init(512)};
  Option<bool> threads{*this, "threads", llvm::cl::desc("share out large kernels"), llvm::cl::init(true)};
  Option<bool> precise{*this, "precise", llvm::cl::desc("the bits of the reference"), llvm::cl::init(false)};
  Option<std::string> dots{*this, "dots", llvm::cl::desc("names of DotForms.def, separated by +"), llvm::cl::init("")};
  Option<bool> optimise{*this, "optimise", llvm::cl::desc("false: plain loops"), llvm::cl::init(true)};
  Option<bool> profile{*this, "profile", llvm::cl::desc("measure every kernel"), llvm::cl::init(false)};
};
} // namespace

void registerLoopsPipelines() {
  PassPipelineRegistration<PipelineFlags>("nacre-loops", "linalg on buffers to loops over one arena",
                                          [](OpPassManager &manager, const PipelineFlags &flags) {
                                            LoopsOptions options;
                                            options.vectorBits = flags.vectorBits;
                                            options.threads = flags.threads;
                                            options.optimise = flags.optimise;
                                            options.profile = flags.profile;
                                            options.precise = flags.precise;
                                            options.dots = flags.dots;
                                            buildLoopsPipeline(manager, options);
                                          });
}

} // namespace nacre
