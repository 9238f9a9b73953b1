// Convolutions of 3 x 3 at stride 1 computed the short way (Winograd 1980; Lavin and Gray 2015): tiles of m x m results
// from windows of (m + 2) x (m + 2) pixels. Both are transformed by small fixed matrices,
//   Y = A' [ sum over c of (G w G') * (B' x B) ] A,
// and between the transforms a multiplication serves m * m * 9 / (m + 2)^2 of the plain ones: 4 for m = 4, 2.25 for 2.
#ifndef NACRE_LOWER_LOOPS_WINOGRAD_H
#define NACRE_LOWER_LOOPS_WINOGRAD_H

#include "Tile.h"
#include <optional>

namespace nacre::loops {

/// On the linalg op, whose body and first operands still say what it means: m. Its last input holds the transformed
/// filter [(m+2)^2, ceil(filters / panel), channels, panel], which the body does not read.
inline constexpr llvm::StringLiteral winogradAttribute = "nacre.winograd";
/// Beside it once the image is read without its frame of zeros: rows above it and columns before it.
inline constexpr llvm::StringLiteral frameAttribute = "nacre.frame";

/// y[.., i, j, .., f] = sum[u < 3, v < 3, c](x[.., i + u, j + v, .., c] * w[f, c, u, v]), axes of w in any order, u and
/// v forwards or backwards: the dims by their part.
struct Convolution {
  unsigned row, column, u, v, channel, filter;
  llvm::SmallVector<unsigned> outer; // images, and whatever else both the image and the result have
  unsigned image, weights;           // inputs
  llvm::SmallVector<unsigned> axes;  // of the image: the dim that moves along it; `row` for i + u
};
std::optional<Convolution> matchConvolution(mlir::linalg::LinalgOp op);

/// The kernel of an op marked with `winogradAttribute` with the epilogues that it can run on its results; nothing if it
/// must be computed plainly.
std::optional<Kernel> winogradKernel(mlir::linalg::LinalgOp op, llvm::SmallPtrSetImpl<mlir::Operation *> &taken,
                                     unsigned vectorBits);
void emitWinograd(PointEmitter &emitter, const Kernel &kernel, const EmitOptions &options);

} // namespace nacre::loops
#endif
