// Derivatives as expressions: `grad(e, x)`, `stop_grad(x)`, and `gradcheck` in tests. What a derivative is, is settled
// by the compiler; here is decided of what it is one, and refused what evidently has none.
#include "check/Mentions.h"
#include "check/Visit.h"
#include "check/Walker.h"
#include <algorithm>
#include <set>

namespace nacre {
using ast::as;

namespace {

/// Which values of a body are computed from one of them, and through which of those a derivative can flow: along
/// reals, but through no subscript, condition or integer.
class Flow {
public:
  Flow(const Body &body, ValueId by) : body(body), any(body.values.size()), smooth(body.values.size()) {
    const Value &origin = body.values[by];
    for (ValueId id = 0; id < body.values.size(); ++id) {
      const Value &v = body.values[id];
      if (id == by || (origin.kind == Value::Kind::Weight && v.kind == Value::Kind::Weight && v.model == origin.model &&
                       v.number == origin.number)) {
        any[id] = smooth[id] = true;
        continue;
      }
      bool real = isReal(v.type.element) || v.kind == Value::Kind::Loop || v.kind == Value::Kind::Custom;
      bool cut = !real || v.kind == Value::Kind::StopGradient || v.kind == Value::Kind::Extern;
      for (ValueId operand : v.operands) {
        any[id] = any[id] || any[operand];
        smooth[id] = smooth[id] || (!cut && smooth[operand]);
      }
      read = false;
      seen.clear();
      if (v.body)
        follow(v.body, id, !cut);
      for (const Subscript &s : v.subscripts)
        if (s.gather)
          follow(s.gather, id, false);
      for (ValueId operand : v.operands)
        read = read || smooth[operand];
      if (read && !smooth[id] && !lost)
        lost = id;
    }
  }
  bool reaches(ValueId id) const { return smooth[id]; }
  bool depends(ValueId id) const { return any[id]; }
  std::optional<ValueId> end() const { return lost; } // where a derivative stops first

private:
  void follow(const Term *term, ValueId id, bool differentiable) {
    differentiable = differentiable && isReal(term->type);
    if (term->kind == Term::Kind::Apply)
      switch (term->primitive) {
      case Primitive::Floor:
      case Primitive::Ceil:
      case Primitive::Round:
      case Primitive::Sign:
        differentiable = false;
        break;
      default:
        break;
      }
    if (!seen.emplace(term, differentiable).second)
      return;
    if (term->kind == Term::Kind::Read) {
      any[id] = any[id] || any[term->tensor];
      smooth[id] = smooth[id] || (differentiable && smooth[term->tensor]);
      read = read || smooth[term->tensor];
    }
    for (const Subscript &s : term->subscripts)
      if (s.gather)
        follow(s.gather, id, false);
    for (size_t i = 0; i < term->operands.size(); ++i)
      follow(term->operands[i], id, differentiable && !(term->kind == Term::Kind::Select && i == 0));
  }

