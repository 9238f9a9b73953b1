// The interfaces of OpInterfaces.td and what they are given to work with.
#pragma once
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/PatternMatch.h"
#include <optional>

namespace nacre {

/// The shape of a tensor before lowering: one affine expression per axis over `symbols` (values of type index).
struct Extents {
  mlir::AffineMap map;
  llvm::SmallVector<mlir::Value> symbols;
};

/// State of lowering one function to linalg: where to build, and what each old value became.
struct LinalgLowering {
  mlir::OpBuilder &builder;
  mlir::IRMapping &values;
  bool reassociate = false; // sums may be reordered (never in the reference)

  mlir::Value operator()(mlir::Value old) const { return values.lookup(old); }
  /// Lowers the ops of a block in order, up to its terminator; ops of other dialects are copied.
  llvm::LogicalResult lowerOps(mlir::Block &);
};

/// State of lowering the body of one equation.
struct ScalarLowering {
  mlir::OpBuilder &builder;
  mlir::Location location;
  const mlir::IRMapping &values;     // tensors outside the body
  llvm::ArrayRef<mlir::Value> sizes; // symbols of the equation, type index
  unsigned loopCount;
  bool contract = false;                    // a*b + c may become one rounding
  llvm::ArrayRef<mlir::Value> indices = {}; // of type index; empty: those of the linalg op around the builder
};

/// What an op sees of the backward pass around it.
class Cotangents {
public:
  virtual ~Cotangents() = default;
  /// At the place of the backward pass; every value of the forward pass may be used.
  virtual mlir::OpBuilder &builder() = 0;
  /// The cotangent of a result, summed over its uses; null: zero.
  virtual mlir::Value of(mlir::Value result) = 0;
  /// Whether somebody asks for the cotangent of this operand (real, and on the way from a value to be differentiated
  /// by).
  virtual bool wants(mlir::Value operand) = 0;
  /// Adds `contribution`, of the operand's type.
  virtual void add(mlir::Value operand, mlir::Value contribution) = 0;
};

/// What a scalar op sees of reverse mode over the body of an equation. A null value is a zero known as such: nothing is
/// computed for it.
class ScalarCotangents {
public:
  virtual ~ScalarCotangents() = default;
  virtual mlir::OpBuilder &builder() = 0;
  virtual mlir::Location location() = 0;
  /// Whether the operand depends on what is differentiated by.
  virtual bool wants(mlir::Value operand) = 0;
  virtual void add(mlir::Value operand, mlir::Value contribution) = 0;
  /// The result of an op: read from memory where it is the element of a tensor, else computed again.
  virtual mlir::Value output(mlir::Operation *) = 0;
};

/// The type that holds a number after lowering: without a sign; a bool in a tensor is a byte of 0 or 1.
mlir::Type scalarStorage(mlir::Type);  // ui8 -> i8, i1 -> i1
mlir::Type elementStorage(mlir::Type); // ui8 -> i8, i1 -> i8
mlir::RankedTensorType tensorStorage(mlir::RankedTensorType);

} // namespace nacre

#include "dialect/OpInterfaces.h.inc"
