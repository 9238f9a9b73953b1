// The order of the passes between the stages.
#include "lower/Pipeline.h"
#include "Passes.h"
#include "lower/loops/Loops.h"
#include "lower/loops/Passes.h"
#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/ConvertToLLVM/ToLLVMPass.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVMPass.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/FuncBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/Transforms/Passes.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Linalg/Transforms/SubsetInsertionOpInterfaceImpl.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/Transforms/SubsetInsertionOpInterfaceImpl.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "ops/Ops.h"

using namespace mlir;

namespace nacre {

void registerLowering(DialectRegistry &registry) {
  registry
      .insert<NacreDialect, affine::AffineDialect, arith::ArithDialect, bufferization::BufferizationDialect,
              cf::ControlFlowDialect, func::FuncDialect, LLVM::LLVMDialect, linalg::LinalgDialect, math::MathDialect,
              memref::MemRefDialect, scf::SCFDialect, tensor::TensorDialect, ub::UBDialect, vector::VectorDialect>();
  registerForeignCalls(registry);
  registerAttention(registry);
  arith::registerBufferizableOpInterfaceExternalModels(registry);
  bufferization::func_ext::registerBufferizableOpInterfaceExternalModels(registry);
  linalg::registerBufferizableOpInterfaceExternalModels(registry);
  linalg::registerSubsetOpInterfaceExternalModels(registry);
  scf::registerBufferizableOpInterfaceExternalModels(registry);
  tensor::registerBufferizableOpInterfaceExternalModels(registry);
  tensor::registerSubsetOpInterfaceExternalModels(registry);
  arith::registerConvertArithToLLVMInterface(registry);
  cf::registerConvertControlFlowToLLVMInterface(registry);
  index::registerConvertIndexToLLVMInterface(registry);
  registerConvertFuncToLLVMInterface(registry);
  registerConvertMathToLLVMInterface(registry);
  registerConvertMemRefToLLVMInterface(registry);
  ub::registerConvertUBToLLVMInterface(registry);
  vector::registerConvertVectorToLLVMInterface(registry);
}

static void simplify(OpPassManager &manager) {
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
}

static LoopsOptions loops(const LoweringOptions &options) {
  LoopsOptions loops;
  loops.vectorBits = options.vectorBits;
  loops.threads = options.threads;
  loops.winograd = options.winograd;
  loops.winogradEdge = options.winogradEdge;
  loops.optimise = !options.reference;
  loops.profile = options.profile && !options.reference;
  loops.dots = options.dots;
  loops.precise = options.precise;
  return loops;
}

void buildFused(OpPassManager &manager, const LoweringOptions &options) {
  manager.addPass(createInlineKeep());
  if (!options.reference && !options.precise) // it sums by blocks
    manager.addPass(createFuseAttention());
  manager.addPass(createDifferentiate());
  if (options.reference)
    return;
  simplify(manager);
  manager.addPass(createHoistWeightWork());
  manager.addPass(createCSEPass());
  manager.addNestedPass<func::FuncOp>(createRecompute());
}

void buildLinalg(OpPassManager &manager, const LoweringOptions &options) {
  LowerToLinalgOptions lowering;
  lowering.reassociate = !options.reference && !options.precise;
  manager.addPass(createLowerToLinalg(lowering));
  simplify(manager);
  manager.addNestedPass<func::FuncOp>(createMixPrecision());
  if (options.reference)
    return;
  manager.addNestedPass<func::FuncOp>(createHoistScalars());
  manager.addNestedPass<func::FuncOp>(createFuseElementwise()); // before sums are split, whose parts read reshapes
  buildPackPipeline(manager, loops(options));
  manager.addNestedPass<func::FuncOp>(createHoistFromLoops());
  manager.addPass(createHoistWeightWork());
  manager.addNestedPass<func::FuncOp>(createFuseElementwise());
  simplify(manager);
  manager.addNestedPass<func::FuncOp>(createOrderUpdates()); // the reference copies, to be the judge of this
}

void buildBuffers(OpPassManager &manager, const LoweringOptions &) {
  manager.addPass(createBufferize());
  simplify(manager);
}

void buildLoops(OpPassManager &manager, const LoweringOptions &options) {
  buildLoopsPipeline(manager, loops(options));
  // The reference shares no memory between buffers, so that a fault of the planner shows as a difference.
  manager.addPass(options.reference ? createPlaceBuffers() : createPlanMemory());
}

namespace {
/// Constants become globals, whose place may be a call inside a call. MLIR 22.1 looks for the function around every
/// such place when it makes line tables, and a global has none: it keeps the innermost place.
struct PlainPlacesOfGlobals : PassWrapper<PlainPlacesOfGlobals, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(PlainPlacesOfGlobals)

  void runOnOperation() override {
    for (LLVM::GlobalOp global : getOperation().getOps<LLVM::GlobalOp>())
      global->walk([](Operation *op) {
        while (auto site = dyn_cast<CallSiteLoc>(op->getLoc()))
          op->setLoc(site.getCallee());
      });
  }
};
} // namespace

void buildLlvm(OpPassManager &manager, const LoweringOptions &options) {
  manager.addPass(createEmitEntries());
  manager.addPass(createCallForeign());
  manager.addNestedPass<func::FuncOp>(createResolveReshapes());
  manager.addPass(memref::createExpandStridedMetadataPass());
  manager.addPass(createLowerAffinePass());
  manager.addPass(createLowerScalarMath());
  manager.addPass(createSCFToControlFlowPass());
  manager.addPass(createConvertVectorToLLVMPass()); // masks, steps and gathers need more than their one-to-one patterns
  manager.addPass(createConvertToLLVMPass());
  manager.addPass(createReconcileUnrealizedCastsPass());
  if (!options.reference && options.threads)
    manager.addPass(createCallThreadPool());
  if (options.profile && !options.reference)
    manager.addPass(createProfileKernels());
  if (options.lineTables) {
    manager.addPass(std::make_unique<PlainPlacesOfGlobals>());
    manager.addPass(LLVM::createDIScopeForLLVMFuncOpPass());
  }
}

} // namespace nacre
