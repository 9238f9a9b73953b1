// What the grammar allows at a place, in words.
#pragma once
#include "syntax/ParseTree.h"
#include <set>

namespace nacre::syntax {

/// A set of token types, put together into what a person would call them.
class Expectation {
public:
  Expectation(const antlr4::dfa::Vocabulary &, const std::set<size_t> &types);

  bool allows(std::string_view literal) const { return literals.contains(std::string(literal)); }
  bool allowsName() const { return name; }
  /// "`,`, `)` or an operator".
  std::string list() const;
  /// The one word or mark that must stand here, if there is only one.
  std::string only() const { return parts.size() == 1 && parts[0].starts_with('`') ? parts[0] : std::string(); }
  /// Whether the list names something longer than a word, so that it "begins" rather than "stands" here.
  bool begins() const { return parts.size() == 1 && only().empty() && !operators && parts[0] != "a name"; }
  bool empty() const { return parts.empty(); }

private:
  std::set<std::string> literals;
  std::vector<std::string> parts;
  bool name = false, operators = false;
};

} // namespace nacre::syntax
