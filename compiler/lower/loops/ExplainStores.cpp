// Why what a kernel writes is read by another kernel instead of staying in registers. Told from the program as it is
// when kernels have been formed: the reasons are the conditions of fusion, looked at from the other side.
#include "Access.h"
#include "KernelFacts.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace nacre::loops {

/// A reader of a buffer: an operand of an op, or a load at a computed place in the body of one.
struct Reader {
  OpOperand *use;
  Operation *op;
  bool computed;
};

/// All readers, through views too.
static void readersOf(Value buffer, SmallVectorImpl<Reader> &readers) {
  for (OpOperand &use : buffer.getUses()) {
    Operation *user = use.getOwner();
    if (isa<memref::DeallocOp, memref::DimOp, memref::StoreOp>(user))
      continue;
    if (auto op = dyn_cast<linalg::LinalgOp>(user)) {
      if (!op.isDpsInit(&use) || op.payloadUsesValueFromOperand(&use))
        readers.push_back({&use, user, false});
      continue;
    }
    if (auto around = user->getParentOfType<linalg::LinalgOp>()) {
      readers.push_back({&use, around, true});
      continue;
    }
    bool view = false;
    for (Value result : user->getResults())
      if (isa<MemRefType>(result.getType()) && rootBuffer(result) == rootBuffer(buffer)) {
        view = true;
        readersOf(result, readers);
      }
    if (!view)
      readers.push_back({&use, user, false});
  }
}

/// How an op reads an operand, without the loops of one round: a 1 x 1 window is none.
static AffineMap readingOf(linalg::LinalgOp reader, OpOperand *use) {
  AffineMap map = reader.getMatchingIndexingMap(use);
  SmallVector<int64_t> extents = reader.getStaticLoopRanges();
  SmallVector<AffineExpr> results;
  for (AffineExpr expr : map.getResults())
    results.push_back(simplifyForExtents(expr, extents));
  return AffineMap::get(map.getNumDims(), 0, results, map.getContext());
}

/// Why a reader takes from memory what the last op of `kernel`, or an earlier one, has just computed.
static std::string reasonFor(const Kernel &kernel, const Reader &from, Value buffer, unsigned readers, bool ofAnother,
                             bool last) {
  auto reader = dyn_cast<linalg::LinalgOp>(from.op);
  Operation *writer = kernel.steps.back().op;
  if (!reader)
    return (Twine("`") + from.op->getName().getStringRef() + "` is no kernel").str();
  if (reader->getBlock() != writer->getBlock())
    return reader->getBlock()->findAncestorOpInBlock(*writer) ? "it leaves a loop"
                                                              : "it is read inside a loop, in every round";
  if (from.computed)
    return "it is read at computed subscripts";
  OpOperand *use = from.use;
  AffineMap map = readingOf(reader, use);
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
  if (ofAnother)
    return "its reader is part of that kernel, whose root it follows";
  if (kernel.steps.size() > mostEpilogues)
    return "the kernel holds " + std::to_string(mostEpilogues) + " operations behind its root already";
  if (last)
    return "cheaper apart, for their lanes lie differently in memory, or memory that one needs is written in between";
  return "it is needed again later";
}

static void explain(const Kernel &kernel, const Kernels &kernels, Value buffer, bool last, KernelFacts &facts) {
  SmallVector<Reader> readers;
  readersOf(rootBuffer(buffer), readers);
  SmallVector<Operation *> own;
  for (const Step &step : kernel.steps)
    own.push_back(step.op);
  llvm::erase_if(readers, [&](const Reader &reader) { return llvm::is_contained(own, reader.op); });
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
  for (const Reader &reader : readers)
    seen.insert(reader.op);
  unsigned count = seen.size();
  seen.clear();
  for (const Reader &reader : readers) {
    // A kernel that comes before is the previous tenant of the memory or another round of a loop.
    Operation *writer = kernel.steps.back().op;
    if (reader.op->getBlock() == writer->getBlock() && reader.op->isBeforeInBlock(writer))
      continue;
    if (!seen.insert(reader.op).second)
      continue;
    auto known = kernels.find(reader.op);
    facts.said.stores.push_back(
        {type, bytes.text(), known == kernels.end() ? reader.op->getName().getStringRef().str() : known->second.name,
         reasonFor(kernel, reader, buffer, count, known != kernels.end() && !known->second.root, last)});
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
