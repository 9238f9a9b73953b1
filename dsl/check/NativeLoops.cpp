// Loops that stay loops: the body is walked once, for any round, and becomes a body of its own.
//
// Carried are the variables of the enclosing scope that the body changes, and the weights that it writes. Which these
// are, and of which type (`var total = 0`, to which reals are added), is known after a walk: then the body is walked
// again with what was learnt, until nothing changes. Types only widen and variables are only dropped, so that ends.
#include "check/Walker.h"
#include <algorithm>

namespace nacre {

namespace {
bool mentions(const std::vector<Polynomial> &extents, const Atom *counter) {
  for (const Polynomial &extent : extents)
    for (const Atom *leaf : extent.leaves())
      if (leaf == counter)
        return true;
  return false;
}
} // namespace

/// One walk of the body, with what the walks before it learnt.
class NativeLoop {
public:
  NativeLoop(Walker &walker, const Walker::LoopPlan &plan, Scope *outer) : w(walker), plan(plan), outer(outer) {
    std::set<std::string> names;
    Walker::assigned(plan.body, names);
    for (const std::string &name : names)
      if (Ref value = outer->find(name); value && value->kind != Entity::Kind::Instance)
        before[name] = value;
  }

  Ref run() {
    size_t start = w.emit.body->values.size();
    auto ordinals = w.ordinals;
    auto writes = w.writes;
    auto *yields = w.frame->yields;
    size_t counters = w.loopCounters.size();
    size_t level = w.factStack.size();
    auto restore = [&] {
      w.frame->yields = yields;
      w.loopCounters.resize(counters);
      w.loopCarried.resize(counters);
      w.factStack.resize(level);
      for (auto &[name, value] : before)
        outer->assign(name, value);
    };
    while (true) {
      Ref result = nullptr;
      try {
        result = attempt();
      } catch (...) {
        restore();
        w.rollBack(start);
        throw;
      }
      if (result)
        return result;
      restore();
      w.rollBack(start);
      w.ordinals = ordinals;
      w.writes = writes;
    }
  }

private:
  struct Variable {
    std::string name;
    Ref before;
    size_t begin, count; // of its leaves among the carried values
  };
  struct Carried {
    ValueId initial;
    Element element;
    bool literal; // it entered as a number that adapts to a type
    std::optional<Walker::WeightKey> weight;
  };

  void enter() {
    variables.clear();
    carried.clear();
    for (auto &[name, value] : before) {
      if (dropped.count(name) || value->kind == Entity::Kind::Bad)
        continue;
      std::vector<Ref> parts;
      w.leaves(value, parts);
      bool numbers = std::all_of(parts.begin(), parts.end(), [&](Ref part) {
        auto shape = w.shapeOf(part);
        return shape && shape->element != Element::Text;
      });
      if (!numbers) { // a list of layers, a string: it may be read, and if it changes that is refused below
        fixed[name] = value;
        continue;
      }
      variables.push_back({name, value, carried.size(), parts.size()});
      for (size_t i = 0; i < parts.size(); ++i) {
        auto shape = w.shapeOf(parts[i]);
        auto wider = widened.find({name, i});
        Element element = wider != widened.end() ? wider->second : shape->element;
        ValueId id = w.valueOf(w.whole(w.convert(parts[i], element, plan.span), plan.span), plan.span);
        carried.push_back({id, element, shape->literal || element == Element::Int, std::nullopt});
      }
    }
    for (Walker::WeightKey key : stored) {
      const Weight &weight = w.checker.models[key.first].weights[key.second];
      carried.push_back({w.currentWeight(key, plan.span, weight.path), Element::Real, false, key});
    }
  }

