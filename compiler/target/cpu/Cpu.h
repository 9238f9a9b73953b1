// LLVM dialect in, machine code out, for the processors of this computer's family.
#pragma once
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <string>

namespace llvm {
class LLVMContext;
class Module;
class TargetMachine;
} // namespace llvm
namespace mlir {
class DialectRegistry;
class ModuleOp;
} // namespace mlir

namespace nacre {

/// What generated code may use.
struct Processor {
  std::string name;     // as the user said it: `native`, `x86-64-v3`
  std::string llvmName; // as LLVM says it: `sapphirerapids`, `x86-64-v3`
  std::string features; // "+avx512f,-amx-tile,...", empty: what the name implies
  unsigned vectorBits = 128; // of the widest unit worth using
  unsigned registers = 16;   // of that width
  bool fusedMultiplyAdd = false;
};

/// The names that `--cpu=` takes, for help and errors.
llvm::ArrayRef<llvm::StringRef> processorNames();

/// The processor of a `--cpu=` name; `native` asks this machine. An error lists the names there are.
llvm::Expected<Processor> findProcessor(llvm::StringRef name);

/// A code generator for that processor: position independent, contraction of a*b + c allowed.
llvm::Expected<std::unique_ptr<llvm::TargetMachine>> makeTargetMachine(const Processor &);

/// The dialect-to-LLVM-IR translations that `translate` needs.
void registerTranslations(mlir::DialectRegistry &);

/// A module that holds LLVM dialect only, as LLVM IR for the machine; null when it holds anything else.
std::unique_ptr<llvm::Module> translate(mlir::ModuleOp, llvm::LLVMContext &, llvm::TargetMachine &);

/// Runs LLVM's own optimisations. `plain`: the least that generates sound code, for --reference.
void optimise(llvm::Module &, llvm::TargetMachine &, bool plain);

enum class MachineCode { Object, Assembly };
/// The bytes of an object file, or assembly text.
llvm::Expected<llvm::SmallVector<char, 0>> generate(llvm::Module &, llvm::TargetMachine &, MachineCode);

} // namespace nacre
