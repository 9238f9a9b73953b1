#include "syntax/SyntaxErrors.h"

namespace nacre::syntax {

bool reportLexicalErrors(const ParseTree &tree, const std::vector<uint32_t> &places, Diagnostics &diagnostics) {
  for (uint32_t place : places) {
    Span span{&tree.source, place, place + 1};
    diagnostics.report({Kind::BadCharacter, "a character that starts nothing", {{span, ""}}, {}, ""});
  }
  return places.empty();
}

void reportSyntaxErrors(const ParseTree &tree, antlr4::CommonTokenStream &stream, NacreParser &, Diagnostics &diagnostics) {
  const antlr4::Token *token = stream.LT(1);
  diagnostics.report({Kind::UnexpectedToken, "unexpected `" + std::string(tree.text(token)) + "`", {{tree.span(token), ""}}, {}, ""});
}

} // namespace nacre::syntax
