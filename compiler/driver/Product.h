// A checked program to a file that people use: program, library, object, header or the text of a stage.
#pragma once
#include "Compile.h"
#include "driver/BuildLog.h"
#include "driver/Options.h"
#include "program/Program.h"

namespace nacre {

struct ProductOptions {
  const Options &options;
  std::string cpu;         // the processor the code is for
  bool runsHere = false;   // `nacre run`: weights are named by absolute paths, symbols may go
  BuildLog *log = nullptr; // takes times and, if asked for, the report
};

/// Links the program into `output`. Returns an empty string or the problem.
std::string buildProgram(const Program &, const std::string &output, const ProductOptions &);
/// Writes one product of the kinds that `--emit` names.
std::string buildProduct(const Program &, const std::string &kind, const std::string &output, const ProductOptions &);
/// What --winograd says.
void setWinograd(const std::string &text, CompileOptions &);

} // namespace nacre
