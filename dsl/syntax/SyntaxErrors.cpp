// One error per declaration: ANTLR's own recovery goes on in the middle of a broken sentence and mostly reports its own
// guesses, but the next declaration is a place where anyone can start reading again.
#include "syntax/SyntaxErrors.h"
#include "syntax/Expectation.h"
#include "syntax/Limits.h"
#include <algorithm>
#include <optional>

namespace nacre::syntax {
namespace {
using antlr4::Token;

std::string inCode(std::string_view text) { return "`" + std::string(text) + "`"; }

constexpr std::string_view hardKeywords[] = {"import", "as", "fn",   "extern", "where",  "let",  "var", "use",
                                             "return", "if", "else", "while",  "expect", "for",  "in",  "not",
                                             "and",    "or", "then", "true",   "false",  "yield"};
constexpr std::string_view declarationWords[] = {"module", "import", "const", "type",  "fn",    "extern", "grad",
                                                 "layer",  "model",  "data",  "train", "entry", "test",   "@"};
constexpr std::string_view statementWords[] = {"let",   "var", "param", "state", "use",   "return",
                                               "yield", "if",  "while", "for",   "expect"};
template <size_t n> bool isOne(const std::string_view (&words)[n], std::string_view text) {
  return std::find(std::begin(words), std::end(words), text) != std::end(words);
}

/// Where and why the parser stopped. Token indices count within the range that was parsed.
struct Stop {
  size_t offending = 0;
  size_t statement = SIZE_MAX; // first token of the innermost statement or declaration
  bool inStatement = false;
  std::set<size_t> expected;
};

/// Stops at the first error and remembers it.
class Catch : public antlr4::DefaultErrorStrategy {
public:
  Stop stop;

  void reportError(antlr4::Parser *parser, const antlr4::RecognitionException &e) override {
    stop.offending = e.getOffendingToken()->getTokenIndex();
    auto take = [&](const antlr4::misc::IntervalSet &set) {
      for (ssize_t type : set.toList())
        if (type > 0 || static_cast<size_t>(type) == Token::EOF)
          stop.expected.insert(static_cast<size_t>(type));
    };
    if (auto *none = dynamic_cast<const antlr4::NoViableAltException *>(&e); none && none->getDeadEndConfigs()) {
      // What any of the alternatives still alive before this token would have taken.
      for (const auto &config : none->getDeadEndConfigs()->configs)
        take(parser->getATN().nextTokens(config->state));
    } else {
      take(e.getExpectedTokens());
    }
    for (auto *context = parser->getContext(); context && stop.statement == SIZE_MAX;
         context = dynamic_cast<antlr4::ParserRuleContext *>(context->parent)) {
      stop.inStatement = context->getRuleIndex() == NacreParser::RuleStmt;
      if ((stop.inStatement || context->getRuleIndex() == NacreParser::RuleDecl) && context->start)
        stop.statement = context->start->getTokenIndex();
    }
  }
  void recover(antlr4::Parser *, std::exception_ptr) override { throw antlr4::ParseCancellationException(); }
  Token *recoverInline(antlr4::Parser *parser) override { throw antlr4::InputMismatchException(parser); }
  // At the head of a loop or an optional part the whole set of what may come is known; once past it, only the closer
  // is.
  void sync(antlr4::Parser *parser) override {
    auto *state = parser->getATN().states[parser->getState()];
    const auto &next = parser->getATN().nextTokens(state);
    if (!next.contains(static_cast<ssize_t>(Token::EPSILON)) && !next.contains(parser->getInputStream()->LA(1)))
      throw antlr4::InputMismatchException(parser);
  }
};

/// The file cut where declarations begin: at the words that begin one, in the first column, outside brackets. If the
/// brackets of the file do not pair, their depth says nothing and the column decides alone.
std::vector<TokenRange> declarations(const ParseTree &tree) {
  std::vector<const Token *> tokens;
  const Token *end = nullptr;
  for (const Token *token : tree.tokens()) {
    if (token->getType() == Token::EOF)
      end = token;
    else if (token->getChannel() == Token::DEFAULT_CHANNEL)
      tokens.push_back(token);
  }
  auto step = [&](const Token *token) {
    std::string_view text = tree.text(token);
    return text == "(" || text == "[" || text == "{" ? 1 : text == ")" || text == "]" || text == "}" ? -1 : 0;
  };
  int depth = 0, lowest = 0;
  for (const Token *token : tokens)
    lowest = std::min(lowest, depth += step(token));
  bool paired = depth == 0 && lowest == 0;

  std::vector<TokenRange> ranges;
  bool onlyAttributes = false; // `@keep` on a line of its own belongs to what follows
  depth = 0;
  for (const Token *token : tokens) {
    std::string_view text = tree.text(token);
    bool begins = tree.source.position(tree.span(token).begin).column == 1 && isOne(declarationWords, text);
    if (ranges.empty() || (begins && !onlyAttributes && (depth == 0 || !paired))) {
      if (!ranges.empty())
        ranges.back().next = token;
      ranges.push_back({});
      onlyAttributes = text == "@";
      depth = 0;
    }
    if (text != "@" && isOne(declarationWords, text))
      onlyAttributes = false;
    depth += step(token);
    ranges.back().tokens.push_back(token);
  }
  if (!ranges.empty())
    ranges.back().next = end;
  return ranges;
}

class Reporter {
public:
  Reporter(const ParseTree &tree, const NacreParser &parser, Diagnostics &diagnostics)
      : tree(tree), vocabulary(parser.getVocabulary()), diagnostics(diagnostics) {}

