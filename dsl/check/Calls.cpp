// Calls: arguments against a signature, `where` clauses and inherited conditions, and the callee's body inlined.
#include "check/Visit.h"
#include "check/Walker.h"
#include <algorithm>

namespace nacre {
using ast::as;

constexpr unsigned deepestCall = 200;

static bool isPlain(const ast::Type *type, std::string_view name) {
  return type && type->form == ast::Type::Form::Named && type->name.text == name && type->dimensions.empty();
}

std::vector<Argument> Walker::arguments(const std::vector<ast::Argument> &list, Scope *inner) {
  std::vector<Argument> out;
  for (const ast::Argument &a : list) {
    if (a.form != ast::Argument::Form::Value)
      fail(Kind::TypeMismatch, "a range or `...` is no argument", {{a.span, "subscripts only"}});
    out.push_back({a.name.text, evaluate(a.value, inner), a.value->span});
  }
  return out;
}

static std::string quoted(const std::vector<std::string> &names) {
  std::string out;
  for (const std::string &n : names)
    out += (out.empty() ? "`" : ", `") + n + "`";
  return out.empty() ? "none" : out;
}

static bool holdsTensor(Ref e) { return isTensor(e) || std::any_of(e->items.begin(), e->items.end(), holdsTensor); }

/// Which parameter each argument is for, by name or position.
static std::vector<std::string> namesOf(const std::vector<ast::Parameter> &parameters) {
  std::vector<std::string> names;
  for (const ast::Parameter &p : parameters)
    names.push_back(p.name.text);
  return names;
}

Bindings Walker::compileTimeArguments(const ast::Decl *callee, const FileScope *file,
                                      const std::vector<ast::Argument> &list, Span span, Scope *inner) {
  Signature s = signatureOf(callee);
  std::vector<std::string> names = namesOf(*s.compileTime);
  std::map<std::string, std::pair<Ref, Span>> given;
  for (size_t i = 0; i < list.size(); ++i) {
    const ast::Argument &a = list[i];
    std::string name = !a.name.text.empty() ? a.name.text : i < names.size() ? names[i] : "";
    if (std::find(names.begin(), names.end(), name) == names.end() || a.form != ast::Argument::Form::Value) {
      std::string near = nearest(name, names);
      fail(Kind::UnknownArgument,
           "`" + callee->name.text + "` has no compile-time parameter " +
               (a.name.text.empty() ? "number " + std::to_string(i + 1) : "`" + name + "`"),
           {{a.span, ""}, {callee->name.span, "declared here"}},
           near.empty() ? "its parameters are " + quoted(names) : "`" + near + "` is close");
    }
    if (given.count(name))
      fail(Kind::UnknownArgument, "`" + name + "` is given twice", {{a.span, ""}});
    given[name] = {sound(evaluate(a.value, inner)), a.span};
  }
  Bindings out;
  Frame *calleeFrame = newFrame(file, callee);
  calleeFrame->root = scope(nullptr);
  for (const ast::Parameter &p : *s.compileTime) {
    Element element = Element::Real;
    bool named = p.type && p.type->form == ast::Type::Form::Named && elementNamed(p.type->name.text, element);
    bool scalar = named && p.type->dimensions.empty();
    Ref value = nullptr;
    Span at = span;
    if (auto found = given.find(p.name.text); found != given.end()) {
      std::tie(value, at) = found->second;
    } else if (p.initial) {
      Frame *saved = frame;
      calleeFrame->caller = saved;
      frame = calleeFrame;
      try {
        value = sound(evaluate(p.initial, calleeFrame->root));
      } catch (...) {
        frame = saved;
        throw;
      }
      frame = saved;
    } else {
      std::vector<std::string> required;
      for (const ast::Parameter &q : *s.compileTime)
        if (!q.initial)
          required.push_back(q.name.text);
      std::string all;
      for (const std::string &n : required)
        all += (all.empty() ? "" : ", ") + n;
      fail(Kind::MissingArgument, "`" + callee->name.text + "` needs the compile-time parameter `" + p.name.text + "`",
           {{span, ""}, {p.span, "declared here"}}, "write `" + callee->name.text + "[" + all + "]`");
    }
    auto is = [&](Entity::Kind kind, Element unknown) {
      return value->kind == kind || (isTensor(value) && value->element == unknown && value->axes.empty() && modular);
    };
    if (scalar) {
      bool fits = element == Element::Int    ? is(Entity::Kind::Integer, Element::Int)
                  : element == Element::Text ? is(Entity::Kind::String, Element::Text)
                  : element == Element::Bool ? is(Entity::Kind::Boolean, Element::Bool)
                                             : true;
      bool number = value->kind == Entity::Kind::Real || value->kind == Entity::Kind::Integer ||
                    (isTensor(value) && value->axes.empty() && family(value->element) != Family::Boolean &&
                     family(value->element) != Family::Text);
      if (fits && family(element) == Family::Real)
        fits = number;
      if (!fits && isTensor(value) && value->axes.empty() && family(value->element) == family(element))
        fail(Kind::NotCompileTime, "`" + p.name.text + "` of `" + callee->name.text + "` must be known at compile time",
             {{at, "this is computed at run time"}, {p.span, "declared here"}});
      if (!fits)
        fail(Kind::TypeMismatch,
             "`" + p.name.text + "` of `" + callee->name.text + "` is " + std::string(nacre::name(element)),
             {{at, "this is " + describe(value)}, {p.span, "declared here"}});
      if (element == Element::Int && isTensor(value)) { // differs between cases of a condition that is unknown here
        const Atom *atom = freshAtom(AtomKind::Name, p.name.text);
        compileTimeAtoms.insert(atom);
        caseAtoms.insert(atom);
        value = integer(Polynomial(atom));
      }
      if (family(element) == Family::Real && isInteger(value))
        if (auto number = value->integer.constant())
          value = real(double(*number));
    } else if (p.type && p.type->form == ast::Type::Form::Function) {
      auto callable = {Entity::Kind::Function, Entity::Kind::Lambda, Entity::Kind::FunctionType,
                       Entity::Kind::Builtin,  Entity::Kind::Layer,  Entity::Kind::Instance,
                       Entity::Kind::Method};
      if (std::find(callable.begin(), callable.end(), value->kind) == callable.end())
        fail(Kind::TypeMismatch, "`" + p.name.text + "` of `" + callee->name.text + "` is a function",
             {{at, "this is " + describe(value)}, {p.span, "declared here"}});
    }
    if (!modular && holdsTensor(value))
      fail(Kind::NotCompileTime, "`" + p.name.text + "` of `" + callee->name.text + "` must be known at compile time",
           {{at, "this is computed at run time"}, {p.span, "declared here"}});
    if (p.type && !scalar && p.type->form == ast::Type::Form::Named && !p.type->dimensions.empty()) {
      Bound sizes{calleeFrame->root, calleeFrame, {}, {}};
      std::vector<Later> later;
      Frame *saved = frame;
      calleeFrame->caller = saved;
      frame = calleeFrame;
      try {
        bindType(p.type, value, sizes, at, "`" + p.name.text + "` of `" + callee->name.text + "`", later);
        for (const Later &l : later)
          solve(l, sizes);
      } catch (...) {
        frame = saved;
        throw;
      }
      frame = saved;
    }
    calleeFrame->root->bind(p.name.text, value);
    out.push_back({p.name.text, value});
  }
  for (const auto &[name, value] : calleeFrame->root->bindings())
    if (std::find(names.begin(), names.end(), name) == names.end())
      out.push_back({name, value}); // dimensions of constant tensors
  return out;
}

/// Matches an argument with a parameter type: lone names bind, other extents are compared once all names are known.
void Walker::bindType(const ast::Type *written, Ref value, Bound &bound, Span span, const std::string &what,
                      std::vector<Later> &later) {
  const ast::Type *type = resolve(written);
  sound(value);
  if (type->form == ast::Type::Form::Record) {
    if (value->kind != Entity::Kind::Record)
      fail(Kind::TypeMismatch, what + " needs a record of " + std::to_string(type->fields.size()) + " fields",
           {{span, "this is " + describe(value)}});
    size_t position = 0;
    for (const ast::Field &field : type->fields) {
      size_t at = position++;
      if (!field.name.text.empty()) {
        auto found = std::find(value->names.begin(), value->names.end(), field.name.text);
        if (found != value->names.end())
          at = size_t(found - value->names.begin());
        else if (at < value->names.size() && !value->names[at].empty())
          fail(Kind::UnknownField, what + " needs a field `" + field.name.text + "`",
               {{span, "this is " + describe(value)}});
      }
      if (at >= value->items.size())
        fail(Kind::TypeMismatch, what + " needs a record of " + std::to_string(type->fields.size()) + " fields",
             {{span, "this is " + describe(value)}});
      bindType(field.type, value->items[at], bound, span, what + "." + field.name.text, later);
    }
    return;
  }
  if (type->form == ast::Type::Form::Function)
    return;
  Element element;
  if (!elementNamed(type->name.text, element)) {
    typeValue(type, bound.scope); // reports it
    return;
  }
  if (element == Element::Text)
    return;
  auto shape = shapeOf(value);
  if (!shape)
    fail(Kind::TypeMismatch, what + " needs a tensor", {{span, "this is " + describe(value)}});
  Family wanted = family(element), got = family(shape->element);
  bool adapts = wanted == got || (got == Family::Integer && wanted == Family::Real &&
                                  (shape->literal || shape->element == Element::Int));
  if (!adapts)
    fail(Kind::TypeMismatch,
         what + " is " + std::string(nacre::name(element)) + ", not " + std::string(nacre::name(shape->element)),
         {{span, "this is " + describe(value)}, {type->span, "declared here"}},
         "write `" + std::string(nacre::name(element)) + "(...)` to convert");
  const Axes &axes = shape->axes;
  size_t group = type->dimensions.size(), explicitCount = 0;
  for (size_t i = 0; i < type->dimensions.size(); ++i) {
    if (type->dimensions[i].ellipsis)
      group = i;
    else
      ++explicitCount;
  }
  bool hasGroup = group < type->dimensions.size();
  bool rankFits = hasGroup ? axes.size() >= explicitCount : axes.size() == explicitCount;
  bool rigid = std::any_of(axes.begin(), axes.end(), [](const Axis &a) { return a.group; });
  size_t skipped = rankFits && hasGroup ? axes.size() - explicitCount : 0;
  if (rankFits)
    for (size_t i = 0, d = 0; d < type->dimensions.size(); ++d) {
      if (type->dimensions[d].ellipsis) {
        i += skipped;
        continue;
      }
      rankFits &= !axes[i++].group;
    }
  if (!rankFits)
    fail(Kind::RankMismatch,
         what + " needs " + (hasGroup ? "at least " : "") + std::to_string(explicitCount) + " axes, this has " +
             (rigid ? "any number" : std::to_string(axes.size())),
         {{span, "this is " + describe(value)}, {type->span, "declared here"}});
  size_t axis = 0;
  for (const ast::Dimension &d : type->dimensions) {
    if (d.ellipsis) {
      Axes here(axes.begin() + long(axis), axes.begin() + long(axis + skipped));
      axis += skipped;
      if (Ref known = bound.scope->find("...")) {
        Axes before;
        for (Ref item : known->items)
          before.push_back({item->integer, item->group});
        if (!same(before, here))
          fail(Kind::RankGroup, "`...` is [" + text(before) + "] and [" + text(here) + "] in one call",
               {{span, what + " is " + describe(value)}, bound.origin["..."]});
      } else {
        std::vector<Ref> items;
        for (const Axis &a : here) {
          Entity &e = make(Entity::Kind::Integer);
          e.integer = a.size;
          e.group = a.group;
          items.push_back(&e);
        }
        bound.scope->bind("...", list(std::move(items)));
        bound.origin["..."] = {span, "`...` is [" + text(here) + "] here"};
      }
      continue;
    }
    const Axis &extent = axes[axis];
    auto *id = as<ast::IdentifierExpr>(d.size);
    bool constantName = false;
    if (id)
      if (const Global *found = frame->file->find(id->name))
        constantName = found->decl && found->decl->kind == ast::DeclKind::Constant;
    if (d.size->kind == ast::ExprKind::Hole) {
    } else if (id && !bound.scope->find(id->name) && !constantName) {
      bound.scope->bind(id->name, integer(extent.size));
      bound.frame->names[id->name] = extent.size;
      bound.origin[id->name] = {span, "`" + id->name + "` is " + text(extent) + " here: axis " + std::to_string(axis) +
                                          " of " + describe(value)};
    } else {
      later.push_back({&d, extent, axis, span, what});
    }
    ++axis;
  }
}

/// A compound extent: an unknown name of coefficient 1 or -1 is solved, then both sides are compared.
void Walker::solve(const Later &l, Bound &bound) {
  const ast::Expr *e = l.dimension->size;
  std::vector<const ast::IdentifierExpr *> names;
  identifiers(e, names);
  std::set<std::string> unknown;
  for (const ast::IdentifierExpr *id : names)
    if (!bound.scope->find(id->name) && !frame->file->find(id->name) && id->name != "min" && id->name != "max")
      unknown.insert(id->name);
  std::string written(e->span.text());
  if (unknown.size() == 1) {
    const std::string &name = *unknown.begin();
    const Atom *atom = freshAtom(AtomKind::Name, name);
    Scope *trial = scope(bound.scope);
    trial->bind(name, integer(Polynomial(atom)));
    auto parts = size(e, trial).split(atom);
    auto factor = parts ? parts->first.constant() : std::nullopt;
    if (factor != 1 && factor != -1)
      fail(Kind::UnsolvedDimension, "`" + name + "` cannot be found from `" + written + "`",
           {{l.span, "axis " + std::to_string(l.number) + " is " + text(l.axis)},
            {e->span, "not of the form name + constant"}},
           "use `" + name + "` alone in another parameter, or make it a compile-time parameter");
    Polynomial value = (l.axis.size - parts->second) * Polynomial(*factor);
    bound.scope->bind(name, integer(value));
    bound.frame->names[name] = value;
    return;
  }
  Polynomial wanted = size(e, bound.scope);
  requireEqual(l.axis, {wanted, false}, l.span, 100 + unsigned(l.number), [&](const std::string &example) {
    std::vector<Label> labels = {{l.span, "axis " + std::to_string(l.number) + " is " + text(l.axis)}};
    for (const ast::IdentifierExpr *id : names)
      if (auto found = bound.origin.find(id->name); found != bound.origin.end())
        labels.push_back(found->second);
    labels.push_back({e->span, "`" + written + "` is required here"});
    return Diagnostic{Kind::DimensionMismatch,
                      "axis " + std::to_string(l.number) + " of " + l.what + " is " + text(l.axis) + ", must be " +
                          (written == wanted.text() ? written : written + " = " + wanted.text()) +
                          (example.empty() ? "" : " (differ for " + example + ")"),
                      labels,
                      {},
                      divisibilityHint(l.axis.size, wanted)};
  });
}

std::string Walker::boundText(const ast::Expr *w, Scope *inner) {
  std::vector<const ast::IdentifierExpr *> names;
  identifiers(w, names);
  std::map<std::string, std::string> values;
  for (const ast::IdentifierExpr *id : names)
    if (Ref found = inner->find(id->name); found && isInteger(found))
      values[id->name] = found->integer.text();
  std::string out;
  for (auto &[name, value] : values)
    if (name != value)
      out += (out.empty() ? "here " : ", ") + name + " = " + value;
  return out;
}

static std::string describeDecl(const ast::Decl *decl) {
  std::string what = decl->kind == ast::DeclKind::Layer   ? "layer "
                     : decl->kind == ast::DeclKind::Entry ? "entry "
                                                          : "fn ";
  return what + decl->name.text;
}

/// One line, single blanks: how a clause is quoted.
static std::string flat(std::string_view text) {
  std::string out;
  for (char c : text) {
    bool blank = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (!blank)
      out += c;
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
  }
  return out;
}

Walker::Bound Walker::bindCall(const Signature &s, const FileScope *file, const Bindings &hyper,
                               const std::vector<Argument> &args, Span span, Instance *instance) {
  const std::string &calleeName = s.decl->name.text;
  Bound bound{scope(nullptr), newFrame(file, s.decl), {}, {}};
  bound.frame->root = bound.scope;
  bound.frame->test = frame->test;
  for (const auto &[name, value] : hyper)
    bound.scope->bind(name, value);
  if (instance) {
    bound.origin = instance->origin;
    for (const auto &[name, value] : instance->dims) {
      bound.scope->bind(name, integer(value));
      bound.frame->names[name] = value;
    }
  }
  std::vector<std::string> names = namesOf(*s.parameters);
  for (size_t i = 0; i < args.size(); ++i) {
    std::string name = !args[i].name.empty() ? args[i].name : i < names.size() ? names[i] : "";
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      std::string near = nearest(name, names);
      fail(Kind::UnknownArgument,
           name.empty()
               ? "`" + calleeName + "` takes " + std::to_string(names.size()) +
                     (names.size() == 1 ? " argument" : " arguments") + ", this is number " + std::to_string(i + 1)
               : "`" + calleeName + "` has no argument `" + name + "`",
           {{args[i].span, ""}, {s.decl->name.span, "declared here"}},
           near.empty() ? "its arguments are " + quoted(names) : "`" + near + "` is close");
    }
    if (bound.given.count(name))
      fail(Kind::UnknownArgument, "`" + name + "` is given twice", {{args[i].span, ""}});
    sound(args[i].value);
    bound.given[name] = args[i];
  }
  // Types and conditions of the callee are read with its names, but whatever they require is required of this caller.
  Frame *saved = frame;
  Frame *reading = bound.frame;
  auto inCallee = [&](auto &&action) {
    frame = reading;
    reading->caller = saved;
    reading->callSpan = span;
    try {
      action();
    } catch (...) {
      frame = saved;
      throw;
    }
    frame = saved;
  };
  for (const ast::Parameter &p : *s.parameters) {
    if (!bound.given.count(p.name.text) && p.initial)
      inCallee(
          [&] { bound.given[p.name.text] = {p.name.text, sound(evaluate(p.initial, bound.scope)), p.initial->span}; });
    auto found = bound.given.find(p.name.text);
    if (found == bound.given.end())
      fail(Kind::MissingArgument, "`" + calleeName + "` needs `" + p.name.text + "`",
           {{span, args.empty()
                       ? "no argument given"
                       : std::to_string(args.size()) + (args.size() == 1 ? " argument given" : " arguments given")},
            {p.span, "declared here"}});
    if (isPlain(p.type, "int") && isInteger(found->second.value)) {
      bound.scope->bind(p.name.text, found->second.value);
      bound.frame->names[p.name.text] = found->second.value->integer;
    }
  }
  std::vector<Later> later;
  inCallee([&] {
    for (const ast::Parameter &p : *s.parameters) {
      const Argument &a = bound.given[p.name.text];
      if (p.type)
        bindType(p.type, a.value, bound, a.span, "`" + p.name.text + "` of `" + calleeName + "`", later);
    }
  });
  // Proofs belong to the caller: its file for the place, its declaration for the hint; names of the extents to the
  // callee.
  for (const Later &l : later)
    inCallee([&] { solve(l, bound); });
  return bound;
}

