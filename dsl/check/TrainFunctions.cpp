// One function of a train block: its arguments, the text that it walks, its results and what it stores.
#include "check/Train.h"
#include <algorithm>

namespace nacre {

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
  gradientNorm = plateauCount = nullptr;
  minimised.clear();
  calls.clear();
  optimised.clear();
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
  for (size_t d = 0; d < shared.size(); ++d) {
    std::string called = shared.size() > 1 ? "rows" + std::to_string(d) : "rows";
    const Atom *rows = nameAtom(called);
    uint32_t first = uint32_t(entry.arguments.size());
    Batch whole;
    for (size_t i = 0; i < shared[d].items.size(); ++i) {
      Axes axes = shared[d].items[i]->axes;
      axes.insert(axes.begin(), Axis{Polynomial(rows), false});
      whole.items.push_back(argument(shared[d].names[i], shared[d].items[i]->element, std::move(axes)));
      whole.names.push_back(shared[d].names[i]);
    }
    entry.dimensions.push_back({called, rows, 1, std::nullopt, first, 0, decl->name.span});
    entry.guards.push_back({Polynomial(rows) - 1, false, called + " >= 1", decl->name.span});
    w.facts().setLower(rows, 1);
    w.compileTimeAtoms.insert(rows);
    f->shared.push_back(std::move(whole));
  }
  w.seed = w.emit.read(*argument("seed", Element::U64, {})->value);
  entry.hasSeed = true;
  Ref iteration = argument("iteration", Element::Int, {}), epoch = argument("epoch", Element::Int, {});
  Ref plateaus = argument("plateaus", Element::Int, {});
  w.frame->root->bind("iteration", iteration);
  w.frame->root->bind("epoch", epoch);
  // Schedules and optimisers count steps from 1.
  const Term *count = w.emit.apply(Primitive::Add, {w.emit.read(*iteration->value), w.emit.integer(Scalar::I64, 1)});
  stepNumber = w.emitted(Element::I32, w.emit.equation({}, w.emit.cast(count, Scalar::I32), "step"));
  plateauCount =
      w.emitted(Element::I32, w.emit.equation({}, w.emit.cast(w.emit.read(*plateaus->value), Scalar::I32), "plateaus"));
  return f;
}

/// What the block may leave behind: while it trains, the trained models and the optimiser; in an evaluation, metrics.
bool TrainBlock::isStored(TrainPhase phase, WeightKey key) const {
  if (phase == TrainPhase::Metrics || phase == TrainPhase::Summary)
    return key.first == metrics->number;
  bool listed = std::any_of(models.begin(), models.end(), [&](ModelState *m) { return m->number == key.first; });
  return (listed || key.first == optimizer->number) && !frozen.count(key);
}

/// `keep`, if there is one, is the condition under which new values are taken.
void TrainBlock::store(Function &f, const Term *keep) {
  Walker &w = f.walker;
  for (const auto &[key, value] : std::map(w.writes)) {
    if (!isStored(w.phase, key))
      continue;
    ValueId id = value;
    if (keep) {
      const Weight &weight = checker.models[key.first].weights[key.second];
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
    for (const Batch &whole : f.shared)
      batches.push_back(w.record(whole.items, whole.names));
    if (s.parameters.size() > batches.size())
      w.fail(Kind::UnknownArgument,
             "`" + s.name.text + "` takes " + (f.batch.items.empty() ? "no batch" : "one batch") +
                 (f.shared.empty() ? "" : ", and " + std::to_string(f.shared.size()) + " of `shared`"),
             {{s.parameters[batches.size()].span, ""}},
             batches.empty() ? "write `" + s.name.text + "() { .. }`, or give the block `data`"
                             : "write `" + s.name.text +
                                   (f.batch.items.empty() ? "(g)`"
                                    : f.shared.empty()    ? "(r)`"
                                                          : "(r, g)`"));
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

/// A layer that is called again on the same values is expanded once.
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

} // namespace nacre
