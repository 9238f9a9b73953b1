// From gradients to new parameters: averaging over accumulated batches, clipping, penalties, and the optimiser, a layer
// `(p, g, t) -> p` with an instance per parameter.
#include "check/Train.h"
#include "check/Visit.h"
#include <algorithm>

namespace nacre {
using ast::as;
using ast::BinaryOp;

/// `SGD[lr = ..]`, or `by_path(("*.bias", A), ("**", B))`.
void TrainBlock::readOptimizer(Walker &w) {
  const ast::Setting *s = setting("optimizer");
  if (!s)
    return;
  auto add = [&](const std::string &pattern, Ref layer, Span span) {
    w.sound(layer);
    auto *found = layer->kind == Entity::Kind::Layer ? static_cast<const ast::LayerDecl *>(layer->decl) : nullptr;
    size_t required = 0;
    if (found)
      for (const ast::Parameter &p : found->parameters)
        required += p.initial == nullptr;
    bool owns = false;
    if (found && found->body)
      for (const ast::Stmt *statement : found->body->statements)
        if (auto *weight = as<ast::WeightStmt>(statement))
          owns |= weight->trained;
    if (!found || !found->hasHeader || found->parameters.size() < 3 || required > 3 || owns)
      w.fail(
          Kind::NotAnOptimizer,
          owns ? "an optimiser keeps `state`, and has no `param` of its own"
               : "an optimiser is a layer `(p, g, t) -> p`",
          {{span, "this is " + describe(layer)}},
          "write `layer Plain[lr: fn(i32) -> real](p: real[...], g: real[...], t: i32) -> real[...]`, or take one of "
          "the library");
    Entity &made = checker.make(Entity::Kind::Layer);
    made = *layer;
    if (!made.applied) {
      made.hyper = w.compileTimeArguments(layer->decl, layer->file, {}, span, nullptr);
      made.applied = true;
    }
    if (checker.modular(made.decl, made.file).state == Modular::State::Bad)
      throw Quiet();
    rules.push_back({pattern, &made});
  };
  auto *call = as<ast::CallExpr>(s->value);
  auto *callee = call ? as<ast::IdentifierExpr>(call->callee) : nullptr;
  if (!callee || callee->name != "by_path")
    return add("**", w.evaluate(s->value, w.frame->root), s->value->span);
  for (const ast::Argument &a : call->arguments) {
    Ref pair = a.value ? w.sound(w.evaluate(a.value, w.frame->root)) : nullptr;
    if (!pair || pair->kind != Entity::Kind::Record || pair->items.size() != 2 ||
        pair->items[0]->kind != Entity::Kind::String)
      w.fail(Kind::BadSetting, "`by_path` takes pairs of a pattern and an optimiser", {{a.span, ""}},
             "write `by_path((\"**.bias\", A), (\"**\", B))`");
    add(pair->items[0]->text, pair->items[1], a.span);
  }
}

/// An instance of the optimiser for each parameter: its state follows the path of the parameter.
void TrainBlock::attach() {
  const ast::Setting &s = *setting("optimizer");
  std::vector<bool> used(rules.size());
  for (Parameter &p : parameters) {
    auto rule = std::find_if(rules.begin(), rules.end(), [&](const Rule &r) { return matchesPath(r.pattern, p.path); });
    if (rule == rules.end())
      reader.fail(Kind::UnmatchedPattern, "`by_path` has no optimiser for `" + p.path + "`", {{s.value->span, ""}},
                  "end it with `(\"**\", ..)`");
    used[size_t(rule - rules.begin())] = true;
    Instance *made = checker.makeInstance();
    made->decl = static_cast<const ast::LayerDecl *>(rule->layer->decl);
    made->file = rule->layer->file;
    made->hyper = rule->layer->hyper;
    made->path = p.path;
    made->span = s.value->span;
    made->model = optimizer->number;
    optimizer->root->children.push_back({made, 0});
    p.optimizer = made;
  }
  for (size_t i = 0; i < rules.size(); ++i)
    if (!used[i] && !parameters.empty())
      reader.fail(Kind::UnmatchedPattern, "\"" + rules[i].pattern + "\" matches no parameter, or none that is left",
                  {{s.value->span, ""}},
                  "the first pattern that matches decides; paths look like `" + parameters.front().path + "`");
}

/// The optimiser's sum of gradients over the batches of one step, `fc1.weight.gradient`.
TrainBlock::WeightKey TrainBlock::sumOf(const Parameter &p) {
  Instance &instance = *p.optimizer;
  auto [slot, added] = instance.weights.emplace("gradient", uint32_t(optimizer->weights.size()));
  if (added) {
    Weight sum;
    sum.path = p.path + ".gradient";
    sum.type = checker.models[p.key.first].weights[p.key.second].type;
    sum.trained = false;
    sum.layer = instance.decl->name.text;
    sum.span = instance.span;
    sum.initial = std::make_unique<Body>();
    Emitter emit(*checker.program);
    emit.body = sum.initial.get();
    emit.location = reader.here(instance.span);
    emit.argument(0, {Scalar::U64, {}}, "seed");
    sum.initial->results = {emit.equation(Emitter::indicesFor(sum.type.extents), emit.real(sum.type.element, 0))};
    instance.children.push_back({nullptr, slot->second});
    optimizer->weights.push_back(std::move(sum));
  }
  return {optimizer->number, slot->second};
}

/// The derivative of the loss by one parameter; where there is none, which and why.
Ref TrainBlock::gradient(Walker &w, Ref loss, const Parameter &p, Span span) {
  const Weight &weight = checker.models[p.key.first].weights[p.key.second];
  ValueId value = w.currentWeight(p.key, span, weight.path);
  try {
    return w.gradientOf(loss, value, span, weight.span);
  } catch (Problem &problem) {
    problem.diagnostic.headline = "`" + p.path + "` gets no gradient from the loss";
    problem.diagnostic.labels.push_back({weight.span, "this parameter"});
    problem.diagnostic.hint += ", or `freeze \"" + weight.path + "\"` in the model";
    throw;
  }
}

/// The rate of the optimiser in this step, where its `lr` says.
std::optional<Ref> TrainBlock::learningRate(Walker &w) {
  std::function<std::optional<Ref>(Ref)> find = [&](Ref layer) -> std::optional<Ref> {
    for (const auto &[name, value] : layer->hyper) {
      if (name != "lr")
        continue;
      if (value->kind == Entity::Kind::Real || isInteger(value))
        return value;
      return w.apply(value, {{"", stepNumber, decl->name.span}}, decl->name.span, w.frame->root,
                     setting("optimizer")->value);
    }
    for (const auto &[name, value] : layer->hyper)
      if (value->kind == Entity::Kind::Layer)
        if (auto inner = find(value))
          return inner;
    return std::nullopt;
  };
  return rules.empty() ? std::nullopt : find(rules.back().layer);
}

/// `update`: clip, penalties, optimiser. All gradients were taken before anything is written.
void TrainBlock::change(Walker &w, std::vector<Change> changes, Span span) {
  changed = true;
  auto arithmetic = [&](BinaryOp op, Ref a, Ref b) { return w.binaryOf(op, a, b, span, span, span); };
  auto current = [&](WeightKey key) {
    return w.emitted(Element::Real, w.currentWeight(key, span, checker.models[key.first].weights[key.second].path));
  };
  w.step(span);
  if (accumulating || every > 1)
    for (Change &c : changes) {
      WeightKey key = sumOf(*c.parameter);
      Ref sum = arithmetic(BinaryOp::Add, current(key), c.gradient);
      if (accumulating) {
        w.writeWeight(key, sum, span);
      } else {
        c.gradient = arithmetic(BinaryOp::Multiply, sum, w.real(1.0 / double(every)));
        const Weight &weight = optimizer->weights[key.second];
        w.writeWeight(key,
                      w.emitted(Element::Real, w.emit.equation(Emitter::indicesFor(weight.type.extents),
                                                               w.emit.real(weight.type.element, 0))),
                      span);
      }
    }
  if (has("clip.global_norm") || has("clip.value")) {
    Ref total = w.real(0);
    for (const Change &c : changes)
      total = arithmetic(BinaryOp::Add, total,
                         w.reduceWhole("sum", arithmetic(BinaryOp::Multiply, c.gradient, c.gradient), span));
    gradientNorm = w.whole(w.scalarFunction("sqrt", {{"", total, span}}, span), span);
  }
  if (accumulating)
    return;
  if (has("clip.global_norm")) { // as PyTorch: g * min(1, bound / (norm + 1e-6))
    Ref norm = arithmetic(BinaryOp::Add, gradientNorm, w.real(1e-6));
    Ref share = arithmetic(BinaryOp::Divide, w.real(numberOf("clip.global_norm")), norm);
    Ref scale = w.whole(w.extremum("min", {{"", w.real(1), span}, {"", share, span}}, span), span);
    for (Change &c : changes)
      c.gradient = arithmetic(BinaryOp::Multiply, c.gradient, scale);
  }
  if (has("clip.value")) {
    Ref bound = w.real(numberOf("clip.value")), below = w.real(-numberOf("clip.value"));
    for (Change &c : changes) {
      Ref low = w.extremum("max", {{"", c.gradient, span}, {"", below, span}}, span);
      c.gradient = w.extremum("min", {{"", low, span}, {"", bound, span}}, span);
    }
  }
  for (const Penalty &penalty : penalties)
    for (Change &c : changes) {
      const std::string &path = checker.models[c.parameter->key.first].weights[c.parameter->key.second].path;
      auto matches = [&](const std::string &pattern) { return matchesPath(pattern, path); };
      if (std::any_of(penalty.except.begin(), penalty.except.end(), matches) ||
          (!penalty.only.empty() && std::none_of(penalty.only.begin(), penalty.only.end(), matches)))
        continue;
      Ref p = current(c.parameter->key);
      Ref pull = penalty.absolute ? w.scalarFunction("sign", {{"", p, span}}, span) : p;
      c.gradient = arithmetic(BinaryOp::Add, c.gradient, arithmetic(BinaryOp::Multiply, w.real(penalty.rate), pull));
    }
  Span rule = setting("optimizer")->value->span;
  for (const Change &c : changes) {
    w.step(rule);
    Instance &instance = *c.parameter->optimizer;
    Ref p = current(c.parameter->key);
    Ref made = w.sound(w.invoke(instance, instance.decl,
                                {{"", p, rule}, {"", w.whole(c.gradient, span), rule}, {"", stepNumber, rule}}, rule));
    auto shape = w.shapeOf(made);
    if (!shape || !w.same(shape->axes, p->axes) || family(shape->element) != Family::Real)
      w.fail(Kind::NotAnOptimizer, "an optimiser gives a parameter like the one it took",
             {{rule, "this gives " + describe(made) + " for " + describe(p)}}, "its result is `real[...]`");
    w.writeWeight(c.parameter->key, made, rule);
    optimised.insert(c.parameter->key);
  }
}

/// The parameters below a layer of a trained model.
std::vector<const TrainBlock::Parameter *> TrainBlock::parametersOf(Walker &w, Ref layer, Span span) {
  w.sound(layer);
  if (layer->kind != Entity::Kind::Instance)
    w.fail(Kind::NotALayer, "a step changes a model, or a layer of it", {{span, "this is " + describe(layer)}},
           "write `minimise(e, " + models.front()->decl->name.text + ")`");
  const Instance &instance = *layer->instance;
  if (std::none_of(models.begin(), models.end(), [&](ModelState *m) { return m->number == instance.model; }))
    w.fail(Kind::BadSetting, "this model is not trained by `" + decl->name.text + "`",
           {{span, ""}, {decl->name.span, "trains others"}}, "list it after `on`");
  if (!setting("optimizer"))
    w.fail(Kind::MissingSetting, "`" + decl->name.text + "` has no `optimizer`", {{span, "needed here"}},
           "write `optimizer: SGD[lr = constant[0.1]]`");
  std::vector<const Parameter *> out;
  std::string prefix = instance.path.empty() ? "" : instance.path + ".";
  for (const Parameter &p : parameters)
    if (p.key.first == *instance.model && checker.models[p.key.first].weights[p.key.second].path.starts_with(prefix))
      out.push_back(&p);
  return out;
}

/// minimise(e, model) is update(model, grad(e, model)), for the parameters of the model that e depends on.
void TrainBlock::minimise(Walker &w, Ref loss, Ref model, Span span) {
  w.sound(loss);
  auto shape = w.shapeOf(loss);
  if (!shape || !shape->axes.empty() || family(shape->element) != Family::Real)
    w.fail(Kind::NotALoss, "what is minimised is " + describe(loss) + ", and must be one real number", {{span, ""}},
           shape && !shape->axes.empty() ? "reduce it: `mean(..)`" : "");
  auto list = parametersOf(w, model, span);
  if (rehearsing)
    return;
  loss = w.whole(loss, span);
  minimised.push_back(loss);
  if (probes)
    return;
  std::vector<Change> changes;
  for (const Parameter *p : list) {
    const Weight &weight = checker.models[p->key.first].weights[p->key.second];
    if (w.dependsOn(loss, w.currentWeight(p->key, span, weight.path), span))
      changes.push_back({p, gradient(w, loss, *p, span)});
  }
  if (changes.empty())
    w.fail(Kind::NoGradient, "no trained weight of the model is in what is minimised", {{span, "computed without it"}},
           "pass the model that computed it");
  change(w, std::move(changes), span);
}

void TrainBlock::update(Walker &w, Ref model, Ref gradients, Span span) {
  w.sound(gradients);
  auto list = parametersOf(w, model, span);
  if (gradients->kind != Entity::Kind::Tree)
    w.fail(Kind::TypeMismatch, "`update` takes the gradients of a model", {{span, "this is " + describe(gradients)}},
           "write `update(net, grad(e, net))`");
  if (rehearsing || probes)
    return;
  const std::string &root = model->instance->path;
  std::vector<Change> changes;
  std::set<std::string> left(gradients->names.begin(), gradients->names.end());
  for (const Parameter *p : list) {
    const Weight &weight = checker.models[p->key.first].weights[p->key.second];
    std::string path = root.empty() ? weight.path : weight.path.substr(root.size() + 1);
    auto found = std::find(gradients->names.begin(), gradients->names.end(), path);
    if (found == gradients->names.end())
      w.fail(Kind::TypeMismatch, "these gradients have no `" + path + "`", {{span, ""}}, "use `grad(e, net)`");
    left.erase(path);
    changes.push_back({p, gradients->items[size_t(found - gradients->names.begin())]});
  }
  if (!left.empty())
    w.fail(Kind::TypeMismatch, "these gradients have `" + *left.begin() + "`, and the model has not", {{span, ""}},
           "use `grad(e, net)`");
  change(w, std::move(changes), span);
}

} // namespace nacre
