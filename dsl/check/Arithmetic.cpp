// Operators, on sizes, compile-time numbers, scalars inside equations and whole tensors.
#include "check/Walker.h"
#include <cmath>
#include <limits>

namespace nacre {
using ast::as;
using ast::BinaryOp;

static const char *const Signs[] = {"^",  "*", "/",  "//", "%",  "+",  "-",  "..",  "<",
                                    "<=", ">", ">=", "==", "!=", "~=", "in", "and", "or"};

// ---- unary ---------------------------------------------------------------------------------------------------------
Ref Walker::unary(const ast::UnaryExpr *e, Scope *inner) {
  Ref value = sound(evaluate(e->operand, inner));
  if (value->kind == Entity::Kind::Tree && e->op == ast::UnaryOp::Negate)
    return binaryOf(BinaryOp::Multiply, integer(-1), value, e->span, e->span, e->span);
  auto shape = shapeOf(value);
  bool negate = e->op == ast::UnaryOp::Negate;
  if (!shape || (negate ? family(shape->element) == Family::Boolean || family(shape->element) == Family::Text
                        : shape->element != Element::Bool))
    fail(Kind::TypeMismatch, negate ? "`-` needs a number" : "`not` needs a condition",
         {{e->operand->span, "this is " + describe(value)}});
  if (negate) {
    if (isInteger(value))
      return integer(-value->integer);
    if (value->kind == Entity::Kind::Real)
      return real(-value->real);
  } else if (value->kind == Entity::Kind::Boolean) {
    return boolean(!value->boolean);
  }
  Primitive p = negate ? Primitive::Negate : Primitive::Not;
  return elementwise(
      {value}, {scalarOf(shape->element)}, shape->element, shape->axes, [&](auto &t) { return emit.apply(p, {t[0]}); },
      e->span);
}

// ---- binary --------------------------------------------------------------------------------------------------------
Ref Walker::binary(const ast::BinaryExpr *e, Scope *inner) {
  BinaryOp op = e->op;
  if (op == BinaryOp::Range)
    fail(Kind::TypeMismatch, "a range is not a value here", {{e->span, ""}}, "ranges stand in loops and subscripts");
  if (op == BinaryOp::Close)
    fail(Kind::TypeMismatch, "`~=` stands only in `expect`", {{e->span, ""}}, "write `abs(a - b) <= tolerance`");
  if (op == BinaryOp::In) {
    auto *range = as<ast::BinaryExpr>(e->rhs);
    if (!range || range->op != BinaryOp::Range)
      fail(Kind::TypeMismatch, "`in` needs a range", {{e->rhs->span, ""}});
    Ref x = sound(evaluate(e->lhs, inner)), low = evaluate(range->lhs, inner), high = evaluate(range->rhs, inner);
    Ref above = binaryOf(BinaryOp::GreaterEqual, x, low, e->lhs->span, range->lhs->span, e->span);
    Ref below = binaryOf(BinaryOp::Less, x, high, e->lhs->span, range->rhs->span, e->span);
    return binaryOf(BinaryOp::And, above, below, e->span, e->span, e->span);
  }
  if (op >= BinaryOp::Less && op <= BinaryOp::NotEqual)
    for (const ast::Expr *side : {e->lhs, e->rhs})
      if (auto *b = as<ast::BinaryExpr>(side); b && b->op >= BinaryOp::Less && b->op <= BinaryOp::NotEqual)
        fail(Kind::TypeMismatch, "comparisons do not chain", {{e->span, ""}}, "write `a < b and b < c`");
  Ref a = sound(evaluate(e->lhs, inner));
  if (a->kind == Entity::Kind::Boolean && (op == BinaryOp::And || op == BinaryOp::Or) &&
      a->boolean == (op == BinaryOp::Or))
    return a;
  Ref b = nullptr;
  if (op == BinaryOp::And || op == BinaryOp::Or) { // the right side is read only where the left one lets it be
    factStack.push_back(facts());
    try {
      assume(e->lhs, inner, op == BinaryOp::And);
      b = sound(evaluate(e->rhs, inner));
    } catch (...) {
      factStack.pop_back();
      throw;
    }
    factStack.pop_back();
  } else {
    b = sound(evaluate(e->rhs, inner));
  }
  return binaryOf(op, a, b, e->lhs->span, e->rhs->span, e->span);
}

static std::optional<double> number(Ref e) {
  if (e->kind == Entity::Kind::Real)
    return e->real;
  if (auto c = constant(e))
    return double(*c);
  return std::nullopt;
}

static bool sameCompileTime(Ref a, Ref b, bool &known) {
  known = true;
  if (a->kind == Entity::Kind::List || a->kind == Entity::Kind::Record) {
    if (a->kind != b->kind || a->items.size() != b->items.size())
      return false;
    for (size_t i = 0; i < a->items.size(); ++i)
      if (!sameCompileTime(a->items[i], b->items[i], known))
        return false;
    return true;
  }
  if (a->kind == Entity::Kind::String && b->kind == Entity::Kind::String)
    return a->text == b->text;
  if (a->kind == Entity::Kind::Boolean && b->kind == Entity::Kind::Boolean)
    return a->boolean == b->boolean;
  if (isInteger(a) && isInteger(b) && !a->group && !b->group) {
    auto d = (a->integer - b->integer).constant();
    known = known && d.has_value();
    return d == 0;
  }
  auto x = number(a), y = number(b);
  known = known && x && y;
  return x && y && *x == *y;
}

Ref Walker::binaryOf(BinaryOp op, Ref a, Ref b, Span sa, Span sb, Span span) {
  std::string sign = Signs[size_t(op)];
  bool comparison = op >= BinaryOp::Less && op <= BinaryOp::NotEqual;
  bool logical = op == BinaryOp::And || op == BinaryOp::Or;
  if (a->kind == Entity::Kind::Tree || b->kind == Entity::Kind::Tree)
    return leafwise({a, b}, span, [&](auto &leaf) { return binaryOf(op, leaf[0], leaf[1], sa, sb, span); });
  // Compile time first.
  if (op == BinaryOp::Equal || op == BinaryOp::NotEqual) {
    bool lists = a->kind == Entity::Kind::List && b->kind == Entity::Kind::List;
    bool strings = a->kind == Entity::Kind::String && b->kind == Entity::Kind::String;
    bool booleans = a->kind == Entity::Kind::Boolean && b->kind == Entity::Kind::Boolean;
    if (lists || strings || booleans) {
      bool known;
      bool equal = sameCompileTime(a, b, known);
      if (known)
        return boolean(equal == (op == BinaryOp::Equal));
      if (lists && modular)
        return tensorType(Element::Bool, {});
    }
  }
  if (isInteger(a) && isInteger(b) && !a->group && !b->group) {
    const Polynomial &p = a->integer, &q = b->integer;
    switch (op) {
    case BinaryOp::Add:
      return integer(p + q);
    case BinaryOp::Subtract:
      return integer(p - q);
    case BinaryOp::Multiply:
      return integer(p * q);
    case BinaryOp::FloorDivide:
    case BinaryOp::Remainder: {
      auto divisor = q.constant();
      if (!divisor || *divisor < 1)
        require(
            Relation::NonNegative, q - 1, sb, 700,
            [&](const std::string &example) {
              std::vector<Label> labels = {{sb, divisor ? "this is " + q.text() : ""}};
              if (frame->caller && frame->callSpan)
                labels.push_back({frame->callSpan, "in this call"});
              if (divisor)
                return Diagnostic{
                    Kind::NotPositive, "division by " + q.text(), labels, {}, "a divisor of sizes is at least 1"};
              return Diagnostic{Kind::NotPositive,
                                "division by " + q.text() + ", which may be less than 1" +
                                    (example.empty() ? "" : " (for " + example + ")"),
                                labels,
                                {},
                                "state `where " + q.text() + " >= 1`"};
            },
            true);
      Polynomial quotient = facts().quotient(p, q);
      return integer(op == BinaryOp::FloorDivide ? quotient : p - q * quotient);
    }
    case BinaryOp::Power: {
      auto base = p.constant(), exponent = q.constant();
      if (exponent && *exponent < 0)
        return base ? real(std::pow(double(*base), double(*exponent))) : powerOf(a, b, sa, sb, span);
      return integer(power(p, q));
    }
    default:
      break;
    }
    if (comparison) {
      if (auto known = decide(op, p - q))
        return boolean(*known);
      return elementwise(
          {a, b}, {Scalar::I64, Scalar::I64}, Element::Bool, {},
          [&](auto &t) -> const Term * {
            switch (op) {
            case BinaryOp::Less:
              return emit.apply(Primitive::Less, {t[0], t[1]});
            case BinaryOp::LessEqual:
              return emit.apply(Primitive::LessEqual, {t[0], t[1]});
            case BinaryOp::Greater:
              return emit.apply(Primitive::Less, {t[1], t[0]});
            case BinaryOp::GreaterEqual:
              return emit.apply(Primitive::LessEqual, {t[1], t[0]});
            case BinaryOp::Equal:
              return emit.apply(Primitive::Equal, {t[0], t[1]});
            default:
              return emit.apply(Primitive::NotEqual, {t[0], t[1]});
            }
          },
          span);
    }
  }
  auto x = number(a), y = number(b);
  if (x && y && !logical) {
    switch (op) {
    case BinaryOp::Add:
      return real(*x + *y);
    case BinaryOp::Subtract:
      return real(*x - *y);
    case BinaryOp::Multiply:
      return real(*x * *y);
    case BinaryOp::Divide:
      return real(*x / *y);
    case BinaryOp::Power:
      return real(std::pow(*x, *y));
    case BinaryOp::Less:
      return boolean(*x < *y);
    case BinaryOp::LessEqual:
      return boolean(*x <= *y);
    case BinaryOp::Greater:
      return boolean(*x > *y);
    case BinaryOp::GreaterEqual:
      return boolean(*x >= *y);
    case BinaryOp::Equal:
      return boolean(*x == *y);
    case BinaryOp::NotEqual:
      return boolean(*x != *y);
    default:
      break;
    }
  }
  if (logical) {
    bool isAnd = op == BinaryOp::And;
    if (a->kind == Entity::Kind::Boolean && b->kind == Entity::Kind::Boolean)
      return boolean(isAnd ? a->boolean && b->boolean : a->boolean || b->boolean);
    if (b->kind == Entity::Kind::Boolean && b->boolean == !isAnd && shapeOf(a) && shapeOf(a)->axes.empty())
      return b;
    if (a->kind == Entity::Kind::Boolean && a->boolean == isAnd)
      return b;
    if (b->kind == Entity::Kind::Boolean && b->boolean == isAnd)
      return a;
  }
  auto s = shapeOf(a), t = shapeOf(b);
  if (!s || !t || s->element == Element::Text || t->element == Element::Text) {
    if (modular && s && t && (comparison || logical))
      return tensorType(Element::Bool, {}); // compile-time text, unknown here
    fail(Kind::TypeMismatch, "`" + sign + "` needs numbers", {{span, describe(a) + " " + sign + " " + describe(b)}});
  }
  if (logical) {
    if (s->element != Element::Bool || t->element != Element::Bool)
      fail(Kind::TypeMismatch, "`" + sign + "` needs conditions",
           {{span, describe(a) + " " + sign + " " + describe(b)}});
    Axes axes = broadcast(*s, *t, sa, sb, sign);
    Primitive p = op == BinaryOp::And ? Primitive::And : Primitive::Or;
    return elementwise(
        {a, b}, {Scalar::Bool, Scalar::Bool}, Element::Bool, axes,
        [&](auto &terms) { return emit.apply(p, {terms[0], terms[1]}); }, span);
  }
  if (op == BinaryOp::Power)
    return powerOf(a, b, sa, sb, span);
  Element element = combine(*s, *t, span, sign, !comparison);
  Axes axes = broadcast(*s, *t, sa, sb, sign);
  if (op == BinaryOp::Divide && family(element) == Family::Integer)
    element = Element::Real; // `/` is real division
  if ((op == BinaryOp::FloorDivide || op == BinaryOp::Remainder) && family(element) != Family::Integer)
    fail(Kind::TypeMismatch, "`" + sign + "` on " + std::string(nacre::name(element)), {{span, "integers only"}},
         "`/` divides reals; `floor(a / b)` rounds down");
  Scalar type = scalarOf(element);
  return elementwise(
      {a, b}, {type, type}, comparison ? Element::Bool : element, axes,
      [&](auto &terms) -> const Term * {
        auto two = [&](Primitive p, size_t first) { return emit.apply(p, {terms[first], terms[1 - first]}); };
        switch (op) {
        case BinaryOp::Add:
          return two(Primitive::Add, 0);
        case BinaryOp::Subtract:
          return two(Primitive::Subtract, 0);
        case BinaryOp::Multiply:
          return two(Primitive::Multiply, 0);
        case BinaryOp::Divide:
          return two(Primitive::Divide, 0);
        case BinaryOp::FloorDivide:
          return two(Primitive::FloorDivide, 0);
        case BinaryOp::Remainder:
          return two(Primitive::Remainder, 0);
        case BinaryOp::Less:
          return two(Primitive::Less, 0);
        case BinaryOp::LessEqual:
          return two(Primitive::LessEqual, 0);
        case BinaryOp::Greater:
          return two(Primitive::Less, 1);
        case BinaryOp::GreaterEqual:
          return two(Primitive::LessEqual, 1);
        case BinaryOp::Equal:
          return two(Primitive::Equal, 0);
        default:
          return two(Primitive::NotEqual, 0);
        }
      },
      span);
}

/// A small constant integer power is a product; anything else is the primitive.
Ref Walker::powerOf(Ref a, Ref b, Span sa, Span sb, Span span) {
  auto s = shapeOf(a), t = shapeOf(b);
  if (!s || !t)
    fail(Kind::TypeMismatch, "`^` needs numbers", {{span, describe(a) + " ^ " + describe(b)}});
  auto exponent = constant(b);
  if (exponent && *exponent >= 1 && *exponent <= 8 && !s->literal) {
    if (family(s->element) != Family::Real && family(s->element) != Family::Integer)
      combine(*s, *t, span, "^", true);
    Scalar type = scalarOf(s->element);
    return elementwise(
        {a}, {type}, s->element, s->axes,
        [&](auto &terms) {
          const Term *result = nullptr, *square = terms[0];
          for (int64_t n = *exponent; n; n /= 2) { // by squaring
            if (n % 2)
              result = result ? emit.apply(Primitive::Multiply, {result, square}) : square;
            if (n > 1)
              square = emit.apply(Primitive::Multiply, {square, square});
          }
          return result;
        },
        span);
  }
  Element element = combine(*s, *t, span, "^", true);
  if (family(element) == Family::Integer)
    element = Element::Real;
  Axes axes = broadcast(*s, *t, sa, sb, "^");
  Scalar type = scalarOf(element);
  return elementwise(
      {a, b}, {type, type}, element, axes,
      [&](auto &terms) { return emit.apply(Primitive::Power, {terms[0], terms[1]}); }, span);
}

Ref Walker::selectOf(Ref condition, Ref then, Ref otherwise, Span sc, Span st, Span so) {
  if (then->kind == Entity::Kind::Record && otherwise->kind == Entity::Kind::Record &&
      then->items.size() == otherwise->items.size()) {
    std::vector<Ref> items;
    for (size_t i = 0; i < then->items.size(); ++i)
      items.push_back(selectOf(condition, then->items[i], otherwise->items[i], sc, st, so));
    return record(std::move(items), then->names);
  }
  if (then->kind == Entity::Kind::Tree && otherwise->kind == Entity::Kind::Tree)
    return leafwise({then, otherwise}, sc,
                    [&](auto &leaf) { return selectOf(condition, leaf[0], leaf[1], sc, st, so); });
  auto c = shapeOf(condition), s = shapeOf(then), t = shapeOf(otherwise);
  if (!c || c->element != Element::Bool)
    fail(Kind::TypeMismatch, "a choice needs a condition", {{sc, "this is " + describe(condition)}});
  if (!s || !t || s->element == Element::Text || t->element == Element::Text)
    fail(Kind::TypeMismatch, "a choice at run time is between numbers",
         {{st, "this is " + describe(then)}, {so, "this is " + describe(otherwise)}});
  Element element = combine(*s, *t, so, "if", false);
  if (s->literal && t->literal && element == Element::Int && family(s->element) == Family::Real)
    element = Element::Real;
  Axes axes = broadcast(*s, *t, st, so, "if");
  Shape chosen{element, axes, false};
  axes = broadcast(*c, chosen, sc, st, "if");
  Scalar type = scalarOf(element);
  return elementwise(
      {condition, then, otherwise}, {Scalar::Bool, type, type}, element, axes,
      [&](auto &terms) { return emit.select(terms[0], terms[1], terms[2]); }, sc);
}

/// The largest |a - b| / (1 + |b|) as f64. A NaN on either side makes it NaN, which is within no tolerance; equal
/// infinities agree.
Ref Walker::closeTo(Ref a, Ref b, Span sa, Span sb, Span span) {
  auto s = shapeOf(sound(a)), t = shapeOf(sound(b));
  if (!s || !t)
    fail(Kind::TypeMismatch, "`~=` compares tensors", {{span, describe(a) + " ~= " + describe(b)}});
  auto numeric = [](const Shape &x) {
    return family(x.element) == Family::Real || family(x.element) == Family::Integer;
  };
  if (!numeric(*s) || !numeric(*t))
    fail(Kind::TypeMismatch, "`~=` compares numbers", {{span, describe(a) + " ~= " + describe(b)}},
         "compare conditions with `==`");
  if (s->axes.size() != t->axes.size() && !s->axes.empty() && !t->axes.empty())
    fail(Kind::RankMismatch, "`~=` on " + describe(a) + " and " + describe(b), {{span, ""}});
  Axes axes = broadcast(*s, *t, sa, sb, "~=");
  Ref deviation = elementwise(
      {a, b}, {Scalar::F64, Scalar::F64}, Element::F64, axes,
      [&](auto &terms) {
        const Term *difference =
            emit.apply(Primitive::Absolute, {emit.apply(Primitive::Subtract, {terms[0], terms[1]})});
        const Term *scale =
            emit.apply(Primitive::Add, {emit.real(Scalar::F64, 1), emit.apply(Primitive::Absolute, {terms[1]})});
        const Term *ratio = emit.apply(Primitive::Divide, {difference, scale});
        return emit.select(emit.apply(Primitive::Equal, {terms[0], terms[1]}), emit.real(Scalar::F64, 0), ratio);
      },
      span);
  return axes.empty() ? deviation : reduceWhole("max", deviation, span);
}

} // namespace nacre
