// What the body of an op computes anew for every element from numbers alone is computed once, before it:
//   w' = w - rate / (1 - beta^t) * m   =>   c = rate / (1 - beta^t);  w' = w - c * m
// A power of scalars would otherwise keep the whole update in scalar code, and the update out of the sum it belongs to.
#include "Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace nacre {
#define GEN_PASS_DEF_HOISTSCALARS
#include "Passes.h.inc"
} // namespace nacre

using namespace mlir;

namespace {

/// More than a few cycles, so worth an operand.
bool isCostly(Operation *op) { return isa<arith::DivFOp>(op) || isa_and_nonnull<math::MathDialect>(op->getDialect()); }

class Body {
public:
  explicit Body(linalg::GenericOp op) : op(op), block(op.getRegion().front()) {
    for (OpOperand *input : op.getDpsInputOperands())
      if (op.getMatchingIndexingMap(input).getNumResults() == 0)
        scalars.insert(op.getMatchingBlockArgument(input));
    for (Operation &inner : block.without_terminator()) {
      if (!isScalar(&inner))
        continue;
      scalars.insert(inner.getResult(0));
      if (isCostly(&inner) || llvm::any_of(inner.getOperands(), [&](Value v) { return costly.contains(v); }))
        costly.insert(inner.getResult(0));
    }
  }

  /// Costly scalars that something else than a costly scalar needs.
  SmallVector<Value> wanted() const {
    SmallVector<Value> values;
    for (Value value : costly)
      if (llvm::any_of(value.getUsers(), [&](Operation *user) {
            return user->getNumResults() == 0 || !costly.contains(user->getResult(0));
          }))
        values.push_back(value);
    return values;
  }

  /// The value as a tensor of rank 0, computed just before the op.
  Value computeBefore(Value value) {
    llvm::SetVector<Operation *> needed;
    collect(value, needed);
    SmallVector<Value> inputs;
    SmallVector<Value> arguments;
    for (OpOperand *input : op.getDpsInputOperands())
      if (BlockArgument argument = op.getMatchingBlockArgument(input);
          llvm::any_of(needed, [&](Operation *inner) { return llvm::is_contained(inner->getOperands(), argument); })) {
        inputs.push_back(input->get());
        arguments.push_back(argument);
      }
    OpBuilder b(op);
    Location loc = value.getLoc();
    Value place = tensor::EmptyOp::create(b, loc, ArrayRef<int64_t>{}, value.getType());
    SmallVector<AffineMap> maps(inputs.size() + 1, AffineMap::get(b.getContext()));
    auto scalar =
        linalg::GenericOp::create(b, loc, place.getType(), inputs, place, maps, ArrayRef<utils::IteratorType>{},
                                  [&](OpBuilder &inner, Location at, ValueRange given) {
                                    IRMapping known;
                                    for (auto [from, to] : llvm::zip(arguments, given))
                                      known.map(from, to);
                                    for (Operation *step : needed)
                                      inner.clone(*step, known);
                                    linalg::YieldOp::create(inner, at, known.lookup(value));
                                  });
    return scalar.getResult(0);
  }

private:
  bool isScalar(Operation *inner) const {
    if (inner->getNumResults() != 1 || inner->getNumRegions() || !isPure(inner) || isa<linalg::IndexOp>(inner))
      return false;
    Type type = inner->getResult(0).getType();
    if (!type.isIntOrFloat() || type.getIntOrFloatBitWidth() < 8) // no tensors of truth values
      return false;
    return llvm::all_of(inner->getOperands(), [&](Value operand) {
      return operand.getType().isIntOrFloat() && (scalars.contains(operand) || operand.getParentBlock() != &block);
    });
  }

  /// The ops of the body behind a value, in their order.
  void collect(Value value, llvm::SetVector<Operation *> &needed) const {
    Operation *inner = value.getDefiningOp();
    if (!inner || inner->getBlock() != &block || needed.contains(inner))
      return;
    for (Value operand : inner->getOperands())
      collect(operand, needed);
    needed.insert(inner);
  }

  linalg::GenericOp op;
  Block &block;
  llvm::SetVector<Value> scalars, costly; // the same in all elements; of these, those that cost something
};

void hoist(linalg::GenericOp op) {
  Body body(op);
  SmallVector<Value> wanted = body.wanted(), hoisted;
  if (wanted.empty())
    return;
  for (Value value : wanted)
    hoisted.push_back(body.computeBefore(value));

  OpBuilder b(op);
  SmallVector<Value> inputs(op.getInputs());
  llvm::append_range(inputs, hoisted);
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  maps.insert(maps.begin() + op.getNumDpsInputs(), hoisted.size(), AffineMap::get(op.getNumLoops(), 0, b.getContext()));
  auto fresh = linalg::GenericOp::create(b, op.getLoc(), op.getResultTypes(), inputs, op.getOutputs(), maps,
                                         op.getIteratorTypesArray());
  fresh->setDiscardableAttrs(op->getDiscardableAttrDictionary());
  unsigned first = op.getNumDpsInputs();
  fresh.getRegion().takeBody(op.getRegion());
  Block &block = fresh.getRegion().front();
  for (auto [i, value] : llvm::enumerate(wanted))
    value.replaceAllUsesWith(block.insertArgument(first + i, value.getType(), value.getLoc()));
  SmallVector<Operation *> steps;
  for (Operation &inner : block.without_terminator())
    steps.push_back(&inner);
  for (Operation *inner : llvm::reverse(steps))
    if (isOpTriviallyDead(inner))
      inner->erase();
  op.replaceAllUsesWith(fresh.getResults());
  op.erase();
}

struct HoistScalars : nacre::impl::HoistScalarsBase<HoistScalars> {
  void runOnOperation() override {
    SmallVector<linalg::GenericOp> ops;
    getOperation().walk([&](linalg::GenericOp op) {
      if (op.hasPureTensorSemantics() && op.getNumLoops() > 0)
        ops.push_back(op);
    });
    for (linalg::GenericOp op : ops)
      hoist(op);
  }
};
} // namespace
