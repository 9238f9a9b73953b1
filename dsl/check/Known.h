// What one scope knows, shared by its copies, and the search for proofs over it. Private to Facts.
#pragma once
#include "check/Facts.h"
#include <unordered_map>

namespace nacre {

struct Facts::Known {
  std::map<const Atom *, int64_t, AtomOrder> lows;           // atom >= bound
  std::map<const Atom *, Polynomial, AtomOrder> extents;     // 0 <= index < extent
  std::vector<Polynomial> atLeastZero;                       // polynomials known to be >= 0
  std::map<const Atom *, Polynomial, AtomOrder> definitions; // name == polynomial, free of that name

  // Answers of earlier questions, valid as long as nothing new is learned.
  struct Goal {
    Polynomial p;
    int depth;
    friend auto operator<=>(const Goal &, const Goal &) = default;
    friend bool operator==(const Goal &, const Goal &) = default;
  };
  std::map<Goal, bool> answers;
  bool exhausted = false; // some failures in `answers` were for want of budget and say nothing

  Polynomial normal(Polynomial p) const;
  Polynomial lastValue(const Atom *index) const { return normal(extents.at(index)) - 1; }
};

/// One question: a depth-first search with a budget of subgoals. All polynomials here are in normal form under the
/// facts.
class ProofSearch {
public:
  static constexpr int depth = 9;
  static constexpr int subgoals = 128;

  explicit ProofSearch(Facts::Known &known);
  bool nonNegative(const Polynomial &p, int depth);
  Polynomial extreme(Polynomial p, bool largest, int depth);
  Polynomial quotient(const Polynomial &p, const Polynomial &q, int depth);

private:
  std::optional<int64_t> lowest(const Atom *);
  std::optional<int64_t> lowest(const Polynomial &);
  bool everyTermPositive(const Polynomial &);
  bool cancelQuotient(const Polynomial &, const Atom *x, int depth);
  bool eliminate(const Polynomial &, const Atom *x, int depth);
  /// Calls `use(m, bound)` for each m*x <= bound (upper) or m*x >= bound (not upper) with m >= 1, until one answers
  /// true.
  bool anyBound(const Atom *x, bool upper, int depth,
                const std::function<bool(const Polynomial &, const Polynomial &)> &use);

  Facts::Known &known;
  int budget = subgoals;
};

} // namespace nacre
