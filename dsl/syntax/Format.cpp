// The formatter: the tokens of a file in their order, with canonical space between them. Nothing is added or left out,
// so the meaning cannot change. The author decides where a block stays on one line, where a pipe breaks, whether a list
// has one element per line, and whether `a*b` is written tight; everything else is decided here.
#include "syntax/Document.h"
#include "syntax/Parse.h"
#include "syntax/ParseTree.h"
#include <algorithm>
#include <set>

namespace nacre {
namespace syntax {
namespace {
using P = NacreParser;
using antlr4::Token;
using antlr4::tree::TerminalNode;
using Node = antlr4::tree::ParseTree;
using Rule = antlr4::ParserRuleContext;
using List = std::vector<const Doc *>;

class Formatter {
public:
  explicit Formatter(const ParseTree &tree) : tree(tree) {}

  std::string run() {
    P::FileContext *root = tree.root;
    List parts;
    std::vector<Rule *> items; // the module line has no rule of its own
    const Token *first = visible(0);
    if (root->path()) {
      startLine(root->path());
      parts = {leading(first), docs.text("module "), expression(root->path()), endLine(root->path())};
      lastToken = root->path()->stop;
    }
    for (auto *i : root->importDecl())
      items.push_back(i);
    for (auto *d : root->decl())
      items.push_back(d);
    lines(items, parts);
    const Token *end = tree.tokens().back();
    List comments = commentsBefore(end);
    if (!comments.empty() && lastToken)
      parts.push_back(docs.lineBreak(blankBefore(end)));
    parts.insert(parts.end(), comments.begin(), comments.end());
    std::string result = layOut(docs.concat(parts));
    while (!result.empty() && (result.back() == '\n' || result.back() == ' '))
      result.pop_back();
    return result.empty() ? result : result + "\n";
  }

private:
  // ---- tokens and their comments ----

  const Token *visible(size_t from) const {
    while (tree.tokens()[from]->getChannel() != Token::DEFAULT_CHANNEL)
      ++from;
    return tree.tokens()[from];
  }
  uint32_t lineOf(const Token *token) const { return tree.source.position(tree.span(token).begin).line; }
  uint32_t lastLineOf(const Token *token) const {
    Span span = tree.span(token);
    return tree.source.position(span.end > span.begin ? span.end - 1 : span.begin).line;
  }
  static std::string trimmed(std::string_view text) {
    size_t end = text.find_last_not_of(" \t");
    return std::string(text.substr(0, end == std::string_view::npos ? 0 : end + 1));
  }
  /// The comment that ends the line of a token, if there is one.
  const Token *trailingComment(const Token *token) const {
    size_t next = token->getTokenIndex() + 1;
    if (token->getType() == Token::EOF || next >= tree.tokens().size())
      return nullptr;
    const Token *comment = tree.tokens()[next];
    return comment->getChannel() != Token::DEFAULT_CHANNEL && lineOf(comment) == lastLineOf(token) ? comment : nullptr;
  }
  /// The comments on lines of their own before a token.
  std::vector<const Token *> commentTokens(const Token *token) const {
    std::vector<const Token *> result;
    size_t i = token->getTokenIndex();
    while (i > 0 && tree.tokens()[i - 1]->getChannel() != Token::DEFAULT_CHANNEL)
      --i;
    if (i > 0 && i < token->getTokenIndex() && trailingComment(tree.tokens()[i - 1]))
      ++i;
    for (; i < token->getTokenIndex(); ++i)
      result.push_back(tree.tokens()[i]);
    return result;
  }
  List commentsBefore(const Token *token) {
    List parts;
    const Token *previous = nullptr;
    for (const Token *comment : commentTokens(token)) {
      if (previous && lineOf(comment) > lineOf(previous) + 1)
        parts.push_back(docs.lineBreak(true));
      parts.push_back(docs.comment(trimmed(tree.text(comment)), true));
      previous = comment;
    }
    if (previous && token->getType() != Token::EOF)
      parts.push_back(docs.lineBreak(lineOf(token) > lineOf(previous) + 1));
    return parts;
  }
  const Doc *leading(const Token *token) { return docs.concat(commentsBefore(token)); }
  const Doc *trailing(const Token *token) {
    const Token *comment = trailingComment(token);
    return comment ? docs.comment(trimmed(tree.text(comment)), false) : docs.text("");
  }
  /// A token with its comments. Those that belong to a whole line are written by `lines`.
  const Doc *token(const Token *token) {
    const Doc *text = docs.text(std::string(tree.text(token)));
    bool before = !firstTokens.contains(token) && !commentTokens(token).empty();
    bool after = !lastTokens.contains(token) && trailingComment(token);
    if (!before && !after)
      return text;
    return docs.concat({before ? leading(token) : docs.text(""), text, after ? trailing(token) : docs.text("")});
  }

