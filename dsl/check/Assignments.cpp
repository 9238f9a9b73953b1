// Assignment to variables: whole, or to a part, which makes a new value; `+=` over subscripts.
#include "check/Walker.h"

namespace nacre {
using ast::as;

void Walker::assign(const ast::AssignStmt *s, Scope *inner) {
  if (!s->target)
    return destructure(s->pattern, evaluate(s->value, inner), inner, s->span, true);
  if (auto *id = as<ast::IdentifierExpr>(s->target)) {
    Ref value = evaluated(s, s->value, inner);
    if (!inner->assign(id->name, value)) {
      look(id->name, inner, id->span);
      fail(Kind::TypeMismatch, "`" + id->name + "` is no variable", {{id->span, ""}}, "declare it with `var`");
    }
    return;
  }
  Ref value = evaluated(s, s->value, inner);
  auto *target = as<ast::SubscriptExpr>(s->target);
  auto *variable = target ? as<ast::IdentifierExpr>(target->base) : nullptr;
  if (!variable)
    fail(Kind::TypeMismatch, "only a variable and its elements are assigned", {{s->target->span, ""}},
         "assign the whole record: `r = (a = .., b = r.b)`");
  Ref base = whole(look(variable->name, inner, variable->span), variable->span);
  Ref made = withPart(target, base, sound(value), s->value->span, inner);
  if (!inner->assign(variable->name, made))
    fail(Kind::TypeMismatch, "`" + variable->name + "` is no variable", {{variable->span, ""}},
         "declare it with `var`");
}

/// x[subscripts] = v: x with other elements where every axis is in its range. One subscript picks one position of its
/// axis, and a computed one outside of it changes nothing.
Ref Walker::withPart(const ast::SubscriptExpr *target, Ref base, Ref value, Span valueSpan, Scope *inner) {
  std::vector<Part> parts;
  Ref hole = slice(target, base, inner, &parts);
  auto shape = shapeOf(value), room = shapeOf(hole);
  if (!shape)
    fail(Kind::TypeMismatch, "a tensor is stored here", {{valueSpan, "this is " + describe(value)}});
  Shape stored{base->element, room->axes, false};
  Element element = combine(stored, *shape, valueSpan, "=", false);
  if (element != base->element && family(element) != family(base->element))
    fail(Kind::TypeMismatch, "`" + std::string(target->base->span.text()) + "` holds " + describe(base),
         {{valueSpan, "this is " + describe(value)}}, "convert it first");
  if (shape->axes.size() > room->axes.size())
    fail(Kind::RankMismatch, "this part has " + std::to_string(room->axes.size()) + " axes",
         {{valueSpan, "this is " + describe(value)}, {target->span, "stored here"}});
  broadcast(stored, *shape, target->span, valueSpan, "=");
  if (!expanding())
    return tensorType(base->element, base->axes);
  ValueId old = valueOf(base, target->base->span);
  std::vector<Index> indices = Emitter::indicesFor(extentsOf(base->axes));
  const Term *inside = nullptr;
  auto require = [&](const Term *condition) {
    inside = inside ? emit.apply(Primitive::And, {inside, condition}) : condition;
  };
  std::vector<Subscript> within;
  for (size_t axis = 0; axis < parts.size(); ++axis) {
    const Part &part = parts[axis];
    Polynomial at(indices[axis].atom);
    if (part.single) {
      const Term *wanted = part.subscript.gather ? part.subscript.gather : emit.size(part.subscript.affine);
      require(emit.apply(Primitive::Equal, {emit.size(at), wanted}));
      continue;
    }
    if (part.low != Polynomial(0))
      require(emit.apply(Primitive::LessEqual, {emit.size(part.low), emit.size(at)}));
    if (part.high != base->axes[axis].size)
      require(emit.apply(Primitive::Less, {emit.size(at), emit.size(part.high)}));
    Subscript s;
    s.affine = at - part.low;
    s.guarded = part.low != Polynomial(0) || part.high != base->axes[axis].size;
    within.push_back(std::move(s));
  }
  Scalar type = scalarOf(base->element);
  const Term *stay = emit.read(old, Emitter::subscriptsFor(indices)), *next = nullptr;
  if (shape->axes.empty()) {
    next = termOf(value, type);
  } else {
    within.erase(within.begin(), within.end() - long(shape->axes.size()));
    next = emit.cast(emit.read(valueOf(value, valueSpan), std::move(within)), type);
  }
  return emitted(base->element, emit.equation(std::move(indices), inside ? emit.select(inside, next, stay) : next));
}

/// t[subscripts] += e over i: the adds of all points, those of one element summed.
void Walker::scatter(const ast::ScatterStmt *s, Scope *inner) {
  auto *target = as<ast::SubscriptExpr>(s->target);
  auto *variable = target ? as<ast::IdentifierExpr>(target->base) : nullptr;
  if (!variable)
    fail(Kind::ScatterTarget, "`+=` adds into elements of a `var`",
         {{s->target->span, target ? "this is no variable" : "no subscripts"}},
         target ? ""
                : "write `" + std::string(s->target->span.text()) + " = " + std::string(s->target->span.text()) +
                      " + ...`");
  if (inEquation)
    fail(Kind::NotSupported, "`+=` inside an index equation is not supported yet", {{s->span, ""}},
         "scatter whole tensors, outside the equation");
  Ref base = whole(look(variable->name, inner, variable->span), variable->span);
  Family stored = family(base->element);
  if (stored != Family::Real && stored != Family::Integer)
    fail(Kind::TypeMismatch, "`+=` adds numbers", {{target->base->span, "this is " + describe(base)}});
  inner->assign(variable->name, base); // a list of numbers is a tensor from here on
  Scope *body = scope(inner);
  Axes axes;
  GroupBinding group;
  auto savedBases = bases;
  std::vector<Index> bound = indices(s->binders, {s->target, s->value}, inner, body, axes, group);
  const GroupBinding *outerGroup = frame->group;
  size_t savedLevel = outsideBranches;
  outsideBranches = factStack.size() - 1;
  ++inEquation;
  frame->group = &group;
  auto restore = [&] {
    --inEquation;
    frame->group = outerGroup;
    outsideBranches = savedLevel;
    bases = savedBases;
  };
  std::vector<Subscript> subscripts;
  const Term *term = nullptr;
  try {
    Ref place = elementOf(target, base, body, &subscripts);
    Ref value = sound(evaluate(s->value, body));
    auto shape = shapeOf(value), room = shapeOf(place);
    if (!shape || !shape->axes.empty())
      fail(Kind::NotAScalar, "`+=` adds one element, this is " + describe(value), {{s->value->span, ""}},
           "subscript it: `x[i, j]`");
    if (family(combine(*room, *shape, s->span, "+=", true)) != stored)
      fail(Kind::TypeMismatch, "`" + variable->name + "` holds " + describe(base),
           {{s->value->span, "this is " + describe(value)}}, "convert it first");
    if (expanding())
      term = termOf(value, scalarOf(base->element));
  } catch (...) {
    restore();
    throw;
  }
  restore();
  Ref made = tensorType(base->element, base->axes);
  if (expanding()) {
    Value v{};
    v.kind = Value::Kind::Scatter;
    v.type = emit.type(*base->value);
    v.operands = {*base->value};
    v.indices = std::move(bound);
    v.body = term;
    v.subscripts = std::move(subscripts);
    v.name = variable->name;
    made = emitted(base->element, emit.append(std::move(v)));
  }
  if (!inner->assign(variable->name, made))
    fail(Kind::TypeMismatch, "`" + variable->name + "` is no variable", {{variable->span, ""}},
         "declare it with `var`");
}

} // namespace nacre
