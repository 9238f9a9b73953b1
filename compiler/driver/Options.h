// What the command line of `nacre` asks for; Main.cpp fills it in and nothing else parses flags.
#pragma once
#include "diagnostics/Diagnostic.h"
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nacre {

struct Options {
  std::vector<std::string> files;
  DiagnosticFormat diagnostics = DiagnosticFormat::Text;
  std::vector<std::string> libraries;                        // --library
  std::vector<std::pair<std::string, std::string>> settings; // --set

  // build, run, test, show, inspect
  std::string real;                 // --real; empty: f32
  std::string output;               // -o
  std::vector<std::string> emit;    // --emit
  std::string cpu;                  // --cpu; empty: the command's own default
  std::vector<std::string> weights; // --weights: F, or MODEL=F
  std::vector<std::string> linked;  // --link: object files and static libraries with C functions of the program
  std::string winograd = "on";      // --winograd
  bool embedWeights = false, reference = false, precise = false, time = false, strip = false;
  bool timePasses = false, report = false, profile = false; // build
  std::string stage;                                        // --stage

  // fmt
  bool inPlace = false, formatCheck = false;

  bool json = false;     // inspect, build, compare, profile
  bool training = false; // inspect

  // compare, profile
  std::optional<uint64_t> seed;                       // --seed; none: 1
  std::vector<std::pair<std::string, int64_t>> sizes; // --size
  std::string tolerance;                              // --tolerance; empty: by type
  std::vector<std::string> referenceLinked;           // --link-reference
  bool every = false;                                 // --all
  unsigned calls = 0, threads = 0;                    // --calls, --threads; 0: by itself, all
  std::string trace;                                  // --trace

  unsigned jobs = 0, trials = 0;  // sweep; 0: as many as processors, as the source says
  std::vector<std::string> words; // run, train, eval: for the program; explain: kinds
};

enum ExitCode { Success = 0, Failure = 1, Usage = 2 };

// The commands; each returns an ExitCode.
int runCheck(const Options &);
int runFormat(const Options &);
int runExplain(const Options &);
int runShow(const Options &);
int runOps(const Options &);
int runBuild(const Options &);
int runRun(const Options &);
int runTest(const Options &);
int runTrain(const Options &);
int runEval(const Options &);
int runSweep(const Options &);
int runInspect(const Options &);
int runCompare(const Options &);
int runProfile(const Options &);
int runVersion();

} // namespace nacre
