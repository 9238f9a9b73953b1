// What tests state: `expect` and `expect error`.
#include "check/Visit.h"
#include "check/Walker.h"
#include <algorithm>

namespace nacre {
using ast::as;

// ---- tests ---------------------------------------------------------------------------------------------------------
void Walker::expectError(const ast::ExpectErrorStmt *s, Scope *inner) {
  if (!frame->test)
    fail(Kind::MisplacedStatement, "`expect` outside a test", {{s->span, ""}});
  size_t before = checker.diagnostics.all().size();
  auto seen = checker.hinted;
  bool failedBefore = failed;
  size_t values = emit.body->values.size();
  Scope *body = scope(inner);
  block(s->body, body);
  frame->returned = nullptr;
  std::vector<Kind> found;
  for (size_t i = before; i < checker.diagnostics.all().size(); ++i)
    found.push_back(checker.diagnostics.all()[i].kind);
  checker.diagnostics.truncate(before);
  checker.hinted = seen;
  failed = failedBefore;
  rollBack(values);
  Kind wanted;
  if (!kindNamed(s->errorKind.text, wanted))
    fail(Kind::UnknownName, "no diagnostic is called `" + s->errorKind.text + "`", {{s->errorKind.span, ""}},
         "`nacre explain` lists them");
  if (std::find(found.begin(), found.end(), wanted) == found.end())
    fail(Kind::UnexpectedResult, "expected " + s->errorKind.text + " here",
         {{s->span,
           found.empty() ? "nothing is wrong in this block" : "found " + std::string(nacre::info(found[0]).name)}});
}

void Walker::expectStatement(const ast::ExpectStmt *s, Scope *inner) {
  if (!frame->test)
    fail(Kind::MisplacedStatement, "`expect` outside a test", {{s->span, ""}});
  Expectation e;
  e.text = std::string(s->condition->span.text());
  e.span = s->span;
  auto *close = as<ast::BinaryExpr>(s->condition);
  auto *check = as<ast::CallExpr>(s->condition);
  auto *callee = check ? as<ast::IdentifierExpr>(check->callee) : nullptr;
  bool differences = callee && callee->name == "gradcheck";
  if (differences || (close && close->op == ast::BinaryOp::Close)) {
    e.tolerance = differences ? gradientTolerance() : 1e-5;
    if (s->tolerance) {
      Ref tolerance = evaluate(s->tolerance, inner);
      if (tolerance->kind == Entity::Kind::Real)
        e.tolerance = tolerance->real;
      else if (auto number = constant(tolerance))
        e.tolerance = double(*number);
      else
        fail(Kind::NotCompileTime, "the tolerance must be known at compile time", {{s->tolerance->span, ""}});
    }
    Ref deviation = nullptr;
    if (differences) {
      deviation = gradientDeviation(check, inner);
    } else {
      Ref a = evaluate(close->lhs, inner), b = evaluate(close->rhs, inner);
      deviation = closeTo(a, b, close->lhs->span, close->rhs->span, s->span);
    }
    ValueId id = valueOf(deviation, s->span);
    e.deviation = uint32_t(test->body.results.size());
    test->body.results.push_back(id);
    const Term *fits = emit.apply(Primitive::LessEqual, {emit.read(id), emit.real(Scalar::F64, e.tolerance)});
    e.condition = uint32_t(test->body.results.size());
    test->body.results.push_back(emit.equation({}, fits));
  } else {
    if (s->tolerance)
      fail(Kind::TypeMismatch, "`within` is how far two sides of `~=` may lie apart", {{s->tolerance->span, ""}},
           "write `expect a ~= b within ..`");
    Ref condition = sound(evaluate(s->condition, inner));
    auto shape = shapeOf(condition);
    if (!shape || shape->element != Element::Bool)
      fail(Kind::TypeMismatch, "`expect` needs a condition", {{s->condition->span, "this is " + describe(condition)}});
    if (!shape->axes.empty())
      condition = reduceWhole("all", condition, s->condition->span);
    e.condition = uint32_t(test->body.results.size());
    test->body.results.push_back(valueOf(condition, s->span));
  }
  test->expectations.push_back(std::move(e));
}

} // namespace nacre