void Walker::checkClauses(const Signature &s, Bound &bound, Span span, const std::vector<Condition> &inherited) {
  const std::string &calleeName = s.decl->name.text;
  Frame *saved = frame;
  std::vector<Clause> list;
  frame = bound.frame;
  frame->caller = saved;
  frame->callSpan = span;
  try {
    list = clauses(*s.where, bound.scope);
  } catch (...) {
    frame = saved;
    throw;
  }
  frame = saved;
  unsigned tag = 200;
  for (const Clause &c : list) {
    ++tag;
    if (c.form == Clause::Form::Definition)
      continue;
    std::string written = flat(c.expression->span.text());
    auto make = [&](const std::string &example) {
      std::string numbers;
      if (auto *b = as<ast::BinaryExpr>(c.expression); b && c.form != Clause::Form::Plain) {
        static const char *const operators[] = {"^",  "*", "/",  "//", "%",  "+",  "-",
                                                "..", "<", "<=", ">",  ">=", "==", "!="};
        if (size_t(b->op) < std::size(operators)) {
          frame = bound.frame;
          try {
            Ref left = evaluate(b->lhs, bound.scope), right = evaluate(b->rhs, bound.scope);
            if (auto l = constant(left), r = constant(right); l && r)
              numbers = ", which is " + std::to_string(*l) + " " + operators[size_t(b->op)] + " " + std::to_string(*r);
          } catch (Problem &) {
          } catch (Quiet &) {
          }
          frame = saved;
        }
      }
      std::string bindings = boundText(c.expression, bound.scope);
      if (!example.empty())
        bindings += (bindings.empty() ? "fails for " : "; fails for ") + example;
      else if (bindings.empty())
        bindings = "in this call";
      std::vector<Label> labels = {{span, std::move(bindings)}};
      std::vector<const ast::IdentifierExpr *> names;
      identifiers(c.expression, names);
      for (const ast::IdentifierExpr *id : names)
        if (auto found = bound.origin.find(id->name); found != bound.origin.end())
          labels.push_back(found->second);
      labels.push_back({c.expression->span, "stated here"});
      bool mayState = decl &&
                      (decl->kind == ast::DeclKind::Function || decl->kind == ast::DeclKind::Layer ||
                       decl->kind == ast::DeclKind::Entry) &&
                      numbers.empty();
      return Diagnostic{Kind::WhereViolated,
                        "`" + calleeName + "` needs `" + written + "`" + numbers,
                        labels,
                        {},
                        mayState ? "state it: `where " + written + "` in " + describeDecl(decl) : ""};
    };
    switch (c.form) {
    case Clause::Form::Remainder: {
      require(
          Relation::NonNegative, c.modulus - 1, span, tag + 50,
          [&](const std::string &) {
            return Diagnostic{Kind::NotPositive,
                              "division by " + c.modulus.text() + ", which may be less than 1",
                              {{span, "in this call"}, {c.expression->span, "stated here"}},
                              {},
                              ""};
          },
          true);
      require(Relation::Zero, remainder(c.value, c.modulus), span, tag, make, true, c.modulus);
      break;
    }
    case Clause::Form::Zero:
      require(Relation::Zero, c.value, span, tag, make, true);
      break;
    case Clause::Form::NonNegative:
      require(Relation::NonNegative, c.value, span, tag, make, true);
      break;
    case Clause::Form::Plain:
      if (auto value = truth(c.plain); value == false)
        throw Problem{make("")};
      break;
    case Clause::Form::Definition:
      break;
    }
  }
  for (const Condition &condition : inherited) {
    ++tag;
    auto outer = [&](const Polynomial &p) {
      return p.substitute([&](const Atom *a) -> std::optional<Polynomial> {
        if (a->kind != AtomKind::Name)
          return std::nullopt;
        Ref found = bound.scope->find(a->name);
        return found && isInteger(found) && nameAtom(a->name) == a ? std::optional(found->integer) : std::nullopt;
      });
    };
    Polynomial here = outer(condition.value);
    auto make = [&](const std::string &example) {
      Diagnostic d = condition.diagnostic;
      auto value = facts().normal(here).constant();
      if (!example.empty())
        d.headline += ": fails for " + example;
      else if (value && !condition.equality)
        d.headline += ", exceeded by " + std::to_string(-*value);
      else if (value && condition.modulus)
        d.headline += ", which is " + std::to_string(*value) + " == 0";
      std::string values;
      for (const Atom *leaf : condition.value.leaves())
        if (Ref found = bound.scope->find(leaf->name); found && isInteger(found))
          values += (values.empty() ? "" : ", ") + leaf->name + " = " + found->integer.text();
      d.labels.insert(d.labels.begin(), {span, "required by this call" + (values.empty() ? "" : "; " + values)});
      if (value)
        d.hint.clear();
      return d;
    };
    require(condition.equality ? Relation::Zero : Relation::NonNegative, here, span, tag, make, true);
  }
}

