// The functions of a train block: which texts each of them walks, its arguments, results and stores.
#include "check/Train.h"
#include "check/Visit.h"
#include <algorithm>
#include <filesystem>
#include <limits>

namespace nacre {
using ast::as;

struct TrainBlock::Function {
  Function(Checker &checker, const ast::TrainDecl *decl, const FileScope *file) : walker(checker, decl, file, false) {}
  Walker walker;
  Entry entry;
  Batch batch;
};

// ---- what the block is about ---------------------------------------------------------------------------------------
bool TrainBlock::trains(const Instance &instance) const {
  bool listed = std::any_of(models.begin(), models.end(), [&](ModelState *m) { return m->number == instance.model; });
  if (!listed)
    return false;
  auto parts = frozenParts.find(*instance.model);
  if (parts == frozenParts.end())
    return true;
  for (std::string path = instance.path;;) {
    if (parts->second.count(path))
      return false;
    if (path.empty())
      return true;
    size_t dot = path.rfind('.');
    path.resize(dot == std::string::npos ? 0 : dot);
  }
}

/// Every weight of another model counts as one: it is only read.
bool TrainBlock::isParameter(WeightKey key) const {
  bool own = std::any_of(models.begin(), models.end(), [&](ModelState *m) { return m->number == key.first; });
  return rehearsing || !own ||
         std::any_of(parameters.begin(), parameters.end(), [&](const Parameter &p) { return p.key == key; });
}

TrainBlock::WeightKey TrainBlock::origin(WeightKey key) const {
  auto found = ties.find(key);
  return found == ties.end() ? key : found->second;
}

/// Models, the type of a batch, and the optimiser; false after reporting.
bool TrainBlock::prepare() {
  try {
    for (const ast::Name &name : decl->models) {
      const Global *found = file->find(name.text);
      auto *model = found && found->decl ? as<ast::ModelDecl>(found->decl) : nullptr;
      if (!model) {
        std::vector<std::string> known;
        for (const auto &[other, global] : file->own)
          if (global.decl && global.decl->kind == ast::DeclKind::Model)
            known.push_back(other);
        std::string near = nearest(name.text, known);
        reader.fail(Kind::UnknownName, "`" + name.text + "` is no model", {{name.span, "trained here"}},
                    near.empty() ? "write `model " + name.text + " = SomeLayer[..]`" : "`" + near + "` is close");
      }
      ModelState *state = checker.model(model, found->file);
      if (state->bad)
        return false;
      if (std::find(models.begin(), models.end(), state) != models.end())
        reader.fail(Kind::DuplicateName, "`" + name.text + "` is listed twice", {{name.span, ""}});
      models.push_back(state);
    }
    if (const ast::Setting *s = setting("data")) {
      auto use = reader.dataUse(s->value, reader.frame->root);
      row.data = use.number;
      if (use.record->kind != Entity::Kind::Record)
        reader.fail(Kind::TypeMismatch, "a sample is a record", {{s->value->span, "this is " + describe(use.record)}},
                    "write `data name -> (x: real[64], label: i32)`");
      sample = {use.record->items, use.record->names};
      if (const ast::Setting *v = setting("validate")) {
        auto other = reader.dataUse(v->value, reader.frame->root);
        row.validate = other.number;
        bool same = other.record->kind == Entity::Kind::Record && other.record->names == sample.names;
        for (size_t i = 0; same && i < sample.items.size(); ++i)
          same = sample.items[i]->element == other.record->items[i]->element &&
                 sample.items[i]->axes == other.record->items[i]->axes;
        if (!same)
          reader.fail(Kind::TypeMismatch, "`validate` gives other samples than `data`",
                      {{v->value->span, "these are " + describe(other.record)},
                       {s->value->span, "these are " + describe(use.record)}},
                      "both need the same fields");
      }
    }
    optimizer = &checker.syntheticModel(row.name + ".optimizer", decl->name.span);
    metrics = &checker.syntheticModel(row.name + ".metrics", decl->name.span);
    readOptimizer(reader);
  } catch (Problem &p) {
    reader.report(std::move(p.diagnostic));
    return false;
  } catch (Quiet &) {
    return false;
  }
  return true;
}

// ---- one function --------------------------------------------------------------------------------------------------
std::unique_ptr<TrainBlock::Function> TrainBlock::open(const std::string &name, Rows rows, TrainPhase phase) {
  auto f = std::make_unique<Function>(checker, decl, file);
  Walker &w = f->walker;
  Entry &entry = f->entry;
  w.train = this;
  w.phase = phase;
  w.lastPass = lastPass;
  w.entry = &entry;
  w.emit.body = &entry.body;
  entry.name = row.name + "." + name;
  entry.span = decl->name.span;
  gradientNorm = nullptr;
  minimised.clear();
  calls.clear();
  changed = false;
  w.step(decl->name.span);
  auto argument = [&](const std::string &field, Element element, Axes axes) {
    TensorType type{w.scalarOf(element), w.extentsOf(axes)};
    ValueId id = w.emit.argument(uint32_t(entry.arguments.size()), type, field);
    entry.arguments.push_back({field, type, "npy", decl->name.span});
    return w.emitted(element, id);
  };
  if (phase == TrainPhase::Summary)
    return f;
  Axis first{Polynomial(batch), false};
  if (rows == Rows::Open && !sample.items.empty()) {
    const Atom *n = nameAtom("n");
    first.size = Polynomial(n);
    entry.dimensions.push_back({"n", n, 1, batch, 0, 0, decl->name.span});
    entry.guards.push_back({first.size - 1, false, "n >= 1", decl->name.span});
    entry.guards.push_back({Polynomial(batch) - first.size, false, "n <= " + std::to_string(batch), decl->name.span});
    w.facts().setLower(n, 1);
    w.facts().assumeNonNegative(Polynomial(batch) - first.size);
    w.compileTimeAtoms.insert(n);
  }
  if (rows != Rows::None)
    for (size_t i = 0; i < sample.items.size(); ++i) {
      Axes axes = sample.items[i]->axes;
      axes.insert(axes.begin(), first);
      f->batch.items.push_back(argument(sample.names[i], sample.items[i]->element, std::move(axes)));
      f->batch.names.push_back(sample.names[i]);
    }
  w.seed = w.emit.read(*argument("seed", Element::U64, {})->value);
  entry.hasSeed = true;
  Ref iteration = argument("iteration", Element::Int, {}), epoch = argument("epoch", Element::Int, {});
  w.frame->root->bind("iteration", iteration);
  w.frame->root->bind("epoch", epoch);
  // Schedules and optimisers count steps from 1.
  const Term *count = w.emit.apply(Primitive::Add, {w.emit.read(*iteration->value), w.emit.integer(Scalar::I64, 1)});
  stepNumber = w.emitted(Element::I32, w.emit.equation({}, w.emit.cast(count, Scalar::I32), "step"));
  return f;
}

/// What the block may leave behind: while it trains, the trained models and the optimiser; in an evaluation, metrics.
/// `keep`, if there is one, is the condition under which new values are taken.
void TrainBlock::store(Function &f, const Term *keep) {
  Walker &w = f.walker;
  bool trainingPhase = w.phase == TrainPhase::Loss || w.phase == TrainPhase::Step || w.phase == TrainPhase::Begin;
  for (const auto &[key, value] : std::map(w.writes)) {
    ModelState &state = checker.models[key.first];
    bool listed = std::find(models.begin(), models.end(), &state) != models.end();
    if (trainingPhase ? !(listed || &state == optimizer) || frozen.count(key) : &state != metrics)
      continue;
    ValueId id = value;
    if (keep) {
      const Weight &weight = state.weights[key.second];
      ValueId old = w.oldWeight(key, decl->name.span, weight.path);
      std::vector<Index> indices = Emitter::indicesFor(weight.type.extents);
      const Term *element = w.emit.select(keep, w.emit.read(id, Emitter::subscriptsFor(indices)),
                                          w.emit.read(old, Emitter::subscriptsFor(indices)));
      id = w.emit.equation(std::move(indices), element, weight.path);
    }
    f.entry.stores.push_back({key.first, key.second, id});
  }
}

std::optional<uint32_t> TrainBlock::close(Function &f) {
  Walker &w = f.walker;
  w.emit.body = nullptr;
  if (w.failed || checker.diagnostics.failed())
    return std::nullopt;
  f.entry.models.assign(w.modelsRead.begin(), w.modelsRead.end());
  for (uint32_t model : f.entry.models) {
    bool own = model == optimizer->number || model == metrics->number;
    if (!own && std::find(row.models.begin(), row.models.end(), model) == row.models.end())
      row.models.push_back(model);
  }
  checker.program->functions.push_back(std::move(f.entry));
  return uint32_t(checker.program->functions.size() - 1);
}

/// The value of a setting `name(r): e` or `name(r) { .. }`; null where it has none or an error was reported.
Ref TrainBlock::walk(Function &f, const ast::Setting &s) {
  Walker &w = f.walker;
  Scope *inner = w.scope(w.frame->root);
  try {
    std::vector<Ref> batches;
    if (!f.batch.items.empty())
      batches.push_back(w.record(f.batch.items, f.batch.names));
    if (s.parameters.size() > batches.size())
      w.fail(Kind::UnknownArgument, "`" + s.name.text + "` takes " + (batches.empty() ? "no batch" : "one batch"),
             {{s.parameters[batches.size()].span, ""}},
             batches.empty() ? "write `" + s.name.text + "() { .. }`, or give the block `data`"
                             : "write `" + s.name.text + "(r)`");
    for (size_t i = 0; i < s.parameters.size(); ++i) {
      if (s.parameters[i].type)
        w.fail(Kind::BadSetting, "the type of a batch is what `data` says", {{s.parameters[i].type->span, ""}},
               "write `" + s.name.text + "(" + s.parameters[i].name.text + ")`");
      inner->bind(s.parameters[i].name.text, batches[i]);
    }
  } catch (Problem &p) {
    w.report(std::move(p.diagnostic));
    return nullptr;
  }
  Signature signature;
  signature.decl = decl;
  signature.body = s.body;
  signature.expression = s.value;
  w.frame->returned = nullptr;
  w.frame->result = nullptr;
  w.body(signature, inner);
  Ref value = w.frame->returned;
  w.frame->returned = nullptr;
  unsized |= w.unsizedRead;
  if (value && value->kind == Entity::Kind::Bad) {
    w.failed |= !w.unsizedRead || lastPass;
    return nullptr;
  }
  return value;
}

static Span spanOf(const ast::Setting &s) { return s.value ? s.value->span : s.name.span; }

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

void TrainBlock::result(Function &f, const std::string &name, Ref value, Span span) {
  Walker &w = f.walker;
  ValueId id = w.valueOf(value, span);
  f.entry.results.push_back({name, w.emit.type(id), "npy", span});
  f.entry.body.results.push_back(id);
}

/// The fields of a record, `fair.gap` for those of a record in it.
void TrainBlock::results(Function &f, const std::string &prefix, Ref value, Span span) {
  if (value->kind != Entity::Kind::Record)
    return result(f, prefix, value, span);
  for (size_t i = 0; i < value->items.size(); ++i) {
    std::string field = value->names[i].empty() ? std::to_string(i) : value->names[i];
    results(f, prefix.empty() ? field : prefix + "." + field, value->items[i], span);
  }
}

/// |x| < inf, which is false for a NaN.
const Term *TrainBlock::finite(Walker &w, Ref value) {
  const Term *x = w.nativeTerm(value);
  return w.emit.apply(Primitive::Less, {w.emit.apply(Primitive::Absolute, {x}),
                                        w.emit.real(x->type, std::numeric_limits<double>::infinity())});
}

// ---- the functions -------------------------------------------------------------------------------------------------
/// Walks everything once, for what it reports and for the shapes of the weights, and forgets what was emitted.
bool TrainBlock::rehearse() {
  rehearsing = true;
  for (int round = 0; round < 2; ++round) {
    lastPass = round == 1;
    unsized = false;
    bool failed = false;
    for (const char *name : {"begin", "loss", "step", "metrics", "show"}) {
      const ast::Setting *s = setting(name);
      if (!s)
        continue;
      std::string word = name;
      auto f = open(word,
                    word == "begin"                    ? Rows::None
                    : word == "loss" || word == "step" ? Rows::Fixed
                                                       : Rows::Open,
                    phaseOf(word));
      if (word == "metrics")
        f->walker.frame->self = metrics->root;
      if (word == "loss")
        lossOf(*f);
      else
        walk(*f, *s);
      failed |= f->walker.failed;
    }
    if (failed || checker.diagnostics.failed())
      return false;
    for (ModelState *model : models) // one that is written, and not called here
      if (!model->root->called && model->root->decl->hasHeader)
        Walker(checker, model->decl, model->file, false).rehearse(*model->root);
    if (!unsized)
      break;
  }
  rehearsing = false;
  lastPass = true;
  return true;
}

TrainPhase TrainBlock::phaseOf(const std::string &setting) {
  return setting == "loss"    ? TrainPhase::Loss
         : setting == "step"  ? TrainPhase::Step
         : setting == "begin" ? TrainPhase::Begin
                              : TrainPhase::Metrics;
}

/// Which weights are trained, which are one, and which parts of the models are at rest.
void TrainBlock::listParameters() {
  for (ModelState *model : models) {
    std::vector<uint32_t> order = checker.weightOrder(*model, false);
    std::map<std::string, uint32_t> byPath;
    for (uint32_t number : order)
      byPath[model->weights[number].path] = number;
    std::map<std::string, std::pair<size_t, size_t>> counts; // of the layer at a path: parameters, frozen ones
    for (const ast::ModelItem &item : model->decl->items) {
      if (item.form == ast::ModelItem::Form::Freeze)
        for (uint32_t number : order)
          if (matchesPath(item.first.text, model->weights[number].path))
            frozen.insert({model->number, number});
      if (item.form == ast::ModelItem::Form::Tie && byPath.count(item.first.text) && byPath.count(item.second.text)) {
        WeightKey from{model->number, byPath[item.first.text]}, to{model->number, byPath[item.second.text]};
        if (origin(to) != from)
          ties[from] = origin(to);
      }
    }
    for (uint32_t number : order) {
      const Weight &weight = model->weights[number];
      WeightKey key{model->number, number};
      if (!weight.trained)
        continue;
      bool rests = frozen.count(origin(key)) != 0;
      for (std::string path = weight.path; !path.empty();) {
        size_t dot = path.rfind('.');
        path.resize(dot == std::string::npos ? 0 : dot);
        ++counts[path].first;
        counts[path].second += rests;
      }
      if (!rests && !ties.count(key))
        parameters.push_back({key, models.size() > 1 ? model->decl->name.text + "." + weight.path : weight.path});
    }
    for (const auto &[path, count] : counts)
      if (count.first == count.second)
        frozenParts[model->number].insert(path);
  }
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

/// The method that a metric may have.
static const ast::FunctionDecl *resultMethod(const Instance &instance) {
  if (instance.decl->body)
    for (const ast::Stmt *s : instance.decl->body->statements)
      if (auto *f = as<ast::FunctionStmt>(s); f && f->function->name.text == "result")
        return f->function;
  return nullptr;
}

/// `accuracy`, `fair.gap`: those of a metric's values that are one number can be watched.
void TrainBlock::nameMetric(Walker &w, const std::string &name, Ref value) {
  if (value->kind == Entity::Kind::Record) {
    for (size_t i = 0; i < value->items.size(); ++i)
      nameMetric(w, name + "." + (value->names[i].empty() ? std::to_string(i) : value->names[i]), value->items[i]);
  } else if (auto shape = w.shapeOf(value); shape && shape->axes.empty()) {
    metricNames.insert(name);
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
          nameMetric(w, name, value->items[i]);
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
      nameMetric(w, name, value);
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

static std::string placeText(Span span) {
  Position p = span.file->position(span.begin);
  return std::filesystem::path(span.file->path()).filename().string() + ":" + std::to_string(p.line) + ":" +
         std::to_string(p.column);
}

std::string TrainBlock::callKey(Walker &w, const Instance &instance, const ast::Decl *method,
                                const std::vector<Argument> &args) const {
  bool repeats = (w.phase == TrainPhase::Loss || w.phase == TrainPhase::Metrics) && w.frame == w.top && !w.dry &&
                 !w.inEquation && w.loopCounters.empty() && w.factStack.size() == 1 && w.emit.body == &w.entry->body &&
                 instance.model != metrics->number;
  if (!repeats)
    return "";
  std::string key = std::to_string(reinterpret_cast<uintptr_t>(&instance)) + " " + method->name.text;
  std::function<bool(Ref)> add = [&](Ref value) {
    if (value->kind == Entity::Kind::Record) {
      key += "(";
      bool all = std::all_of(value->items.begin(), value->items.end(), add);
      key += ")";
      return all;
    }
    if (isTensor(value) && !value->value)
      return false;
    bool whole = isInteger(value) || value->kind == Entity::Kind::Boolean;
    key += isTensor(value) ? " %" + std::to_string(*value->value) : " " + describe(value);
    return isTensor(value) || whole;
  };
  for (const Argument &a : args) {
    key += " " + a.name + ":";
    if (!add(a.value))
      return "";
  }
  return key;
}

/// Called for each layer that a function of this block calls.
void TrainBlock::noteCall(Walker &w, const Instance &instance, const std::string &method, Ref value) {
  if (!probes || w.emit.body != &w.entry->body || w.inEquation || !w.loopCounters.empty())
    return;
  std::string what = (instance.path.empty() ? "" : instance.path + ": ") + instance.decl->name.text;
  probes->push_back({what + (method == "forward" ? "" : "." + method) + " at " + placeText(instance.span), value});
}

/// A flag for each value that matters: which was the first to be no number?
std::optional<uint32_t> TrainBlock::makeProbe() {
  std::vector<std::pair<std::string, Ref>> seen, called;
  probes = &called;
  auto f = open("probe", Rows::Fixed, phaseOf(setting("loss") ? "loss" : "step"));
  Walker &w = f->walker;
  try {
    stepBody(*f);
    probes = nullptr;
    if (!w.failed) {
      f->entry.results.clear();
      f->entry.body.results.clear();
      for (const Parameter &p : parameters)
        if (auto value = w.weightValues.find(p.key); value != w.weightValues.end())
          seen.push_back({"weight " + p.path, w.emitted(Element::Real, value->second)});
      for (size_t i = 0; i < f->batch.items.size(); ++i)
        seen.push_back({f->batch.names[i] + " of the batch", f->batch.items[i]});
      seen.insert(seen.end(), called.begin(), called.end());
      for (Ref loss : minimised)
        seen.push_back({"loss at " + placeText(spanOf(*setting(setting("loss") ? "loss" : "step"))), loss});
      std::vector<ValueId> flags;
      std::function<void(const std::string &, Ref)> flag = [&](const std::string &text, Ref value) {
        for (Ref item : value->items)
          if (value->kind == Entity::Kind::Record)
            flag(text, item);
        if (!isTensor(value) || !value->value || family(value->element) != Family::Real)
          return;
        std::vector<Index> indices = Emitter::indicesFor(w.extentsOf(value->axes));
        const Term *x = w.emit.read(*value->value, Emitter::subscriptsFor(indices));
        const Term *infinity = w.emit.real(x->type, std::numeric_limits<double>::infinity());
        const Term *good = w.emit.apply(Primitive::Less, {w.emit.apply(Primitive::Absolute, {x}), infinity});
        const Term *lost = w.emit.apply(Primitive::Not, {good});
        if (!indices.empty())
          lost = w.emit.reduce(Reduction::Any, std::move(indices), lost);
        flags.push_back(w.emit.equation(Emitter::indicesFor({Polynomial(1)}), w.emit.cast(lost, Scalar::I32)));
        row.probes.push_back(text);
      };
      for (const auto &[text, value] : seen)
        flag(text, value);
      ValueId all = w.emit.concat(flags, 0);
      f->entry.results.push_back({"flags", w.emit.type(all), "npy", decl->name.span});
      f->entry.body.results = {all};
    }
  } catch (Problem &p) {
    w.report(std::move(p.diagnostic));
  } catch (Quiet &) {
    w.failed = true;
  }
  probes = nullptr;
  return close(*f);
}

bool TrainBlock::expand() {
  for (const Train &other : checker.program->trains)
    if (other.name == row.name) {
      reader.report({Kind::DuplicateName,
                     "two train blocks are called `" + row.name + "`",
                     {{decl->name.span, "second"}, {other.span, "first"}},
                     {},
                     "rename one of the two"});
      return false;
    }
  readSettings();
  if (reader.failed || !prepare() || !rehearse())
    return false;
  listParameters();
  try {
    if (setting("optimizer"))
      attach();
  } catch (Problem &p) {
    reader.report(std::move(p.diagnostic));
    return false;
  }
  for (ModelState *model : models)
    row.models.push_back(model->number);
  row.trained = uint32_t(models.size());
  if (auto step = makeStep(false))
    row.step = *step;
  else
    return false;
  if (every > 1)
    row.accumulate = makeStep(true);
  if (setting("begin"))
    row.begin = makeBegin();
  if (setting("data") && (setting("loss") || setting("metrics")))
    row.evaluate = makeEvaluate();
  row.summary = makeSummary();
  if (setting("show"))
    row.show = makeShow();
  row.probe = makeProbe();
  finishSettings();
  if (reader.failed || checker.diagnostics.failed())
    return false;
  row.optimizer = optimizer->number;
  row.metrics = metrics->number;
  checker.program->trains.push_back(std::move(row));
  return true;
}

} // namespace nacre
