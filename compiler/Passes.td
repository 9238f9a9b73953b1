// One record per pass of this folder; the passes on loops have their own.
#ifndef NACRE_PASSES
#define NACRE_PASSES
include "mlir/Pass/PassBase.td"

def InlineKeep : Pass<"nacre-inline-keep", "::mlir::ModuleOp"> {
  let summary = "replaces named composites by their bodies";
}
def LowerToLinalg : Pass<"nacre-lower-to-linalg", "::mlir::ModuleOp"> {
  let summary = "nacre to linalg on tensors; results become buffers that the caller owns";
  let options = [Option<"reassociate", "reassociate", "bool", "false", "sums may be reordered, a*b+c contracted">];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::math::MathDialect", "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
                           "::mlir::bufferization::BufferizationDialect", "::mlir::memref::MemRefDialect"];
}
#endif
