// The order of the ops of a training function, and which stored results are computed in the memory of their weight.
//
//   dx = dy . w          reads the old w                       first every other reader of w,
//   w' = w - rate * dw   elementwise, stored in w               then the update, written over w element by element
//
// An update that may not be written over its weight (some other reader needs the update, or reads differently) is left
// alone: bufferisation copies such results into their weights when all else is done. Updates run as soon as they can,
// and so do ops that free more memory than they take: gradients die where they are consumed.
#include "Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/MapVector.h"

namespace nacre {
#define GEN_PASS_DEF_ORDERUPDATES
#include "Passes.h.inc"
} // namespace nacre

using namespace mlir;

namespace {

constexpr int64_t fewBytes = 64;

bool isView(Operation *op) {
  return isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp, tensor::CastOp, tensor::ExtractSliceOp>(op);
}

Value behindViews(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isView(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

/// Takes no memory until something else writes there, so it stands just before that.
bool isDestination(Operation *op) { return isa<tensor::EmptyOp, linalg::FillOp>(op); }

SetVector<Value> valuesUsedBy(Operation *op) {
  SetVector<Value> used(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), used);
  return used;
}

int64_t bytesOf(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !tensor.getElementType().isIntOrFloat())
    return 0;
  int64_t bytes = (tensor.getElementTypeBitWidth() + 7) / 8;
  for (int64_t extent : tensor.getShape())
    bytes *= ShapedType::isDynamic(extent) ? 16 : extent; // a guess
  return bytes;
}

class Order {
public:
  explicit Order(func::FuncOp function) : function(function), block(function.front()) {
    Operation *before = nullptr;
    for (auto [position, op] : llvm::enumerate(block.without_terminator())) {
      place[&op] = position;
      for (Value value : valuesUsedBy(&op)) {
        if (Operation *producer = value.getDefiningOp(); producer && producer->getBlock() == &block)
          addEdge(producer, &op);
        Value root = behindViews(value);
        if (!isView(&op) && isa<RankedTensorType>(root.getType()))
          readers[root].insert(&op);
      }
      if (!isPure(&op)) { // in the order of the program
        if (before)
          addEdge(before, &op);
        before = &op;
      }
    }
  }

  /// Chooses the updates in place, one after the other, and orders the readers of their weights before them.
  void placeStores() {
    auto back = cast<func::ReturnOp>(block.getTerminator());
    llvm::SmallDenseSet<Value> returned; // weights that are results as well: they are read at the very end
    for (Value value : back.getOperands())
      returned.insert(behindViews(value));
    for (auto [number, value] : llvm::enumerate(back.getOperands())) {
      auto store = function.getResultAttrOfType<DenseI64ArrayAttr>(number, "nacre.store");
      auto update = value.getDefiningOp<linalg::GenericOp>();
      if (!store || !update)
        continue;
      for (BlockArgument weight : block.getArguments())
        if (function.getArgAttrOfType<DenseI64ArrayAttr>(weight.getArgNumber(), "nacre.weight") == store &&
            !returned.contains(weight) && weight.getType() == value.getType())
          placeIn(update, cast<OpResult>(value).getResultNumber(), weight);
    }
  }

  void run() {
    SmallVector<Operation *> ops;
    for (Operation &op : block.without_terminator())
      ops.push_back(&op);
    for (Operation *op : ops)
      if (!isDestination(op))
        visit(op);
    for (Operation *op : ops)
      visit(op);
    for (auto [position, op] : llvm::enumerate(order)) {
      op->moveBefore(block.getTerminator());
      place[op] = position;
    }
  }

