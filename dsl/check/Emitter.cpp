#include "check/Emitter.h"
#include <cmath>

namespace nacre {

bool isReal(Scalar s) { return s <= Scalar::BF16; }
bool isIntegral(Scalar s) { return s >= Scalar::I64 && s <= Scalar::U8; }

static bool yieldsBoolean(Primitive p) {
  static const std::string_view results[] = {
#define PRIMITIVE(id, name, operands, result) #result,
#include "program/Primitives.def"
  };
  return results[size_t(p)] == "Boolean";
}

Term &Emitter::make(Term::Kind kind, Scalar type) {
  Term &term = program.terms.emplace_back();
  term.kind = kind;
  term.type = type;
  term.span = span;
  return term;
}

const Term *Emitter::real(Scalar type, double value) {
  Term &term = make(Term::Kind::Constant, type);
  term.real = value;
  return &term;
}
const Term *Emitter::integer(Scalar type, int64_t value) {
  Term &term = make(Term::Kind::Constant, type);
  term.integer = value;
  return &term;
}
const Term *Emitter::number(Scalar type, double value) {
  return isReal(type) ? real(type, value) : integer(type, static_cast<int64_t>(value));
}
const Term *Emitter::size(const Polynomial &p) {
  if (auto value = p.constant())
    return integer(Scalar::I64, *value);
  Term &term = make(Term::Kind::Size, Scalar::I64);
  term.size = p;
  return &term;
}
const Term *Emitter::read(ValueId tensor, std::vector<Subscript> subscripts) {
  Term &term = make(Term::Kind::Read, type(tensor).element);
  term.tensor = tensor;
  term.subscripts = std::move(subscripts);
  return &term;
}
const Term *Emitter::apply(Primitive primitive, std::vector<const Term *> operands) {
  Scalar type = primitive == Primitive::RandomBits ? Scalar::I32
                : yieldsBoolean(primitive)         ? Scalar::Bool
                                                   : operands.front()->type;
  Term &term = make(Term::Kind::Apply, type);
  term.primitive = primitive;
  term.operands = std::move(operands);
  return &term;
}
const Term *Emitter::cast(const Term *operand, Scalar type) {
  if (operand->type == type)
    return operand;
  if (operand->kind == Term::Kind::Constant) {
    double value = isReal(operand->type) ? operand->real : static_cast<double>(operand->integer);
    if (type == Scalar::Bool)
      return integer(type, value != 0);
    if (isReal(type))
      return real(type, value);
    if (!isReal(operand->type))
      return integer(type, operand->integer);
    if (std::abs(value) < 9e15) // beyond it the cast stays, and its overflow is the target's
      return integer(type, static_cast<int64_t>(value));
  }
  Term &term = make(Term::Kind::Cast, type);
  term.operands = {operand};
  return &term;
}
const Term *Emitter::select(const Term *condition, const Term *then, const Term *otherwise) {
  Term &term = make(Term::Kind::Select, then->type);
  term.operands = {condition, then, otherwise};
  return &term;
}
const Term *Emitter::reduce(Reduction reduction, std::vector<Index> indices, const Term *element) {
  bool arg = reduction == Reduction::ArgMax || reduction == Reduction::ArgMin;
  Term &term = make(Term::Kind::Reduce, arg ? Scalar::I32 : element->type);
  term.reduction = reduction;
  term.indices = std::move(indices);
  term.operands = {element};
  return &term;
}

const Term *Emitter::renumber(const Term *term, const std::function<ValueId(ValueId)> &name,
                              std::map<const Term *, const Term *> &known) {
  if (auto found = known.find(term); found != known.end())
    return found->second;
  Term copy = *term;
  bool changed = term->kind == Term::Kind::Read;
  if (changed)
    copy.tensor = name(term->tensor);
  for (Subscript &s : copy.subscripts)
    if (s.gather)
      s.gather = renumber(s.gather, name, known);
  for (const Term *&operand : copy.operands) {
    const Term *renamed = renumber(operand, name, known);
    changed = changed || renamed != operand;
    operand = renamed;
  }
  const Term *made = term;
  if (changed)
    made = &program.terms.emplace_back(std::move(copy));
  known[term] = made;
  return made;
}

void Emitter::renumber(Value &value, const std::function<ValueId(ValueId)> &name,
                       std::map<const Term *, const Term *> &known) {
  for (ValueId &operand : value.operands)
    operand = name(operand);
  if (value.body)
    value.body = renumber(value.body, name, known);
  for (Subscript &s : value.subscripts)
    if (s.gather)
      s.gather = renumber(s.gather, name, known);
}

static void collectFree(const Term *term, std::set<const Atom *> &bound, std::set<const Atom *> &free,
                        std::set<const Term *> &seen) {
  // A term seen before under the same binders adds nothing; a reduction binds fresh atoms, so no other term mentions
  // them outside it.
  if (!seen.insert(term).second)
    return;
  auto mention = [&](const Polynomial &p) {
    for (const Atom *leaf : p.leaves())
      if (leaf->kind == AtomKind::Index && !bound.count(leaf))
        free.insert(leaf);
  };
  mention(term->size);
  for (const Subscript &s : term->subscripts) {
    if (s.gather)
      collectFree(s.gather, bound, free, seen);
    else
      mention(s.affine);
  }
  for (const Index &index : term->indices) {
    mention(index.extent);
    bound.insert(index.atom);
  }
  for (const Term *operand : term->operands)
    collectFree(operand, bound, free, seen);
}
std::set<const Atom *> Emitter::freeIndices(const Term *term) {
  std::set<const Atom *> bound, free;
  std::set<const Term *> seen;
  collectFree(term, bound, free, seen);
  return free;
}

ValueId Emitter::append(Value value) {
  value.location = location;
  body->values.push_back(std::move(value));
  return static_cast<ValueId>(body->values.size() - 1);
}
ValueId Emitter::argument(uint32_t number, TensorType type, std::string name) {
  Value value{};
  value.kind = Value::Kind::Argument;
  value.type = std::move(type);
  value.number = number;
  value.name = std::move(name);
  return append(std::move(value));
}
ValueId Emitter::weight(uint32_t model, uint32_t number, TensorType type, std::string name) {
  Value value{};
  value.kind = Value::Kind::Weight;
  value.type = std::move(type);
  value.model = model;
  value.number = number;
  value.name = std::move(name);
  return append(std::move(value));
}
ValueId Emitter::constant(TensorType type, std::vector<double> numbers) {
  Value value{};
  value.kind = Value::Kind::Constant;
  value.type = std::move(type);
  value.numbers = std::move(numbers);
  return append(std::move(value));
}
ValueId Emitter::equation(std::vector<Index> indices, const Term *element, std::string name) {
  Value value{};
  value.kind = Value::Kind::Equation;
  value.type.element = element->type;
  for (const Index &index : indices)
    value.type.extents.push_back(index.extent);
  value.indices = std::move(indices);
  value.body = element;
  value.name = std::move(name);
  value.promises = std::move(promises);
  promises.clear();
  return append(std::move(value));
}
ValueId Emitter::reshape(ValueId operand, std::vector<Polynomial> extents) {
  if (type(operand).extents == extents)
    return operand;
  Value value{};
  value.kind = Value::Kind::Reshape;
  value.type = {type(operand).element, std::move(extents)};
  value.operands = {operand};
  return append(std::move(value));
}
ValueId Emitter::concat(std::vector<ValueId> operands, uint32_t axis) {
  if (operands.size() == 1)
    return operands.front();
  Value value{};
  value.kind = Value::Kind::Concat;
  value.type = type(operands.front());
  for (size_t i = 1; i < operands.size(); ++i)
    value.type.extents[axis] = value.type.extents[axis] + type(operands[i]).extents[axis];
  value.operands = std::move(operands);
  value.axis = axis;
  return append(std::move(value));
}

std::vector<Index> Emitter::indicesFor(const std::vector<Polynomial> &extents) {
  static const char *const names[] = {"i", "j", "k", "l", "m", "n"};
  std::vector<Index> indices;
  for (const Polynomial &extent : extents)
    indices.push_back(
        {freshAtom(AtomKind::Index, indices.size() < 6 ? names[indices.size()] : "i" + std::to_string(indices.size())),
         extent});
  return indices;
}
std::vector<Subscript> Emitter::subscriptsFor(const std::vector<Index> &indices) {
  std::vector<Subscript> subscripts;
  for (const Index &index : indices) {
    Subscript s;
    s.affine = Polynomial(index.atom);
    subscripts.push_back(std::move(s));
  }
  return subscripts;
}

} // namespace nacre
