// LLVM dialect to an object file for one processor.
#pragma once
#include "Compile.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/Target/TargetMachine.h"
#include <memory>
#include <string>

namespace nacre {

/// Position independent code; `contract`: a*b + c may be rounded once.
std::unique_ptr<llvm::TargetMachine> createMachine(const Processor &, bool contract, std::string &problem);
/// Bits of the widest vector register that code should use.
unsigned vectorBits(const Processor &);
/// What it has of lower/loops/DotForms.def: names, separated by +.
std::string dotForms(const Processor &);

/// Every function of the module that has a body is hidden, so that objects of several models can share a program.
std::unique_ptr<llvm::Module> translate(mlir::ModuleOp, llvm::LLVMContext &, llvm::TargetMachine &);
/// LLVM's own optimisations; `plain`: the least that is sound, for the reference.
void optimise(llvm::Module &, llvm::TargetMachine &, bool plain);
/// Machine code as text or as an object file.
std::string emit(llvm::Module &, llvm::TargetMachine &, bool text);

} // namespace nacre
