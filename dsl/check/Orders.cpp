// sort, argsort, topk and cumsum: what depends on the order of the elements along one axis.
#include "check/Walker.h"

namespace nacre {

/// The operand and its axis (the last one if none is given); numbers only.
std::pair<Ref, size_t> Walker::alongAxis(const std::string &name, const Argument &x, const Argument &axis) {
  Ref tensor = whole(sound(x.value), x.span);
  Family f = family(tensor->element);
  if (f != Family::Real && f != Family::Integer)
    fail(Kind::TypeMismatch, "`" + name + "` needs numbers", {{x.span, "this is " + describe(tensor)}});
  if (tensor->axes.empty())
    fail(Kind::RankMismatch, "`" + name + "` of a scalar", {{x.span, "this is " + describe(tensor)}});
  size_t at = axis.value ? axisNumber(axis, tensor->axes.size(), tensor) : tensor->axes.size() - 1;
  if (tensor->axes[at].group)
    fail(Kind::RankGroup, "`" + name + "` along an axis of `...`", {{x.span, "this is " + describe(tensor)}});
  return {tensor, at};
}

bool Walker::compileTimeFlag(const Argument &a) {
  if (!a.value)
    return false;
  if (auto known = truth(a.value))
    return *known;
  if (modular && isTensor(a.value) && a.value->element == Element::Bool)
    return false; // its type is the same either way
  fail(Kind::NotCompileTime, "this flag is `true` or `false`, known at compile time",
       {{a.span, "this is " + describe(a.value)}});
}

/// The stable order of each line along an axis, as subscripts.
ValueId Walker::permutation(ValueId x, size_t axis, bool descending) {
  Value v{};
  v.kind = Value::Kind::Permutation;
  v.type = {Scalar::I32, emit.type(x).extents};
  v.operands = {x};
  v.axis = uint32_t(axis);
  v.reverse = descending;
  return emit.append(std::move(v));
}

/// Along `axis` the elements of `x` at the first `extent` places of `order`; and these places.
Ref Walker::inOrder(Ref x, size_t axis, ValueId order, const Polynomial &extent) {
  ValueId values = *x->value;
  std::vector<Polynomial> extents = emit.type(values).extents;
  bool all = extents[axis] == extent;
  extents[axis] = extent;
  auto places = Emitter::indicesFor(extents);
  if (!all) {
    const Term *place = emit.read(order, Emitter::subscriptsFor(places));
    order = emit.equation(std::move(places), place);
  }
  std::vector<Index> indices = Emitter::indicesFor(extents);
  std::vector<Subscript> subscripts = Emitter::subscriptsFor(indices);
  subscripts[axis] = {};
  subscripts[axis].gather = emit.cast(emit.read(order, Emitter::subscriptsFor(indices)), Scalar::I64);
  const Term *element = emit.read(values, std::move(subscripts));
  Ref sorted = emitted(x->element, emit.equation(std::move(indices), element));
  return record({sorted, emitted(Element::I32, order)}, {"", ""});
}

/// sort(x) gives the values and where they were; argsort(x) only the latter. A NaN comes last.
Ref Walker::sortOf(const std::string &name, const std::vector<Argument> &args, Span span) {
  auto a = arrange(name, args, {"x", "axis", "descending"}, 1, span);
  auto [x, axis] = alongAxis(name, a[0], a[1]);
  bool descending = compileTimeFlag(a[2]);
  if (!expanding()) {
    Ref order = tensorType(Element::I32, x->axes);
    return name == "argsort" ? order : record({tensorType(x->element, x->axes), order}, {"", ""});
  }
  ValueId order = permutation(valueOf(x, span), axis, descending);
  if (name == "argsort")
    return emitted(Element::I32, order);
  return inOrder(x, axis, order, x->axes[axis].size);
}

/// topk[k](x): the k largest along the last axis, the largest first, and where they were.
Ref Walker::largestOf(const Bindings &hyper, const std::vector<Argument> &args, Span span) {
  Argument given = arrange("topk", args, {"x"}, 1, span)[0];
  if (hyper.size() != 1 || !isInteger(hyper[0].second))
    fail(Kind::MissingArgument, "`topk` takes one number in brackets", {{span, ""}}, "write `topk[5](x)`");
  auto [x, axis] = alongAxis("topk", given, {});
  const Polynomial &k = hyper[0].second->integer, extent = x->axes[axis].size;
  requireSize(k, 1, span, 1301, "the `k` of `topk`");
  require(
      Relation::NonNegative, extent - k, given.span, 1300,
      [&, of = x](const std::string &example) {
        return Diagnostic{Kind::WhereViolated,
                          "`topk` takes " + k.text() + " of " + extent.text() +
                              (example.empty() ? "" : " (for " + example + ")"),
                          {{given.span, "this is " + describe(of)}},
                          {},
                          ""};
      },
      true);
  if (!expanding()) {
    Axes axes = x->axes;
    axes[axis] = {k, false};
    return record({tensorType(x->element, axes), tensorType(Element::I32, axes)}, {"", ""});
  }
  return inOrder(x, axis, permutation(valueOf(x, span), axis, true), k);
}

/// cumsum(x): each element plus all before it, from the end if `reverse`. Small integers add up in i32, as in `sum`.
Ref Walker::runningSum(const std::vector<Argument> &args, Span span) {
  auto a = arrange("cumsum", args, {"x", "axis", "reverse"}, 1, span);
  auto [x, axis] = alongAxis("cumsum", a[0], a[1]);
  bool reverse = compileTimeFlag(a[2]);
  Element element = reducedElement("sum", x->element, span);
  if (!expanding())
    return tensorType(element, x->axes);
  Value v{};
  v.kind = Value::Kind::CumulativeSum;
  v.operands = {valueOf(convert(x, element, span), span)};
  v.type = emit.type(v.operands[0]);
  v.axis = uint32_t(axis);
  v.reverse = reverse;
  return emitted(element, emit.append(std::move(v)));
}

} // namespace nacre
