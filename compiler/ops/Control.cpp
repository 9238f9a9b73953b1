// Loops: what makes one well formed, and how what it carries is shaped.
#include "ops/Extents.h"
#include "ops/Ops.h"

using namespace mlir;
using namespace nacre;

NextOp LoopOp::next() { return cast<NextOp>(getBody().front().getTerminator()); }

LogicalResult LoopOp::verify() {
  if (getRounds().getNumResults() != 1 || getRounds().getNumDims() != 0 ||
      getRounds().getNumSymbols() != getSizes().size())
    return emitOpError() << "needs one number of rounds over " << getSizes().size() << " sizes";
  Block &block = getBody().front();
  auto next = dyn_cast<NextOp>(block.getTerminator());
  if (!next)
    return emitOpError("needs `nacre.next` at the end of its body");
  SmallVector<Type> arguments{IndexType::get(getContext())};
  llvm::append_range(arguments, getInitial().getTypes());
  if (block.getArgumentTypes() != TypeRange(arguments))
    return emitOpError("needs the counter and what it carries as block arguments");
  if (next.getCarried().getTypes() != getInitial().getTypes())
    return emitOpError("carries other types than it started with");
  if (hasCondition()) {
    Block &test = getCondition().front();
    auto end = dyn_cast<WhileOp>(test.getTerminator());
    if (test.getArgumentTypes() != getInitial().getTypes() || !end)
      return emitOpError("needs what it carries as arguments of its condition, and `nacre.while` at the end");
    auto truth = cast<RankedTensorType>(end.getCondition().getType());
    if (truth.getRank() != 0 || !truth.getElementType().isInteger(1))
      return emitOpError() << "asks for " << truth << " as a condition";
  }
  if (getLimit() && getLimit().getType() != RankedTensorType::get({}, IntegerType::get(getContext(), 64)))
    return emitOpError() << "is limited by " << getLimit().getType();
  SmallVector<Type> results(getInitial().getTypes());
  auto rounds = dyn_cast<AffineConstantExpr>(getRounds().getResult(0));
  for (Value yielded : next.getYields()) {
    auto type = cast<RankedTensorType>(yielded.getType());
    SmallVector<int64_t> shape{rounds ? rounds.getValue() : ShapedType::kDynamic};
    llvm::append_range(shape, type.getShape());
    results.push_back(RankedTensorType::get(shape, type.getElementType()));
  }
  if (hasCondition())
    results.push_back(RankedTensorType::get({}, IntegerType::get(getContext(), 64)));
  if (getResultTypes() != TypeRange(results))
    return emitOpError("has results of other types than what it carries and yields");
  return success();
}

std::optional<Extents> LoopOp::knownExtents(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    bool inBody = argument.getOwner()->getParent() == &getBody();
    return extentsOf(getInitial()[argument.getArgNumber() - (inBody ? 1 : 0)]);
  }
  unsigned number = cast<OpResult>(value).getResultNumber();
  if (number < carriedCount())
    return extentsOf(getInitial()[number]);
  // A new first axis before those of what is yielded, whose sizes must be known outside.
  std::optional<Extents> inner = extentsOf(next().getYields()[number - carriedCount()]);
  if (!inner || llvm::any_of(inner->symbols,
                             [&](Value symbol) { return (*this)->isAncestor(symbol.getParentBlock()->getParentOp()); }))
    return std::nullopt;
  Extents extents{{}, llvm::to_vector(inner->symbols)};
  unsigned before = extents.symbols.size();
  SmallVector<AffineExpr> list{getRounds().getResult(0).shiftSymbols(getSizes().size(), before)};
  llvm::append_range(list, inner->map.getResults());
  llvm::append_range(extents.symbols, getSizes());
  extents.map = AffineMap::get(0, extents.symbols.size(), list, getContext());
  return extents;
}
