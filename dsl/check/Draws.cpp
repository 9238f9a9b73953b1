// Random draws: counter-based, so that a draw depends on its seed, its place and its element, and on nothing else.
//
// The key of a draw is a 64-bit hash of the layer path (outside layers: of the name of the entry or test; in an
// initialiser: of the weight's path) and the ordinal of the draw there; the counter is the row-major element number,
// the rounds of the loops around the draw in front.
// `random_bits` yields an integer below 2^24, so uniform = bits * 2^-24 is exact in f32 and less than 1.
#include "check/Walker.h"
#include <cmath>

namespace nacre {

/// FNV-1a over the bytes, then the finaliser of SplitMix64: near names give far keys.
static uint64_t keyOf(const std::string &path, uint32_t ordinal) {
  uint64_t h = 0xcbf29ce484222325u;
  for (unsigned char c : path)
    h = (h ^ c) * 0x100000001b3u;
  h = (h ^ ordinal) * 0x100000001b3u;
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
  h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
  return h ^ (h >> 31);
}

const Term *Walker::seedTerm(Span span) {
  if (seed)
    return seed;
  if (test && emit.body == &test->body)
    return seed = emit.integer(Scalar::U64, 0);
  if (entry && !train && emit.body == &entry->body)
    fail(Kind::MissingSeed, "`" + entry->name + "` draws and has no `seed: u64`",
         {{span, "drawn here"}, {entry->span, "this entry"}}, "add a parameter `seed: u64`");
  fail(Kind::NotSupported, "a draw inside a function marked @keep is not supported yet", {{span, "drawn here"}},
       "draw outside it");
}

Ref Walker::draw(const std::string &name, const std::vector<Argument> &args, Span span) {
  bool gaussian = name == "normal";
  auto a = gaussian ? arrange(name, args, {"shape", "mean", "std", "seed"}, 1, span)
                    : arrange(name, args, {"shape", "low", "high", "seed"}, 1, span);
  sound(a[0].value);
  Axes axes;
  Element element = Element::Real;
  if (a[0].value->kind == Entity::Kind::List && (a[0].value->items.empty() || isInteger(a[0].value->items[0]))) {
    axes = sizes(a[0]);
  } else if (auto shape = shapeOf(a[0].value); shape && !shape->literal) {
    axes = shape->axes;
    if (family(shape->element) == Family::Real)
      element = shape->element;
  } else {
    fail(Kind::NotASize, "`" + name + "` needs a list of sizes, or a tensor whose shape is taken",
         {{a[0].span, "this is " + describe(a[0].value)}});
  }
  for (int i : {1, 2})
    if (a[size_t(i)].value) {
      auto shape = shapeOf(sound(a[size_t(i)].value));
      Family f = shape ? family(shape->element) : Family::Text;
      if (!shape || !shape->axes.empty() || (f != Family::Real && f != Family::Integer))
        fail(Kind::TypeMismatch, "`" + name + "` needs a number here",
             {{a[size_t(i)].span, "this is " + describe(a[size_t(i)].value)}});
    }
  if (!expanding())
    return tensorType(element, std::move(axes));
  const Term *from = nullptr;
  if (a[3].value) {
    auto value = constant(a[3].value);
    auto shape = shapeOf(a[3].value);
    if (!shape || family(shape->element) != Family::Integer || !shape->axes.empty())
      fail(Kind::TypeMismatch, "a seed is an integer", {{a[3].span, "this is " + describe(a[3].value)}});
    from = value ? emit.integer(Scalar::U64, *value) : termOf(a[3].value, Scalar::U64);
  } else {
    from = seedTerm(span);
  }
  std::string path;
  if (drawPath) {
    path = *drawPath;
  } else {
    for (const Frame *f = frame; f && path.empty(); f = f->caller)
      if (f->self && f->self->decl)
        path = f->self->path;
    if (path.empty())
      path = decl->name.text;
  }
  uint64_t key = keyOf(path, ordinals[path]++);
  // In the equation of a caller every element would draw the same number: refused rather than surprising.
  if (inEquation)
    fail(Kind::NotSupported, "a draw inside an index equation is not supported yet", {{span, ""}},
         "draw a whole tensor first: `let u = uniform([n])`");
  std::vector<Index> indices = Emitter::indicesFor(extentsOf(axes));
  Polynomial position(0);
  if (!drawPath) // loops first: each round draws anew
    for (const Index &counter : loopCounters)
      position = position * counter.extent + Polynomial(counter.atom);
  for (const Index &index : indices)
    position = position * index.extent + Polynomial(index.atom);
  Scalar type = scalarOf(element);
  constexpr double unit = 1.0 / 16777216.0; // 2^-24
  auto bits = [&](const Polynomial &counter) {
    const Term *drawn =
        emit.apply(Primitive::RandomBits, {from, emit.integer(Scalar::U64, int64_t(key)), emit.size(counter)});
    return emit.cast(drawn, type);
  };
  auto times = [&](const Term *x, const Term *y) { return emit.apply(Primitive::Multiply, {x, y}); };
  auto plus = [&](const Term *x, const Term *y) { return emit.apply(Primitive::Add, {x, y}); };
  const Term *value = nullptr;
  if (!gaussian) {
    value = times(bits(position), emit.real(type, unit));
  } else {
    // Box-Muller: sqrt(-2 log u) cos(2 pi v), where u lies in (0, 1): half a unit above the bits.
    const Term *u = times(plus(bits(position * Polynomial(2)), emit.real(type, 0.5)), emit.real(type, unit));
    const Term *v = times(bits(position * Polynomial(2) + 1), emit.real(type, unit * 2 * 3.14159265358979323846));
    const Term *radius = emit.apply(Primitive::Sqrt, {times(emit.real(type, -2), emit.apply(Primitive::Log, {u}))});
    value = times(radius, emit.apply(Primitive::Cos, {v}));
  }
  // low + (high - low)*u, or mean + std*z; what is not given costs nothing.
  auto numberIs = [](Ref e, double x) {
    return !e || (e->kind == Entity::Kind::Real && e->real == x) || constant(e) == int64_t(x);
  };
  const Term *offset = a[1].value && !numberIs(a[1].value, 0) ? termOf(a[1].value, type) : nullptr;
  const Term *scale = a[2].value && !numberIs(a[2].value, 1) ? termOf(a[2].value, type) : nullptr;
  if (!gaussian && offset) {
    auto asNumber = [](Ref e) {
      return e->kind == Entity::Kind::Real ? std::optional(e->real)
             : constant(e)                 ? std::optional(double(*constant(e)))
                                           : std::nullopt;
    };
    auto low = asNumber(a[1].value), high = a[2].value ? asNumber(a[2].value) : std::optional(1.0);
    scale = low && high ? emit.real(type, *high - *low)
                        : emit.apply(Primitive::Subtract, {scale ? scale : emit.real(type, 1), offset});
  }
  if (scale)
    value = times(value, scale);
  if (offset)
    value = plus(value, offset);
  return emitted(element, emit.equation(std::move(indices), value));
}

} // namespace nacre
