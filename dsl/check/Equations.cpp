// Index equations. Extents are found first, from bounds and from subscripts that are a bare index; then the indices are
// integers and the right side is walked for its element.
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
    auto free = Emitter::freeIndices(term);
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

// ---- extents -------------------------------------------------------------------------------------------------------
/// Binds the indices in `inner`; the result lists them in order, groups expanded.
std::vector<Index> Walker::indices(const std::vector<ast::Binder> &binders,
                                   const std::vector<const ast::Expr *> &walked, Scope *outer, Scope *inner, Axes &axes,
                                   GroupBinding &group) {
  std::set<std::string> names;
  bool wantsGroup = false;
  for (const ast::Binder &b : binders) {
    if (b.ellipsis) {
      wantsGroup = true;
      continue;
    }
    if (!names.insert(b.name.text).second)
      fail(Kind::DuplicateIndex, "index `" + b.name.text + "` is bound twice", {{b.span, "bound again here"}});
  }
  Scope *clean = scope(outer);
  Entity &shadow = make(Entity::Kind::Bad);
  shadow.shadow = true;
  for (const std::string &name : names)
    clean->bind(name, &shadow);
  Uses found;
  bool wasDry = dry;
  size_t level = factStack.size();
  for (const ast::Expr *e : walked) {
    dry = true;
    try {
      uses(e, names, {}, clean, found, wantsGroup);
    } catch (...) {
      dry = wasDry;
      factStack.resize(level);
      throw;
    }
    dry = wasDry;
  }
  std::vector<Index> out;
  for (const ast::Binder &b : binders) {
    if (b.ellipsis) {
      if (found.groups.empty())
        fail(Kind::UnknownExtent, "the axes of `...` are unknown", {{b.span, "no subscript uses `...`"}},
             "subscript a tensor with `...`");
      const auto &first = found.groups.front();
      for (const auto &[other, span] : found.groups)
        if (!same(first.first, other))
          fail(Kind::RankGroup, "`...` is [" + text(first.first) + "] and [" + text(other) + "] in one equation",
               {{span, "[" + text(other) + "] here"}, {first.second, "[" + text(first.first) + "] here"}});
      group.axes = first.first;
      for (const Axis &axis : group.axes) {
        axes.push_back(axis);
        if (axis.group)
          continue;
        const Atom *atom = freshAtom(AtomKind::Index, "i" + std::to_string(group.indices.size()));
        for (Facts &f : factStack)
          f.setIndex(atom, axis.size);
        group.indices.push_back({atom, axis.size});
        out.push_back({atom, axis.size});
      }
      continue;
    }
    const std::string &name = b.name.text;
    const std::vector<Use> &at = found.found[name];
    Polynomial extent;
    if (b.bound) {
      extent = size(b.bound, outer);
    } else if (!at.empty()) {
      if (at.front().axis.group)
        fail(Kind::RankGroup, "`" + name + "` falls on an axis of `...`",
             {{at.front().span, "axes of " + describe(at.front().tensor)}});
      extent = at.front().axis.size;
    } else {
      if (found.lost) { // what is wrong with that tensor is the mistake, not the index
        unsigned equationBefore = std::exchange(inEquation, 0);
        try {
          sound(evaluate(found.lost, found.lostScope));
        } catch (...) {
          inEquation = equationBefore;
          throw;
        }
        inEquation = equationBefore;
      }
      const ast::Expr *inside = nullptr;
      for (const ast::Expr *e : walked)
        forAll(e, [&](const ast::Expr *part) {
          auto *sub = as<ast::SubscriptExpr>(part);
          if (!sub || inside)
            return;
          for (const ast::Argument &a : sub->arguments)
            if (a.value && a.value->kind != ast::ExprKind::Identifier && a.value->kind != ast::ExprKind::Subscript) {
              std::vector<const ast::IdentifierExpr *> all;
              identifiers(a.value, all);
              for (const ast::IdentifierExpr *id : all)
                if (id->name == name)
                  inside = a.value;
            }
        });
      fail(Kind::UnknownExtent, "the extent of index `" + name + "` is unknown",
           {{b.span, inside ? "`" + name + "` occurs only inside `" + std::string(inside->span.text()) + "`"
                            : "`" + name + "` is no subscript by itself"}},
           "give it a bound: `" + name + " < size`");
    }
    // An index with the name of a dimension of the signature must range over it.
    auto dimension = frame->names.find(name);
    Ref inScope = dimension == frame->names.end() ? nullptr : outer->find(name);
    bool named = inScope && isInteger(inScope) && (modular || !frame->caller);
    if (named)
      for (const Use &use : at)
        if (!use.axis.group && !facts().equal(use.axis.size, dimension->second))
          fail(Kind::IndexName,
               "index `" + name + "` ranges over " + text(use.axis) + " but `" + name + "` names the dimension " +
                   dimension->second.text(),
               {{use.span, "an axis of size " + text(use.axis) + " of " + describe(use.tensor)}},
               "swap the subscripts, or rename the index");
    if (!b.bound)
      for (size_t i = 1; i < at.size(); ++i)
        requireEqual({extent, false}, at[i].axis, at[i].span, 800, [&, i](const std::string &example) {
          return Diagnostic{Kind::ExtentMismatch,
                            "index `" + name + "` runs over " + extent.text() + " and over " + text(at[i].axis) +
                                (example.empty() ? "" : " (differ for " + example + ")"),
                            {{at[i].span, text(at[i].axis) + " here, an axis of " + describe(at[i].tensor)},
                             {at[0].span, text(at[0].axis) + " here, an axis of " + describe(at[0].tensor)}},
                            {},
                            ""};
        });
    if (named && !facts().equal(extent, dimension->second))
      fail(Kind::IndexName,
           "index `" + name + "` ranges over " + extent.text() + " but `" + name + "` names the dimension " +
               dimension->second.text(),
           {{b.span, "size " + extent.text()}}, "rename the index");
    const Atom *atom = freshAtom(AtomKind::Index, name);
    for (Facts &f : factStack)
      f.setIndex(atom, extent);
    checker.indexPlaces[atom] = b.span;
    inner->bind(name, integer(Polynomial(atom)));
    axes.push_back({extent, false});
    out.push_back({atom, extent});
  }
  return out;
}