void Walker::bindInstanceDimensions(Instance &instance, Bound &bound, Span span) {
  const Modular &known = checker.modular(instance.decl, instance.file);
  for (const std::string &name : known.instanceDimensions) {
    Ref value = bound.scope->find(name);
    if (!value || !isInteger(value) || instance.dims.count(name))
      continue;
    auto origin = bound.origin.find(name);
    instance.origin[name] = origin != bound.origin.end()
                                ? origin->second
                                : Label{span, "`" + name + "` is " + value->integer.text() + " here"};
    if (expanding() && !value->integer.isConstant())
      fail(Kind::DynamicWeight,
           "a weight of `" + (instance.path.empty() ? instance.decl->name.text : instance.path) +
               "` would have the run-time size " + name + " = " + value->integer.text(),
           {instance.origin[name], {instance.span, "`" + name + "` is a dimension of its weights"}},
           "give the axis a fixed size in the entry");
    instance.dims[name] = value->integer;
  }
}

/// Checks one call and, when expanding, inlines it. The result is in the caller's names.
Ref Walker::call(const Signature &s, const FileScope *file, const Bindings &hyper, const std::vector<Argument> &args,
                 Span span, Instance *instance, const std::vector<Condition> &inherited, const std::string &title) {
  Bound bound = bindCall(s, file, hyper, args, span, instance);
  checkClauses(s, bound, span, inherited);
  if (instance)
    bindInstanceDimensions(*instance, bound, span);
  Ref result = nullptr;
  Frame *saved = frame;
  frame = bound.frame;
  frame->caller = saved;
  frame->callSpan = span;
  try {
    result = s.result ? typeValue(s.result, bound.scope) : tensorType(Element::Real, {});
  } catch (...) {
    frame = saved;
    throw;
  }
  frame = saved;
  std::vector<Ref> parts = result->kind == Entity::Kind::Record ? result->items : std::vector{result};
  unsigned tag = 400;
  for (Ref part : parts)
    for (size_t axis = 0; axis < part->axes.size(); ++axis) {
      ++tag;
      const Axis &extent = part->axes[axis];
      if (extent.group || !s.result)
        continue;
      require(
          Relation::NonNegative, extent.size - 1, span, tag,
          [&](const std::string &example) {
            std::string values;
            for (const auto &[name, value] : bound.scope->bindings())
              if (isInteger(value) && !value->group && value->integer.isConstant())
                values += (values.empty() ? "" : ", ") + name + " = " + value->integer.text();
            std::vector<Label> labels = {{span, values.empty() ? "must be at least 1" : values}};
            for (const char *name : {"h", "w", "t"})
              if (auto found = bound.origin.find(name); found != bound.origin.end()) {
                labels.push_back(found->second);
                break;
              }
            return Diagnostic{Kind::NegativeSize,
                              "axis " + std::to_string(axis) + " of the result of `" + s.decl->name.text +
                                  "` has size " + text(extent) + (example.empty() ? "" : " (for " + example + ")"),
                              labels,
                              {},
                              "use a larger input, a smaller window, or padding"};
          },
          true);
    }
  if (!expanding())
    return result;
  bound.frame->result = s.result ? result : nullptr;
  bound.frame->resultSpan = s.result ? s.result->span : span;
  bound.frame->title = title;
  return inlineBody(s, bound, span, instance, title);
}

