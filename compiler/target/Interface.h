// The typed C functions of LANGUAGE §10 around nacre_entry_invoke and nacre_model_open.
#pragma once
#include "program/Program.h"

namespace llvm {
class GlobalVariable;
class Module;
} // namespace llvm

namespace nacre {
/// `variants`: the nacre_variants of the module, in which each function looks up the table that it needs.
void addInterface(llvm::Module &, const Program &, llvm::GlobalVariable *variants);
} // namespace nacre
