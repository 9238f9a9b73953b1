// What ANTLR makes of one file, with byte offsets instead of code points. Private to this folder: it drags ANTLR in.
#pragma once
#include "NacreLexer.h"
#include "NacreParser.h"
#include "diagnostics/Diagnostic.h"
#include <memory>
#include <string_view>
#include <vector>

namespace nacre::syntax {

using grammar::NacreParser;

/// The tokens and the parse tree of a file. `root` is null after something was reported.
class ParseTree {
public:
  ParseTree(const SourceFile &, Diagnostics &);
  ParseTree(const ParseTree &) = delete;

  const SourceFile &source;
  NacreParser::FileContext *root = nullptr;
  /// All tokens but white space: comments are in the hidden channel; the last one is EOF.
  const std::vector<antlr4::Token *> &tokens() const { return tokenList; }

  Span span(const antlr4::Token *) const;
  /// From the first to the last token of a rule; a rule that matched nothing has an empty span where it would begin.
  Span span(antlr4::ParserRuleContext *) const;
  std::string_view text(const antlr4::Token *token) const { return span(token).text(); }

private:
  void read(Diagnostics &);
  uint32_t byte(size_t codePoint) const {
    return byteOffsets.empty() ? static_cast<uint32_t>(codePoint) : byteOffsets[codePoint];
  }

  std::vector<uint32_t> byteOffsets; // of each code point and of the end; empty if the file is ASCII
  antlr4::ANTLRInputStream input;
  std::unique_ptr<grammar::NacreLexer> lexer;
  std::unique_ptr<antlr4::CommonTokenStream> stream;
  std::unique_ptr<NacreParser> parser;
  std::vector<antlr4::Token *> tokenList;
};

} // namespace nacre::syntax