  /// Null: walk again.
  Ref attempt() {
    w.step(plan.span);
    enter();
    const Location *location = w.emit.location;
    size_t first = w.emit.body->values.size();
    std::vector<Ref> inside;
    for (const Variable &v : variables)
      for (size_t i = 0; i < v.count; ++i) {
        const Carried &c = carried[v.begin + i];
        ValueId id = w.emit.argument(uint32_t(inside.size()), w.emit.type(c.initial), v.name);
        inside.push_back(w.emitted(c.element, id));
      }
    for (size_t i = inside.size(); i < carried.size(); ++i) {
      ValueId id = w.emit.argument(uint32_t(i), w.emit.type(carried[i].initial), "");
      w.writes[*carried[i].weight] = id;
    }
    for (const Variable &v : variables) {
      auto next = inside.cbegin() + long(v.begin);
      outer->assign(v.name, w.withLeaves(v.before, next));
    }

    std::vector<Region> regions;
    w.loopCounters.push_back(plan.counter);
    w.loopCarried.push_back({ValueId(first), carried.size()});
    if (plan.condition) {
      Ref condition = sound(w.evaluate(plan.condition, outer));
      auto shape = w.shapeOf(condition);
      if (!shape || shape->element != Element::Bool || !shape->axes.empty())
        w.fail(Kind::TypeMismatch, "`while` needs one condition",
               {{plan.condition->span, "this is " + describe(condition)}});
      size_t begin = first + carried.size();
      regions.push_back({begin, 0, {w.valueOf(condition, plan.condition->span)}, nullptr});
    }
    size_t begin = w.emit.body->values.size();
    std::vector<Argument> yields;
    auto *outerYields = std::exchange(w.frame->yields, &yields);
    Ref returned = w.frame->returned;
    auto writesBefore = w.writes;
    bool failedBefore = std::exchange(w.failed, false);
    Scope *body = w.scope(outer);
    if (!plan.name.empty())
      body->bind(plan.name, w.integer(plan.low + Polynomial(plan.counter.atom)));
    w.factStack.push_back(w.facts());
    w.block(plan.body, body);
    w.factStack.pop_back();
    bool bad = std::exchange(w.failed, failedBefore);
    w.failed = failedBefore || bad;
    w.frame->yields = outerYields;
    w.loopCounters.pop_back();
    w.loopCarried.pop_back();
    if (bad)
      throw Quiet();
    if (w.frame->returned != returned)
      w.fail(Kind::NotCompileTime, "`return` inside a loop that runs at run time", {{plan.span, ""}},
             "keep the result in a `var` and return it behind the loop");

    // What the round leaves.
    bool again = false;
    std::vector<ValueId> after(carried.size());
    for (const Variable &v : variables)
      again |= leave(v, first, after);
    for (auto &[name, value] : fixed)
      if (outer->find(name) != value)
        w.fail(Kind::LoopShape, "`" + name + "` is no tensor, so a loop that runs at run time cannot carry it",
               {{plan.span, "it is " + describe(value)}}, "mark the loop @unroll");
    for (const auto &[key, value] : w.writes) {
      auto known = writesBefore.find(key);
      if ((known == writesBefore.end() || known->second != value) && stored.insert(key).second)
        again = true;
    }
    if (again)
      return nullptr;
    for (size_t i = 0; i < carried.size(); ++i)
      if (carried[i].weight)
        after[i] = w.writes.at(*carried[i].weight);
    if (carried.empty() && !plan.yields) { // it changes nothing and gives nothing
      w.rollBack(first);
      return w.checker.bad;
    }
    std::vector<Ref> yielded;
    Ref yield = nullptr;
    if (plan.yields) {
      if (yields.size() != 1)
        w.fail(Kind::MisplacedStatement,
               "a loop yields once in each round, not " + std::to_string(yields.size()) + " times",
               {{yields.size() > 1 ? yields[1].span : plan.span, ""}}, "end the body with one `yield`");
      yield = sound(yields[0].value);
      w.leaves(yield, yielded);
      for (Ref &part : yielded)
        part = w.whole(part, yields[0].span);
    }
    std::vector<TensorType> types;
    for (const Carried &c : carried)
      types.push_back(w.emit.type(c.initial));
    for (Ref part : yielded) {
      ValueId id = w.valueOf(part, yields[0].span);
      after.push_back(id);
      TensorType type = w.emit.type(id);
      if (mentions(type.extents, plan.counter.atom))
        w.fail(Kind::LoopShape, "`yield` stacks tensors of one shape, this is " + describe(part),
               {{yields[0].span, "its size depends on `" + plan.name + "`"}}, "pad it to the largest size");
      type.extents.insert(type.extents.begin(), plan.counter.extent);
      types.push_back(std::move(type));
    }
    regions.push_back({begin, 0, after, nullptr});

    std::vector<ValueId> captured = w.cutRegions(first, carried.size(), regions);
    Value made{};
    made.kind = Value::Kind::Loop;
    made.indices = {plan.counter};
    made.reverse = plan.reverse;
    made.carried = uint32_t(carried.size());
    for (const Carried &c : carried)
      made.operands.push_back(c.initial);
    made.operands.insert(made.operands.end(), captured.begin(), captured.end());
    if (plan.condition)
      made.condition = std::move(regions.front().body);
    made.inner = std::move(regions.back().body);
    if (plan.checkpoint)
      made.promises.push_back("checkpoint");
    w.emit.location = location;
    ValueId loop = w.emit.append(std::move(made));

    std::vector<Ref> results;
    for (size_t i = 0; i < types.size(); ++i) {
      Element element = i < carried.size() ? carried[i].element : yielded[i - carried.size()]->element;
      results.push_back(w.resultOf(loop, uint32_t(i), types[i], element, ""));
    }
    for (const Variable &v : variables) {
      auto next = results.cbegin() + long(v.begin);
      outer->assign(v.name, w.withLeaves(v.before, next));
    }
    for (auto &[name, value] : before) // what the loop did not change after all
      if (dropped.count(name))
        outer->assign(name, value);
    for (size_t i = 0; i < carried.size(); ++i)
      if (carried[i].weight)
        w.writes[*carried[i].weight] = *results[i]->value;
    if (!yield)
      return w.checker.bad;
    auto next = results.cbegin() + long(carried.size());
    return w.withLeaves(yield, next);
  }

