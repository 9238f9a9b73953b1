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

/// Reports characters that start no token (at `places`, byte offsets), numbers that run into something else or do not
/// fit, and bad escapes. Returns the places where tokens are not what was meant, so that a parser would complain again.
std::vector<uint32_t> reportLexicalErrors(const ParseTree &, std::vector<uint32_t> places, Diagnostics &);

/// The first bracket that does not pair.
struct BracketFault {
  const antlr4::Token *opener = nullptr; // null: a closer that closes nothing
  const antlr4::Token *before = nullptr; // in front of which the closer is missing at the latest; or that closer
  const antlr4::Token *behind = nullptr; // the token before that one
};
bool findBracketFault(const ParseTree &, const TokenRange &, BracketFault &);
void report(const ParseTree &, const BracketFault &, Diagnostics &);
std::string closerOf(std::string_view opener);

/// Called when the file does not parse: reports the first error of each declaration that contains none of the `places`.
void reportSyntaxErrors(const ParseTree &, const NacreParser &, const std::vector<uint32_t> &places, Diagnostics &);

} // namespace nacre::syntax
