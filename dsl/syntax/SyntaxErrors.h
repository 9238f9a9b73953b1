// What is said about text that is not a program.
#pragma once
#include "syntax/ParseTree.h"

namespace nacre::syntax {

/// Reports characters that start no token (at `places`, byte offsets) and numbers that run into something else. False if
/// there were any: the parser would only repeat them in other words.
bool reportLexicalErrors(const ParseTree &, const std::vector<uint32_t> &places, Diagnostics &);

/// Called when the file does not parse: reports the first error of each declaration.
void reportSyntaxErrors(const ParseTree &, antlr4::CommonTokenStream &, NacreParser &, Diagnostics &);

} // namespace nacre::syntax
