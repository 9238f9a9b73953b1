// One-shot bufferisation with dense row-major buffers at function boundaries. Results are written where the caller
// wants them; copies become linalg, so that no call of a library remains; sizes of arguments come from the dimensions.
#include "Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotModuleBufferize.h"
#include "mlir/Dialect/Bufferization/Transforms/Transforms.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "ops/Extents.h"

namespace nacre {
#define GEN_PASS_DEF_BUFFERIZE
#include "Passes.h.inc"
} // namespace nacre

using namespace mlir;

static LogicalResult copyAsLinalg(OpBuilder &builder, Location location, Value from, Value to) {
  linalg::makeMemRefCopyOp(builder, location, from, to);
  return success();
}

/// Every result is written into a buffer that the caller passes, after the other arguments.
static void resultsToArguments(func::FuncOp function) {
  auto back = cast<func::ReturnOp>(function.front().getTerminator());
  OpBuilder builder(back);
  for (unsigned number = 0; number < function.getNumArguments(); ++number)
    if (isa<RankedTensorType>(function.getArgumentTypes()[number]))
      function.setArgAttr(number, "bufferization.writable", builder.getBoolAttr(false));
  for (auto [number, result] : llvm::enumerate(back.getOperands())) {
    auto type = cast<RankedTensorType>(result.getType());
    auto buffer = MemRefType::get(type.getShape(), type.getElementType());
    unsigned last = function.getNumArguments();
    (void)function.insertArgument(last, buffer, function.getResultAttrDict(number), back.getLoc());
    auto write = bufferization::MaterializeInDestinationOp::create(builder, back.getLoc(), Type(), result,
                                                                   function.getArgument(last));
    write.setRestrict(true);
    write.setWritable(true);
  }
  function.removeResAttrsAttr();
  back->setOperands({});
  function.setFunctionType(FunctionType::get(function.getContext(), function.getArgumentTypes(), {}));
}

/// Gives every user of an unwritten or freshly filled tensor one of its own. Shared ones cost copies, and the
/// elimination of empty tensors would put two values with overlapping lives into one result buffer.
static void unshareDestinations(func::FuncOp function) {
  SmallVector<Operation *> destinations;
  function.walk([&](Operation *op) {
    if (isa<linalg::FillOp, tensor::EmptyOp>(op) && op->getNumResults() == 1)
      destinations.push_back(op);
  });
  for (Operation *op : llvm::reverse(destinations)) { // fills before the tensors they fill
    bool first = true;
    for (OpOperand &use : llvm::make_early_inc_range(op->getUses())) {
      if (!first) {
        OpBuilder builder(op);
        use.set(builder.clone(*op)->getResult(0));
      }
      first = false;
    }
  }
}

/// The extents of arguments as expressions of the dimensions, so that no size hides behind a descriptor.
static void resolveArgumentSizes(func::FuncOp function) {
  SmallVector<Value> dimensions = nacre::dimensionArguments(function);
  function.walk([&](memref::DimOp op) {
    auto argument = dyn_cast<BlockArgument>(op.getSource());
    std::optional<int64_t> axis = op.getConstantIndex();
    if (!argument || argument.getOwner() != &function.front() || !axis)
      return;
    auto extents = function.getArgAttrOfType<AffineMapAttr>(argument.getArgNumber(), "nacre.extents");
    if (!extents)
      return;
    OpBuilder builder(op);
    builder.setInsertionPointToStart(&function.front());
    op.replaceAllUsesWith(
        affine::expandAffineExpr(builder, op.getLoc(), extents.getValue().getResult(*axis), {}, dimensions));
    op.erase();
  });
}

namespace {
struct Bufferize : nacre::impl::BufferizeBase<Bufferize> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    IRRewriter rewriter(&getContext());
    bufferization::OneShotBufferizationOptions options;
    options.bufferizeFunctionBoundaries = true;
    options.setFunctionBoundaryTypeConversion(bufferization::LayoutMapOption::IdentityLayoutMap);
    options.unknownTypeConverterFn = [](TensorType type, Attribute space, const bufferization::BufferizationOptions &) {
      return bufferization::getMemRefTypeWithStaticIdentityLayout(type, space);
    };
    options.memCpyFn = copyAsLinalg;
    for (auto function : module.getOps<func::FuncOp>())
      if (!function.isExternal())
        unshareDestinations(function), resultsToArguments(function);
    if (failed(bufferization::eliminateEmptyTensors(rewriter, module)))
      return signalPassFailure();
    bufferization::BufferizationState state;
    if (failed(bufferization::runOneShotModuleBufferize(module, options, state)))
      return signalPassFailure();
    bufferization::removeBufferizationAttributesInModule(module);
    for (auto function : module.getOps<func::FuncOp>())
      if (!function.isExternal())
        resolveArgumentSizes(function);
  }
};
} // namespace
