// Appends values to a body of the checked program, and makes the terms of their equations.
#pragma once
#include "program/Program.h"
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace nacre {

bool isReal(Scalar);
bool isIntegral(Scalar); // not bool

class Emitter {
public:
  explicit Emitter(Program &program) : program(program) {}

  Body *body = nullptr; // null: nothing is emitted, only types are computed
  Span span;            // of what is being walked
  const Location *location = nullptr;
  std::vector<std::string> promises; // for the next equation

  // ---- terms; operands of one primitive have one type already
  const Term *real(Scalar type, double value);
  const Term *integer(Scalar type, int64_t value);
  const Term *number(Scalar type, double value); // either, by type
  const Term *size(const Polynomial &);          // i64
  const Term *read(ValueId tensor, std::vector<Subscript> subscripts = {});
  const Term *apply(Primitive, std::vector<const Term *> operands);
  const Term *cast(const Term *, Scalar type);
  const Term *select(const Term *condition, const Term *then, const Term *otherwise);
  const Term *reduce(Reduction, std::vector<Index> indices, const Term *element);
  /// The term with every tensor that it reads renamed; `known` keeps terms shared that were shared.
  /// The same value over values of other numbers.
  void renumber(Value &, const std::function<ValueId(ValueId)> &, std::map<const Term *, const Term *> &known);
  const Term *renumber(const Term *, const std::function<ValueId(ValueId)> &,
                       std::map<const Term *, const Term *> &known);
  /// Index atoms that the term mentions and does not bind.
  static std::set<const Atom *> freeIndices(const Term *);

  // ---- values
  ValueId argument(uint32_t number, TensorType type, std::string name);
  ValueId weight(uint32_t model, uint32_t number, TensorType type, std::string name);
  ValueId constant(TensorType type, std::vector<double> numbers);
  ValueId equation(std::vector<Index> indices, const Term *element, std::string name = "");
  ValueId reshape(ValueId operand, std::vector<Polynomial> extents);
  ValueId concat(std::vector<ValueId> operands, uint32_t axis);
  ValueId append(Value value);
  const TensorType &type(ValueId id) const { return body->values[id].type; }

  /// Fresh indices, one per extent.
  static std::vector<Index> indicesFor(const std::vector<Polynomial> &extents);
  /// Subscripts that are these indices.
  static std::vector<Subscript> subscriptsFor(const std::vector<Index> &indices);

private:
  Term &make(Term::Kind kind, Scalar type);
  Program &program;
};

} // namespace nacre
