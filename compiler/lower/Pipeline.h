// The order of the passes between the stages.
#pragma once
#include <string>

namespace mlir {
class DialectRegistry;
class OpPassManager;
} // namespace mlir

namespace nacre {

struct LoweringOptions {
  bool reference = false; // plain loops, libm, no fusion, nothing hoisted
  bool precise =
      false; // as fast as possible with the bits of the reference: no sum reordered, nothing contracted, libm
  bool threads = true;
  bool winograd = true;      // 3 x 3 convolutions by transformed filters where that is faster
  unsigned winogradEdge = 0; // 2 or 4: with tiles of this edge, faster or not
  unsigned vectorBits = 256; // of a register of the target
  bool lineTables = true;
  bool profile = false; // measure every kernel
  std::string dots;     // instructions for sums of narrow products that the target has: names of loops/DotForms.def
};

/// The dialects of every stage and the interfaces that the passes ask for.
void registerLowering(mlir::DialectRegistry &);
void registerForeignCalls(mlir::DialectRegistry &); // part of it
void registerAttention(mlir::DialectRegistry &);    // part of it

void buildFused(mlir::OpPassManager &, const LoweringOptions &);   // nacre -> nacre
void buildLinalg(mlir::OpPassManager &, const LoweringOptions &);  // nacre -> linalg on tensors
void buildBuffers(mlir::OpPassManager &, const LoweringOptions &); // -> linalg on buffers
void buildLoops(mlir::OpPassManager &, const LoweringOptions &);   // -> loops over one workspace
void buildLlvm(mlir::OpPassManager &, const LoweringOptions &);    // -> the LLVM dialect

} // namespace nacre
