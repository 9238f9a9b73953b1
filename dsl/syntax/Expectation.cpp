#include "syntax/Expectation.h"
#include <algorithm>

namespace nacre::syntax {
namespace {
using Words = std::vector<std::string_view>;

const Words softKeywords = {"layer", "model",  "data",     "train",  "test",   "entry",  "state",
                            "param", "load",   "rename",   "freeze", "tie",    "init",   "quantize",
                            "on",    "over",   "optional", "type",   "module", "error",  "grad",
                            "limit", "within", "reverse",  "when",   "const",  "ignore", "via"};
const Words expressionStart = {"INT", "FLOAT", "STRING", "true", "false", "_", "[", "(", "-", "not", "if", "for", "ID"};
const Words statementStart = {"@",     "let", "var",   "use", "extern", "fn", "return",
                              "yield", "if",  "while", "for", "expect", "(",  "ID"};
const Words declarationStart = {"@",     "const", "type", "extern", "fn",    "grad",
                                "layer", "model", "data", "train",  "entry", "test"};
const Words typeStart = {"ID", "(", "fn"};
const Words operatorWords = {"^",  "*",  "/",  "//", "%",  "+",   "-",  "..", "<", "<=", ">",
                             ">=", "==", "!=", "~=", "in", "and", "or", "|>", ".", "[",  "("};
} // namespace

Expectation::Expectation(const antlr4::dfa::Vocabulary &vocabulary, const std::set<size_t> &types) {
  for (size_t type : types) {
    std::string text = vocabulary.getLiteralName(type);
    if (text.size() >= 2)
      literals.insert(text.substr(1, text.size() - 2)); // '(' with its quotes
    else if (type != antlr4::Token::EOF)
      literals.insert(std::string(vocabulary.getSymbolicName(type)));
  }
  auto rest = literals;
  auto has = [&](std::string_view word) { return rest.contains(std::string(word)); };
  auto take = [&](const Words &words, std::string_view part) {
    for (auto word : words)
      rest.erase(std::string(word));
    if (!part.empty())
      parts.push_back(std::string(part));
  };
  name = has("ID");

  if (has("let") && has("return")) {
    take(statementStart, "a statement");
    take(softKeywords, "");
  } else if (has("INT") && has("STRING") && has("(")) {
    take(expressionStart, "an expression");
    take(softKeywords, "");
    take({"..", "..."}, "");
  } else if (has("ID") && has("fn") && has("(")) {
    take(typeStart, "a type");
    take(softKeywords, "");
  } else if (has("fn") && has("entry")) {
    take(declarationStart, "a declaration");
  } else if (has("ID")) {
    take({"ID"}, "a name");
    take(softKeywords, "");
  }
  if (has("+=") && has("<") && has("=")) { // behind the target of a statement
    take({"=", "<", "+=", "(", "[", "."}, "");
    parts.insert(parts.end(), {"`=`", "`<-`", "`+=`", "`(`"});
  }
  operators = has("+") && has("*");
  if (operators)
    take(operatorWords, "");
  for (auto [token, words] : {std::pair("INT", "a number"), {"FLOAT", ""}, {"STRING", "a string"}})
    if (has(token))
      take({token}, words);
  // Closers and commas are what is most likely meant: first.
  std::vector<std::string> marks;
  for (const std::string &literal : rest)
    marks.push_back("`" + literal + "`");
  auto weight = [](const std::string &mark) {
    return mark == "`)`" || mark == "`]`" || mark == "`}`" ? 1 : mark == "`,`" ? 0 : 2;
  };
  std::stable_sort(marks.begin(), marks.end(), [&](auto &a, auto &b) { return weight(a) < weight(b); });
  parts.insert(parts.end(), marks.begin(), marks.end());
  if (operators)
    parts.push_back("an operator");
}

std::string Expectation::list() const {
  std::string result;
  for (size_t i = 0; i < parts.size(); ++i)
    result += (i == 0 ? "" : i + 1 == parts.size() ? " or " : ", ") + parts[i];
  return result;
}

} // namespace nacre::syntax
