// Builds kernels. Fusion here is on buffers in straight-line code: what may move is decided by the root buffers that
// the ops between read and write.
#include "Kernel.h"
#include "Access.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;

namespace nacre::loops {

int64_t Kernel::reductionSize(int64_t guess) const {
  int64_t size = 1;
  for (unsigned d = 0; d < rank(); ++d)
    if (reduction[d])
      size *= ShapedType::isDynamic(extents[d]) ? guess : extents[d];
  return size;
}

Value rootBuffer(Value memref) {
  while (Operation *definition = memref.getDefiningOp()) {
    if (auto view = dyn_cast<ViewLikeOpInterface>(definition))
      memref = view.getViewSource();
    else
      break;
  }
  return memref;
}

static AffineMap rewriteMap(AffineMap map, ArrayRef<unsigned> dims, const Kernel &kernel) {
  MLIRContext *context = map.getContext();
  SmallVector<AffineExpr> replacements;
  for (unsigned dim : dims)
    replacements.push_back(getAffineDimExpr(dim, context));
  SmallVector<AffineExpr> results;
  for (AffineExpr expr : map.getResults())
    results.push_back(simplifyForExtents(expr.replaceDims(replacements), kernel.extents));
  return AffineMap::get(kernel.rank(), 0, results, context);
}

static Step makeStep(linalg::LinalgOp op, ArrayRef<unsigned> dims, const Kernel &kernel) {
  Step step{op, {}, llvm::to_vector(dims), SmallVector<bool>(op.getNumDpsInits(), true), {}};
  for (AffineMap map : op.getIndexingMapsArray())
    step.maps.push_back(rewriteMap(map, dims, kernel));
  return step;
}

SmallVector<linalg::GenericOp> singleReductions(func::FuncOp function) {
  SmallVector<linalg::GenericOp> ops;
  function.walk([&](linalg::GenericOp op) {
    if (op.hasPureTensorSemantics() && op.getNumDpsInits() == 1 && op.getNumReductionLoops() > 0)
      ops.push_back(op);
  });
  return ops;
}

Kernel makeKernel(linalg::LinalgOp root) {
  Kernel kernel;
  kernel.extents = root.getStaticLoopRanges();
  for (utils::IteratorType kind : root.getIteratorTypesArray())
    kernel.reduction.push_back(kind == utils::IteratorType::reduction);
  kernel.initial.assign(root.getNumDpsInits(), nullptr);
  kernel.steps.push_back(makeStep(root, llvm::to_vector(llvm::seq<unsigned>(0, kernel.rank())), kernel));
  return kernel;
}

/// Whether `op` may read or write memory behind `buffer`. Ops of unknown effect count as touching everything.
static bool touches(Operation *op, Value buffer, bool writesOnly) {
  if (isMemoryEffectFree(op) || isa<ViewLikeOpInterface, memref::AllocOp>(op))
    return false;
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isa<MemRefType>(operand.get().getType()) || rootBuffer(operand.get()) != buffer)
        continue;
      if (!writesOnly || linalgOp.isDpsInit(&operand))
        return true;
    }
    if (writesOnly)
      return false;
    // Gathers in the body read buffers that are no operands.
    return op
        ->walk([&](memref::LoadOp load) {
          return rootBuffer(load.getMemRef()) == buffer ? WalkResult::interrupt() : WalkResult::advance();
        })
        .wasInterrupted();
  }
  if (auto copy = dyn_cast<memref::CopyOp>(op))
    return rootBuffer(copy.getTarget()) == buffer || (!writesOnly && rootBuffer(copy.getSource()) == buffer);
  return true;
}

bool touchedBetween(Operation *first, Operation *last, Value buffer, bool writesOnly) {
  for (Operation *op = first->getNextNode(); op && op != last; op = op->getNextNode())
    if (touches(op, buffer, writesOnly))
      return true;
  return false;
}