/// Records the axes that each index subscripts by itself. Tensors that are subscripted here and computed in place
/// (`softmax(s)[i, j]`) are evaluated once and kept in `bases`.
void Walker::uses(const ast::Expr *e, const std::set<std::string> &names, std::set<std::string> hidden, Scope *clean,
                  Uses &out, bool group) {
  if (e->kind == ast::ExprKind::Lambda || e->kind == ast::ExprKind::Loop)
    return;
  auto descend = [&](const ast::Expr *part) { uses(part, names, hidden, clean, out, group); };
  if (auto found = reducer(e, clean)) {
    Scope *below = scope(clean);
    bool hidesGroup = false;
    Entity &shadow = make(Entity::Kind::Bad);
    shadow.shadow = true;
    for (const ast::Binder &b : found->binders) {
      if (b.bound)
        descend(b.bound);
      if (b.ellipsis)
        hidesGroup = true;
      else {
        hidden.insert(b.name.text);
        below->bind(b.name.text, &shadow);
      }
    }
    uses(found->element, names, hidden, below, out, group && !hidesGroup);
    return;
  }
  if (auto *sub = as<ast::SubscriptExpr>(e)) {
    Ref base = nullptr;
    bool computed = sub->base->kind != ast::ExprKind::Identifier;
    size_t values = expanding() ? emit.body->values.size() : 0;
    bool shadowed = false;
    unsigned depthBefore = depth, equationBefore = inEquation;
    Frame *frameBefore = frame;
    try {
      if (computed)
        inEquation = 0; // it does not depend on the indices, or its evaluation fails
      base = evaluate(sub->base, clean);
      inEquation = equationBefore;
      if (base->kind == Entity::Kind::Bad)
        throw Quiet();
      if (base->kind == Entity::Kind::List && shapeOf(base)) {
        base = whole(base, sub->base->span);
        computed = true;
      }
      if (computed && expanding())
        bases[sub->base] = base;
    } catch (ShadowedIndex &) {
      shadowed = true;
      base = nullptr;
    } catch (Unproved &) {
      base = nullptr;
    } catch (Quiet &) {
      inEquation = equationBefore, depth = depthBefore, frame = frameBefore;
      throw; // a name in error: so is the equation
    } catch (Problem &) {
      base = nullptr;
    }
    if (!base) {
      if (!shadowed && !out.lost)
        out.lost = sub->base, out.lostScope = clean;
      inEquation = equationBefore, depth = depthBefore, frame = frameBefore;
      if (expanding() && emit.body->values.size() > values)
        emit.body->values.resize(values);
    }
    if (base && isTensor(base) && !base->axes.empty()) {
      const Axes &axes = base->axes;
      size_t explicitCount = 0;
      for (const ast::Argument &a : sub->arguments)
        explicitCount += a.form != ast::Argument::Form::Ellipsis;
      size_t skipped = axes.size() >= explicitCount ? axes.size() - explicitCount : 0, position = 0;
      for (const ast::Argument &a : sub->arguments) {
        if (a.form == ast::Argument::Form::Ellipsis) {
          if (group)
            out.groups.push_back({Axes(axes.begin() + long(std::min(position, axes.size())),
                                       axes.begin() + long(std::min(position + skipped, axes.size()))),
                                  a.span});
          position += skipped;
          continue;
        }
        auto *id = as<ast::IdentifierExpr>(a.value);
        if (id && position < axes.size() && names.count(id->name) && !hidden.count(id->name))
          out.found[id->name].push_back({axes[position], a.span, base});
        ++position;
      }
    } else if (group && base && isTensor(base)) { // a scalar subscripted with `...`
      for (const ast::Argument &a : sub->arguments)
        if (a.form == ast::Argument::Form::Ellipsis)
          out.groups.push_back({Axes(), a.span});
    }
    if (!base || !computed)
      descend(sub->base);
    for (const ast::Argument &a : sub->arguments)
      for (const ast::Expr *part : {a.value, a.lower, a.upper})
        if (part)
          descend(part);
    return;
  }
  forEachPart(e, descend);
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
  // logsumexp = m + log sum exp(e - m) with m = max e; over -inf only m is replaced by 0, and log 0 = -inf is the
  // answer.
  const Term *largest = emit.reduce(Reduction::Maximum, over, element);
  const Term *infinite =
      emit.apply(Primitive::Equal, {largest, emit.real(type, -std::numeric_limits<double>::infinity())});
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

// ---- elements ------------------------------------------------------------------------------------------------------
/// x[subscripts] inside an equation: one element.
Ref Walker::elementOf(const ast::SubscriptExpr *e, Ref base, Scope *inner) {
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
  if (!expanding())
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
    if (v.kind == Value::Kind::Argument)
      return v.number;
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