  /// The values of one variable at the end of a round; true if the walk must be repeated.
  bool leave(const Variable &v, size_t first, std::vector<ValueId> &after) {
    Ref value = sound(outer->find(v.name));
    std::vector<Ref> parts;
    w.leaves(value, parts);
    auto shapeChanges = [&](Ref entered, Ref left) {
      w.fail(Kind::LoopShape,
             "`" + v.name + "` enters the loop as " + describe(entered) + " and leaves it as " + describe(left),
             {{plan.span, ""}}, "a value carried round a loop keeps one shape");
    };
    if (parts.size() != v.count)
      shapeChanges(v.before, value);
    bool changed = false, again = false;
    for (size_t i = 0; i < v.count; ++i) {
      const Carried &c = carried[v.begin + i];
      ValueId placeholder = ValueId(first + v.begin + i);
      Ref part = parts[i];
      if (isTensor(part) && part->value == placeholder) {
        after[v.begin + i] = placeholder;
        continue;
      }
      changed = true;
      auto shape = w.shapeOf(part);
      Ref entered = w.emitted(c.element, c.initial);
      if (!shape || shape->element == Element::Text)
        shapeChanges(entered, part);
      if (!shape->literal && shape->element != c.element && c.literal) {
        Walker::Shape from{c.element, {}, true};
        Element wide = w.combine(from, *shape, plan.span, "=", false);
        if (wide != c.element) {
          widened[{v.name, i}] = wide;
          again = true;
          continue;
        }
      }
      if (shape->literal && family(shape->element) == Family::Real && family(c.element) == Family::Integer &&
          c.literal) {
        widened[{v.name, i}] = Element::Real;
        again = true;
        continue;
      }
      if (family(shape->element) != family(c.element) && !shape->literal)
        w.fail(Kind::TypeMismatch,
               "`" + v.name + "` enters the loop as " + describe(entered) + " and leaves it as " + describe(part),
               {{plan.span, ""}}, "convert it to the type that it entered with");
      if (shape->axes.empty() && !entered->axes.empty())
        part = w.fillOf(w.convert(part, c.element, plan.span), entered->axes, plan.span);
      else if (!w.same(shape->axes, entered->axes))
        shapeChanges(entered, part);
      ValueId id = w.valueOf(w.whole(w.convert(part, c.element, plan.span), plan.span), plan.span);
      after[v.begin + i] = w.emit.reshape(id, w.emit.type(c.initial).extents);
    }
    if (!changed) {
      dropped.insert(v.name);
      again = true;
    }
    return again;
  }

  Ref sound(Ref e) { return w.sound(e); }

  Walker &w;
  const Walker::LoopPlan &plan;
  Scope *outer;
  std::map<std::string, Ref> before, fixed;
  std::set<std::string> dropped; // assigned by name, but another variable of this name inside the body was meant
  std::map<std::pair<std::string, size_t>, Element> widened;
  std::set<Walker::WeightKey> stored;
  std::vector<Variable> variables;
  std::vector<Carried> carried;
};

Ref Walker::nativeLoop(const LoopPlan &plan, Scope *outer) {
  if (inEquation)
    fail(Kind::NotSupported, "a loop inside an index equation is not supported yet", {{plan.span, ""}},
         "run the loop on whole tensors, outside the equation");
  return NativeLoop(*this, plan, outer).run();
}

/// The counter of a loop of `count` rounds; none where `count` is negative.
Index Walker::loopCounter(const std::string &name, const Polynomial &count) {
  const Atom *atom = freshAtom(AtomKind::Index, name);
  for (Facts &level : factStack)
    level.setIndex(atom, count);
  return {atom, facts().nonNegative(count) ? count : maximum(count, Polynomial(0))};
}

bool Walker::countsRounds(const Atom *atom) const {
  return std::any_of(loopCounters.begin(), loopCounters.end(), [&](const Index &i) { return i.atom == atom; });
}

/// The indices of equations that a term mentions and does not bind; a round has one number.
std::set<const Atom *> Walker::freeIndices(const Term *term) const {
  std::set<const Atom *> found = Emitter::freeIndices(term);
  std::erase_if(found, [&](const Atom *atom) { return countsRounds(atom); });
  return found;
}

} // namespace nacre
