// One record per pass on buffers and loops.
#ifndef NACRE_LOOPS_PASSES
#define NACRE_LOOPS_PASSES
include "mlir/Pass/PassBase.td"

def CropResults : Pass<"nacre-crop-results", "::mlir::func::FuncOp"> {
  let summary = "an op of whose result only a part is read computes that part";
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}
def PermuteResults : Pass<"nacre-permute-results", "::mlir::func::FuncOp"> {
  let summary = "sums whose last axis makes bad lanes are computed with another axis last, and copied into order";
  let options = [Option<"vectorBits", "vector-bits", "unsigned", "512", "bits of a vector register">];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}
def SplitReductions : Pass<"nacre-split-reductions", "::mlir::func::FuncOp"> {
  let summary = "long sums with few results become partial sums over a fixed number of chunks, and their sum";
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}
def TransformFilters : Pass<"nacre-transform-filters", "::mlir::func::FuncOp"> {
  let summary = "filters of 3 x 3 convolutions are transformed where that saves more multiplications than it costs";
  let options = [Option<"vectorBits", "vector-bits", "unsigned", "512", "bits of a vector register">,
                 Option<"edge", "edge", "unsigned", "0", "2 or 4: the edge of every tile, whatever it costs">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}
def PackOperands : Pass<"nacre-pack-operands", "::mlir::func::FuncOp"> {
  let summary = "operands that register tiles would read badly are copied into panels of columns";
  let options = [Option<"vectorBits", "vector-bits", "unsigned", "512", "bits of a vector register">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect", "::mlir::affine::AffineDialect"];
}
def PackDots : Pass<"nacre-pack-dots", "::mlir::func::FuncOp"> {
  let summary = "factors of bf16 and of bytes are copied into groups that one instruction takes";
  let options = [Option<"dots", "dots", "std::string", "\"\"", "names of DotForms.def, separated by +">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect", "::mlir::affine::AffineDialect"];
}
def TileAttention : Pass<"nacre-tile-attention", "::mlir::func::FuncOp"> {
  let summary = "attentions become loops over blocks of queries and keys, each a few linalg ops on scratch";
  let options = [Option<"vectorBits", "vector-bits", "unsigned", "512", "bits of a vector register">,
                 Option<"threads", "threads", "bool", "true", "mark nests that are worth several threads">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::affine::AffineDialect",
                           "::mlir::math::MathDialect"];
}
def EmitLoops : Pass<"nacre-emit-loops", "::mlir::func::FuncOp"> {
  let summary = "linalg on buffers becomes register tiles, vector reductions and elementwise vector loops";
  let options = [Option<"vectorBits", "vector-bits", "unsigned", "512", "bits of a vector register">,
                 Option<"threads", "threads", "bool", "true", "mark nests that are worth several threads">,
                 Option<"profile", "profile", "bool", "false", "measure every kernel">,
                 Option<"dots", "dots", "std::string", "\"\"", "names of DotForms.def, separated by +">,
                 Option<"precise", "precise", "bool", "false", "sums of reals in the order of the loops">];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect", "::mlir::affine::AffineDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::LLVM::LLVMDialect"];
}
def ScalarLoops : Pass<"nacre-scalar-loops", "::mlir::func::FuncOp"> {
  let summary = "linalg on buffers becomes plain loops: the reference";
  let dependentDialects = ["::mlir::scf::SCFDialect", "::mlir::memref::MemRefDialect", "::mlir::affine::AffineDialect"];
}
def ApproximateMath : Pass<"nacre-approximate-math", "::mlir::func::FuncOp"> {
  let summary = "functions of vectors become polynomials; scalars stay calls of the C library";
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::vector::VectorDialect"];
}
def WidenHalves : Pass<"nacre-widen-halves", "::mlir::func::FuncOp"> {
  let summary = "conversions between bf16 and f64 go through f32";
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}
def OutlineParallel : Pass<"nacre-outline-parallel", "::mlir::ModuleOp"> {
  let summary = "parallel nests become functions of a range, called through the thread pool";
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::scf::SCFDialect"];
}
def HoistScratch : Pass<"nacre-hoist-scratch", "::mlir::func::FuncOp"> {
  let summary = "the scratch of all kernels of a function lies at one place of its stack";
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect"];
}
def PlanMemory : Pass<"nacre-plan-memory", "::mlir::ModuleOp"> {
  let summary = "allocations become views of one workspace; buffers that are never alive together share their bytes";
  let description = [{
    Every function marked `nacre.entry`, `nacre.test`, `nacre.prepare` or `nacre.initialise` gets a last argument
    `memref<?xi8> {nacre.workspace}` and a twin `NAME__bytes` that computes from its index arguments how many bytes it
    needs. The twin carries the plan, a dictionary per buffer, as `nacre.plan`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::func::FuncDialect"];
}
def CallThreadPool : Pass<"nacre-call-thread-pool", "::mlir::ModuleOp"> {
  let summary = "on LLVM IR: calls of outlined nests become calls of nacre_parallel_for";
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}
def DeclareHooks : Pass<"nacre-declare-hooks", "::mlir::ModuleOp"> {
  let summary = "declares what opens and closes a kernel in a program that is measured";
  let dependentDialects = ["::mlir::func::FuncDialect"];
}
def ProfileKernels : Pass<"nacre-profile-kernels", "::mlir::ModuleOp"> {
  let summary = "on LLVM IR: hooks around kernels and entries become calls of the runtime, each with its record";
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}
#endif
