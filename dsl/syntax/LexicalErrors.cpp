// Characters that start no token, strings without an end, numbers that run into something else.
#include "syntax/Limits.h"
#include "syntax/Literals.h"
#include "syntax/SyntaxErrors.h"
#include <algorithm>
#include <iterator>

namespace nacre::syntax {
namespace {

/// What people mean by characters that other languages, or their keyboards, offer.
constexpr std::pair<std::string_view, std::string_view> meant[] = {
    {"'", "strings stand between `\"` marks"},
    {"!", "negation is written `not`, unequal `!=`"},
    {"&", "write `and`"},
    {"|", "write `or`; a pipe is `|>`"},
    {"~", "about equal is written `~=`"},
    {"\\", "a line may break anywhere without a mark"},
    {"$", "text in braces is filled in strings: `\"block.{i}\"`"},
    {"?", "a choice is written `if c then a else b`"},
    {"“", "strings stand between `\"` marks"},
    {"”", "strings stand between `\"` marks"},
    {"‘", "strings stand between `\"` marks"},
    {"’", "strings stand between `\"` marks"},
    {"−", "write `-`"},
    {"–", "write `-`"},
    {"×", "write `*`"},
    {"·", "write `*`"},
    {"÷", "write `/`, or `//` for integers"},
    {"≤", "write `<=`"},
    {"≥", "write `>=`"},
    {"≠", "write `!=`"},
    {"→", "write `->`"},
    {"←", "write `<-`"},
    {"…", "write `...`"},
    {"²", "write `^2`"},
};

bool isWord(std::string_view text) {
  return !text.empty() && (std::isalpha(static_cast<unsigned char>(text[0])) || text[0] == '_');
}

void reportCharacter(const ParseTree &tree, uint32_t place, Diagnostics &diagnostics) {
  const SourceFile &source = tree.source;
  const std::string &text = source.text();
  if (text[place] == '"') {
    Position at = source.position(place);
    auto end = static_cast<uint32_t>(source.lineBegin(at.line) + source.line(at.line).size());
    diagnostics.report({Kind::UnterminatedString,
                        "a string is not closed on its line",
                        {{{&source, place, end}, "begins here"}},
                        {},
                        "close it with `\"`; a line break is written `\\n`"});
    return;
  }
  uint32_t end = place + 1;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    ++end;
  std::string character = text.substr(place, end - place), headline;
  auto code = static_cast<unsigned char>(text[place]);
  if (code < 0x20 || code == 0x7F) {
    char hex[8];
    std::snprintf(hex, sizeof hex, "0x%02X", code);
    headline = std::string("the control character ") + hex + " in the text";
  } else {
    headline = "`" + character + "` has no meaning here";
  }
  auto known = std::find_if(std::begin(meant), std::end(meant), [&](auto &m) { return m.first == character; });
  std::string hint = known != std::end(meant) ? std::string(known->second)
                     : code >= 0x80 ? "names are made of a-z, A-Z, 0-9 and _; other letters go in strings and comments"
                                    : "remove it";
  diagnostics.report({Kind::BadCharacter, headline, {{{&source, place, end}, ""}}, {}, hint});
}

void reportEscape(const ParseTree &tree, uint32_t begin, Diagnostics &diagnostics) {
  const std::string &text = tree.source.text();
  uint32_t end = begin + 2;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    ++end;
  Span place{&tree.source, begin, end};
  if (text[begin + 1] == '\n' || text[begin + 1] == '\r') {
    place.end = begin + 1;
    diagnostics.report({Kind::UnterminatedString,
                        "a string is not closed on its line",
                        {{place, "the line ends here"}},
                        {},
                        "close it with `\"`; a line break is written `\\n`"});
    return;
  }
  diagnostics.report({Kind::BadEscape,
                      "`" + std::string(place.text()) + "` is no escape sequence",
                      {{place, "known are \\n \\r \\t \\\" \\\\"}},
                      {},
                      "a backslash itself is written `\\\\`"});
}

/// The run of words, digits and points around a number that is none.
Span runFrom(const ParseTree &tree, size_t first) {
  const auto &tokens = tree.tokens();
  Span run = tree.span(tokens[first]);
  for (size_t i = first + 1; i < tokens.size(); ++i) {
    Span next = tree.span(tokens[i]);
    std::string_view text = next.text();
    bool part = text == "." || isWord(text) || (!text.empty() && std::isdigit(static_cast<unsigned char>(text[0])));
    if (next.begin != run.end || !part)
      break;
    run.end = next.end;
  }
  return run;
}

/// Numbers whose ends the lexer found too early: `2x`, `1.`, `.5`, `1_000_`.
void reportNumbers(const ParseTree &tree, Diagnostics &diagnostics, std::vector<uint32_t> &places) {
  const auto &tokens = tree.tokens();
  for (size_t i = 0; i < tokens.size(); ++i) {
    bool number = tokens[i]->getType() == NacreParser::INT || tokens[i]->getType() == NacreParser::FLOAT;
    Span span = tree.span(tokens[i]);
    bool touches = i + 1 < tokens.size() && tree.span(tokens[i + 1]).begin == span.end;
    std::string_view next = touches ? tree.text(tokens[i + 1]) : std::string_view();
    std::string_view before = i && tree.span(tokens[i - 1]).end == span.begin ? tree.text(tokens[i - 1]) : "";
    bool member = isWord(before) || before == ")" || before == "]"; // `x.0`: for the parser to say
    std::string headline, hint;
    Span run = span;
    if (number && isWord(next)) {
      run = runFrom(tree, i);
      std::string text(run.text());
      headline = "`" + text + "` is neither a number nor a name";
      hint = span.text() == "0" && (next[0] == 'x' || next[0] == 'X') ? "hexadecimal digits are 0-9 and a-f, after `0x`"
             : span.text().starts_with("0x")
                 ? "hexadecimal digits are 0-9 and a-f"
                 : "write a product with `*`: `" + std::string(span.text()) + " * " + std::string(next) + "`";
    } else if (number && next == ".") {
      run = runFrom(tree, i);
      headline = "`" + std::string(run.text()) + "` is no number: a point stands between digits, and only once";
      hint = "write `" + std::string(span.text()) + (tokens[i]->getType() == NacreParser::INT ? ".0`" : "`");
    } else if (tree.text(tokens[i]) == "." && touches && tokens[i + 1]->getType() == NacreParser::INT && !member) {
      run = runFrom(tree, i);
      headline = "`" + std::string(run.text()) + "` is no number: a point stands between digits";
      hint = "write `0" + std::string(run.text()) + "`";
    } else if (number && span.text().ends_with('_')) {
      headline = "`" + std::string(span.text()) + "` ends in an underscore";
      hint = "underscores stand between digits: `1_000`";
    }
    if (headline.empty() || diagnostics.errorCount() >= maximalErrors)
      continue;
    diagnostics.report({Kind::BadNumber, headline, {{run, ""}}, {}, hint});
    places.push_back(run.begin);
    while (i + 1 < tokens.size() && tree.span(tokens[i + 1]).begin < run.end)
      ++i;
  }
}

/// Numbers that are written well and do not fit, and escapes that mean nothing. The parser need not mind them.
void reportValues(const ParseTree &tree, Diagnostics &diagnostics) {
  for (const antlr4::Token *token : tree.tokens()) {
    if (diagnostics.errorCount() >= maximalErrors)
      return;
    Span span = tree.span(token);
    std::string text(span.text());
    if (token->getType() == NacreParser::INT && !text.ends_with('_') && !integerValue(text)) {
      diagnostics.report({Kind::BadNumber,
                          "the integer " + text + " does not fit 64 bits",
                          {{span, "at most 9223372036854775807"}},
                          {},
                          "a real number may be larger: write `1e19`"});
    } else if (token->getType() == NacreParser::FLOAT && !realValue(text)) {
      diagnostics.report({Kind::BadNumber,
                          "the number " + text + " is larger than 64-bit reals reach",
                          {{span, "at most about 1.8e308"}},
                          {},
                          "infinity is written `inf`"});
    } else if (token->getType() == NacreParser::STRING) {
      std::vector<size_t> bad;
      stringValue(text, &bad);
      for (size_t at : bad)
        reportEscape(tree, span.begin + static_cast<uint32_t>(at), diagnostics);
    }
  }
}
} // namespace

std::vector<uint32_t> reportLexicalErrors(const ParseTree &tree, std::vector<uint32_t> places,
                                          Diagnostics &diagnostics) {
  uint32_t lastLine = 0;
  for (uint32_t place : places) {
    uint32_t line = tree.source.position(place).line;
    if (line != lastLine &&
        diagnostics.errorCount() <
            maximalErrors) // what follows on the same line is mostly the same mistake (`&&`, 'text')
      reportCharacter(tree, place, diagnostics);
    lastLine = line;
  }
  reportNumbers(tree, diagnostics, places);
  std::sort(places.begin(), places.end());
  reportValues(tree, diagnostics);
  return places;
}

} // namespace nacre::syntax
