// What a train block is about: its models and their parameters, the type of its batches; the order in which it becomes
// functions.
#include "check/Train.h"
#include "check/Visit.h"
#include <algorithm>

namespace nacre {
using ast::as;

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

TrainBlock::Batch TrainBlock::sampleOf(Ref record, Span span) {
  if (record->kind != Entity::Kind::Record)
    reader.fail(Kind::TypeMismatch, "a sample is a record", {{span, "this is " + describe(record)}},
                "write `data name -> (x: real[64], label: i32)`");
  return {record->items, record->names};
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
      sample = sampleOf(use.record, s->value->span);
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
    if (const ast::Setting *s = setting("shared")) {
      auto *several = as<ast::ListExpr>(s->value);
      for (const ast::Expr *e : several ? several->elements : std::vector<const ast::Expr *>{s->value}) {
        auto use = reader.dataUse(e, reader.frame->root);
        row.shared.push_back(use.number);
        shared.push_back(sampleOf(use.record, e->span));
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