  /// An elementwise op writes over an operand that nobody reads after it.
  void reuseOperands() {
    for (Operation *op : order)
      if (auto generic = dyn_cast<linalg::GenericOp>(op); generic && !generic.getNumReductionLoops())
        for (unsigned result = 0; result < generic.getNumDpsInits(); ++result)
          if (Value operand = dyingOperand(generic, result))
            generic.getDpsInitsMutable()[result].set(operand);
  }

private:
  /// Results are computed where the caller wants them.
  bool isReturned(Value value) {
    return llvm::any_of(value.getUsers(), [&](Operation *user) {
      return isa<func::ReturnOp>(user) || (isView(user) && isReturned(user->getResult(0)));
    });
  }

  /// The last one computed of those that the result may be written over.
  Value dyingOperand(linalg::GenericOp op, unsigned result) {
    OpOperand *output = op.getDpsInitOperand(result);
    AffineMap written = op.getMatchingIndexingMap(output);
    Operation *destination = output->get().getDefiningOp();
    if (!destination || !isDestination(destination) || op.payloadUsesValueFromOperand(output) ||
        !written.isIdentity() || isReturned(op.getResult(result)))
      return {};
    SetVector<Value> inside;
    getUsedValuesDefinedAbove(op->getRegions(), inside);
    Value best;
    for (OpOperand *input : op.getDpsInputOperands()) {
      Value value = input->get();
      Operation *producer = value.getDefiningOp();
      if (value.getType() != output->get().getType() || !isa_and_nonnull<linalg::LinalgOp>(producer) ||
          producer->getBlock() != &block || isDestination(producer) || isReturned(value))
        continue;
      bool dies = llvm::all_of(readers[value], [&](Operation *reader) { return place[reader] <= place[op]; });
      bool aligned = llvm::all_of(op->getOpOperands(), [&](OpOperand &other) {
        return behindViews(other.get()) != value ||
               (other.get() == value && op.getMatchingIndexingMap(&other) == written && op.isDpsInput(&other));
      });
      bool gathered = llvm::any_of(inside, [&](Value other) { return behindViews(other) == value; });
      if (dies && aligned && !gathered && (!best || place[best.getDefiningOp()] < place[producer]))
        best = value;
    }
    return best;
  }

  void addEdge(Operation *first, Operation *then) {
    if (first == then || !before[then].insert(first))
      return;
    after[first].insert(then);
  }

  bool reaches(Operation *from, Operation *to) {
    llvm::SmallPtrSet<Operation *, 32> seen;
    SmallVector<Operation *> open{from};
    while (!open.empty()) {
      Operation *op = open.pop_back_val();
      if (op == to)
        return true;
      if (seen.insert(op).second)
        llvm::append_range(open, after[op]);
    }
    return false;
  }

  /// Whether element for element the update may be written over the weight that it reads.
  static bool isElementwiseOn(linalg::GenericOp update, unsigned result, BlockArgument weight) {
    OpOperand *output = update.getDpsInitOperand(result);
    if (update.getNumReductionLoops() || !update.getMatchingIndexingMap(output).isIdentity() ||
        update.payloadUsesValueFromOperand(output))
      return false;
    Operation *destination = output->get().getDefiningOp();
    if (!destination || !isDestination(destination))
      return false;
    for (OpOperand *input : update.getDpsInputOperands())
      if (behindViews(input->get()) == weight &&
          (input->get() != weight || !update.getMatchingIndexingMap(input).isIdentity()))
        return false;
    for (unsigned other = 0; other < update.getNumDpsInits(); ++other)
      if (other != result && behindViews(update.getDpsInits()[other]) == weight)
        return false;
    SetVector<Value> inside; // read by position in the body
    getUsedValuesDefinedAbove(update->getRegions(), inside);
    return llvm::none_of(inside, [&](Value value) { return behindViews(value) == weight; });
  }

