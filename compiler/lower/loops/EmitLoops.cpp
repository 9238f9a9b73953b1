// Runs over a function of linalg on buffers: forms kernels, then emits each in place of its last op.
#include "Access.h"
#include "Frame.h"
#include "InlinePacking.h"
#include "KernelFacts.h"
#include "Loops.h"
#include "Passes.h"
#include "Tile.h"
#include "Winograd.h"
#include "dialect/Remarks.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace nacre {
#define GEN_PASS_DEF_EMITLOOPS
#define GEN_PASS_DEF_SCALARLOOPS
#include "lower/loops/Passes.h.inc"

using namespace loops;

/// A copy between buffers is an elementwise op like any other.
static void copiesToLinalg(func::FuncOp function) {
  SmallVector<memref::CopyOp> copies;
  function.walk([&](memref::CopyOp copy) { copies.push_back(copy); });
  for (memref::CopyOp copy : copies) {
    OpBuilder builder(copy);
    linalg::makeMemRefCopyOp(builder, copy.getLoc(), copy.getSource(), copy.getTarget());
    copy.erase();
  }
}

static LogicalResult toScalarLoops(linalg::LinalgOp op) {
  IRRewriter rewriter(op);
  if (failed(linalg::linalgOpToLoops(rewriter, op)))
    return op.emitError("cannot be turned into loops");
  rewriter.eraseOp(op);
  return success();
}

namespace {
struct Planned {
  Kernel kernel;
  std::optional<Tile> tile = {};
  KernelFacts facts = {};
  std::optional<InlinePacking> copy = {}; // of an operand, packed on the way
  bool dropped = false;                   // became part of another kernel
  bool winograd = false;
};

struct EmitLoopsPass : impl::EmitLoopsBase<EmitLoopsPass> {
  using EmitLoopsBase::EmitLoopsBase;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    copiesToLinalg(function);
    readThroughFrames(function);
    placeInFrames(function);
    forms = dotFormsOf(dots);
    std::vector<Planned> kernels = plan(function);
    describe(kernels);
    for (Planned &planned : kernels)
      if (failed(emit(planned)))
        return signalPassFailure();
  }

  /// How a kernel is computed, where that is by no ordinary tile.
  static std::string wayOf(const Planned &planned) {
    if (planned.winograd) {
      auto edge = planned.kernel.root().op->getAttrOfType<IntegerAttr>(winogradAttribute);
      std::string m = std::to_string(edge.getInt());
      return "transformed filters (Winograd), " + m + " x " + m + " results at once";
    }
    if (planned.tile && planned.tile->dot)
      return std::string(planned.tile->dot->form->tiles ? "tile registers" : "vectors of groups") + ", by " +
             planned.tile->dot->form->name.str();
    return "";
  }

  /// Before anything is emitted, for who reads what shows in the ops.
  void describe(std::vector<Planned> &kernels) {
    Kernels owners;
    for (auto [number, planned] : llvm::enumerate(kernels)) {
      planned.facts = factsOf(planned.kernel, planned.tile, number, wayOf(planned));
      if (planned.copy)
        note(planned.kernel.root().op, RemarkKind::Done,
             [] { return "packs its right operand panel by panel, on the stack"; });
      for (const Step &step : planned.kernel.steps)
        owners[step.op] = {planned.facts.said.name, &step == &planned.kernel.root()};
    }
    if (reportOf(&getContext()))
      for (Planned &planned : kernels)
        explainStores(planned.kernel, owners, planned.facts);
  }

  /// Whether every operand that moves with loop `d` has the axis of loop `d + 1` right behind it, or neither.
  static bool isOneLoop(linalg::GenericOp op, unsigned d) {
    if (op.getIteratorTypesArray()[d] != op.getIteratorTypesArray()[d + 1])
      return false;
    for (AffineMap map : op.getIndexingMapsArray()) {
      if (!dependsOn(map, d) && !dependsOn(map, d + 1))
        continue;
      bool found = false;
      for (auto [axis, expr] : llvm::enumerate(map.getResults())) {
        if (expr.isFunctionOfDim(d)) {
          bool followed = axis + 1 < map.getNumResults() && isa<AffineDimExpr>(expr) && !found &&
                          map.getResult(axis + 1) == getAffineDimExpr(d + 1, op.getContext());
          if (!followed)
            return false;
          found = true;
        } else if (expr.isFunctionOfDim(d + 1) && (axis == 0 || !map.getResult(axis - 1).isFunctionOfDim(d))) {
          return false;
        }
      }
      if (!found)
        return false;
    }
    return true;
  }

