// A checked program to a file that people use: program, library, object, header or the text of a stage.
#pragma once
#include "Compile.h"
#include "driver/Options.h"
#include "program/Program.h"

namespace nacre {

struct ProductOptions {
  const Options &options;
  std::string cpu;       // the processor the code is for
  bool runsHere = false; // `nacre run`: weights are named by absolute paths, symbols may go
};

/// Links the program into `output`. Returns an empty string or the problem.
std::string buildProgram(const Program &, const std::string &output, const ProductOptions &);
/// Writes one product of the kinds that `--emit` names.
std::string buildProduct(const Program &, const std::string &kind, const std::string &output, const ProductOptions &);
/// What --winograd says.
void setWinograd(const std::string &text, CompileOptions &);
/// Per stage, on standard error, if --time was given.
void printTimes(const Options &, const std::vector<StageTime> &, double frontSeconds, double linkSeconds);

} // namespace nacre