  // ---- lines: declarations, statements, settings ----

  void startLine(Rule *rule) {
    firstTokens.insert(rule->start);
    lastTokens.insert(rule->stop);
  }
  const Doc *endLine(Rule *rule) { return trailing(rule->stop); }

  bool blankBefore(const Token *token) const {
    if (!lastToken)
      return false;
    const Token *comment = trailingComment(lastToken);
    uint32_t end = comment ? lineOf(comment) : lastLineOf(lastToken);
    auto comments = commentTokens(token);
    return lineOf(comments.empty() ? token : comments[0]) > end + 1;
  }
  void lines(const std::vector<Rule *> &rules, List &parts) {
    for (Rule *rule : rules) {
      if (lastToken)
        parts.push_back(docs.lineBreak(blankBefore(rule->start)));
      // An inner line may end with its outer one: the outer one writes the comment.
      bool firstIsMine = firstTokens.insert(rule->start).second, lastIsMine = lastTokens.insert(rule->stop).second;
      if (firstIsMine)
        parts.push_back(leading(rule->start));
      parts.push_back(docs.group(expression(rule)));
      if (lastIsMine)
        parts.push_back(trailing(rule->stop));
      lastToken = rule->stop;
    }
  }

  /// `{ .. }` with lines inside.
  const Doc *braces(Rule *context, const std::vector<Rule *> &rules) {
    auto brace = [&](bool last) {
      const Token *found = nullptr;
      for (Node *child : context->children)
        if (auto *terminal = dynamic_cast<TerminalNode *>(child))
          if (tree.text(terminal->getSymbol()) == (last ? "}" : "{"))
            found = terminal->getSymbol();
      return found;
    };
    const Token *open = brace(false), *close = brace(true);
    bool comments = trailingComment(open) || !commentTokens(close).empty();
    if (rules.empty() && !comments)
      return docs.concat({token(open), docs.text(" "), token(close)});

    if (lineOf(open) == lineOf(close) && !comments) { // the author wants one line; it has no comments then
      List flat = {token(open)};
      for (Rule *rule : rules) {
        flat.push_back(docs.line(flat.size() == 1 ? " " : "  "));
        flat.push_back(expression(rule));
      }
      const Doc *inner = docs.concat(List(flat.begin() + 1, flat.end()));
      return docs.group(docs.concat({flat[0], docs.nest(2, inner), docs.line(), token(close)}));
    }
    const Token *outerLast = lastToken;
    lastToken = nullptr;
    List parts = {docs.lineBreak()};
    lines(rules, parts);
    List end = commentsBefore(close);
    if (!end.empty() && lastToken)
      parts.push_back(docs.lineBreak(blankBefore(close)));
    while (!end.empty() && end.back()->kind == Doc::Kind::Break)
      end.pop_back(); // no empty line before `}`
    parts.insert(parts.end(), end.begin(), end.end());
    lastToken = outerLast;
    const Doc *after = lastTokens.contains(close) ? docs.text("") : trailing(close);
    firstTokens.insert(close);
    return docs.concat(
        {docs.text("{"), trailing(open), docs.nest(2, docs.concat(parts)), docs.lineBreak(), docs.text("}"), after});
  }

