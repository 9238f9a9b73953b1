#include "optimize/Through.h"

using namespace mlir;

namespace nacre {

AffineExpr Through::adopt(AffineExpr expression, ValueRange symbols) {
  SmallVector<AffineExpr> replacement;
  for (Value symbol : symbols) {
    auto place = llvm::find(sizes, symbol);
    replacement.push_back(getAffineSymbolExpr(place - sizes.begin(), context));
    if (place == sizes.end())
      sizes.push_back(symbol);
  }
  return expression.replaceSymbols(replacement);
}

Seen Through::enter(EquationOp equation, ArrayRef<AffineExpr> places) {
  passed.insert(equation);
  frames.push_back({equation, llvm::to_vector(places), {}});
  auto yield = cast<YieldOp>(equation.getBody().front().getTerminator());
  return {yield.getValue(), unsigned(frames.size() - 1)};
}

AffineExpr Through::expression(AffineExpr over, unsigned frame) const {
  const Frame &at = frames[frame];
  EquationOp equation = at.equation;
  AffineExpr adopted = const_cast<Through *>(this)->adopt(over, equation.getSizes());
  return simplifyAffineExpr(adopted.replaceDims(at.places), indices, sizes.size());
}

Value Through::tensor(Seen seen) const {
  auto argument = dyn_cast<BlockArgument>(seen.scalar);
  if (Value other = frames[seen.frame].replaced.lookup(seen.scalar))
    return other;
  EquationOp equation = frames[seen.frame].equation;
  return argument ? equation.getInputs()[argument.getArgNumber()] : Value();
}

SmallVector<AffineExpr> Through::subscripts(Seen seen) const {
  EquationOp equation = frames[seen.frame].equation;
  unsigned number = cast<BlockArgument>(seen.scalar).getArgNumber();
  SmallVector<AffineExpr> result;
  for (AffineExpr subscript : cast<AffineMapAttr>(equation.getMaps()[number]).getValue().getResults())
    result.push_back(expression(subscript, seen.frame));
  return result;
}

EquationOp Through::elementwise(Seen seen) const {
  Value source = tensor(seen);
  auto equation = source ? source.getDefiningOp<EquationOp>() : EquationOp();
  bool opaque = !equation || equation.getReduction() || llvm::any_of(equation->getUsers(), [](Operation *user) {
    return isa<GradientOp>(user); // derivatives are asked by this tensor: it must stay an input
  });
  return opaque ? EquationOp() : equation;
}

Seen Through::entered(Seen seen) { return enter(elementwise(seen), subscripts(seen)); }

Seen Through::behindCuts(Seen seen) {
  Value source = tensor(seen);
  if (!source || !source.getDefiningOp<StopGradientOp>())
    return seen;
  while (auto stop = source.getDefiningOp<StopGradientOp>()) {
    passed.insert(stop);
    source = stop.getOperand();
  }
  Frame frame = frames[seen.frame];
  frame.replaced[seen.scalar] = source;
  frames.push_back(std::move(frame));
  return {seen.scalar, unsigned(frames.size() - 1)};
}

Seen Through::resolve(Seen seen) {
  while (++steps <= mostSteps) {
    if (auto cast = as<CastOp>(seen); cast && cast.getOperand().getType() == cast.getType())
      seen = operand(seen, 0);
    else if (isa<BlockArgument>(seen.scalar) && elementwise(seen))
      seen = entered(seen);
    else
      break;
  }
  return seen;
}

bool Through::equal(Seen a, Seen b) {
  if (gaveUp())
    return false;
  if (a.scalar == b.scalar && a.frame == b.frame)
    return true;
  auto sameRead = [&] {
    return isa<BlockArgument>(a.scalar) && isa<BlockArgument>(b.scalar) && tensor(a) == tensor(b) &&
           subscripts(a) == subscripts(b);
  };
  if (sameRead())
    return true;
  a = resolve(a);
  b = resolve(b);
  if (sameRead())
    return true;
  Operation *left = a.scalar.getDefiningOp(), *right = b.scalar.getDefiningOp();
  if (!left || !right || left->getName() != right->getName() || left->getNumOperands() != right->getNumOperands() ||
      a.scalar.getType() != b.scalar.getType())
    return false;
  if (auto index = dyn_cast<IndexOp>(left))
    return expression(index.getExpression().getResult(0), a.frame) ==
           expression(cast<IndexOp>(right).getExpression().getResult(0), b.frame);
  if (left->getAttrDictionary() != right->getAttrDictionary())
    return false;
  unsigned first = 0;
  if (isa<ElementOp>(left)) {
    if (left->getOperand(0) != right->getOperand(0))
      return false;
    first = 1;
  }
  for (unsigned number = first; number < left->getNumOperands(); ++number)
    if (!equal(operand(a, number), operand(b, number)))
      return false;
  return true;
}

bool Through::dependsOn(Seen seen, unsigned index) {
  if (gaveUp())
    return true;
  if (isa<BlockArgument>(seen.scalar))
    return llvm::any_of(subscripts(seen), [&](AffineExpr subscript) { return subscript.isFunctionOfDim(index); });
  Operation *op = seen.scalar.getDefiningOp();
  if (auto place = dyn_cast<IndexOp>(op))
    return expression(place.getExpression().getResult(0), seen.frame).isFunctionOfDim(index);
  for (unsigned number = isa<ElementOp>(op) ? 1 : 0; number < op->getNumOperands(); ++number)
    if (dependsOn(operand(seen, number), index))
      return true;
  return false;
}

} // namespace nacre
