// Polynomials over dimensions and indices: as affine expressions where they are affine, as values where they are sizes.
#pragma once
#include "check/Polynomial.h"
#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/Builders.h"
#include <map>

namespace nacre {

/// The indices (dims) and sizes (symbols) that the maps of one op are written in. Symbols are added as they are met, so
/// maps are made when the op is complete.
struct AffineSpace {
  llvm::SmallVector<const Atom *> indices;
  llvm::SmallVector<mlir::Value> sizes;

  mlir::AffineExpr symbol(mlir::Value size);
  bool hasIndexIn(const Polynomial &) const;
  mlir::AffineMap map(llvm::ArrayRef<mlir::AffineExpr>, mlir::MLIRContext &) const; // over all indices and sizes
};

/// The run-time sizes of one function. Sizes that are computed (products, quotients by sizes, minima) are computed
/// once, at the start of the function.
class Sizes {
public:
  Sizes(mlir::OpBuilder atStart, mlir::Location location) : builder(atStart), location(location) {}

  /// The sizes of a region inside: those of the function and new ones, computed at `atStart`.
  Sizes inside(mlir::OpBuilder atStart) const {
    Sizes copy(*this);
    copy.builder = atStart;
    return copy;
  }
  void define(const Atom *name, mlir::Value value) { atoms[name] = value; }

  /// Null if the polynomial is not affine in the indices of the space.
  mlir::AffineExpr affine(const Polynomial &, AffineSpace &);
  /// A size (no indices) as a value of type index.
  mlir::Value value(const Polynomial &);
  /// Over the given names as symbols; products and quotients of sizes stay expressions. Null for min, max and powers.
  static mlir::AffineExpr expression(const Polynomial &, llvm::ArrayRef<const Atom *> names, mlir::MLIRContext &);
  /// False once a size mentioned a name that the function does not have; `missing` says which.
  bool complete() const { return missing.empty(); }
  std::string missing;

private:
  mlir::AffineExpr affineAtom(const Atom *, AffineSpace &);
  mlir::Value atomValue(const Atom *);
  mlir::Value monomialValue(const Monomial &);
  mlir::Value powerValue(mlir::Value base, mlir::Value exponent);
  mlir::Value number(int64_t);

  mlir::OpBuilder builder;
  mlir::Location location;
  std::map<const Atom *, mlir::Value> atoms;
  std::map<Monomial, mlir::Value> products;
  std::map<int64_t, mlir::Value> numbers;
};

} // namespace nacre
