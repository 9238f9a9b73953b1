// Conditions: decided where they can be, otherwise facts of the branches they guard.
#include "check/Walker.h"

namespace nacre {
using ast::as;
using ast::BinaryOp;

std::optional<bool> Walker::truth(Ref e) {
  sound(e);
  if (e->kind == Entity::Kind::Boolean)
    return e->boolean;
  return std::nullopt;
}

/// A comparison of sizes, decided if the facts decide it.
std::optional<bool> Walker::decide(BinaryOp op, const Polynomial &d) {
  if (auto c = d.constant()) {
    switch (op) {
    case BinaryOp::Less:
      return *c < 0;
    case BinaryOp::LessEqual:
      return *c <= 0;
    case BinaryOp::Greater:
      return *c > 0;
    case BinaryOp::GreaterEqual:
      return *c >= 0;
    case BinaryOp::Equal:
      return *c == 0;
    case BinaryOp::NotEqual:
      return *c != 0;
    default:
      return std::nullopt;
    }
  }
  if (!expanding() || inEquation)
    return std::nullopt;
  auto either = [&](const Polynomial &yes, const Polynomial &no) -> std::optional<bool> {
    if (facts().nonNegative(yes))
      return true;
    if (facts().nonNegative(no))
      return false;
    return std::nullopt;
  };
  switch (op) {
  case BinaryOp::Less:
    return either(-d - 1, d);
  case BinaryOp::LessEqual:
    return either(-d, d - 1);
  case BinaryOp::Greater:
    return either(d - 1, -d);
  case BinaryOp::GreaterEqual:
    return either(d, -d - 1);
  case BinaryOp::Equal:
  case BinaryOp::NotEqual: {
    if (facts().zero(d))
      return op == BinaryOp::Equal;
    if (facts().nonNegative(d - 1) || facts().nonNegative(-d - 1))
      return op == BinaryOp::NotEqual;
    return std::nullopt;
  }
  default:
    return std::nullopt;
  }
}

/// Adds what the condition (or its negation) says about sizes and indices to the innermost facts.
void Walker::assume(const ast::Expr *e, Scope *inner, bool on) {
  if (auto *t = as<ast::TupleExpr>(e)) {
    if (t->elements.size() == 1 && t->elements[0].value)
      assume(t->elements[0].value, inner, on);
    return;
  }
  if (auto *u = as<ast::UnaryExpr>(e)) {
    if (u->op == ast::UnaryOp::Not)
      assume(u->operand, inner, !on);
    return;
  }
  auto *b = as<ast::BinaryExpr>(e);
  if (!b)
    return;
  if (b->op == (on ? BinaryOp::And : BinaryOp::Or)) {
    assume(b->lhs, inner, on);
    assume(b->rhs, inner, on);
    return;
  }
  if (b->op == BinaryOp::In && on) {
    if (auto *range = as<ast::BinaryExpr>(b->rhs); range && range->op == BinaryOp::Range) {
      Ref x = evaluate(b->lhs, inner), low = evaluate(range->lhs, inner), high = evaluate(range->rhs, inner);
      if (isInteger(x) && isInteger(low) && isInteger(high)) {
        facts().assumeNonNegative(x->integer - low->integer);
        facts().assumeNonNegative(high->integer - x->integer - 1);
      }
    }
    return;
  }
  if (b->op < BinaryOp::Less || b->op > BinaryOp::NotEqual)
    return;
  bool wasDry = dry;
  dry = true; // the condition was walked before; nothing is reported twice
  size_t values = expanding() ? emit.body->values.size() : 0;
  Ref x = nullptr, y = nullptr;
  try {
    x = evaluate(b->lhs, inner);
    y = evaluate(b->rhs, inner);
  } catch (Problem &) {
  } catch (Quiet &) {
  }
  dry = wasDry;
  rollBack(values);
  if (!x || !y || !isInteger(x) || !isInteger(y))
    return;
  Polynomial d = x->integer - y->integer;
  if (d.isConstant())
    return;
  BinaryOp op = b->op;
  if (!on) {
    static const BinaryOp opposite[] = {BinaryOp::GreaterEqual, BinaryOp::Greater,  BinaryOp::LessEqual,
                                        BinaryOp::Less,         BinaryOp::NotEqual, BinaryOp::Equal};
    op = opposite[size_t(op) - size_t(BinaryOp::Less)];
  }
  switch (op) {
  case BinaryOp::Less:
    facts().assumeNonNegative(-d - 1);
    break;
  case BinaryOp::LessEqual:
    facts().assumeNonNegative(-d);
    break;
  case BinaryOp::Greater:
    facts().assumeNonNegative(d - 1);
    break;
  case BinaryOp::GreaterEqual:
    facts().assumeNonNegative(d);
    break;
  case BinaryOp::Equal:
    facts().assumeZero(d);
    break;
  default:
    break;
  }
}

void Walker::ifStatement(const ast::IfStmt *s, Scope *inner) {
  Ref condition = evaluate(s->condition, inner);
  auto shape = shapeOf(condition);
  if (!shape || shape->element != Element::Bool || !shape->axes.empty())
    fail(Kind::TypeMismatch, "`if` needs one condition", {{s->condition->span, "this is " + describe(condition)}});
  auto known = truth(condition);
  if (known) {
    if (const ast::Block *taken = *known ? s->then : s->otherwise)
      block(taken, scope(inner));
    return;
  }
  // Unknown: both branches, each with its facts; a variable that they leave different is chosen at run time.
  std::set<std::string> names;
  if (s->then)
    assigned(s->then, names);
  if (s->otherwise)
    assigned(s->otherwise, names);
  std::map<std::string, Ref> before, afterThen, afterElse;
  for (const std::string &name : names)
    if (Ref value = inner->find(name))
      before[name] = value;
  auto branch = [&](const ast::Block *b, bool on, std::map<std::string, Ref> &after) {
    for (auto &[name, value] : before)
      inner->assign(name, value);
    bool returns = false;
    if (b) {
      factStack.push_back(facts());
      try {
        assume(s->condition, inner, on);
        Ref returned = frame->returned;
        block(b, scope(inner));
        returns = frame->returned != returned;
        if (modular)
          frame->returned = returned;
      } catch (...) {
        factStack.pop_back();
        throw;
      }
      factStack.pop_back();
    }
    for (auto &[name, value] : before)
      after[name] = inner->find(name);
    return returns;
  };
  auto writesBefore = writes;
  size_t yields = frame->yields ? frame->yields->size() : 0;
  bool thenReturns = branch(s->then, true, afterThen);
  auto writesThen = std::exchange(writes, writesBefore);
  if (thenReturns && expanding())
    fail(Kind::NotCompileTime, "`return` under a condition that is known only at run time",
         {{s->condition->span, "this is computed at run time"}},
         "choose the result with `if .. then .. else` or `select`");
  bool elseReturns = branch(s->otherwise, false, afterElse);
  if (elseReturns && expanding())
    fail(Kind::NotCompileTime, "`return` under a condition that is known only at run time",
         {{s->condition->span, "this is computed at run time"}},
         "choose the result with `if .. then .. else` or `select`");
  chooseWritten(condition, std::move(writesThen), s->condition->span);
  if (expanding() && frame->yields && frame->yields->size() != yields)
    fail(Kind::MisplacedStatement, "`yield` under a condition that is known only at run time",
         {{s->condition->span, "this is computed at run time"}}, "yield a value chosen by `if .. then .. else ..`");
  if (modular && thenReturns && elseReturns)
    frame->returned = frame->result ? frame->result : checker.bad;
  if (modular && thenReturns && !elseReturns)
    assume(s->condition, inner, false);
  for (auto &[name, value] : before) {
    Ref a = afterThen[name], b = afterElse[name];
    if (thenReturns)
      a = b;
    if (elseReturns)
      b = a;
    if (a == b) {
      inner->assign(name, a);
      continue;
    }
    if (a->kind == Entity::Kind::Bad || b->kind == Entity::Kind::Bad) {
      inner->assign(name, checker.bad);
      continue;
    }
    if (expanding()) {
      inner->assign(name, selectOf(condition, a, b, s->condition->span, s->span, s->span));
    } else {
      auto p = shapeOf(a), q = shapeOf(b);
      bool fits = p && q && same(p->axes, q->axes);
      inner->assign(name, fits ? tensorType(p->element, p->axes) : checker.bad);
    }
  }
}

Ref Walker::conditional(const ast::IfExpr *e, Scope *inner) {
  Ref condition = evaluate(e->condition, inner);
  if (auto known = truth(condition))
    return evaluate(*known ? e->then : e->otherwise, inner);
  auto c = shapeOf(condition);
  if (!c || c->element != Element::Bool)
    fail(Kind::TypeMismatch, "`if` needs a condition", {{e->condition->span, "this is " + describe(condition)}});
  if (!c->axes.empty())
    fail(Kind::NotAScalar, "`if` needs one condition, this is " + describe(condition), {{e->condition->span, ""}},
         "`select(c, a, b)` chooses element by element");
  auto walk = [&](const ast::Expr *branch, bool on, Facts &after) {
    factStack.push_back(facts());
    try {
      assume(e->condition, inner, on);
      Ref value = evaluate(branch, inner);
      after = facts();
      factStack.pop_back();
      return sound(value);
    } catch (...) {
      factStack.pop_back();
      throw;
    }
  };
  Facts thenFacts, elseFacts;
  Ref a = walk(e->then, true, thenFacts), b = walk(e->otherwise, false, elseFacts);
  if (expanding() && !inEquation)
    return selectOf(condition, a, b, e->condition->span, e->then->span, e->otherwise->span);
  if (expanding())
    return selectOf(condition, a, b, e->condition->span, e->then->span, e->otherwise->span);
  if (isInteger(a) && isInteger(b))
    return a->integer == b->integer ? a : tensorType(Element::Int, {});
  auto s = shapeOf(a), t = shapeOf(b);
  if (!s || !t)
    return a;
  Element element = combine(*s, *t, e->span, "if", false);
  if (s->axes.size() != t->axes.size())
    return tensorType(element, broadcast(*s, *t, e->then->span, e->otherwise->span, "if"));
  Axes axes;
  for (size_t i = 0; i < s->axes.size(); ++i) {
    const Axis &x = s->axes[i], &y = t->axes[i];
    bool plain = !x.group && !y.group;
    // The facts of one branch may make its form equal to the other's: a residual shortcut of unchanged width.
    if (plain && !elseFacts.zero(x.size - y.size) && thenFacts.zero(x.size - y.size)) {
      axes.push_back(y);
      continue;
    }
    axes.push_back(x);
    if (!(plain && elseFacts.zero(x.size - y.size)))
      requireEqual(x, y, e->span, 500 + unsigned(i), [&](const std::string &) {
        return Diagnostic{Kind::DimensionMismatch,
                          "the branches are " + describe(a) + " and " + describe(b),
                          {{e->then->span, "this is " + describe(a)}, {e->otherwise->span, "this is " + describe(b)}},
                          {},
                          ""};
      });
  }
  return tensorType(element, std::move(axes));
}

} // namespace nacre
