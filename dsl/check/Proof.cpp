// Proofs of p >= 0: shift every atom by its lower bound; else cancel a quotient or eliminate an atom, and try again.
// Each step makes a goal smaller than p for all values that the facts allow, so a proved goal proves p.
#include "check/Checked.h"
#include "check/Known.h"
#include <algorithm>

namespace nacre {

ProofSearch::ProofSearch(Facts::Known &known) : known(known) {
  if (known.exhausted)
    known.answers.clear();
  known.exhausted = false;
}

bool ProofSearch::nonNegative(const Polynomial &p, int depth) {
  if (std::optional<int64_t> number = p.constant())
    return *number >= 0;
  auto [place, first] = known.answers.try_emplace({p, depth}, false); // `false` also answers a goal that meets itself
  if (!first)
    return place->second;
  if (--budget < 0) {
    known.exhausted = true;
    return false;
  }
  bool proved = everyTermPositive(p);
  if (!proved && depth > 0) {
    // Newest first, for what a bound introduces is older than what it replaces; and indices before all else.
    std::vector<const Atom *> atoms = p.atoms();
    std::reverse(atoms.begin(), atoms.end());
    auto anyOf = [&](auto step) { return std::any_of(atoms.begin(), atoms.end(), step); };
    auto isIndex = [](const Atom *x) { return x->kind == AtomKind::Index; };
    proved = anyOf([&](const Atom *x) { return cancelQuotient(p, x, depth); }) ||
             anyOf([&](const Atom *x) { return isIndex(x) && eliminate(p, x, depth); }) ||
             anyOf([&](const Atom *x) { return !isIndex(x) && eliminate(p, x, depth); });
  }
  known.answers[{p, depth}] = proved;
  return proved;
}

// ---- constant lower bounds

std::optional<int64_t> ProofSearch::lowest(const Atom *a) {
  if (auto found = known.lows.find(a); found != known.lows.end())
    return found->second;
  switch (a->kind) {
  case AtomKind::Name:
  case AtomKind::TooLarge:
    return std::nullopt;
  case AtomKind::Index:
    return known.extents.count(a) ? std::optional<int64_t>(0) : std::nullopt;
  case AtomKind::Group:
    return 1;
  case AtomKind::Power: // base >= 1, exponent >= 0
    return lowest(a->operands[0]).value_or(0) >= 1 && nonNegative(a->operands[1], 3) ? std::optional<int64_t>(1)
                                                                                     : std::nullopt;
  default:
    break;
  }
  std::optional<int64_t> left = lowest(a->operands[0]), right = lowest(a->operands[1]);
  if (!left || !right)
    return std::nullopt;
  switch (a->kind) {
  case AtomKind::Quotient: {
    if (*right < 1)
      return std::nullopt;
    if (std::optional<int64_t> divisor = a->operands[1].constant())
      return nacre::floorDivide(*left, *divisor);
    return *left >= 0 ? std::optional<int64_t>(0) : std::nullopt;
  }
  case AtomKind::Minimum:
    return std::min(*left, *right);
  default: // Maximum
    return std::max(*left, *right);
  }
}

/// Below p when all its terms grow with their atoms.
std::optional<int64_t> ProofSearch::lowest(const Polynomial &p) {
  int64_t sum = 0;
  for (auto &[monomial, coefficient] : p.terms()) {
    Checked term = coefficient;
    for (const Atom *a : monomial) {
      std::optional<int64_t> low = lowest(a);
      if (!low || *low < 0 || coefficient < 0)
        return std::nullopt;
      term = term ? checkedMultiply(*term, *low) : term;
    }
    Checked next = term ? checkedAdd(sum, *term) : Checked();
    if (!next)
      return std::nullopt;
    sum = *next;
  }
  return sum;
}

/// With x = x' + lowest(x), x' >= 0, for every atom: all coefficients >= 0.
bool ProofSearch::everyTermPositive(const Polynomial &p) {
  std::map<const Atom *, Polynomial, AtomOrder> shifted;
  for (const Atom *a : p.atoms()) {
    std::optional<int64_t> low = lowest(a);
    if (!low)
      return false;
    shifted[a] = Polynomial(a) + *low;
  }
  Polynomial sum;
  for (auto &[monomial, coefficient] : p.terms()) {
    Polynomial product = coefficient;
    for (const Atom *a : monomial)
      product = product * shifted[a];
    sum = sum + product;
  }
  return !sum.tooLarge() &&
         std::all_of(sum.terms().begin(), sum.terms().end(), [](auto &term) { return term.second >= 0; });
}

// ---- steps

/// p = s*q*x + b with x = e // q: q*x lies in e - q + 1 .. e.
bool ProofSearch::cancelQuotient(const Polynomial &p, const Atom *x, int depth) {
  if (x->kind != AtomKind::Quotient)
    return false;
  auto parts = p.split(x);
  if (!parts)
    return false;
  const Polynomial &e = x->operands[0], &q = x->operands[1], &b = parts->second;
  auto [s, rest] = divide(parts->first, q);
  if (rest != 0 || s == 0 || !nonNegative(q - 1, depth - 1))
    return false;
  return (nonNegative(s, depth - 3) && nonNegative(s * (e - q + 1) + b, depth - 1)) ||
         (nonNegative(-s, depth - 3) && nonNegative(s * e + b, depth - 1));
}

/// p = a*x + b: x at its lower bounds where a >= 0, at its upper bounds where a <= 0.
bool ProofSearch::eliminate(const Polynomial &p, const Atom *x, int depth) {
  auto parts = p.split(x);
  if (!parts)
    return false;
  const auto &[a, b] = *parts;
  int signDepth = a.isConstant() ? 0 : depth - 3;
  bool upper = !nonNegative(a, signDepth);
  if (upper && !nonNegative(-a, signDepth))
    return false;
  if (x->kind == (upper ? AtomKind::Maximum : AtomKind::Minimum)) // it is one of the two: both must do
    return nonNegative(a * x->operands[0] + b, depth - 1) && nonNegative(a * x->operands[1] + b, depth - 1);
  return anyBound(x, upper, depth, [&](const Polynomial &m, const Polynomial &bound) {
    auto [s, rest] = divide(a, m);
    return nonNegative(rest == 0 ? s * bound + b : a * bound + m * b, depth - 1);
  });
}

bool ProofSearch::anyBound(const Atom *x, bool upper, int depth,
                           const std::function<bool(const Polynomial &, const Polynomial &)> &use) {
  switch (x->kind) {
  case AtomKind::Index:
    if (known.extents.count(x) && use(1, upper ? known.lastValue(x) : Polynomial(0)))
      return true;
    break;
  case AtomKind::Quotient: {
    const Polynomial &e = x->operands[0], &q = x->operands[1];
    if (Polynomial f = extreme(e, upper, depth); f != e && use(1, quotient(f, q, depth)))
      return true;
    if (Polynomial s = quotient(e, q, depth); s != x && use(1, s))
      return true;
    if (nonNegative(q - 1, depth - 1) && use(q, upper ? e : e - q + 1))
      return true;
    break;
  }
  case AtomKind::Minimum:
  case AtomKind::Maximum:
    if (use(1, x->operands[0]) || use(1, x->operands[1]))
      return true;
    break;
  case AtomKind::Power:
    if (!upper && lowest(x) == 1 && use(1, 1))
      return true;
    break;
  default:
    break;
  }
  for (const Polynomial &fact : known.atLeastZero) { // k*x + d >= 0
    auto parts = fact.split(x);
    std::optional<int64_t> k = parts ? parts->first.constant() : std::nullopt;
    if (k && *k != 0 && (*k < 0) == upper && use(std::abs(*k), upper ? parts->second : -parts->second))
      return true;
  }
  return false;
}

/// Every index whose direction is known, at its last or first value. Newest first: an extent may mention older indices.
Polynomial ProofSearch::extreme(Polynomial p, bool largest, int depth) {
  std::vector<const Atom *> atoms = p.atoms();
  for (auto place = atoms.rbegin(); place != atoms.rend(); ++place) {
    const Atom *x = *place;
    bool isIndex = x->kind == AtomKind::Index && known.extents.count(x);
    auto parts = isIndex || x->kind == AtomKind::Quotient ? p.split(x) : std::nullopt;
    if (!parts)
      continue;
    const auto &[a, b] = *parts;
    bool rising = nonNegative(a, depth - 3);
    if (!rising && !nonNegative(-a, depth - 3))
      continue;
    if (isIndex) {
      p = rising == largest ? a * known.lastValue(x) + b : b;
    } else if (depth > 3) { // a quotient follows its numerator
      Polynomial numerator = extreme(x->operands[0], rising == largest, depth - 3);
      if (numerator != x->operands[0])
        p = a * quotient(numerator, x->operands[1], depth) + b;
    }
  }
  return p;
}

Polynomial ProofSearch::quotient(const Polynomial &p, const Polynomial &q, int depth) {
  auto [s, r] = divide(p, q);
  if (depth > 2 && r.constant() != 0) {
    if (nonNegative(r, depth - 3) && nonNegative(q - 1 - r, depth - 3))
      return s;
    if (nonNegative(-r - 1, depth - 3) && nonNegative(q + r, depth - 3))
      return s - 1;
  }
  return nacre::floorDivide(p, q);
}

} // namespace nacre
