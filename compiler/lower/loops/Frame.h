// A frame: a copy of an image with a rim of one number around it, as a convolution with padding reads it.
#ifndef NACRE_LOWER_LOOPS_FRAME_H
#define NACRE_LOWER_LOOPS_FRAME_H

#include "Kernel.h"

namespace nacre::loops {

/// y[i, ..] = source[i - before[0], ..] where that is inside, else `rim`.
struct Frame {
  mlir::Value source;
  llvm::SmallVector<int64_t> before; // per axis
  mlir::FloatAttr rim;
};
std::optional<Frame> matchFrame(mlir::linalg::GenericOp op);

/// Ops marked `winogradAttribute` that read a frame of zeros read its source instead and get `frameAttribute`; a frame
/// that nobody reads any more goes away.
void readThroughFrames(mlir::func::FuncOp function);

/// A buffer of which a frame is made lies in that frame from the start, and only the rim is written; where it is a
/// whole allocation that nobody writes after the frame was made.
void placeInFrames(mlir::func::FuncOp function);

} // namespace nacre::loops
#endif
