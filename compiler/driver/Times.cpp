// Where the time of `nacre build` went: per stage (--time), per pass (--time-passes).
#include "driver/BuildLog.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace nacre {
namespace {

struct Row {
  std::string stage, pass;
  unsigned runs = 0;
  double seconds = 0;
};

/// One row per stage, each followed by its passes, and what no pass accounts for: verification between passes, and what
/// hands the functions to them.
std::vector<Row> rowsOf(const BuildLog &log, double whole) {
  std::vector<Row> rows;
  double rest = whole;
  auto stage = [&](std::string name, double seconds) {
    rows.push_back({name, "", 0, seconds});
    rest -= seconds;
  };
  stage("front", log.frontSeconds);
  for (const StageTime &time : log.stages) {
    std::string name(info(time.stage).name);
    stage(name, time.seconds);
    double left = time.seconds;
    for (const PassTime &pass : log.passes)
      if (pass.stage == time.stage) {
        rows.push_back({name, pass.name, pass.runs, pass.seconds});
        left -= pass.seconds;
      }
    rows.push_back({name, "verifier and pass manager", 0, std::max(left, 0.0)});
  }
  if (log.linkSeconds > 0)
    stage("link", log.linkSeconds);
  rows.push_back({"files", "", 0, std::max(rest, 0.0)});
  return rows;
}

struct Shares {
  double llvmOptimiser = 0, llvmGenerator = 0;
};
Shares sharesOf(const BuildLog &log) {
  Shares shares;
  for (const PassTime &pass : log.passes)
    (pass.name == "LLVM optimiser" ? shares.llvmOptimiser : shares.llvmGenerator) +=
        StringRef(pass.name).starts_with("LLVM ") && pass.name != "LLVM IR" ? pass.seconds : 0;
  return shares;
}

} // namespace

void printStageTimes(const BuildLog &log) {
  double total = log.frontSeconds + log.linkSeconds;
  auto row = [](StringRef name, double seconds) {
    errs() << format("%-8s %8.1f ms\n", name.str().c_str(), 1e3 * seconds);
  };
  if (log.frontSeconds > 0)
    row("front", log.frontSeconds);
  for (const StageTime &time : log.stages) {
    row(info(time.stage).name, time.seconds);
    total += time.seconds;
  }
  if (log.linkSeconds > 0)
    row("link", log.linkSeconds);
  row("sum", total);
}

void printPassTimes(const BuildLog &log, double whole) {
  raw_ostream &out = errs();
  auto row = [&](StringRef stage, StringRef pass, unsigned runs, double seconds) {
    out << format("%-8s %-34s %5s %10.1f %7.1f %%\n", stage.str().c_str(), pass.str().c_str(),
                  runs ? std::to_string(runs).c_str() : "", 1e3 * seconds, 100 * seconds / whole);
  };
  out << format("%-8s %-34s %5s %10s %9s\n", "stage", "  pass", "runs", "ms", "share");
  double small = 0; // passes below a thousandth of the whole, in one row
  unsigned smallOnes = 0;
  auto flush = [&] {
    if (smallOnes)
      row("", "  " + std::to_string(smallOnes) + " that are faster", 0, small);
    small = smallOnes = 0;
  };
  for (const Row &one : rowsOf(log, whole)) {
    if (one.pass.empty()) {
      flush();
      row(one.stage, "", 0, one.seconds);
    } else if (one.seconds < 1e-3 * whole) {
      small += one.seconds;
      ++smallOnes;
    } else {
      row("", "  " + one.pass, one.runs, one.seconds);
    }
  }
  flush();
  row("sum", "", 0, whole);
  Shares shares = sharesOf(log);
  double ours = whole - shares.llvmOptimiser - shares.llvmGenerator - log.linkSeconds;
  out << format("Nacre and MLIR %.1f ms, LLVM's optimiser %.1f ms, LLVM's code generator %.1f ms, linker %.1f ms\n",
                1e3 * ours, 1e3 * shares.llvmOptimiser, 1e3 * shares.llvmGenerator, 1e3 * log.linkSeconds);
}

json::Value passTimesJson(const BuildLog &log, double whole) {
  json::Array rows;
  for (const Row &one : rowsOf(log, whole))
    rows.push_back(
        json::Object{{"stage", one.stage}, {"pass", one.pass}, {"runs", one.runs}, {"seconds", one.seconds}});
  Shares shares = sharesOf(log);
  return json::Object{{"seconds", whole},
                      {"llvm_optimiser", shares.llvmOptimiser},
                      {"llvm_code_generator", shares.llvmGenerator},
                      {"link", log.linkSeconds},
                      {"rows", std::move(rows)}};
}

} // namespace nacre
