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
  } else if (auto *d = ast::as<ast::DataDecl>(decl)) {
    s.compileTime = &d->compileTime, s.result = d->type;
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

void Walker::rollBack(size_t values) {
  if (!expanding() || emit.body->values.size() <= values)
    return;
  emit.body->values.resize(values);
  for (auto it = weightValues.begin(); it != weightValues.end();)
    it = it->second >= values ? weightValues.erase(it) : std::next(it);
  std::erase_if(writes, [&](const auto &write) { return write.second >= values; });
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

void Walker::requireSize(const Polynomial &extent, int64_t least, Span place, unsigned tag, const std::string &what) {
  auto make = [&](const std::string &example) {
    std::string shown = extent.text(), bound = std::to_string(least);
    bool number = extent.isConstant();
    return Diagnostic{Kind::NegativeSize,
                      what + " is " + shown + (number ? "" : ", which may be less than " + bound) +
                          (example.empty() ? "" : " (for " + example + ")"),
                      {{place, ""}},
                      {},
                      number ? "it is at least " + bound : "state `where " + shown + " >= " + bound + "`"};
  };
  require(Relation::NonNegative, extent - least, place, tag, make, true);
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
  for (const Atom *leaf : q.leaves())
    if (caseAtoms.count(leaf))
      return; // differs between cases of a compile-time condition: known when it is expanded
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
