// Dimensions: integer polynomials over interned atoms, in one normal form, so that equal sizes compare equal.
#pragma once
#include <compare>
#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nacre {

struct Atom;

/// A product of atoms, sorted by age; empty for the constant term.
using Monomial = std::vector<const Atom *>;

/// A sum of coefficient * monomial, sorted, without zero coefficients.
class Polynomial {
public:
  using Term = std::pair<Monomial, int64_t>;

  Polynomial() = default;         // 0
  template <std::integral Number> // a template, for a literal 0 would also be a null `Atom *`
  Polynomial(Number constant) {
    setConstant(static_cast<int64_t>(constant));
  }
  Polynomial(const Atom *atom);

  const std::vector<Term> &terms() const { return list; }
  std::optional<int64_t> constant() const;
  bool isConstant() const { return constant().has_value(); }

  friend Polynomial operator+(const Polynomial &, const Polynomial &);
  friend Polynomial operator-(const Polynomial &, const Polynomial &);
  friend Polynomial operator*(const Polynomial &, const Polynomial &);
  Polynomial operator-() const;
  friend bool operator==(const Polynomial &, const Polynomial &) = default;
  /// By the age of atoms, so the same in every run.
  friend std::strong_ordering operator<=>(const Polynomial &, const Polynomial &);

  /// Atoms that occur at top level, and all names and indices inside them; oldest first.
  std::vector<const Atom *> atoms() const;
  std::vector<const Atom *> leaves() const;
  /// Some number in it left the range of 64 bits, or it grew past the limits below: nothing is known about it.
  bool tooLarge() const;
  /// The coefficient of one monomial, 0 if it does not occur.
  int64_t coefficient(const Monomial &) const;
  /// (a, b) with this = a*x + b, or nothing when x is not linear here.
  std::optional<std::pair<Polynomial, Polynomial>> split(const Atom *x) const;
  /// Replaces atoms for which `f` answers; the others are rebuilt in normal form.
  Polynomial substitute(const std::function<std::optional<Polynomial>(const Atom *)> &f) const;
  /// The value when every leaf has one; nothing if a leaf has none, a divisor is below 1 or a number leaves 64 bits.
  std::optional<int64_t> evaluate(const std::function<std::optional<int64_t>(const Atom *)> &valueOf) const;
  /// As the source would write it: `2*(h // 16)`, `h - k + 1`.
  std::string text() const;

  /// Sorts monomials and terms, adds up equal monomials, drops zeros.
  static Polynomial fromTerms(std::vector<Term>);

private:
  void setConstant(int64_t);
  std::vector<Term> list;
};

enum class AtomKind : uint8_t {
  Name,     // a rigid dimension or an `int` parameter
  Index,    // an index of an equation or a loop counter, distinct per binding place
  Quotient, // floor(a / b) that did not simplify
  Minimum,
  Maximum,
  Power,   // on integers, kept whole
  Group,   // the element count of a rigid rank group
  TooLarge // a true integer that this representation cannot hold; equal only to itself, without any bound
};

/// What a name introduced by `h % 16 == 5` stands for: (whole - remainder) / divisor.
struct Part {
  const Atom *whole;
  Polynomial divisor;
  int64_t remainder;
};

/// Interned: two atoms are equal when their addresses are. Older atoms have smaller ids.
struct Atom {
  AtomKind kind;
  uint32_t id;
  uint32_t size = 1;                // atoms written out, at most `largestAtom`
  std::string name;                 // leaves: Name, Index, Group, TooLarge
  std::vector<Polynomial> operands; // Quotient, Minimum, Maximum, Power: two
  std::vector<const Atom *> leaves; // of the operands, oldest first; empty for a leaf
  std::optional<Part> part;         // of a Name

  bool isLeaf() const { return operands.empty(); }
};

struct AtomOrder {
  bool operator()(const Atom *a, const Atom *b) const { return a->id < b->id; }
};

/// Limits, far above what programs need; beyond them a size becomes `TooLarge` instead of taking time or memory.
constexpr uint32_t largestAtom = 512; // atoms inside one atom
constexpr size_t largestDegree = 128; // atoms in one monomial
constexpr size_t mostTerms = 1024;    // terms of one polynomial

const Atom *nameAtom(const std::string &name);                 // the same for the same text
const Atom *freshAtom(AtomKind kind, const std::string &name); // Name, Index or Group, never equal to another
const Atom *partAtom(const Part &);                            // the same for the same part of the same atom

// Every operation yields a true statement about integers. Where a number leaves 64 bits or a limit is passed, the
// result is a fresh `TooLarge` atom, about which nothing can be proved. Divisors must be >= 1 (the caller's
// obligation).
Polynomial floorDivide(const Polynomial &, const Polynomial &);
Polynomial remainder(const Polynomial &, const Polynomial &);
/// (s, r) with p = q*s + r, where every term of p that the leading term of q divides is reduced.
std::pair<Polynomial, Polynomial> divide(const Polynomial &p, const Polynomial &q);
/// The atom of two operands as it stands, without simplification.
Polynomial compound(AtomKind, const Polynomial &, const Polynomial &);
Polynomial minimum(const Polynomial &, const Polynomial &);
Polynomial maximum(const Polynomial &, const Polynomial &);
Polynomial power(const Polynomial &, const Polynomial &);

} // namespace nacre