  // ---- rules ----

  const Doc *expression(Node *node) {
    if (auto *terminal = dynamic_cast<TerminalNode *>(node))
      return token(terminal->getSymbol());
    auto *rule = static_cast<Rule *>(node);
    switch (rule->getRuleIndex()) {
    case P::RuleExpr:
      return operation(static_cast<P::ExprContext *>(rule));
    case P::RulePrimary:
      return primary(rule);
    case P::RuleHyper:
      return bracketed(rule, 0, rule->children.size() - 1, rule);
    case P::RuleType:
    case P::RuleTarget:
    case P::RulePattern:
    case P::RuleAttr:
      return withBrackets(rule);
    case P::RuleImportDecl:
      return import(rule);
    case P::RuleBlock:
      return braces(rule, cast(static_cast<P::BlockContext *>(rule)->stmt()));
    case P::RuleSettings:
      return braces(rule, cast(static_cast<P::SettingsContext *>(rule)->setting()));
    case P::RuleWhere:
      return whereClause(rule);
    case P::RuleDecl:
    case P::RuleStmt:
      return attributed(rule);
    case P::RuleFnDecl:
    case P::RuleLayerDecl:
    case P::RuleEntryDecl:
    case P::RuleDataDecl:
    case P::RuleGradDecl:
      return signature(rule);
    case P::RuleModelDecl:
      return model(static_cast<P::ModelDeclContext *>(rule));
    default:
      return spaced(rule, 0, rule->children.size());
    }
  }

  template <class T> static std::vector<Rule *> cast(const std::vector<T *> &rules) {
    return {rules.begin(), rules.end()};
  }
  std::string_view mark(Node *node) const {
    auto *terminal = dynamic_cast<TerminalNode *>(node);
    return terminal ? tree.text(terminal->getSymbol()) : std::string_view();
  }
  static const Token *firstOf(Node *node) {
    auto *terminal = dynamic_cast<TerminalNode *>(node);
    return terminal ? terminal->getSymbol() : static_cast<Rule *>(node)->start;
  }
  static const Token *lastOf(Node *node) {
    auto *terminal = dynamic_cast<TerminalNode *>(node);
    return terminal ? terminal->getSymbol() : static_cast<Rule *>(node)->stop;
  }
  bool newLineBetween(Node *a, Node *b) const { return lineOf(firstOf(b)) > lastLineOf(lastOf(a)); }

  /// Children with the usual space between them.
  const Doc *spaced(Rule *rule, size_t from, size_t to) {
    List parts;
    const auto &children = rule->children;
    for (size_t i = from; i < to; ++i) {
      std::string_view open = mark(children[i]);
      if ((open == "(" || open == "[") && !parts.empty()) {
        size_t close = closerOf(rule, i);
        if (open == "(" && i > 0 && mark(children[i - 1]) == "in")
          parts.push_back(docs.text(" "));
        parts.push_back(bracketed(rule, i, close, rule));
        i = close;
        continue;
      }
      if (i > from && hangs(rule, i)) {
        parts.push_back(docs.hang(4, expression(children[i]), mark(children[i - 1]) == ":"));
        continue;
      }
      if (i > from && spaceBetween(rule, i))
        parts.push_back(breaksBefore(rule, i) ? docs.nest(4, docs.line()) : docs.text(" "));
      bool nested = !parts.empty() && breaksBefore(rule, i);
      const Doc *child = expression(children[i]);
      parts.push_back(nested ? docs.nest(4, child) : child);
    }
    return docs.concat(parts);
  }
  /// A value that would rather move to the next line than break: a choice or a sum behind `=`, and any of a setting.
  bool hangs(Rule *rule, size_t i) const {
    auto *value = dynamic_cast<P::ExprContext *>(rule->children[i]);
    std::string_view before = mark(rule->children[i - 1]);
    if (!value || value->children.size() == 1)
      return false;
    if (rule->getRuleIndex() == P::RuleSetting)
      return before == ":";
    bool assigns = before == "=" || before == "-" || before == "+=";
    bool operates = mark(value->children[0]) == "if" || (rank(mark(value->children[1])) % 5 != 0);
    return rule->getRuleIndex() == P::RuleStmt && assigns && operates;
  }
  /// `over i, j` and `when c` may stand on a line of their own.
  bool breaksBefore(Rule *rule, size_t i) const {
    std::string_view text = mark(rule->children[i]);
    return rule->getRuleIndex() == P::RuleStmt && (text == "over" || text == "when");
  }
  bool spaceBetween(Rule *rule, size_t i) const {
    std::string_view before = mark(rule->children[i - 1]), after = mark(rule->children[i]);
    if (after == "," || after == ":" || after == "." || before == "." || before == "@")
      return false;
    if (before == "<" && after == "-") // `<-`
      return false;
    if (rule->getRuleIndex() == P::RuleArg && (before == ".." || after == ".."))
      return false;
    return true;
  }

