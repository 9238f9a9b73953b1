// One element of a tensor: range proofs of arithmetic subscripts, gathers, and what an entry must check of its
// arguments.
#include "check/Visit.h"
#include "check/Walker.h"
#include <algorithm>

namespace nacre {
using ast::as;

// ---- elements ------------------------------------------------------------------------------------------------------
/// x[subscripts] inside an equation: one element, or with `place` where it is.
Ref Walker::elementOf(const ast::SubscriptExpr *e, Ref base, Scope *inner, std::vector<Subscript> *place) {
  const Axes &axes = base->axes;
  size_t explicitCount = 0;
  bool group = false;
  for (const ast::Argument &a : e->arguments) {
    if (a.form == ast::Argument::Form::Ellipsis)
      group = true;
    else
      ++explicitCount;
  }
  if (group ? explicitCount > axes.size() : explicitCount != axes.size())
    fail(Kind::RankMismatch,
         std::to_string(explicitCount) + (explicitCount == 1 ? " subscript for " : " subscripts for ") +
             std::to_string(axes.size()) + (axes.size() == 1 ? " axis" : " axes"),
         {{e->span, "`" + std::string(e->base->span.text()) + "` is " + describe(base)}});
  std::vector<Subscript> subscripts;
  size_t position = 0;
  for (const ast::Argument &a : e->arguments) {
    if (a.form == ast::Argument::Form::Ellipsis) {
      size_t count = axes.size() - explicitCount;
      Axes here(axes.begin() + long(position), axes.begin() + long(position + count));
      position += count;
      if (!frame->group)
        fail(Kind::RankGroup, "`...` is not bound by this equation", {{a.span, ""}},
             "put `...` on the left or in the reduction");
      if (!same(frame->group->axes, here))
        fail(Kind::RankGroup,
             "`...` is [" + text(frame->group->axes) + "] in this equation and [" + text(here) + "] here",
             {{a.span, "axes of " + describe(base)}});
      for (Subscript &s : Emitter::subscriptsFor(frame->group->indices))
        subscripts.push_back(std::move(s));
      continue;
    }
    Ref at = evaluate(a.value, inner);
    Subscript s;
    checkSubscript(at, axes[position], position, a.span, base, &s);
    subscripts.push_back(std::move(s));
    ++position;
  }
  if (place)
    *place = subscripts;
  if (!expanding() || place)
    return tensorType(base->element, {});
  Entity &made = make(Entity::Kind::Tensor);
  made.element = base->element;
  emit.span = e->span;
  made.term = base->term ? base->term : emit.read(valueOf(base, e->base->span), std::move(subscripts));
  return &made;
}

/// An arithmetic subscript is proved in range; one computed from tensors is a gather, clamped at run time.
void Walker::checkSubscript(Ref at, const Axis &axis, size_t number, Span span, Ref base, Subscript *out) {
  sound(at);
  if (axis.group)
    fail(Kind::RankGroup, "this subscript falls on an axis of `...`", {{span, "axes of " + describe(base)}});
  std::string place = "axis " + std::to_string(number) + " of " + describe(base);
  if (isTensor(at)) {
    if (family(at->element) != Family::Integer || !at->axes.empty())
      fail(Kind::TypeMismatch, "a subscript is an integer, this is " + describe(at), {{span, place}},
           "convert with `i32(...)`");
    if (expanding()) {
      out->gather = termOf(at, Scalar::I64);
      noteGather(out->gather, axis.size, std::string(span.text()));
    }
    return;
  }
  if (!isInteger(at) || at->group)
    fail(Kind::TypeMismatch, "a subscript is an integer, this is " + describe(at), {{span, place}});
  const Polynomial &p = at->integer;
  out->affine = p;
  std::vector<const Atom *> atoms = p.atoms();
  if (atoms.size() == 1 && atoms[0]->kind == AtomKind::Index && p == Polynomial(atoms[0]))
    if (auto extent = facts().extent(atoms[0]); extent && *extent == axis.size)
      return; // a bare index over its own axis
  if (expanding() && factStack.size() > outsideBranches + 1) {
    const Facts &outside = factStack[outsideBranches];
    out->guarded = !(outside.nonNegative(p) && outside.nonNegative(axis.size - 1 - p));
  }
  std::string written(span.text());
  auto ranges = [&](std::vector<Label> labels) {
    for (const Atom *leaf : p.leaves())
      if (leaf->kind == AtomKind::Index)
        if (auto found = checker.indexPlaces.find(leaf); found != checker.indexPlaces.end())
          if (auto extent = facts().extent(leaf))
            labels.push_back({found->second, "`" + leaf->name + "` runs from 0 to " + (*extent - 1).text()});
    return labels;
  };
  require(Relation::NonNegative, axis.size - 1 - p, span, 900 + unsigned(number), [&](const std::string &example) {
    Polynomial top = facts().extreme(facts().normal(p), true);
    auto over = (facts().normal(top) - facts().normal(axis.size) + 1).constant();
    // Where the index counts down (`n - i`) a shorter index would not help.
    bool falls = false;
    for (const Atom *leaf : p.leaves())
      if (auto parts = leaf->kind == AtomKind::Index ? p.split(leaf) : std::nullopt)
        falls |= !facts().nonNegative(parts->first);
    std::string hint = over && *over > 0 && falls ? "subtract " + std::to_string(*over)
                       : over && *over > 0
                           ? std::to_string(*over) + " too far: bound the index by " + std::to_string(*over) +
                                 " less, or pad the axis by " + std::to_string(*over)
                           : "bound the index, or pad the axis";
    return Diagnostic{Kind::IndexRange,
                      "`" + written + "` reaches " + top.text() + ", the last element of axis " +
                          std::to_string(number) + " is " + (axis.size - 1).text() +
                          (example.empty() ? "" : " (for " + example + ")"),
                      ranges({{span, place}}),
                      {},
                      hint};
  });
  require(Relation::NonNegative, p, span, 950 + unsigned(number), [&](const std::string &example) {
    Polynomial low = facts().extreme(facts().normal(p), false);
    return Diagnostic{Kind::IndexRange,
                      "`" + written + "` goes down to " + low.text() +
                          (example.empty() ? "" : " (for " + example + ")"),
                      ranges({{span, place}}),
                      {},
                      "pad in front, or shift the index"};
  });
}

/// The argument of the entry that a value is a plain copy of: through casts, reshapes and slices.
std::optional<uint32_t> Walker::sourceArgument(ValueId id) const {
  for (int i = 0; i < 64; ++i) {
    const Value &v = emit.body->values[id];
    if (v.kind == Value::Kind::Argument) {
      if (!entry || id >= entry->arguments.size()) // of a loop
        return std::nullopt;
      return v.number;
    }
    if (v.kind == Value::Kind::Reshape) {
      id = v.operands[0];
      continue;
    }
    if (v.kind != Value::Kind::Equation)
      return std::nullopt;
    const Term *t = v.body;
    while (t->kind == Term::Kind::Cast)
      t = t->operands[0];
    if (t->kind != Term::Kind::Read)
      return std::nullopt;
    id = t->tensor;
  }
  return std::nullopt;
}

void Walker::noteGather(const Term *subscript, const Polynomial &extent, const std::string &text) {
  while (subscript->kind == Term::Kind::Cast)
    subscript = subscript->operands[0];
  if (!entry || subscript->kind != Term::Kind::Read || emit.body != &entry->body)
    return;
  auto argument = sourceArgument(subscript->tensor);
  if (!argument)
    return;
  for (const SubscriptCheck &known : entry->subscriptChecks)
    if (known.argument == *argument && known.limit == extent)
      return;
  entry->subscriptChecks.push_back({*argument, extent, text});
}

} // namespace nacre
