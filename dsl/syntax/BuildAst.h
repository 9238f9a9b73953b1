// Parse tree to syntax tree.
#pragma once
#include "syntax/Ast.h"
#include "syntax/Literals.h"
#include "syntax/ParseTree.h"

namespace nacre::syntax {

/// One rule of the grammar per function; expressions and types in BuildExpr.cpp, the rest in BuildAst.cpp.
class AstBuilder {
public:
  AstBuilder(const ParseTree &tree, ast::File &file, Diagnostics &diagnostics)
      : tree(tree), file(file), diagnostics(diagnostics) {}

  /// False after something was reported.
  bool build();

private:
  using P = NacreParser;
  struct TooDeep {};

  // BuildAst.cpp
  ast::Import import(P::ImportDeclContext *);
  const ast::Decl *declaration(P::DeclContext *);
  ast::FunctionDecl *function(P::FnDeclContext *);
  ast::ModelDecl *model(P::ModelDeclContext *);
  ast::ModelItem modelItem(P::ModelItemContext *);
  ast::Setting setting(P::SettingContext *);
  std::vector<ast::Setting> settings(P::SettingsContext *);
  std::vector<ast::Attribute> attributes(const std::vector<P::AttrContext *> &);
  std::vector<ast::Parameter> parameters(const std::vector<P::ParamContext *> &);
  std::vector<ast::Parameter> parameters(P::ParamsContext *);
  std::vector<ast::Parameter> parameters(P::HyperContext *);
  std::vector<const ast::Expr *> where(P::WhereContext *);
  std::string documentationBefore(const antlr4::Token *) const;

  const ast::Block *block(P::BlockContext *);
  const ast::Stmt *statement(P::StmtContext *);
  ast::Stmt *plainStatement(P::StmtContext *);
  ast::Stmt *targetStatement(P::StmtContext *);
  const ast::Expr *target(P::TargetContext *);
  std::vector<ast::Binder> binders(const std::vector<P::BinderContext *> &);
  const ast::LoopExpr *loop(P::LoopContext *);

  // BuildExpr.cpp
  const ast::Expr *expression(P::ExprContext *);
  const ast::Expr *prefix(P::ExprContext *);
  const ast::Expr *extend(const ast::Expr *base, P::ExprContext *);
  const ast::Expr *primary(P::PrimaryContext *);
  const ast::Expr *number(const antlr4::Token *);
  const ast::Expr *comprehension(P::PrimaryContext *);
  std::vector<ast::Argument> arguments(P::ArgsContext *);
  ast::Argument argument(P::ArgContext *);
  ast::Pattern pattern(P::PatternContext *);
  const ast::Type *type(P::TypeContext *);
  std::vector<const ast::Expr *> expressions(const std::vector<P::ExprContext *> &);

  ast::Name name(antlr4::ParserRuleContext *context) const {
    Span span = tree.span(context);
    return {std::string(span.text()), span};
  }
  ast::Name stringName(const antlr4::Token *token) { return {stringValue(tree.text(token)), tree.span(token)}; }
  const ast::Expr *optional(P::ExprContext *e) { return e ? expression(e) : nullptr; }
  const ast::Type *optional(P::TypeContext *t) { return t ? type(t) : nullptr; }
  const ast::Block *optional(P::BlockContext *b) { return b ? block(b) : nullptr; }
  /// The token text of a rule's i-th child, empty if that is a rule.
  std::string_view leaf(antlr4::ParserRuleContext *context, size_t child) const;
  const antlr4::Token *leafToken(antlr4::ParserRuleContext *context, size_t child) const;
  /// Whether a token of this text is among the direct children.
  bool has(antlr4::ParserRuleContext *context, std::string_view text) const;
  void error(Kind, std::string headline, Span, std::string hint = "", std::string label = "");

  /// Counts the nodes above the one being built.
  class Deeper {
  public:
    Deeper(AstBuilder &builder, Span place, size_t levels = 1);
    ~Deeper() { builder.depth -= levels; }

  private:
    AstBuilder &builder;
    size_t levels;
  };

  const ParseTree &tree;
  ast::File &file;
  Diagnostics &diagnostics;
  size_t depth = 0;
};

} // namespace nacre::syntax
