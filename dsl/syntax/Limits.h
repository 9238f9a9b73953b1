// Stated limits, tested before anything recursive sees a file.
#pragma once
#include "syntax/ParseTree.h"

namespace nacre::syntax {

constexpr size_t maximalFileSize = 4 << 20;
/// Brackets, prefix operators, `^`, `=>` and `if` inside one another: one round of the parser's recursion each.
constexpr unsigned maximalNesting = 256;
/// Depth of the syntax tree. Infix chains (`a + b + ..`, `x |> f |> ..`) cost the parser nothing but deepen the tree,
/// which everything after it walks recursively.
constexpr unsigned maximalDepth = 1000;

/// Errors of one file that are reported; the rest of a file with more is mostly no program at all.
constexpr size_t maximalErrors = 100;

/// Each reports what it finds and says whether the file may be looked at further.
bool checkText(const SourceFile &, Diagnostics &);
bool checkNesting(const ParseTree &, Diagnostics &);

} // namespace nacre::syntax
