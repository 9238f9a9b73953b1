// Expressions that are not arithmetic: names, fields, subscripts, pipes, strings.
#include "check/Builtins.h"
#include "check/Visit.h"
#include "check/Walker.h"
#include <sstream>

namespace nacre {
using ast::as;

Ref Walker::evaluate(const ast::Expr *e, Scope *inner) {
  if (!bases.empty())
    if (auto found = bases.find(e); found != bases.end())
      return found->second;
  emit.span = e->span;
  switch (e->kind) {
  case ast::ExprKind::Integer:
    return integer(as<ast::IntegerExpr>(e)->value);
  case ast::ExprKind::Float:
    return real(as<ast::FloatExpr>(e)->value);
  case ast::ExprKind::String:
    return interpolate(as<ast::StringExpr>(e), inner);
  case ast::ExprKind::Boolean:
    return boolean(as<ast::BooleanExpr>(e)->value);
  case ast::ExprKind::Hole:
    fail(Kind::TypeMismatch, "`_` stands for a dimension, not for a value", {{e->span, ""}});
  case ast::ExprKind::Identifier:
    return look(as<ast::IdentifierExpr>(e)->name, inner, e->span);
  case ast::ExprKind::Labelled: {
    auto *labelled = as<ast::LabelledExpr>(e);
    // A label may be called like its layer (`LayerNorm: LayerNorm`): what a label already names is not meant.
    const std::string &name = labelled->name.text;
    Ref layer = inner ? inner->find(name) : nullptr;
    if (!layer || layer->kind == Entity::Kind::Instance) {
      const Global *found = frame->root->find(name) ? nullptr : frame->file->find(name);
      layer = found ? global(*found, name, labelled->name.span) : look(name, inner, labelled->name.span);
    }
    sound(layer);
    if (layer->kind == Entity::Kind::FunctionType)
      throw Quiet();
    if (layer->kind != Entity::Kind::Layer)
      fail(Kind::NotALayer, "`" + labelled->name.text + "` is not a layer, so it takes no label",
           {{e->span, "this is " + describe(layer)}},
           "write `" + labelled->name.text + "` without `" + labelled->label.text + ":`");
    Entity &made = make(Entity::Kind::Layer);
    made = *layer;
    made.label = labelled->label.text;
    made.span = e->span;
    return &made;
  }
  case ast::ExprKind::List: {
    std::vector<Ref> items;
    for (const ast::Expr *element : as<ast::ListExpr>(e)->elements) {
      if (element->kind == ast::ExprKind::Hole) { // a size left open, for `reshape`
        Entity &open = make(Entity::Kind::Builtin);
        open.text = "_";
        items.push_back(&open);
        continue;
      }
      items.push_back(sound(evaluate(element, inner)));
    }
    return list(std::move(items));
  }
  case ast::ExprKind::Comprehension:
    return comprehension(as<ast::ComprehensionExpr>(e), inner);
  case ast::ExprKind::Tuple: {
    const auto &elements = as<ast::TupleExpr>(e)->elements;
    if (elements.size() == 1 && elements[0].name.text.empty() && elements[0].form == ast::Argument::Form::Value)
      return evaluate(elements[0].value, inner);
    std::vector<Ref> items;
    std::vector<std::string> names;
    for (const ast::Argument &a : elements) {
      if (a.form != ast::Argument::Form::Value)
        fail(Kind::TypeMismatch, "a range or `...` is no value here", {{a.span, "subscripts only"}});
      if (train && frame == top && phase == TrainPhase::Metrics && !inEquation)
        fieldLabel = a.name.text;
      items.push_back(evaluate(a.value, inner));
      fieldLabel.clear();
      names.push_back(a.name.text);
    }
    return record(std::move(items), std::move(names));
  }
  case ast::ExprKind::Member:
    return memberOf(as<ast::MemberExpr>(e), inner);
  case ast::ExprKind::Subscript:
    return subscript(as<ast::SubscriptExpr>(e), inner);
  case ast::ExprKind::Call: {
    auto *call = as<ast::CallExpr>(e);
    if (auto found = reducer(e, inner))
      return reduce(*found, inner);
    Ref callee = evaluate(call->callee, inner);
    return apply(callee, arguments(call->arguments, inner), e->span, inner, call->callee);
  }
  case ast::ExprKind::Unary:
    return unary(as<ast::UnaryExpr>(e), inner);
  case ast::ExprKind::Binary:
    return binary(as<ast::BinaryExpr>(e), inner);
  case ast::ExprKind::Pipe:
    return pipe(as<ast::PipeExpr>(e), inner);
  case ast::ExprKind::If:
    return conditional(as<ast::IfExpr>(e), inner);
  case ast::ExprKind::Lambda: {
    Entity &made = make(Entity::Kind::Lambda);
    made.lambda = as<ast::LambdaExpr>(e);
    made.scope = inner;
    made.frame = frame;
    return &made;
  }
  case ast::ExprKind::Loop:
    return loop(as<ast::LoopExpr>(e), inner, false, false);
  }
  return checker.bad;
}

/// `{name}` in a string stands for a compile-time value, `{{` and `}}` for a brace.
Ref Walker::interpolate(const ast::StringExpr *e, Scope *inner) {
  const std::string &text = e->value;
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((text[i] == '{' || text[i] == '}') && i + 1 < text.size() && text[i + 1] == text[i]) {
      out += text[i++];
      continue;
    }
    size_t close = text[i] == '{' ? text.find('}', i) : std::string::npos;
    if (close == std::string::npos) {
      out += text[i];
      continue;
    }
    std::string name = text.substr(i + 1, close - i - 1);
    Ref value = inner ? inner->find(name) : nullptr;
    if (!value)
      if (const Global *found = frame->file->find(name))
        value = global(*found, name, e->span);
    if (!value)
      fail(Kind::BadInterpolation, "`{" + name + "}` is not a compile-time name", {{e->span, "in this string"}});
    sound(value);
    std::ostringstream printed;
    if (value->kind == Entity::Kind::String)
      printed << value->text;
    else if (isInteger(value) || value->kind == Entity::Kind::Real || value->kind == Entity::Kind::Boolean)
      printed << describe(value);
    else if (modular)
      return tensorType(Element::Text, {});
    else
      fail(Kind::BadInterpolation, "`{" + name + "}` is not a compile-time value",
           {{e->span, "this is " + describe(value)}});
    out += printed.str();
    i = close;
  }
  return string(std::move(out));
}

