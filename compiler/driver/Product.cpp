// Compiles with the descriptor inside, and links.
#include "driver/Product.h"
#include "driver/Foreign.h"
#include "driver/Session.h"
#include "driver/Weights.h"
#include "target/Descriptor.h"
#include "target/Link.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <set>

using namespace llvm;

namespace nacre {
namespace {

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// The codecs that the arguments and results of an executable's entries name.
std::vector<std::string> codecsOf(const Program &program) {
  std::set<std::string> codecs;
  for (const Entry &entry : program.entries)
    for (const auto *fields : {&entry.arguments, &entry.results})
      for (const Field &field : *fields)
        if (!field.codec.empty() && field.codec != "npy")
          codecs.insert(field.codec);
  return {codecs.begin(), codecs.end()};
}

/// Does anything in the module call the image kernels of the library?
bool callsImages(const Program &program) {
  bool calls = false;
  forEachForeignCall(program, [&](const Value &value) { calls |= value.name.rfind("nacre_image_", 0) == 0; });
  return calls;
}

std::string unknownCodec(const Program &program) {
  for (const Entry &entry : program.entries)
    for (const auto *fields : {&entry.arguments, &entry.results})
      for (const Field &field : *fields)
        if (!field.codec.empty() && field.codec != "npy" && field.codec != "png")
          return "entry `" + entry.name + "`: the codec `" + field.codec + "` of `" + field.name +
                 "` is not supported yet; there are npy and png";
  return "";
}

/// Known before the work is done: there is no folder to write into, or a folder is in the way.
std::string unwritable(const std::string &output) {
  StringRef parent = sys::path::parent_path(output);
  std::error_code error = sys::fs::access(parent.empty() ? "." : parent, sys::fs::AccessMode::Write);
  if (!error && sys::fs::is_directory(output))
    error = std::make_error_code(std::errc::is_a_directory);
  return error ? "cannot write " + output + ": " + error.message() : "";
}

std::string words(const Processor &processor, const std::string &asked) {
  return asked == "native" ? processor.name : asked;
}

/// The descriptor's options, or the problem with the weights.
std::string describe(const Program &program, bool executable, const ProductOptions &product, DescriptorOptions &out) {
  out.version = NACRE_VERSION;
  out.executable = executable;
  out.interface = !executable;
  if (std::string problem = executable ? unknownCodec(program) : ""; !problem.empty())
    return problem;
  return findWeights(program, product.options, product.runsHere, out.weights);
}

/// The processors of `--cpu=A,B`, the most demanding first, or the problem.
std::string processorsOf(const std::string &list, std::vector<std::pair<std::string, Processor>> &out) {
  SmallVector<StringRef> names;
  StringRef(list).split(names, ',', -1, /*KeepEmpty=*/false);
  for (StringRef name : names) {
    Processor processor = processorNamed(name.str());
    if (processor.name.empty()) {
      std::string known;
      for (const std::string &other : processorNames())
        known += (known.empty() ? "" : ", ") + other;
      return "no processor is called `" + name.str() + "`; there are " + known;
    }
    if (llvm::any_of(out, [&](auto &other) { return other.first == name; }))
      return "--cpu names `" + name.str() + "` twice";
    out.emplace_back(name.str(), processor);
  }
  if (out.empty())
    return "--cpu names no processor";
  llvm::stable_sort(out, [](auto &a, auto &b) {
    return llvm::popcount(cpuFeatureBits(a.second)) > llvm::popcount(cpuFeatureBits(b.second));
  });
  return "";
}

CompileOptions compileOptions(const Program &program, const ProductOptions &product, const std::string &cpu,
                              const DescriptorOptions &descriptor) {
  CompileOptions compile;
  compile.reference = product.options.reference;
  setWinograd(product.options.winograd, compile);
  compile.precise = product.options.precise;
  compile.cpu = cpu;
  compile.profile = product.options.profile;
  compile.report = product.options.report;
  compile.extend = [&program, &descriptor](Module &module, const std::vector<ModelFacts> &facts) {
    return addDescriptor(module, program, facts, descriptor);
  };
  return compile;
}

} // namespace

void setWinograd(const std::string &text, CompileOptions &compile) {
  compile.winograd = text != "off";
  compile.winogradEdge = text == "2" ? 2 : text == "4" ? 4 : 0;
}

std::string buildProduct(const Program &program, const std::string &kind, const std::string &output,
                         const ProductOptions &product) {
  if (std::string problem = unwritable(output); !problem.empty())
    return problem;
  if (std::string problem = checkLinkedFiles(product.options.linked); !problem.empty())
    return problem;
  bool executable = kind == "exe";
  std::vector<std::pair<std::string, Processor>> processors;
  if (std::string problem = processorsOf(product.cpu, processors); !problem.empty())
    return problem;
  DescriptorOptions descriptor;
  if (std::string problem = describe(program, executable, product, descriptor); !problem.empty())
    return problem;
  if (kind == "header") {
    std::string clash = checkSymbols(program);
    return clash.empty() ? writeFile(output, headerOf(program, descriptor)) : clash;
  }
  Stage stage = Stage::Object;
  bool isStage = stageNamed(kind, stage) && stage != Stage::Object;
  if (processors.size() > 1 && (isStage || kind == "object"))
    return "--emit=" + kind + " gives one file for one processor; --cpu names " + std::to_string(processors.size());
  if (!isStage && kind != "object" && installation().runtime.empty())
    return "libnacre_rt.a is not beside this program (../lib): install Nacre again";
  ScratchFolder scratch;
  if (!scratch.problem().empty())
    return scratch.problem();
  std::vector<std::string> objects, variants;
  for (auto &[name, processor] : processors) {
    descriptor.cpu = words(processor, name);
    descriptor.cpuFeatures = cpuFeatureBits(processor);
    if (processors.size() > 1)
      descriptor.variant = variants.emplace_back(program.module + "__variant_" + std::to_string(variants.size()));
    CompileResult result = compile(program, stage, compileOptions(program, product, name, descriptor));
    if (product.log)
      product.log->add(result);
    if (!result.ok)
      return result.problem;
    if (isStage || kind == "object")
      return writeFile(output, result.output);
    objects.push_back(scratch.path(program.module + (variants.empty() ? "" : "." + name) + ".o"));
    if (std::string problem = writeFile(objects.back(), result.output); !problem.empty())
      return problem;
  }
  double linkStart = seconds();
  std::string object = objects.front();
  if (!variants.empty()) {
    std::string problem, bytes = dispatchObject(program, variants, descriptor, problem);
    object = scratch.path(program.module + ".o");
    if (problem = problem.empty() ? writeFile(object, bytes) : problem; !problem.empty())
      return problem;
  }
  LinkOptions link{installation().runtime, executable ? codecsOf(program) : std::vector<std::string>(),
                   !program.trains.empty(), product.options.strip};
  link.images = callsImages(program);
  if (!variants.empty())
    link.files = objects;
  llvm::append_range(link.files, product.options.linked);
  std::string problem = executable         ? linkProgram(object, output, link)
                        : kind == "shared" ? linkShared(object, output, link)
                                           : makeArchive(object, output, link);
  if (product.log)
    product.log->linkSeconds += seconds() - linkStart;
  return problem.empty() ? "" : explainLinkProblem(program, problem);
}

std::string buildProgram(const Program &program, const std::string &output, const ProductOptions &product) {
  return buildProduct(program, "exe", output, product);
}

} // namespace nacre
