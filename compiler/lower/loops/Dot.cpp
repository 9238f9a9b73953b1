#include "Dot.h"
#include "Access.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace nacre::loops {

static const DotForm forms[] = {
#define DOT(name, feature, left, right, group, tiles, intrinsic)                                                       \
  {name, feature, Factor::left, Factor::right, group, tiles, intrinsic},
#include "DotForms.def"
};
ArrayRef<DotForm> dotForms() { return forms; }

SmallVector<const DotForm *> dotFormsOf(StringRef names) {
  SmallVector<StringRef> parts;
  names.split(parts, '+', -1, /*KeepEmpty=*/false);
  SmallVector<const DotForm *> found;
  for (const DotForm &form : forms)
    if (llvm::is_contained(parts, form.name))
      found.push_back(&form);
  return found;
}

/// The input that a factor of the body stands for, and what it is in memory.
static std::optional<std::pair<OpOperand *, Factor>> factorOf(linalg::LinalgOp op, Value value,
                                                              function_ref<bool(OpOperand *)> narrow) {
  std::optional<Factor> kind;
  Operation *conversion = value.getDefiningOp();
  Value source = conversion && conversion->getNumOperands() == 1 ? conversion->getOperand(0) : value;
  if (isa_and_nonnull<arith::ExtFOp>(conversion) && source.getType().isBF16())
    kind = Factor::Rounded;
  else if (isa_and_nonnull<arith::ExtSIOp>(conversion) && source.getType().isInteger(8))
    kind = Factor::Signed;
  else if (isa_and_nonnull<arith::ExtUIOp>(conversion) && source.getType().isInteger(8))
    kind = Factor::Unsigned;
  else if (conversion)
    return std::nullopt;
  auto argument = dyn_cast<BlockArgument>(source);
  if (!argument || argument.getOwner() != op.getBlock())
    return std::nullopt;
  OpOperand *operand = op.getMatchingOpOperand(argument);
  if (op.isDpsInit(operand) || !isa<ShapedType>(operand->get().getType()))
    return std::nullopt;
  if (!kind && narrow && narrow(operand))
    kind = Factor::Rounded;
  if (!kind)
    return std::nullopt;
  return std::pair(operand, *kind);
}

std::optional<DotBody> dotBodyOf(linalg::LinalgOp op, function_ref<bool(OpOperand *)> narrow) {
  if (op.getNumDpsInits() != 1 || op.getNumReductionLoops() == 0)
    return std::nullopt;
  Operation *sum = op.getBlock()->getTerminator()->getOperand(0).getDefiningOp();
  if (!isa_and_nonnull<arith::AddFOp, arith::AddIOp>(sum))
    return std::nullopt;
  Type type = sum->getResult(0).getType();
  Value accumulator = op.getBlock()->getArguments().back();
  Value term = sum->getOperand(0) == accumulator   ? sum->getOperand(1)
               : sum->getOperand(1) == accumulator ? sum->getOperand(0)
                                                   : Value();
  Operation *product = term ? term.getDefiningOp() : nullptr;
  bool real = type.isF32() && isa_and_nonnull<arith::MulFOp>(product);
  bool whole = type.isInteger(32) && isa_and_nonnull<arith::MulIOp>(product);
  if (!real && !whole)
    return std::nullopt;
  auto first = factorOf(op, product->getOperand(0), narrow), second = factorOf(op, product->getOperand(1), narrow);
  if (!first || !second || first->first == second->first)
    return std::nullopt;
  if ((first->second == Factor::Rounded) != real || (second->second == Factor::Rounded) != real)
    return std::nullopt;
  return DotBody{first->first, second->first, first->second, second->second};
}

static bool isDimBy(AffineExpr expr, AffineExprKind kind, int64_t by, unsigned &dim) {
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary || binary.getKind() != kind)
    return false;
  auto left = dyn_cast<AffineDimExpr>(binary.getLHS());
  auto right = dyn_cast<AffineConstantExpr>(binary.getRHS());
  if (!left || !right || right.getValue() != by)
    return false;
  dim = left.getPosition();
  return true;
}

