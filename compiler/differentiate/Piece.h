// A contribution to a cotangent: at every point of a box where all guards are at least 0, `value` is added to the
// target at `target`. The general form that the adjoint of a read has before anyone knows how it is best computed.
#pragma once
#include "differentiate/Arithmetic.h"
#include "ops/Affine.h"
#include "ops/Extents.h"

namespace nacre {

struct Read {
  mlir::Value tensor;
  llvm::SmallVector<mlir::AffineExpr> subscripts;
};

class Piece {
public:
  Piece(mlir::MLIRContext *context, mlir::Location location) : context(context), location(location) {}
  /// A copy of the box, the reads and the body; `originals` tells what became of its values. Nothing is added anywhere
  /// yet.
  Piece(IndexSpace space, mlir::IRMapping &originals);
  Piece(Piece &&) = default;
  Piece &operator=(Piece &&) = default;
  Piece clone() const;

  mlir::MLIRContext *context;
  mlir::Location location;
  llvm::SmallVector<mlir::AffineExpr> extents; // of the indices, over sizes
  llvm::SmallVector<mlir::Value> sizes;
  std::vector<Read> reads; // one per argument of the body
  std::unique_ptr<mlir::Block> body;
  mlir::Value value;                          // in the body
  llvm::SmallVector<mlir::AffineExpr> target; // one subscript per axis; null where it is gathered:
  llvm::SmallVector<mlir::Value> gathered;    // an i64 in the body, else null
  llvm::SmallVector<mlir::AffineExpr> guards;

  unsigned indexCount() const { return extents.size(); }
  Box box() const { return {extents, sizes}; }
  mlir::AffineExpr index(unsigned number) const { return mlir::getAffineDimExpr(number, context); }
  mlir::AffineExpr constant(int64_t value) const { return mlir::getAffineConstantExpr(value, context); }
  mlir::OpBuilder atEnd() {
    mlir::OpBuilder builder(context); // the block has no parent yet that could tell
    builder.setInsertionPointToEnd(body.get());
    return builder;
  }

  /// The same expression over this piece's sizes, which grow if need be.
  mlir::AffineExpr adopt(mlir::AffineExpr, mlir::ValueRange symbols);
  /// The extent of an axis of a tensor; null if it is not known.
  mlir::AffineExpr extentOf(mlir::Value tensor, unsigned axis);
  /// The element at these subscripts; equal reads are made once.
  mlir::Value read(mlir::Value tensor, llvm::ArrayRef<mlir::AffineExpr> subscripts);
  mlir::Value indexValue(mlir::AffineExpr);
  /// Adds an index and gives its number.
  unsigned addIndex(mlir::AffineExpr extent);

  /// Subscripts in a plain form; divisions that the box decides are gone.
  mlir::AffineExpr simplify(mlir::AffineExpr) const;
  /// Replaces every index v by replacement[v] (over the same list of indices), after extents were set.
  void substitute(llvm::ArrayRef<mlir::AffineExpr> replacement);
  void substitute(unsigned index, mlir::AffineExpr replacement);
  /// After indices or sizes were added, or extents changed.
  void refresh() { substitute(0, indexCount() ? index(0) : constant(0)); }
  /// Removes ops and reads that nothing needs.
  void prune();
  /// The indices that a scalar of the body depends on.
  llvm::DenseSet<unsigned> indicesOf(mlir::Value scalar) const;
  /// Guards become a choice in the body, gathered reads lose their proofs.
  void guardBody(llvm::ArrayRef<mlir::AffineExpr> conditions);

  /// An equation whose result has these indices as axes and which sums over all others that have more than one value.
  mlir::Value equation(mlir::OpBuilder &, llvm::ArrayRef<unsigned> axes, mlir::Type element,
                       std::optional<ReductionKind> = ReductionKind::Sum) const;

private:
  mlir::AffineMap map(llvm::ArrayRef<mlir::AffineExpr> results) const {
    return mlir::AffineMap::get(extents.size(), sizes.size(), results, context);
  }
};

/// The affine form of an integer in the body; null if it is none.
mlir::AffineExpr affineOf(mlir::Value scalar, mlir::MLIRContext *);
/// Forms that are all at least 0 exactly where the condition holds; nothing if it is no conjunction of affine
/// conditions.
std::optional<llvm::SmallVector<mlir::AffineExpr>> affineConditions(mlir::Value condition, mlir::MLIRContext *);
/// The same for where the condition does not hold.
std::optional<llvm::SmallVector<mlir::AffineExpr>> affineConditionsOfNot(mlir::Value condition, mlir::MLIRContext *);

/// Adds the piece to zeros in the shape of `like`: as equations whose results are put in place, or as a scatter. Null
/// if nothing arrives. Fails after an error.
llvm::FailureOr<mlir::Value> accumulate(mlir::OpBuilder &, Piece, mlir::Value like);

/// Drops guards that always hold and turns those over one index into its extent. False if nothing contributes.
bool tighten(Piece &);
/// Race-free pieces with the same sum: parallel over the indices of their targets, which determine them. Nothing if the
/// piece has to stay a scatter.
std::optional<std::vector<Piece>> gather(Piece, mlir::Value like);
/// Indices that the affine subscripts of the target determine (mixed-radix test); `overlap`: the first of these
/// subscripts that has others, or -1.
llvm::DenseSet<unsigned> determined(const Piece &, int &overlap);

/// The tensor that gathered pieces add up to. Nothing if it would take too many equations.
std::optional<llvm::FailureOr<mlir::Value>> place(mlir::OpBuilder &, std::vector<Piece>, mlir::Value like);

} // namespace nacre
