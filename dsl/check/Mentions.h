// Which values of a body a value of it is computed from.
#pragma once
#include "program/Program.h"
#include <functional>
#include <set>

namespace nacre {

/// Calls `use` with every value that a value mentions itself; what stands in bodies inside it mentions none of these.
class Mentions {
public:
  explicit Mentions(std::function<void(ValueId)> use) : use(std::move(use)) {}
  void of(const Value &v) {
    for (ValueId operand : v.operands)
      use(operand);
    of(v.body);
    of(v.subscripts);
  }

private:
  void of(const std::vector<Subscript> &subscripts) {
    for (const Subscript &s : subscripts)
      of(s.gather);
  }
  void of(const Term *term) {
    if (!term || !seen.insert(term).second)
      return;
    if (term->kind == Term::Kind::Read)
      use(term->tensor);
    of(term->subscripts);
    for (const Term *operand : term->operands)
      of(operand);
  }

  std::function<void(ValueId)> use;
  std::set<const Term *> seen;
};

} // namespace nacre
