// What a reduction starts from and how it takes in one more element.
#pragma once
#include "ops/Ops.h"
#include <utility>

namespace nacre {

class Reducer {
public:
  /// `element` is the type before lowering of what the body yields.
  Reducer(std::optional<ReductionKind> kind, mlir::Type element, bool reassociate)
      : kind(kind), element(element), reassociate(reassociate) {}

  /// Element type and identity of each result; the identity is null where nothing is reduced. The wanted one is first.
  llvm::SmallVector<std::pair<mlir::Type, mlir::Value>> state(mlir::OpBuilder &, mlir::Location) const;
  llvm::SmallVector<mlir::Value> combine(mlir::OpBuilder &, mlir::Location, mlir::ValueRange state, mlir::Value value,
                                         mlir::Value position) const;
  bool wantsPosition() const { return kind == ReductionKind::ArgMax || kind == ReductionKind::ArgMin; }

private:
  mlir::TypedAttr identity(mlir::OpBuilder &) const;

  std::optional<ReductionKind> kind;
  mlir::Type element;
  bool reassociate;
};

} // namespace nacre
