#include "check/Entity.h"
#include <sstream>

namespace nacre {

static const std::pair<std::string_view, Family> Elements[] = {
    {"real", Family::Real},  {"f64", Family::Real},    {"f32", Family::Real},    {"f16", Family::Real},
    {"bf16", Family::Real},  {"int", Family::Integer}, {"i64", Family::Integer}, {"i32", Family::Integer},
    {"i8", Family::Integer}, {"u64", Family::Integer}, {"u8", Family::Integer},  {"bool", Family::Boolean},
    {"str", Family::Text}};

std::string_view name(Element element) { return Elements[size_t(element)].first; }
Family family(Element element) { return Elements[size_t(element)].second; }
bool elementNamed(std::string_view text, Element &element) {
  for (size_t i = 0; i < std::size(Elements); ++i)
    if (Elements[i].first == text) {
      element = Element(i);
      return true;
    }
  return false;
}

Ref Scope::find(const std::string &name) const {
  for (const Scope *s = this; s; s = s->outer)
    if (auto found = s->own.find(name); found != s->own.end())
      return found->second;
  return nullptr;
}
bool Scope::assign(const std::string &name, Ref value) {
  for (Scope *s = this; s; s = s->outer)
    if (auto found = s->own.find(name); found != s->own.end()) {
      found->second = value;
      return true;
    }
  return false;
}

std::string text(const Axis &axis) { return axis.group ? "..." : axis.size.text(); }
std::string text(const Axes &axes) {
  std::string out;
  for (const Axis &axis : axes)
    out += (out.empty() ? "" : ", ") + text(axis);
  return out;
}

static std::string describeList(Ref e, char open, char close) {
  std::string out(1, open);
  for (size_t i = 0; i < e->items.size(); ++i) {
    out += i ? ", " : "";
    if (i < e->names.size() && !e->names[i].empty())
      out += e->names[i] + ": ";
    out += describe(e->items[i]);
  }
  return out + close;
}

std::string describe(Ref e) {
  switch (e->kind) {
  case Entity::Kind::Tensor:
    return std::string(name(e->element)) + (e->axes.empty() ? "" : "[" + text(e->axes) + "]");
  case Entity::Kind::Integer:
    return e->group ? "..." : e->integer.text();
  case Entity::Kind::Real: {
    std::ostringstream out;
    out << e->real;
    return out.str();
  }
  case Entity::Kind::Boolean:
    return e->boolean ? "true" : "false";
  case Entity::Kind::String:
    return "\"" + e->text + "\"";
  case Entity::Kind::List:
    return describeList(e, '[', ']');
  case Entity::Kind::Record:
    return describeList(e, '(', ')');
  case Entity::Kind::Tree:
    return "weights";
  case Entity::Kind::Function:
  case Entity::Kind::Method:
    return "fn " + e->decl->name.text;
  case Entity::Kind::FunctionType:
    return "a function";
  case Entity::Kind::Lambda:
    return "a function";
  case Entity::Kind::Layer:
    return "layer " + e->decl->name.text;
  case Entity::Kind::Instance:
    return "a layer";
  case Entity::Kind::Members:
    return "a list of layers";
  case Entity::Kind::Module:
    return "a module";
  case Entity::Kind::Builtin:
    return "fn " + e->text;
  case Entity::Kind::Bad:
    return "an expression in error";
  }
  return "";
}

} // namespace nacre
