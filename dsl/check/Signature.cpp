// Arguments against a signature: compile-time arguments, run-time arguments, and the dimensions that they bind.
#include "check/Visit.h"
#include "check/Walker.h"
#include <algorithm>

namespace nacre {
using ast::as;

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
        fail(Kind::TypeMismatch,
             "`" + p.name.text + "` of `" + callee->name.text + "` is a function, `" + flat(p.type->span.text()) + "`",
             {{at, "this is " + describe(value)}, {p.span, "declared here"}},
             value->kind == Entity::Kind::Real || isInteger(value)
                 ? "write a function; the library's `constant[" + describe(value) + "]` always gives one number"
                 : "pass a function");
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
    Ref wanted = typeValue(type, bound.scope); // reports what is no type
    if (wanted->kind == Entity::Kind::Tree && value->kind != Entity::Kind::Tree)
      fail(Kind::TypeMismatch, what + " is weights",
           {{span, "this is " + describe(value)}, {type->span, "declared here"}},
           "`weights(net)` are those of a layer");
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
  // A default may use the dimensions that the given arguments bind (`weight: real[k] = fill(1.0, [k])`), so it is
  // evaluated after them, unless it is itself an `int` that extents may mention.
  std::vector<const ast::Parameter *> defaulted;
  auto useDefault = [&](const ast::Parameter &p) {
    bound.given[p.name.text] = {p.name.text, sound(evaluate(p.initial, bound.scope)), p.initial->span};
  };
  for (const ast::Parameter &p : *s.parameters) {
    if (!bound.given.count(p.name.text) && p.initial) {
      if (!isPlain(p.type, "int")) {
        defaulted.push_back(&p);
        continue;
      }
      inCallee([&] { useDefault(p); });
    }
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
  auto bindParameter = [&](const ast::Parameter &p) {
    const Argument &a = bound.given[p.name.text];
    if (p.type)
      bindType(p.type, a.value, bound, a.span, "`" + p.name.text + "` of `" + calleeName + "`", later);
  };
  inCallee([&] {
    for (const ast::Parameter &p : *s.parameters)
      if (bound.given.count(p.name.text))
        bindParameter(p);
    for (const ast::Parameter *p : defaulted) {
      useDefault(*p);
      bindParameter(*p);
    }
  });
  // Proofs belong to the caller: its file for the place, its declaration for the hint; names of the extents to the
  // callee.
  for (const Later &l : later)
    inCallee([&] { solve(l, bound); });
  return bound;
}

} // namespace nacre
