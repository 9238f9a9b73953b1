// Parallel nests become functions of a range:
//   scf.for %i = 0 to %n {nacre.grain = g} { ... }  =>  call @entry.body0(0, %n, captured...) {nacre.grain = g}
// CallThreadPool turns that call into one of the pool once everything is LLVM IR.
#include "Kernel.h"
#include "KernelFacts.h"
#include "ParallelLoop.h"
#include "Passes.h"
#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace nacre {
#define GEN_PASS_DEF_OUTLINEPARALLEL
#include "lower/loops/Passes.h.inc"

namespace {
struct OutlineParallelPass : impl::OutlineParallelBase<OutlineParallelPass> {
  void runOnOperation() override {
    names.clear();
    SmallVector<func::FuncOp> functions(getOperation().getOps<func::FuncOp>());
    for (func::FuncOp function : functions) {
      SmallVector<scf::ForOp> nests;
      function.walk<WalkOrder::PreOrder>([&](scf::ForOp loop) {
        if (!loop->hasAttr(loops::grainAttribute))
          return WalkResult::advance();
        nests.push_back(loop);
        return WalkResult::skip();
      });
      for (auto [number, nest] : llvm::enumerate(nests))
        outline(function, nest, number);
    }
  }

  void outline(func::FuncOp function, scf::ForOp nest, unsigned number) {
    llvm::SetVector<Value> used;
    getUsedValuesDefinedAbove(nest.getRegion(), used);
    SmallVector<Value> captured;
    SetVector<Operation *> repeated;             // cheap to compute again inside: constants, masks
    for (unsigned i = 0; i < used.size(); ++i) { // grows while vectors are replaced by what they are made of
      Operation *definition = used[i].getDefiningOp();
      bool isVector = isa<VectorType>(used[i].getType());
      // Scratch, and views of it that were moved out of the nest: each thread has its own.
      bool isMemory = isa<MemRefType>(used[i].getType());
      bool ownPlace = isMemory && loops::rootBuffer(used[i]).getDefiningOp<memref::AllocaOp>();
      if (definition &&
          (ownPlace || definition->hasTrait<OpTrait::ConstantLike>() || (isVector && isPure(definition)))) {
        repeated.insert(definition);
        used.insert(definition->operand_begin(), definition->operand_end());
      } else {
        captured.push_back(used[i]);
      }
    }
    OpBuilder builder(nest);
    Location loc = nest.getLoc();
    SmallVector<Type> types{builder.getIndexType(), builder.getIndexType()};
    llvm::append_range(types, ValueRange(captured).getTypes());

    OpBuilder inModule(function);
    std::string name = (function.getName() + ".body" + Twine(number)).str();
    if (auto kernel = nest->getAttrOfType<StringAttr>(loops::kernelAttribute)) {
      name = (function.getName() + "." + kernel.getValue()).str(); // digits_predict.fc1.product.linear_9
      if (!names.insert(name).second)
        names.insert(name = (Twine(name) + "." + Twine(number)).str());
    }
    auto body = func::FuncOp::create(inModule, loc, name, builder.getFunctionType(types, {}));
    body.setPrivate();
    Block *block = body.addEntryBlock();
    OpBuilder inside = OpBuilder::atBlockBegin(block);
    IRMapping mapping;
    for (auto [value, argument] : llvm::zip(captured, block->getArguments().drop_front(2)))
      mapping.map(value, argument);
    for (Operation *op : topologicalSort(repeated))
      inside.clone(*op, mapping);
    Value one = arith::ConstantIndexOp::create(inside, loc, 1);
    auto loop = scf::ForOp::create(inside, loc, block->getArgument(0), block->getArgument(1), one);
    func::ReturnOp::create(inside, loc);
    if (Attribute identity = nest->getAttr(loops::identityAttribute)) {
      OpBuilder around(loop);
      func::CallOp::create(around, loc, loops::chunkBegin, TypeRange(), ValueRange())
          ->setAttr(loops::identityAttribute, identity);
      around.setInsertionPointAfter(loop);
      func::CallOp::create(around, loc, loops::chunkEnd, TypeRange(), ValueRange())
          ->setAttr(loops::identityAttribute, identity);
    }
    mapping.map(nest.getInductionVar(), loop.getInductionVar());
    OpBuilder inLoop = OpBuilder::atBlockBegin(loop.getBody());
    for (Operation &op : nest.getBody()->without_terminator())
      inLoop.clone(op, mapping);

    SmallVector<Value> operands{nest.getLowerBound(), nest.getUpperBound()};
    llvm::append_range(operands, captured);
    auto call = func::CallOp::create(builder, loc, body, operands);
    for (StringRef name : {loops::grainAttribute, loops::leastAttribute})
      if (Attribute attribute = nest->getAttr(name))
        call->setAttr(name, attribute);
    nest.erase();
    for (Operation *op : repeated)
      if (isa<memref::AllocaOp>(op) && op->use_empty())
        op->erase();
  }

  llvm::StringSet<> names;
};
} // namespace
} // namespace nacre