  size_t closerOf(Rule *rule, size_t open) const {
    std::string_view closer = mark(rule->children[open]) == "(" ? ")" : "]";
    for (size_t i = open + 1; i < rule->children.size(); ++i)
      if (mark(rule->children[i]) == closer)
        return i;
    return open;
  }

  /// children[open] .. children[close] of a rule, as a bracket whose items carry their commas.
  const Doc *bracketed(Rule *rule, size_t open, size_t close, Rule *) {
    std::vector<Node *> inside(rule->children.begin() + open + 1, rule->children.begin() + close);
    bool splice = inside.size() == 1 && isList(inside[0]);
    if (splice)
      inside = static_cast<Rule *>(inside[0])->children;
    List items = {expression(rule->children[open])};
    List item;
    bool rows = true, anyRow = false;
    size_t count = 0;
    for (size_t i = 0; i < inside.size(); ++i) {
      std::string_view text = mark(inside[i]);
      if (!item.empty() && text != "," && text != ";")
        item.push_back(docs.text(" "));
      if (item.empty() && !items.empty() && count > 0) {
        bool broken = newLineBetween(inside[i - 1], inside[i]);
        rows &= broken;
        anyRow |= broken;
      }
      item.push_back(expression(inside[i]));
      if (text == "," || text == ";" || i + 1 == inside.size()) {
        items.push_back(docs.concat(item));
        item.clear();
        ++count;
      }
    }
    items.push_back(expression(rule->children[close]));
    bool column = !inside.empty() && mark(inside.back()) == "," && newLineBetween(inside.back(), rule->children[close]);
    bool list = rule->getRuleIndex() == P::RulePrimary; // parameters and arguments are filled
    Doc::Layout layout = column ? Doc::Layout::Column : list && rows && anyRow ? Doc::Layout::Rows : Doc::Layout::Fill;
    return docs.bracket(items, layout);
  }
  static bool isList(Node *node) {
    auto *rule = dynamic_cast<Rule *>(node);
    return rule && (rule->getRuleIndex() == P::RuleArgs || rule->getRuleIndex() == P::RuleParams);
  }

  /// Rules in which brackets follow tightly: `real[b, 4]`, `x[i].y`, `@fuse(conv)`, `(a, b)`, `fn(real) -> real`.
  const Doc *withBrackets(Rule *rule) {
    List parts;
    for (size_t i = 0; i < rule->children.size(); ++i) {
      std::string_view text = mark(rule->children[i]);
      if (text == "(" || text == "[") {
        size_t close = closerOf(rule, i);
        parts.push_back(bracketed(rule, i, close, rule));
        i = close;
      } else if (text == "->") {
        parts.insert(parts.end(), {docs.text(" "), expression(rule->children[i]), docs.text(" ")});
      } else {
        parts.push_back(expression(rule->children[i]));
      }
    }
    return docs.concat(parts);
  }

