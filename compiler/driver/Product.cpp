// Compiles with the descriptor inside, and links.
#include "driver/Product.h"
#include "driver/Foreign.h"
#include "driver/Session.h"
#include "driver/Weights.h"
#include "target/Descriptor.h"
#include "target/Link.h"
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
  Processor processor = processorNamed(product.cpu);
  if (processor.name.empty()) {
    std::string known;
    for (const std::string &name : processorNames())
      known += (known.empty() ? "" : ", ") + name;
    return "no processor is called `" + product.cpu + "`; there are " + known;
  }
  out.version = NACRE_VERSION;
  out.cpu = words(processor, product.cpu);
  out.cpuFeatures = cpuFeatureBits(processor);
  out.executable = executable;
  out.interface = !executable;
  if (std::string problem = executable ? unknownCodec(program) : ""; !problem.empty())
    return problem;
  return findWeights(program, product.options, product.runsHere, out.weights);
}

CompileOptions compileOptions(const Program &program, const ProductOptions &product,
                              const DescriptorOptions &descriptor) {
  CompileOptions compile;
  compile.reference = product.options.reference;
  compile.precise = product.options.precise;
  compile.cpu = product.cpu;
  compile.extend = [&program, &descriptor](Module &module, const std::vector<ModelFacts> &facts) {
    return addDescriptor(module, program, facts, descriptor);
  };
  return compile;
}

} // namespace

std::string buildProduct(const Program &program, const std::string &kind, const std::string &output,
                         const ProductOptions &product) {
  if (std::string problem = unwritable(output); !problem.empty())
    return problem;
  if (std::string problem = checkLinkedFiles(product.options.linked); !problem.empty())
    return problem;
  bool executable = kind == "exe";
  DescriptorOptions descriptor;
  if (std::string problem = describe(program, executable, product, descriptor); !problem.empty())
    return problem;
  if (kind == "header") {
    std::string clash = checkSymbols(program);
    return clash.empty() ? writeFile(output, headerOf(program, descriptor)) : clash;
  }
  Stage stage = Stage::Object;
  bool isStage = stageNamed(kind, stage) && stage != Stage::Object;
  CompileResult result = compile(program, stage, compileOptions(program, product, descriptor));
  if (!result.ok)
    return result.problem;
  double linkStart = seconds();
  if (isStage || kind == "object") {
    std::string problem = writeFile(output, result.output);
    printTimes(product.options, result.times, 0, 0);
    return problem;
  }
  if (installation().runtime.empty())
    return "libnacre_rt.a is not beside this program (../lib): install Nacre again";
  ScratchFolder scratch;
  if (!scratch.problem().empty())
    return scratch.problem();
  std::string object = scratch.path(program.module + ".o");
  if (std::string problem = writeFile(object, result.output); !problem.empty())
    return problem;
  LinkOptions link{installation().runtime, executable ? codecsOf(program) : std::vector<std::string>(),
                   !program.trains.empty(), product.options.strip};
  link.images = callsImages(program);
  link.files = product.options.linked;
  std::string problem = executable         ? linkProgram(object, output, link)
                        : kind == "shared" ? linkShared(object, output, link)
                                           : makeArchive(object, output, link);
  printTimes(product.options, result.times, 0, seconds() - linkStart);
  return problem.empty() ? "" : explainLinkProblem(program, problem);
}

std::string buildProgram(const Program &program, const std::string &output, const ProductOptions &product) {
  return buildProduct(program, "exe", output, product);
}

void printTimes(const Options &options, const std::vector<StageTime> &times, double frontSeconds, double linkSeconds) {
  if (!options.time)
    return;
  double total = frontSeconds + linkSeconds;
  if (frontSeconds > 0)
    fprintf(stderr, "%-8s %8.1f ms\n", "front", 1e3 * frontSeconds);
  for (const StageTime &time : times) {
    fprintf(stderr, "%-8s %8.1f ms\n", std::string(info(time.stage).name).c_str(), 1e3 * time.seconds);
    total += time.seconds;
  }
  if (linkSeconds > 0)
    fprintf(stderr, "%-8s %8.1f ms\n", "link", 1e3 * linkSeconds);
  fprintf(stderr, "%-8s %8.1f ms\n", "sum", 1e3 * total);
}

} // namespace nacre
