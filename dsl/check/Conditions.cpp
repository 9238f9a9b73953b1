// What a call must meet: the `where` of the callee, and what the callee itself inherited.
#include "check/Visit.h"
#include "check/Walker.h"
#include <algorithm>

namespace nacre {
using ast::as;

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

} // namespace nacre
