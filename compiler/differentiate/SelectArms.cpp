// What a choice may leave aside is computed beside the choice.
//
//   s = sqrt(x);  y = select(x > 0, s, 0)     =>     y = select(x > 0, sqrt(x), 0)
//
// The derivative of the root is infinite where it was not chosen. In one body the choice stays outermost and hides it;
// in two equations the second one would multiply it by zero.
#include "differentiate/Differentiate.h"
#include "differentiate/Piece.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace nacre {

static bool isElementwise(EquationOp equation) { return !equation.getReduction(); }

/// The input that an arm of some choice reads from an equation which nobody else needs.
static std::optional<unsigned> armToInline(EquationOp equation) {
  Block &body = equation.getBody().front();
  DenseSet<Value> inArm;
  for (Operation &op : llvm::reverse(body)) {
    auto choice = dyn_cast<SelectOp>(op);
    if (choice)
      inArm.insert_range(ValueRange{choice.getYes(), choice.getNo()});
    else if (op.getNumResults() == 1 && inArm.contains(op.getResult(0)))
      inArm.insert_range(op.getOperands());
  }
  for (BlockArgument argument : body.getArguments()) {
    Value input = equation.getInputs()[argument.getArgNumber()];
    auto producer = input.getDefiningOp<EquationOp>();
    if (inArm.contains(argument) && producer && isElementwise(producer) && isReal(input) &&
        producer->getBlock() == equation->getBlock() && llvm::hasSingleElement(input.getUses()))
      return argument.getArgNumber();
  }
  return std::nullopt;
}

static EquationOp inlineInput(EquationOp equation, unsigned input) {
  auto producer = equation.getInputs()[input].getDefiningOp<EquationOp>();
  IRMapping originals;
  Piece piece(equation, originals);
  piece.value = originals.lookupOrDefault(cast<YieldOp>(equation.getBody().front().getTerminator()).getValue());
  SmallVector<AffineExpr> at = piece.reads[input].subscripts;
  auto here = [&](AffineExpr expression) {
    return piece.simplify(piece.adopt(expression, producer.getSizes()).replaceDims(at));
  };
  Block &inner = producer.getBody().front();
  IRMapping values;
  for (auto [tensor, attribute, argument] : llvm::zip(producer.getInputs(), producer.getMaps(), inner.getArguments())) {
    SmallVector<AffineExpr> subscripts;
    for (AffineExpr subscript : cast<AffineMapAttr>(attribute).getValue().getResults())
      subscripts.push_back(here(subscript));
    Value element = piece.read(tensor, subscripts);
    if (Operation *number = element.getDefiningOp()) // a splat
      number->moveBefore(piece.body.get(), piece.body->begin());
    values.map(argument, element);
  }
  auto numbers = llvm::find_if(*piece.body, [](Operation &op) { return !isa<NumberOp>(op); });
  Operation *first = numbers == piece.body->end() ? nullptr : &*numbers;
  OpBuilder front = piece.atEnd();
  for (Operation &op : inner.without_terminator()) {
    if (first)
      front.setInsertionPoint(first);
    Operation *copy = front.clone(op, values);
    if (auto index = dyn_cast<IndexOp>(copy)) {
      AffineExpr expression = here(index.getExpression().getResult(0));
      index.setExpressionAttr(AffineMapAttr::get(AffineMap::get(piece.indexCount(), piece.sizes.size(), expression)));
    }
  }
  Value computed = values.lookup(cast<YieldOp>(inner.getTerminator()).getValue());
  BlockArgument argument = piece.body->getArgument(input);
  argument.replaceAllUsesWith(computed);
  if (piece.value == argument)
    piece.value = computed;
  piece.refresh();
  SmallVector<unsigned> axes;
  for (unsigned axis = 0; axis < equation.parallelCount(); ++axis)
    axes.push_back(axis);
  OpBuilder builder(equation);
  Value result = piece.equation(builder, axes, equation.getType().getElementType(),
                                equation.getReduction().value_or(ReductionKind::Sum));
  equation.getResult().replaceAllUsesWith(result);
  equation.erase();
  producer.erase();
  return result.getDefiningOp<EquationOp>();
}

void inlineSelectArms(func::FuncOp function) {
  SmallVector<EquationOp> pending;
  function.walk([&](EquationOp equation) {
    std::optional<ReductionKind> kind = equation.getReduction();
    bool plain = !kind || *kind == ReductionKind::Sum || *kind == ReductionKind::Maximum ||
                 *kind == ReductionKind::Minimum || *kind == ReductionKind::Product;
    if (plain && isReal(equation.getResult()) && !isa<Float16Type, BFloat16Type>(equation.getType().getElementType()))
      pending.push_back(equation);
  });
  DenseSet<Operation *> gone; // of those that are pending; what is made anew may lie where one of them lay
  for (EquationOp equation : llvm::reverse(pending)) { // users before what they take in
    if (gone.contains(equation))
      continue;
    while (std::optional<unsigned> input = armToInline(equation)) {
      gone.insert(equation.getInputs()[*input].getDefiningOp());
      equation = inlineInput(equation, *input);
    }
  }
}

} // namespace nacre