/// Names in the declaration of a weight or sub-layer: what must have a size before it can exist.
static std::set<std::string> namesIn(const ast::Block *body, const std::string &declared) {
  std::set<std::string> names;
  auto collect = [&](const ast::Expr *part) {
    if (auto *id = as<ast::IdentifierExpr>(part))
      names.insert(id->name);
  };
  for (const ast::Stmt *s : body->statements) {
    if (auto *w = as<ast::WeightStmt>(s); w && w->name.text == declared) {
      for (const ast::Dimension &d : w->type->dimensions)
        forAll(d.size, collect);
      forAll(w->initial, collect);
    }
    if (auto *u = as<ast::UseStmt>(s); u && u->name.text == declared)
      forAll(u->value, collect);
  }
  return names;
}

Ref Walker::memberOf(const ast::MemberExpr *e, Scope *inner) {
  Ref base = sound(evaluate(e->base, inner));
  const std::string &field = e->field.text;
  if (base->kind == Entity::Kind::Record) {
    for (size_t i = 0; i < base->items.size(); ++i)
      if (base->names[i] == field)
        return sound(base->items[i]);
    std::string near = nearest(field, base->names);
    fail(Kind::UnknownField, "no field `" + field + "`", {{e->field.span, "this is " + describe(base)}},
         near.empty() ? "the fields are listed above" : "`" + near + "` is close");
  }
  if (base->kind == Entity::Kind::Instance) {
    Instance &instance = *base->instance;
    std::vector<std::string> names;
    if (instance.decl && instance.decl->body)
      for (const ast::Stmt *s : instance.decl->body->statements) {
        if (auto *f = as<ast::FunctionStmt>(s)) {
          names.push_back(f->function->name.text);
          if (f->function->name.text == field) {
            Entity &made = make(Entity::Kind::Method);
            made.decl = f->function;
            made.file = instance.file;
            made.instance = &instance;
            return &made;
          }
        }
        if (auto *w = as<ast::WeightStmt>(s))
          names.push_back(w->name.text);
        if (auto *u = as<ast::UseStmt>(s))
          names.push_back(u->name.text);
      }
    if (auto found = instance.shared.find(field); found != instance.shared.end())
      return isTensor(found->second) && expanding() ? emitWeight(instance, field, e->span) : sound(found->second);
    if (instance.absent.count(field))
      fail(Kind::AbsentWeight, "`" + field + "` exists only under its `when`, which is false here",
           {{e->field.span, "used here"}, {instance.absent[field], "declared here"}},
           "use it under the same condition");
    if (std::find(names.begin(), names.end(), field) != names.end() && instance.decl) {
      if (!expanding())
        throw Quiet(); // the weight of a layer that this walk did not enter
      std::set<std::string> mentioned = namesIn(instance.decl->body, field);
      for (const std::string &name : checker.modular(instance.decl, instance.file).instanceDimensions)
        if (mentioned.count(name) &&
            !instance.dims.count(name)) { // a call that comes later may give it: see `expandTest`
          unsizedRead = true;
          if (!lastPass || failed) // after an error the call that sizes it may not have been reached
            throw Quiet();
          fail(Kind::UnsizedLayer,
               "`" + (instance.path.empty() ? instance.decl->name.text : instance.path) + "` is never called, so `" +
                   name + "` of " + instance.decl->name.text + " has no size",
               {{e->span, "read here"}, {instance.span, "no call gives `" + name + "`"}}, "call it once");
        }
      Frame *saved = frame; // declared, but its layer has not run yet
      Frame *own = newFrame(instance.file, nullptr);
      own->root = scope(nullptr);
      for (const auto &[name, value] : instance.hyper)
        own->root->bind(name, value);
      for (const auto &[name, value] : instance.dims)
        own->root->bind(name, integer(value));
      own->self = &instance;
      own->caller = saved;
      own->callSpan = e->span;
      frame = own;
      Ref found = nullptr;
      try {
        found = ofSelf(field, e->span);
      } catch (...) {
        frame = saved;
        throw;
      }
      frame = saved;
      if (found)
        return sound(found);
    }
    std::string near = nearest(field, names);
    fail(Kind::UnknownName, "`" + instance.decl->name.text + "` has no method or weight `" + field + "`",
         {{e->field.span, ""}, {instance.decl->name.span, "declared here"}},
         near.empty() ? "declare it, or call another" : "`" + near + "` is close");
  }
  if (base->kind == Entity::Kind::Module) {
    if (const Global *found = base->file->findPublic(field))
      return global(*found, field, e->field.span);
    bool isPrivate = base->file->own.count(field) != 0;
    std::vector<std::string> names;
    base->file->names(names);
    std::string near = nearest(field, names);
    fail(isPrivate ? Kind::PrivateName : Kind::UnknownName,
         isPrivate ? "`" + field + "` is private to its file" : "the module declares nothing named `" + field + "`",
         {{e->field.span, ""}},
         isPrivate      ? "a name that begins with `_` stays in its file"
         : near.empty() ? ""
                        : "`" + near + "` is close");
  }
  if (base->kind == Entity::Kind::Members)
    throw Quiet();
  fail(Kind::UnknownField, "no field `" + field + "`", {{e->field.span, "this is " + describe(base)}});
}

