// Index equations and reductions. Extents are found first (`Extents.cpp`); then the indices are integers and the right
// side is walked for its element.
#include "check/Builtins.h"
#include "check/Visit.h"
#include "check/Walker.h"
#include <limits>

namespace nacre {
using ast::as;

void Walker::equation(const ast::EquationStmt *s, Scope *inner) {
  inner->bind(s->name.text, equationValue(s->binders, s->type, s->value, inner, s->span, s->name.text));
}

Ref Walker::equationValue(const std::vector<ast::Binder> &binders, const ast::Type *type, const ast::Expr *value,
                          Scope *outer, Span span, const std::string &name) {
  Scope *inner = scope(outer);
  Axes axes;
  GroupBinding group;
  auto savedBases = bases;
  std::vector<std::string> promises = std::move(emit.promises);
  emit.promises.clear();
  std::vector<Index> bound = indices(binders, {value}, outer, inner, axes, group);
  for (size_t i = 0; i < binders.size() && i < axes.size() && !binders[i].ellipsis; ++i)
    if (binders[i].bound)
      requireSize(axes[i].size, 1, binders[i].bound->span, 1001, "the extent of index `" + binders[i].name.text + "`");
  const GroupBinding *outerGroup = frame->group;
  bool hasGroup = std::any_of(binders.begin(), binders.end(), [](const ast::Binder &b) { return b.ellipsis; });
  if (hasGroup)
    frame->group = &group;
  ++inEquation;
  size_t savedLevel = outsideBranches;
  if (inEquation == 1)
    outsideBranches = factStack.size() - 1;
  auto restore = [&] {
    --inEquation;
    frame->group = outerGroup;
    outsideBranches = savedLevel;
    bases = savedBases;
  };
  Ref result = nullptr;
  const Term *term = nullptr;
  Element element;
  try {
    Ref e = sound(evaluate(value, inner));
    auto shape = shapeOf(e);
    if (!shape || !shape->axes.empty() || shape->element == Element::Text)
      fail(Kind::NotAScalar, "the right-hand side of an equation is one element, this is " + describe(e),
           {{value->span, "this is " + describe(e)}}, "subscript it: `x[i, j]`");
    element = shape->element;
    if (!expanding())
      result = tensorType(element, axes);
    else
      term = termOf(e, scalarOf(element));
  } catch (...) {
    restore();
    throw;
  }
  restore();
  if (type) {
    Ref declared = typeValue(type, outer);
    Ref computed = tensorType(element, axes);
    conform(computed, declared, span, type->span, "`" + name + "`");
    element = declared->element;
    if (term)
      term = emit.cast(term, scalarOf(element));
    else
      return declared;
  }
  if (!expanding())
    return result;
  emit.span = span;
  if (inEquation) { // within the equation of a caller
    auto free = freeIndices(term);
    for (const Index &index : bound)
      free.erase(index.atom);
    if (bound.empty()) {
      Entity &e = make(Entity::Kind::Tensor);
      e.element = element;
      e.term = term;
      return &e;
    }
    if (!free.empty())
      fail(Kind::NotSupported, "a tensor made from one element of an equation is not supported yet",
           {{span, "`" + name + "` depends on an index of the caller"}},
           "compute it for all indices in an equation of its own");
  }
  emit.promises = std::move(promises);
  return emitted(element, emit.equation(std::move(bound), term, name));
}

// ---- reductions ----------------------------------------------------------------------------------------------------
/// `sum[i, j < n](e)`: a call of a subscripted reducer name that no local name hides.
std::optional<Walker::Reducer> Walker::reducer(const ast::Expr *e, Scope *inner) {
  auto *call = as<ast::CallExpr>(e);
  auto *sub = call ? as<ast::SubscriptExpr>(call->callee) : nullptr;
  auto *id = sub ? as<ast::IdentifierExpr>(sub->base) : nullptr;
  if (!id || !isReducer(id->name) || (inner && inner->find(id->name)))
    return std::nullopt;
  Reducer r{id->name, {}, nullptr, e->span};
  if (call->arguments.size() != 1 || !call->arguments[0].value || !call->arguments[0].name.text.empty())
    fail(Kind::MissingArgument, "`" + id->name + "[...]` reduces one expression",
         {{call->span, std::to_string(call->arguments.size()) + " given"}});
  r.element = call->arguments[0].value;
  for (const ast::Argument &a : sub->arguments) {
    ast::Binder b;
    b.span = a.span;
    if (a.form == ast::Argument::Form::Ellipsis) {
      b.ellipsis = true;
    } else if (auto *index = as<ast::IdentifierExpr>(a.value); index && a.name.text.empty()) {
      b.name = {index->name, index->span};
    } else if (auto *less = as<ast::BinaryExpr>(a.value);
               less && less->op == ast::BinaryOp::Less && as<ast::IdentifierExpr>(less->lhs)) {
      auto *bounded = as<ast::IdentifierExpr>(less->lhs);
      b.name = {bounded->name, bounded->span};
      b.bound = less->rhs;
    } else {
      fail(Kind::UnknownExtent, "`" + std::string(a.span.text()) + "` is no index", {{a.span, ""}},
           "write `i` or `i < n`");
    }
    r.binders.push_back(std::move(b));
  }
  return r;
}

Element Walker::reducedElement(const std::string &name, Element element, Span span) {
  Family f = family(element);
  bool logical = name == "any" || name == "all";
  if (logical != (f == Family::Boolean) || f == Family::Text)
    fail(Kind::TypeMismatch, "`" + name + "` of " + std::string(nacre::name(element)),
         {{span, logical ? "needs conditions" : "needs numbers"}},
         logical ? "compare first" : "convert with `real(...)`");
  if (logical)
    return Element::Bool;
  if (name == "argmax" || name == "argmin")
    return Element::I32;
  if ((name == "mean" || name == "logsumexp") && f != Family::Real)
    return Element::Real;
  if ((name == "sum" || name == "prod") && (element == Element::I8 || element == Element::U8))
    return Element::I32; // sums of small integers accumulate in i32
  return element;
}

/// The term of a reduction of `element`, which has the type `result` was computed from.
const Term *Walker::reduction(const std::string &name, std::vector<Index> over, const Term *element, Element &result,
                              const Polynomial &count, Span span) {
  emit.span = span;
  Scalar type = scalarOf(result);
  if (name == "argmax" || name == "argmin") {
    if (over.size() != 1)
      fail(Kind::NotSupported, "`" + name + "` over " + std::to_string(over.size()) + " indices is not supported yet",
           {{span, ""}}, "reshape to one axis first");
    return emit.reduce(name == "argmax" ? Reduction::ArgMax : Reduction::ArgMin, std::move(over), element);
  }
  if (name == "any" || name == "all")
    return emit.reduce(name == "any" ? Reduction::Any : Reduction::All, std::move(over), element);
  element = emit.cast(element, type);
  if (name == "sum")
    return emit.reduce(Reduction::Sum, std::move(over), element);
  if (name == "prod")
    return emit.reduce(Reduction::Product, std::move(over), element);
  if (name == "max" || name == "min")
    return emit.reduce(name == "max" ? Reduction::Maximum : Reduction::Minimum, std::move(over), element);
  if (name == "mean") {
    const Term *total = emit.reduce(Reduction::Sum, std::move(over), element);
    return emit.apply(Primitive::Divide, {total, emit.cast(emit.size(count), type)});
  }
  // logsumexp = m + log sum exp(e - m) with m = max e; where m is infinite it is replaced by 0, so that the answer is
  // log 0 = -inf or log inf = inf.
  const Term *largest = emit.reduce(Reduction::Maximum, over, element);
  const Term *infinite = emit.apply(Primitive::Equal, {emit.apply(Primitive::Absolute, {largest}),
                                                       emit.real(type, std::numeric_limits<double>::infinity())});
  const Term *shift = emit.select(infinite, emit.real(type, 0), largest);
  const Term *powers = emit.apply(Primitive::Exp, {emit.apply(Primitive::Subtract, {element, shift})});
  const Term *total = emit.reduce(Reduction::Sum, std::move(over), powers);
  return emit.apply(Primitive::Add, {emit.apply(Primitive::Log, {total}), shift});
}

Ref Walker::reduce(const Reducer &r, Scope *outer) {
  Scope *inner = scope(outer);
  Axes axes;
  GroupBinding group;
  auto savedBases = bases;
  std::vector<Index> over = indices(r.binders, {r.element}, outer, inner, axes, group);
  const GroupBinding *outerGroup = frame->group;
  for (const ast::Binder &b : r.binders)
    if (b.ellipsis)
      frame->group = &group;
  ++inEquation;
  size_t savedLevel = outsideBranches;
  if (inEquation == 1)
    outsideBranches = factStack.size() - 1;
  auto restore = [&] {
    --inEquation;
    frame->group = outerGroup;
    outsideBranches = savedLevel;
    bases = savedBases;
  };
  Ref result = nullptr;
  Element element;
  const Term *term = nullptr;
  try {
    Ref e = sound(evaluate(r.element, inner));
    auto shape = shapeOf(e);
    if (!shape || !shape->axes.empty())
      fail(Kind::NotAScalar, "`" + r.name + "` reduces one element per index, this is " + describe(e),
           {{r.element->span, "this is " + describe(e)}}, "subscript it");
    if (shape->element == Element::Int && shape->literal && r.name != "sum" && r.name != "prod")
      shape->element = Element::I64;
    element = reducedElement(r.name, shape->element, r.element->span);
    if (!expanding()) {
      result = tensorType(element, {});
    } else {
      Polynomial count(1);
      for (const Axis &axis : axes)
        count = count * axis.size;
      Element computed =
          r.name == "argmax" || r.name == "argmin" || element == Element::Bool ? shape->element : element;
      term = reduction(r.name, std::move(over), termOf(e, scalarOf(computed)), element, count, r.span);
    }
  } catch (...) {
    restore();
    throw;
  }
  restore();
  if (result)
    return result;
  if (!inEquation)
    return emitted(element, emit.equation({}, term));
  Entity &e = make(Entity::Kind::Tensor);
  e.element = element;
  e.term = term;
  return &e;
}

/// `sum(x)`: over all axes.
Ref Walker::reduceWhole(const std::string &name, Ref e, Span span) {
  sound(e);
  if (e->kind == Entity::Kind::Tree)
    return reduceTree(name, e, span);
  auto shape = shapeOf(e);
  if (!shape)
    fail(Kind::TypeMismatch, "`" + name + "` reduces a tensor", {{span, "this is " + describe(e)}});
  Element element = reducedElement(name, shape->element, span);
  if (!expanding())
    return tensorType(element, {});
  if (shape->axes.empty())
    return name == "argmax" || name == "argmin" ? integer(0) : convert(e, element, span);
  ValueId id = valueOf(e, span);
  std::vector<Index> over = Emitter::indicesFor(extentsOf(shape->axes));
  Polynomial count(1);
  for (const Axis &axis : shape->axes)
    count = count * axis.size;
  const Term *term = reduction(name, over, emit.read(id, Emitter::subscriptsFor(over)), element, count, span);
  return emitted(element, emit.equation({}, term));
}

} // namespace nacre
