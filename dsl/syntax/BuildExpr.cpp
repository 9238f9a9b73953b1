// Expressions, patterns and types of the syntax tree.
#include "syntax/BuildAst.h"
#include "syntax/Literals.h"
#include <algorithm>
#include <iterator>

namespace nacre::syntax {
using namespace ast;

namespace {
struct Operator {
  std::string_view text;
  BinaryOp op;
};
constexpr Operator operators[] = {
    {"^", BinaryOp::Power},     {"*", BinaryOp::Multiply},   {"/", BinaryOp::Divide},   {"//", BinaryOp::FloorDivide},
    {"%", BinaryOp::Remainder}, {"+", BinaryOp::Add},        {"-", BinaryOp::Subtract}, {"..", BinaryOp::Range},
    {"<", BinaryOp::Less},      {"<=", BinaryOp::LessEqual}, {">", BinaryOp::Greater},  {">=", BinaryOp::GreaterEqual},
    {"==", BinaryOp::Equal},    {"!=", BinaryOp::NotEqual},  {"~=", BinaryOp::Close},   {"in", BinaryOp::In},
    {"and", BinaryOp::And},     {"or", BinaryOp::Or},
};
} // namespace

// Left recursion makes the parse tree of `a + b + c ..` as deep as the chain is long: walk down to its first operand,
// then build outwards.
const Expr *AstBuilder::expression(P::ExprContext *context) {
  std::vector<P::ExprContext *> chain;
  auto *innermost = context;
  while (auto *left = dynamic_cast<P::ExprContext *>(innermost->children[0])) {
    chain.push_back(innermost);
    innermost = left;
  }
  Deeper guard(*this, tree.span(innermost->start), chain.size() + 1);
  const Expr *result = prefix(innermost);
  for (; !chain.empty(); chain.pop_back())
    result = extend(result, chain.back());
  return result;
}

// An expression that does not begin with another one.
const Expr *AstBuilder::prefix(P::ExprContext *context) {
  if (auto *p = context->primary())
    return primary(p);
  if (auto *l = context->loop())
    return loop(l);
  Span span = tree.span(context);
  if (auto *p = context->pattern()) {
    auto *lambda = file.make<LambdaExpr>(span);
    lambda->pattern = pattern(p);
    lambda->body = expression(context->expr(0));
    return lambda;
  }
  if (leaf(context, 0) == "if") {
    auto *choice = file.make<IfExpr>(span);
    choice->condition = expression(context->expr(0));
    choice->then = expression(context->expr(1));
    choice->otherwise = expression(context->expr(2));
    return choice;
  }
  auto *unary = file.make<UnaryExpr>(span);
  unary->op = leaf(context, 0) == "not" ? UnaryOp::Not : UnaryOp::Negate;
  unary->operand = expression(context->expr(0));
  return unary;
}

// `base` is the first child of `context`, built already; its second child says what follows.
const Expr *AstBuilder::extend(const Expr *base, P::ExprContext *context) {
  Span span = tree.span(context);
  std::string_view mark = leaf(context, 1);
  if (mark == ".") {
    auto *member = file.make<MemberExpr>(span);
    member->base = base;
    member->field = name(context->name());
    return member;
  }
  if (mark == "[") {
    auto *subscript = file.make<SubscriptExpr>(span);
    subscript->base = base;
    subscript->arguments = arguments(context->args());
    return subscript;
  }
  if (mark == "(") {
    auto *call = file.make<CallExpr>(span);
    call->callee = base;
    call->arguments = arguments(context->args());
    return call;
  }
  if (mark == "|>") {
    auto *pipe = file.make<PipeExpr>(span);
    pipe->value = base;
    pipe->target = expression(context->expr(1));
    return pipe;
  }
  auto *binary = file.make<BinaryExpr>(span);
  auto found = std::find_if(std::begin(operators), std::end(operators), [&](auto &o) { return o.text == mark; });
  binary->op = found->op;
  binary->opSpan = tree.span(leafToken(context, 1));
  binary->lhs = base;
  binary->rhs = expression(context->expr(1));
  return binary;
}

const Expr *AstBuilder::primary(P::PrimaryContext *context) {
  Span span = tree.span(context);
  auto names = context->name();
  if (names.size() == 2) {
    auto *labelled = file.make<LabelledExpr>(span);
    labelled->label = name(names[0]);
    labelled->name = name(names[1]);
    return labelled;
  }
  if (names.size() == 1) {
    auto *identifier = file.make<IdentifierExpr>(span);
    identifier->name = std::string(span.text());
    return identifier;
  }
  const antlr4::Token *first = context->start;
  if (context->INT() || context->FLOAT())
    return number(first);
  if (context->STRING()) {
    auto *string = file.make<StringExpr>(span);
    string->value = stringValue(span.text());
    return string;
  }
  std::string_view text = tree.text(first);
  if (text == "true" || text == "false") {
    auto *boolean = file.make<BooleanExpr>(span);
    boolean->value = text == "true";
    return boolean;
  }
  if (text == "_")
    return file.make<HoleExpr>(span);
  if (text == "(") {
    auto *tuple = file.make<TupleExpr>(span);
    tuple->elements = arguments(context->args());
    return tuple;
  }
  if (context->pattern())
    return comprehension(context);
  auto *list = file.make<ListExpr>(span);
  list->elements = expressions(context->expr());
  return list;
}

const Expr *AstBuilder::comprehension(P::PrimaryContext *context) {
  auto *result = file.make<ComprehensionExpr>(tree.span(context));
  result->body = expression(context->expr(0));
  result->pattern = pattern(context->pattern());
  result->sequence = expression(context->expr(1));
  return result;
}

// Values that do not fit were refused when the tokens were looked at.
const Expr *AstBuilder::number(const antlr4::Token *token) {
  Span span = tree.span(token);
  if (token->getType() == NacreParser::FLOAT) {
    auto *real = file.make<FloatExpr>(span);
    real->value = realValue(span.text()).value_or(0);
    return real;
  }
  auto *integer = file.make<IntegerExpr>(span);
  integer->value = integerValue(span.text()).value_or(0);
  return integer;
}

std::vector<Argument> AstBuilder::arguments(P::ArgsContext *context) {
  std::vector<Argument> result;
  if (context)
    for (auto *one : context->arg())
      result.push_back(argument(one));
  return result;
}

Argument AstBuilder::argument(P::ArgContext *context) {
  Argument result;
  result.span = tree.span(context);
  if (auto *n = context->name()) {
    result.name = name(n);
    result.value = expression(context->expr());
    return result;
  }
  if (leaf(context, 0) == "...") {
    result.form = Argument::Form::Ellipsis;
    return result;
  }
  if (leaf(context, 0) == "..") {
    result.form = Argument::Form::Slice;
    result.upper = optional(context->expr());
    return result;
  }
  const Expr *value = expression(context->expr());
  if (has(context, "..")) {
    result.form = Argument::Form::Slice;
    result.lower = value;
    return result;
  }
  result.value = value;
  return result;
}

Pattern AstBuilder::pattern(P::PatternContext *context) {
  Pattern result;
  result.span = tree.span(context);
  result.parenthesised = leaf(context, 0) == "(";
  for (auto *slot : context->slot())
    result.slots.push_back(name(slot));
  return result;
}

std::vector<const Expr *> AstBuilder::expressions(const std::vector<P::ExprContext *> &contexts) {
  std::vector<const Expr *> result;
  for (auto *context : contexts)
    result.push_back(expression(context));
  return result;
}

const ast::Type *AstBuilder::type(P::TypeContext *context) {
  ast::Type *result = file.makeType();
  result->span = tree.span(context);
  if (auto *n = context->name()) {
    result->name = name(n);
    result->brackets = has(context, "[");
    for (auto *d : context->dim()) {
      Dimension dimension;
      dimension.span = tree.span(d);
      dimension.ellipsis = !d->expr();
      dimension.size = optional(d->expr());
      result->dimensions.push_back(dimension);
    }
    return result;
  }
  if (leaf(context, 0) == "fn") {
    result->form = ast::Type::Form::Function;
    auto types = context->type();
    for (size_t i = 0; i + 1 < types.size(); ++i)
      result->inputs.push_back(type(types[i]));
    result->output = type(types.back());
    return result;
  }
  result->form = ast::Type::Form::Record;
  for (auto *f : context->field())
    result->fields.push_back({f->name() ? name(f->name()) : Name(), type(f->type())});
  return result;
}

} // namespace nacre::syntax
