// Loops. Over lists, over layers and under @unroll the body is walked once per round; a native loop is walked once.
#include "check/Walker.h"
#include <algorithm>

namespace nacre {
using ast::as;

constexpr int64_t mostRounds = 4096; // of an unrolled loop
constexpr int64_t fewRounds = 64;    // a loop over a short range is written out

std::vector<Ref> Walker::sequence(Ref e, Span span) {
  sound(e);
  if (e->kind == Entity::Kind::List || e->kind == Entity::Kind::Record || (e->kind == Entity::Kind::Tree && !e->group))
    return e->items;
  fail(Kind::TypeMismatch, "a loop runs over a range or a list", {{span, "this is " + describe(e)}});
}

static const ast::BinaryExpr *rangeOf(const ast::Expr *e) {
  if (auto *t = as<ast::TupleExpr>(e))
    if (t->elements.size() == 1 && t->elements[0].value)
      return rangeOf(t->elements[0].value);
  auto *b = as<ast::BinaryExpr>(e);
  return b && b->op == ast::BinaryOp::Range ? b : nullptr;
}

Ref Walker::comprehension(const ast::ComprehensionExpr *e, Scope *inner) {
  if (auto *range = rangeOf(e->sequence)) {
    if (e->pattern.slots.size() != 1)
      fail(Kind::TypeMismatch, "a range gives one number per round", {{e->pattern.span, ""}});
    Polynomial low = size(range->lhs, inner), high = size(range->rhs, inner);
    Polynomial count = high - low;
    const std::string &name = e->pattern.slots[0].text;
    if (auto rounds = facts().normal(count).constant()) {
      if (*rounds > mostRounds)
        fail(Kind::UnrollSize, "a list of " + std::to_string(*rounds) + " elements",
             {{e->span, "at most " + std::to_string(mostRounds)}});
      std::vector<Ref> items;
      for (int64_t i = 0; i < *rounds; ++i) {
        work(e->span);
        Scope *body = scope(inner);
        body->bind(name, integer(low + i));
        items.push_back(evaluate(e->body, body));
      }
      return list(std::move(items));
    }
    if (expanding())
      fail(Kind::NotCompileTime, "the length of this list, " + count.text() + ", is known only at run time",
           {{e->sequence->span, ""}}, "lists exist at compile time");
    const Atom *atom = freshAtom(AtomKind::Index, name);
    for (Facts &level : factStack)
      level.setIndex(atom, count);
    Scope *body = scope(inner);
    body->bind(name, integer(low + Polynomial(atom)));
    Entity &members = make(Entity::Kind::Members);
    members.member = evaluate(e->body, body);
    members.count = count;
    return &members;
  }
  Ref over = sound(evaluate(e->sequence, inner));
  if (modular && isTensor(over) && !over->axes.empty()) { // a compile-time tensor of which only the type is known
    Entity &members = make(Entity::Kind::Members);
    members.count = over->axes[0].size;
    if (family(over->element) == Family::Integer && over->axes.size() == 1) {
      const Atom *atom = freshAtom(AtomKind::Name, e->pattern.slots[0].text);
      compileTimeAtoms.insert(atom);
      caseAtoms.insert(atom);
      facts().setLower(atom, 1);
      members.member = integer(Polynomial(atom));
    } else {
      members.member = tensorType(over->element, Axes(over->axes.begin() + 1, over->axes.end()));
    }
    over = &members;
  }
  if (over->kind == Entity::Kind::Tree && over->group) {
    Scope *body = scope(inner);
    destructure(e->pattern, anyLeaf(), body, e->pattern.span);
    evaluate(e->body, body);
    return openTree();
  }
  if (over->kind == Entity::Kind::Members) {
    Scope *body = scope(inner);
    destructure(e->pattern, over->member, body, e->pattern.span);
    Entity &members = make(Entity::Kind::Members);
    members.member = evaluate(e->body, body);
    members.count = over->count;
    return &members;
  }
  std::vector<Ref> items;
  for (Ref item : sequence(over, e->sequence->span)) {
    Scope *body = scope(inner);
    destructure(e->pattern, item, body, e->pattern.span);
    items.push_back(evaluate(e->body, body));
  }
  if (over->kind == Entity::Kind::Tree && std::all_of(items.begin(), items.end(), isTensor))
    return tree(std::move(items), over->names);
  return list(std::move(items));
}

/// Walks the body of a native loop once. Variables that it assigns keep their type; a carried integer is unknown.
void Walker::carried(const ast::Block *b, Scope *inner, const std::function<void()> &head, Span span,
                     std::vector<Argument> &yields) {
  std::set<std::string> names;
  assigned(b, names);
  std::map<std::string, Ref> before;
  std::set<std::string> numbers; // without a type so far
  for (const std::string &name : names)
    if (Ref value = inner->find(name)) {
      if (isInteger(value) || value->kind == Entity::Kind::Real) {
        numbers.insert(name);
        inner->assign(name, tensorType(isInteger(value) ? Element::Int : Element::Real, {}));
      }
      before[name] = inner->find(name);
    }
  head();
  auto *outer = frame->yields;
  frame->yields = &yields;
  try {
    block(b, inner);
  } catch (...) {
    frame->yields = outer;
    throw;
  }
  frame->yields = outer;
  for (auto &[name, value] : before) {
    Ref after = inner->find(name);
    if (after->kind == Entity::Kind::Bad || value->kind == Entity::Kind::Bad || value->kind == Entity::Kind::List)
      continue;
    auto a = shapeOf(value), z = shapeOf(after);
    if (!a || !z)
      continue;
    if (a->axes.empty() && z->axes.empty() && numbers.count(name)) { // `var total = 0`, to which reals are added
      inner->assign(name, after);
      continue;
    }
    if (!same(a->axes, z->axes) && !z->axes.empty())
      fail(Kind::LoopShape,
           "`" + name + "` enters the loop as " + describe(value) + " and leaves it as " + describe(after),
           {{span, ""}}, "a value carried round a loop keeps one shape");
    inner->assign(name, value);
  }
}

Ref Walker::loop(const ast::LoopExpr *e, Scope *inner, bool isStatement, bool unroll) {
  std::vector<Argument> yields;
  bool checkpoint = std::exchange(checkpointed, false);
  auto stacked = [&](std::optional<Axis> count) -> Ref {
    if (isStatement)
      return checker.bad;
    if (yields.empty())
      throw Quiet();
    auto stackOne = [&](std::vector<Ref> rounds) -> Ref {
      auto shape = shapeOf(rounds.front());
      if (!shape)
        fail(Kind::TypeMismatch, "`yield` gives tensors",
             {{yields.front().span, "this is " + describe(rounds.front())}});
      if (!count) {
        Argument parts{"", list(std::move(rounds)), yields.front().span}, axis{"", integer(0), e->span};
        return concatOf("stack", {parts, axis}, e->span);
      }
      Axes axes = shape->axes;
      axes.insert(axes.begin(), *count);
      return tensorType(shape->element, std::move(axes));
    };
    Ref first = sound(yields.front().value);
    if (first->kind != Entity::Kind::Record) {
      std::vector<Ref> rounds;
      for (Argument &y : yields)
        rounds.push_back(sound(y.value));
      return stackOne(std::move(rounds));
    }
    std::vector<Ref> fields;
    for (size_t f = 0; f < first->items.size(); ++f) {
      std::vector<Ref> rounds;
      for (Argument &y : yields)
        rounds.push_back(sound(sound(y.value)->items.at(f)));
      fields.push_back(stackOne(std::move(rounds)));
    }
    return record(std::move(fields), first->names);
  };
  auto unrolled = [&](std::vector<Ref> rounds) {
    if (rounds.size() > size_t(mostRounds))
      fail(Kind::UnrollSize, "this loop unrolls to " + std::to_string(rounds.size()) + " rounds",
           {{e->span, "at most " + std::to_string(mostRounds)}});
    size_t count = rounds.size();
    auto *outer = frame->yields;
    frame->yields = &yields;
    std::vector<Argument> collected;
    if (e->reverse)
      std::reverse(rounds.begin(), rounds.end());
    bool failedBefore = std::exchange(failed, false);
    try {
      for (Ref item : rounds) {
        work(e->span);
        Scope *body = scope(inner);
        destructure(e->pattern, item, body, e->pattern.span);
        block(e->body, body);
        if (frame->returned || failed) // the other rounds would report the same
          break;
      }
    } catch (...) {
      frame->yields = outer;
      failed |= failedBefore;
      throw;
    }
    failed |= failedBefore;
    frame->yields = outer;
    if (e->reverse)
      std::reverse(yields.begin(), yields.end()); // stacked in index order
    if (!isStatement && !failed && !frame->returned && yields.size() != count)
      fail(Kind::MisplacedStatement,
           "a loop yields once in each round: here " + std::to_string(yields.size()) + " times in " +
               std::to_string(count) + " rounds",
           {{e->span, ""}}, "end the body with one `yield`");
    if (!isStatement && yields.size() != count)
      throw Quiet();
  };
  if (auto *range = rangeOf(e->sequence)) {
    if (e->pattern.slots.size() != 1)
      fail(Kind::TypeMismatch, "a range gives one number per round", {{e->pattern.span, ""}});
    Polynomial low = size(range->lhs, inner), high = size(range->rhs, inner), count = high - low;
    auto rounds = facts().normal(count).constant();
    if (!isStatement)
      requireSize(count, 1, e->sequence->span, 1400, "the number of rounds that `yield`");
    if (rounds && (unroll || (expanding() && !checkpoint && *rounds <= fewRounds))) {
      std::vector<Ref> items;
      for (int64_t i = 0; i < std::min<int64_t>(*rounds, mostRounds + 1); ++i)
        items.push_back(integer(low + i));
      unrolled(std::move(items));
      return stacked(std::nullopt);
    }
    const std::string &name = e->pattern.slots[0].text;
    Index counter = loopCounter(name, count);
    const Atom *atom = counter.atom;
    if (expanding())
      return nativeLoop({e->body, counter, name, low, nullptr, e->span, e->reverse, !isStatement, checkpoint}, inner);
    // The walk sees one representative round; what the loop binds stays inside it.
    Scope *body = scope(inner);
    body->bind(e->pattern.slots[0].text, integer(low + Polynomial(atom)));
    carried(e->body, body, [] {}, e->span, yields);
    return stacked(Axis{count, false});
  }
  if (checkpoint)
    notSupported("`@checkpoint` on a loop that is written out", e->span, "mark the call inside it");
  Ref over = sound(evaluate(e->sequence, inner));
  if (over->kind == Entity::Kind::Members) {
    std::set<std::string> names;
    assigned(e->body, names);
    std::map<std::string, Ref> before;
    for (const std::string &name : names)
      if (Ref value = inner->find(name))
        before[name] = value;
    Scope *body = scope(inner);
    destructure(e->pattern, over->member, body, e->pattern.span);
    auto *outer = frame->yields;
    frame->yields = &yields;
    block(e->body, body);
    frame->yields = outer;
    for (auto &[name, value] : before) { // one that grows is checked where the length is known
      Ref after = inner->find(name);
      auto a = shapeOf(value), z = after->kind == Entity::Kind::Bad ? std::nullopt : shapeOf(after);
      inner->assign(name, a && z && same(a->axes, z->axes) && value->kind != Entity::Kind::List ? value : checker.bad);
    }
    return stacked(Axis{over->count, false});
  }
  unrolled(sequence(over, e->sequence->span));
  return stacked(std::nullopt);
}

void Walker::whileStatement(const ast::WhileStmt *s, Scope *inner) {
  bool checkpoint = std::exchange(checkpointed, false);
  Polynomial limit = size(s->limit, inner);
  if (expanding()) {
    Index counter = loopCounter("round", limit);
    nativeLoop({s->body, counter, "", Polynomial(0), s->condition, s->span, false, false, checkpoint}, inner);
    return;
  }
  std::vector<Argument> yields;
  Scope *body = scope(inner);
  carried(s->body, body, [&] { evaluate(s->condition, body); }, s->span, yields);
}

} // namespace nacre
