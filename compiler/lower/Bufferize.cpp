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

/// Views of one buffer at the same place: what was changed where it lies is there already.
static bool isSamePlace(Value a, Value b) {
  auto first = a.getDefiningOp<memref::SubViewOp>(), second = b.getDefiningOp<memref::SubViewOp>();
  return a == b ||
         (first && second && first.getSource() == second.getSource() &&
          first.getMixedOffsets() == second.getMixedOffsets() && first.getMixedSizes() == second.getMixedSizes() &&
          first.getMixedStrides() == second.getMixedStrides());
}

static LogicalResult copyAsLinalg(OpBuilder &builder, Location location, Value from, Value to) {
  linalg::makeMemRefCopyOp(builder, location, from, to);
  return success();
}

/// Bufferisation writes a slice back after it was changed where it lies.
static void dropCopiesOntoThemselves(func::FuncOp function) {
  SmallVector<linalg::GenericOp> copies;
  function.walk([&](linalg::GenericOp op) {
    bool isCopy = op.getNumDpsInputs() == 1 && op.getNumDpsInits() == 1 && op.getNumResults() == 0 &&
                  llvm::hasSingleElement(op.getRegion().front()) &&
                  op.getRegion().front().getTerminator()->getOperand(0) == op.getRegion().front().getArgument(0);
    if (isCopy && op.getIndexingMapsArray()[0] == op.getIndexingMapsArray()[1] &&
        isSamePlace(op.getDpsInputs()[0], op.getDpsInits()[0]))
      copies.push_back(op);
  });
  for (linalg::GenericOp op : copies)
    op.erase();
}

/// What is to be left in a weight.
struct StoredResult {
  Value value;
  BlockArgument weight;
};

/// Every result is written into a buffer that the caller passes, after the other arguments; but results that are new
/// contents of weights are returned.
static FailureOr<SmallVector<StoredResult>> resultsToArguments(func::FuncOp function) {
  auto back = cast<func::ReturnOp>(function.front().getTerminator());
  OpBuilder builder(back);
  for (unsigned number = 0; number < function.getNumArguments(); ++number)
    if (isa<RankedTensorType>(function.getArgumentTypes()[number]))
      function.setArgAttr(number, "bufferization.writable", builder.getBoolAttr(false));
  SmallVector<StoredResult> stores;
  for (auto [number, result] : llvm::enumerate(back.getOperands())) {
    if (auto place = function.getResultAttrOfType<DenseI64ArrayAttr>(number, "nacre.store")) {
      StoredResult store{result, {}};
      for (BlockArgument argument : function.getArguments())
        if (function.getArgAttrOfType<DenseI64ArrayAttr>(argument.getArgNumber(), "nacre.weight") == place)
          store.weight = argument;
      if (!store.weight || store.weight.getType() != result.getType())
        return function.emitError() << "result " << number << " is stored in no weight of its type";
      function.setArgAttr(store.weight.getArgNumber(), "bufferization.writable", builder.getBoolAttr(true));
      stores.push_back(store);
      continue;
    }
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
  return stores;
}

/// Writes new contents into weights, after everything else: no value of the call is the old weight by then. What was
/// computed in the memory of its weight is there already, and the copy of a buffer onto itself is dropped.
static void writeStores(func::FuncOp function, ArrayRef<StoredResult> stores) {
  OpBuilder builder(function.front().getTerminator());
  SmallVector<Value> values;
  for (const StoredResult &store : stores) {
    Value behind = store.value;
    while (Operation *op = behind.getDefiningOp()) {
      if (!isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp, tensor::CastOp, tensor::ExtractSliceOp>(op))
        break;
      behind = op->getOperand(0);
    }
    Value value = store.value;
    if (isa<BlockArgument>(behind)) // may be another weight that is stored first
      value = bufferization::AllocTensorOp::create(builder, value.getLoc(), cast<RankedTensorType>(value.getType()),
                                                   ValueRange(), value);
    values.push_back(value);
  }
  for (auto [store, value] : llvm::zip(stores, values))
    bufferization::MaterializeInDestinationOp::create(builder, value.getLoc(), store.weight.getType(), value,
                                                      store.weight);
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
      Operation *user = use.getOwner();
      bool elsewhere = user->getBlock() != op->getBlock() && !isa<linalg::LinalgOp>(user->getParentOp()); // in a loop
      if (!first || elsewhere) {
        OpBuilder builder(elsewhere ? user : op);
        use.set(builder.clone(*op)->getResult(0));
      }
      first &= elsewhere;
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
    SmallVector<std::pair<func::FuncOp, SmallVector<StoredResult>>> stores;
    for (auto function : module.getOps<func::FuncOp>())
      if (!function.isExternal()) {
        unshareDestinations(function);
        auto list = resultsToArguments(function);
        if (failed(list))
          return signalPassFailure();
        // Held as operands of the return meanwhile, where a rewrite finds them.
        auto back = cast<func::ReturnOp>(function.front().getTerminator());
        for (StoredResult &store : *list)
          back->insertOperands(back->getNumOperands(), store.value);
        stores.push_back({function, std::move(*list)});
      }
    if (failed(bufferization::eliminateEmptyTensors(rewriter, module)))
      return signalPassFailure();
    for (auto &[function, list] : stores) {
      auto back = cast<func::ReturnOp>(function.front().getTerminator());
      for (auto [store, value] : llvm::zip(list, back.getOperands()))
        store.value = value;
      back->setOperands({});
      writeStores(function, list);
    }
    bufferization::BufferizationState state;
    if (failed(bufferization::runOneShotModuleBufferize(module, options, state)))
      return signalPassFailure();
    bufferization::removeBufferizationAttributesInModule(module);
    for (auto function : module.getOps<func::FuncOp>())
      if (!function.isExternal())
        dropCopiesOntoThemselves(function), resolveArgumentSizes(function);
  }
};
} // namespace
