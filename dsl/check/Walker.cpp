// Obligations: proved, inherited by the caller, guarded at the entry, left to the expansion, or reported.
#include "check/Walker.h"
#include "check/Visit.h"
#include <filesystem>

namespace nacre {

constexpr size_t mostValues = 200000; // of one entry; far above real models (ResNet-152 has about 2000)
constexpr size_t mostTermsInAll = 4000000;
constexpr size_t mostWork = 200000; // calls and rounds of unrolled loops, of one compilation

Signature signatureOf(const ast::Decl *decl) {
  static const std::vector<ast::Parameter> none;
  Signature s;
  s.decl = decl;
  s.compileTime = &none;
  if (auto *f = ast::as<ast::FunctionDecl>(decl)) {
    s.compileTime = &f->compileTime, s.parameters = &f->parameters, s.result = f->result, s.where = &f->where;
    s.body = f->body, s.expression = f->expression;
  } else if (auto *l = ast::as<ast::LayerDecl>(decl)) {
    s.compileTime = &l->compileTime, s.parameters = &l->parameters, s.result = l->result, s.where = &l->where;
    s.body = l->body, s.expression = l->expression;
  } else if (auto *e = ast::as<ast::EntryDecl>(decl)) {
    s.parameters = &e->parameters, s.result = e->result, s.where = &e->where;
    s.body = e->body, s.expression = e->expression;
  }
  return s;
}

Walker::Walker(Checker &checker, const ast::Decl *decl, const FileScope *file, bool modular)
    : checker(checker), decl(decl), modular(modular), emit(*checker.program) {
  factStack.emplace_back();
  frame = top = newFrame(file, decl);
  frame->root = scope(nullptr);
}

Frame *Walker::newFrame(const FileScope *file, const ast::Decl *of) {
  Frame *made = checker.makeFrame();
  made->file = file;
  made->decl = of;
  return made;
}

// ---- entities ------------------------------------------------------------------------------------------------------
Ref Walker::integer(Polynomial value) {
  Entity &e = make(Entity::Kind::Integer);
  e.integer = std::move(value);
  return &e;
}
Ref Walker::real(double value) {
  Entity &e = make(Entity::Kind::Real);
  e.real = value;
  return &e;
}
Ref Walker::boolean(bool value) {
  Entity &e = make(Entity::Kind::Boolean);
  e.boolean = value;
  return &e;
}
Ref Walker::string(std::string value) {
  Entity &e = make(Entity::Kind::String);
  e.text = std::move(value);
  return &e;
}
Ref Walker::list(std::vector<Ref> items) {
  Entity &e = make(Entity::Kind::List);
  e.items = std::move(items);
  return &e;
}
Ref Walker::record(std::vector<Ref> items, std::vector<std::string> names) {
  Entity &e = make(Entity::Kind::Record);
  e.items = std::move(items);
  e.names = std::move(names);
  return &e;
}
Ref Walker::sound(Ref e) {
  if (e->kind != Entity::Kind::Bad)
    return e;
  if (e->shadow)
    throw ShadowedIndex();
  throw Quiet();
}

// ---- reports -------------------------------------------------------------------------------------------------------
void Walker::fail(Kind kind, std::string headline, std::vector<Label> labels, std::string hint) {
  throw Problem{{kind, std::move(headline), std::move(labels), {}, std::move(hint)}};
}

static std::string placeText(Span span) {
  Position p = span.file->position(span.begin);
  return std::filesystem::path(span.file->path()).filename().string() + ":" + std::to_string(p.line) + ":" +
         std::to_string(p.column);
}

std::vector<std::string> Walker::chain() const {
  std::vector<std::string> lines;
  for (const Frame *f = frame; f && f->caller; f = f->caller)
    if (!f->title.empty())
      lines.push_back("in " + f->title + ", " + placeText(f->callSpan));
  return lines;
}

static std::string_view usualHint(Kind kind) {
  switch (kind) {
  case Kind::ExtentMismatch:
    return "swap or transpose one of the two, or correct the declared size";
  case Kind::DimensionMismatch:
    return "correct one of the two sizes";
  case Kind::ElementCount:
    return "the products of the sizes before and after must agree";
  case Kind::RankMismatch:
    return "add, remove or reduce axes";
  case Kind::RankGroup:
    return "give both the same leading axes, or subscript them";
  case Kind::UnknownName:
    return "declare it, or import it";
  case Kind::TypeMismatch:
    return "convert, or pass another value";
  case Kind::WhereViolated:
    return "change the argument that breaks it";
  case Kind::IndexRange:
    return "shorten the range";
  case Kind::DuplicateIndex:
    return "write a second index and compare: `if i == j then ... else 0`";
  case Kind::Assertion:
    return "pass one of the values that it allows";
  default:
    return "";
  }
}

void Walker::report(Diagnostic d) {
  if (d.chain.empty())
    d.chain = chain();
  if (d.hint.empty())
    d.hint = usualHint(d.kind);
  failed = true;
  checker.report(std::move(d), frame->decl);
  if (info)
    info->state = Modular::State::Bad;
}

void Walker::notSupported(const std::string &what, Span span, const std::string &hint) {
  if (!expanding() && modular)
    throw Quiet(); // refused where an entry or a test reaches it
  fail(Kind::NotSupported, what + " is not supported yet", {{span, ""}}, hint);
}

const Location *Walker::here(Span span) {
  if (emit.location && emit.location->span == span && emit.location->caller == frame->location)
    return emit.location;
  Location &location = checker.program->locations.emplace_back();
  location.span = span;
  location.caller = frame->location;
  for (const Frame *f = frame; f; f = f->caller)
    if (f->self && f->self->model) {
      location.path = f->self->path;
      break;
    }
  return &location;
}

void Walker::step(Span span) {
  emit.span = span;
  if (!expanding())
    return;
  emit.location = here(span);
  if (emit.body->values.size() > mostValues || checker.program->terms.size() > mostTermsInAll) {
    if (exhausted)
      throw Quiet();
    exhausted = true;
    fail(Kind::TooLarge, "this program expands to more than " + std::to_string(mostValues) + " tensor values",
         {{span, "reached here"}}, "repeat less: an unrolled loop or a list of layers is far too long");
  }
}

void Walker::work(Span span) {
  if (++checker.work <= mostWork)
    return;
  if (exhausted)
    throw Quiet();
  exhausted = true;
  fail(Kind::TooLarge, "this program expands to more than " + std::to_string(mostWork) + " calls and rounds of loops",
       {{span, "reached here"}}, "repeat less: unrolled loops or calls inside one another multiply");
}

// ---- obligations ---------------------------------------------------------------------------------------------------
bool Walker::same(const Axes &a, const Axes &b) {
  if (a.size() != b.size())
    return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (!same(a[i], b[i]))
      return false;
  return true;
}

void Walker::requireEqual(const Axis &a, const Axis &b, Span place, unsigned tag, const Maker &make) {
  if (!a.group && !b.group)
    return a == b ? void() : require(Relation::Zero, a.size - b.size, place, tag, make);
  if (a != b)
    throw Problem{make("")};
}

void Walker::require(Relation relation, const Polynomial &p, Span place, unsigned tag, const Maker &make, bool inherit,
                     const std::optional<Polynomial> &modulus) {
  auto key = std::tuple(static_cast<const void *>(place.file), place.begin, place.end, tag);
  bool own = !frame->decl || frame->decl == decl;
  if (!modular && !own && !p.isConstant()) // a constant may break what the modular proof assumed of its callers
    if (auto known = checker.proofs.find(key); known != checker.proofs.end() && known->second == Proof::Proved)
      return;
  auto note = [&](Proof proof) {
    if (!modular)
      return;
    auto [slot, added] = checker.proofs.emplace(key, proof);
    if (!added)
      slot->second = std::max(slot->second, proof);
  };
  bool nonNegative = relation == Relation::NonNegative;
  if (nonNegative ? facts().nonNegative(p) : facts().zero(p))
    return note(Proof::Proved);
  if (dry)
    throw Unproved();
  note(Proof::Open);
  Polynomial q = facts().normal(p);
  for (const Condition &c : held) {
    Polynomial known = facts().normal(c.value);
    if (c.equality == !nonNegative && (known == q || (!nonNegative && known == -q)))
      return;
  }
  bool overSignature = true;
  for (const Atom *leaf : p.leaves())
    overSignature &= leaf->kind == AtomKind::Name && (top->names.count(leaf->name) || compileTimeAtoms.count(leaf));
  bool atEntry = entry != nullptr;
  if (!q.isConstant() && overSignature && (inherit || (atEntry && nonNegative)) && (conditions || atEntry)) {
    if (!nonNegative || !facts().nonNegative(-p - 1)) { // an inequality that never holds is no guard
      Condition condition{!nonNegative, p, modulus, make("")};
      if (atEntry)
        entry->guards.push_back({p, !nonNegative,
                                 inherit ? condition.diagnostic.headline : p.text() + (nonNegative ? " >= 0" : " == 0"),
                                 place});
      else
        conditions->push_back(condition);
      held.push_back(std::move(condition));
      for (Facts &level : factStack) {
        if (nonNegative)
          level.assumeNonNegative(p);
        else
          level.assumeZero(p);
      }
      return;
    }
  }
  for (const Atom *leaf : q.leaves())
    if (caseAtoms.count(leaf))
      return; // differs between cases of a compile-time condition: known when it is expanded
  std::optional<Assignment> example;
  if (!q.isConstant()) {
    // A compile-time parameter below 0 refutes nearly everything, and nobody means it.
    Facts plausible = facts();
    for (const Atom *atom : compileTimeAtoms)
      if (!plausible.lower(atom))
        plausible.setLower(atom, 0);
    example = plausible.counterexample(q, [&](int64_t v) { return nonNegative ? v < 0 : v != 0; }, defaults);
    if (!example && modular)
      for (const Atom *leaf : q.leaves())
        if (compileTimeAtoms.count(leaf))
          return; // each use of the declaration is checked with its values
  }
  throw Problem{make(example ? Facts::text(*example) : "")};
}

std::string Walker::divisibilityHint(const Polynomial &a, const Polynomial &b) {
  if (!decl || decl->kind == ast::DeclKind::Test)
    return "";
  std::vector<const Atom *> atoms = (a - b).atoms();
  for (auto it = atoms.rbegin(); it != atoms.rend(); ++it) {
    const Atom *atom = *it;
    if (atom->kind != AtomKind::Quotient)
      continue;
    std::vector<const Atom *> inner = atom->operands[0].atoms();
    if (inner.size() != 1 || inner[0]->kind != AtomKind::Name || compileTimeAtoms.count(inner[0]) ||
        atom->operands[0].coefficient({inner[0]}) != 1)
      continue;
    std::string_view what = decl->kind == ast::DeclKind::Layer   ? "layer "
                            : decl->kind == ast::DeclKind::Entry ? "entry "
                                                                 : "fn ";
    return "add `where " + inner[0]->name + " % " + atom->operands[1].text() + " == 0` to " + std::string(what) +
           decl->name.text;
  }
  return "";
}

// ---- modular walks -------------------------------------------------------------------------------------------------
static bool occursAsExtent(const ast::Type *type, const std::string &name) {
  if (!type)
    return false;
  for (const ast::Dimension &d : type->dimensions)
    if (auto *id = ast::as<ast::IdentifierExpr>(d.size); id && id->name == name)
      return true;
  for (const ast::Field &field : type->fields)
    if (occursAsExtent(field.type, name))
      return true;
  return false;
}

/// Compile-time parameters as unknowns: integers are rigid names, the rest is known by type.
static void bindUnknowns(Checker &checker, const std::vector<ast::Parameter> &parameters, const Signature &signature,
                         Scope *scope, Facts &facts, std::set<const Atom *> &atoms, Assignment &defaults,
                         const FileScope *file) {
  for (const ast::Parameter &p : parameters) {
    Element element = Element::Real;
    bool named = p.type && p.type->form == ast::Type::Form::Named && elementNamed(p.type->name.text, element);
    if (!named || (p.type->form == ast::Type::Form::Function)) {
      Entity &e = checker.make(Entity::Kind::FunctionType);
      e.type = p.type;
      e.file = file;
      scope->bind(p.name.text, &e);
      continue;
    }
    if (!p.type->dimensions.empty())
      continue; // a constant tensor: bound when its dimensions are declared
    if (element != Element::Int) {
      Entity &e = checker.make(Entity::Kind::Tensor);
      e.element = element;
      scope->bind(p.name.text, &e);
      continue;
    }
    const Atom *atom = nameAtom(p.name.text);
    atoms.insert(atom);
    if (auto *value = ast::as<ast::IntegerExpr>(p.initial))
      defaults[atom] = value->value;
    bool extent = occursAsExtent(signature.result, p.name.text);
    if (signature.parameters)
      for (const ast::Parameter &q : *signature.parameters)
        extent |= occursAsExtent(q.type, p.name.text);
    if (signature.body)
      for (const ast::Stmt *s : signature.body->statements)
        if (auto *w = ast::as<ast::WeightStmt>(s))
          extent |= occursAsExtent(w->type, p.name.text);
    if (extent)
      facts.setLower(atom, 1);
    Entity &e = checker.make(Entity::Kind::Integer);
    e.integer = Polynomial(atom);
    scope->bind(p.name.text, &e);
  }
}

/// A compile-time parameter that the declaration divides by is at least 1: the division itself requires it of callers.
static void assumeDivisors(const Signature &s, Facts &facts, const std::set<const Atom *> &atoms) {
  auto visit = [&](const ast::Expr *e) {
    auto *b = ast::as<ast::BinaryExpr>(e);
    if (!b || (b->op != ast::BinaryOp::FloorDivide && b->op != ast::BinaryOp::Remainder))
      return;
    if (auto *divisor = ast::as<ast::IdentifierExpr>(b->rhs))
      if (const Atom *atom = nameAtom(divisor->name); atoms.count(atom))
        facts.setLower(atom, 1);
  };
  for (const ast::Expr *w : *s.where)
    forAll(w, visit);
  forAll(s.expression, visit);
  forAll(s.body, [](const ast::Stmt *) {}, visit);
}

void Walker::walkFunction(Modular &found) {
  info = &found;
  conditions = &found.conditions["forward"];
  Signature s = signatureOf(decl);
  try {
    bindUnknowns(checker, *s.compileTime, s, frame->root, facts(), compileTimeAtoms, defaults, frame->file);
    for (const ast::Parameter &p : *s.compileTime)
      if (p.type && !p.type->dimensions.empty()) {
        declare(p.type, frame->root);
        frame->root->bind(p.name.text, typeValue(p.type, frame->root));
      }
    assumeDivisors(s, facts(), compileTimeAtoms);
    Scope *inner = scope(frame->root);
    enterSignature(s, inner);
    body(s, inner);
  } catch (Problem &p) {
    report(std::move(p.diagnostic));
  } catch (Quiet &) {
  }
}

void Walker::walkLayer(Modular &found) {
  info = &found;
  auto *layer = static_cast<const ast::LayerDecl *>(decl);
  Signature s = signatureOf(layer);
  frame->self = checker.makeInstance();
  frame->self->decl = layer;
  frame->self->file = frame->file;
  frame->self->span = layer->name.span;
  try {
    bindUnknowns(checker, layer->compileTime, s, frame->root, facts(), compileTimeAtoms, defaults, frame->file);
    for (const ast::Parameter &p : layer->compileTime)
      if (p.type && !p.type->dimensions.empty()) {
        declare(p.type, frame->root);
        frame->root->bind(p.name.text, typeValue(p.type, frame->root));
      }
    assumeDivisors(s, facts(), compileTimeAtoms);
  } catch (Problem &p) {
    report(std::move(p.diagnostic));
  } catch (Quiet &) {
  }
  // The header first, so that methods see its weights and labels; each method starts from the same facts.
  Facts start = facts();
  auto method = [&](const Signature &signature, const std::string &methodName, bool header) {
    factStack.assign(1, start);
    Scope *hyper = frame->root;
    if (!header) {
      frame->root = scope(hyper);
      bindUnknowns(checker, *signature.compileTime, signature, frame->root, facts(), compileTimeAtoms, defaults,
                   frame->file);
    }
    conditions = &found.conditions[methodName];
    held.clear();
    frame->result = nullptr;
    frame->returned = nullptr;
    try {
      Scope *inner = scope(frame->root);
      if (signature.parameters && signature.result)
        enterSignature(signature, inner);
      else if (header) // without a header, the shapes of the weights declare their dimensions
        for (const ast::Stmt *statement : layer->body ? layer->body->statements : std::vector<const ast::Stmt *>())
          if (auto *w = ast::as<ast::WeightStmt>(statement))
            declare(w->type, frame->root);
      body(signature, inner);
    } catch (Problem &p) {
      report(std::move(p.diagnostic));
    } catch (Quiet &) {
    }
    frame->root = hyper;
  };
  Signature header = s;
  if (!layer->hasHeader) {
    header.parameters = nullptr;
    header.result = nullptr;
  }
  method(header, "forward", true);
  noteInstanceDimensions(found);
  for (const std::string &name :
       found.instanceDimensions) { // methods see them, and start from what the header says of them
    if (!frame->root->find(name))
      frame->root->bind(name, integer(frame->names.at(name)));
    start.setLower(nameAtom(name), 1);
  }
  if (layer->body)
    for (const ast::Stmt *statement : layer->body->statements)
      if (auto *function = ast::as<ast::FunctionStmt>(statement))
        method(signatureOf(function->function), function->function->name.text, false);
  noteInstanceDimensions(found);
}

void Walker::noteInstanceDimensions(Modular &found) {
  // Dimensions in the shapes of weights, and in what sub-layers were given, belong to the instance.
  std::set<std::string> mentioned;
  auto mention = [&](const Polynomial &p) {
    for (const Atom *leaf : p.leaves())
      if (leaf->kind == AtomKind::Name)
        mentioned.insert(leaf->name);
  };
  std::function<void(Ref)> visit = [&](Ref e) {
    if (isTensor(e)) {
      for (const Axis &axis : e->axes)
        mention(axis.size);
    } else if (e->kind == Entity::Kind::Instance) {
      for (auto &[name, value] : e->instance->dims)
        mention(value);
      for (auto &[name, value] : e->instance->hyper)
        if (isInteger(value))
          mention(value->integer);
    } else if (e->kind == Entity::Kind::Members) {
      visit(e->member);
    } else if (e->kind == Entity::Kind::List) {
      for (Ref item : e->items)
        visit(item);
    }
  };
  for (auto &[name, value] : frame->self->shared)
    visit(value);
  for (const std::string &name : mentioned)
    if (frame->names.count(name) && !compileTimeAtoms.count(nameAtom(name)))
      found.instanceDimensions.insert(name);
}

Ref Walker::evaluateAlone(const ast::Expr *e, Scope *inner) {
  try {
    return evaluate(e, inner ? inner : frame->root);
  } catch (Problem &p) {
    report(std::move(p.diagnostic));
  } catch (Quiet &) {
  }
  return checker.bad;
}

} // namespace nacre