  /// Parses a range on its own; reports why that fails.
  void parse(const TokenRange &range) {
    std::optional<Stop> stop = stopOf(range);
    BracketFault fault;
    if (!findBracketFault(tree, range, fault)) {
      if (stop)
        report(range, *stop);
      return;
    }
    // The parser may know an earlier place where the closer would have fitted.
    if (fault.opener && stop && stop->offending > 0 && stop->offending < range.tokens.size()) {
      const Token *offending = range.tokens[stop->offending];
      bool inside =
          fault.opener->getTokenIndex() < offending->getTokenIndex() &&
          (fault.before->getType() == Token::EOF || offending->getTokenIndex() < fault.before->getTokenIndex());
      if (inside && Expectation(vocabulary, stop->expected).allows(closerOf(tree.text(fault.opener)))) {
        fault.before = offending;
        fault.behind = range.tokens[stop->offending - 1];
      }
    }
    syntax::report(tree, fault, diagnostics);
  }

  /// For a file whose declarations are all right one by one.
  void misplaced() {
    bool declared = false, any = false;
    for (const TokenRange &range : declarations(tree)) {
      std::string_view first = tree.text(range.tokens[0]);
      if ((first == "module" && any) || (first == "import" && declared)) {
        diagnostics.report({Kind::UnexpectedToken,
                            inCode(first) + (declared ? " behind a declaration" : " behind the first line"),
                            {{tree.span(range.tokens[0]), ""}},
                            {},
                            "one `module`, then the imports stand at the top of the file, before the declarations"});
        return;
      }
      any = true;
      declared |= first != "import" && first != "module";
    }
  }

private:
  /// Of a token that was copied for a parser of its own.
  std::string_view text(const Token *token) const {
    return token->getType() == Token::EOF ? std::string_view() : tree.text(token);
  }

  /// Where the parser stops in a range, if it does.
  std::optional<Stop> stopOf(const TokenRange &range) {
    std::vector<std::unique_ptr<Token>> copies;
    for (const Token *token : range)
      copies.push_back(std::make_unique<antlr4::CommonToken>(const_cast<Token *>(token)));
    copies.push_back(std::make_unique<antlr4::CommonToken>(Token::EOF));
    antlr4::ListTokenSource source(std::move(copies));
    antlr4::CommonTokenStream stream(&source);
    NacreParser parser(&stream);
    parser.removeErrorListeners();
    auto strategy = std::make_shared<Catch>();
    parser.setErrorHandler(strategy);
    std::string_view first = tree.text(range.tokens[0]);
    try {
      if (first == "module" || first == "import")
        parser.file();
      else // more than one if they do not begin in the first column
        do
          parser.decl();
        while (isOne(declarationWords, text(stream.LT(1))));
    } catch (antlr4::ParseCancellationException &) {
      return strategy->stop;
    }
    if (stream.LA(1) == Token::EOF)
      return std::nullopt;
    Stop stop; // the declaration ended before the range did
    stop.offending = stream.LT(1)->getTokenIndex();
    for (std::string_view word : declarationWords)
      for (size_t type = 1; type <= NacreParser::WS; ++type)
        if (vocabulary.getLiteralName(type) == "'" + std::string(word) + "'" && word != "import" && word != "module")
          stop.expected.insert(type);
    return stop;
  }