  const Doc *import(Rule *rule) {
    List parts;
    for (size_t i = 0; i < rule->children.size(); ++i) {
      std::string_view text = mark(rule->children[i]);
      if (i > 0 && text != ",")
        parts.push_back(docs.text(" "));
      parts.push_back(expression(rule->children[i]));
    }
    return docs.concat(parts);
  }

  const Doc *whereClause(Rule *rule) {
    List facts;
    const auto &children = rule->children;
    for (size_t i = 1; i < children.size(); i += 2) {
      const Doc *fact = expression(children[i]);
      if (i + 1 < children.size())
        fact = docs.concat({fact, expression(children[i + 1])});
      if (!facts.empty())
        facts.push_back(docs.line());
      facts.push_back(fact);
    }
    return docs.concat({expression(children[0]), docs.text(" "), docs.align(docs.fill(facts))});
  }

  /// Attributes, on lines of their own or before the rest as the author has them.
  const Doc *attributed(Rule *rule) {
    List parts;
    const auto &children = rule->children;
    size_t i = 0;
    for (; i < children.size(); ++i) {
      auto *attribute = dynamic_cast<P::AttrContext *>(children[i]);
      if (!attribute)
        break;
      parts.push_back(expression(attribute));
      bool ownLine = i + 1 < children.size() && newLineBetween(children[i], children[i + 1]);
      parts.push_back(ownLine ? docs.lineBreak() : docs.text(" "));
    }
    // `docs.group` of each line would break at every attribute's line otherwise.
    parts.push_back(docs.group(spaced(rule, i, children.size())));
    return docs.concat(parts);
  }

  /// Heads break before `(`, `->` and `where`, as far as they must; a body `= e` moves to the next line as a whole.
  const Doc *signature(Rule *rule) {
    const auto &children = rule->children;
    List head, segment, body;
    auto cut = [&](const Doc *line) {
      if (!head.empty() && line)
        head.push_back(line);
      head.push_back(docs.concat(segment));
      segment.clear();
    };
    const Doc *pendingLine = nullptr;
    size_t i = 0;
    for (; i < children.size(); ++i) {
      std::string_view text = mark(children[i]);
      auto *inner = dynamic_cast<Rule *>(children[i]);
      size_t index = inner ? inner->getRuleIndex() : SIZE_MAX;
      if (text == "=" || index == P::RuleBlock || index == P::RuleSettings)
        break;
      bool behindHyper = text == "(" && dynamic_cast<P::HyperContext *>(children[i - 1]);
      if (behindHyper || text == "->" || index == P::RuleWhere) {
        cut(pendingLine);
        pendingLine = docs.line(behindHyper ? "" : " ");
      }
      if (text == "(") {
        size_t close = closerOf(rule, i);
        segment.push_back(bracketed(rule, i, close, rule));
        i = close;
        continue;
      }
      if (index == P::RuleHyper) {
        segment.push_back(expression(children[i]));
        continue;
      }
      if (!segment.empty())
        segment.push_back(docs.text(" "));
      segment.push_back(expression(children[i]));
    }
    cut(pendingLine);
    const Doc *signature = docs.nest(6, docs.fill(head));
    if (i == children.size())
      return signature;
    if (mark(children[i]) != "=")
      return docs.concat({signature, docs.text(" "), expression(children[i])});
    return docs.concat(
        {signature, docs.text(" "), expression(children[i]), docs.hang(2, expression(children[i + 1]), true)});
  }

  const Doc *model(P::ModelDeclContext *context) {
    List parts = {expression(context->children[0]), docs.text(" "), expression(context->children[1]), docs.text(" "),
                  expression(context->children[2]), docs.text(" "), expression(context->expr())};
    if (context->children.size() > 4) {
      parts.push_back(docs.text(" "));
      parts.push_back(braces(context, cast(context->modelItem())));
    }
    return docs.concat(parts);
  }

