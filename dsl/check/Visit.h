// Going through syntax trees without deciding anything.
#pragma once
#include "syntax/Ast.h"
#include <functional>

namespace nacre {

using ExprVisitor = std::function<void(const ast::Expr *)>;
using StmtVisitor = std::function<void(const ast::Stmt *)>;

/// The direct parts of an expression. Statements of a loop are not entered.
void forEachPart(const ast::Expr *, const ExprVisitor &);
/// The expressions that a statement itself contains, its attributes and nested blocks apart.
void forEachExpression(const ast::Stmt *, const ExprVisitor &);
/// The blocks nested directly in a statement.
void forEachBlock(const ast::Stmt *, const std::function<void(const ast::Block *)> &);
/// Every expression below, `e` included, with the bodies of loops.
void forAll(const ast::Expr *e, const ExprVisitor &);
void forAll(const ast::Block *, const StmtVisitor &, const ExprVisitor &);

/// The type is this name and nothing else: `int`.
bool isPlain(const ast::Type *, std::string_view name);
/// One line, single blanks: how a piece of source is quoted.
std::string flat(std::string_view text);

} // namespace nacre