/// All buffers that a step reads from memory, gathers in its body included; a forwarded operand is in a register.
static SmallVector<Value> buffersLoaded(const Step &step) {
  SmallVector<Value> buffers;
  linalg::LinalgOp op = step.op;
  for (OpOperand *input : op.getDpsInputOperands()) {
    bool inRegister = llvm::any_of(
        step.forwarded, [&](std::pair<unsigned, unsigned> pair) { return pair.first == input->getOperandNumber(); });
    if (isa<MemRefType>(input->get().getType()) && !inRegister)
      buffers.push_back(rootBuffer(input->get()));
  }
  op->walk([&](memref::LoadOp load) { buffers.push_back(rootBuffer(load.getMemRef())); });
  return buffers;
}

static bool isAlone(Value memref) { // a whole allocation, not a view of one
  return isa_and_nonnull<memref::AllocOp>(memref.getDefiningOp());
}

/// The fill just before the root that sets one of its outputs.
static void absorbFill(Kernel &kernel, const llvm::SmallPtrSetImpl<Operation *> &taken) {
  linalg::LinalgOp root = kernel.root().op;
  for (auto [index, output] : llvm::enumerate(root.getDpsInits())) {
    // An output that the body does not read needs no initial value at all.
    Value buffer = rootBuffer(output);
    for (Operation *op = root->getPrevNode(); op; op = op->getPrevNode()) {
      auto fill = dyn_cast<linalg::FillOp>(op);
      if (fill && fill.getOutputs()[0] == output && !taken.contains(fill)) {
        // A map such as `n mod 32` may leave elements that only the fill sets.
        bool covered = root.getMatchingIndexingMap(root.getDpsInitOperand(index)).isProjectedPermutation();
        if (covered && !llvm::is_contained(buffersLoaded(kernel.root()), buffer)) {
          kernel.initial[index] = fill.getInputs()[0];
          kernel.absorbed.push_back(fill);
        }
        break;
      }
      if (touches(op, buffer, /*writesOnly=*/false))
        break;
    }
  }
}

/// Where the dims of `consumer` lie in the kernel, if it runs over exactly the space that `output` spans.
static std::optional<SmallVector<unsigned>> alignDims(const Kernel &kernel, linalg::LinalgOp consumer,
                                                      AffineMap produced, AffineMap consumed) {
  if (consumer.getNumReductionLoops() || consumed.getNumResults() != produced.getNumResults())
    return std::nullopt;
  SmallVector<int> found(consumer.getNumLoops(), -1);
  SmallVector<int64_t> extents = consumer.getStaticLoopRanges();
  llvm::SmallDenseSet<unsigned> taken;
  for (auto [from, to] : llvm::zip(produced.getResults(), consumed.getResults())) {
    auto toDim = dyn_cast<AffineDimExpr>(to);
    if (auto fromDim = dyn_cast<AffineDimExpr>(from)) {
      if (!toDim || found[toDim.getPosition()] >= 0 || !taken.insert(fromDim.getPosition()).second)
        return std::nullopt;
      found[toDim.getPosition()] = fromDim.getPosition();
    } else if (!isa<AffineConstantExpr>(from)) {
      return std::nullopt;
    }
  }
  // Every parallel dim of the kernel must be met, or the consumer would run several times over the same element.
  for (unsigned d = 0; d < kernel.rank(); ++d)
    if (!kernel.reduction[d] && kernel.extents[d] != 1 && !taken.contains(d))
      return std::nullopt;
  SmallVector<unsigned> dims;
  int unit = -1; // any kernel dim of extent 1 can stand for a consumer dim of extent 1
  for (unsigned d = 0; d < kernel.rank(); ++d)
    if (!kernel.reduction[d] && kernel.extents[d] == 1)
      unit = d;
  for (auto [d, position] : llvm::enumerate(found)) {
    if (position >= 0 && kernel.extents[position] != extents[d])
      return std::nullopt;
    if (position < 0 && (extents[d] != 1 || unit < 0))
      return std::nullopt;
    dims.push_back(position >= 0 ? position : unit);
  }
  return dims;
}