  // ---- expressions ----

  const Doc *primary(Rule *rule) {
    const auto &children = rule->children;
    std::string_view open = mark(children[0]);
    if (children.size() > 1 && (open == "(" || open == "[")) {
      if (dynamic_cast<P::PatternContext *>(children.size() > 3 ? children[3] : nullptr)) { // [e for p in s]
        List parts = {expression(children[1]), docs.line()};
        for (size_t i = 2; i + 1 < children.size(); ++i)
          parts.insert(parts.end(), {docs.text(i == 2 ? "" : " "), expression(children[i])});
        return docs.group(
            docs.concat({expression(children[0]), docs.align(docs.concat(parts)), expression(children.back())}));
      }
      return bracketed(rule, 0, children.size() - 1, rule);
    }
    if (children.size() == 3) // fc1: Linear
      return docs.concat({expression(children[0]), expression(children[1]), docs.text(" "), expression(children[2])});
    return expression(children[0]);
  }

  /// Operators of one rank are laid out together.
  static int rank(std::string_view text) {
    if (text == "*" || text == "/" || text == "//" || text == "%")
      return 1;
    if (text == "+" || text == "-")
      return 2;
    if (text == "and")
      return 3;
    if (text == "or")
      return 4;
    if (text == "|>")
      return 5;
    return 0;
  }

  const Doc *operation(P::ExprContext *context) {
    const auto &children = context->children;
    if (children.size() == 1)
      return expression(children[0]);
    if (!dynamic_cast<P::ExprContext *>(children[0]))
      return prefix(context);

    // Walk down the left spine, which may be long, and build outwards.
    std::vector<P::ExprContext *> spine;
    auto *innermost = context;
    while (auto *left = dynamic_cast<P::ExprContext *>(innermost->children[0])) {
      spine.push_back(innermost);
      innermost = left;
    }
    const Doc *result = expression(innermost);
    while (!spine.empty()) {
      int level = rank(mark(spine.back()->children[1]));
      if (level == 0) {
        result = extend(result, spine.back());
        spine.pop_back();
        continue;
      }
      List items = {result};
      bool tight = isTight(spine, level);
      for (; !spine.empty() && rank(mark(spine.back()->children[1])) == level; spine.pop_back())
        chainItem(spine.back(), level, tight, items);
      // `|>` hangs by two; other operators begin in the column of the first operand.
      result = items.size() == 1 ? items[0] : docs.align(docs.fill(items), level == 5 ? 2 : 0);
    }
    return result;
  }

  static bool hasGap(const ParseTree &tree, Node *a, Node *b) {
    return tree.span(lastOf(a)).end != tree.span(firstOf(b)).begin;
  }
  /// Whether the author wrote all operators of this rank at the end of `spine` without space, as in `2*k + 1`; not
  /// where a factor of a sum has space (`a+b * c` would mislead).
  bool isTight(const std::vector<P::ExprContext *> &spine, int level) const {
    auto loose = [&](Node *operand) {
      auto *e = dynamic_cast<P::ExprContext *>(operand);
      return e && e->children.size() == 3 && rank(mark(e->children[1])) == 1 &&
             (hasGap(tree, e->children[0], e->children[1]) || hasGap(tree, e->children[1], e->children[2]));
    };
    for (size_t i = spine.size(); i-- > 0 && rank(mark(spine[i]->children[1])) == level;) {
      const auto &c = spine[i]->children;
      if (level > 2 || hasGap(tree, c[0], c[1]) || hasGap(tree, c[1], c[2]))
        return false;
      if (level == 2 && (loose(c[0]) || loose(c[2])))
        return false;
    }
    return true;
  }

