// One record per pass of this folder; the passes on loops have their own.
#ifndef NACRE_PASSES
#define NACRE_PASSES
include "mlir/Pass/PassBase.td"

def InlineKeep : Pass<"nacre-inline-keep", "::mlir::ModuleOp"> {
  let summary = "replaces named composites by their bodies";
}
def FuseAttention : Pass<"nacre-fuse-attention", "::mlir::ModuleOp"> {
  let summary = "softmax(score(q k)) v, as the library or plain equations write it, becomes `nacre.attention`";
  let description = "Before derivatives are taken, so that the op gives its own, and after composites were inlined.";
}
def Differentiate : Pass<"nacre-differentiate", "::mlir::ModuleOp"> {
  let summary = "replaces every gradient by the adjoint of what lies between its two values";
  let description = [{
    Composites must be inlined before. Afterwards `nacre.stop_gradient` is gone and `nacre.custom` is its body.
  }];
}
def Recompute : Pass<"nacre-recompute", "::mlir::func::FuncOp"> {
  let summary = "what the backward pass reads is kept or computed again, so that the fewest bytes are kept";
  let description = [{
    Backward ops carry `nacre.backward`; so do the copies, which keeps them from being merged with what they repeat.
  }];
}
def HoistWeightWork : Pass<"nacre-hoist-weight-work", "::mlir::ModuleOp"> {
  let summary = "moves what depends on weights only into the function that runs when a model is loaded";
  let description = [{
    Whatever an entry computes from the weights of one model and constants alone becomes a result of
    `<module>_<model>__prepare`; the entry takes it as an argument marked `nacre.prepared`. The pass asks ops whether
    they are pure and nothing else, so it may run again after weights were packed in linalg.
  }];
  let dependentDialects = ["::mlir::func::FuncDialect"];
}
def LowerToLinalg : Pass<"nacre-lower-to-linalg", "::mlir::ModuleOp"> {
  let summary = "nacre to linalg on tensors, without signs and bools in memory";
  let options = [Option<"reassociate", "reassociate", "bool", "false", "sums may be reordered, a*b+c contracted">];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::math::MathDialect", "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
                           "::mlir::scf::SCFDialect", "::mlir::bufferization::BufferizationDialect"];
}
def HoistScalars : Pass<"nacre-hoist-scalars", "::mlir::func::FuncOp"> {
  let summary = "what a body computes from numbers alone, and at a cost, is computed once, before the op";
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}
def HoistFromLoops : Pass<"nacre-hoist-from-loops", "::mlir::func::FuncOp"> {
  let summary = "work that is the same in every round of a loop is done once, before it";
}
def FuseElementwise : Pass<"nacre-fuse-elementwise", "::mlir::func::FuncOp"> {
  let summary = "merges elementwise equations into their users, where nothing costly is computed twice";
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::affine::AffineDialect",
                           "::mlir::tensor::TensorDialect"];
}
def MixPrecision : Pass<"nacre-mix-precision", "::mlir::func::FuncOp"> {
  let summary = "contractions of functions marked `nacre.mixed` read operands rounded to bf16, and sum in f32";
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::arith::ArithDialect"];
}
def OrderUpdates : Pass<"nacre-order-updates", "::mlir::func::FuncOp"> {
  let summary = "orders a training function so that weights are updated in place and gradients die early";
  let description = [{
    An elementwise op whose result is stored in a weight gets that weight as its destination, and every other reader of
    the weight comes before it. Where that is impossible, bufferisation copies the result into the weight at the end.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}
def Bufferize : Pass<"nacre-bufferize", "::mlir::ModuleOp"> {
  let summary = "tensors become buffers, results those of the caller; copies become loops";
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::affine::AffineDialect"];
}
def PlaceBuffers : Pass<"nacre-place-buffers", "::mlir::ModuleOp"> {
  let summary = "gives every allocation its own place in the caller's workspace";
  let description = [{
    The plain twin of the arena planner: no two buffers share memory. Functions get one more argument, the workspace
    (`memref<?xi8>`, attribute `nacre.workspace`), and a twin `<name>__bytes` that returns the bytes needed.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect", "::mlir::func::FuncDialect"];
}
def EmitEntries : Pass<"nacre-emit-entries", "::mlir::ModuleOp"> {
  let summary = "adds the functions that the runtime calls, on raw pointers and sizes";
  let description = "Their names and types are in lower/README.md. All other functions become internal.";
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::cf::ControlFlowDialect"];
}
def CallForeign : Pass<"nacre-call-foreign", "::mlir::ModuleOp"> {
  let summary = "calls of C functions: arrays of pointers and extents on the stack";
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect"];
}
def ResolveReshapes : Pass<"nacre-resolve-reshapes", "::mlir::func::FuncOp"> {
  let summary = "reshapes of dense buffers become descriptors with other sizes";
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect"];
}
def LowerScalarMath : Pass<"nacre-lower-scalar-math", "::mlir::ModuleOp"> {
  let summary = "what the processor cannot do becomes calls of the C library and integer code";
  let description = [{
    exp, log, sin, pow, ... are calls; square roots and rounding stay for LLVM, which has instructions for them. bf16 is
    converted by shifts, since the support library that LLVM would call for it is not part of a product.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::math::MathDialect",
                           "::mlir::vector::VectorDialect"];
}
#endif
