#include "check/Visit.h"

namespace nacre {
using namespace ast;

static void ofArguments(const std::vector<Argument> &arguments, const ExprVisitor &visit) {
  for (const Argument &a : arguments)
    for (const Expr *e : {a.value, a.lower, a.upper})
      if (e)
        visit(e);
}

void forEachPart(const Expr *e, const ExprVisitor &visit) {
  auto some = [&](std::initializer_list<const Expr *> parts) {
    for (const Expr *part : parts)
      if (part)
        visit(part);
  };
  switch (e->kind) {
  case ExprKind::List:
    for (const Expr *element : as<ListExpr>(e)->elements)
      visit(element);
    break;
  case ExprKind::Comprehension:
    some({as<ComprehensionExpr>(e)->body, as<ComprehensionExpr>(e)->sequence});
    break;
  case ExprKind::Tuple:
    ofArguments(as<TupleExpr>(e)->elements, visit);
    break;
  case ExprKind::Member:
    some({as<MemberExpr>(e)->base});
    break;
  case ExprKind::Subscript:
    some({as<SubscriptExpr>(e)->base});
    ofArguments(as<SubscriptExpr>(e)->arguments, visit);
    break;
  case ExprKind::Call:
    some({as<CallExpr>(e)->callee});
    ofArguments(as<CallExpr>(e)->arguments, visit);
    break;
  case ExprKind::Unary:
    some({as<UnaryExpr>(e)->operand});
    break;
  case ExprKind::Binary:
    some({as<BinaryExpr>(e)->lhs, as<BinaryExpr>(e)->rhs});
    break;
  case ExprKind::Pipe:
    some({as<PipeExpr>(e)->value, as<PipeExpr>(e)->target});
    break;
  case ExprKind::If:
    some({as<IfExpr>(e)->condition, as<IfExpr>(e)->then, as<IfExpr>(e)->otherwise});
    break;
  case ExprKind::Lambda:
    some({as<LambdaExpr>(e)->body});
    break;
  case ExprKind::Loop:
    some({as<LoopExpr>(e)->sequence});
    break;
  case ExprKind::Integer:
  case ExprKind::Float:
  case ExprKind::String:
  case ExprKind::Boolean:
  case ExprKind::Hole:
  case ExprKind::Identifier:
  case ExprKind::Labelled:
    break;
  }
}

void forEachExpression(const Stmt *s, const ExprVisitor &visit) {
  auto some = [&](std::initializer_list<const Expr *> parts) {
    for (const Expr *part : parts)
      if (part)
        visit(part);
  };
  auto binders = [&](const std::vector<Binder> &list) {
    for (const Binder &b : list)
      if (b.bound)
        visit(b.bound);
  };
  switch (s->kind) {
  case StmtKind::Equation:
    binders(as<EquationStmt>(s)->binders);
    some({as<EquationStmt>(s)->value});
    break;
  case StmtKind::Let:
    some({as<LetStmt>(s)->value});
    break;
  case StmtKind::Var:
    some({as<VarStmt>(s)->value});
    break;
  case StmtKind::Weight:
    some({as<WeightStmt>(s)->initial, as<WeightStmt>(s)->condition});
    break;
  case StmtKind::Use:
    some({as<UseStmt>(s)->value});
    break;
  case StmtKind::Function:
    break;
  case StmtKind::Assign:
    some({as<AssignStmt>(s)->target, as<AssignStmt>(s)->value});
    break;
  case StmtKind::Update:
    some({as<UpdateStmt>(s)->target, as<UpdateStmt>(s)->value});
    break;
  case StmtKind::Scatter:
    some({as<ScatterStmt>(s)->target, as<ScatterStmt>(s)->value});
    binders(as<ScatterStmt>(s)->binders);
    break;
  case StmtKind::Do:
    some({as<DoStmt>(s)->call});
    break;
  case StmtKind::Return:
    some({as<ReturnStmt>(s)->value});
    break;
  case StmtKind::Yield:
    some({as<YieldStmt>(s)->value});
    break;
  case StmtKind::If:
    some({as<IfStmt>(s)->condition});
    break;
  case StmtKind::While:
    some({as<WhileStmt>(s)->condition, as<WhileStmt>(s)->limit});
    break;
  case StmtKind::For:
    some({as<ForStmt>(s)->loop});
    break;
  case StmtKind::ExpectError:
    break;
  case StmtKind::Expect:
    some({as<ExpectStmt>(s)->condition, as<ExpectStmt>(s)->tolerance});
    break;
  }
}

void forEachBlock(const Stmt *s, const std::function<void(const Block *)> &visit) {
  auto some = [&](std::initializer_list<const Block *> blocks) {
    for (const Block *b : blocks)
      if (b)
        visit(b);
  };
  if (auto *i = as<IfStmt>(s))
    some({i->then, i->otherwise});
  else if (auto *w = as<WhileStmt>(s))
    some({w->body});
  else if (auto *x = as<ExpectErrorStmt>(s))
    some({x->body});
}

void forAll(const Expr *e, const ExprVisitor &visit) {
  if (!e)
    return;
  visit(e);
  forEachPart(e, [&](const Expr *part) { forAll(part, visit); });
  if (auto *loop = as<LoopExpr>(e); loop && loop->body)
    forAll(loop->body, [](const Stmt *) {}, visit);
}

void forAll(const Block *block, const StmtVisitor &visitStmt, const ExprVisitor &visitExpr) {
  if (!block)
    return;
  for (const Stmt *s : block->statements) {
    visitStmt(s);
    forEachExpression(s, [&](const Expr *e) { forAll(e, visitExpr); });
    if (auto *loop = as<ForStmt>(s))
      forAll(loop->loop->body, visitStmt, [](const Expr *) {}); // its expressions were visited with the loop
    forEachBlock(s, [&](const Block *inner) { forAll(inner, visitStmt, visitExpr); });
  }
}

bool isPlain(const Type *type, std::string_view name) {
  return type && type->form == Type::Form::Named && type->name.text == name && type->dimensions.empty();
}

std::string flat(std::string_view text) {
  std::string out;
  for (char c : text) {
    bool blank = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (!blank)
      out += c;
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
  }
  return out;
}

} // namespace nacre