  /// Loops of one round and axes of length 1, behind which the neighbours of a filter [f, g, 1, 1] hide, go away.
  static linalg::LinalgOp dropUnitLoops(linalg::LinalgOp op) {
    auto generic = dyn_cast<linalg::GenericOp>(op.getOperation());
    if (!generic || !llvm::is_contained(generic.getStaticLoopRanges(), 1))
      return op;
    linalg::ControlDropUnitDims control;
    control.rankReductionStrategy = linalg::ControlDropUnitDims::RankReductionStrategy::ExtractInsertSlice;
    // Without i, x[2 * i + w] would be x[w], and w would run as far as x does.
    control.controlFn = [](Operation *dropping) {
      SmallVector<unsigned> loops;
      auto maps = cast<linalg::GenericOp>(dropping).getIndexingMapsArray();
      for (unsigned d = 0; d < maps.front().getNumDims(); ++d)
        if (llvm::all_of(maps, [&](AffineMap map) {
              return llvm::all_of(map.getResults(), [&](AffineExpr expr) {
                return isa<AffineDimExpr>(expr) || !expr.isFunctionOfDim(d);
              });
            }))
          loops.push_back(d);
      return loops;
    };
    IRRewriter rewriter(op);
    FailureOr<linalg::DropUnitDimsResult> lean = linalg::dropUnitDims(rewriter, generic, control);
    if (failed(lean))
      return op;
    rewriter.eraseOp(op);
    return cast<linalg::LinalgOp>(lean->resultOp.getOperation());
  }

  /// Loops that walk over all buffers as one become one: an elementwise op over whole buffers has a single loop.
  static linalg::LinalgOp flatten(linalg::LinalgOp op) {
    auto generic = dyn_cast<linalg::GenericOp>(op.getOperation());
    if (!generic || generic.getNumLoops() < 2 || generic.hasIndexSemantics())
      return op;
    for (OpOperand &operand : generic->getOpOperands()) {
      auto type = dyn_cast<MemRefType>(operand.get().getType());
      if (!type || !type.getLayout().isIdentity() || !generic.getMatchingIndexingMap(&operand).isProjectedPermutation())
        return op;
    }
    SmallVector<ReassociationIndices> groups{{0}};
    for (unsigned d = 0; d + 1 < generic.getNumLoops(); ++d) {
      if (!isOneLoop(generic, d))
        groups.emplace_back();
      groups.back().push_back(d + 1);
    }
    if (groups.size() == generic.getNumLoops())
      return op;
    IRRewriter rewriter(op);
    FailureOr<linalg::CollapseResult> flat = linalg::collapseOpIterationDims(op, groups, rewriter);
    if (failed(flat))
      return op;
    rewriter.eraseOp(op);
    return flat->collapsedOp;
  }

  /// The kernel of an op with as many of its epilogues as pay. An epilogue saves the way through memory, but a tile
  /// stores along its lanes: where the update of a filter [f, g, u, v] is fused into the sum that is its gradient, the
  /// lanes cannot run along f, and every operand of the long sum would be gathered.
  Planned planKernel(linalg::LinalgOp op, const llvm::SmallPtrSet<Operation *, 32> &taken,
                     llvm::SmallPtrSet<Operation *, 32> &takenThen) {
    if (op->hasAttr(winogradAttribute)) {
      takenThen = taken;
      if (std::optional<Kernel> kernel = winogradKernel(op, takenThen, vectorBits))
        return Planned{.kernel = std::move(*kernel), .winograd = true};
    }
    std::optional<Planned> best;
    double cheapest = 0, apart = 0; // apart: the epilogues left out
    for (unsigned most = mostEpilogues;;) {
      llvm::SmallPtrSet<Operation *, 32> with = taken;
      Planned planned{.kernel = makeKernel(op)};
      absorbNeighbours(planned.kernel, with, most);
      planned.tile = chooseTile(planned.kernel, vectorBits, forms, precise);
      unsigned epilogues = planned.kernel.steps.size() - 1;
      if (!planned.tile && !epilogues) { // scalar code takes in nothing
        planned.kernel = makeKernel(op);
        with = taken;
        with.insert(op);
      }
      Kernel last = makeKernel(planned.kernel.steps.back().op);
      double cycles = cyclesOf(planned.kernel, planned.tile) + apart;
      if ((planned.tile || !epilogues) && (!best || cycles < cheapest)) {
        best = std::move(planned);
        cheapest = cycles;
        takenThen = std::move(with);
      }
      if (!epilogues)
        return std::move(*best);
      apart += cyclesOf(last, chooseTile(last, vectorBits, forms, precise));
      most = epilogues - 1;
    }
  }

