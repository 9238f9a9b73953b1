// One index equation of the program becomes one or more nacre.equation ops.
#pragma once
#include "import/Sizes.h"
#include "program/Program.h"
#include "llvm/ADT/DenseMap.h"

namespace nacre {

/// Imports equations of one function. Reductions inside a body become equations of their own, over the outer indices
/// that they use; reads that are affine and in range become inputs, all others clamped element reads.
class Equations {
public:
  Equations(mlir::OpBuilder &builder, Sizes &sizes) : builder(builder), sizes(sizes) {}

  /// `tensors[v]` is what value v of the program became.
  mlir::Value import(const Value &, const std::vector<mlir::Value> &tensors, mlir::Location);

  /// A scatter: `init` plus what the points of its box add.
  mlir::Value scatter(const Value &, mlir::Value init, const std::vector<mlir::Value> &tensors, mlir::Location);

private:
  friend class EquationBody;
  using IndexAtoms = std::vector<const Atom *>;

  /// The reduction as a tensor over the outer indices that it uses, and the type of the term: the tensor holds what
  /// was accumulated, which may be wider.
  std::pair<mlir::Value, mlir::Type> reduce(const Term &, const std::vector<Index> &outer,
                                            const std::vector<mlir::Value> &tensors, mlir::Location);
  std::vector<Index> used(const Term *, const std::vector<Index> &outer);
  /// Index atoms that a term mentions and does not bind itself.
  const IndexAtoms &freeIndices(const Term *);

  mlir::OpBuilder &builder;
  Sizes &sizes;
  llvm::DenseMap<const Term *, IndexAtoms> freeOf;
};

} // namespace nacre
