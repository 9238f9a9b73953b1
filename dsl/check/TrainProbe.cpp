// The step once more, for a flag per value: which was the first that is no number?
#include "check/Train.h"
#include <algorithm>
#include <filesystem>
#include <limits>

namespace nacre {

static std::string placeText(Span span) {
  Position p = span.file->position(span.begin);
  return std::filesystem::path(span.file->path()).filename().string() + ":" + std::to_string(p.line) + ":" +
         std::to_string(p.column);
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
      for (const auto &[key, value] : std::map(w.writes))
        if (const Weight &weight = checker.models[key.first].weights[key.second];
            isStored(w.phase, key) && isReal(weight.type.element)) {
          const Location *location = w.emit.body->values[value].location;
          seen.push_back(
              {"what becomes of `" + weight.path + "` at " + placeText(location ? location->span : decl->name.span),
               w.emitted(Element::Real, value)});
        }
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

} // namespace nacre