  /// Fills come last, so that the ops that read their result can take them in.
  std::vector<Planned> plan(func::FuncOp function) {
    SmallVector<linalg::LinalgOp> ops, fills;
    function.walk([&](linalg::LinalgOp op) { (isa<linalg::FillOp>(op) ? fills : ops).push_back(op); });
    ops.append(fills);
    std::vector<Planned> result;
    SmallVector<size_t> candidates;
    llvm::SmallPtrSet<Operation *, 32> taken;
    for (linalg::LinalgOp op : ops) {
      if (taken.contains(op))
        continue;
      llvm::SmallPtrSet<Operation *, 32> takenThen;
      result.push_back(planKernel(op, taken, takenThen));
      taken = std::move(takenThen);
      bool alone = result.back().kernel.steps.size() == 1; // no epilogue is part of the kernel
      if (alone && !result.back().winograd)
        candidates.push_back(result.size() - 1);
    }
    takeCopies(result);
    // Only now, for fusion looks at whole buffers.
    for (size_t number : candidates) {
      if (result[number].copy || result[number].dropped)
        continue;
      linalg::LinalgOp op = result[number].kernel.root().op;
      linalg::LinalgOp flat = flatten(result[number].tile ? op : dropUnitLoops(op));
      if (flat != op) {
        Kernel kernel = makeKernel(flat);
        kernel.initial = result[number].kernel.initial;
        kernel.absorbed = result[number].kernel.absorbed;
        result[number].tile = chooseTile(kernel, vectorBits, forms, precise);
        result[number].kernel = std::move(kernel);
      }
    }
    llvm::erase_if(result, [](const Planned &planned) { return planned.dropped; });
    return result;
  }

  /// Copies into panels that one product alone reads become part of it.
  static void takeCopies(std::vector<Planned> &kernels) {
    for (Planned &planned : kernels) {
      if (!planned.tile || !(planned.copy = inlinePackingOf(planned.kernel, *planned.tile)))
        continue;
      for (Planned &other : kernels)
        if (other.kernel.root().op == planned.copy->copy) {
          bool alone = other.kernel.steps.size() == 1;
          if (alone)
            other.dropped = true;
          else
            planned.copy.reset();
          break;
        }
    }
  }

  /// Whether several threads run this already, each for itself, or could: scratch belongs to one thread.
  static bool isShared(Operation *op) {
    for (Value operand : op->getOperands())
      if (isa<MemRefType>(operand.getType()) && rootBuffer(operand).getDefiningOp<memref::AllocaOp>())
        return true;
    for (Operation *loop = op->getParentOp(); loop; loop = loop->getParentOp())
      if (loop->hasAttr(grainAttribute))
        return true;
    return false;
  }

  LogicalResult emit(Planned &planned) {
    Kernel &kernel = planned.kernel;
    linalg::LinalgOp last = kernel.steps.back().op;
    KernelFrame frame(planned.facts, last, profile);
    if (!planned.tile && !planned.winograd) {
      for (Operation *fill : kernel.absorbed)
        if (failed(toScalarLoops(cast<linalg::LinalgOp>(fill))))
          return failure();
      return toScalarLoops(last);
    }
    OpBuilder builder(last);
    PointEmitter emitter(builder, kernel.root().op.getLoc());
    emitter.contract = !precise;
    EmitOptions options{vectorBits, threads && !isShared(kernel.root().op) && !isShared(last)};
    if (planned.winograd)
      emitWinograd(emitter, kernel, options);
    else if (planned.tile->dot && planned.tile->dot->form->tiles)
      emitDotTiles(emitter, kernel, *planned.tile, options);
    else if (planned.tile->dot)
      emitDotVectors(emitter, kernel, *planned.tile, options);
    else if (planned.tile->panels)
      emitPanelCopy(emitter, kernel, *planned.tile, options);
    else if (planned.tile->across)
      emitReduceAcross(emitter, kernel, *planned.tile, options);
    else
      emitTileKernel(emitter, kernel, *planned.tile, options, planned.copy ? &*planned.copy : nullptr);
    for (Operation *op : kernel.absorbed)
      op->erase();
    Value panels = planned.copy ? planned.copy->copy.getDpsInits()[0] : Value();
    last->erase();
    if (panels) {
      planned.copy->copy->erase();
      for (Operation *user : llvm::make_early_inc_range(panels.getUsers()))
        user->erase(); // its end
      panels.getDefiningOp()->erase();
    }
    return success();
  }

  SmallVector<const DotForm *> forms;
};

struct ScalarLoopsPass : impl::ScalarLoopsBase<ScalarLoopsPass> {
  void runOnOperation() override {
    copiesToLinalg(getOperation());
    SmallVector<linalg::LinalgOp> ops;
    getOperation().walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    for (linalg::LinalgOp op : ops)
      if (failed(toScalarLoops(op)))
        return signalPassFailure();
  }
};
} // namespace
} // namespace nacre
