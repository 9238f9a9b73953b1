// The primitive operations whose shapes no signature can say.
#include "check/Builtins.h"
#include "check/Train.h"
#include "check/Walker.h"
#include <algorithm>
#include <cmath>

namespace nacre {

// Scalar functions: the name, the primitive, and the same function at compile time.
struct ScalarFunction {
  std::string_view name;
  Primitive primitive;
  double (*atCompileTime)(double);
  bool keepsIntegers;
};
static double signOf(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }
static double rsqrtOf(double x) { return 1 / std::sqrt(x); }
static const ScalarFunction ScalarFunctions[] = {{"exp", Primitive::Exp, std::exp, false},
                                                 {"log", Primitive::Log, std::log, false},
                                                 {"log1p", Primitive::Log1p, std::log1p, false},
                                                 {"expm1", Primitive::Expm1, std::expm1, false},
                                                 {"sqrt", Primitive::Sqrt, std::sqrt, false},
                                                 {"rsqrt", Primitive::Rsqrt, rsqrtOf, false},
                                                 {"sin", Primitive::Sin, std::sin, false},
                                                 {"cos", Primitive::Cos, std::cos, false},
                                                 {"tanh", Primitive::Tanh, std::tanh, false},
                                                 {"erf", Primitive::Erf, std::erf, false},
                                                 {"floor", Primitive::Floor, std::floor, true},
                                                 {"ceil", Primitive::Ceil, std::ceil, true},
                                                 {"round", Primitive::Round, std::nearbyint, true},
                                                 {"abs", Primitive::Absolute, std::fabs, true},
                                                 {"sign", Primitive::Sign, signOf, true}};

static const std::string_view Reducers[] = {"sum", "prod",   "mean",   "max", "min",
                                            "any", "argmax", "argmin", "all", "logsumexp"};
static const std::string_view Others[] = {
    "reshape",   "concat", "stack",     "unstack",   "split",   "fill",    "uniform", "normal",    "iota",
    "shape",     "size",   "len",       "select",    "clamp",   "append",  "zip",     "enumerate", "assert",
    "seed",      "grad",   "stop_grad", "gradcheck", "weights", "named",   "matches", "update",    "minimise",
    "bernoulli", "sort",   "argsort",   "topk",      "cumsum",  "plateaus"};
// Part of the language, refused where an entry or a test reaches them.
static const std::string_view NotYet[] = {"print", "sample", "together", "load_image", "all_sum",
                                          "rank",  "ranks",  "bpe",      "wordpiece",  "char"};

template <class Table> static bool contains(const Table &table, const std::string &name) {
  return std::find(std::begin(table), std::end(table), name) != std::end(table);
}
static const ScalarFunction *scalarFunctionNamed(const std::string &name) {
  for (const ScalarFunction &f : ScalarFunctions)
    if (f.name == name)
      return &f;
  return nullptr;
}

bool isReducer(const std::string &name) { return contains(Reducers, name); }
bool isScalarFunction(const std::string &name) { return scalarFunctionNamed(name) != nullptr; }
bool isBuiltin(const std::string &name) {
  Element ignored;
  return isReducer(name) || isScalarFunction(name) || contains(Others, name) || contains(NotYet, name) ||
         elementNamed(name, ignored);
}
std::vector<std::string> builtinNames() {
  std::vector<std::string> out;
  for (std::string_view name : Reducers)
    out.emplace_back(name);
  for (const ScalarFunction &f : ScalarFunctions)
    out.emplace_back(f.name);
  for (std::string_view name : Others)
    out.emplace_back(name);
  for (size_t i = 0; i <= size_t(Element::Text); ++i)
    out.emplace_back(name(Element(i)));
  return out;
}

/// Arguments by position, as declared by `parameters`; those not given have a null value.
std::vector<Argument> Walker::arrange(const std::string &name, const std::vector<Argument> &args,
                                      const std::vector<std::string> &parameters, size_t required, Span span) {
  std::vector<Argument> out(parameters.size());
  auto all = [&] {
    std::string text;
    for (const std::string &p : parameters)
      text += (text.empty() ? "`" : ", `") + p + "`";
    return text;
  };
  for (size_t i = 0; i < args.size(); ++i) {
    size_t at = i;
    if (!args[i].name.empty()) {
      auto found = std::find(parameters.begin(), parameters.end(), args[i].name);
      if (found == parameters.end())
        fail(Kind::UnknownArgument, "`" + name + "` has no argument `" + args[i].name + "`", {{args[i].span, ""}},
             "its arguments are " + all());
      at = size_t(found - parameters.begin());
    }
    if (at >= parameters.size())
      fail(Kind::UnknownArgument,
           "`" + name + "` takes " + std::to_string(parameters.size()) +
               (parameters.size() == 1 ? " argument" : " arguments") + ", this is number " + std::to_string(i + 1),
           {{args[i].span, ""}}, "its arguments are " + all());
    out[at] = args[i];
  }
  for (size_t i = 0; i < required; ++i)
    if (!out[i].value)
      fail(Kind::MissingArgument, "`" + name + "` needs `" + parameters[i] + "`",
           {{span, args.empty() ? "no argument given" : std::to_string(args.size()) + " given"}},
           "its arguments are " + all());
  return out;
}

Axes Walker::sizes(const Argument &a) {
  sound(a.value);
  if (a.value->kind != Entity::Kind::List)
    fail(Kind::NotASize, "a shape is a list of sizes", {{a.span, "this is " + describe(a.value)}});
  Axes out;
  for (Ref item : a.value->items) {
    if (isInteger(item) && item->group)
      out.push_back({item->integer, true});
    else {
      out.push_back({sizeOf(item, a.span), false});
      requireSize(out.back().size, 1, a.span, 1010 + unsigned(out.size()),
                  "axis " + std::to_string(out.size() - 1) + " of this shape");
    }
  }
  return out;
}

size_t Walker::axisNumber(const Argument &a, size_t rank, Ref tensor) {
  auto axis = constant(a.value);
  if (!axis)
    fail(Kind::NotCompileTime, "an axis is a number known at compile time", {{a.span, "this is " + describe(a.value)}});
  int64_t at = *axis < 0 ? *axis + int64_t(rank) : *axis;
  if (at < 0 || at >= int64_t(rank))
    fail(Kind::RankMismatch, "no axis " + std::to_string(*axis),
         {{a.span, describe(tensor) + " has " + std::to_string(tensor->axes.size()) + " axes"}});
  return size_t(at);
}

Ref Walker::scalarFunction(const std::string &name, const std::vector<Argument> &args, Span span) {
  const ScalarFunction &f = *scalarFunctionNamed(name);
  Argument x = arrange(name, args, {"x"}, 1, span)[0];
  auto shape = shapeOf(x.value);
  if (x.value->kind == Entity::Kind::Tree)
    return leafwise({x.value}, span, [&](auto &leaf) { return scalarFunction(name, {{"", leaf[0], x.span}}, span); });
  Family of = shape ? family(shape->element) : Family::Text;
  if (!shape || of == Family::Boolean || of == Family::Text)
    fail(Kind::TypeMismatch, "`" + name + "` needs numbers", {{x.span, "this is " + describe(x.value)}});
  std::optional<double> number;
  if (x.value->kind == Entity::Kind::Real)
    number = x.value->real;
  else if (auto c = constant(x.value))
    number = double(*c);
  if (number) {
    double value = f.atCompileTime(*number);
    return isInteger(x.value) && f.keepsIntegers ? integer(int64_t(value)) : real(value);
  }
  if (name == "abs" && isInteger(x.value) && !dependsOnIndices(x.value))
    return integer(maximum(x.value->integer, -x.value->integer));
  bool rounding = name == "floor" || name == "ceil" || name == "round";
  if (of == Family::Integer && rounding)
    return x.value;
  Element element = of == Family::Real || f.keepsIntegers ? shape->element : Element::Real;
  if (of == Family::Integer && !f.keepsIntegers && !shape->literal && shape->element != Element::Int)
    fail(Kind::TypeMismatch, "`" + name + "` needs reals, this is " + std::string(nacre::name(shape->element)),
         {{x.span, "this is " + describe(x.value)}}, "write `real(...)` to convert");
  return elementwise(
      {x.value}, {scalarOf(element)}, element, shape->axes, [&](auto &t) { return emit.apply(f.primitive, {t[0]}); },
      span);
}

/// max(a, b) and min(a, b), elementwise; a NaN on either side wins.
Ref Walker::extremum(const std::string &name, const std::vector<Argument> &args, Span span) {
  bool largest = name == "max";
  Ref result = args[0].value;
  for (size_t i = 1; i < args.size(); ++i) {
    Ref a = result, b = args[i].value;
    if (a->kind == Entity::Kind::Tree || b->kind == Entity::Kind::Tree) {
      result = leafwise({a, b}, span, [&](auto &leaf) {
        return extremum(name, {{"", leaf[0], args[0].span}, {"", leaf[1], args[i].span}}, span);
      });
      continue;
    }
    if (isInteger(a) && isInteger(b) && !a->group && !b->group) {
      result = integer(largest ? maximum(a->integer, b->integer) : minimum(a->integer, b->integer));
      continue;
    }
    auto s = shapeOf(a), t = shapeOf(b);
    if (!s || !t)
      fail(Kind::TypeMismatch, "`" + name + "` needs numbers", {{args[i].span, "this is " + describe(s ? b : a)}});
    bool numbers = s->literal && t->literal;
    Element element = combine(*s, *t, span, name, true);
    Axes axes = broadcast(*s, *t, args[0].span, args[i].span, name);
    if (numbers && (a->kind == Entity::Kind::Real || constant(a)) && (b->kind == Entity::Kind::Real || constant(b))) {
      double x = a->kind == Entity::Kind::Real ? a->real : double(*constant(a));
      double y = b->kind == Entity::Kind::Real ? b->real : double(*constant(b));
      result = real(largest ? std::max(x, y) : std::min(x, y));
      continue;
    }
    Scalar type = scalarOf(element);
    Primitive p = largest ? Primitive::Maximum : Primitive::Minimum;
    result = elementwise(
        {a, b}, {type, type}, element, axes, [&](auto &terms) { return emit.apply(p, {terms[0], terms[1]}); }, span);
  }
  return result;
}

static Polynomial product(const Axes &axes) {
  Polynomial p(1);
  for (const Axis &axis : axes)
    p = p * axis.size;
  return p;
}

Ref Walker::reshapeOf(const std::vector<Argument> &args, Span span) {
  auto a = arrange("reshape", args, {"x", "shape"}, 2, span);
  Ref x = whole(a[0].value, a[0].span);
  if (a[1].value->kind != Entity::Kind::List)
    fail(Kind::NotASize, "a shape is a list of sizes", {{a[1].span, "this is " + describe(a[1].value)}});
  Axes wanted;
  std::optional<size_t> open;
  for (Ref item : a[1].value->items) {
    if (item->kind == Entity::Kind::Builtin && item->text == "_") {
      if (open)
        fail(Kind::NotASize, "only one size can be left open", {{a[1].span, ""}});
      open = wanted.size();
      wanted.push_back({Polynomial(1), false});
    } else if (isInteger(item) && item->group) {
      wanted.push_back({item->integer, true});
    } else {
      wanted.push_back({sizeOf(item, a[1].span), false});
    }
  }
  Polynomial before = product(x->axes);
  if (open) {
    Polynomial rest = product(wanted);
    Polynomial size = facts().quotient(before, rest);
    wanted[*open] = {size, false};
  }
  Polynomial after = product(wanted);
  require(Relation::Zero, before - after, a[0].span, 1000, [&](const std::string &example) {
    auto c = before.constant(), d = after.constant();
    std::string hint = divisibilityHint(before, after);
    if (c && d && *c > *d && *d > 0)
      hint = std::to_string(*c) + " = " + std::to_string(*d) + " * " + std::to_string(*c / *d) + " + " +
             std::to_string(*c % *d);
    return Diagnostic{Kind::ElementCount,
                      "`reshape` turns " + before.text() + " elements into " + after.text() +
                          (example.empty() ? "" : " (differ for " + example + ")"),
                      {{a[0].span, "this is " + describe(x)}, {a[1].span, after.text() + " elements"}},
                      {},
                      hint};
  });
  if (!expanding())
    return tensorType(x->element, std::move(wanted));
  return emitted(x->element, emit.reshape(valueOf(x, a[0].span), extentsOf(wanted)));
}

Ref Walker::concatOf(const std::string &name, const std::vector<Argument> &args, Span span) {
  auto a = arrange(name, args, {"parts", "axis"}, 1, span);
  bool stacks = name == "stack";
  if (a[0].value->kind == Entity::Kind::Members)
    throw Quiet();
  if ((a[0].value->kind != Entity::Kind::List && a[0].value->kind != Entity::Kind::Record) || a[0].value->items.empty())
    fail(Kind::TypeMismatch, "`" + name + "` needs a list of tensors",
         {{a[0].span, "this is " + describe(a[0].value)}});
  std::vector<Ref> parts;
  std::optional<Shape> joint;
  for (Ref item : a[0].value->items) {
    sound(item);
    auto shape = shapeOf(item);
    if (!shape)
      fail(Kind::TypeMismatch, "`" + name + "` joins tensors", {{a[0].span, "one of them is " + describe(item)}});
    joint = joint
                ? Shape{combine(*joint, *shape, a[0].span, name, false), joint->axes, joint->literal && shape->literal}
                : shape;
    parts.push_back(whole(item, a[0].span));
  }
  Ref first = parts[0];
  size_t rank = first->axes.size();
  if (!a[1].value)
    a[1] = {"", integer(0), span};
  size_t axis = axisNumber(a[1], rank + (stacks ? 1 : 0), first);
  Polynomial total(0);
  for (Ref part : parts) {
    if (part->axes.size() != rank)
      fail(Kind::RankMismatch, "`" + name + "` of " + describe(first) + " and " + describe(part),
           {{a[0].span, "one rank for all parts"}});
    for (size_t j = 0; j < rank; ++j) {
      const Axis &p = first->axes[j], &q = part->axes[j];
      if (!stacks && j == axis) {
        if (q.group)
          fail(Kind::RankGroup, "`concat` along an axis of `...`", {{a[1].span, ""}});
        continue;
      }
      requireEqual(p, q, a[0].span, 1100 + unsigned(j), [&](const std::string &example) {
        std::string hint = p.group || q.group ? "" : divisibilityHint(p.size, q.size);
        return Diagnostic{Kind::DimensionMismatch,
                          "`" + name + "` along axis " + std::to_string(axis) + ": axis " + std::to_string(j) + " is " +
                              text(p) + " and " + text(q) + (example.empty() ? "" : " (differ for " + example + ")"),
                          {{a[0].span, "these are " + describe(first) + " and " + describe(part)}},
                          {},
                          !hint.empty() ? hint
                          : !stacks     ? "`" + name + "` along axis " + std::to_string(j)
                                        : ""};
      });
    }
    if (!stacks)
      total = total + part->axes[axis].size;
  }
  Axes axes = first->axes;
  if (stacks)
    axes.insert(axes.begin() + long(axis), Axis{Polynomial(int64_t(parts.size())), false});
  else
    axes[axis] = {total, false};
  if (!expanding())
    return tensorType(joint->element, std::move(axes));
  std::vector<ValueId> values;
  for (Ref part : parts) {
    Ref converted = convert(part, joint->element, a[0].span);
    ValueId id = valueOf(converted, a[0].span);
    if (stacks) {
      std::vector<Polynomial> extents = emit.type(id).extents;
      extents.insert(extents.begin() + long(axis), Polynomial(1));
      id = emit.reshape(id, std::move(extents));
    }
    values.push_back(id);
  }
  return emitted(joint->element, emit.concat(std::move(values), uint32_t(axis)));
}

Ref Walker::splitOf(const std::vector<Argument> &args, Span span) {
  auto a = arrange("split", args, {"x", "parts", "axis"}, 2, span);
  Ref x = whole(a[0].value, a[0].span);
  auto parts = constant(a[1].value);
  if (!parts || *parts < 1 || *parts > 4096) {
    if (modular && isInteger(a[1].value))
      throw Quiet();
    fail(Kind::NotCompileTime, "the number of parts is known at compile time, and at least 1",
         {{a[1].span, "this is " + describe(a[1].value)}});
  }
  if (x->axes.empty())
    fail(Kind::RankMismatch, "`split` of a scalar", {{a[0].span, "this is " + describe(x)}});
  size_t axis = a[2].value ? axisNumber(a[2], x->axes.size(), x) : x->axes.size() - 1;
  if (x->axes[axis].group)
    fail(Kind::RankGroup, "`split` along an axis of `...`", {{a[0].span, "this is " + describe(x)}});
  const Polynomial extent = x->axes[axis].size;
  require(
      Relation::Zero, remainder(extent, Polynomial(*parts)), a[0].span, 1200,
      [&](const std::string &example) {
        return Diagnostic{Kind::DimensionMismatch,
                          "`split` into " + std::to_string(*parts) + " parts of " +
                              (a[2].value ? "axis " + std::to_string(axis) : "the last axis") + ", " + extent.text() +
                              ", leaves a rest" + (example.empty() ? "" : " (for " + example + ")"),
                          {{a[0].span, "this is " + describe(x)}},
                          {},
                          ""};
      },
      true);
  Polynomial length = floorDivide(extent, Polynomial(*parts));
  Axes axes = x->axes;
  axes[axis] = {length, false};
  std::vector<Ref> items;
  for (int64_t i = 0; i < *parts; ++i) {
    if (!expanding()) {
      items.push_back(tensorType(x->element, axes));
      continue;
    }
    std::vector<Index> indices = Emitter::indicesFor(extentsOf(axes));
    std::vector<Subscript> subscripts = Emitter::subscriptsFor(indices);
    subscripts[axis].affine = subscripts[axis].affine + length * Polynomial(i);
    const Term *element = emit.read(valueOf(x, a[0].span), std::move(subscripts));
    items.push_back(emitted(x->element, emit.equation(std::move(indices), element)));
  }
  std::vector<std::string> names(items.size());
  return record(std::move(items), std::move(names));
}

Ref Walker::unstackOf(const std::vector<Argument> &args, Span span) {
  auto a = arrange("unstack", args, {"x", "axis"}, 1, span);
  Ref x = whole(a[0].value, a[0].span);
  if (!a[1].value)
    a[1] = {"", integer(0), span};
  size_t axis = axisNumber(a[1], x->axes.size(), x);
  auto count = x->axes[axis].group ? std::nullopt : facts().normal(x->axes[axis].size).constant();
  if (!count) {
    if (modular)
      throw Quiet();
    fail(Kind::NotASize, "`unstack` needs an axis of known size, this is " + text(x->axes[axis]),
         {{a[0].span, "this is " + describe(x)}});
  }
  if (*count > 4096)
    fail(Kind::UnrollSize, "`unstack` into " + std::to_string(*count) + " tensors", {{span, "at most 4096"}});
  Axes axes = x->axes;
  axes.erase(axes.begin() + long(axis));
  std::vector<Ref> items;
  for (int64_t i = 0; i < *count; ++i) {
    if (!expanding()) {
      items.push_back(tensorType(x->element, axes));
      continue;
    }
    std::vector<Index> indices = Emitter::indicesFor(extentsOf(axes));
    std::vector<Subscript> subscripts = Emitter::subscriptsFor(indices);
    Subscript fixed;
    fixed.affine = Polynomial(i);
    subscripts.insert(subscripts.begin() + long(axis), fixed);
    const Term *element = emit.read(valueOf(x, a[0].span), std::move(subscripts));
    items.push_back(emitted(x->element, emit.equation(std::move(indices), element)));
  }
  std::vector<std::string> names(items.size());
  return record(std::move(items), std::move(names));
}

Ref Walker::fillOf(Ref value, Axes axes, Span span) {
  auto shape = shapeOf(value);
  if (!shape || !shape->axes.empty())
    fail(Kind::NotAScalar, "one number fills a tensor, this is " + describe(value), {{span, ""}});
  Element element = shape->element;
  if (!expanding())
    return tensorType(element, std::move(axes));
  const Term *term = termOf(value, scalarOf(element));
  return emitted(element, emit.equation(Emitter::indicesFor(extentsOf(axes)), term));
}

Ref Walker::builtin(const std::string &name, const Bindings &hyper, const std::vector<Argument> &args, Span span) {
  emit.span = span;
  Element element;
  if (elementNamed(name, element)) {
    if (element == Element::Text)
      notSupported("`str(...)`", span);
    return convert(arrange(name, args, {"x"}, 1, span)[0].value, element, span);
  }
  if (isScalarFunction(name))
    return scalarFunction(name, args, span);
  if ((name == "max" || name == "min") && args.size() >= 2)
    return extremum(name, args, span);
  if (isReducer(name)) {
    Argument x = arrange(name, args, {"x"}, 1, span)[0];
    return reduceWhole(name, x.value, span);
  }
  if (name == "reshape")
    return reshapeOf(args, span);
  if (name == "concat" || name == "stack")
    return concatOf(name, args, span);
  if (name == "split")
    return splitOf(args, span);
  if (name == "unstack")
    return unstackOf(args, span);
  if (name == "uniform" || name == "normal")
    return draw(name, args, span);
  if (name == "bernoulli") { // true with probability p
    auto a = arrange(name, args, {"p", "seed"}, 1, span);
    Ref p = whole(a[0].value, a[0].span);
    std::vector<Argument> drawn = {{"", p, a[0].span}};
    if (a[1].value)
      drawn.push_back({"seed", a[1].value, a[1].span});
    return binaryOf(ast::BinaryOp::Less, draw("uniform", drawn, span), p, span, a[0].span, span);
  }
  if (name == "select") {
    auto a = arrange(name, args, {"condition", "then", "otherwise"}, 3, span);
    return selectOf(a[0].value, a[1].value, a[2].value, a[0].span, a[1].span, a[2].span);
  }
  if (name == "clamp") {
    auto a = arrange(name, args, {"x", "low", "high"}, 3, span);
    Ref above = extremum("max", {a[0], a[1]}, span);
    return extremum("min", {{"", above, a[0].span}, a[2]}, span);
  }
  if (name == "fill") {
    auto a = arrange(name, args, {"value", "shape"}, 2, span);
    return fillOf(a[0].value, sizes(a[1]), a[0].span);
  }
  if (name == "iota") {
    Argument n = arrange(name, args, {"n"}, 1, span)[0];
    Polynomial size = sizeOf(n.value, n.span);
    requireSize(size, 1, n.span, 1009, "the size of `iota`");
    if (!expanding())
      return tensorType(Element::Int, {{size, false}});
    std::vector<Index> indices = Emitter::indicesFor({size});
    const Term *value = emit.size(Polynomial(indices[0].atom));
    return emitted(Element::Int, emit.equation(std::move(indices), value));
  }
  if (name == "shape" || name == "size" || name == "len") {
    Argument x = arrange(name, args, {"x"}, 1, span)[0];
    if (name == "len" && (x.value->kind == Entity::Kind::List || x.value->kind == Entity::Kind::Record))
      return integer(int64_t(x.value->items.size()));
    if (name == "len" && x.value->kind == Entity::Kind::Members)
      return integer(x.value->count);
    auto shape = shapeOf(x.value);
    if (!shape)
      fail(Kind::TypeMismatch, "`" + name + "` of a tensor", {{x.span, "this is " + describe(x.value)}});
    if (name == "size")
      return integer(product(shape->axes));
    if (name == "len") {
      if (shape->axes.empty() || shape->axes[0].group)
        fail(Kind::RankMismatch, "`len` is a first extent", {{x.span, "this is " + describe(x.value)}});
      return integer(shape->axes[0].size);
    }
    std::vector<Ref> items;
    for (const Axis &axis : shape->axes) {
      Entity &e = make(Entity::Kind::Integer);
      e.integer = axis.size;
      e.group = axis.group;
      items.push_back(&e);
    }
    return list(std::move(items));
  }
  if (name == "append") {
    auto a = arrange(name, args, {"list", "element"}, 2, span);
    if (a[0].value->kind != Entity::Kind::List)
      fail(Kind::TypeMismatch, "`append` needs a list", {{a[0].span, "this is " + describe(a[0].value)}});
    std::vector<Ref> items = a[0].value->items;
    items.push_back(a[1].value);
    return list(std::move(items));
  }
  if (name == "zip" || name == "enumerate") {
    if (name == "enumerate" && args.size() == 1 && args[0].value->kind == Entity::Kind::Members) {
      const Atom *atom = freshAtom(AtomKind::Index, "i");
      for (Facts &level : factStack)
        level.setIndex(atom, args[0].value->count);
      Entity &members = make(Entity::Kind::Members);
      members.count = args[0].value->count;
      members.member = record({integer(Polynomial(atom)), args[0].value->member}, {"", ""});
      return &members;
    }
    std::vector<std::vector<Ref>> lists;
    for (const Argument &a : args)
      lists.push_back(sequence(a.value, a.span));
    if (lists.empty())
      fail(Kind::MissingArgument, "`" + name + "` needs a list", {{span, ""}});
    std::vector<Ref> items;
    for (size_t i = 0; i < lists[0].size(); ++i) {
      std::vector<Ref> row;
      if (name == "enumerate")
        row.push_back(integer(int64_t(i)));
      for (auto &l : lists) {
        if (l.size() != lists[0].size())
          fail(Kind::TypeMismatch, "`zip` of lists of different lengths",
               {{span, std::to_string(lists[0].size()) + " and " + std::to_string(l.size())}});
        row.push_back(l[i]);
      }
      std::vector<std::string> names(row.size());
      items.push_back(record(std::move(row), std::move(names)));
    }
    return list(std::move(items));
  }
  if (name == "assert") {
    auto a = arrange(name, args, {"condition", "text"}, 1, span);
    if (auto known = truth(a[0].value)) {
      if (!*known)
        fail(Kind::Assertion,
             a[1].value && a[1].value->kind == Entity::Kind::String ? a[1].value->text : "this does not hold",
             {{span, "false at compile time"}});
    } else if (expanding()) {
      notSupported("an `assert` on values known at run time", span);
    }
    return checker.bad;
  }
  if (name == "seed") {
    Argument n = arrange(name, args, {"n"}, 1, span)[0];
    auto value = constant(n.value);
    if (!test || frame != top || !value)
      fail(Kind::MisplacedStatement, "`seed(n)` stands in a test, with a number", {{span, ""}},
           "an entry takes a parameter `seed: u64`");
    test->seed = uint64_t(*value);
    seed = emit.integer(Scalar::U64, *value);
    return checker.bad;
  }
  if (name == "grad")
    return gradientCall(args, span);
  if (name == "weights" || name == "named") {
    Argument x = arrange(name, args, {"layer"}, 1, span)[0];
    return name == "weights" ? weightsOf(x.value, x.span) : namedOf(x.value, x.span);
  }
  if (name == "matches")
    return matchesOf(args, span);
  if (name == "minimise" || name == "update") {
    auto a = arrange(name, args, {name == "update" ? "model" : "e", name == "update" ? "gradient" : "model"}, 2, span);
    if (!train || phase != TrainPhase::Step || frame != top)
      fail(Kind::MisplacedStatement, "`" + name + "` stands in the `step` of a train block", {{span, ""}},
           name == "update" ? "a `loss` is minimised by itself" : "");
    if (name == "update")
      train->update(*this, a[0].value, a[1].value, span);
    else
      train->minimise(*this, a[0].value, a[1].value, a[0].span);
    return checker.bad;
  }
  if (name == "plateaus") {
    if (!expanding() && !train)
      return tensorType(Element::I32, {});
    if (!train || !train->counts())
      fail(Kind::MisplacedStatement, "`plateaus` is known to a train block only", {{span, ""}},
           "use it in the schedule of an optimiser");
    return train->plateaus(*this, args, span);
  }
  if (name == "stop_grad")
    return stopGradient(arrange(name, args, {"x"}, 1, span)[0].value, span);
  if (name == "gradcheck")
    fail(Kind::MisplacedStatement, "`gradcheck` is what a test expects", {{span, ""}},
         "write `expect gradcheck(f, x)`");
  if (name == "sort" || name == "argsort")
    return sortOf(name, args, span);
  if (name == "topk")
    return largestOf(hyper, args, span);
  if (name == "cumsum")
    return runningSum(args, span);
  notSupported("`" + name + "`", span);
  throw Quiet();
}

} // namespace nacre
