// From linalg on buffers to loops: what the rest of the compiler asks of this folder.
#pragma once
#include <memory>
#include <string>

namespace mlir {
class OpPassManager;
class Pass;
} // namespace mlir

namespace nacre {

struct LoopsOptions {
  unsigned vectorBits = 512; // of a vector register of the target: 128, 256 or 512
  bool threads = true;       // share out large kernels
  bool winograd = true;      // 3 x 3 convolutions by transformed filters where that is faster
  unsigned winogradEdge = 0; // 2 or 4: with tiles of this edge, faster or not
  bool optimise = true;      // false: the reference, plain loops
  bool profile = false;      // measure every kernel
  bool precise = false;      // the bits of the reference: no sum reordered, nothing contracted or approximated
  std::string dots;          // what the target has of DotForms.def, as `dotFormsOf` reads it
};

/// Bufferised module in, scf/vector/memref/arith loops over one arena out.
void buildLoopsPipeline(mlir::OpPassManager &manager, const LoopsOptions &options);

/// On linalg on tensors: operands that tiles would read badly are packed into panels. Before weight-only work is
/// hoisted.
void buildPackPipeline(mlir::OpPassManager &manager, const LoopsOptions &options);

} // namespace nacre
