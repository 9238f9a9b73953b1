// The compiler as a function: a checked program in, the text of any stage or an object file out.
#pragma once
#include "Report.h"
#include "program/Program.h"
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace llvm {
class Module;
}

namespace nacre {

enum class Stage : uint8_t {
#define STAGE(id, name, sentence) id,
#include "Stages.def"
};
struct StageInfo {
  std::string_view name, sentence;
};
const StageInfo &info(Stage);
/// False if no stage has this name.
bool stageNamed(std::string_view name, Stage &);

/// What is known about a model once its code exists; positions as in Program::models.
struct ModelFacts {
  uint64_t preparedBytes = 0, prepareScratch = 0;
};

/// Where a buffer of an entry lies in its workspace: `bytes` and `offset` of its group are multiplied by the group's
/// scale.
struct PlannedBuffer {
  std::string type;  // memref<?x10xf32>
  std::string scale; // "n"; empty: 1
  int64_t offset = 0, bytes = 0;
  int64_t first = 0, last = 0; // positions of the steps that write it first and read it last
};
/// The workspace of an entry: its groups one after the other, so its size is the sum of bytes * scale.
struct MemoryPlan {
  std::string entry;
  std::vector<PlannedBuffer> buffers;
  std::vector<std::pair<std::string, int64_t>> groups; // scale, bytes
};

struct CompileOptions {
  bool reference = false;        // the plain, unfused lowering
  bool precise = false;          // the bits of the reference, and as fast as these allow
  std::string cpu = "x86-64-v3"; // an LLVM processor name, or `native`
  bool lineTables = true;        // DWARF line tables that name the model's lines
  bool threads = true;           // parallel loops on the runtime's pool
  bool profile = false;          // every kernel is measured (runtime/src/profile.c); not under `reference`
  bool report = false;           // CompileResult::report is filled
  bool winograd = true;          // 3 x 3 convolutions by transformed filters where that is faster
  unsigned winogradEdge = 0;     // 2 or 4: with tiles of this edge, faster or not
  /// Adds data and functions of its own (tables, typed wrappers) to the module before it is optimised. Returns an empty
  /// string, or why it could not.
  std::function<std::string(llvm::Module &, const std::vector<ModelFacts> &)> extend;
};

struct StageTime {
  Stage stage;
  double seconds;
};
/// A part of a stage: a pass of MLIR (all its runs), or a piece of LLVM.
struct PassTime {
  Stage stage;
  std::string name;
  unsigned runs;
  double seconds;
};

struct CompileResult {
  bool ok = false;
  std::string output; // text of the stage, or the bytes of the object file
  // "internal error in stage `buffers` at digits.nacre:4:10: ...", or "error[no-gradient]: ..." as the front end says
  // it
  std::string problem;
  std::vector<StageTime> times;
  std::vector<PassTime> passes; // in the order of their first runs; what is left of a stage is its verification
  Report report;
  std::vector<ModelFacts> models;
  std::vector<MemoryPlan> plans; // of the entries, from stage Loops on; none under `reference`
};

/// Runs the stages up to `last`, which is one of Nacre .. Object (earlier ones belong to the front end).
CompileResult compile(const Program &, Stage last, const CompileOptions &);

/// The processor that `--cpu=NAME` means: `native` becomes this machine's name and features. Empty name: unknown.
struct Processor {
  std::string name, features;               // as LLVM spells them: "x86-64-v3", "+avx2,..."
  bool has(std::string_view feature) const; // "avx512f", known through the name as well
};
Processor processorNamed(const std::string &);
/// The names that `--cpu` takes, for messages.
std::vector<std::string> processorNames();

} // namespace nacre