bool Walker::dependsOnIndices(Ref e) const {
  if (isTensor(e))
    return e->term != nullptr;
  if (isInteger(e)) {
    for (const Atom *leaf : e->integer.leaves())
      if (leaf->kind == AtomKind::Index)
        return true;
    return false;
  }
  for (Ref item : e->items)
    if (dependsOnIndices(item))
      return true;
  return e->kind == Entity::Kind::Lambda && inEquation > 0;
}

void Walker::enterCall(Span span) {
  work(span);
  if (depth >= deepestCall)
    fail(Kind::Recursion, "calls are nested more than " + std::to_string(deepestCall) + " deep",
         {{span, "reached here"}}, "a function passed to itself, or a chain of definitions that is far too long");
  ++depth;
}

Ref Walker::inlineBody(const Signature &s, Bound &bound, Span span, Instance *instance, const std::string &title) {
  enterCall(span);
  bool inside = false;
  for (auto &[name, argument] : bound.given)
    inside |= dependsOnIndices(argument.value);
  Frame *saved = frame;
  unsigned equationDepth = inEquation;
  auto savedBases = std::move(bases);
  bases.clear();
  size_t savedLevel = outsideBranches;
  auto promises = std::move(emit.promises);
  emit.promises.clear();
  auto restore = [&] {
    frame = saved;
    inEquation = equationDepth;
    bases = std::move(savedBases);
    outsideBranches = savedLevel;
    emit.promises = std::move(promises);
    --depth;
  };
  bool isKept = false;
  for (const ast::Attribute &a : s.decl->attributes)
    isKept |= a.name.text == "keep";
  try {
    if (!inside)
      inEquation = 0;
    bound.frame->location = here(span);
    frame = bound.frame;
    frame->self = instance;
    Ref result;
    if (isKept && !inside) {
      result = keepCall(s, bound, span, title);
    } else {
      Scope *inner = scope(bound.scope);
      for (const ast::Parameter &p : *s.parameters) {
        Ref value = bound.given[p.name.text].value;
        if (isPlain(p.type, "int") && isInteger(value))
          continue;
        inner->bind(p.name.text, p.type ? adapt(value, typeValue(p.type, bound.scope)) : value);
      }
      body(s, inner);
      result = frame->returned;
    }
    if (!result)
      throw Quiet();
    sound(result);
    restore();
    return result;
  } catch (...) {
    restore();
    throw;
  }
}

