// What is said about text that is not a program.
#pragma once
#include "syntax/ParseTree.h"

namespace nacre::syntax {

/// Some tokens of a file in a row, without comments, and the one behind them (EOF at the end of the file).
struct TokenRange {
  std::vector<const antlr4::Token *> tokens;
  const antlr4::Token *next = nullptr;
  auto begin() const { return tokens.begin(); }
  auto end() const { return tokens.end(); }
};

/// Reports characters that start no token (at `places`, byte offsets) and numbers that run into something else. False if
/// there were any: the parser would only repeat them in other words.
bool reportLexicalErrors(const ParseTree &, const std::vector<uint32_t> &places, Diagnostics &);

/// The first bracket that does not pair.
struct BracketFault {
  const antlr4::Token *opener = nullptr; // null: a closer that closes nothing
  const antlr4::Token *before = nullptr; // in front of which the closer is missing at the latest; or that closer
  const antlr4::Token *behind = nullptr; // the token before that one
};
bool findBracketFault(const ParseTree &, const TokenRange &, BracketFault &);
void report(const ParseTree &, const BracketFault &, Diagnostics &);
std::string closerOf(std::string_view opener);

/// Called when the file does not parse: reports the first error of each declaration.
void reportSyntaxErrors(const ParseTree &, const NacreParser &, Diagnostics &);

} // namespace nacre::syntax
