// Why a gradient does not arrive: where every way from the value to the scalar ends.
#include "differentiate/Differentiate.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/RegionUtils.h"
#include "ops/Ops.h"

using namespace mlir;

namespace nacre {

static SetVector<Value> usedBy(Operation *op) {
  SetVector<Value> used(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), used);
  return used;
}

/// `fc1.weight`, or what the source calls the value.
static std::string nameOf(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
    if (function)
      if (auto path = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "nacre.path"))
        return "`" + path.str() + "`";
  }
  return "this value";
}

/// The reductions and primitives of an op that let nothing through; or its name.
static std::string blocks(Operation *op) {
  auto space = dyn_cast<IndexSpace>(op);
  if (auto equation = dyn_cast<EquationOp>(op); equation && equation.getReduction()) {
    ReductionKind kind = *equation.getReduction();
    if (kind == ReductionKind::ArgMax || kind == ReductionKind::ArgMin || kind == ReductionKind::Any ||
        kind == ReductionKind::All)
      return "`" + stringifyReductionKind(kind).str() + "`";
  }
  if (space)
    for (Operation &inner : space.getBody().front()) {
      if (isa<SignOp, FloorOp, CeilOp, RoundOp, LessOp, LessEqualOp, EqualOp, NotEqualOp, FloorDivideOp>(inner))
        return "`" + inner.getName().stripDialect().str() + "`";
      if (auto cast = dyn_cast<CastOp>(inner);
          cast && isa<FloatType>(cast.getOperand().getType()) && !isa<FloatType>(cast.getResult().getType()))
        return "a cast to an integer";
    }
  if (isa<StopGradientOp>(op))
    return "`stop_grad`";
  return space ? "an equation that is flat in it" : "`" + op->getName().stripDialect().str() + "`";
}

static bool isFlat(Operation &op) {
  return isa<SignOp, FloorOp, CeilOp, RoundOp, FloorDivideOp, IndexOp, NumberOp>(op) ||
         !isa<FloatType>(op.getResult(0).getType());
}

/// Whether the result has a derivative by one of the values, as far as the kinds of ops on the way tell.
static bool letsThrough(Operation *op, const DenseSet<Value> &derived) {
  if (isa<StopGradientOp>(op) || !llvm::any_of(op->getResults(), isReal))
    return false;
  auto space = dyn_cast<IndexSpace>(op);
  if (!space)
    return isa<Differentiable>(op);
  Block &body = space.getBody().front();
  DenseSet<Value> active;
  for (auto [input, argument] : llvm::zip(space.getInputs(), body.getArguments()))
    if (derived.contains(input) && isReal(input))
      active.insert(argument);
  for (Operation &inner : body.without_terminator()) {
    auto element = dyn_cast<ElementOp>(inner);
    bool reached = element ? derived.contains(element.getTensor())
                           : llvm::any_of(inner.getOperands(), [&](Value operand) { return active.contains(operand); });
    if (reached && !isFlat(inner))
      active.insert(inner.getResult(0));
  }
  auto scatter = dyn_cast<ScatterOp>(op);
  return active.contains(body.getTerminator()->getOperand(0)) || (scatter && derived.contains(scatter.getInit()));
}

static std::string placeOf(Location location) {
  std::string place;
  location->walk([&](Location inner) {
    auto file = dyn_cast<FileLineColLoc>(inner);
    if (!file)
      return WalkResult::advance();
    place = " at " + (file.getFilename().getValue() + ":" + Twine(file.getLine())).str();
    return WalkResult::interrupt();
  });
  return place;
}

InFlightDiagnostic refuse(Location location, StringRef kind) {
  InFlightDiagnostic error = emitError(location);
  error.getUnderlyingDiagnostic()->getMetadata().push_back(
      DiagnosticArgument(StringAttr::get(location.getContext(), kind)));
  return error;
}

void reportNoGradient(GradientOp gradient) {
  Block &block = *gradient->getBlock();
  DenseSet<Value> needed{gradient.getOf()}, reached{gradient.getWrt()}, derived{gradient.getWrt()};
  SmallVector<Operation *> path;
  for (Operation &op : llvm::reverse(block))
    if (llvm::any_of(op.getResults(), [&](Value result) { return needed.contains(result); })) {
      path.push_back(&op);
      for (Value value : usedBy(&op))
        needed.insert(value);
    }
  // The last ops that a derivative by the value reaches, taking each op at its word.
  SmallVector<Operation *> ends;
  for (Operation *op : llvm::reverse(path)) {
    bool depends = llvm::any_of(usedBy(op), [&](Value value) { return reached.contains(value); });
    bool derives = llvm::any_of(usedBy(op), [&](Value value) { return derived.contains(value); });
    if (depends)
      reached.insert(op->result_begin(), op->result_end());
    if (!derives)
      continue;
    if (letsThrough(op, derived))
      derived.insert(op->result_begin(), op->result_end());
    else
      ends.push_back(op);
  }
  InFlightDiagnostic error = refuse(gradient.getLoc(), "no-gradient");
  error << nameOf(gradient.getWrt()) << " gets no gradient from the scalar";
  if (!reached.contains(gradient.getOf())) {
    error << ": the scalar does not depend on it";
    return;
  }
  if (ends.empty()) {
    error << ": its derivative is 0 everywhere";
    return;
  }
  error << ": it passes only through ";
  for (auto [number, op] : llvm::enumerate(ArrayRef(ends).take_front(3)))
    error << (number ? ", " : "") << blocks(op) << placeOf(op->getLoc());
}

} // namespace nacre