/// A function marked @keep stays one value: its body is expanded into a body of its own.
Ref Walker::keepCall(const Signature &s, Bound &bound, Span span, const std::string &) {
  Value kept{};
  kept.kind = Value::Kind::Keep;
  kept.name = s.decl->name.text;
  kept.inner = std::make_unique<Body>();
  std::vector<std::pair<std::string, Ref>> values;
  for (const ast::Parameter &p : *s.parameters) {
    Ref value = bound.given[p.name.text].value;
    if (isPlain(p.type, "int") && isInteger(value))
      continue;
    if (p.type)
      value = adapt(value, typeValue(p.type, bound.scope));
    values.push_back({p.name.text, value});
  }
  for (auto &[name, value] : values) // operands are values of the outer body
    if (isTensor(value) && !value->hollow)
      value = whole(value, span);
  Body *outer = emit.body;
  auto outerWeights = std::move(weightValues);
  weightValues.clear();
  const Term *outerSeed = seed;
  emit.body = kept.inner.get();
  seed = nullptr;
  Ref result = nullptr;
  try {
    Scope *inner = scope(bound.scope);
    for (auto &[name, value] : values) {
      if (isTensor(value) && value->value) {
        TensorType type = outer->values[*value->value].type;
        ValueId id = emit.argument(uint32_t(kept.operands.size()), type, name);
        kept.operands.push_back(*value->value);
        Entity &e = make(Entity::Kind::Tensor);
        e = *value;
        e.value = id;
        value = &e;
      }
      inner->bind(name, value);
    }
    body(s, inner);
    if (!frame->returned)
      throw Quiet();
    result = sound(frame->returned);
    if (!shapeOf(result))
      fail(Kind::TypeMismatch, "a function marked @keep returns one tensor", {{span, "this is " + describe(result)}});
    ValueId id = valueOf(result, span);
    kept.inner->results = {id};
    kept.type = kept.inner->values[id].type;
  } catch (...) {
    emit.body = outer;
    weightValues = std::move(outerWeights);
    seed = outerSeed;
    throw;
  }
  emit.body = outer;
  weightValues = std::move(outerWeights);
  seed = outerSeed;
  Element element = shapeOf(result)->element;
  return emitted(element, emit.append(std::move(kept)));
}

