// Names and types: what a name refers to, what a type denotes, and which names a signature declares.
#include "check/Builtins.h"
#include "check/Visit.h"
#include "check/Walker.h"
#include <limits>

namespace nacre {
using ast::as;

// ---- names ---------------------------------------------------------------------------------------------------------
Ref Walker::look(const std::string &name, Scope *inner, Span span) {
  if (Ref found = inner ? inner->find(name) : nullptr)
    return found->live ? emitWeight(*found->instance, found->text, span) : sound(found);
  if (frame->self)
    if (Ref found = ofSelf(name, span))
      return sound(found);
  if (Ref found = frame->root->find(name))
    return sound(found);
  if (const Global *found = frame->file->find(name))
    return global(*found, name, span);
  if (isBuiltin(name)) {
    Entity &e = make(Entity::Kind::Builtin);
    e.text = name;
    return &e;
  }
  if (name == "inf")
    return real(std::numeric_limits<double>::infinity());
  if (name == "pi")
    return real(3.14159265358979323846);
  if (name == "training") {
    if (!modular)
      return boolean(training());
    return tensorType(Element::Bool, {});
  }
  std::vector<std::string> names = builtinNames();
  frame->file->names(names);
  for (const Scope *s = inner ? inner : frame->root; s; s = s->parent())
    for (const auto &[known, value] : s->bindings())
      names.push_back(known);
  std::string near = nearest(name, names);
  fail(Kind::UnknownName, "nothing named `" + name + "`",
       {{span, near.empty() ? "not declared here or in the imports" : ""}},
       near.empty() ? "declare it, or import it" : "`" + near + "` is close");
}

Ref Walker::global(const Global &found, const std::string &name, Span span) {
  if (!found.decl) {
    Entity &e = make(Entity::Kind::Module);
    e.file = found.file;
    return &e;
  }
  switch (found.decl->kind) {
  case ast::DeclKind::Constant:
    return sound(checker.constantValue(static_cast<const ast::ConstantDecl *>(found.decl), found.file));
  case ast::DeclKind::Model: {
    ModelState *model = checker.model(static_cast<const ast::ModelDecl *>(found.decl), found.file);
    if (model->bad)
      throw Quiet();
    Entity &e = make(Entity::Kind::Instance);
    e.instance = model->root;
    if (modular) { // a copy: what this walk binds is symbolic, and says nothing about the model
      e.instance = checker.makeInstance();
      *e.instance = *model->root;
      e.instance->dims.clear();
      e.instance->model.reset();
    } else {
      modelsRead.insert(model->number);
    }
    return &e;
  }
  case ast::DeclKind::Layer:
  case ast::DeclKind::Function: {
    Entity &e = make(found.decl->kind == ast::DeclKind::Layer ? Entity::Kind::Layer : Entity::Kind::Function);
    e.decl = found.decl;
    e.file = found.file;
    return &e;
  }
  case ast::DeclKind::Data:
    fail(Kind::NotAValue, "`" + name + "` is data: samples in files, and no value",
         {{span, ""}, {found.decl->name.span, "declared here"}},
         "a train block reads it (`data: " + name + "`), and so does another data (`from(r): " + name + "`)");
  default:
    break;
  }
  fail(Kind::NotAValue, "`" + name + "` is no value", {{span, ""}, {found.decl->name.span, "declared here"}});
}

// ---- types ---------------------------------------------------------------------------------------------------------
const ast::Type *Walker::resolve(const ast::Type *type) const {
  for (int i = 0; type && type->form == ast::Type::Form::Named && i < 64; ++i) {
    Element ignored;
    if (elementNamed(type->name.text, ignored))
      return type;
    const Global *found = frame->file->find(type->name.text);
    auto *alias = found ? as<ast::TypeDecl>(found->decl) : nullptr;
    if (!alias)
      return type;
    type = alias->type;
  }
  return type;
}

Ref Walker::typeValue(const ast::Type *written, Scope *inner) {
  const ast::Type *type = resolve(written);
  if (type->form == ast::Type::Form::Function) {
    Entity &e = make(Entity::Kind::FunctionType);
    e.type = type;
    e.file = frame->file;
    return &e;
  }
  if (type->form == ast::Type::Form::Record) {
    std::vector<Ref> items;
    std::vector<std::string> names;
    for (const ast::Field &field : type->fields) {
      items.push_back(typeValue(field.type, inner));
      names.push_back(field.name.text);
    }
    return record(std::move(items), std::move(names));
  }
  Element element;
  if (type->name.text == "weights" && !type->brackets)
    return openTree();
  if (!elementNamed(type->name.text, element)) {
    std::vector<std::string> names;
    for (size_t i = 0; i <= size_t(Element::Text); ++i)
      names.emplace_back(nacre::name(Element(i)));
    std::string near = nearest(type->name.text, names);
    fail(Kind::UnknownType, "no type named `" + type->name.text + "`", {{type->name.span, ""}},
         near.empty() ? "scalar types are real f64 f32 f16 bf16 int i64 i32 i8 u64 u8 bool str"
                      : "`" + near + "` is close");
  }
  Axes axes;
  for (const ast::Dimension &d : type->dimensions) {
    if (d.ellipsis) {
      Ref group = inner->find("...");
      if (group)
        for (Ref item : group->items)
          axes.push_back({item->integer, item->group});
    } else if (d.size->kind == ast::ExprKind::Hole) {
      axes.push_back({Polynomial(freshAtom(AtomKind::Name, "_")), false});
    } else {
      axes.push_back({size(d.size, inner), false});
    }
  }
  return tensorType(element, std::move(axes));
}

Polynomial Walker::size(const ast::Expr *e, Scope *inner) { return sizeOf(evaluate(e, inner), e->span); }

Polynomial Walker::sizeOf(Ref value, Span span) {
  if (isInteger(value) && !value->group)
    return value->integer;
  sound(value);
  bool quotient = isTensor(value) && family(value->element) == Family::Real;
  fail(Kind::NotASize, "a size is an integer known from dimensions and compile-time parameters",
       {{span, "this is " + describe(value)}},
       quotient || value->kind == Entity::Kind::Real ? "`/` makes a real; a size needs `//`" : "");
}

void Walker::forEachTensorType(const ast::Type *written, const std::function<void(const ast::Type *)> &visit) const {
  const ast::Type *type = resolve(written);
  if (!type || type->form == ast::Type::Form::Function)
    return;
  if (type->form == ast::Type::Form::Named)
    return visit(type);
  for (const ast::Field &field : type->fields)
    forEachTensorType(field.type, visit);
}

void Walker::identifiers(const ast::Expr *e, std::vector<const ast::IdentifierExpr *> &out) {
  forAll(e, [&](const ast::Expr *part) {
    if (auto *id = as<ast::IdentifierExpr>(part))
      out.push_back(id);
  });
}

/// The names that a parameter type introduces become rigid, each at least 1.
void Walker::declare(const ast::Type *written, Scope *inner) {
  forEachTensorType(written, [&](const ast::Type *type) {
    for (const ast::Dimension &d : type->dimensions) {
      if (d.ellipsis) {
        if (!inner->find("...")) {
          Entity &e = make(Entity::Kind::Integer);
          e.group = true;
          e.integer = Polynomial(freshAtom(AtomKind::Group, "size of `...`"));
          inner->bind("...", list({&e}));
        }
        continue;
      }
      auto *id = as<ast::IdentifierExpr>(d.size);
      if (!id)
        continue;
      Ref known = inner->find(id->name);
      if (!known)
        if (const Global *found = frame->file->find(id->name);
            found && found->decl && found->decl->kind == ast::DeclKind::Constant)
          continue;
      if (!known) {
        const Atom *atom = nameAtom(id->name);
        inner->bind(id->name, integer(Polynomial(atom)));
        frame->names[id->name] = Polynomial(atom);
        facts().setLower(atom, 1);
      } else if (isInteger(known)) {
        frame->names.emplace(id->name, known->integer);
        facts().assumeNonNegative(known->integer - 1);
      }
    }
  });
}

std::vector<Clause> Walker::clauses(const std::vector<const ast::Expr *> &where, Scope *inner) {
  using ast::BinaryOp;
  std::vector<Clause> out;
  auto group = [](const ast::Expr *e) {
    while (auto *t = as<ast::TupleExpr>(e)) {
      if (t->elements.size() != 1 || !t->elements[0].name.text.empty() || !t->elements[0].value)
        break;
      e = t->elements[0].value;
    }
    return e;
  };
  std::function<void(const ast::Expr *)> add = [&](const ast::Expr *w) {
    auto *b = as<ast::BinaryExpr>(group(w));
    if (b && b->op == BinaryOp::And) {
      add(b->lhs);
      add(b->rhs);
      return;
    }
    if (b && b->op == BinaryOp::Equal) {
      auto *id = as<ast::IdentifierExpr>(b->lhs);
      if (id && !inner->find(id->name) && !frame->file->find(id->name)) {
        Polynomial value = size(b->rhs, inner);
        inner->bind(id->name, integer(value));
        out.push_back({Clause::Form::Definition, value, {}, w});
        return;
      }
      auto *rest = as<ast::BinaryExpr>(group(b->lhs));
      if (rest && rest->op == BinaryOp::Remainder) {
        Ref of = evaluate(rest->lhs, inner), by = evaluate(rest->rhs, inner), left = evaluate(b->rhs, inner);
        if (isInteger(of) && isInteger(by) && isInteger(left)) {
          out.push_back({Clause::Form::Remainder, of->integer - left->integer, by->integer, w});
          return;
        }
      }
    }
    if (b && b->op == BinaryOp::In) {
      if (auto *range = as<ast::BinaryExpr>(group(b->rhs)); range && range->op == BinaryOp::Range) {
        Polynomial x = size(b->lhs, inner), low = size(range->lhs, inner), high = size(range->rhs, inner);
        out.push_back({Clause::Form::NonNegative, x - low, {}, w});
        out.push_back({Clause::Form::NonNegative, high - x, {}, w});
        return;
      }
    }
    bool comparison = b && b->op >= BinaryOp::Less && b->op <= BinaryOp::Equal;
    if (comparison) {
      Ref x = evaluate(b->lhs, inner), y = evaluate(b->rhs, inner);
      if (isInteger(x) && isInteger(y)) {
        Polynomial d = x->integer - y->integer;
        switch (b->op) {
        case BinaryOp::Less:
          out.push_back({Clause::Form::NonNegative, -d - 1, {}, w});
          break;
        case BinaryOp::LessEqual:
          out.push_back({Clause::Form::NonNegative, -d, {}, w});
          break;
        case BinaryOp::Greater:
          out.push_back({Clause::Form::NonNegative, d - 1, {}, w});
          break;
        case BinaryOp::GreaterEqual:
          out.push_back({Clause::Form::NonNegative, d, {}, w});
          break;
        default:
          out.push_back({Clause::Form::Zero, d, {}, w});
          break;
        }
        return;
      }
    }
    out.push_back({Clause::Form::Plain, {}, {}, w, evaluate(w, inner)});
  };
  for (const ast::Expr *w : where)
    add(w);
  return out;
}

void Walker::assumeClause(const Clause &c) {
  switch (c.form) {
  case Clause::Form::Definition:
    facts().assumeNonNegative(c.value - 1);
    break;
  case Clause::Form::NonNegative:
    if (!c.value.isConstant())
      facts().assumeNonNegative(c.value);
    break;
  case Clause::Form::Zero:
    if (!c.value.isConstant())
      facts().assumeZero(c.value);
    break;
  case Clause::Form::Remainder:
    facts().assumeRemainder(c.value, c.modulus);
    break;
  case Clause::Form::Plain:
    break;
  }
}

/// Every name in the types is one that a call can find; `c + 1` alone also finds c.
void Walker::requireClosed(const Signature &s, Scope *inner, const std::vector<const ast::Type *> &types,
                           const std::set<std::string> &defined) {
  for (const ast::Type *written : types)
    forEachTensorType(written, [&](const ast::Type *type) {
      for (const ast::Dimension &d : type->dimensions) {
        if (!d.size || d.size->kind == ast::ExprKind::Hole)
          continue;
        std::vector<const ast::IdentifierExpr *> all;
        identifiers(d.size, all);
        std::set<std::string> unknown;
        for (const ast::IdentifierExpr *id : all)
          if (!inner->find(id->name) && !frame->file->find(id->name) && !isBuiltin(id->name) &&
              !defined.count(id->name))
            unknown.insert(id->name);
        if (unknown.empty())
          continue;
        const std::string &name = *unknown.begin();
        if (unknown.size() == 1 && written != s.result) {
          const Atom *atom = nameAtom(name);
          Scope *trial = scope(inner);
          trial->bind(name, integer(Polynomial(atom)));
          Polynomial extent = size(d.size, trial);
          auto parts = extent.split(atom);
          auto factor = parts ? parts->first.constant() : std::nullopt;
          if (factor == 1 || factor == -1) {
            inner->bind(name, integer(Polynomial(atom)));
            frame->names[name] = Polynomial(atom);
            facts().assumeNonNegative(extent - 1);
            continue;
          }
        }
        std::string written(d.span.text());
        fail(Kind::UnsolvedDimension,
             written == name ? "nothing says what `" + name + "` is"
                             : "`" + name + "` cannot be found from `" + written + "`",
             {{d.span, "no parameter has it as a dimension by itself"}},
             "use `" + name + "` alone in a parameter, or make it a compile-time parameter");
      }
    });
}

/// Enters a body: declares the names of the signature, assumes its `where`, binds the parameters to their types.
std::vector<Clause> Walker::enterSignature(const Signature &s, Scope *inner) {
  for (const ast::Parameter &p : *s.parameters)
    if (isPlain(p.type, "int")) {
      const Atom *atom = nameAtom(p.name.text);
      inner->bind(p.name.text, integer(Polynomial(atom)));
      frame->names[p.name.text] = Polynomial(atom);
    }
  for (const ast::Parameter &p : *s.parameters)
    if (p.type)
      declare(p.type, inner);
  std::set<std::string> defined;
  for (const ast::Expr *w : *s.where)
    if (auto *b = as<ast::BinaryExpr>(w); b && b->op == ast::BinaryOp::Equal)
      if (auto *id = as<ast::IdentifierExpr>(b->lhs); id && !inner->find(id->name))
        defined.insert(id->name);
  std::vector<const ast::Type *> parameterTypes;
  for (const ast::Parameter &p : *s.parameters)
    if (p.type)
      parameterTypes.push_back(p.type);
  requireClosed(s, inner, parameterTypes, defined);
  std::vector<Clause> stated = clauses(*s.where, inner);
  for (const Clause &c : stated)
    assumeClause(c);
  for (const std::string &name : defined)
    if (Ref found = inner->find(name); found && isInteger(found))
      frame->names.emplace(name, found->integer);
  if (s.result) {
    requireClosed(s, inner, {s.result}, {});
    declare(s.result, inner);
  }
  std::vector<std::pair<std::string, Ref>> values;
  for (const ast::Parameter &p : *s.parameters) {
    if (isPlain(p.type, "int"))
      continue;
    values.push_back({p.name.text, p.type ? typeValue(p.type, inner) : checker.bad});
  }
  if (s.result) {
    frame->result = typeValue(s.result, inner);
    frame->resultSpan = s.result->span;
    std::vector<Ref> parts =
        frame->result->kind == Entity::Kind::Record ? frame->result->items : std::vector{frame->result};
    for (Ref part : parts)
      for (const Axis &axis : part->axes)
        if (!axis.group && !axis.size.isConstant())
          facts().assumeNonNegative(axis.size - 1);
  }
  for (auto &[name, value] : values)
    inner->bind(name, value);
  return stated;
}

} // namespace nacre
