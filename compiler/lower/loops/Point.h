// One place in the iteration space, possibly a vector of places along one dim, and the emission of loads, stores and
// scalar bodies there.
#ifndef NACRE_LOWER_LOOPS_POINT_H
#define NACRE_LOWER_LOOPS_POINT_H

#include "Kernel.h"

namespace nacre::loops {

/// A position along one dim: base + offset, where base is known to be a multiple of `multiple`.
struct Index {
  mlir::Value base; // null: 0
  int64_t offset = 0;
  int64_t multiple = 1;
};

struct Point {
  llvm::SmallVector<Index> at; // per kernel dim; lane 0 where the point is a vector
  int lane = -1;               // the dim that moves through the lanes, or -1: a scalar point
  int64_t lanes = 1;
  mlir::Value mask; // null: all lanes
};

class PointEmitter {
public:
  PointEmitter(mlir::OpBuilder &builder, mlir::Location loc) : builder(builder), loc(loc) {}

  mlir::Value constant(int64_t value);
  mlir::Value value(const Index &index);
  mlir::Value evaluate(mlir::AffineExpr expr, const Point &point);
  /// The element (or vector of elements) of an operand; a scalar where all lanes read the same one.
  mlir::Value load(mlir::Value memref, mlir::AffineMap map, const Point &point);
  void store(mlir::Value value, mlir::Value memref, mlir::AffineMap map, const Point &point);
  /// Runs the body of a step on `arguments` (scalars or vectors, one per operand) and returns what it yields.
  llvm::SmallVector<mlir::Value> body(const Step &step, llvm::ArrayRef<mlir::Value> arguments, const Point &point);
  mlir::Value broadcast(mlir::Value value, int64_t lanes);
  /// All lanes true for the first `count` lanes only.
  mlir::Value firstLanes(int64_t lanes, mlir::Value count);

  mlir::OpBuilder &builder;
  mlir::Location loc;
  bool contract = true; // a * b + c may be one rounding

private:
  mlir::Value gather(mlir::Value memref, llvm::ArrayRef<mlir::Value> indices, mlir::Value offsets, const Point &point);
  mlir::Value bodyLoad(mlir::Operation *load, llvm::ArrayRef<mlir::Value> indices, const Point &point);
  mlir::Value stride(mlir::Value memref, unsigned dim);
};

/// Whether the body of a step can be run on vectors at all.
bool bodyVectorises(mlir::linalg::LinalgOp op);

} // namespace nacre::loops
#endif
