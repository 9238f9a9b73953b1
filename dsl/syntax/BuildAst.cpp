// Declarations and statements of the syntax tree, and `parse`, the way in.
#include "syntax/BuildAst.h"
#include "syntax/Limits.h"
#include "syntax/Parse.h"

namespace nacre {

std::unique_ptr<ast::File> parse(const SourceFile &source, Diagnostics &diagnostics) {
  syntax::ParseTree tree(source, diagnostics);
  if (!tree.root)
    return nullptr;
  auto file = std::make_unique<ast::File>();
  file->source = &source;
  if (!syntax::AstBuilder(tree, *file, diagnostics).build())
    return nullptr;
  return file;
}

namespace syntax {
using namespace ast;

bool AstBuilder::build() {
  size_t errorsBefore = diagnostics.errorCount();
  try {
    if (auto *module = tree.root->path())
      for (auto *part : module->name())
        file.module.push_back(name(part));
    for (auto *context : tree.root->importDecl())
      file.imports.push_back(import(context));
    for (auto *context : tree.root->decl())
      file.declarations.push_back(declaration(context));
  } catch (TooDeep) {
  }
  return diagnostics.errorCount() == errorsBefore;
}

Import AstBuilder::import(P::ImportDeclContext *context) {
  Import result;
  result.span = tree.span(context);
  for (auto *part : context->path()->name())
    result.path.push_back(name(part));
  bool renamed = has(context, "as");
  for (auto *n : context->name())
    if (renamed)
      result.alias = name(n);
    else
      result.names.push_back(name(n));
  return result;
}

// ---- declarations ----

const Decl *AstBuilder::declaration(P::DeclContext *context) {
  Decl *result = nullptr;
  Span span = tree.span(context);
  if (auto *c = context->constDecl()) {
    auto *d = file.make<ConstantDecl>(span);
    d->name = name(c->name());
    d->type = optional(c->type());
    d->value = expression(c->expr());
    result = d;
  } else if (auto *c = context->typeDecl()) {
    auto *d = file.make<TypeDecl>(span);
    d->name = name(c->name());
    d->type = type(c->type());
    result = d;
  } else if (auto *c = context->fnDecl()) {
    result = function(c);
  } else if (auto *c = context->gradDecl()) {
    auto *d = file.make<GradientDecl>(span);
    d->name = name(c->name());
    d->compileTime = parameters(c->hyper());
    d->inputs = parameters(c->params(0));
    d->results = parameters(c->params(1));
    d->cotangents = parameters(c->params(2));
    d->result = type(c->type());
    d->body = block(c->block());
    result = d;
  } else if (auto *c = context->layerDecl()) {
    auto *d = file.make<LayerDecl>(span);
    d->name = name(c->name());
    d->compileTime = parameters(c->hyper());
    d->hasHeader = c->type() != nullptr;
    d->parameters = parameters(c->params());
    d->result = optional(c->type());
    d->where = where(c->where());
    d->body = optional(c->block());
    d->expression = optional(c->expr());
    result = d;
  } else if (auto *c = context->modelDecl()) {
    result = model(c);
  } else if (auto *c = context->dataDecl()) {
    auto *d = file.make<DataDecl>(span);
    d->name = name(c->name());
    d->compileTime = parameters(c->hyper());
    d->type = type(c->type());
    d->settings = settings(c->settings());
    result = d;
  } else if (auto *c = context->trainDecl()) {
    auto *d = file.make<TrainDecl>(span);
    auto names = c->name();
    d->name = name(names[0]);
    for (size_t i = 1; i < names.size(); ++i)
      d->models.push_back(name(names[i]));
    d->settings = settings(c->settings());
    result = d;
  } else if (auto *c = context->entryDecl()) {
    auto *d = file.make<EntryDecl>(span);
    d->name = name(c->name());
    d->parameters = parameters(c->params());
    d->result = type(c->type());
    d->where = where(c->where());
    d->body = optional(c->block());
    d->expression = optional(c->expr());
    result = d;
  } else {
    auto *t = context->testDecl();
    auto *d = file.make<TestDecl>(span);
    d->name = stringName(t->STRING()->getSymbol());
    d->body = block(t->block());
    result = d;
  }
  result->attributes = attributes(context->attr());
  result->documentation = documentationBefore(context->start);
  return result;
}

FunctionDecl *AstBuilder::function(P::FnDeclContext *context) {
  auto *result = file.make<FunctionDecl>(tree.span(context));
  result->isExtern = has(context, "extern");
  result->name = name(context->name());
  result->compileTime = parameters(context->hyper());
  result->parameters = parameters(context->params());
  result->result = type(context->type());
  result->where = where(context->where());
  result->body = optional(context->block());
  result->expression = optional(context->expr());
  return result;
}

ModelDecl *AstBuilder::model(P::ModelDeclContext *context) {
  auto *result = file.make<ModelDecl>(tree.span(context));
  result->name = name(context->name());
  result->value = expression(context->expr());
  for (auto *item : context->modelItem())
    result->items.push_back(modelItem(item));
  return result;
}

ModelItem AstBuilder::modelItem(P::ModelItemContext *context) {
  static constexpr std::pair<std::string_view, ModelItem::Form> forms[] = {
      {"load", ModelItem::Form::Load},        {"rename", ModelItem::Form::Rename}, {"ignore", ModelItem::Form::Ignore},
      {"freeze", ModelItem::Form::Freeze},    {"tie", ModelItem::Form::Tie},       {"init", ModelItem::Form::Init},
      {"quantize", ModelItem::Form::Quantize}};
  ModelItem result{};
  std::string_view word = leaf(context, 0);
  for (auto &[text, form] : forms)
    if (text == word)
      result.form = form;
  result.span = tree.span(context);
  auto strings = context->STRING();
  if (strings.size() > 0)
    result.first = stringName(strings[0]->getSymbol());
  if (strings.size() > 1)
    result.second = stringName(strings[1]->getSymbol());
  result.value = optional(context->expr());
  result.optional = has(context, "optional");
  return result;
}

std::vector<Setting> AstBuilder::settings(P::SettingsContext *context) {
  std::vector<Setting> result;
  for (auto *one : context->setting())
    result.push_back(setting(one));
  return result;
}

Setting AstBuilder::setting(P::SettingContext *context) {
  Setting result;
  result.name = name(context->name());
  result.parameters = parameters(context->params());
  result.value = optional(context->expr());
  result.optional = has(context, "optional");
  result.body = optional(context->block());
  result.span = tree.span(context);
  return result;
}

std::vector<Attribute> AstBuilder::attributes(const std::vector<P::AttrContext *> &contexts) {
  std::vector<Attribute> result;
  for (auto *context : contexts)
    result.push_back({name(context->name()), arguments(context->args()), tree.span(context)});
  return result;
}

std::vector<Parameter> AstBuilder::parameters(const std::vector<P::ParamContext *> &contexts) {
  std::vector<Parameter> result;
  for (auto *context : contexts)
    result.push_back({name(context->name()), optional(context->type()), optional(context->expr()), tree.span(context)});
  return result;
}
std::vector<Parameter> AstBuilder::parameters(P::ParamsContext *context) {
  return context ? parameters(context->param()) : std::vector<Parameter>();
}
std::vector<Parameter> AstBuilder::parameters(P::HyperContext *context) {
  return context ? parameters(context->param()) : std::vector<Parameter>();
}

std::vector<const Expr *> AstBuilder::where(P::WhereContext *context) {
  return context ? expressions(context->expr()) : std::vector<const Expr *>();
}

// The `##` lines directly above a declaration, without the marks and one space.
std::string AstBuilder::documentationBefore(const antlr4::Token *first) const {
  std::string result;
  uint32_t below = tree.source.position(tree.span(first).begin).line;
  for (size_t i = first->getTokenIndex(); i > 0; --i) {
    const antlr4::Token *token = tree.tokens()[i - 1];
    std::string_view text = tree.text(token);
    uint32_t begin = tree.span(token).begin;
    Position at = tree.source.position(begin);
    bool ownLine = tree.source.line(at.line).find_first_not_of(" \t") == at.column - 1;
    if (token->getChannel() == antlr4::Token::DEFAULT_CHANNEL || !text.starts_with("##") || at.line + 1 != below ||
        !ownLine)
      break;
    below = at.line;
    text.remove_prefix(2);
    if (text.starts_with(' '))
      text.remove_prefix(1);
    result = std::string(text) + (result.empty() ? "" : "\n") + result;
  }
  return result;
}

// ---- statements ----

const Block *AstBuilder::block(P::BlockContext *context) {
  Block *result = file.makeBlock();
  result->span = tree.span(context);
  for (auto *one : context->stmt())
    result->statements.push_back(statement(one));
  return result;
}

const Stmt *AstBuilder::statement(P::StmtContext *context) {
  Deeper guard(*this, tree.span(context->start));
  Stmt *result = context->target() ? targetStatement(context) : plainStatement(context);
  result->attributes = attributes(context->attr());
  return result;
}

// What begins with a keyword.
Stmt *AstBuilder::plainStatement(P::StmtContext *context) {
  Span span = tree.span(context);
  size_t first = context->attr().size();
  std::string_view word = leaf(context, first);
  auto value = [&](size_t i) { return i < context->expr().size() ? expression(context->expr(i)) : nullptr; };

  if (auto *f = context->fnDecl()) {
    auto *s = file.make<FunctionStmt>(span);
    FunctionDecl *nested = function(f);
    nested->documentation = documentationBefore(context->start);
    s->function = nested;
    return s;
  }
  if (auto *l = context->loop()) {
    auto *s = file.make<ForStmt>(span);
    s->loop = loop(l);
    return s;
  }
  if (word == "let" && context->name()) {
    auto *s = file.make<EquationStmt>(span);
    s->name = name(context->name());
    s->binders = binders(context->binder());
    s->type = optional(context->type());
    s->value = value(0);
    return s;
  }
  if (word == "let") {
    auto *s = file.make<LetStmt>(span);
    s->pattern = pattern(context->pattern());
    s->type = optional(context->type());
    s->value = value(0);
    return s;
  }
  if (word == "var") {
    auto *s = file.make<VarStmt>(span);
    s->pattern = pattern(context->pattern());
    s->type = optional(context->type());
    s->value = value(0);
    return s;
  }
  if (word == "param" || word == "state") {
    auto *s = file.make<WeightStmt>(span);
    s->trained = word == "param";
    s->name = name(context->name());
    s->type = type(context->type());
    bool initial = has(context, "=");
    s->initial = initial ? value(0) : nullptr;
    s->condition = has(context, "when") ? value(initial) : nullptr;
    return s;
  }
  if (word == "use") {
    auto *s = file.make<UseStmt>(span);
    s->name = name(context->name());
    s->value = value(0);
    return s;
  }
  if (word == "return") {
    auto *s = file.make<ReturnStmt>(span);
    s->value = value(0);
    return s;
  }
  if (word == "yield") {
    auto *s = file.make<YieldStmt>(span);
    s->value = value(0);
    return s;
  }
  if (word == "if") {
    auto *s = file.make<IfStmt>(span);
    s->condition = value(0);
    s->then = block(context->block(0));
    if (auto *otherwise = context->stmt()) {
      Block *only = file.makeBlock();
      only->span = tree.span(otherwise);
      only->statements.push_back(statement(otherwise));
      s->otherwise = only;
    } else if (context->block().size() > 1) {
      s->otherwise = block(context->block(1));
    }
    return s;
  }
  if (word == "while") {
    auto *s = file.make<WhileStmt>(span);
    s->condition = value(0);
    s->limit = value(1);
    s->body = block(context->block(0));
    return s;
  }
  if (context->STRING()) { // expect error
    auto *s = file.make<ExpectErrorStmt>(span);
    s->errorKind = stringName(context->STRING()->getSymbol());
    s->body = block(context->block(0));
    return s;
  }
  auto *s = file.make<ExpectStmt>(span);
  s->condition = value(0);
  s->tolerance = value(1);
  return s;
}

// What begins with a name or `(a, b)`: assignment, update, scatter, call.
Stmt *AstBuilder::targetStatement(P::StmtContext *context) {
  Span span = tree.span(context);
  auto *left = context->target();
  std::string_view mark;
  for (size_t i = 0; i + 1 < context->children.size(); ++i)
    if (context->children[i] == left)
      mark = leaf(context, i + 1);

  if (mark == "=") {
    auto *s = file.make<AssignStmt>(span);
    if (left->slot().empty())
      s->target = target(left);
    s->pattern.span = tree.span(left);
    s->pattern.parenthesised = !left->slot().empty();
    for (auto *slot : left->slot())
      s->pattern.slots.push_back(name(slot));
    s->value = expression(context->expr(0));
    return s;
  }
  if (!left->slot().empty())
    error(Kind::UnexpectedToken, "a list of names in parentheses takes only `=`", tree.span(left),
          "update the names one by one");
  if (mark == "<") {
    auto *s = file.make<UpdateStmt>(span);
    s->target = target(left);
    s->value = expression(context->expr(0));
    return s;
  }
  if (mark == "+=") {
    auto *s = file.make<ScatterStmt>(span);
    s->target = target(left);
    s->value = expression(context->expr(0));
    s->binders = binders(context->binder());
    return s;
  }
  auto *s = file.make<DoStmt>(span);
  auto *call = file.make<CallExpr>(span);
  call->callee = target(left);
  call->arguments = arguments(context->args());
  s->call = call;
  return s;
}

// name ('.' name | '[' args ']')*
const Expr *AstBuilder::target(P::TargetContext *context) {
  Span whole = tree.span(context);
  const Expr *result = nullptr;
  Deeper guard(*this, whole, context->name().size() + context->args().size());
  for (size_t i = 0; i < context->children.size(); ++i) {
    auto upTo = [&](antlr4::tree::ParseTree *child) {
      auto *rule = dynamic_cast<antlr4::ParserRuleContext *>(child);
      return Span{whole.file, whole.begin, rule ? tree.span(rule).end : whole.end};
    };
    std::string_view mark = leaf(context, i);
    if (auto *n = dynamic_cast<P::NameContext *>(context->children[i])) {
      if (!result) {
        auto *identifier = file.make<IdentifierExpr>(tree.span(n));
        identifier->name = std::string(tree.span(n).text());
        result = identifier;
      } else {
        auto *member = file.make<MemberExpr>(upTo(n));
        member->base = result;
        member->field = name(n);
        result = member;
      }
    } else if (mark == "[") {
      auto *args = dynamic_cast<P::ArgsContext *>(context->children[i + 1]);
      Span span = upTo(args);
      span.end = tree.span(leafToken(context, i + 2)).end;
      auto *subscript = file.make<SubscriptExpr>(span);
      subscript->base = result;
      subscript->arguments = arguments(args);
      result = subscript;
    }
  }
  if (!result) { // `(a, b) += ..` was reported
    auto *identifier = file.make<IdentifierExpr>(whole);
    result = identifier;
  }
  return result;
}

std::vector<Binder> AstBuilder::binders(const std::vector<P::BinderContext *> &contexts) {
  std::vector<Binder> result;
  for (auto *context : contexts) {
    Binder binder;
    binder.ellipsis = !context->name();
    if (context->name())
      binder.name = name(context->name());
    binder.bound = optional(context->expr());
    binder.span = tree.span(context);
    result.push_back(binder);
  }
  return result;
}

const LoopExpr *AstBuilder::loop(P::LoopContext *context) {
  auto *result = file.make<LoopExpr>(tree.span(context));
  result->pattern = pattern(context->pattern());
  result->reverse = has(context, "reverse");
  result->sequence = expression(context->expr());
  result->body = block(context->block());
  return result;
}

// ---- shared ----

const antlr4::Token *AstBuilder::leafToken(antlr4::ParserRuleContext *context, size_t child) const {
  if (child >= context->children.size())
    return nullptr;
  auto *terminal = dynamic_cast<antlr4::tree::TerminalNode *>(context->children[child]);
  return terminal ? terminal->getSymbol() : nullptr;
}
std::string_view AstBuilder::leaf(antlr4::ParserRuleContext *context, size_t child) const {
  const antlr4::Token *token = leafToken(context, child);
  return token ? tree.text(token) : std::string_view();
}
bool AstBuilder::has(antlr4::ParserRuleContext *context, std::string_view text) const {
  for (size_t i = 0; i < context->children.size(); ++i)
    if (leaf(context, i) == text)
      return true;
  return false;
}

void AstBuilder::error(Kind kind, std::string headline, Span span, std::string hint, std::string label) {
  diagnostics.report({kind, std::move(headline), {{span, std::move(label)}}, {}, std::move(hint)});
}

AstBuilder::Deeper::Deeper(AstBuilder &builder, Span place, size_t levels) : builder(builder), levels(levels) {
  builder.depth += levels;
  if (builder.depth <= maximalDepth)
    return;
  builder.error(Kind::NestingTooDeep,
                "an expression of more than " + std::to_string(maximalDepth) + " operators inside one another", place,
                "name an inner part with `let` and use the name", "begins here");
  builder.depth -= levels; // the destructor will not run
  throw TooDeep();
}

} // namespace syntax
} // namespace nacre
