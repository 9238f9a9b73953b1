// What may be assumed about sizes, and what follows from it: normal forms, proofs of p >= 0, counterexamples.
#pragma once
#include "check/Polynomial.h"
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace nacre {

/// One value for each atom, oldest atom first.
using Assignment = std::map<const Atom *, int64_t, AtomOrder>;

/// The facts of one scope. A copy is a child scope: it costs one pointer, and what it assumes later does not reach the
/// original. Questions never change what is known, only what is remembered about earlier questions.
class Facts {
public:
  Facts();

  // ---- facts
  /// p >= 0. A lone name p = x - k gives the lower bound k of x.
  void assumeNonNegative(const Polynomial &p);
  /// p == 0. A name with coefficient 1 or -1 is replaced everywhere from now on (see `definitions`).
  void assumeZero(const Polynomial &p);
  /// p % m == r. A lone name h becomes m*h' + r, where the new h' prints as `h // m`.
  void assumeRemainder(const Polynomial &p, const Polynomial &m, int64_t r = 0);
  /// 0 <= index < extent.
  void setIndex(const Atom *index, const Polynomial &extent);
  /// atom >= bound; a weaker bound than the known one changes nothing. Names have no bound until it is set.
  void setLower(const Atom *atom, int64_t bound);

  std::optional<int64_t> lower(const Atom *) const;
  /// As `setIndex` got it.
  std::optional<Polynomial> extent(const Atom *index) const;
  /// Names that were replaced by what is known about them (h by 16*(h // 16)).
  const std::map<const Atom *, Polynomial, AtomOrder> &definitions() const;

  // ---- questions; an answer `false` means "not proved", never "disproved"
  /// The facts that are equations, applied: equal sizes mostly become the same polynomial.
  Polynomial normal(const Polynomial &p) const;
  bool nonNegative(const Polynomial &p) const;
  bool positive(const Polynomial &p) const { return nonNegative(p - 1); }
  bool zero(const Polynomial &p) const;
  bool equal(const Polynomial &a, const Polynomial &b) const { return a == b || zero(a - b); }
  /// p with every index whose direction is known at its last (or first) value: what a subscript reaches.
  Polynomial extreme(const Polynomial &p, bool largest) const;
  /// floor(p / q), dropping a remainder that is proved to lie in 0..q-1 or in -q..-1; q >= 1 is the caller's
  /// obligation.
  Polynomial quotient(const Polynomial &p, const Polynomial &q) const;

  // ---- refutation
  /// Small values for which `bad(value of p)` and all facts hold, in names of the source (h, not `h // 16`), or nothing
  /// found. `defaults` fixes atoms: compile-time parameters at their defaults.
  std::optional<Assignment> counterexample(const Polynomial &p, const std::function<bool(int64_t)> &bad,
                                           const Assignment &defaults = {}) const;
  /// `h = 5, k = 3`: an assignment as messages print it.
  static std::string text(const Assignment &);

private:
  friend class ProofSearch;
  struct Known;
  std::shared_ptr<Known> known; // shared between copies until one of them learns something
  Known &learn();
};

} // namespace nacre
