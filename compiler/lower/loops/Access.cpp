#include "Access.h"

using namespace mlir;

namespace nacre::loops {

Interval intervalOf(AffineExpr expr, ArrayRef<int64_t> extents) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return {constant.getValue(), constant.getValue()};
  if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
    int64_t extent = extents[dim.getPosition()];
    return {0, ShapedType::isDynamic(extent) ? std::nullopt : std::optional<int64_t>(extent - 1)};
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return {};
  Interval left = intervalOf(binary.getLHS(), extents), right = intervalOf(binary.getRHS(), extents);
  auto constant = dyn_cast<AffineConstantExpr>(binary.getRHS());
  switch (expr.getKind()) {
  case AffineExprKind::Add: {
    Interval sum;
    if (left.low && right.low)
      sum.low = *left.low + *right.low;
    if (left.high && right.high)
      sum.high = *left.high + *right.high;
    return sum;
  }
  case AffineExprKind::Mul: {
    if (!constant)
      return {};
    int64_t factor = constant.getValue();
    Interval product;
    if (left.low)
      product.low = *left.low * factor;
    if (left.high)
      product.high = *left.high * factor;
    if (factor < 0)
      std::swap(product.low, product.high);
    return product;
  }
  case AffineExprKind::FloorDiv: {
    if (!constant || constant.getValue() <= 0)
      return {};
    Interval quotient;
    if (left.low)
      quotient.low = llvm::divideFloorSigned(*left.low, constant.getValue());
    if (left.high)
      quotient.high = llvm::divideFloorSigned(*left.high, constant.getValue());
    return quotient;
  }
  case AffineExprKind::Mod:
    if (!constant || constant.getValue() <= 0)
      return {};
    return {0, constant.getValue() - 1};
  default:
    return {};
  }
}

AffineExpr simplifyForExtents(AffineExpr expr, ArrayRef<int64_t> extents) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return extents[dim.getPosition()] == 1 ? getAffineConstantExpr(0, expr.getContext()) : expr;
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return expr;
  AffineExpr left = simplifyForExtents(binary.getLHS(), extents), right = simplifyForExtents(binary.getRHS(), extents);
  auto constant = dyn_cast<AffineConstantExpr>(right);
  bool divides = expr.getKind() == AffineExprKind::FloorDiv || expr.getKind() == AffineExprKind::Mod;
  if (divides && constant && constant.getValue() > 0) {
    Interval range = intervalOf(left, extents);
    if (range.low && range.high && *range.low >= 0 && *range.high < constant.getValue())
      return expr.getKind() == AffineExprKind::Mod ? left : getAffineConstantExpr(0, expr.getContext());
  }
  return getAffineBinaryOpExpr(expr.getKind(), left, right);
}

std::optional<int64_t> coefficientOf(AffineExpr expr, unsigned dim) {
  if (!expr.isFunctionOfDim(dim))
    return 0;
  if (isa<AffineDimExpr>(expr))
    return 1;
  auto binary = cast<AffineBinaryOpExpr>(expr);
  if (expr.getKind() == AffineExprKind::Add) {
    auto left = coefficientOf(binary.getLHS(), dim), right = coefficientOf(binary.getRHS(), dim);
    return left && right ? std::optional<int64_t>(*left + *right) : std::nullopt;
  }
  if (expr.getKind() == AffineExprKind::Mul)
    if (auto constant = dyn_cast<AffineConstantExpr>(binary.getRHS()))
      if (auto left = coefficientOf(binary.getLHS(), dim))
        return *left * constant.getValue();
  return std::nullopt;
}

static bool isDim(AffineExpr expr, unsigned dim) {
  auto d = dyn_cast<AffineDimExpr>(expr);
  return d && d.getPosition() == dim;
}

/// `dim floordiv c` or `dim mod c` with c a multiple of the lanes, so that a vector never crosses a step.
static bool dividesAligned(AffineExpr expr, AffineExprKind kind, unsigned dim, int64_t lanes) {
  if (expr.getKind() != kind)
    return false;
  auto binary = cast<AffineBinaryOpExpr>(expr);
  auto constant = dyn_cast<AffineConstantExpr>(binary.getRHS());
  return constant && isDim(binary.getLHS(), dim) && constant.getValue() > 0 && constant.getValue() % lanes == 0;
}

static bool isUniform(AffineExpr expr, unsigned dim, int64_t lanes) {
  if (!expr.isFunctionOfDim(dim) || dividesAligned(expr, AffineExprKind::FloorDiv, dim, lanes))
    return true;
  if (expr.getKind() != AffineExprKind::Add && expr.getKind() != AffineExprKind::Mul)
    return false;
  auto binary = cast<AffineBinaryOpExpr>(expr);
  return isUniform(binary.getLHS(), dim, lanes) && isUniform(binary.getRHS(), dim, lanes);
}

static bool isContiguous(AffineExpr expr, unsigned dim, int64_t lanes) {
  if (isDim(expr, dim) || dividesAligned(expr, AffineExprKind::Mod, dim, lanes))
    return true;
  if (expr.getKind() != AffineExprKind::Add)
    return false;
  auto binary = cast<AffineBinaryOpExpr>(expr);
  return (isContiguous(binary.getLHS(), dim, lanes) && isUniform(binary.getRHS(), dim, lanes)) ||
         (isContiguous(binary.getRHS(), dim, lanes) && isUniform(binary.getLHS(), dim, lanes));
}

Access accessAlong(AffineMap map, MemRefType type, unsigned dim, int64_t lanes) {
  auto uniform = [&](AffineExpr expr) { return isUniform(expr, dim, lanes); };
  if (llvm::all_of(map.getResults(), uniform))
    return Access::Uniform;
  if (type.isLastDimUnitStride() && llvm::all_of(map.getResults().drop_back(), uniform) &&
      isContiguous(map.getResults().back(), dim, lanes))
    return Access::Contiguous;
  if (llvm::all_of(map.getResults(), [&](AffineExpr expr) { return coefficientOf(expr, dim).has_value(); }))
    return Access::Strided;
  return Access::Opaque;
}

bool turns(AffineMap map, MemRefType type, unsigned lane, unsigned row) {
  if (!type.isLastDimUnitStride() || type.getElementType().isInteger(1) || map.getNumResults() == 0)
    return false;
  for (auto [axis, expr] : llvm::enumerate(map.getResults())) {
    bool last = axis + 1 == map.getNumResults();
    if (!coefficientOf(expr, lane) || coefficientOf(expr, row) != std::optional<int64_t>(last))
      return false;
  }
  return coefficientOf(map.getResults().back(), lane) == 0;
}

bool dependsOn(AffineMap map, unsigned dim) {
  return llvm::any_of(map.getResults(), [&](AffineExpr expr) { return expr.isFunctionOfDim(dim); });
}

} // namespace nacre::loops
