// The typed C functions of LANGUAGE §10 around nacre_entry_invoke and nacre_model_open.
#pragma once
#include "program/Program.h"
#include "llvm/ADT/ArrayRef.h"

namespace llvm {
class Constant;
class GlobalVariable;
class Module;
} // namespace llvm

namespace nacre {
/// `models`, `entries` and `trains` are the tables, in the order of the program; `table` is the module's own, null
/// where there are no train blocks.
void addInterface(llvm::Module &, const Program &, llvm::ArrayRef<llvm::Constant *> models,
                  llvm::ArrayRef<llvm::Constant *> entries, llvm::ArrayRef<llvm::Constant *> trains,
                  llvm::GlobalVariable *table);
} // namespace nacre
