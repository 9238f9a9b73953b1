// `<-`: a weight gets a new value. Inside one body this is only a matter of names: what is read afterwards is the new
// value, and what was last written is stored when the call ends.
#include "check/Train.h"
#include "check/Visit.h"
#include "check/Walker.h"

namespace nacre {
using ast::as;

/// The tensor as the call finds it: one value per body, so that a derivative by it sees every use.
ValueId Walker::oldWeight(WeightKey key, Span span, const std::string &name) {
  auto found = weightValues.find(key);
  if (found == weightValues.end()) {
    step(span);
    const Weight &weight = checker.models[key.first].weights[key.second];
    found = weightValues.emplace(key, emit.weight(key.first, key.second, weight.type, name)).first;
  }
  return found->second;
}

ValueId Walker::currentWeight(WeightKey key, Span span, const std::string &name) {
  if (train)
    key = train->origin(key);
  auto written = writes.find(key);
  return written != writes.end() ? written->second : oldWeight(key, span, name);
}

void Walker::writeWeight(WeightKey key, Ref value, Span span) {
  if (train)
    key = train->origin(key);
  if (!loopCounters.empty())
    notSupported("writing weights in a loop that stays a loop", span, "mark the loop @unroll");
  const Weight &weight = checker.models[key.first].weights[key.second];
  ValueId id = valueOf(value, span);
  if (emit.type(id).element != weight.type.element) {
    std::vector<Index> indices = Emitter::indicesFor(weight.type.extents);
    const Term *element = emit.cast(emit.read(id, Emitter::subscriptsFor(indices)), weight.type.element);
    id = emit.equation(std::move(indices), element);
  }
  modelsRead.insert(key.first);
  writes[key] = id;
}

/// The layer whose `param` or `state` the left side names, and that name.
std::optional<std::pair<Instance *, std::string>> Walker::weightTarget(const ast::Expr *target, Scope *inner) {
  std::pair<Instance *, std::string> found{nullptr, ""};
  if (auto *id = as<ast::IdentifierExpr>(target)) {
    Ref bound = inner->find(id->name);
    if (bound && bound->live)
      found = {bound->instance, bound->text};
    else if (!bound && frame->self && isTensor(look(id->name, inner, id->span)))
      found = {frame->self, id->name};
  } else if (auto *member = as<ast::MemberExpr>(target)) {
    Ref base = sound(evaluate(member->base, inner));
    if (base->kind == Entity::Kind::Instance && isTensor(memberOf(member, inner)))
      found = {base->instance, member->field.text};
  }
  if (!found.first || !found.first->weights.count(found.second))
    return std::nullopt;
  return found;
}

void Walker::store(const ast::UpdateStmt *s, Scope *inner) {
  if (!train && !test)
    notSupported("updating `state` with `<-`", s->span, "entries read state, and change none");
  if (emit.body != (train ? &entry->body : &test->body))
    notSupported("`<-` in a function marked @keep", s->span);
  if (inEquation)
    fail(Kind::MisplacedStatement, "`<-` inside an equation", {{s->span, ""}}, "update the whole tensor");
  if (storeTree(s, inner))
    return;
  auto target = weightTarget(s->target, inner);
  if (!target)
    fail(Kind::TypeMismatch, "`" + flat(s->target->span.text()) + "` is no weight", {{s->target->span, ""}},
         "`<-` updates a `state`, or a `param` in a step; a `var` is assigned with `=`");
  auto &[instance, name] = *target;
  ModelState &model = checker.models[*instance->model];
  uint32_t number = instance->weights.at(name);
  if (model.weights[number].trained && train && phase != TrainPhase::Step && phase != TrainPhase::Begin)
    fail(Kind::MisplacedStatement, "`" + model.weights[number].path + "` is a `param`, which only a `step` writes",
         {{s->span, ""}, {model.weights[number].span, "declared here"}},
         "what a loss or a metric carries along is a `state`");
  Ref declared = instance->shared.at(name);
  Ref value = sound(evaluate(s->value, inner));
  auto shape = shapeOf(value);
  if (shape && shape->axes.empty() && !declared->axes.empty())
    fail(Kind::RankMismatch, "one number for `" + name + "`, which is " + describe(declared),
         {{s->value->span, "this is " + describe(value)}}, "write `fill(value, shape(" + name + "))`");
  conform(value, declared, s->value->span, model.weights[number].span, "`" + name + "`");
  writeWeight({model.number, number}, adapt(value, declared), s->value->span);
}

/// Where the text being walked trains what it belongs to.
bool Walker::training() const {
  if (!train || (phase != TrainPhase::Loss && phase != TrainPhase::Step))
    return false;
  for (const Frame *f = frame; f; f = f->caller)
    if (f->self && f->self->model)
      return train->trains(*f->self);
  return true;
}

void Walker::chooseWritten(Ref condition, std::map<WeightKey, ValueId> then, Span span) {
  if (!expanding())
    return;
  std::set<WeightKey> keys;
  for (const auto *side : {&then, &writes})
    for (const auto &[key, value] : *side)
      keys.insert(key);
  std::map<WeightKey, ValueId> joined;
  for (WeightKey key : keys) {
    const Weight &weight = checker.models[key.first].weights[key.second];
    auto in = [&](const std::map<WeightKey, ValueId> &side) {
      auto found = side.find(key);
      return found != side.end() ? found->second : oldWeight(key, span, weight.path);
    };
    ValueId a = in(then), b = in(writes);
    if (a != b) {
      std::vector<Index> indices = Emitter::indicesFor(weight.type.extents);
      const Term *element = emit.select(termOf(condition, Scalar::Bool), emit.read(a, Emitter::subscriptsFor(indices)),
                                        emit.read(b, Emitter::subscriptsFor(indices)));
      a = emit.equation(std::move(indices), element);
    }
    joined[key] = a;
  }
  writes = std::move(joined);
}

} // namespace nacre