/// The ends of `a..b`, `a..`, `..b` or `..` among subscripts; either may be absent.
static std::optional<std::pair<const ast::Expr *, const ast::Expr *>> sliceOf(const ast::Argument &a) {
  if (a.form == ast::Argument::Form::Slice)
    return std::pair(a.lower, a.upper);
  auto *range = as<ast::BinaryExpr>(a.value);
  if (range && range->op == ast::BinaryOp::Range)
    return std::pair(range->lhs, range->rhs);
  return std::nullopt;
}

Ref Walker::subscript(const ast::SubscriptExpr *e, Scope *inner) {
  Ref base = sound(evaluate(e->base, inner));
  switch (base->kind) {
  case Entity::Kind::Layer:
  case Entity::Kind::Method:
  case Entity::Kind::Function: {
    Entity &made = make(base->kind);
    made = *base;
    made.hyper = compileTimeArguments(base->decl, base->file, e->arguments, e->span, inner);
    made.applied = true;
    return &made;
  }
  case Entity::Kind::Builtin: {
    if (isReducer(base->text))
      fail(Kind::NotCallable, "`" + base->text + "[...]` needs an element in parentheses", {{e->span, ""}},
           "write `" + base->text + "[i](x[i])`");
    Entity &made = make(Entity::Kind::Builtin);
    made = *base;
    for (const Argument &a : arguments(e->arguments, inner))
      made.hyper.push_back({a.name, a.value});
    return &made;
  }
  case Entity::Kind::FunctionType:
    throw Quiet();
  case Entity::Kind::List:
  case Entity::Kind::Record: {
    if (e->arguments.size() == 1 && e->arguments[0].form == ast::Argument::Form::Value) {
      Ref at = evaluate(e->arguments[0].value, inner);
      if (auto i = constant(at)) {
        if (*i < 0 || *i >= int64_t(base->items.size()))
          fail(Kind::IndexRange,
               "element " + std::to_string(*i) + " of a list of " + std::to_string(base->items.size()),
               {{e->arguments[0].span, "counted from 0"}});
        return sound(base->items[size_t(*i)]);
      }
    }
    break; // a tensor after all, if its elements are numbers
  }
  case Entity::Kind::Members: {
    if (e->arguments.size() == 1 && e->arguments[0].value)
      evaluate(e->arguments[0].value, inner);
    return base->member;
  }
  default:
    break;
  }
  auto shape = shapeOf(base);
  bool tensor = shape && (isTensor(base) || base->kind == Entity::Kind::List);
  if (!tensor)
    fail(Kind::TypeMismatch, "only tensors are subscripted", {{e->base->span, "this is " + describe(base)}});
  if (base->kind == Entity::Kind::List)
    base = whole(base, e->base->span);
  bool slices = std::any_of(e->arguments.begin(), e->arguments.end(),
                            [](const ast::Argument &a) { return sliceOf(a).has_value(); });
  if (inEquation && !slices)
    return elementOf(e, base, inner);
  if (inEquation && isTensor(base) && base->term)
    fail(Kind::NotAScalar, "an equation works on single elements, not slices", {{e->span, ""}}, "use an index");
  if (inEquation) {
    for (const ast::Argument &a : e->arguments)
      for (const ast::Expr *part : {a.value, a.lower, a.upper})
        if (part && dependsOnIndices(evaluate(part, inner)))
          fail(Kind::NotAScalar, "an equation works on single elements, not slices", {{a.span, ""}}, "use an index");
  }
  return slice(e, base, inner);
}