  void report(const TokenRange &range, const Stop &stop) {
    Expectation expected(vocabulary, stop.expected);
    bool ended = stop.offending >= range.tokens.size();
    const Token *offending = ended ? range.next : range.tokens[stop.offending];
    bool endOfFile = offending->getType() == Token::EOF;
    std::string found = endOfFile ? "the end of the file" : describe(offending);
    Span place = tree.span(offending);
    Span behind = place;
    if (stop.offending > 0) {
      behind.begin = behind.end = tree.span(range.tokens[stop.offending - 1]).end;
      if (ended)
        place = behind;
    }

    Diagnostic diagnostic{Kind::UnexpectedToken, "", {}, {}, hint(range, stop, expected)};
    if (std::string only = expected.only(); !only.empty() && stop.offending > 0) {
      diagnostic.kind = Kind::MissingToken;
      diagnostic.headline = only + " is missing before " + found;
      diagnostic.labels.push_back({behind, only + " belongs here"});
    } else if (expected.empty()) {
      diagnostic.headline = found + " cannot stand here";
      diagnostic.labels.push_back({place, ""});
    } else {
      diagnostic.headline =
          found + " where " + expected.list() + (expected.begins() ? " should begin" : " should stand");
      diagnostic.labels.push_back({place, ""});
    }
    // A statement that began on an earlier line explains a complaint about the start of the next one.
    if (stop.inStatement && stop.statement < stop.offending && stop.statement < range.tokens.size()) {
      Span start = tree.span(range.tokens[stop.statement]);
      if (start.file->position(start.begin).line != start.file->position(place.begin).line)
        diagnostic.labels.push_back({start, "in this statement"});
    }
    diagnostics.report(std::move(diagnostic));
  }

  std::string describe(const Token *token) const {
    std::string text(tree.text(token));
    switch (token->getType()) {
    case NacreParser::STRING:
      return text.size() <= 30 ? "the string " + text : "a string";
    case NacreParser::ID:
      return text.size() <= 60 ? inCode(text) : "a name";
    default:
      return text.size() <= 60 ? inCode(text) : "a number";
    }
  }

  /// What is usually meant by such a mistake, if it is a usual one.
  std::string hint(const TokenRange &range, const Stop &stop, const Expectation &expected) const {
    auto at = [&](size_t i) { return i < range.tokens.size() ? tree.text(range.tokens[i]) : std::string_view(); };
    std::string_view found = at(stop.offending), before = stop.offending ? at(stop.offending - 1) : "";
    std::string_view start = at(stop.statement);
    bool atDeclaration = expected.allows("entry") && expected.allows("fn") && !expected.allows("let");

    if (found == ";")
      return "statements and declarations end by themselves: remove the `;`";
    if (start == "def" || start == "func" || start == "function" || (atDeclaration && found.starts_with("func")) ||
        found == "def")
      return "functions are declared with `fn name(x: real) -> real`";
    if (start == "class" || start == "struct" || found == "class" || found == "struct")
      return "what owns weights is a `layer`, a record is a `type`";
    if (start == "elif" || start == "elsif")
      return "write `else if`";
    if (atDeclaration && (isOne(statementWords, found) || !isOne(hardKeywords, found)))
      return "statements stand inside `fn`, `layer`, `entry` and `test`; a value for the whole file is a `const`";
    if (stop.inStatement && isOne(declarationWords, start) && start != "fn" && start != "@")
      return inCode(start) + " declarations stand at the top of the file, not inside a block; is a `}` missing above?";
    if (found == "*" && before == "*")
      return "a power is written `x ^ y`";
    if (at(stop.offending + 1) == "=" && (found == "-" || found == "*" || found == "/"))
      return "write `x = x " + std::string(found) + " ..`; only `+=` exists, and it scatters";
    if (stop.inStatement && expected.allows("+=") && stop.offending == stop.statement + 1)
      return "a new name is introduced with `let " + std::string(start) + " = ..`";
    if (found == "=" && (expected.allows("==") || expected.allows("then") || expected.allows("{")))
      return "equality is written `==`";
    if (before == ":" && expected.allowsName() && !expected.allows("fn"))
      return "an argument is named with `=`: `f(x = 3)`; `label: Layer` names a sub-layer";
    if (expected.only() == "`->`")
      return "the type of the result is always written: `-> real`";
    if (before == "." && expected.allowsName())
      return "behind `.` stands the name of a member; elements are taken with `x[0]`";
    if (expected.allowsName() && isOne(hardKeywords, found) && !expected.allows("INT") && !expected.allows("let"))
      return inCode(found) + " is a keyword: choose another name";
    if (found == "else" && expected.allows("then"))
      return "a choice of values is written `if c then a else b`";
    return "";
  }

  const ParseTree &tree;
  const antlr4::dfa::Vocabulary &vocabulary;
  Diagnostics &diagnostics;
};

} // namespace

void reportSyntaxErrors(const ParseTree &tree, const NacreParser &parser, const std::vector<uint32_t> &places,
                        Diagnostics &diagnostics) {
  size_t before = diagnostics.errorCount();
  Reporter reporter(tree, parser, diagnostics);
  for (const TokenRange &range : declarations(tree)) {
    uint32_t begin = tree.span(range.tokens[0]).begin, end = tree.span(range.next).begin;
    auto garbled = std::lower_bound(places.begin(), places.end(), begin);
    if (garbled == places.end() || *garbled > end)
      reporter.parse(range);
    if (diagnostics.errorCount() >= before + maximalErrors)
      break;
  }
  // Each part is fine and the whole is not: an `import` behind a declaration.
  if (diagnostics.errorCount() == before && places.empty())
    reporter.misplaced();
}

} // namespace nacre::syntax
