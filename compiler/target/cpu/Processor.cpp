// The processors that --cpu names.
#include "target/cpu/Machine.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include "llvm/TargetParser/X86TargetParser.h"

namespace nacre {

// The levels come first: they are what portable programs name.
std::vector<std::string> processorNames() {
  std::vector<std::string> names{"native", "x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"};
  llvm::SmallVector<llvm::StringRef> all;
  llvm::X86::fillValidCPUArchList(all, /*Only64Bit=*/true);
  for (llvm::StringRef name : all)
    if (std::find(names.begin(), names.end(), name.str()) == names.end())
      names.push_back(name.str());
  return names;
}

Processor processorNamed(const std::string &name) {
  if (name == "native") {
    std::vector<std::string> features;
    for (const auto &feature : llvm::sys::getHostCPUFeatures())
      features.push_back((feature.second ? "+" : "-") + feature.first().str());
    std::sort(features.begin(), features.end());
    return {llvm::sys::getHostCPUName().str(), llvm::join(features, ",")};
  }
  for (const std::string &known : processorNames())
    if (known == name)
      return {name, ""};
  return {};
}

// LLVM's subtarget knows what a level or a feature implies (avx512bw implies avx512f); its list of features by name
// does not say.
bool Processor::has(std::string_view feature) const {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86TargetMC();
  const llvm::Triple triple("x86_64-unknown-linux-gnu");
  std::string problem;
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, problem);
  if (!target)
    return false;
  std::unique_ptr<llvm::MCSubtargetInfo> info(target->createMCSubtargetInfo(triple, name, features));
  return info && info->checkFeatures("+" + std::string(feature));
}

unsigned vectorBits(const Processor &processor) {
  return processor.has("avx512f") ? 512 : processor.has("avx2") ? 256 : 128;
}

std::string dotForms(const Processor &processor) {
  std::string names;
  if (vectorBits(processor) != 512)
    return names;
#define DOT(name, feature, left, right, group, tiles, intrinsic)                                                       \
  if (processor.has(feature))                                                                                          \
    names += (names.empty() ? "" : "+") + std::string(name);
#include "lower/loops/DotForms.def"
  return names;
}

} // namespace nacre