/// Whether a map reads panels: [.., k floordiv group, n mod 16, k mod group].
static bool readsGroups(AffineMap map, int64_t group, unsigned &lane, unsigned &deep) {
  unsigned rank = map.getNumResults(), again;
  if (rank < 4 || !isDimBy(map.getResult(rank - 1), AffineExprKind::Mod, group, deep) ||
      !isDimBy(map.getResult(rank - 3), AffineExprKind::FloorDiv, group, again) || again != deep)
    return false;
  if (auto whole = dyn_cast<AffineDimExpr>(map.getResult(rank - 2))) { // one panel is all there is
    lane = whole.getPosition();
    return true;
  }
  return isDimBy(map.getResult(rank - 2), AffineExprKind::Mod, dotLanes, lane);
}

static bool isDense(OpOperand *operand) {
  auto type = dyn_cast<MemRefType>(operand->get().getType());
  return type && type.getLayout().isIdentity();
}

std::optional<PanelCopy> panelCopyOf(const Kernel &kernel) {
  linalg::LinalgOp op = kernel.root().op;
  if (kernel.steps.size() != 1 || kernel.hasReduction() || op.getNumDpsInits() != 1 ||
      op.payloadUsesValueFromOperand(op.getDpsInitOperand(0)) || !isDense(op.getDpsInitOperand(0)))
    return std::nullopt;
  Type element = getElementTypeOrSelf(op.getDpsInits()[0].getType());
  if (!element.isBF16() && !element.isInteger(8))
    return std::nullopt;
  PanelCopy copy{0, 0, 32 / element.getIntOrFloatBitWidth(), false};
  if (!readsGroups(kernel.root().maps.back(), copy.group, copy.lane, copy.deep) ||
      ShapedType::isDynamic(kernel.extents[copy.lane]) || ShapedType::isDynamic(kernel.extents[copy.deep]) ||
      kernel.extents[copy.deep] % copy.group != 0)
    return std::nullopt;
  auto runsAlong = [&](unsigned dim, int64_t lanes) {
    return llvm::all_of(op.getDpsInputOperands(), [&](OpOperand *operand) {
      auto type = dyn_cast<MemRefType>(operand->get().getType());
      if (!type)
        return true;
      Access access = accessAlong(kernel.root().maps[operand->getOperandNumber()], type, dim, lanes);
      return access == Access::Uniform || (access == Access::Contiguous && !type.getElementType().isInteger(1));
    });
  };
  if (runsAlong(copy.lane, dotLanes))
    return copy;
  copy.alongDeep = true;
  int64_t lanes = dotLanes * copy.group;
  bool whole = kernel.extents[copy.deep] % lanes == 0 && runsAlong(copy.deep, lanes);
  return whole ? std::optional(copy) : std::nullopt;
}

std::optional<Dot> dotOf(const Kernel &kernel, ArrayRef<const DotForm *> forms) {
  std::optional<DotBody> body = dotBodyOf(kernel.root().op);
  if (!body)
    return std::nullopt;
  for (const DotForm *form : forms)
    for (bool swapped : {false, true}) {
      OpOperand *left = swapped ? body->second : body->first, *right = swapped ? body->first : body->second;
      Factor leftKind = swapped ? body->secondKind : body->firstKind;
      Factor rightKind = swapped ? body->firstKind : body->secondKind;
      if (leftKind != form->left || rightKind != form->right || !isDense(right))
        continue;
      unsigned lane, deep;
      AffineMap read = kernel.root().maps[left->getOperandNumber()];
      if (!readsGroups(kernel.root().maps[right->getOperandNumber()], form->group, lane, deep) ||
          ShapedType::isDynamic(kernel.extents[lane]) || kernel.reduction[lane] || !kernel.reduction[deep] ||
          dependsOn(read, lane) || read.getNumResults() == 0)
        continue;
      auto type = dyn_cast<MemRefType>(left->get().getType());
      auto last = dyn_cast<AffineDimExpr>(read.getResults().back());
      int64_t depth = kernel.extents[deep];
      if (!type || !type.isLastDimUnitStride() || !last || last.getPosition() != deep || ShapedType::isDynamic(depth) ||
          depth % form->depth() != 0)
        continue;
      for (AffineExpr expr : read.getResults().drop_back())
        if (expr.isFunctionOfDim(deep))
          return std::nullopt;
      return Dot{form, left, right, lane, deep};
    }
  return std::nullopt;
}

} // namespace nacre::loops