  void placeIn(linalg::GenericOp update, unsigned result, BlockArgument weight) {
    if (!isElementwiseOn(update, result, weight))
      return;
    for (Operation *reader : readers[weight])
      if (reader != update && reaches(update, reader)) // reads the old value, and needs the new one
        return;
    for (Operation *reader : readers[weight])
      addEdge(reader, update);
    Operation *unused = update.getDpsInits()[result].getDefiningOp();
    update.getDpsInitsMutable()[result].set(weight);
    if (!llvm::is_contained(update->getOperands(), unused->getResult(0))) { // another result may take its place
      before[update].remove(unused);
      after[unused].remove(update);
    }
    updates.insert(update);
  }

  void visit(Operation *op) {
    SmallVector<std::pair<Operation *, bool>> open{{op, false}}; // true: all that comes before it is done
    while (!open.empty()) {
      auto [next, ready] = open.pop_back_val();
      if (done.contains(next))
        continue;
      if (ready) {
        append(next);
        continue;
      }
      open.push_back({next, true});
      SmallVector<Operation *> needed(before[next].begin(), before[next].end());
      llvm::sort(needed, [&](Operation *a, Operation *b) { return place[a] > place[b]; });
      for (Operation *other : needed)
        open.push_back({other, false});
    }
  }

  void append(Operation *op) {
    SmallVector<Operation *> eager{op};
    while (!eager.empty()) {
      Operation *next = eager.pop_back_val();
      if (!emit(next))
        continue;
      SmallVector<Operation *> candidates(after[next].begin(), after[next].end());
      for (Value value : valuesUsedBy(next)) // its operands may have one reader left
        llvm::append_range(candidates, readers[behindViews(value)]);
      llvm::sort(candidates, [&](Operation *a, Operation *b) { return place[a] > place[b]; });
      for (Operation *candidate : candidates)
        if (!done.contains(candidate) && isReady(candidate) && (updates.contains(candidate) || frees(candidate)))
          eager.push_back(candidate);
    }
  }

  /// Puts an op next, after the destinations that nobody needed until now.
  bool emit(Operation *op) {
    if (!done.insert(op).second)
      return false;
    for (Operation *other : before[op])
      emit(other);
    order.push_back(op);
    return true;
  }

  bool isReady(Operation *op) {
    return llvm::all_of(
        before[op], [&](Operation *other) { return done.contains(other) || (isDestination(other) && isReady(other)); });
  }

  /// Whether less memory is in use once the op has run. A few numbers, such as whether the loss is finite, count as
  /// none: updates wait for them.
  bool frees(Operation *op) {
    if (isView(op) || isDestination(op) || op->getNumResults() == 0 || !isPure(op))
      return false;
    int64_t change = 0;
    for (Type type : op->getResultTypes())
      change += bytesOf(type);
    if (change <= fewBytes)
      return true;
    llvm::SmallDenseSet<Value> roots;
    for (Value value : valuesUsedBy(op)) {
      Value root = behindViews(value);
      Operation *producer = root.getDefiningOp();
      if (!producer || isDestination(producer) || producer->hasTrait<OpTrait::ConstantLike>() ||
          !roots.insert(root).second)
        continue;
      bool last = llvm::all_of(readers[root], [&](Operation *reader) { return reader == op || done.contains(reader); });
      bool isResult = llvm::any_of(root.getUsers(), [](Operation *user) { return isa<func::ReturnOp>(user); });
      if (last && !isResult)
        change -= bytesOf(root.getType());
    }
    return change < 0;
  }

  func::FuncOp function;
  Block &block;
  DenseMap<Operation *, SetVector<Operation *>> before, after;
  DenseMap<Operation *, unsigned> place;
  DenseMap<Value, SetVector<Operation *>> readers; // of a value, through views as well
  llvm::SmallPtrSet<Operation *, 32> updates, done;
  SmallVector<Operation *> order;
};

struct OrderUpdates : nacre::impl::OrderUpdatesBase<OrderUpdates> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (!function->hasAttr("nacre.training") || function.isExternal())
      return;
    Order order(function);
    order.placeStores();
    order.run();
    order.reuseOperands();
  }
};
} // namespace
