// Scalars of equations looked at through the elementwise equations that they read: what an element is made of, in
// terms of one set of indices, wherever in the program each step was written.
#pragma once
#include "ops/Affine.h"
#include "ops/Extents.h"
#include "ops/Ops.h"
#include "llvm/ADT/SetVector.h"

namespace nacre {

/// A scalar in the body of an equation, whose indices stand for expressions over the common ones.
struct Seen {
  mlir::Value scalar;
  unsigned frame = 0;
};

class Through {
public:
  Through(mlir::MLIRContext *context, unsigned indices) : context(context), indices(indices) {}

  /// An equation whose index n is `places[n]`, over the common indices and sizes; its yielded scalar.
  Seen enter(EquationOp equation, llvm::ArrayRef<mlir::AffineExpr> places);
  /// What the scalar is: an op that is no read, or an argument of a body whose tensor is not elementwise.
  Seen resolve(Seen);
  /// The same op on operands in the same frame.
  Seen operand(Seen seen, unsigned number) const {
    return {seen.scalar.getDefiningOp()->getOperand(number), seen.frame};
  }
  template <typename Op> Op as(Seen seen) const { return llvm::dyn_cast_if_present<Op>(seen.scalar.getDefiningOp()); }

  /// Of an argument of a body: the tensor, and where it is read.
  mlir::Value tensor(Seen) const;
  llvm::SmallVector<mlir::AffineExpr> subscripts(Seen) const;
  /// The elementwise equation that the tensor comes from, if it is from one.
  EquationOp elementwise(Seen) const;
  Seen entered(Seen); // after `elementwise`
  /// The element that was cut off from derivatives, and `seen` itself where nothing is cut.
  Seen behindCuts(Seen seen);
  /// An index expression of an equation over the common indices.
  mlir::AffineExpr expression(mlir::AffineExpr, unsigned frame) const;

  /// Whether two scalars are the same arithmetic on the same elements.
  bool equal(Seen, Seen);
  /// Whether the element depends on a common index.
  bool dependsOn(Seen, unsigned index);

  /// The common name of sizes of another op.
  mlir::AffineExpr adopt(mlir::AffineExpr, mlir::ValueRange symbols);

  mlir::MLIRContext *context;
  unsigned indices; // common ones
  llvm::SmallVector<mlir::Value> sizes;
  llvm::SetVector<mlir::Operation *> passed; // equations that were looked into, and cuts that were looked behind
  bool gaveUp() const { return steps > mostSteps; }

private:
  static constexpr unsigned mostSteps = 20000; // a chain whose links are read twice has exponentially many ways back
  struct Frame {
    EquationOp equation;
    llvm::SmallVector<mlir::AffineExpr> places;
    llvm::DenseMap<mlir::Value, mlir::Value> replaced; // arguments that stand for another tensor than the input
  };
  std::vector<Frame> frames;
  unsigned steps = 0;
};

} // namespace nacre
