// Linear forms of affine expressions, and bounds of their values.
#include "ops/Affine.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>

using namespace mlir;

namespace nacre {

std::optional<int64_t> constantOf(AffineExpr expression) {
  auto constant = dyn_cast<AffineConstantExpr>(expression);
  return constant ? std::optional(constant.getValue()) : std::nullopt;
}

static bool hasIndices(AffineExpr expression, unsigned count) {
  for (unsigned index = 0; index < count; ++index)
    if (expression.isFunctionOfDim(index))
      return true;
  return false;
}

static bool addLinear(AffineExpr expression, int64_t factor, Linear &sum) {
  unsigned count = sum.coefficients.size();
  if (!hasIndices(expression, count)) {
    sum.offset = sum.offset + expression * factor;
    return true;
  }
  if (auto dim = dyn_cast<AffineDimExpr>(expression)) {
    sum.coefficients[dim.getPosition()] += factor;
    return true;
  }
  auto binary = cast<AffineBinaryOpExpr>(expression);
  auto constant = constantOf(binary.getRHS());
  switch (expression.getKind()) {
  case AffineExprKind::Add:
    return addLinear(binary.getLHS(), factor, sum) && addLinear(binary.getRHS(), factor, sum);
  case AffineExprKind::Mul:
    return constant && addLinear(binary.getLHS(), factor * *constant, sum);
  case AffineExprKind::FloorDiv:
  case AffineExprKind::Mod: {
    if (!constant || *constant <= 0)
      return false;
    for (auto &[atom, old] : sum.atoms)
      if (atom == expression) {
        old += factor;
        return true;
      }
    sum.atoms.push_back({expression, factor});
    return true;
  }
  default:
    return false;
  }
}

std::optional<Linear> linearOf(AffineExpr expression, unsigned indices) {
  Linear sum;
  sum.coefficients.assign(indices, 0);
  sum.offset = getAffineConstantExpr(0, expression.getContext());
  if (!addLinear(expression, 1, sum))
    return std::nullopt;
  llvm::erase_if(sum.atoms, [](const auto &atom) { return atom.second == 0; });
  return sum;
}

AffineExpr Linear::expression() const {
  MLIRContext *context = offset.getContext();
  AffineExpr sum = getAffineConstantExpr(0, context);
  for (auto [index, coefficient] : llvm::enumerate(coefficients))
    if (coefficient)
      sum = sum + getAffineDimExpr(index, context) * coefficient;
  for (auto [atom, factor] : atoms)
    sum = sum + atom * factor;
  return sum + offset;
}

SmallVector<unsigned> Linear::indices() const {
  SmallVector<unsigned> list;
  for (auto [index, coefficient] : llvm::enumerate(coefficients))
    if (coefficient)
      list.push_back(index);
  return list;
}

AffineExpr Box::simplify(AffineExpr expression) const {
  return simplifyAffineExpr(expression, extents.size(), sizes.size());
}

std::optional<int64_t> Box::constantExtent(unsigned index) const { return constantOf(extents[index]); }

AffineExpr Box::bound(AffineExpr expression, bool upper) const {
  std::optional<Linear> linear = linearOf(expression, extents.size());
  if (!linear)
    return {};
  AffineExpr sum = linear->offset;
  for (unsigned index : linear->indices()) {
    int64_t coefficient = linear->coefficients[index];
    if ((coefficient > 0) == upper)
      sum = sum + (extents[index] - 1) * coefficient;
  }
  for (auto [atom, factor] : linear->atoms) {
    bool high = (factor > 0) == upper;
    auto binary = cast<AffineBinaryOpExpr>(atom);
    AffineExpr divisor = binary.getRHS(), part;
    if (atom.getKind() == AffineExprKind::Mod) {
      part = high ? divisor - 1 : getAffineConstantExpr(0, atom.getContext());
    } else {
      AffineExpr inner = bound(binary.getLHS(), high);
      if (!inner)
        return {};
      part = inner.floorDiv(divisor);
    }
    sum = sum + part * factor;
  }
  return simplifyAffineExpr(sum, 0, sizes.size());
}

AffineExpr Box::lower(AffineExpr expression) const { return bound(expression, false); }
AffineExpr Box::upper(AffineExpr expression) const { return bound(expression, true); }

namespace {
/// A lower bound that is linear in the sizes, with rational coefficients: floor(e / n) lies in [(e - n + 1) / n, e /
/// n]. The numbers are quotients of small integers, so a double holds them with room to spare.
struct Relaxed {
  llvm::SmallVector<double> coefficients;
  double offset = 0;
};
} // namespace

static bool relax(AffineExpr expression, double factor, Relaxed &sum) {
  if (auto constant = constantOf(expression)) {
    sum.offset += factor * *constant;
    return true;
  }
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expression)) {
    sum.coefficients[symbol.getPosition()] += factor;
    return true;
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expression);
  if (!binary)
    return false;
  auto constant = constantOf(binary.getRHS());
  switch (expression.getKind()) {
  case AffineExprKind::Add:
    return relax(binary.getLHS(), factor, sum) && relax(binary.getRHS(), factor, sum);
  case AffineExprKind::Mul:
    return constant && relax(binary.getLHS(), factor * *constant, sum);
  case AffineExprKind::FloorDiv:
    if (!constant || *constant <= 0)
      return false;
    if (factor > 0)
      sum.offset -= factor * double(*constant - 1) / double(*constant);
    return relax(binary.getLHS(), factor / double(*constant), sum);
  case AffineExprKind::Mod:
    if (!constant || *constant <= 0)
      return false;
    if (factor < 0)
      sum.offset += factor * double(*constant - 1);
    return true;
  default:
    return false;
  }
}

std::optional<int64_t> Box::least(AffineExpr expression) const {
  AffineExpr bound = lower(expression);
  if (!bound)
    return std::nullopt;
  if (auto constant = constantOf(bound))
    return *constant;
  Relaxed sum;
  sum.coefficients.assign(sizes.size(), 0);
  if (!relax(bound, 1, sum))
    return std::nullopt;
  constexpr double none = 1e-9;
  for (auto [coefficient, size] : llvm::zip(sum.coefficients, sizes)) {
    if (coefficient < -none)
      return std::nullopt;
    if (isa<BlockArgument>(size))
      sum.offset += coefficient;
  }
  return static_cast<int64_t>(std::ceil(sum.offset - 1e-6));
}

std::optional<int64_t> Box::greatest(AffineExpr expression) const {
  std::optional<int64_t> least = this->least(expression * -1);
  return least ? std::optional(-*least) : std::nullopt;
}

} // namespace nacre
