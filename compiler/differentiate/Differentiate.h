// The backward pass of one block, and what ops need to write their part of it.
#pragma once
#include "dialect/OpInterfaces.h"
#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"

namespace mlir::func {
class FuncOp;
}

namespace nacre {

/// A value and its cotangent, of the same type.
struct Seed {
  mlir::Value value, cotangent;
};

/// Builds at `builder` the cotangents of `wanted` that follow from `seeds`. Only ops of `block` are passed through; a
/// wanted value may be an argument of the block or come from outside it. All of the block's values that the seeds
/// depend on must be usable at the builder. One result per wanted value; null where no derivative arrives. Fails after
/// an error at an op that has none to give.
llvm::FailureOr<llvm::SmallVector<mlir::Value>> differentiateBlock(mlir::Block &block, llvm::ArrayRef<Seed> seeds,
                                                                   llvm::ArrayRef<mlir::Value> wanted,
                                                                   mlir::OpBuilder &builder);

/// An error of the program, not of the compiler: the driver shows it under its kind (dsl/diagnostics/Kinds.def).
mlir::InFlightDiagnostic refuse(mlir::Location, llvm::StringRef kind);
class GradientOp;
/// Says where the gradient stopped, and at what.
void reportNoGradient(GradientOp);

/// Takes elementwise equations into the choices that are their only use.
void inlineSelectArms(mlir::func::FuncOp);
/// Loops marked `@checkpoint` become loops over segments, whose adjoints keep the square root of what they would.
void segmentCheckpoints(mlir::Operation *root);

/// Whether a cotangent makes sense: a tensor of reals.
bool isReal(mlir::Value tensor);
/// Zeros in the shape of `like`; null after an error if its sizes are not known here.
mlir::Value zerosLike(mlir::OpBuilder &, mlir::Location, mlir::Value like);
/// The sum of tensors of one shape, as one equation.
mlir::Value sumOf(mlir::OpBuilder &, mlir::Location, llvm::ArrayRef<mlir::Value>);

/// The body of an equation or scatter as it is differentiated: a copy of it, with more reads and numbers.
class AdjointBody {
public:
  virtual ~AdjointBody() = default;
  /// In the copy.
  virtual mlir::OpBuilder &builder() = 0;
  virtual mlir::Location location() = 0;
  /// What a scalar of the original body (or a block argument) is in the copy.
  virtual mlir::Value operator()(mlir::Value original) = 0;
  /// The element of another tensor at subscripts over the indices (dims) and sizes (symbols) of the original, in range.
  virtual mlir::Value read(mlir::Value tensor, llvm::ArrayRef<mlir::AffineExpr> subscripts) = 0;
  /// The number of an index, or another affine expression, as i64.
  virtual mlir::Value index(mlir::AffineExpr) = 0;
};

/// Propagates through the body of `space`: `seed` gives the cotangent of `yielded` at a point (null: zero), built in a
/// copy of the body; every input and gathered tensor that is wanted gets its contribution.
llvm::LogicalResult propagateBody(IndexSpace space, mlir::Value yielded, Cotangents &,
                                  llvm::function_ref<mlir::Value(AdjointBody &)> seed);

} // namespace nacre