// ---- what can be called --------------------------------------------------------------------------------------------
Bindings Walker::methodArguments(Ref method, Span span, Scope *inner) {
  if (method->applied)
    return method->hyper;
  if (signatureOf(method->decl).compileTime->empty())
    return {};
  return compileTimeArguments(method->decl, method->file, {}, span, inner);
}

Ref Walker::invoke(Instance &instance, const ast::Decl *method, const std::vector<Argument> &args, Span span,
                   const Bindings &own) {
  Modular &known = checker.modular(instance.decl, instance.file);
  if (known.state == Modular::State::Bad)
    throw Quiet();
  const std::string &methodName = method->kind == ast::DeclKind::Layer ? "forward" : method->name.text;
  Signature s = signatureOf(method);
  std::string shown =
      "`" + (instance.path.empty() ? instance.decl->name.text : instance.path) + "` = " + instance.decl->name.text;
  if (!instance.hyper.empty()) {
    shown += "[";
    for (size_t i = 0; i < instance.hyper.size(); ++i)
      shown += (i ? ", " : "") + instance.hyper[i].first + " = " + describe(instance.hyper[i].second);
    shown += "]";
  }
  static const std::vector<Condition> none;
  auto found = known.conditions.find(methodName);
  instance.called = true;
  Bindings hyper = instance.hyper;
  hyper.insert(hyper.end(), own.begin(), own.end());
  Ref result = call(s, instance.file, hyper, args, span, &instance,
                    found == known.conditions.end() ? none : found->second, shown);
  if (expanding() && instance.model && !instance.listed && methodName == "forward") {
    instance.listed = true;
    LayerRow row{*instance.model, instance.path, instance.decl->name.text, {}, {}, instance.span};
    for (const Argument &a : args)
      if (auto shape = shapeOf(a.value))
        row.inputs.push_back({scalarOf(shape->element), extentsOf(shape->axes)});
    for (Ref part : result->kind == Entity::Kind::Record ? result->items : std::vector{result})
      if (auto shape = shapeOf(part))
        row.outputs.push_back({scalarOf(shape->element), extentsOf(shape->axes)});
    checker.program->layers.push_back(std::move(row));
  }
  return result;
}

