// Why what a kernel writes is read by another kernel instead of staying in registers. Told from the program as it is
// when kernels have been formed: the reasons are the conditions of fusion, looked at from the other side.
#include "KernelFacts.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace nacre::loops {

using Kernels = std::map<Operation *, std::string>;

/// The ops that read a buffer, through views too.
static void readersOf(Value buffer, SmallVectorImpl<OpOperand *> &readers, bool &escapes) {
  for (OpOperand &use : buffer.getUses()) {
    Operation *user = use.getOwner();
    if (isa<memref::DeallocOp, memref::DimOp>(user))
      continue;
    if (auto op = dyn_cast<linalg::LinalgOp>(user)) {
      bool reads = !op.isDpsInit(&use) || op.payloadUsesValueFromOperand(&use);
      if (reads)
        readers.push_back(&use);
      continue;
    }
    escapes |= isa<func::ReturnOp>(user);
    bool view = false;
    for (Value result : user->getResults())
      if (isa<MemRefType>(result.getType()) && rootBuffer(result) == rootBuffer(buffer)) {
        view = true;
        readersOf(result, readers, escapes);
      }
    if (!view)
      readers.push_back(&use);
  }
}

/// Why `use` reads from memory what the last op of `kernel`, or an earlier one, has just computed.
static std::string reasonFor(const Kernel &kernel, OpOperand *use, Value buffer, unsigned readers, bool last) {
  auto reader = dyn_cast<linalg::LinalgOp>(use->getOwner());
  Operation *writer = kernel.steps.back().op;
  if (!reader)
    return (Twine("`") + use->getOwner()->getName().getStringRef() + "` is no kernel").str();
  if (reader->getBlock() != writer->getBlock())
    return reader->getBlock()->findAncestorOpInBlock(*writer) ? "it leaves a loop"
                                                              : "it is read inside a loop, in every round";
  AffineMap map = reader.getMatchingIndexingMap(use);
  bool gathered =
      reader
          ->walk([&](memref::LoadOp load) {
            return rootBuffer(load.getMemRef()) == rootBuffer(buffer) ? WalkResult::interrupt() : WalkResult::advance();
          })
          .wasInterrupted();
  if (gathered)
    return "it is read at computed subscripts";
  if (!map.isProjectedPermutation(/*allowZeroInResults=*/true))
    return "windows of it are read: each element would be computed several times";
  if (reader.getNumReductionLoops() > 0) {
    if (map.getNumResults() < reader.getNumLoops())
      return "each element is read several times";
    return kernel.hasReduction() ? "a reduction over other axes reads it, which needs it whole"
           : readers > 1         ? "it has " + std::to_string(readers) + " readers"
                                 : "its reader reduces over other axes than its lanes";
  }
  if (map.getNumResults() < reader.getNumLoops())
    return kernel.hasReduction() ? "it is broadcast: all of it is needed before the first use"
                                 : "it is broadcast: each element would be computed several times";
  if (use->get() != buffer && use->get() != rootBuffer(buffer))
    return "it is read through another shape";
  if (linalg::LinalgOp(kernel.steps.back().op).getNumDpsInits() > 1)
    return "its kernel has several results";
  if (readers > 1)
    return "it has " + std::to_string(readers) + " readers";
  if (kernel.steps.size() > mostEpilogues)
    return "the kernel holds " + std::to_string(mostEpilogues) + " operations behind its root already";
  if (last)
    return "cheaper apart: in one kernel the lanes of one of them would be apart in memory, or something between them "
           "writes what it reads";
  return "it is needed again later";
}

static void explain(const Kernel &kernel, const Kernels &kernels, Value buffer, bool last, KernelFacts &facts) {
  SmallVector<OpOperand *> readers;
  bool escapes = false;
  readersOf(rootBuffer(buffer), readers, escapes);
  SmallVector<Operation *> own;
  for (const Step &step : kernel.steps)
    own.push_back(step.op);
  llvm::erase_if(readers, [&](OpOperand *use) { return llvm::is_contained(own, use->getOwner()); });
  std::string type;
  llvm::raw_string_ostream(type) << buffer.getType();
  Amount bytes;
  auto shape = cast<MemRefType>(buffer.getType());
  int64_t known = std::max(8u, shape.getElementType().isIntOrFloat() ? shape.getElementTypeBitWidth() : 64) / 8;
  SmallVector<Amount::Size> sizes;
  for (unsigned axis = 0; axis < shape.getRank(); ++axis)
    if (shape.isDynamicDim(axis))
      sizes.push_back({buffer, axis});
    else
      known *= shape.getDimSize(axis);
  bytes.add(known, sizes);
  Value root = rootBuffer(buffer);
  if (isa<BlockArgument>(root) && isa<func::FuncOp>(cast<BlockArgument>(root).getOwner()->getParentOp())) {
    auto function = cast<func::FuncOp>(cast<BlockArgument>(root).getOwner()->getParentOp());
    bool weight = static_cast<bool>(function.getArgAttr(cast<BlockArgument>(root).getArgNumber(), "nacre.weight"));
    facts.said.stores.push_back({type, bytes.text(), weight ? "weight" : "result", ""});
  }
  llvm::SmallPtrSet<Operation *, 4> seen;
  unsigned count = 0;
  for (OpOperand *use : readers)
    count += seen.insert(use->getOwner()).second;
  seen.clear();
  for (OpOperand *use : readers) {
    // A kernel that comes before is the previous tenant of the memory or another round of a loop.
    Operation *writer = kernel.steps.back().op;
    if (use->getOwner()->getBlock() == writer->getBlock() && use->getOwner()->isBeforeInBlock(writer))
      continue;
    if (!seen.insert(use->getOwner()).second)
      continue;
    auto known = kernels.find(use->getOwner());
    facts.said.stores.push_back(
        {type, bytes.text(), known == kernels.end() ? use->getOwner()->getName().getStringRef().str() : known->second,
         reasonFor(kernel, use, buffer, count, last)});
  }
}

void explainStores(const Kernel &kernel, const Kernels &kernels, KernelFacts &facts) {
  for (auto [index, step] : llvm::enumerate(kernel.steps)) {
    linalg::LinalgOp op = step.op;
    bool last = index + 1 == kernel.steps.size();
    for (auto [output, stored] : llvm::zip(op.getDpsInits(), step.stored))
      if (last || stored)
        explain(kernel, kernels, output, last, facts);
  }
}

} // namespace nacre::loops
