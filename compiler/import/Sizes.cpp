// Polynomials to affine expressions and to values. A term is affine when it is a size or one index times a constant;
// products of sizes are values of their own, floor(a / c) by a constant c > 0 stays affine.
#include "import/Sizes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/AffineMap.h"
#include "llvm/ADT/STLExtras.h"

namespace nacre {

mlir::AffineExpr AffineSpace::symbol(mlir::Value size) {
  auto place = llvm::find(sizes, size);
  unsigned number = place - sizes.begin();
  if (place == sizes.end())
    sizes.push_back(size);
  return mlir::getAffineSymbolExpr(number, size.getContext());
}

bool AffineSpace::hasIndexIn(const Polynomial &polynomial) const {
  return llvm::any_of(polynomial.leaves(), [&](const Atom *leaf) { return llvm::is_contained(indices, leaf); });
}

mlir::AffineMap AffineSpace::map(llvm::ArrayRef<mlir::AffineExpr> results, mlir::MLIRContext &context) const {
  return mlir::AffineMap::get(indices.size(), sizes.size(), results, &context);
}

mlir::AffineExpr Sizes::affine(const Polynomial &polynomial, AffineSpace &space) {
  mlir::AffineExpr sum = builder.getAffineConstantExpr(0);
  for (const auto &[monomial, coefficient] : polynomial.terms()) {
    mlir::AffineExpr term;
    if (monomial.empty())
      term = builder.getAffineConstantExpr(1);
    else if (monomial.size() == 1)
      term = affineAtom(monomial.front(), space);
    else if (!space.hasIndexIn(Polynomial::fromTerms({{monomial, 1}})))
      term = space.symbol(monomialValue(monomial));
    if (!term)
      return {};
    sum = sum + term * coefficient;
  }
  return sum;
}

mlir::AffineExpr Sizes::affineAtom(const Atom *atom, AffineSpace &space) {
  auto index = llvm::find(space.indices, atom);
  if (index != space.indices.end())
    return builder.getAffineDimExpr(index - space.indices.begin());
  if (atom->kind == AtomKind::Quotient) {
    auto divisor = atom->operands[1].constant();
    if (divisor && *divisor > 0) {
      mlir::AffineExpr dividend = affine(atom->operands[0], space);
      return dividend ? dividend.floorDiv(*divisor) : mlir::AffineExpr();
    }
  }
  if (space.hasIndexIn(Polynomial(atom)))
    return {};
  return space.symbol(atomValue(atom));
}

mlir::AffineExpr Sizes::expression(const Polynomial &polynomial, llvm::ArrayRef<const Atom *> names,
                                   mlir::MLIRContext &context) {
  mlir::AffineExpr sum = mlir::getAffineConstantExpr(0, &context);
  for (const auto &[monomial, coefficient] : polynomial.terms()) {
    mlir::AffineExpr product = mlir::getAffineConstantExpr(coefficient, &context);
    for (const Atom *atom : monomial) {
      auto name = llvm::find(names, atom);
      if (name != names.end()) {
        product = product * mlir::getAffineSymbolExpr(name - names.begin(), &context);
        continue;
      }
      if (atom->kind != AtomKind::Quotient)
        return {};
      mlir::AffineExpr dividend = expression(atom->operands[0], names, context);
      mlir::AffineExpr divisor = expression(atom->operands[1], names, context);
      if (!dividend || !divisor)
        return {};
      product = product * dividend.floorDiv(divisor);
    }
    sum = sum + product;
  }
  return sum;
}

mlir::Value Sizes::number(int64_t value) {
  mlir::Value &known = numbers[value];
  if (!known)
    known = mlir::arith::ConstantIndexOp::create(builder, location, value);
  return known;
}

mlir::Value Sizes::value(const Polynomial &polynomial) {
  mlir::Value sum;
  for (const auto &[monomial, coefficient] : polynomial.terms()) {
    mlir::Value term = monomial.empty() ? number(coefficient) : monomialValue(monomial);
    if (!monomial.empty() && coefficient != 1)
      term = mlir::arith::MulIOp::create(builder, location, term, number(coefficient));
    sum = sum ? mlir::arith::AddIOp::create(builder, location, sum, term) : term;
  }
  return sum ? sum : number(0);
}

mlir::Value Sizes::monomialValue(const Monomial &monomial) {
  if (monomial.size() == 1)
    return atomValue(monomial.front());
  if (auto known = products.find(monomial); known != products.end())
    return known->second;
  mlir::Value rest = monomialValue(Monomial(monomial.begin(), monomial.end() - 1)), last = atomValue(monomial.back());
  return products[monomial] = mlir::arith::MulIOp::create(builder, location, rest, last);
}

mlir::Value Sizes::atomValue(const Atom *atom) {
  if (auto known = atoms.find(atom); known != atoms.end())
    return known->second;
  if (atom->operands.size() != 2) {
    missing = atom->name;
    return number(1);
  }
  mlir::Value a = value(atom->operands[0]), b = value(atom->operands[1]), result;
  switch (atom->kind) {
  case AtomKind::Quotient:
    result = mlir::arith::FloorDivSIOp::create(builder, location, a, b);
    break;
  case AtomKind::Minimum:
    result = mlir::arith::MinSIOp::create(builder, location, a, b);
    break;
  case AtomKind::Maximum:
    result = mlir::arith::MaxSIOp::create(builder, location, a, b);
    break;
  default:
    result = powerValue(a, b);
    break;
  }
  return atoms[atom] = result;
}

// A size is below 2^63, so an exponent over a base of 2 or more has six bits.
mlir::Value Sizes::powerValue(mlir::Value base, mlir::Value exponent) {
  mlir::Value result = number(1);
  for (int bit = 0; bit < 6; ++bit) {
    mlir::Value masked = mlir::arith::AndIOp::create(builder, location, exponent, number(int64_t(1) << bit));
    mlir::Value set = mlir::arith::CmpIOp::create(builder, location, mlir::arith::CmpIPredicate::ne, masked, number(0));
    mlir::Value product = mlir::arith::MulIOp::create(builder, location, result, base);
    result = mlir::arith::SelectOp::create(builder, location, set, product, result);
    base = mlir::arith::MulIOp::create(builder, location, base, base);
  }
  return result;
}

} // namespace nacre
