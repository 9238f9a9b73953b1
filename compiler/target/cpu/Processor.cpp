// The processors that `--cpu=` names, and what their vector units can do.
#include "target/cpu/Cpu.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include <mutex>

using namespace llvm;

namespace nacre {

// The generic names, from the most portable on; LLVM's own names of x86 processors work as well.
static constexpr StringRef genericNames[] = {"native", "x86-64-v2", "x86-64-v3", "x86-64-v4"};

ArrayRef<StringRef> processorNames() { return genericNames; }

static void initialiseTarget() {
  static std::once_flag once;
  std::call_once(once, [] {
    InitializeNativeTarget();
    InitializeNativeTargetAsmPrinter();
    InitializeNativeTargetAsmParser();
  });
}

static const Target *nativeTarget(std::string &problem) {
  initialiseTarget();
  return TargetRegistry::lookupTarget(Triple(sys::getProcessTriple()), problem);
}

/// Vector width and register count follow from the features, so that a new processor needs no line here.
static Error describeVectors(Processor &processor) {
  std::string problem;
  const Target *target = nativeTarget(problem);
  if (!target)
    return createStringError(problem);
  std::unique_ptr<MCSubtargetInfo> info(
      target->createMCSubtargetInfo(Triple(sys::getProcessTriple()), processor.llvmName, processor.features));
  bool wide = info->checkFeatures("+avx512f,+avx512vl,+avx512bw,+avx512dq");
  processor.vectorBits = wide ? 512 : info->checkFeatures("+avx2") ? 256 : 128;
  processor.registers = wide ? 32 : 16;
  processor.fusedMultiplyAdd = info->checkFeatures("+fma");
  return Error::success();
}

static bool knownToLlvm(StringRef name) {
  std::string problem;
  const Target *target = nativeTarget(problem);
  if (!target)
    return false;
  std::unique_ptr<MCSubtargetInfo> info(
      target->createMCSubtargetInfo(Triple(sys::getProcessTriple()), "generic", ""));
  return any_of(info->getAllProcessorDescriptions(), [&](const auto &known) { return name == known.Key; });
}

Expected<Processor> findProcessor(StringRef name) {
  Processor processor;
  processor.name = name.str();
  if (name == "native") {
    processor.llvmName = sys::getHostCPUName().str();
    // The name says what the chip was built with; the features say what this (virtual) machine lets us use.
    SmallVector<std::string> features;
    for (const auto &feature : sys::getHostCPUFeatures())
      features.push_back((feature.second ? "+" : "-") + feature.first().str());
    llvm::sort(features);
    processor.features = join(features, ",");
  } else if (knownToLlvm(name)) {
    processor.llvmName = name.str();
  } else {
    return createStringError("no processor is called `" + name + "`; there are " + join(processorNames(), ", ") +
                             " and LLVM's names, such as skylake-avx512");
  }
  // 512-bit vectors are asked for by our own code generator; LLVM would otherwise split them on some server chips.
  if (Error error = describeVectors(processor))
    return std::move(error);
  if (processor.vectorBits == 512)
    processor.features += processor.features.empty() ? "-prefer-256-bit" : ",-prefer-256-bit";
  return processor;
}

Expected<std::unique_ptr<TargetMachine>> makeTargetMachine(const Processor &processor) {
  std::string problem;
  const Target *target = nativeTarget(problem);
  if (!target)
    return createStringError(problem);
  TargetOptions options;
  options.AllowFPOpFusion = FPOpFusion::Fast; // a*b + c in one rounding; nothing else is relaxed here
  options.FunctionSections = options.DataSections = true; // so that the linker can drop what is not called
  std::unique_ptr<TargetMachine> machine(
      target->createTargetMachine(Triple(sys::getProcessTriple()), processor.llvmName, processor.features, options,
                                  Reloc::PIC_, std::nullopt, CodeGenOptLevel::Default));
  if (!machine)
    return createStringError("LLVM cannot generate code for `" + processor.name + "`");
  return machine;
}

} // namespace nacre
