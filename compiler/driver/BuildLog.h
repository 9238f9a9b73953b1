// What a build leaves behind besides its products: where the time went, and what became of the equations.
#pragma once
#include "Compile.h"
#include "driver/Options.h"
#include "llvm/Support/JSON.h"

namespace nacre {

struct BuildLog {
  double frontSeconds = 0, linkSeconds = 0;
  std::vector<StageTime> stages;
  std::vector<PassTime> passes;
  Report report;

  /// Adds what one compilation said; the report of the last one counts.
  void add(CompileResult &result) {
    stages.insert(stages.end(), result.times.begin(), result.times.end());
    passes.insert(passes.end(), result.passes.begin(), result.passes.end());
    report = std::move(result.report);
  }
};

/// --time: a line per stage on standard error.
void printStageTimes(const BuildLog &);
/// --time-passes: a table on standard error whose rows add up to `whole` seconds.
void printPassTimes(const BuildLog &, double whole);
llvm::json::Value passTimesJson(const BuildLog &, double whole);

/// --report: a paragraph per kernel on standard output.
void printReport(const Report &, const std::string &module);
llvm::json::Value reportJson(const Report &);

/// How people know a file: those of Nacre's own library as stdlib/..., others as they were named.
std::string shortPath(const std::string &);

} // namespace nacre