/// One elementwise op that reads output `output` of the kernel's last step, moved up to it.
static bool absorbConsumer(Kernel &kernel, const llvm::SmallPtrSetImpl<Operation *> &taken) {
  Step &last = kernel.steps.back();
  if (last.op.getNumDpsInits() != 1)
    return false;
  Value buffer = last.op.getDpsInits()[0];
  if (!isAlone(buffer))
    return false;
  AffineMap produced = last.maps.back();

  // The first reader after the last step must be the consumer.
  linalg::LinalgOp consumer;
  for (Operation *op = last.op->getNextNode(); op && !consumer; op = op->getNextNode())
    if (touches(op, buffer, /*writesOnly=*/false)) {
      consumer = dyn_cast<linalg::LinalgOp>(op);
      if (!consumer)
        return false;
    }
  if (!consumer || taken.contains(consumer) || isa<linalg::FillOp>(consumer))
    return false;

  SmallVector<std::pair<unsigned, unsigned>> forwarded;
  std::optional<SmallVector<unsigned>> dims;
  unsigned stepIndex = kernel.steps.size() - 1;
  for (OpOperand &operand : consumer->getOpOperands()) {
    if (!isa<MemRefType>(operand.get().getType()) || rootBuffer(operand.get()) != buffer)
      continue;
    if (operand.get() != buffer)
      return false;
    bool isOutput = consumer.isDpsInit(&operand);
    if (isOutput && !consumer.payloadUsesValueFromOperand(&operand) && dims) // written in place
      continue;
    auto aligned = alignDims(kernel, consumer, produced, consumer.getMatchingIndexingMap(&operand));
    if (!aligned || (dims && *dims != *aligned))
      return false;
    dims = aligned;
    forwarded.push_back({operand.getOperandNumber(), stepIndex * 16});
  }
  if (!dims || consumer
                   ->walk([&](memref::LoadOp load) {
                     return rootBuffer(load.getMemRef()) == buffer ? WalkResult::interrupt() : WalkResult::advance();
                   })
                   .wasInterrupted())
    return false;

  // The whole kernel moves down to the consumer: nothing between may write what it reads, nor touch what it writes.
  for (Step &step : kernel.steps) {
    for (Value read : buffersLoaded(step))
      if (touchedBetween(step.op, consumer, read, /*writesOnly=*/true))
        return false;
    Value written = rootBuffer(step.op.getDpsInits()[0]);
    for (Operation *op = step.op->getNextNode(); op != consumer; op = op->getNextNode())
      if (!llvm::is_contained(kernel.absorbed, op) && touches(op, written, false))
        return false;
  }
  // In one pass over the elements, the output of the consumer must not overwrite what another element still reads.
  bool overwritten = false;
  for (OpOperand &output : consumer.getDpsInitsMutable()) {
    Value target = rootBuffer(output.get());
    for (Step &step : kernel.steps)
      if (llvm::is_contained(buffersLoaded(step), target))
        return false;
    AffineMap outMap = consumer.getMatchingIndexingMap(&output);
    if (!outMap.isProjectedPermutation())
      return false;
    for (OpOperand *input : consumer.getDpsInputOperands()) // reads of the buffer it writes must be at the same element
      if (isa<MemRefType>(input->get().getType()) && rootBuffer(input->get()) == target &&
          (input->get() != output.get() || consumer.getMatchingIndexingMap(input) != outMap))
        return false;
    overwritten |= target == buffer;
  }

  // Who else reads the intermediate result from memory?
  bool stored = false;
  for (Operation *user : buffer.getUsers())
    if (user != consumer && user != last.op && !llvm::is_contained(kernel.absorbed, user) &&
        !isa<memref::DeallocOp>(user))
      stored = true;
  if (overwritten)
    stored = false;

  last.stored[0] = stored;
  Step step = makeStep(consumer, *dims, kernel);
  step.forwarded = std::move(forwarded);
  kernel.absorbed.push_back(last.op);
  kernel.steps.push_back(std::move(step));
  return true;
}

void absorbNeighbours(Kernel &kernel, llvm::SmallPtrSetImpl<Operation *> &taken, unsigned epilogues) {
  absorbFill(kernel, taken);
  while (kernel.steps.size() <= epilogues && absorbConsumer(kernel, taken)) {
  }
  taken.insert(kernel.absorbed.begin(), kernel.absorbed.end());
  taken.insert(kernel.steps.back().op);
}

} // namespace nacre::loops
