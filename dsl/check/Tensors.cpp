// Types, values and terms of numbers and tensors: what arithmetic is made of.
#include "check/Walker.h"
#include <algorithm>
#include <cmath>

namespace nacre {
using ast::as;
using ast::BinaryOp;

Scalar Walker::scalarOf(Element e) const {
  switch (e) {
  case Element::Real:
    return checker.options.real;
  case Element::F64:
    return Scalar::F64;
  case Element::F32:
    return Scalar::F32;
  case Element::F16:
    return Scalar::F16;
  case Element::BF16:
    return Scalar::BF16;
  case Element::Int:
  case Element::I64:
    return Scalar::I64;
  case Element::I32:
    return Scalar::I32;
  case Element::I8:
    return Scalar::I8;
  case Element::U64:
    return Scalar::U64;
  case Element::U8:
    return Scalar::U8;
  case Element::Bool:
  case Element::Text:
    return Scalar::Bool;
  }
  return Scalar::F32;
}

// ---- shapes --------------------------------------------------------------------------------------------------------
Ref Walker::tensorType(Element element, Axes axes) {
  Entity &e = make(Entity::Kind::Tensor);
  e.element = element;
  e.axes = std::move(axes);
  return &e;
}

std::optional<Walker::Shape> Walker::shapeOf(Ref e) {
  switch (e->kind) {
  case Entity::Kind::Tensor:
    return Shape{e->element, e->axes, false};
  case Entity::Kind::Integer:
    return e->group ? std::nullopt : std::optional(Shape{Element::Int, {}, true});
  case Entity::Kind::Real:
    return Shape{Element::Real, {}, true};
  case Entity::Kind::Boolean:
    return Shape{Element::Bool, {}, false};
  case Entity::Kind::String:
    return Shape{Element::Text, {}, false};
  case Entity::Kind::List: {
    if (e->items.empty())
      return std::nullopt;
    std::optional<Shape> first;
    for (Ref item : e->items) {
      auto shape = shapeOf(item);
      if (!shape || shape->element == Element::Text)
        return std::nullopt;
      if (!first)
        first = shape;
      else if (!same(first->axes, shape->axes))
        return std::nullopt;
      else if (family(shape->element) == Family::Real)
        first->element = shape->element;
    }
    first->axes.insert(first->axes.begin(), Axis{Polynomial(int64_t(e->items.size())), false});
    return first;
  }
  default:
    return std::nullopt;
  }
}

std::vector<Polynomial> Walker::extentsOf(const Axes &axes) const {
  std::vector<Polynomial> out;
  for (const Axis &axis : axes)
    out.push_back(axis.size);
  return out;
}

Ref Walker::emitted(Element element, ValueId id) {
  Entity &e = make(Entity::Kind::Tensor);
  e.element = element;
  for (const Polynomial &extent : emit.type(id).extents)
    e.axes.push_back({extent, false});
  e.value = id;
  return &e;
}

static int rank(Element e) { return int(Element::BF16) - int(e); } // f64 before f32 before f16

/// The element type of an operation on two operands. Literals and `int` adapt to any number type, `real` to a concrete
/// real type; everything else must be converted in the source.
Element Walker::combine(const Shape &a, const Shape &b, Span span, const std::string &operation, bool arithmetic) {
  Family f = family(a.element), g = family(b.element);
  auto wrong = [&]() -> Element {
    fail(Kind::TypeMismatch,
         "`" + operation + "` on " + std::string(nacre::name(a.element)) + " and " +
             std::string(nacre::name(b.element)),
         {{span, ""}}, "convert with `real(...)`");
  };
  if (arithmetic && (f == Family::Boolean || g == Family::Boolean || f == Family::Text || g == Family::Text))
    return wrong();
  if (f == g) {
    if (a.literal != b.literal)
      return a.literal ? b.element : a.element;
    if (f == Family::Real) {
      if (a.element == Element::Real || b.element == Element::Real)
        return a.element == Element::Real ? b.element : a.element;
      return rank(a.element) >= rank(b.element) ? a.element : b.element;
    }
    if (a.element == Element::Int || b.element == Element::Int)
      return a.element == Element::Int ? b.element : a.element;
    if (f == Family::Integer && a.element != b.element)
      return sizeInBytes(scalarOf(a.element)) >= sizeInBytes(scalarOf(b.element)) ? a.element : b.element;
    return a.element;
  }
  auto adapts = [](const Shape &s) {
    return family(s.element) == Family::Integer && (s.literal || s.element == Element::Int);
  };
  if (f == Family::Real && g == Family::Integer) {
    if (adapts(b) || a.literal)
      return adapts(b) ? a.element : wrong();
    return wrong();
  }
  if (g == Family::Real && f == Family::Integer)
    return adapts(a) ? b.element : wrong();
  return wrong();
}

/// Equal shapes, or the smaller one is the tail of the larger one.
Axes Walker::broadcast(const Shape &a, const Shape &b, Span sa, Span sb, const std::string &operation) {
  const Shape *big = &a, *small = &b;
  Span bigSpan = sa, smallSpan = sb;
  if (small->axes.size() > big->axes.size()) {
    std::swap(big, small);
    std::swap(bigSpan, smallSpan);
  }
  auto shown = [](const Shape &s) {
    return std::string(nacre::name(s.element)) + (s.axes.empty() ? "" : "[" + text(s.axes) + "]");
  };
  size_t n = small->axes.size(), m = big->axes.size();
  for (size_t i = 0; i < n; ++i) {
    const Axis &x = big->axes[m - 1 - i], &y = small->axes[n - 1 - i];
    requireEqual(x, y, bigSpan, 600 + unsigned(i), [&](const std::string &example) {
      std::string hint = x.group || y.group ? "" : divisibilityHint(x.size, y.size);
      return Diagnostic{
          Kind::DimensionMismatch,
          "`" + operation + "` on " + shown(*big) + " and " + shown(*small) + ": " + text(x) + " and " + text(y) +
              " differ" + (example.empty() ? "" : " (for " + example + ")"),
          {{bigSpan, "this is " + shown(*big)}, {smallSpan, "this is " + shown(*small)}},
          {},
          hint.empty()
              ? "shapes must agree, or the smaller must be the tail of the larger; write other broadcasts with indices"
              : hint};
    });
  }
  return big->axes;
}

// ---- values and terms ----------------------------------------------------------------------------------------------
const Term *Walker::nativeTerm(Ref e) {
  switch (e->kind) {
  case Entity::Kind::Integer:
    return emit.size(e->integer);
  case Entity::Kind::Real:
    return emit.real(checker.options.real, e->real);
  case Entity::Kind::Boolean:
    return emit.integer(Scalar::Bool, e->boolean);
  case Entity::Kind::Tensor:
    if (e->term)
      return e->term;
    if (e->hollow)
      return emit.number(scalarOf(e->element), 0);
    return emit.read(*e->value);
  default:
    fail(Kind::TypeMismatch, "a number is needed here", {{emit.span, "this is " + describe(e)}});
  }
}

const Term *Walker::termOf(Ref e, Scalar type) {
  if (auto number = constant(e); number && isReal(type))
    return emit.real(type, double(*number));
  if (e->kind == Entity::Kind::Real && isReal(type))
    return emit.real(type, e->real);
  return emit.cast(nativeTerm(e), type);
}

bool Walker::listNumbers(Ref e, std::vector<double> &out) const {
  if (e->kind == Entity::Kind::List) {
    for (Ref item : e->items)
      if (!listNumbers(item, out))
        return false;
    return true;
  }
  if (e->kind == Entity::Kind::Real)
    out.push_back(e->real);
  else if (e->kind == Entity::Kind::Boolean)
    out.push_back(e->boolean);
  else if (auto number = constant(e))
    out.push_back(double(*number));
  else
    return false;
  return true;
}

ValueId Walker::valueOf(Ref e, Span span) {
  if (isTensor(e) && e->value)
    return *e->value;
  if (e->kind == Entity::Kind::List) {
    auto shape = shapeOf(e);
    if (!shape)
      fail(Kind::TypeMismatch, "this list is no tensor", {{span, "its elements are not numbers of one shape"}});
    std::vector<double> numbers;
    if (listNumbers(e, numbers))
      return emit.constant({scalarOf(shape->element), extentsOf(shape->axes)}, std::move(numbers));
    std::vector<Ref> parts;
    Argument items{"", e, span}, axis{"", integer(0), span};
    return valueOf(concatOf("stack", {items, axis}, span), span);
  }
  if (isTensor(e) && e->hollow) {
    std::vector<Index> indices = Emitter::indicesFor(extentsOf(e->axes));
    return emit.equation(std::move(indices), emit.number(scalarOf(e->element), 0));
  }
  const Term *term = nativeTerm(e);
  if (inEquation && !freeIndices(term).empty())
    fail(Kind::NotSupported, "a tensor made from one element of an equation is not supported yet",
         {{span, "this depends on an index"}}, "compute it for all indices in an equation of its own");
  return emit.equation({}, term);
}

Ref Walker::whole(Ref e, Span span) {
  if (isTensor(e) && (e->value || !expanding()))
    return e;
  auto shape = shapeOf(e);
  if (!shape)
    fail(Kind::TypeMismatch, "a tensor is needed here", {{span, "this is " + describe(e)}});
  if (!expanding())
    return tensorType(shape->element, shape->axes);
  return emitted(shape->element, valueOf(e, span));
}

Ref Walker::elementwise(const std::vector<Ref> &operands, const std::vector<Scalar> &types, Element result, Axes axes,
                        const TermMaker &makeTerm, Span span) {
  if (!expanding())
    return tensorType(result, std::move(axes));
  emit.span = span;
  if (axes.empty()) {
    std::vector<const Term *> terms;
    for (size_t i = 0; i < operands.size(); ++i)
      terms.push_back(termOf(operands[i], types[i]));
    const Term *term = makeTerm(terms);
    if (!inEquation)
      return emitted(result, emit.equation({}, term));
    Entity &e = make(Entity::Kind::Tensor);
    e.element = result;
    e.term = term;
    return &e;
  }
  std::vector<Index> indices = Emitter::indicesFor(extentsOf(axes));
  std::vector<const Term *> terms;
  for (size_t i = 0; i < operands.size(); ++i) {
    auto shape = shapeOf(operands[i]);
    if (shape->axes.empty()) {
      const Term *term = termOf(operands[i], types[i]);
      if (inEquation && !freeIndices(term).empty())
        fail(Kind::NotAScalar, "a whole tensor and one element in one operation", {{span, "inside an equation"}},
             "subscript the tensor");
      terms.push_back(term);
      continue;
    }
    if (isTensor(operands[i]) && operands[i]->hollow) {
      terms.push_back(emit.number(types[i], 0));
      continue;
    }
    ValueId id = valueOf(operands[i], span);
    size_t skip = axes.size() - shape->axes.size();
    std::vector<Index> tail(indices.begin() + long(skip), indices.end());
    terms.push_back(emit.cast(emit.read(id, Emitter::subscriptsFor(tail)), types[i]));
  }
  const Term *body = makeTerm(terms);
  return emitted(result, emit.equation(std::move(indices), body));
}

Ref Walker::convert(Ref e, Element to, Span span) {
  sound(e);
  auto shape = shapeOf(e);
  if (!shape || shape->element == Element::Text)
    fail(Kind::TypeMismatch, "`" + std::string(nacre::name(to)) + "(...)` converts numbers",
         {{span, "this is " + describe(e)}});
  if (e->kind == Entity::Kind::Real && family(to) == Family::Real && to == Element::Real)
    return e;
  if (family(to) == Family::Real && to == Element::Real)
    if (auto number = constant(e))
      return real(double(*number));
  if (to == Element::Int && isInteger(e))
    return e;
  if (to == Element::Int && e->kind == Entity::Kind::Real && std::abs(e->real) < 9e15)
    return integer(int64_t(e->real));
  Scalar type = scalarOf(to);
  if (expanding() && e->kind == Entity::Kind::List) {
    std::vector<double> numbers;
    if ((family(to) == Family::Real || family(shape->element) != Family::Real) && to != Element::Bool &&
        listNumbers(e, numbers))
      return emitted(to, emit.constant({type, extentsOf(shape->axes)}, std::move(numbers)));
    e = whole(e, span);
  }
  if (expanding() && isTensor(e) && e->value && emit.type(*e->value).element == type)
    return emitted(to, *e->value);
  // Numbers are rounded once, to the type asked for.
  Scalar from = scalarOf(shape->element);
  if (shape->literal)
    from = type;
  return elementwise({e}, {from}, to, shape->axes, [&](auto &t) { return emit.cast(t[0], type); }, span);
}

} // namespace nacre
