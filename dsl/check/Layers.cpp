// Layers as places in the weight tree: labels, `use`, `param`, `state`, and the bodies that initialise weights.
#include "check/Visit.h"
#include "check/Walker.h"

namespace nacre {
using ast::as;

// ---- labels and sub-layers -----------------------------------------------------------------------------------------
void Walker::claim(const std::string &label, Span span) {
  auto [found, added] = frame->self->labels.emplace(label, span);
  if (!added && found->second != span)
    fail(Kind::DuplicateLabel, "label `" + label + "` is used twice",
         {{span, "second use"}, {found->second, "first use"}},
         "to share weights declare `use " + label + " = ...` once; otherwise choose another label");
}

Ref Walker::instantiate(Ref layer, const std::string &label, Span span) {
  sound(layer);
  if (!frame->self) {
    bool inEntry = entry != nullptr && frame == top && !train;
    if (train && frame == top)
      fail(Kind::MisplacedWeight, "a loss or a step owns no weights, so `" + label + "` has no path",
           {{span, "weights belong to layers"}}, "make it a part of the model");
    fail(Kind::MisplacedWeight,
         inEntry ? "an entry owns no weights, so `" + label + "` has no path"
                 : "a function owns no weights, so `" + label + "` has no path",
         {{span, "weights belong to layers"}},
         inEntry ? "declare `model " + label + " = ...` and call it" : "make this function a layer");
  }
  Instance &self = *frame->self;
  if (layer->kind == Entity::Kind::List) {
    claim(label, span);
    std::vector<Ref> items;
    for (size_t i = 0; i < layer->items.size(); ++i)
      items.push_back(instantiate(layer->items[i], label + "." + std::to_string(i), span));
    return list(std::move(items));
  }
  if (layer->kind == Entity::Kind::Members) {
    Entity &e = make(Entity::Kind::Members);
    e.count = layer->count;
    e.member = instantiate(layer->member, label + ".*", span);
    return &e;
  }
  if (layer->kind == Entity::Kind::FunctionType)
    throw Quiet(); // a layer passed as a compile-time argument: known where it is expanded
  if (layer->kind != Entity::Kind::Layer)
    fail(Kind::NotALayer, "`" + label + "` needs a layer", {{span, "this is " + describe(layer)}});
  if (auto found = self.shared.find(label); found != self.shared.end() && self.labels[label] == span)
    return sound(found->second);
  claim(label, span);
  Bindings hyper = layer->applied ? layer->hyper : compileTimeArguments(layer->decl, layer->file, {}, span, nullptr);
  if (expanding())
    for (const auto &[name, value] : hyper)
      if (isInteger(value) && !value->integer.isConstant())
        fail(Kind::DynamicWeight,
             "`" + name + "` of `" + label + "` is " + value->integer.text() + ", known only at run time",
             {{span, "a compile-time parameter"}}, "give the axis a fixed size in the entry");
  Modular &known = checker.modular(layer->decl, layer->file);
  Instance *made = checker.makeInstance();
  made->decl = static_cast<const ast::LayerDecl *>(layer->decl);
  made->file = layer->file;
  made->hyper = std::move(hyper);
  made->path = self.path.empty() ? label : self.path + "." + label;
  made->span = span;
  made->model = self.model;
  Entity &e = make(Entity::Kind::Instance);
  e.instance = made;
  self.shared[label] = &e;
  self.children.push_back({made, 0});
  if (known.state == Modular::State::Bad)
    throw Quiet();
  return &e;
}

void Walker::useStatement(const ast::UseStmt *s, Scope *inner) {
  if (!frame->self)
    fail(Kind::MisplacedWeight, "`use` outside a layer", {{s->span, "sub-layers belong to layers"}},
         "make this a layer");
  Ref made = instantiate(evaluate(s->value, inner), s->name.text, s->span);
  frame->self->shared[s->name.text] = made;
  inner->bind(s->name.text, made);
}

/// A weight, sub-layer or method of the layer whose body is being walked; null if it has none of this name.
Ref Walker::ofSelf(const std::string &name, Span span) {
  Instance &self = *frame->self;
  if (!self.decl)
    return nullptr;
  if (auto found = self.shared.find(name); found != self.shared.end())
    return isTensor(found->second) && expanding() ? emitWeight(self, name, span) : found->second;
  if (self.absent.count(name))
    fail(Kind::AbsentWeight, "`" + name + "` exists only under its `when`, which is false here",
         {{span, "used here"}, {self.absent[name], "declared here"}}, "use it under the same condition");
  if (!self.decl->body)
    return nullptr;
  for (const ast::Stmt *s : self.decl->body->statements)
    if (auto *f = as<ast::FunctionStmt>(s); f && f->function->name.text == name) {
      Entity &e = make(Entity::Kind::Method);
      e.decl = f->function;
      e.file = self.file;
      e.instance = expanding() ? &self : nullptr;
      return &e;
    }
  if (frame->decl == self.decl)
    return nullptr; // the header itself: what it declares, it declares in order
  // A method that runs before the header: it sees the header's weights, sub-layers and labels.
  Scope *outer = scope(frame->root);
  for (const ast::Stmt *s : self.decl->body->statements) {
    if (auto *w = as<ast::WeightStmt>(s); w && w->name.text == name) {
      weightStatement(w, outer);
      return ofSelf(name, span);
    }
    if (auto *u = as<ast::UseStmt>(s); u && u->name.text == name) {
      useStatement(u, outer);
      return ofSelf(name, span);
    }
  }
  const ast::LabelledExpr *labelled = nullptr;
  const ast::Expr *whole = nullptr;
  forAll(
      self.decl->body, [](const ast::Stmt *) {},
      [&](const ast::Expr *e) {
        if (auto *l = as<ast::LabelledExpr>(e); l && l->label.text == name)
          labelled = l, whole = whole ? whole : l;
        if (auto *sub = as<ast::SubscriptExpr>(e))
          if (auto *l = as<ast::LabelledExpr>(sub->base); l && l->label.text == name)
            whole = sub;
      });
  if (!labelled)
    return nullptr;
  Ref layer = evaluate(whole, outer);
  return layer->kind == Entity::Kind::Layer ? instantiate(layer, layer->label, layer->span) : nullptr;
}

// ---- weights -------------------------------------------------------------------------------------------------------
Ref Walker::emitWeight(Instance &instance, const std::string &name, Span span) {
  uint32_t number = instance.weights.at(name);
  ModelState &model = checker.models[*instance.model];
  ValueId value = currentWeight({model.number, number}, span, name);
  modelsRead.insert(model.number);
  Element element = instance.shared.at(name)->element;
  return emitted(element, value);
}

void Walker::weightStatement(const ast::WeightStmt *s, Scope *inner) {
  const std::string &name = s->name.text;
  if (!frame->self || !frame->self->decl)
    fail(Kind::MisplacedWeight, std::string(s->trained ? "`param`" : "`state`") + " outside a layer",
         {{s->span, "weights belong to layers"}}, "make this a layer");
  Instance &self = *frame->self;
  if (s->condition && truth(evaluate(s->condition, inner)) == false) {
    self.absent.emplace(name, s->span);
    return;
  }
  const ast::Type *written = resolve(s->type);
  if (written->form != ast::Type::Form::Named)
    fail(Kind::TypeMismatch, "a weight is one tensor", {{s->type->span, ""}});
  Ref type = typeValue(s->type, inner);
  for (size_t i = 0; i < type->axes.size(); ++i) {
    const Axis &axis = type->axes[i];
    if (!axis.group)
      require(
          Relation::NonNegative, axis.size - 1, s->type->span, unsigned(i),
          [&](const std::string &example) {
            return Diagnostic{Kind::NegativeSize,
                              "`" + name + "` would have an axis of size " + text(axis) +
                                  (example.empty() ? "" : " (for " + example + ")"),
                              {{s->type->span, "this is " + describe(type)}},
                              {},
                              "every axis of a weight has at least one element"};
          },
          true);
  }
  if (!expanding()) {
    self.shared[name] = type;
    inner->bind(name, type);
    if (s->initial) {
      Entity &target = make(Entity::Kind::Tensor);
      target.element = type->element;
      target.axes = type->axes;
      target.hollow = true;
      Ref value = applyInitialiser(s->initial, &target, inner);
      auto shape = shapeOf(value);
      if (!shape)
        fail(Kind::TypeMismatch, "the initial value of `" + name + "` is no tensor",
             {{s->initial->span, "this is " + describe(value)}});
      if (!shape->axes.empty())
        conform(value, type, s->initial->span, s->type->span, "the initial value of `" + name + "`");
    }
    return;
  }
  TensorType concrete{scalarOf(type->element), {}};
  for (const Axis &axis : type->axes) {
    if (!axis.size.isConstant())
      fail(Kind::DynamicWeight, "`" + name + "` would have the run-time size " + axis.size.text(),
           {{s->type->span, "this is " + describe(type)}}, "give the axis a fixed size in the entry");
    concrete.extents.push_back(axis.size);
  }
  ModelState &model = checker.models[*self.model];
  if (auto found = self.weights.find(name); found != self.weights.end()) {
    const Weight &known = model.weights[found->second];
    if (!(known.type == concrete)) {
      Axes before;
      for (const Polynomial &extent : known.type.extents)
        before.push_back({extent, false});
      fail(Kind::DimensionMismatch,
           "`" + known.path + "` is [" + text(before) + "] in one call and [" + text(type->axes) + "] in another",
           {{s->type->span, "one weight has one shape"}}, "use two layers");
    }
  } else {
    uint32_t number = uint32_t(model.weights.size());
    self.weights[name] = number;
    self.shared[name] = type;
    self.children.push_back({nullptr, number});
    Weight weight;
    weight.path = self.path.empty() ? name : self.path + "." + name;
    weight.type = concrete;
    weight.trained = s->trained;
    weight.layer = self.decl->name.text;
    weight.span = s->span;
    model.weights.push_back(std::move(weight));
    if (s->initial) {
      std::string path = model.weights[number].path;
      auto body = initialBody(s->initial, concrete, type->element, inner, path);
      model.weights[number].initial = std::move(body);
    }
  }
  Entity &live = make(Entity::Kind::Tensor);
  live = *emitWeight(self, name, s->span);
  live.live = true;
  live.instance = &self;
  live.text = name;
  inner->bind(name, &live);
}

// ---- initialisers --------------------------------------------------------------------------------------------------
/// `= f(a)` means f(w, a), where w is the weight: a generator looks at its shape only.
Ref Walker::applyInitialiser(const ast::Expr *e, Ref target, Scope *inner) {
  const ast::Expr *calleeExpr = e;
  std::vector<Argument> args;
  auto *written = as<ast::CallExpr>(e);
  if (written)
    calleeExpr = written->callee;
  bool callable = calleeExpr->kind == ast::ExprKind::Identifier || calleeExpr->kind == ast::ExprKind::Member ||
                  calleeExpr->kind == ast::ExprKind::Subscript;
  if (!callable || reducer(e, inner))
    return evaluate(e, inner);
  Ref callee = evaluate(calleeExpr, inner);
  if (written)
    args = arguments(written->arguments, inner);
  bool takesShape = callee->kind == Entity::Kind::Lambda || callee->kind == Entity::Kind::FunctionType;
  if (callee->kind == Entity::Kind::Builtin)
    takesShape = (callee->text == "uniform" || callee->text == "normal") &&
                 (args.empty() || !args[0].name.empty() || args[0].value->kind != Entity::Kind::List);
  if (callee->kind == Entity::Kind::Function) {
    const auto &parameters = *signatureOf(callee->decl).parameters;
    if (!parameters.empty() && parameters[0].type) {
      const ast::Type *first = resolve(parameters[0].type);
      bool tensor = first && first->form == ast::Type::Form::Named && first->brackets;
      bool named =
          std::any_of(args.begin(), args.end(), [&](const Argument &a) { return a.name == parameters[0].name.text; });
      takesShape = tensor && !named && args.size() < parameters.size();
    }
  }
  if (callee->kind == Entity::Kind::Builtin && callee->text == "fill" && args.size() == 1)
    return sound(args[0].value); // one number fills the weight
  if (!takesShape) {
    if (written)
      return apply(callee, std::move(args), e->span, inner, calleeExpr);
    return callee;
  }
  // `zeros` and its kin make reals; a weight of integers takes them as integers.
  Ref shaped = target;
  if (family(target->element) == Family::Integer && callee->kind == Entity::Kind::Function) {
    Element element;
    const ast::Type *first = resolve(signatureOf(callee->decl).parameters->front().type);
    if (elementNamed(first->name.text, element) && family(element) == Family::Real) {
      Entity &like = make(Entity::Kind::Tensor);
      like = *target;
      like.element = Element::Real;
      shaped = &like;
    }
  }
  args.insert(args.begin(), {"", shaped, e->span});
  Ref value = apply(callee, std::move(args), e->span, inner, calleeExpr);
  return shaped == target ? value : convert(sound(value), target->element, e->span);
}

std::unique_ptr<Body> Walker::initialBody(const ast::Expr *e, const TensorType &type, Element element, Scope *inner,
                                          const std::string &path) {
  auto made = std::make_unique<Body>();
  Body *outerBody = emit.body;
  const Term *outerSeed = seed;
  auto outerOrdinals = std::move(ordinals);
  auto outerWeights = std::move(weightValues);
  auto outerWrites = std::exchange(writes, {});
  auto outerPath = std::move(drawPath);
  auto outerModels = modelsRead;
  unsigned outerDepth = inEquation;
  auto restore = [&] {
    emit.body = outerBody;
    seed = outerSeed;
    ordinals = std::move(outerOrdinals);
    weightValues = std::move(outerWeights);
    writes = std::move(outerWrites);
    drawPath = std::move(outerPath);
    modelsRead = std::move(outerModels);
    inEquation = outerDepth;
  };
  ordinals.clear();
  weightValues.clear();
  inEquation = 0;
  drawPath = path;
  emit.body = made.get();
  try {
    step(e->span);
    seed = emit.read(emit.argument(0, {Scalar::U64, {}}, "seed"));
    Entity &target = make(Entity::Kind::Tensor);
    target.element = element;
    for (const Polynomial &extent : type.extents)
      target.axes.push_back({extent, false});
    target.hollow = true;
    Ref value = sound(applyInitialiser(e, &target, inner));
    auto shape = shapeOf(value);
    if (!shape)
      fail(Kind::TypeMismatch, "the initial value of `" + path + "` is no tensor",
           {{e->span, "this is " + describe(value)}});
    if (shape->axes.empty() && !type.extents.empty())
      value = fillOf(value, target.axes, e->span);
    else
      conform(value, tensorType(element, target.axes), e->span, e->span, "the initial value of `" + path + "`");
    Entity &declared = make(Entity::Kind::Tensor);
    declared.element = element;
    declared.axes = target.axes;
    ValueId id = valueOf(adapt(value, &declared), e->span);
    if (emit.type(id).element != type.element) { // a number is what the weight is: `state seen: f64 = 0`
      std::vector<Index> indices = Emitter::indicesFor(type.extents);
      const Term *element = emit.cast(emit.read(id, Emitter::subscriptsFor(indices)), type.element);
      id = emit.equation(std::move(indices), element);
    }
    made->results = {id};
  } catch (...) {
    restore();
    throw;
  }
  restore();
  return made;
}

} // namespace nacre
