// The passes on buffers and loops (the records are in LoopsPasses.td).
#pragma once
#include "mlir/Pass/Pass.h"

namespace mlir {
namespace affine {
class AffineDialect;
}
namespace arith {
class ArithDialect;
}
namespace func {
class FuncDialect;
class FuncOp;
} // namespace func
namespace linalg {
class LinalgDialect;
}
namespace LLVM {
class LLVMDialect;
}
namespace math {
class MathDialect;
}
namespace memref {
class MemRefDialect;
}
namespace scf {
class SCFDialect;
}
namespace tensor {
class TensorDialect;
}
namespace vector {
class VectorDialect;
}
} // namespace mlir

namespace nacre {
#define GEN_PASS_DECL
#include "lower/loops/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "lower/loops/Passes.h.inc"
/// Whether a value is computed from weights and constants alone, and so before the call. Each value is looked at
/// once: in a chain whose links are used twice there are exponentially many ways back.
bool isWeightOnly(mlir::Value value);

/// Whole pipelines under the name `nacre-loops`, for nacre-opt.
void registerLoopsPipelines();
} // namespace nacre
