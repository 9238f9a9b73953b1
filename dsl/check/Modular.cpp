// The modular walk of a function or layer: once, for all sizes.
#include "check/Visit.h"
#include "check/Walker.h"
#include <algorithm>

namespace nacre {

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

} // namespace nacre
