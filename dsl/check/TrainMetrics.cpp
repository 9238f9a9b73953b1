// What a train block measures and shows: an evaluation batch by batch, what its metrics say at the end, the samples of
// the report.
#include "check/Train.h"
#include <algorithm>

namespace nacre {
using ast::as;

/// The method that a metric may have.
static const ast::FunctionDecl *resultMethod(const Instance &instance) {
  if (instance.decl->body)
    for (const ast::Stmt *s : instance.decl->body->statements)
      if (auto *f = as<ast::FunctionStmt>(s); f && f->function->name.text == "result")
        return f->function;
  return nullptr;
}

/// An error, which should fall, says so itself.
static bool lowerIsBetter(const Instance &metric) {
  const auto &attributes = metric.decl->attributes;
  return std::any_of(attributes.begin(), attributes.end(),
                     [](const ast::Attribute &a) { return a.name.text == "lower_is_better"; });
}

/// `accuracy`, `fair.gap`: those of a metric's values that are one number can be watched.
void TrainBlock::nameMetric(Walker &w, const std::string &name, Ref value, bool lowerIsBetter) {
  if (value->kind == Entity::Kind::Record) {
    for (size_t i = 0; i < value->items.size(); ++i)
      nameMetric(w, name + "." + (value->names[i].empty() ? std::to_string(i) : value->names[i]), value->items[i],
                 lowerIsBetter);
  } else if (auto shape = w.shapeOf(value); shape && shape->axes.empty()) {
    metricNames[name] = lowerIsBetter;
  }
}

std::optional<uint32_t> TrainBlock::makeEvaluate() {
  auto f = open("evaluate", Rows::Open, TrainPhase::Metrics);
  Walker &w = f->walker;
  try {
    if (setting("loss"))
      if (Ref loss = lossOf(*f))
        result(*f, "loss", loss, spanOf(*setting("loss")));
    if (const ast::Setting *s = setting("metrics"); s && !w.failed) {
      w.frame->self = metrics->root;
      Ref value = walk(*f, *s);
      w.frame->self = nullptr;
      if (w.failed)
        return std::nullopt;
      if (!value || value->kind != Entity::Kind::Record)
        w.fail(Kind::NotAMetric, "`metrics` gives a record of metrics",
               {{spanOf(*s), value ? "this is " + describe(value) : "nothing is returned"}},
               "write `(accuracy = Accuracy(net(r.x), r.label))`");
      for (size_t i = 0; i < value->items.size(); ++i) {
        const std::string &name = value->names[i];
        auto found = name.empty() ? metrics->root->shared.end() : metrics->root->shared.find(name);
        if (found == metrics->root->shared.end() || found->second->kind != Entity::Kind::Instance)
          w.fail(Kind::NotAMetric,
                 name.empty() ? "a metric without a name"
                              : "`" + name + "` is no metric: it keeps nothing from batch to batch",
                 {{spanOf(*s), name.empty() ? "" : "only its value on the last batch would be seen"}},
                 "a metric is a layer with `state`: `" + (name.empty() ? "accuracy" : name) + " = Mean(..)`");
        Instance *instance = found->second->instance;
        metricLayers.push_back({name, instance});
        if (!resultMethod(*instance)) {
          nameMetric(w, name, value->items[i], lowerIsBetter(*instance));
          results(*f, name, value->items[i], spanOf(*s));
        }
      }
    }
    if (!w.failed)
      store(*f, nullptr);
  } catch (Problem &p) {
    w.report(std::move(p.diagnostic));
  } catch (Quiet &) {
    w.failed = true;
  }
  return close(*f);
}

/// What the metrics have to say after the last batch.
std::optional<uint32_t> TrainBlock::makeSummary() {
  if (std::none_of(metricLayers.begin(), metricLayers.end(), [](auto &m) { return resultMethod(*m.second); }))
    return std::nullopt;
  auto f = open("summary", Rows::None, TrainPhase::Summary);
  Walker &w = f->walker;
  try {
    for (const auto &[name, instance] : metricLayers) {
      const ast::FunctionDecl *method = resultMethod(*instance);
      if (!method)
        continue;
      Ref value = w.sound(w.invoke(*instance, method, {}, instance->span));
      nameMetric(w, name, value, lowerIsBetter(*instance));
      results(*f, name, value, instance->span);
    }
  } catch (Problem &p) {
    w.report(std::move(p.diagnostic));
  } catch (Quiet &) {
    w.failed = true;
  }
  return close(*f);
}

std::optional<uint32_t> TrainBlock::makeShow() {
  const ast::Setting &s = *setting("show");
  auto f = open("show", Rows::Open, TrainPhase::Metrics);
  Walker &w = f->walker;
  try {
    Ref value = walk(*f, s);
    if (!w.failed) {
      if (!value || value->kind != Entity::Kind::Record)
        w.fail(Kind::BadSetting, "`show` gives a record of what is drawn",
               {{spanOf(s), value ? "this is " + describe(value) : "nothing is returned"}},
               "write `(image = r.image, label = r.label)`");
      for (size_t i = 0; i < value->items.size(); ++i) {
        auto shape = w.shapeOf(value->items[i]);
        if (value->names[i].empty() || !shape || shape->axes.empty() ||
            !(shape->axes[0].size == Polynomial(nameAtom("n"))))
          w.fail(Kind::BadSetting, "`show` draws something for each sample of the batch, under a name",
                 {{spanOf(s), "one of them is " + describe(value->items[i])}}, "the first axis is that of the batch");
        result(*f, value->names[i], value->items[i], spanOf(s));
      }
    }
  } catch (Problem &p) {
    w.report(std::move(p.diagnostic));
  } catch (Quiet &) {
    w.failed = true;
  }
  return close(*f);
}

} // namespace nacre