/// x[a..b, .., 0] outside equations: a range keeps its axis, a number removes it. With `parts` only what is taken is
/// found out, and the result is its type.
Ref Walker::slice(const ast::SubscriptExpr *e, Ref base, Scope *inner, std::vector<Part> *parts) {
  const Axes &axes = base->axes;
  if (e->arguments.size() != axes.size())
    fail(Kind::RankMismatch,
         std::to_string(e->arguments.size()) + (e->arguments.size() == 1 ? " subscript for " : " subscripts for ") +
             std::to_string(axes.size()) + (axes.size() == 1 ? " axis" : " axes"),
         {{e->span, "this is " + describe(base)}});
  Axes result;
  std::vector<Subscript> subscripts;
  std::vector<Index> indices;
  for (size_t axis = 0; axis < axes.size(); ++axis) {
    const ast::Argument &a = e->arguments[axis];
    Subscript s;
    if (a.form == ast::Argument::Form::Ellipsis)
      fail(Kind::RankGroup, "`...` stands only among the subscripts of an equation", {{a.span, ""}},
           "`..` keeps an axis whole");
    if (axes[axis].group)
      fail(Kind::RankGroup, "this subscript falls on an axis of `...`", {{a.span, "axes of " + describe(base)}});
    const Polynomial &extent = axes[axis].size;
    if (auto range = sliceOf(a)) {
      auto [lower, upper] = *range;
      Polynomial low = lower ? size(lower, inner) : Polynomial(0);
      Polynomial high = upper ? size(upper, inner) : extent;
      auto problem = [&](Kind kind, std::string headline) {
        return [=, this](const std::string &example) {
          return Diagnostic{kind,
                            headline + (example.empty() ? "" : " (for " + example + ")"),
                            {{a.span, "axis " + std::to_string(axis) + " of " + describe(base)}},
                            {},
                            ""};
        };
      };
      if (upper)
        require(Relation::NonNegative, extent - high, a.span, 1,
                problem(Kind::IndexRange, "the slice ends at " + high.text() + ", axis " + std::to_string(axis) +
                                              " has " + extent.text()));
      if (lower)
        require(Relation::NonNegative, low, a.span, 2, problem(Kind::IndexRange, "the slice starts at " + low.text()));
      if (lower || upper)
        require(Relation::NonNegative, high - low - 1, a.span, 3,
                problem(Kind::NegativeSize,
                        "the slice " + low.text() + ".." + high.text() + " has size " + (high - low).text()),
                true);
      result.push_back({high - low, false});
      indices.push_back({freshAtom(AtomKind::Index, "i" + std::to_string(axis)), high - low});
      s.affine = low + Polynomial(indices.back().atom);
      if (parts)
        parts->push_back({false, low, high, {}});
    } else {
      Ref at = evaluate(a.value, inner);
      checkSubscript(at, axes[axis], axis, a.span, base, &s);
      if (parts)
        parts->push_back({true, {}, {}, s});
    }
    subscripts.push_back(std::move(s));
  }
  if (!expanding() || parts)
    return tensorType(base->element, std::move(result));
  ValueId id = valueOf(base, e->base->span);
  const Term *element = emit.read(id, std::move(subscripts));
  if (inEquation && indices.empty()) {
    Entity &made = make(Entity::Kind::Tensor);
    made.element = base->element;
    made.term = element;
    return &made;
  }
  return emitted(base->element, emit.equation(std::move(indices), element));
}

Ref Walker::pipe(const ast::PipeExpr *e, Scope *inner) {
  Ref value = sound(evaluate(e->value, inner));
  Argument first{"", value, e->value->span};
  if (auto *call = as<ast::CallExpr>(e->target); call && !reducer(call, inner)) {
    Ref callee = evaluate(call->callee, inner);
    std::vector<Argument> args = arguments(call->arguments, inner);
    args.insert(args.begin(), first);
    return apply(callee, std::move(args), call->span, inner, call->callee);
  }
  Ref callee = sound(evaluate(e->target, inner));
  if (callee->kind == Entity::Kind::List) {
    for (Ref member : callee->items)
      value = apply(member, {{"", value, e->value->span}}, e->target->span, inner, e->target);
    return value;
  }
  if (callee->kind == Entity::Kind::Members) {
    Ref result = apply(callee->member, {first}, e->target->span, inner, e->target);
    auto a = shapeOf(value), b = shapeOf(result);
    if (!a || !b || !same(a->axes, b->axes))
      throw Quiet(); // a stack that changes the shape: checked where its length is known
    return result;
  }
  return apply(callee, {first}, e->target->span, inner, e->target);
}

} // namespace nacre
