#include "syntax/ParseTree.h"
#include "syntax/Limits.h"
#include "syntax/SyntaxErrors.h"
#include <algorithm>

namespace nacre::syntax {
namespace {

/// Lexer errors become diagnostics where they happen; the lexer goes on behind them.
class LexerErrors : public antlr4::BaseErrorListener {
public:
  LexerErrors(grammar::NacreLexer &lexer, std::vector<size_t> &places) : lexer(lexer), places(places) {}
  void syntaxError(antlr4::Recognizer *, antlr4::Token *, size_t, size_t, const std::string &,
                   std::exception_ptr) override {
    places.push_back(lexer.tokenStartCharIndex);
    if (places.size() >= 10 * maximalErrors) // no text of ours; an error costs the lexer an exception
      throw TooMany();
  }
  struct TooMany {};

private:
  grammar::NacreLexer &lexer;
  std::vector<size_t> &places;
};

std::vector<uint32_t> offsetsOfCodePoints(const std::string &text) {
  std::vector<uint32_t> offsets;
  bool ascii = true;
  for (unsigned char c : text)
    ascii &= c < 0x80;
  if (ascii)
    return offsets;
  for (size_t i = 0; i < text.size(); ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80)
      offsets.push_back(static_cast<uint32_t>(i));
  offsets.push_back(static_cast<uint32_t>(text.size()));
  return offsets;
}
} // namespace

ParseTree::ParseTree(const SourceFile &source, Diagnostics &diagnostics) : source(source) {
  Diagnostics found;
  read(found);
  // Several looks at the tokens found them: in the order of the text.
  std::vector<Diagnostic> sorted = found.all();
  std::stable_sort(sorted.begin(), sorted.end(), [](const Diagnostic &a, const Diagnostic &b) {
    return a.labels[0].span.begin < b.labels[0].span.begin;
  });
  if (sorted.size() > maximalErrors)
    sorted.erase(sorted.begin() + maximalErrors, sorted.end());
  for (Diagnostic &diagnostic : sorted)
    diagnostics.report(std::move(diagnostic));
}

void ParseTree::read(Diagnostics &diagnostics) {
  if (!checkText(source, diagnostics))
    return;
  byteOffsets = offsetsOfCodePoints(source.text());
  // ANTLR drops a byte order mark, which would shift every offset; it is white space to us.
  std::string text = source.text();
  if (text.starts_with("\xEF\xBB\xBF"))
    text.replace(0, 3, " ");
  input.load(text);

  lexer = std::make_unique<grammar::NacreLexer>(&input);
  std::vector<size_t> badPlaces;
  LexerErrors lexerErrors(*lexer, badPlaces);
  lexer->removeErrorListeners();
  lexer->addErrorListener(&lexerErrors);
  stream = std::make_unique<antlr4::CommonTokenStream>(lexer.get());
  bool complete = true;
  try {
    stream->fill();
    tokenList = stream->getTokens();
  } catch (LexerErrors::TooMany) {
    complete = false;
  }
  lexer->removeErrorListeners();

  std::vector<uint32_t> places;
  for (size_t place : badPlaces)
    places.push_back(byte(place));
  places = reportLexicalErrors(*this, std::move(places), diagnostics);
  if (!complete || !checkNesting(*this, diagnostics))
    return;

  // SLL prediction needs no full context and is right for almost every text; what it refuses is tried again with the
  // full algorithm before anything is called an error.
  parser = std::make_unique<NacreParser>(stream.get());
  parser->removeErrorListeners();
  parser->setErrorHandler(std::make_shared<antlr4::BailErrorStrategy>());
  auto *interpreter = parser->getInterpreter<antlr4::atn::ParserATNSimulator>();
  NacreParser::FileContext *parsed = nullptr;
  for (auto mode : {antlr4::atn::PredictionMode::SLL, antlr4::atn::PredictionMode::LL}) {
    if (parsed || !places.empty())
      break;
    interpreter->setPredictionMode(mode);
    parser->reset();
    try {
      parsed = parser->file();
    } catch (antlr4::ParseCancellationException &) {
    }
  }
  if (!parsed)
    reportSyntaxErrors(*this, *parser, places, diagnostics);
  else if (!diagnostics.failed())
    root = parsed;
}

Span ParseTree::span(const antlr4::Token *token) const {
  auto size = static_cast<uint32_t>(source.text().size());
  if (token->getType() == antlr4::Token::EOF)
    return {&source, size, size};
  return {&source, byte(token->getStartIndex()), byte(token->getStopIndex() + 1)};
}

Span ParseTree::span(antlr4::ParserRuleContext *context) const {
  Span first = span(context->start);
  if (!context->stop || context->stop->getTokenIndex() < context->start->getTokenIndex())
    return {&source, first.begin, first.begin};
  return {&source, first.begin, span(context->stop).end};
}

} // namespace nacre::syntax
