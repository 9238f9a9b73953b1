// Syntax trees to the checked program: names, types and shapes, then expansion of every entry and test.
#pragma once
#include "diagnostics/Diagnostic.h"
#include "program/Program.h"
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace nacre {

struct CheckOptions {
  std::vector<std::string> libraryPaths; // where `import std` and `import a.b` are looked up, in order
  std::vector<std::pair<std::string, std::string>> settings; // --set NAME=value
  Scalar real = Scalar::F32;
  bool tests = true;    // expand `test` blocks of the file
  bool training = true; // expand its `train` blocks
  bool bounded = false; // an entry dimension without upper bound is an error (nacre build)
};

/// The checked program of one file and what it imports, or null after errors were reported.
std::unique_ptr<Program> check(SourceManager &, const std::string &path, const CheckOptions &, Diagnostics &);

} // namespace nacre
