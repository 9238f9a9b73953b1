// The processors that --cpu names.
#include "target/cpu/Machine.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
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

bool Processor::has(std::string_view feature) const {
  std::string word(feature);
  if (!features.empty())
    for (llvm::StringRef item : llvm::split(features, ','))
      if (item.drop_front() == word)
        return item.front() == '+';
  llvm::SmallVector<llvm::StringRef> implied;
  llvm::X86::getFeaturesForCPU(name, implied);
  return std::find(implied.begin(), implied.end(), llvm::StringRef(word)) != implied.end();
}

unsigned vectorBits(const Processor &processor) {
  return processor.has("avx512f") ? 512 : processor.has("avx2") ? 256 : 128;
}

} // namespace nacre
