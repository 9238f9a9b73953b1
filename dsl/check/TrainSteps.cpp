// What a train block does to weights: its step, the batches that only add to gradients, what is done once at the start.
#include "check/Train.h"
#include <algorithm>
#include <limits>

namespace nacre {

/// |x| < inf, which is false for a NaN.
const Term *TrainBlock::finite(Walker &w, Ref value) {
  const Term *x = w.nativeTerm(value);
  return w.emit.apply(Primitive::Less, {w.emit.apply(Primitive::Absolute, {x}),
                                        w.emit.real(x->type, std::numeric_limits<double>::infinity())});
}

/// The loss as a value of the body; null after reporting.
Ref TrainBlock::lossOf(Function &f) {
  const ast::Setting &s = *setting("loss");
  Ref loss = walk(f, s);
  if (!loss) {
    if (!f.walker.unsizedRead && s.body && !checker.diagnostics.failed())
      f.walker.report({Kind::MissingReturn, "`loss` ends without `return`", {{s.name.span, ""}}, {}, ""});
    return nullptr;
  }
  auto shape = f.walker.shapeOf(loss);
  if (!shape || !shape->axes.empty() || family(shape->element) != Family::Real) {
    f.walker.report({Kind::NotALoss,
                     "the loss is " + describe(loss) + ", and must be one real number",
                     {{spanOf(s), ""}},
                     {},
                     shape && !shape->axes.empty() ? "reduce it: `mean(..)`" : "return what is to become small"});
    return nullptr;
  }
  return f.walker.emitted(Element::Real, f.walker.valueOf(f.walker.convert(loss, Element::Real, spanOf(s)), spanOf(s)));
}

/// What a step does to the weights; its results are added. The loss, if there is one, is in `minimised`.
void TrainBlock::stepBody(Function &f) {
  Walker &w = f.walker;
  if (setting("loss")) {
    Ref loss = lossOf(f);
    if (!loss)
      return;
    Span span = spanOf(*setting("loss"));
    result(f, "loss", loss, span);
    minimised.push_back(loss);
    if (probes)
      return;
    std::vector<Change> changes;
    std::set<uint32_t> reached;
    for (const Parameter &p : parameters)
      if (auto value = w.weightValues.find(p.key); value != w.weightValues.end()) {
        changes.push_back({&p, gradient(w, loss, p, span)});
        reached.insert(p.key.first);
      }
    for (ModelState *model : models)
      if (!reached.count(model->number))
        w.fail(Kind::NoGradient, "`" + model->decl->name.text + "` is trained, and no weight of it is in the loss",
               {{span, "computed without it"}, {decl->name.span, "trained here"}},
               !frozen.empty() && parameters.empty() ? "its weights are all frozen"
                                                     : "list only the models that the loss uses");
    change(w, std::move(changes), span);
  } else {
    const ast::Setting &s = *setting("step");
    Ref value = walk(f, s);
    if (w.failed)
      return;
    if (value) {
      if (value->kind != Entity::Kind::Record)
        w.fail(Kind::BadSetting, "a step returns a record of what is logged",
               {{spanOf(s), "this is " + describe(value)}}, "write `(error = ..)`");
      std::vector<size_t> order(value->items.size());
      for (size_t i = 0; i < order.size(); ++i)
        order[i] = i;
      std::stable_partition(order.begin(), order.end(), [&](size_t i) { return value->names[i] == "loss"; });
      for (size_t i : order) {
        auto shape = w.shapeOf(value->items[i]);
        if (value->names[i].empty() || !shape || !shape->axes.empty())
          w.fail(Kind::BadSetting, "a step logs numbers, each with a name",
                 {{spanOf(s), "one of them is " + describe(value->items[i])}}, "write `(error = mean(..))`");
        result(f, value->names[i], value->items[i], spanOf(s));
        if (value->names[i] == "loss" && family(shape->element) == Family::Real)
          minimised.push_back(w.whole(value->items[i], spanOf(s)));
      }
      if (minimised.empty()) // what is logged is all that tells whether the step went well
        for (Ref item : value->items)
          if (family(w.shapeOf(item)->element) == Family::Real)
            minimised.push_back(w.whole(item, spanOf(s)));
    }
  }
  if (gradientNorm || changed) {
    if (auto rate = learningRate(w))
      result(f, "learning_rate", *rate, spanOf(*setting("optimizer")));
    if (gradientNorm)
      result(f, "gradient_norm", gradientNorm, spanOf(*setting("clip")));
  }
}

/// Whether all that `<-` wrote may be kept: of a parameter every number is finite, of a state none is a NaN. (What an
/// optimiser wrote follows from a loss, which is looked at anyway.) Null: nothing of that kind is written.
Ref TrainBlock::storesAreGood(Function &f) {
  Walker &w = f.walker;
  const Term *good = nullptr;
  for (const auto &[key, value] : std::map(w.writes)) {
    const Weight &weight = checker.models[key.first].weights[key.second];
    if (!isReal(weight.type.element) || optimised.count(key) || key.first == optimizer->number ||
        !isStored(w.phase, key))
      continue;
    std::vector<Index> indices = Emitter::indicesFor(weight.type.extents);
    const Term *x = w.emit.read(value, Emitter::subscriptsFor(indices));
    const Term *infinity = w.emit.real(x->type, std::numeric_limits<double>::infinity());
    const Term *fits = weight.trained
                           ? w.emit.apply(Primitive::Less, {w.emit.apply(Primitive::Absolute, {x}), infinity})
                           : w.emit.apply(Primitive::LessEqual, {x, infinity});
    const Term *lost = w.emit.apply(Primitive::Not, {fits});
    if (!indices.empty())
      lost = w.emit.reduce(Reduction::Any, std::move(indices), lost);
    const Term *all = w.emit.read(w.emit.equation({}, w.emit.apply(Primitive::Not, {lost})));
    good = good ? w.emit.apply(Primitive::And, {good, all}) : all;
  }
  return good ? w.emitted(Element::I32, w.emit.equation({}, w.emit.cast(good, Scalar::I32), "stores.good")) : nullptr;
}

std::optional<uint32_t> TrainBlock::makeStep(bool accumulate) {
  accumulating = accumulate;
  auto f = open(accumulate ? "accumulate" : "step", Rows::Fixed, phaseOf(setting("loss") ? "loss" : "step"));
  Walker &w = f->walker;
  changed = false;
  try {
    stepBody(*f);
    const Term *keep = nullptr;
    for (Ref loss : minimised) {
      const Term *good = finite(w, loss);
      keep = keep ? w.emit.apply(Primitive::And, {keep, good}) : good;
    }
    if (Ref good = !w.failed && setting("step") ? storesAreGood(*f) : nullptr) {
      result(*f, "stores.good", good, spanOf(*setting("step")));
      const Term *flag = w.emit.apply(Primitive::NotEqual, {w.emit.read(*good->value), w.emit.integer(Scalar::I32, 0)});
      keep = keep ? w.emit.apply(Primitive::And, {keep, flag}) : flag;
    }
    if (keep && !w.failed) {
      ValueId id = w.emit.equation({}, keep, "finite");
      store(*f, w.emit.read(id));
    } else if (!w.failed) {
      store(*f, nullptr);
    }
    if (!w.failed && f->entry.stores.empty())
      w.fail(Kind::NoGradient, "this step changes no weight",
             {{setting("step") ? setting("step")->name.span : decl->name.span, ""}},
             "use `minimise(e, model)`, or write weights with `<-`");
  } catch (Problem &p) {
    w.report(std::move(p.diagnostic));
  } catch (Quiet &) {
    w.failed = true;
  }
  accumulating = false;
  return close(*f);
}

std::optional<uint32_t> TrainBlock::makeBegin() {
  auto f = open("begin", Rows::None, TrainPhase::Begin);
  walk(*f, *setting("begin"));
  if (!f->walker.failed)
    store(*f, nullptr);
  return close(*f);
}

} // namespace nacre
