// Custom pieces of the printed form, shared by several ops.
#pragma once
#include "mlir/IR/OpImplementation.h"

namespace nacre {

/// `<()[s0] -> (s0, 10)>`
mlir::ParseResult parseBareMap(mlir::OpAsmParser &, mlir::AffineMapAttr &);
void printBareMap(mlir::OpAsmPrinter &, mlir::Operation *, mlir::AffineMapAttr);

/// `reads (%x : tensor<?xf32> at (d0)[s0] -> (d0), ...)`, or nothing when there are no inputs.
mlir::ParseResult parseReads(mlir::OpAsmParser &, llvm::SmallVectorImpl<mlir::OpAsmParser::UnresolvedOperand> &inputs,
                             llvm::SmallVectorImpl<mlir::Type> &types, mlir::ArrayAttr &maps);
void printReads(mlir::OpAsmPrinter &, mlir::Operation *, mlir::OperandRange inputs, mlir::TypeRange types,
                mlir::ArrayAttr maps);

} // namespace nacre
