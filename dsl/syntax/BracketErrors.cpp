// Brackets that do not pair: looked for before the parser is asked, because it would complain somewhere else.
#include "syntax/SyntaxErrors.h"

namespace nacre::syntax {
namespace {

std::string inCode(std::string_view text) { return "`" + std::string(text) + "`"; }

/// The column of the first character of the line on which a token stands; whether the token is that character.
struct Indent {
  uint32_t column;
  bool first;
};
Indent indentAt(Span span) {
  Position at = span.file->position(span.begin);
  size_t column = span.file->line(at.line).find_first_not_of(" \t");
  return {static_cast<uint32_t>(column), column + 1 == at.column};
}
} // namespace

std::string closerOf(std::string_view opener) { return opener == "(" ? ")" : opener == "[" ? "]" : "}"; }

bool findBracketFault(const ParseTree &tree, const TokenRange &range, BracketFault &fault) {
  std::vector<const antlr4::Token *> open;
  const antlr4::Token *previous = nullptr;
  for (const antlr4::Token *token : range) {
    std::string_view text = tree.text(token);
    if (text == "(" || text == "[" || text == "{") {
      open.push_back(token);
    } else if (text == ")" || text == "]" || text == "}") {
      if (open.empty()) {
        fault = {nullptr, token, previous};
        return true;
      }
      // A `}` further left than the line that opened its block belongs to an outer block.
      Indent closing = indentAt(tree.span(token)), opening = indentAt(tree.span(open.back()));
      bool outer = text == "}" && closing.first && closing.column < opening.column && open.size() > 1;
      if (closerOf(tree.text(open.back())) != text || outer) {
        fault = {open.back(), token, previous};
        return true;
      }
      open.pop_back();
    }
    previous = token;
  }
  if (open.empty())
    return false;
  fault = {open.back(), range.next, previous};
  return true;
}

void report(const ParseTree &tree, const BracketFault &fault, Diagnostics &diagnostics) {
  if (!fault.opener) {
    diagnostics.report({Kind::UnexpectedToken,
                        inCode(tree.text(fault.before)) + " closes nothing",
                        {{tree.span(fault.before), ""}},
                        {},
                        "remove it, or open a bracket before it"});
    return;
  }
  std::string closer = inCode(closerOf(tree.text(fault.opener)));
  bool endOfFile = fault.before->getType() == antlr4::Token::EOF;
  Span place = tree.span(fault.behind);
  place.begin = place.end;
  diagnostics.report(
      {Kind::MissingToken,
       closer + " is missing " + (endOfFile ? "at the end of the file" : "before " + inCode(tree.text(fault.before))),
       {{place, closer + " belongs here"}, {tree.span(fault.opener), "opened here"}},
       {},
       ""});
}

} // namespace nacre::syntax