  /// Appends `op operand` to a chain; a tight one (`a*b`) joins the item before it.
  void chainItem(P::ExprContext *context, int level, bool tight, List &items) {
    const auto &children = context->children;
    const Doc *op = expression(children[1]);
    if (tight) {
      items.back() = docs.concat({items.back(), op, expression(children[2])});
      return;
    }
    bool keepBreak = level == 5 && newLineBetween(children[0], children[1]);
    items.push_back(keepBreak ? docs.lineBreak() : docs.line());
    auto *lambda = static_cast<P::ExprContext *>(children[2]);
    auto *body = lambda->pattern() ? lambda->expr(0) : nullptr;
    if (level != 5 || !body || body->children.size() != 3 || mark(body->children[1]) != "|>") {
      items.push_back(docs.concat({op, docs.text(" "), expression(children[2])}));
      return;
    }
    // `|> t => f(t) |> g`: the rest of the pipe is the body of `t => ..`, but reads on in the same column.
    std::vector<P::ExprContext *> inner;
    auto *innermost = body;
    for (; innermost->children.size() == 3 && mark(innermost->children[1]) == "|>";
         innermost = static_cast<P::ExprContext *>(innermost->children[0]))
      inner.push_back(innermost);
    items.push_back(docs.concat({op, docs.text(" "), expression(lambda->children[0]), docs.text(" "),
                                 expression(lambda->children[1]), docs.text(" "), expression(innermost)}));
    for (; !inner.empty(); inner.pop_back())
      chainItem(inner.back(), level, false, items);
  }

  /// Members, subscripts, calls, and the operators that do not break.
  const Doc *extend(const Doc *base, P::ExprContext *context) {
    const auto &children = context->children;
    std::string_view text = mark(children[1]);
    if (text == "(" || text == "[")
      return docs.concat({base, bracketed(context, 1, children.size() - 1, context)});
    bool tight = text == "." || text == ".." || text == "^";
    const Doc *space = docs.text(tight ? "" : " ");
    return docs.concat({base, space, expression(children[1]), space, expression(children[2])});
  }

  const Doc *prefix(P::ExprContext *context) {
    const auto &children = context->children;
    std::string_view text = mark(children[0]);
    if (text == "-")
      return docs.concat({expression(children[0]), expression(children[1])});
    if (text == "not")
      return docs.concat({expression(children[0]), docs.text(" "), expression(children[1])});
    if (text == "if")
      return choice(context);
    // pattern => body: the body moves down only if nothing inside it can break
    const Doc *body = expression(children[2]);
    return docs.concat({expression(children[0]), docs.text(" "), expression(children[1]), docs.text(" "), body});
  }

  /// if a then x else if b then y else z: breaks before each `else`.
  const Doc *choice(P::ExprContext *context) {
    List parts;
    for (P::ExprContext *one = context;;) {
      const auto &c = one->children; // if a then x else y
      const Doc *then = docs.concat({docs.line(), expression(c[2]), docs.text(" "), expression(c[3])});
      const Doc *first = docs.concat({expression(c[0]), docs.text(" "), expression(c[1]), docs.nest(4, then)});
      parts.insert(parts.end(), {docs.group(first), docs.line(), expression(c[4]), docs.text(" ")});
      auto *otherwise = static_cast<P::ExprContext *>(c[5]);
      if (mark(otherwise->children[0]) != "if") {
        parts.push_back(expression(otherwise));
        break;
      }
      one = otherwise;
    }
    return docs.align(docs.group(docs.concat(parts)));
  }

  const ParseTree &tree;
  Docs docs;
  std::set<const Token *> firstTokens, lastTokens; // of lines: their outer comments are written by the line
  const Token *lastToken = nullptr;                // of the line before, null at the start of a block
};

} // namespace
} // namespace syntax

std::string format(const SourceFile &source, Diagnostics &diagnostics, bool &ok) {
  syntax::ParseTree tree(source, diagnostics);
  ok = tree.root != nullptr;
  return ok ? syntax::Formatter(tree).run() : std::string();
}

} // namespace nacre
