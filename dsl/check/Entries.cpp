// Entries and tests: where the expanding walk begins.
#include "check/Visit.h"
#include "check/Walker.h"
#include <algorithm>

namespace nacre {
using ast::as;

static const std::string_view CKeywords[] = {
    "auto",     "break",  "case",     "char",   "const",  "continue", "default", "do",     "double",   "else",
    "enum",     "extern", "float",    "for",    "goto",   "if",       "inline",  "int",    "long",     "register",
    "restrict", "return", "short",    "signed", "sizeof", "static",   "struct",  "switch", "typedef",  "union",
    "unsigned", "void",   "volatile", "while",  "bool",   "true",     "false",   "model",  "workspace"};

/// Only scalars and tensors of concrete types cross the C boundary.
void Walker::requireConcrete(const ast::Type *written, bool result) {
  const ast::Type *type = resolve(written);
  if (type->form == ast::Type::Form::Record && result) {
    for (const ast::Field &field : type->fields) {
      if (field.name.text.empty())
        fail(Kind::AbiType, "the results of an entry have names", {{field.type->span, "a tuple has none"}},
             "write `(label: i32[n], prob: f32[n, 10])`");
      if (resolve(field.type)->form == ast::Type::Form::Record)
        fail(Kind::AbiType, "a record of records cannot cross the C boundary", {{field.type->span, ""}},
             "give each tensor a name of its own");
      requireConcrete(field.type, false);
    }
    return;
  }
  Element element;
  if (type->form != ast::Type::Form::Named)
    fail(Kind::AbiType, "only scalars and tensors cross the C boundary", {{type->span, ""}},
         result ? "" : "pass each field as an argument of its own");
  if (!elementNamed(type->name.text, element))
    return; // typeValue reports it
  if (element == Element::Real)
    fail(Kind::AbiType, "the type of an entry is concrete, never `real`", {{type->span, ""}}, "write `f32`");
  if (element == Element::Int && result)
    fail(Kind::AbiType, "the type of an entry is concrete, never `int`", {{type->span, ""}}, "write `i64`");
  if (element == Element::Int)
    notSupported("an `int` argument of an entry", type->span, "take an `i64`, or a dimension of a tensor");
  if (element == Element::Text)
    notSupported("text in an entry", type->span, "take the token ids as `i32[n]`");
  for (const ast::Dimension &d : type->dimensions)
    if (d.ellipsis || d.size->kind == ast::ExprKind::Hole)
      fail(Kind::AbiType, "an entry has a fixed number of axes, each with a name or a number", {{d.span, ""}},
           "name the dimension");
}

void Walker::entryDimensions(const ast::EntryDecl *d, const std::vector<Clause> &clauses) {
  for (size_t argument = 0; argument < d->parameters.size(); ++argument) {
    const ast::Type *type = resolve(d->parameters[argument].type);
    for (size_t axis = 0; axis < type->dimensions.size(); ++axis) {
      auto *id = as<ast::IdentifierExpr>(type->dimensions[axis].size);
      if (!id || !frame->names.count(id->name))
        continue;
      const Atom *atom = nameAtom(id->name);
      auto known =
          std::find_if(entry->dimensions.begin(), entry->dimensions.end(), [&](auto &x) { return x.atom == atom; });
      if (known != entry->dimensions.end())
        continue;
      DimensionName made;
      made.name = id->name;
      made.atom = atom;
      made.argument = uint32_t(argument);
      made.axis = uint32_t(axis);
      made.span = type->dimensions[axis].span;
      for (const Clause &c : clauses) {
        auto parts = c.form == Clause::Form::NonNegative ? c.value.split(atom) : std::nullopt;
        auto factor = parts ? parts->first.constant() : std::nullopt;
        auto rest = parts ? parts->second.constant() : std::nullopt;
        if (!factor || !rest)
          continue;
        if (*factor == -1)
          made.upper = made.upper ? std::min(*made.upper, *rest) : *rest;
        if (*factor == 1)
          made.lower = std::max(made.lower, -*rest);
      }
      if (made.upper && *made.upper < made.lower)
        fail(Kind::WhereViolated, "no size `" + made.name + "` satisfies the `where` of `" + d->name.text + "`",
             {{made.span, "between " + std::to_string(made.lower) + " and " + std::to_string(*made.upper)}},
             "correct the bounds");
      if (!made.upper && checker.options.bounded)
        report({Kind::UnboundedSize,
                "`" + made.name + "` of `" + d->name.text + "` has no bound, so memory cannot be planned",
                {{made.span, "any size"}},
                {},
                "add `where " + made.name + " <= 64`, or the largest size that you need"});
      entry->dimensions.push_back(std::move(made));
    }
  }
  for (const auto &[name, value] : frame->names) {
    const Atom *atom = nameAtom(name);
    bool declared =
        std::any_of(entry->dimensions.begin(), entry->dimensions.end(), [&](auto &x) { return x.atom == atom; });
    if (!declared && value == Polynomial(atom))
      fail(Kind::UnsolvedDimension, "`" + name + "` never stands alone in an argument of `" + d->name.text + "`",
           {{d->name.span, ""}}, "an entry takes each dimension from one axis");
  }
  for (const DimensionName &n : entry->dimensions)
    entry->guards.push_back({Polynomial(n.atom) - 1, false, n.name + " >= 1", n.span});
  auto state = [&](Guard guard) { // a clause that repeats a check names it
    for (Guard &known : entry->guards)
      if (known.value == guard.value && known.equality == guard.equality) {
        known = std::move(guard);
        return;
      }
    entry->guards.push_back(std::move(guard));
  };
  for (const Clause &c : clauses) {
    std::string text = flat(c.expression->span.text());
    Span span = c.expression->span;
    switch (c.form) {
    case Clause::Form::NonNegative:
    case Clause::Form::Zero:
      if (auto value = c.value.constant()) {
        if (c.form == Clause::Form::Zero ? *value != 0 : *value < 0)
          fail(Kind::WhereViolated, "`" + text + "` never holds", {{span, ""}}, "correct the condition");
        break;
      }
      state({c.value, c.form == Clause::Form::Zero, text, span});
      break;
    case Clause::Form::Remainder:
      require(Relation::NonNegative, c.modulus - 1, span, 1, [&](const std::string &) {
        return Diagnostic{
            Kind::NotPositive, "division by " + c.modulus.text() + ", which may be less than 1", {{span, ""}}, {}, ""};
      });
      state({remainder(c.value, c.modulus), true, text, span});
      break;
    case Clause::Form::Definition:
      state({c.value - 1, false, text, span});
      break;
    case Clause::Form::Plain:
      if (truth(c.plain) != true)
        fail(Kind::WhereViolated, "`" + text + "` does not hold, or is no condition on sizes", {{span, ""}},
             "compare dimensions");
      break;
    }
  }
}

/// A weight may be read before the call that gives it its size. The first walk then only collects sizes.
bool Walker::again(size_t reported, const std::set<std::pair<const ast::Decl *, std::string>> &hinted) {
  if (!unsizedRead || lastPass)
    return false;
  lastPass = true;
  checker.diagnostics.truncate(reported);
  checker.hinted = hinted;
  failed = false;
  factStack.assign(1, Facts());
  held.clear();
  seed = nullptr;
  ordinals.clear();
  weightValues.clear();
  writes.clear();
  bases.clear();
  emit.promises.clear();
  emit.location = nullptr;
  frame = top;
  top->names.clear();
  top->returned = top->result = nullptr;
  top->root = scope(nullptr);
  return true;
}

void Walker::expandEntry(const ast::EntryDecl *d, Entry &made) {
  size_t reported = checker.diagnostics.all().size();
  auto hinted = checker.hinted;
  do {
    made = Entry();
    entryOnce(d, made);
  } while (again(reported, hinted));
}

void Walker::entryOnce(const ast::EntryDecl *d, Entry &made) {
  entry = &made;
  made.name = d->name.text;
  made.documentation = d->documentation;
  made.span = d->name.span;
  try {
    std::map<std::string, std::string> reads, writes;
    for (const ast::Attribute &a : d->attributes) {
      bool reading = a.name.text == "read", writing = a.name.text == "write";
      if (!reading && !writing && a.name.text != "private")
        notSupported("`@" + a.name.text + "` on an entry", a.span,
                     "an attribute is a promise; without it the program means the same");
      if (reading || writing)
        for (const ast::Argument &arg : a.arguments) {
          if (arg.name.text.empty() || !arg.value)
            fail(Kind::MissingArgument,
                 "`@" + a.name.text + "` names an " + (reading ? "argument" : "result") + " and its codec",
                 {{arg.span, ""}}, "write `@" + a.name.text + "(image = png())`");
          std::string codec(arg.value->span.text());
          if (codec.ends_with("()")) // without settings a codec is its name
            codec.resize(codec.size() - 2);
          (reading ? reads : writes)[arg.name.text] = codec;
        }
    }
    Signature s = signatureOf(d);
    std::map<std::string, Span> cNames;
    auto claimName = [&](const std::string &name, Span span, const std::string &what) {
      if (std::find(std::begin(CKeywords), std::end(CKeywords), name) != std::end(CKeywords))
        fail(Kind::AbiName, "`" + name + "` cannot be the name of " + what + ": the C interface uses it", {{span, ""}},
             "choose another name");
      auto [slot, added] = cNames.emplace(name, span);
      if (!added)
        fail(Kind::AbiName, "`" + name + "` names two things in the C interface of `" + d->name.text + "`",
             {{span, what}, {slot->second, "and this"}}, "rename one of the two");
    };
    for (const ast::Parameter &p : d->parameters) {
      if (!p.type)
        fail(Kind::AbiType, "an argument of an entry has a type", {{p.span, ""}},
             "write `" + p.name.text + ": f32[...]`");
      requireConcrete(p.type, false);
      if (p.initial)
        fail(Kind::AbiType, "an argument of an entry has no default", {{p.initial->span, ""}},
             "C passes every argument");
      claimName(p.name.text, p.name.span, "an argument");
    }
    requireConcrete(d->result, true);
    Scope *inner = scope(frame->root);
    emit.body = &made.body;
    step(d->name.span);
    std::vector<Clause> clauses = enterSignature(s, inner);
    entryDimensions(d, clauses);
    for (const DimensionName &n : made.dimensions)
      claimName(n.name, n.span, "a dimension");
    for (size_t i = 0; i < d->parameters.size(); ++i) {
      const ast::Parameter &p = d->parameters[i];
      Ref type = inner->find(p.name.text);
      TensorType concrete{scalarOf(type->element), extentsOf(type->axes)};
      for (size_t axis = 0; axis < concrete.extents.size(); ++axis) {
        const Polynomial &extent = concrete.extents[axis];
        if (auto size = extent.constant(); size && *size < 1)
          fail(Kind::NegativeSize,
               "axis " + std::to_string(axis) + " of `" + p.name.text + "` has size " + extent.text(),
               {{p.type->span, ""}}, "every dimension is at least 1");
        bool lone = extent.terms().size() == 1 && extent.atoms().size() == 1 && extent == Polynomial(extent.atoms()[0]);
        if (!extent.isConstant() && !lone && !facts().positive(extent))
          made.guards.push_back({extent - 1, false, extent.text() + " >= 1", p.type->span});
        if (!extent.isConstant())
          facts().assumeNonNegative(extent - 1);
      }
      emit.span = p.span;
      ValueId id = emit.argument(uint32_t(i), concrete, p.name.text);
      inner->bind(p.name.text, emitted(type->element, id));
      if (p.name.text == "seed" && concrete.element == Scalar::U64 && concrete.extents.empty()) {
        made.hasSeed = true;
        seed = emit.read(id);
      }
      auto codec = reads.find(p.name.text);
      made.arguments.push_back({p.name.text, concrete, codec == reads.end() ? "npy" : codec->second, p.span});
      if (codec != reads.end())
        reads.erase(codec);
    }
    body(s, inner);
    Ref result = frame->returned ? frame->returned : checker.bad;
    sound(result);
    bool isRecord = frame->result->kind == Entity::Kind::Record;
    std::vector<Ref> declared = isRecord ? frame->result->items : std::vector{frame->result};
    std::vector<Ref> values = isRecord ? result->items : std::vector{result};
    for (size_t i = 0; i < declared.size(); ++i) {
      std::string name = isRecord ? frame->result->names[i] : "result";
      claimName(name, d->result->span, "a result");
      for (const Axis &axis : declared[i]->axes)
        require(Relation::NonNegative, axis.size - 1, d->result->span, unsigned(i), [&](const std::string &) {
          return Diagnostic{Kind::NegativeSize,
                            "`" + name + "` has an axis of size " + text(axis),
                            {{d->result->span, ""}},
                            {},
                            "every dimension is at least 1"};
        });
      emit.span = d->result->span;
      ValueId id = valueOf(adapt(values[i], declared[i]), d->result->span);
      const TensorType declaredType{scalarOf(declared[i]->element), extentsOf(declared[i]->axes)};
      if (emit.type(id).element != declaredType.element)
        id = emit.equation({}, emit.cast(emit.read(id), declaredType.element));
      made.body.results.push_back(id);
      auto codec = writes.find(name);
      made.results.push_back({name, declaredType, codec == writes.end() ? "npy" : codec->second, d->result->span});
      if (codec != writes.end())
        writes.erase(codec);
    }
    for (const auto &unknown : {reads, writes})
      for (const auto &[name, codec] : unknown)
        fail(Kind::UnknownName, "`" + d->name.text + "` has no argument or result `" + name + "`", {{d->name.span, ""}},
             "a codec names one of them");
  } catch (Problem &p) {
    report(std::move(p.diagnostic));
  } catch (Quiet &) {
  }
  made.models.assign(modelsRead.begin(), modelsRead.end());
  emit.body = nullptr;
}

void Walker::expandTest(const ast::TestDecl *d, Test &made) {
  ModelState &own = checker.testModel(d);
  frame->self = own.root;
  frame->test = true;
  size_t reported = checker.diagnostics.all().size();
  auto hinted = checker.hinted;
  do {
    made = Test();
    made.name = d->name.text;
    made.span = d->name.span;
    test = &made;
    emit.body = &made.body;
    try {
      step(d->name.span);
      block(d->body, scope(frame->root));
    } catch (Problem &p) {
      report(std::move(p.diagnostic));
    } catch (Quiet &) {
    }
  } while (again(reported, hinted));
  if (!own.weights.empty())
    modelsRead.insert(own.number);
  made.models.assign(modelsRead.begin(), modelsRead.end());
  emit.body = nullptr;
}

} // namespace nacre
