// The typed C functions of LANGUAGE §10 around nacre_entry_invoke and nacre_model_open.
#pragma once
#include "program/Program.h"
#include "llvm/ADT/ArrayRef.h"

namespace llvm {
class Constant;
class Module;
} // namespace llvm

namespace nacre {
/// `models` and `entries` are the tables, in the order of the program.
void addInterface(llvm::Module &, const Program &, llvm::ArrayRef<llvm::Constant *> models,
                  llvm::ArrayRef<llvm::Constant *> entries);
} // namespace nacre
