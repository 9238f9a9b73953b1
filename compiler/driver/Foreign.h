// C functions that a program declares `extern`, and the files given by --link that should have them.
#pragma once
#include "program/Program.h"
#include <functional>
#include <string>
#include <vector>

namespace nacre {

/// Every call of a C function in the entries, tests and training functions.
void forEachForeignCall(const Program &, const std::function<void(const Value &)> &);
/// Object files and static libraries, all readable; else the problem.
std::string checkLinkedFiles(const std::vector<std::string> &files);
/// What the linker said, or, where a C function of the program is missing, its name, its line and the remedy.
std::string explainLinkProblem(const Program &, const std::string &problem);

} // namespace nacre
