// Statements of a body. A statement in error binds its names to the error value, so that what follows stays silent.
#include "check/Visit.h"
#include "check/Walker.h"
#include <algorithm>

namespace nacre {
using ast::as;

void Walker::body(const Signature &s, Scope *inner) {
  frame->returned = nullptr;
  if (s.body)
    block(s.body, inner);
  else if (s.expression) {
    try {
      returnValue(evaluate(s.expression, inner), s.expression->span);
    } catch (Problem &p) {
      report(std::move(p.diagnostic));
      frame->returned = checker.bad;
    } catch (Quiet &) {
      frame->returned = checker.bad;
    }
  }
  if (!frame->returned && frame->result && s.body &&
      !(s.decl->kind == ast::DeclKind::Layer && !static_cast<const ast::LayerDecl *>(s.decl)->hasHeader)) {
    Span end = s.body->span;
    if (end.file && end.end > end.begin)
      end.begin = end.end - 1;
    report({Kind::MissingReturn,
            "`" + s.decl->name.text + "` ends without `return`",
            {{end, "reached here"}, {frame->resultSpan, "a value of this type is expected"}},
            {},
            "end the body with `return ...`"});
    frame->returned = checker.bad;
  }
}

void Walker::boundOnce(const ast::Block *b) {
  std::map<std::string, Span> first;
  auto bound = [&](const std::string &name, Span span) {
    auto [slot, added] = first.emplace(name, span);
    if (!added && name != "_")
      report({Kind::DuplicateName,
              "`" + name + "` is bound twice in one block",
              {{span, "bound again here"}, {slot->second, "first bound here"}},
              {},
              "choose another name, or make it a `var` and assign"});
  };
  for (const ast::Stmt *s : b->statements) {
    auto *l = as<ast::LetStmt>(s);
    auto *v = as<ast::VarStmt>(s);
    if (l || v)
      for (const ast::Slot &slot : l ? l->pattern.slots : v->pattern.slots)
        bound(slot.text, slot.span);
    else if (auto *e = as<ast::EquationStmt>(s))
      bound(e->name.text, e->name.span);
    else if (auto *w = as<ast::WeightStmt>(s))
      bound(w->name.text, w->name.span);
    else if (auto *u = as<ast::UseStmt>(s))
      bound(u->name.text, u->name.span);
  }
}

/// Only methods may stand behind a `return`; what else does is reported, and its names mean nothing.
void Walker::unreached(const ast::Block *b, Scope *inner) {
  const ast::Stmt *end = nullptr;
  for (const ast::Stmt *s : b->statements) {
    if (end && s->kind != ast::StmtKind::Function) {
      bool weight = s->kind == ast::StmtKind::Weight;
      report({Kind::MisplacedStatement,
              "nothing behind `return` is reached, but the methods of a layer",
              {{s->span, ""}, {end->span, "the layer or function ends here"}},
              {},
              weight ? "declare it before it is used" : "move it up, or remove it"});
      poison(s, inner);
    }
    if (s->kind == ast::StmtKind::Return)
      end = s;
  }
}

void Walker::block(const ast::Block *b, Scope *inner) {
  if (frame->decl == decl && !dry) {
    boundOnce(b);
    unreached(b, inner);
  }
  for (const ast::Stmt *s : b->statements)
    if (!statement(s, inner))
      return;
}

/// Names that a block assigns and that therefore change outside it.
void Walker::assigned(const ast::Block *b, std::set<std::string> &out) {
  auto root = [](const ast::Expr *e) -> const ast::IdentifierExpr * {
    while (true) {
      if (auto *m = as<ast::MemberExpr>(e))
        e = m->base;
      else if (auto *s = as<ast::SubscriptExpr>(e))
        e = s->base;
      else
        return as<ast::IdentifierExpr>(e);
    }
  };
  forAll(
      b,
      [&](const ast::Stmt *s) {
        const ast::Expr *target = nullptr;
        if (auto *a = as<ast::AssignStmt>(s)) {
          target = a->target;
          if (!target)
            for (const ast::Slot &slot : a->pattern.slots)
              out.insert(slot.text);
        } else if (auto *u = as<ast::UpdateStmt>(s)) {
          target = u->target;
        } else if (auto *c = as<ast::ScatterStmt>(s)) {
          target = c->target;
        }
        if (target)
          if (auto *id = root(target))
            out.insert(id->name);
      },
      [](const ast::Expr *) {});
}

/// Binds what the statement would have bound to the error value, labels included.
void Walker::poison(const ast::Stmt *s, Scope *inner) {
  auto bind = [&](const std::string &name) {
    if (name != "_" && !name.empty())
      inner->bind(name, checker.bad);
  };
  if (auto *e = as<ast::EquationStmt>(s))
    bind(e->name.text);
  if (auto *l = as<ast::LetStmt>(s))
    for (const ast::Slot &slot : l->pattern.slots)
      bind(slot.text);
  if (auto *v = as<ast::VarStmt>(s))
    for (const ast::Slot &slot : v->pattern.slots)
      bind(slot.text);
  if (auto *w = as<ast::WeightStmt>(s))
    bind(w->name.text);
  if (auto *u = as<ast::UseStmt>(s)) {
    bind(u->name.text);
    if (frame->self)
      frame->self->shared.emplace(u->name.text, checker.bad);
  }
  if (auto *w = as<ast::WeightStmt>(s); w && frame->self && !expanding())
    frame->self->shared.emplace(w->name.text, checker.bad);
  ast::Block alone;
  alone.statements = {s};
  std::set<std::string> names;
  assigned(&alone, names);
  for (const std::string &name : names)
    inner->assign(name, checker.bad);
  if (frame->self && !expanding())
    forAll(
        &alone, [](const ast::Stmt *) {},
        [&](const ast::Expr *e) {
          if (auto *l = as<ast::LabelledExpr>(e))
            frame->self->shared.emplace(l->label.text, checker.bad);
        });
}

bool Walker::statement(const ast::Stmt *s, Scope *inner) {
  try {
    step(s->span);
    attributes(s);
    walkStatement(s, inner);
    emit.promises.clear();
    return !frame->returned;
  } catch (Problem &p) {
    if (dry)
      throw;
    report(std::move(p.diagnostic));
  } catch (Quiet &) {
    if (dry)
      throw;
  }
  emit.promises.clear();
  if (s->kind == ast::StmtKind::Return || (s->kind == ast::StmtKind::If && expanding())) {
    frame->returned = checker.bad;
    return false;
  }
  poison(s, inner);
  return true;
}

static const std::pair<std::string_view, bool> KnownAttributes[] = { // name, honoured so far
    {"fuse", true},    {"keep", true},       {"unroll", true},   {"private", true},
    {"read", true},    {"write", true},      {"session", false}, {"precision", false},
    {"target", false}, {"checkpoint", true}, {"symbol", true},   {"lower_is_better", true}};

void Walker::attributes(const ast::Stmt *s) {
  for (const ast::Attribute &a : s->attributes) {
    auto known = std::find_if(std::begin(KnownAttributes), std::end(KnownAttributes),
                              [&](const auto &entry) { return entry.first == a.name.text; });
    if (known == std::end(KnownAttributes)) {
      std::vector<std::string> names;
      for (const auto &[name, honoured] : KnownAttributes)
        names.emplace_back(name);
      std::string near = nearest(a.name.text, names);
      fail(Kind::UnknownAttribute, "no attribute named `@" + a.name.text + "`", {{a.span, ""}},
           near.empty() ? "the attributes are @fuse, @keep, @unroll, @private, @read, @write, @session, @checkpoint, "
                          "@precision, @target, @symbol and @lower_is_better"
                        : "`@" + near + "` is close");
    }
    if (!known->second && expanding())
      notSupported("`@" + a.name.text + "`", a.span,
                   "an attribute is a promise; without it the program means the same");
    if (a.name.text != "fuse" || !expanding())
      continue;
    // Goes with the equation to the compiler, which keeps it or says why not.
    bool isAttention = a.arguments.size() == 1 && a.arguments[0].name.text.empty() && a.arguments[0].value &&
                       a.arguments[0].value->span.text() == "attention";
    if (!isAttention)
      notSupported("`" + std::string(a.span.text()) + "`", a.span, "what can be promised is `@fuse(attention)`");
    if (s->kind != ast::StmtKind::Equation)
      notSupported("`@fuse(attention)` before another statement than an equation", a.span,
                   "write it before the sum over the keys");
    emit.promises.push_back("fuse(attention)");
  }
}

static bool marked(const ast::Stmt *s, std::string_view name) {
  return std::any_of(s->attributes.begin(), s->attributes.end(),
                     [&](const ast::Attribute &a) { return a.name.text == name; });
}

/// The right side of a statement, under its attributes.
Ref Walker::evaluated(const ast::Stmt *s, const ast::Expr *e, Scope *inner) {
  bool checkpoint = marked(s, "checkpoint");
  if (auto *rounds = as<ast::LoopExpr>(e)) {
    checkpointed = checkpoint;
    return loop(rounds, inner, false, marked(s, "unroll"));
  }
  if (!checkpoint || !expanding() || inEquation)
    return evaluate(e, inner);
  // What the expression computes becomes one value, which keeps its inputs only.
  size_t first = emit.body->values.size();
  Ref value = sound(evaluate(e, inner));
  auto shape = shapeOf(value);
  if (!shape)
    notSupported("`@checkpoint` on a call that gives " + describe(value), s->span, "let it return one tensor");
  const Location *location = here(s->span);
  ValueId id = valueOf(value, e->span);
  if (emit.body->values.size() == first)
    return value;
  Value kept{};
  kept.kind = Value::Kind::Keep;
  kept.type = emit.type(id);
  kept.name = "checkpoint";
  kept.promises = {"checkpoint"};
  std::vector<Region> regions;
  regions.push_back({first, 0, {id}, nullptr});
  kept.operands = cutRegions(first, 0, regions);
  kept.inner = std::move(regions[0].body);
  emit.location = location;
  return emitted(shape->element, emit.append(std::move(kept)));
}

void Walker::walkStatement(const ast::Stmt *s, Scope *inner) {
  switch (s->kind) {
  case ast::StmtKind::Equation:
    return equation(as<ast::EquationStmt>(s), inner);
  case ast::StmtKind::Let:
  case ast::StmtKind::Var: {
    auto *l = as<ast::LetStmt>(s);
    auto *v = as<ast::VarStmt>(s);
    const ast::Pattern &pattern = l ? l->pattern : v->pattern;
    const ast::Type *type = l ? l->type : v->type;
    const ast::Expr *expression = l ? l->value : v->value;
    Ref value = evaluated(s, expression, inner);
    if (type) {
      Ref declared = typeValue(type, inner);
      conform(value, declared, expression->span, type->span, "`" + pattern.slots[0].text + "`");
      value = adapt(value, declared);
      bool untyped = isInteger(value) || value->kind == Entity::Kind::Real;
      if (v && untyped && declared->element != Element::Int && expanding() &&
          !inEquation) // what is stored later has it
        value = emitted(declared->element, emit.equation({}, termOf(value, scalarOf(declared->element))));
    }
    if (expanding() && isTensor(value) && value->value && !pattern.parenthesised && pattern.slots.size() == 1 &&
        emit.body->values[*value->value].name.empty())
      emit.body->values[*value->value].name = pattern.slots[0].text;
    return destructure(pattern, value, inner, s->span);
  }
  case ast::StmtKind::Weight:
    return weightStatement(as<ast::WeightStmt>(s), inner);
  case ast::StmtKind::Use:
    return useStatement(as<ast::UseStmt>(s), inner);
  case ast::StmtKind::Function:
    if (!frame->self || frame->decl != frame->self->decl)
      fail(Kind::MisplacedStatement, "a function inside a function", {{s->span, ""}},
           "declare it in the file, or write `x => ...`");
    return; // methods are found by name
  case ast::StmtKind::Assign:
    return assign(as<ast::AssignStmt>(s), inner);
  case ast::StmtKind::Update:
    return update(as<ast::UpdateStmt>(s), inner);
  case ast::StmtKind::Scatter:
    return scatter(as<ast::ScatterStmt>(s), inner);
  case ast::StmtKind::Do:
    evaluate(as<ast::DoStmt>(s)->call, inner);
    return;
  case ast::StmtKind::Return:
    return returnValue(evaluated(s, as<ast::ReturnStmt>(s)->value, inner), as<ast::ReturnStmt>(s)->value->span);
  case ast::StmtKind::Yield: {
    if (!frame->yields)
      fail(Kind::MisplacedStatement, "`yield` outside a loop", {{s->span, ""}}, "end a function with `return`");
    const ast::Expr *value = as<ast::YieldStmt>(s)->value;
    frame->yields->push_back({"", evaluate(value, inner), value->span});
    return;
  }
  case ast::StmtKind::If:
    return ifStatement(as<ast::IfStmt>(s), inner);
  case ast::StmtKind::While:
    checkpointed = marked(s, "checkpoint");
    return whileStatement(as<ast::WhileStmt>(s), inner);
  case ast::StmtKind::For:
    checkpointed = marked(s, "checkpoint");
    loop(as<ast::ForStmt>(s)->loop, inner, true, marked(s, "unroll"));
    return;
  case ast::StmtKind::ExpectError:
    return expectError(as<ast::ExpectErrorStmt>(s), inner);
  case ast::StmtKind::Expect:
    return expectStatement(as<ast::ExpectStmt>(s), inner);
  }
}

void Walker::returnValue(Ref value, Span span) {
  sound(value);
  if (frame->result) {
    conform(value, frame->result, span, frame->resultSpan, "the result");
    value = adapt(value, frame->result);
  }
  frame->returned = value;
}

void Walker::destructure(const ast::Pattern &pattern, Ref value, Scope *inner, Span span, bool rebind) {
  auto bind = [&](const ast::Slot &slot, Ref item) {
    if (slot.text == "_")
      return;
    if (!rebind)
      inner->bind(slot.text, item);
    else if (!inner->assign(slot.text, item))
      fail(Kind::UnknownName, "nothing named `" + slot.text + "` to assign", {{slot.span, "declare it with `var`"}});
  };
  if (!pattern.parenthesised && pattern.slots.size() == 1)
    return bind(pattern.slots[0], value);
  sound(value);
  if ((value->kind != Entity::Kind::Record && value->kind != Entity::Kind::List) ||
      value->items.size() != pattern.slots.size())
    fail(Kind::TypeMismatch, std::to_string(pattern.slots.size()) + " names for " + describe(value), {{span, ""}},
         "write one name, or `_`, for each part");
  for (size_t i = 0; i < pattern.slots.size(); ++i)
    bind(pattern.slots[i], value->items[i]);
}

/// A value against the type that the source declares for it.
void Walker::conform(Ref value, Ref declared, Span span, Span declaredSpan, const std::string &what) {
  sound(value);
  if (declared->kind == Entity::Kind::Record) {
    if (value->kind != Entity::Kind::Record || value->items.size() < declared->items.size())
      fail(Kind::TypeMismatch, what + " is " + describe(value),
           {{span, ""}, {declaredSpan, "declared as " + describe(declared)}});
    for (size_t i = 0; i < declared->items.size(); ++i) {
      const std::string &wanted = declared->names[i];
      size_t at = i;
      if (!wanted.empty()) {
        auto found = std::find(value->names.begin(), value->names.end(), wanted);
        if (found != value->names.end())
          at = size_t(found - value->names.begin());
        else if (!value->names[i].empty())
          fail(Kind::UnknownField, what + " has a field `" + value->names[i] + "` where `" + wanted + "` is declared",
               {{span, "this is " + describe(value)}, {declaredSpan, "declared here"}},
               "name the field `" + wanted + "`");
      }
      conform(value->items[at], declared->items[i], span, declaredSpan,
              wanted.empty() ? what : what + ", field `" + wanted + "`");
    }
    return;
  }
  if (declared->kind == Entity::Kind::Tree && value->kind != Entity::Kind::Tree)
    fail(Kind::TypeMismatch, what + " is " + describe(value),
         {{span, ""}, {declaredSpan, "declared as " + describe(declared)}});
  if (declared->kind != Entity::Kind::Tensor)
    return;
  auto shape = shapeOf(value);
  bool fits = shape && (family(shape->element) == family(declared->element) ||
                        (family(shape->element) == Family::Integer && family(declared->element) == Family::Real &&
                         (shape->literal || shape->element == Element::Int)));
  if (!fits)
    fail(Kind::TypeMismatch,
         what + " has type " + (shape ? std::string(nacre::name(shape->element)) : describe(value)) + ", declared as " +
             std::string(nacre::name(declared->element)),
         {{span, "this is " + describe(value)}, {declaredSpan, "declared as " + describe(declared)}},
         shape ? "write `" + std::string(nacre::name(declared->element)) + "(...)` to convert" : "");
  if (shape->axes.size() != declared->axes.size())
    fail(Kind::RankMismatch,
         what + " has " + std::to_string(shape->axes.size()) + (shape->axes.size() == 1 ? " axis" : " axes") +
             ", declared with " + std::to_string(declared->axes.size()),
         {{span, "this is " + describe(value)}, {declaredSpan, "declared as " + describe(declared)}});
  for (size_t i = 0; i < shape->axes.size(); ++i) {
    const Axis &a = shape->axes[i], &b = declared->axes[i];
    requireEqual(a, b, span, 300 + unsigned(i), [&](const std::string &example) {
      return Diagnostic{Kind::DimensionMismatch,
                        "axis " + std::to_string(i) + " of " + what + " is " + text(a) + ", declared as " + text(b) +
                            (example.empty() ? "" : " (differ for " + example + ")"),
                        {{span, "this is " + describe(value)}, {declaredSpan, "declared as " + describe(declared)}},
                        {},
                        a.group || b.group ? "" : divisibilityHint(a.size, b.size)};
    });
  }
}

/// The value in the declared element type. `real` and `int` adapt silently; the types were compared before.
Ref Walker::adapt(Ref value, Ref declared) {
  if (declared->kind == Entity::Kind::Record && value->kind == Entity::Kind::Record) {
    std::vector<Ref> items;
    for (size_t i = 0; i < declared->items.size(); ++i) {
      size_t at = i;
      if (!declared->names[i].empty())
        if (auto found = std::find(value->names.begin(), value->names.end(), declared->names[i]);
            found != value->names.end())
          at = size_t(found - value->names.begin());
      items.push_back(adapt(value->items[at], declared->items[i]));
    }
    return record(std::move(items), declared->names);
  }
  if (declared->kind != Entity::Kind::Tensor)
    return value;
  if (!expanding()) // the declared form of the sizes is what callers see; compile-time numbers stay known
    return isTensor(value) || value->kind == Entity::Kind::List ? declared : value;
  if (value->kind == Entity::Kind::Integer || value->kind == Entity::Kind::Real ||
      value->kind == Entity::Kind::Boolean) {
    if (value->kind == Entity::Kind::Integer && family(declared->element) == Family::Real)
      if (auto number = constant(value))
        return real(double(*number));
    return value;
  }
  if (value->kind == Entity::Kind::List) {
    auto shape = shapeOf(value);
    return shape ? convert(value, declared->element, emit.span) : value;
  }
  if (!isTensor(value) || value->element == declared->element)
    return value;
  if (value->hollow || scalarOf(value->element) == scalarOf(declared->element)) {
    Entity &e = make(Entity::Kind::Tensor);
    e = *value;
    e.element = declared->element;
    return &e;
  }
  return convert(value, declared->element, emit.span);
}

void Walker::update(const ast::UpdateStmt *s, Scope *inner) {
  if (expanding())
    return store(s, inner);
  if (storeTree(s, inner))
    return;
  Ref value = evaluate(s->value, inner);
  Ref old = evaluate(s->target, inner);
  if (isTensor(old))
    conform(value, old, s->value->span, s->target->span, "`" + std::string(s->target->span.text()) + "`");
}

} // namespace nacre
