// Sizes known at the call: polynomials over the dimensions of an entry as LLVM code.
#pragma once
#include "program/Program.h"
#include "llvm/IR/IRBuilder.h"
#include <functional>

namespace nacre {

/// Emits `size` as an i64; `dims` points to the values of `dimensions`, in order. Null when the polynomial mentions
/// something else.
llvm::Value *emitSize(llvm::IRBuilder<> &, const Polynomial &size, const std::vector<DimensionName> &dimensions,
                      llvm::Value *dims);

} // namespace nacre
