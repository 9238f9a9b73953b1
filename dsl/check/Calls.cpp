// Calls: what can be called, and the body of the callee expanded in its place.
#include "check/Train.h"
#include "check/Visit.h"
#include "check/Walker.h"
#include <algorithm>

namespace nacre {
using ast::as;

constexpr unsigned deepestCall = 200;

std::vector<Argument> Walker::arguments(const std::vector<ast::Argument> &list, Scope *inner) {
  std::vector<Argument> out;
  for (const ast::Argument &a : list) {
    if (a.form != ast::Argument::Form::Value)
      fail(Kind::TypeMismatch, "a range or `...` is no argument", {{a.span, "subscripts only"}});
    out.push_back({a.name.text, evaluate(a.value, inner), a.value->span});
  }
  return out;
}

void Walker::bindInstanceDimensions(Instance &instance, Bound &bound, Span span) {
  const Modular &known = checker.modular(instance.decl, instance.file);
  for (const std::string &name : known.instanceDimensions) {
    Ref value = bound.scope->find(name);
    if (!value || !isInteger(value) || instance.dims.count(name))
      continue;
    auto origin = bound.origin.find(name);
    instance.origin[name] = origin != bound.origin.end()
                                ? origin->second
                                : Label{span, "`" + name + "` is " + value->integer.text() + " here"};
    if (expanding() && !value->integer.isConstant())
      fail(Kind::DynamicWeight,
           "a weight of `" + (instance.path.empty() ? instance.decl->name.text : instance.path) +
               "` would have the run-time size " + name + " = " + value->integer.text(),
           {instance.origin[name], {instance.span, "`" + name + "` is a dimension of its weights"}},
           "give the axis a fixed size in the entry");
    instance.dims[name] = value->integer;
  }
}

/// Checks one call and, when expanding, inlines it. The result is in the caller's names.
Ref Walker::call(const Signature &s, const FileScope *file, const Bindings &hyper, const std::vector<Argument> &args,
                 Span span, Instance *instance, const std::vector<Condition> &inherited, const std::string &title) {
  Bound bound = bindCall(s, file, hyper, args, span, instance);
  checkClauses(s, bound, span, inherited);
  if (instance)
    bindInstanceDimensions(*instance, bound, span);
  Ref result = nullptr;
  Frame *saved = frame;
  frame = bound.frame;
  frame->caller = saved;
  frame->callSpan = span;
  try {
    result = s.result ? typeValue(s.result, bound.scope) : tensorType(Element::Real, {});
  } catch (...) {
    frame = saved;
    throw;
  }
  frame = saved;
  std::vector<Ref> parts = result->kind == Entity::Kind::Record ? result->items : std::vector{result};
  unsigned tag = 400;
  for (Ref part : parts)
    for (size_t axis = 0; axis < part->axes.size(); ++axis) {
      ++tag;
      const Axis &extent = part->axes[axis];
      if (extent.group || !s.result)
        continue;
      require(
          Relation::NonNegative, extent.size - 1, span, tag,
          [&](const std::string &example) {
            std::string values;
            for (const auto &[name, value] : bound.scope->bindings())
              if (isInteger(value) && !value->group && value->integer.isConstant())
                values += (values.empty() ? "" : ", ") + name + " = " + value->integer.text();
            std::vector<Label> labels = {{span, values.empty() ? "must be at least 1" : values}};
            for (const char *name : {"h", "w", "t"})
              if (auto found = bound.origin.find(name); found != bound.origin.end()) {
                labels.push_back(found->second);
                break;
              }
            return Diagnostic{Kind::NegativeSize,
                              "axis " + std::to_string(axis) + " of the result of `" + s.decl->name.text +
                                  "` has size " + text(extent) + (example.empty() ? "" : " (for " + example + ")"),
                              labels,
                              {},
                              "use a larger input, a smaller window, or padding"};
          },
          true);
    }
  if (!expanding())
    return result;
  bound.frame->result = s.result ? result : nullptr;
  bound.frame->resultSpan = s.result ? s.result->span : span;
  bound.frame->title = title;
  return inlineBody(s, bound, span, instance, title);
}

bool Walker::dependsOnIndices(Ref e) const {
  if (isTensor(e))
    return e->term != nullptr;
  if (isInteger(e)) {
    for (const Atom *leaf : e->integer.leaves())
      if (leaf->kind == AtomKind::Index && !countsRounds(leaf))
        return true;
    return false;
  }
  for (Ref item : e->items)
    if (dependsOnIndices(item))
      return true;
  return e->kind == Entity::Kind::Lambda && inEquation > 0;
}

void Walker::enterCall(Span span) {
  work(span);
  if (depth >= deepestCall)
    fail(Kind::Recursion, "calls are nested more than " + std::to_string(deepestCall) + " deep",
         {{span, "reached here"}}, "a function passed to itself, or a chain of definitions that is far too long");
  ++depth;
}

Ref Walker::inlineBody(const Signature &s, Bound &bound, Span span, Instance *instance, const std::string &title) {
  enterCall(span);
  bool inside = false;
  for (auto &[name, argument] : bound.given)
    inside |= dependsOnIndices(argument.value);
  Frame *saved = frame;
  unsigned equationDepth = inEquation;
  auto savedBases = std::move(bases);
  bases.clear();
  size_t savedLevel = outsideBranches;
  auto promises = std::move(emit.promises);
  emit.promises.clear();
  const Location *place = emit.location;
  auto restore = [&] {
    frame = saved;
    emit.location = place; // what the expression around computes with the result stands here, not in what was called
    inEquation = equationDepth;
    bases = std::move(savedBases);
    outsideBranches = savedLevel;
    emit.promises = std::move(promises);
    --depth;
  };
  bool isKept = false;
  for (const ast::Attribute &a : s.decl->attributes)
    isKept |= a.name.text == "keep";
  try {
    if (!inside)
      inEquation = 0;
    bound.frame->location = here(span);
    frame = bound.frame;
    frame->self = instance;
    Ref result;
    auto gradient = bound.frame->file->gradients.find(s.decl->name.text);
    bool own = s.decl->kind == ast::DeclKind::Function && !instance && gradient != bound.frame->file->gradients.end() &&
               gradient->second->body != s.body && !openDerivatives.count(gradient->second);
    bool foreign = s.decl->kind == ast::DeclKind::Function && static_cast<const ast::FunctionDecl *>(s.decl)->isExtern;
    if (inside && (own || foreign))
      fail(Kind::NotSupported, "`" + s.decl->name.text + "` on one element inside an equation is not supported yet",
           {{span, foreign ? "it is a C function" : "it has a derivative of its own"}},
           "call it on whole tensors, outside the equation");
    if (own) {
      result = customCall(s, bound, span, gradient->second);
    } else if (isKept && !inside) {
      result = keepCall(s, bound, span, title);
    } else {
      Scope *inner = scope(bound.scope);
      for (const ast::Parameter &p : *s.parameters) {
        Ref value = bound.given[p.name.text].value;
        if (isPlain(p.type, "int") && isInteger(value))
          continue;
        if (p.type)
          value = adapt(value, typeValue(p.type, bound.scope));
        if ((isInteger(value) || value->kind == Entity::Kind::Real) && differentiatedBy(s, p.name.text))
          value = whole(value, span);
        inner->bind(p.name.text, value);
      }
      result = calledBody(s, inner, span);
    }
    sound(result);
    restore();
    return result;
  } catch (...) {
    restore();
    throw;
  }
}

/// What a function or layer gives whose parameters are bound in `inner`; one that is in error has said so.
Ref Walker::calledBody(const Signature &s, Scope *inner, Span span) {
  if (s.decl->kind == ast::DeclKind::Function && static_cast<const ast::FunctionDecl *>(s.decl)->isExtern)
    return sound(externCall(s, inner, span));
  body(s, inner);
  if (!frame->returned)
    throw Quiet();
  return sound(frame->returned);
}

// ---- what can be called --------------------------------------------------------------------------------------------
Bindings Walker::methodArguments(Ref method, Span span, Scope *inner) {
  if (method->applied)
    return method->hyper;
  if (signatureOf(method->decl).compileTime->empty())
    return {};
  return compileTimeArguments(method->decl, method->file, {}, span, inner);
}

Ref Walker::invoke(Instance &instance, const ast::Decl *method, const std::vector<Argument> &args, Span span,
                   const Bindings &own) {
  Modular &known = checker.modular(instance.decl, instance.file);
  if (known.state == Modular::State::Bad)
    throw Quiet();
  const std::string &methodName = method->kind == ast::DeclKind::Layer ? "forward" : method->name.text;
  std::string key = train && own.empty() ? train->callKey(*this, instance, method, args) : "";
  if (!key.empty())
    if (auto known = train->calls.find(key); known != train->calls.end())
      return known->second;
  Signature s = signatureOf(method);
  std::string shown =
      "`" + (instance.path.empty() ? instance.decl->name.text : instance.path) + "` = " + instance.decl->name.text;
  if (!instance.hyper.empty()) {
    shown += "[";
    for (size_t i = 0; i < instance.hyper.size(); ++i)
      shown += (i ? ", " : "") + instance.hyper[i].first + " = " + describe(instance.hyper[i].second);
    shown += "]";
  }
  static const std::vector<Condition> none;
  auto found = known.conditions.find(methodName);
  instance.called = true;
  Bindings hyper = instance.hyper;
  hyper.insert(hyper.end(), own.begin(), own.end());
  Ref result = call(s, instance.file, hyper, args, span, &instance,
                    found == known.conditions.end() ? none : found->second, shown);
  if (train)
    train->noteCall(*this, instance, methodName, result);
  if (!key.empty())
    train->calls[key] = result;
  if (expanding() && instance.model && !instance.listed && methodName == "forward") {
    instance.listed = true;
    LayerRow row{*instance.model, instance.path, instance.decl->name.text, {}, {}, instance.span};
    for (const Argument &a : args)
      if (auto shape = shapeOf(a.value))
        row.inputs.push_back({scalarOf(shape->element), extentsOf(shape->axes)});
    for (Ref part : result->kind == Entity::Kind::Record ? result->items : std::vector{result})
      if (auto shape = shapeOf(part))
        row.outputs.push_back({scalarOf(shape->element), extentsOf(shape->axes)});
    checker.program->layers.push_back(std::move(row));
  }
  return result;
}

Ref Walker::apply(Ref f, std::vector<Argument> args, Span span, Scope *inner, const ast::Expr *calleeExpr) {
  sound(f);
  for (const Argument &a : args)
    sound(a.value);
  step(span);
  switch (f->kind) {
  case Entity::Kind::Layer: {
    if (f->label.empty() && frame == top && !fieldLabel.empty()) // in `metrics` the field is the label
      return apply(instantiate(f, fieldLabel, calleeExpr->span), std::move(args), span, inner, calleeExpr);
    if (f->label.empty()) {
      // A layer without weights, state or sub-layers would need no path, but then it could as well be a function.
      fail(Kind::UnlabelledLayer, "`" + f->decl->name.text + "` owns weights or state and has no label",
           {{calleeExpr->span, "gives its weights no path"}},
           "write `name: " + std::string(calleeExpr->span.text()) + "`, or declare `use name = ...`");
    }
    Ref instance = instantiate(f, f->label, f->span);
    return apply(instance, std::move(args), span, inner, calleeExpr);
  }
  case Entity::Kind::Instance: {
    Instance &instance = *f->instance;
    if (instance.decl->hasHeader)
      return invoke(instance, instance.decl, args, span);
    if (instance.decl->body)
      for (const ast::Stmt *s : instance.decl->body->statements)
        if (auto *function = as<ast::FunctionStmt>(s); function && function->function->name.text == "forward")
          return invoke(instance, function->function, args, span);
    fail(Kind::NotCallable, "`" + instance.decl->name.text + "` has no `forward`",
         {{span, ""}, {instance.decl->name.span, "declared here"}}, "call one of its methods");
  }
  case Entity::Kind::Method: {
    if (f->instance)
      return invoke(*f->instance, f->decl, args, span, methodArguments(f, span, inner));
    Modular &known = *info; // a method of the layer being walked, by name
    Bindings hyper;
    for (const Scope *s = frame->root; s; s = s->parent())
      hyper.insert(hyper.begin(), s->bindings().begin(), s->bindings().end());
    for (const auto &binding : methodArguments(f, span, inner))
      hyper.push_back(binding);
    return call(signatureOf(f->decl), frame->file, hyper, args, span, nullptr, known.conditions[f->decl->name.text],
                "`" + f->decl->name.text + "`");
  }
  case Entity::Kind::Function: {
    Bindings hyper = f->applied ? f->hyper : compileTimeArguments(f->decl, f->file, {}, span, inner);
    Modular &known = checker.modular(f->decl, f->file);
    if (known.state == Modular::State::Bad)
      throw Quiet();
    return call(signatureOf(f->decl), f->file, hyper, args, span, nullptr, known.conditions["forward"],
                "`" + f->decl->name.text + "`");
  }
  case Entity::Kind::FunctionType: {
    if (!f->type || f->type->form != ast::Type::Form::Function)
      throw Quiet(); // known by name only where it is expanded
    Bound bound{scope(nullptr), newFrame(f->file, nullptr), {}, {}};
    std::vector<Later> later;
    if (args.size() != f->type->inputs.size())
      fail(Kind::MissingArgument,
           "this function takes " + std::to_string(f->type->inputs.size()) + " arguments, not " +
               std::to_string(args.size()),
           {{span, ""}, {f->type->span, "declared here"}});
    for (size_t i = 0; i < args.size(); ++i)
      bindType(f->type->inputs[i], args[i].value, bound, args[i].span, "the argument", later);
    return typeValue(f->type->output, bound.scope);
  }
  case Entity::Kind::Lambda: {
    if (args.size() != f->lambda->pattern.slots.size())
      fail(Kind::MissingArgument,
           "this function takes " + std::to_string(f->lambda->pattern.slots.size()) + " arguments, not " +
               std::to_string(args.size()),
           {{span, ""}, {f->lambda->span, "written here"}});
    enterCall(span);
    Scope *body = scope(f->scope);
    for (size_t i = 0; i < args.size(); ++i)
      body->bind(f->lambda->pattern.slots[i].text, args[i].value);
    Frame *saved = frame;
    frame = f->frame;
    try {
      Ref result = evaluate(f->lambda->body, body);
      frame = saved;
      --depth;
      return result;
    } catch (...) {
      frame = saved;
      --depth;
      throw;
    }
  }
  case Entity::Kind::Builtin:
    return builtin(f->text, f->hyper, args, span);
  case Entity::Kind::List:
  case Entity::Kind::Members:
    fail(Kind::NotCallable, "a list of layers is applied with `|>` or a `for`", {{calleeExpr->span, "this is a list"}});
  default:
    fail(Kind::NotCallable, "`" + flat(calleeExpr->span.text()) + "` is not a function",
         {{calleeExpr->span, "this is " + describe(f)}});
  }
}

} // namespace nacre
