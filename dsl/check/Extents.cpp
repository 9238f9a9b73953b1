// The indices of an equation or reduction: where their extents come from.
#include "check/Visit.h"
#include "check/Walker.h"
#include <algorithm>

namespace nacre {
using ast::as;

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
      requireSize(extent, 0, b.bound->span, 1000, "the extent of index `" + name + "`");
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
      rollBack(values);
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

} // namespace nacre