  const Body &body;
  std::vector<bool> any, smooth;
  std::optional<ValueId> lost;
  std::set<std::pair<const Term *, bool>> seen; // of the value at hand
  bool read = false;                            // it uses something that a derivative reaches
};

} // namespace

bool Walker::dependsOn(Ref e, ValueId by, Span span) {
  ValueId of = valueOf(e, span);
  return Flow(*emit.body, by).depends(of);
}

/// A derivative by something from outside the loop sees only what its body computes, so what was computed before the
/// loop from `by`, and leads to `of`, is computed in the body once more (and hoisted by the compiler): the value to
/// take instead of `of`. A carried value may come from `by` in a way that differs from round to round, which is
/// refused.
ValueId Walker::insideLoop(ValueId of, ValueId by, Span span, const std::string &what) {
  std::vector<Value> &values = emit.body->values;
  std::vector<bool> leads(of + 1);
  leads[of] = true;
  Flow flow(*emit.body, by);
  for (ValueId id = of + 1; id-- > 0;)
    if (leads[id])
      Mentions([&](ValueId operand) { leads[operand] = true; }).of(values[id]);
  for (auto [first, count] : loopCarried)
    for (ValueId id = first; id < first + count; ++id)
      if (by < first && leads[id] && isReal(values[id].type.element) && Flow(*emit.body, id).reaches(of))
        fail(Kind::NoGradient, "a derivative by " + what + " cannot pass through the rounds of a loop",
             {{span, values[id].name.empty() ? "computed from a value that the loop carries"
                                             : "computed from `" + values[id].name + "`, which the loop carries"}},
             "cut it with `stop_grad`, take the derivative behind the loop, or mark the loop @unroll");
  std::map<ValueId, ValueId> again;
  auto name = [&](ValueId id) {
    auto found = again.find(id);
    return found == again.end() ? id : found->second;
  };
  std::map<const Term *, const Term *> known;
  for (ValueId id = 0; id <= of; ++id) {
    if (id == by || !leads[id] || !flow.depends(id) || values[id].kind == Value::Kind::Weight)
      continue;
    if (again.empty() && id >= loopCarried.back().first)
      return of; // all of it is in the body
    Value copy = values[id];
    emit.renumber(copy, name, known);
    again[id] = emit.append(std::move(copy));
  }
  return name(of);
}

/// d scalar / d by, where `by` is a value of the body being filled.
Ref Walker::gradientOf(Ref scalar, ValueId by, Span span, Span bySpan) {
  ValueId of = valueOf(scalar, span);
  Flow flow(*emit.body, by);
  if (!flow.reaches(of)) {
    std::string what = "`" + flat(bySpan.text()) + "`";
    std::vector<Label> labels = {
        {span, flow.depends(of) ? "no derivative arrives from " + what : "computed without it"}};
    std::string hint = "differentiate by something that it is computed from, at the value that was used";
    if (flow.depends(of) && flow.end()) {
      const Value &stop = emit.body->values[*flow.end()];
      bool cut = stop.kind == Value::Kind::StopGradient, foreign = stop.kind == Value::Kind::Extern;
      if (stop.location)
        labels.push_back({stop.location->span, cut       ? "cut here by `stop_grad`"
                                               : foreign ? "a foreign function without a `grad` declaration"
                                                         : "it stops here: integers, conditions and steps have none"});
      hint = cut       ? "remove the `stop_grad`"
             : foreign ? "declare `grad " + stop.name + "(..)`"
                       : "compute with reals, or declare a `grad` for the function that rounds";
    }
    fail(Kind::NoGradient, flow.depends(of) ? "this has no derivative by " + what : "this does not depend on " + what,
         std::move(labels), hint);
  }
  if (!loopCarried.empty() && by < loopCarried.back().first)
    of = insideLoop(of, by, span, "`" + flat(bySpan.text()) + "`");
  Value made{};
  made.kind = Value::Kind::Gradient;
  made.type = emit.type(by);
  made.operands = {of, by};
  return emitted(Element::Real, emit.append(std::move(made)));
}

/// grad(e, x). The tree of a record has one gradient per field.
Ref Walker::gradientCall(const std::vector<Argument> &args, Span span) {
  auto a = arrange("grad", args, {"e", "x"}, 2, span);
  auto shape = shapeOf(a[0].value);
  if (!shape || !shape->axes.empty() || family(shape->element) != Family::Real)
    fail(Kind::NotAScalar, "`grad` differentiates one real number, this is " + describe(a[0].value), {{a[0].span, ""}},
         "reduce it: `sum(e)` or `mean(e)`");
  if (inEquation)
    fail(Kind::NotSupported, "`grad` inside an index equation is not supported yet", {{span, ""}},
         "differentiate the sum over all elements outside");
  return gradientBy(a[0].value, a[1].value, a[0].span, a[1].span);
}

Ref Walker::gradientBy(Ref scalar, Ref by, Span span, Span bySpan) {
  sound(by);
  if (by->kind == Entity::Kind::Record) {
    std::vector<Ref> items;
    for (Ref item : by->items)
      items.push_back(gradientBy(scalar, item, span, bySpan));
    return record(std::move(items), by->names);
  }
  if (by->kind == Entity::Kind::Instance)
    return gradientTree(scalar, by, span, bySpan);
  if (!isTensor(by) || family(by->element) != Family::Real)
    fail(Kind::NoGradient, "no derivative by " + describe(by),
         {{bySpan, isTensor(by) ? "not of a real type" : "this is known at compile time"}},
         isTensor(by) ? "derivatives are taken by reals" : "make it a parameter of a function and differentiate there");
  if (!expanding())
    return tensorType(by->element, by->axes);
  if (!by->value)
    throw Quiet();
  Entity &made = make(Entity::Kind::Tensor);
  made = *gradientOf(scalar, *by->value, span, bySpan);
  made.element = by->element;
  return &made;
}

/// The same value; no derivative passes through.
Ref Walker::stopGradient(Ref e, Span span) {
  sound(e);
  if (e->kind == Entity::Kind::Record || e->kind == Entity::Kind::List) {
    if (shapeOf(e)) // a list of numbers is a constant unless something in it was computed
      e = whole(e, span);
    else {
      std::vector<Ref> items;
      for (Ref item : e->items)
        items.push_back(stopGradient(item, span));
      return e->kind == Entity::Kind::List ? list(std::move(items)) : record(std::move(items), e->names);
    }
  }
  if (!isTensor(e) || family(e->element) != Family::Real || !expanding() || e->hollow)
    return e;
  if (!e->value)
    fail(Kind::NotSupported, "`stop_grad` of one element inside an equation is not supported yet", {{span, ""}},
         "cut the whole tensor outside: `let y = stop_grad(x)`");
  Value made{};
  made.kind = Value::Kind::StopGradient;
  made.type = emit.type(*e->value);
  made.operands = {*e->value};
  return emitted(e->element, emit.append(std::move(made)));
}

/// `name` is what a `grad` in this body differentiates by, so it must be a value even where the caller gives a number.
bool Walker::differentiatedBy(const Signature &s, const std::string &name) {
  bool found = false;
  auto visit = [&](const ast::Expr *e) {
    auto *call = as<ast::CallExpr>(e);
    auto *callee = call ? as<ast::IdentifierExpr>(call->callee) : nullptr;
    if (!callee || callee->name != "grad" || call->arguments.size() != 2)
      return;
    auto *by = as<ast::IdentifierExpr>(call->arguments[1].value);
    found = found || (by && by->name == name);
  };
  forAll(s.expression, visit);
  forAll(s.body, [](const ast::Stmt *) {}, visit);
  return found;
}

/// gradcheck(f, x) in a test: with a pseudo-random direction d, |(f(x + h d) - f(x - h d)) / 2h - <grad f, d>| relative
/// to 1 + |<grad f, d>|, as f64. A result of f that is no scalar is contracted with pseudo-random numbers first.
Ref Walker::gradientDeviation(const ast::CallExpr *call, Scope *inner) {
  auto a = arrange("gradcheck", arguments(call->arguments, inner), {"f", "x"}, 2, call->span);
  Ref x = a[1].value;
  auto shape = shapeOf(x);
  if (!shape || family(shape->element) != Family::Real)
    fail(Kind::TypeMismatch, "`gradcheck` moves a real tensor", {{a[1].span, "this is " + describe(x)}});
  auto uniform = [&](const Axes &axes, int seed) {
    return draw("uniform",
                {{"", tensorType(Element::Real, axes), call->span},
                 {"low", real(-1), call->span},
                 {"high", real(1), call->span},
                 {"seed", integer(seed), call->span}},
                call->span);
  };
  auto arithmetic = [&](ast::BinaryOp op, Ref l, Ref r) {
    return binaryOf(op, l, r, a[1].span, a[1].span, call->span);
  };
  auto at = [&](Ref point) {
    auto before = ordinals; // every evaluation draws the same
    Ref y = sound(apply(a[0].value, {{"", point, a[1].span}}, call->span, inner, call->arguments[0].value));
    auto result = shapeOf(y);
    if (!result || family(result->element) != Family::Real)
      fail(Kind::TypeMismatch, "`gradcheck` needs a function to reals", {{a[0].span, "it gives " + describe(y)}});
    if (!result->axes.empty())
      y = reduceWhole("sum", arithmetic(ast::BinaryOp::Multiply, y, uniform(result->axes, 71)), call->span);
    ordinals = before;
    return y;
  };
  // A fresh copy, so that `x` itself may be a constant, and its other uses stay out of the derivative.
  Element element = shape->element;
  Scalar type = scalarOf(element);
  ValueId origin = valueOf(x, a[1].span);
  std::vector<Index> indices = Emitter::indicesFor(extentsOf(shape->axes));
  const Term *copy = emit.cast(emit.read(origin, Emitter::subscriptsFor(indices)), type);
  Ref point = emitted(element, emit.equation(std::move(indices), copy));
  Scalar narrow = std::max(type, checker.options.real, [](Scalar l, Scalar r) { return int(l) < int(r); });
  double step = narrow == Scalar::F64 ? 1e-5 : narrow == Scalar::F32 ? 1e-2 : 6e-2;
  Ref direction = convert(uniform(shape->axes, 70), element, call->span);
  Ref moved = arithmetic(ast::BinaryOp::Multiply, direction, real(step));
  Ref above = convert(at(arithmetic(ast::BinaryOp::Add, point, moved)), Element::F64, call->span);
  Ref below = convert(at(arithmetic(ast::BinaryOp::Subtract, point, moved)), Element::F64, call->span);
  Ref numeric = arithmetic(ast::BinaryOp::Divide, arithmetic(ast::BinaryOp::Subtract, above, below), real(2 * step));
  Ref gradient = gradientBy(at(point), point, call->span, a[1].span);
  Ref exact = convert(reduceWhole("sum", arithmetic(ast::BinaryOp::Multiply, gradient, direction), call->span),
                      Element::F64, call->span);
  return closeTo(numeric, exact, call->span, call->span, call->span);
}

/// What rounding and the step of the differences leave, by the type that is computed in.
double Walker::gradientTolerance() const {
  return checker.options.real == Scalar::F64 ? 1e-6 : checker.options.real == Scalar::F32 ? 5e-3 : 0.1;
}

} // namespace nacre