Ref Walker::apply(Ref f, std::vector<Argument> args, Span span, Scope *inner, const ast::Expr *calleeExpr) {
  sound(f);
  for (const Argument &a : args)
    sound(a.value);
  step(span);
  switch (f->kind) {
  case Entity::Kind::Layer: {
    if (f->label.empty()) {
      // A layer without weights, state or sub-layers would need no path, but then it could as well be a function.
      fail(Kind::UnlabelledLayer, "`" + f->decl->name.text + "` owns weights or state and has no label",
           {{calleeExpr->span, "gives its weights no path"}},
           "write `name: " + std::string(calleeExpr->span.text()) + "`, or declare `use name = ...`");
    }
    Ref instance = instantiate(f, f->label, f->span);
    return apply(instance, std::move(args), span, inner, calleeExpr);
  }
  case Entity::Kind::Instance: {
    Instance &instance = *f->instance;
    if (instance.decl->hasHeader)
      return invoke(instance, instance.decl, args, span);
    if (instance.decl->body)
      for (const ast::Stmt *s : instance.decl->body->statements)
        if (auto *function = as<ast::FunctionStmt>(s); function && function->function->name.text == "forward")
          return invoke(instance, function->function, args, span);
    fail(Kind::NotCallable, "`" + instance.decl->name.text + "` has no `forward`",
         {{span, ""}, {instance.decl->name.span, "declared here"}}, "call one of its methods");
  }
  case Entity::Kind::Method: {
    if (f->instance)
      return invoke(*f->instance, f->decl, args, span, methodArguments(f, span, inner));
    Modular &known = *info; // a method of the layer being walked, by name
    Bindings hyper;
    for (const Scope *s = frame->root; s; s = s->parent())
      hyper.insert(hyper.begin(), s->bindings().begin(), s->bindings().end());
    for (const auto &binding : methodArguments(f, span, inner))
      hyper.push_back(binding);
    return call(signatureOf(f->decl), frame->file, hyper, args, span, nullptr, known.conditions[f->decl->name.text],
                "`" + f->decl->name.text + "`");
  }
  case Entity::Kind::Function: {
    auto *function = static_cast<const ast::FunctionDecl *>(f->decl);
    Bindings hyper = f->applied ? f->hyper : compileTimeArguments(f->decl, f->file, {}, span, inner);
    Modular &known = checker.modular(f->decl, f->file);
    if (known.state == Modular::State::Bad)
      throw Quiet();
    if (function->isExtern)
      notSupported("`extern fn`", span);
    return call(signatureOf(f->decl), f->file, hyper, args, span, nullptr, known.conditions["forward"],
                "`" + f->decl->name.text + "`");
  }
  case Entity::Kind::FunctionType: {
    if (!f->type || f->type->form != ast::Type::Form::Function)
      throw Quiet(); // known by name only where it is expanded
    Bound bound{scope(nullptr), newFrame(f->file, nullptr), {}, {}};
    std::vector<Later> later;
    if (args.size() != f->type->inputs.size())
      fail(Kind::MissingArgument,
           "this function takes " + std::to_string(f->type->inputs.size()) + " arguments, not " +
               std::to_string(args.size()),
           {{span, ""}, {f->type->span, "declared here"}});
    for (size_t i = 0; i < args.size(); ++i)
      bindType(f->type->inputs[i], args[i].value, bound, args[i].span, "the argument", later);
    return typeValue(f->type->output, bound.scope);
  }
  case Entity::Kind::Lambda: {
    if (args.size() != f->lambda->pattern.slots.size())
      fail(Kind::MissingArgument,
           "this function takes " + std::to_string(f->lambda->pattern.slots.size()) + " arguments, not " +
               std::to_string(args.size()),
           {{span, ""}, {f->lambda->span, "written here"}});
    enterCall(span);
    Scope *body = scope(f->scope);
    for (size_t i = 0; i < args.size(); ++i)
      body->bind(f->lambda->pattern.slots[i].text, args[i].value);
    Frame *saved = frame;
    frame = f->frame;
    try {
      Ref result = evaluate(f->lambda->body, body);
      frame = saved;
      --depth;
      return result;
    } catch (...) {
      frame = saved;
      --depth;
      throw;
    }
  }
  case Entity::Kind::Builtin:
    return builtin(f->text, f->hyper, args, span);
  case Entity::Kind::List:
  case Entity::Kind::Members:
    fail(Kind::NotCallable, "a list of layers is applied with `|>` or a `for`", {{calleeExpr->span, "this is a list"}});
  default:
    fail(Kind::NotCallable, "`" + flat(calleeExpr->span.text()) + "` is not a function",
         {{calleeExpr->span, "this is " + describe(f)}});
  }
}

} // namespace nacre
