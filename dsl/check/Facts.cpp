// What may be assumed: bounds, inequalities, and equations that replace a name by what is known about it.
#include "check/Facts.h"
#include "check/Checked.h"
#include "check/Known.h"
#include <algorithm>
#include <numeric>

namespace nacre {

Facts::Facts() : known(std::make_shared<Known>()) {}

Facts::Known &Facts::learn() {
  if (known.use_count() > 1)
    known = std::make_shared<Known>(*known);
  known->answers.clear();
  known->exhausted = false;
  return *known;
}

// ---- normal form

Polynomial Facts::Known::normal(Polynomial p) const {
  auto defined = [&](const Atom *a) { return definitions.count(a) > 0; };
  auto define = [&](const Atom *a) {
    auto found = definitions.find(a);
    return found == definitions.end() ? std::nullopt : std::optional(found->second);
  };
  // A definition mentions only names that were not defined before it, so this ends.
  for (std::vector<const Atom *> leaves = p.leaves(); std::any_of(leaves.begin(), leaves.end(), defined);
       leaves = p.leaves())
    p = p.substitute(define);
  return p;
}

Polynomial Facts::normal(const Polynomial &p) const { return known->definitions.empty() ? p : known->normal(p); }

std::optional<int64_t> Facts::lower(const Atom *atom) const {
  auto found = known->lows.find(atom);
  return found == known->lows.end() ? std::nullopt : std::optional(found->second);
}

std::optional<Polynomial> Facts::extent(const Atom *index) const {
  auto found = known->extents.find(index);
  return found == known->extents.end() ? std::nullopt : std::optional(found->second);
}

const std::map<const Atom *, Polynomial, AtomOrder> &Facts::definitions() const { return known->definitions; }

// ---- assumptions

void Facts::setIndex(const Atom *index, const Polynomial &extent) { learn().extents[index] = extent; }

void Facts::setLower(const Atom *atom, int64_t bound) {
  if (std::optional<int64_t> before = lower(atom); before && *before >= bound)
    return;
  learn().lows[atom] = bound;
  if (auto found = known->definitions.find(atom); found != known->definitions.end())
    assumeNonNegative(found->second - bound);
}

void Facts::assumeNonNegative(const Polynomial &fact) {
  Polynomial p = normal(fact);
  if (p.constant() || p.tooLarge())
    return;
  std::vector<const Atom *> atoms = p.atoms();
  if (atoms.size() == 1 && (atoms[0]->kind == AtomKind::Name || atoms[0]->kind == AtomKind::Group))
    if (auto parts = p.split(atoms[0])) // k*x + c >= 0, so x >= ceil(-c / k)
      if (int64_t k = *parts->first.constant(); k > 0)
        return setLower(atoms[0], ceilDivide(-*parts->second.constant(), k));
  if (std::find(known->atLeastZero.begin(), known->atLeastZero.end(), p) == known->atLeastZero.end())
    learn().atLeastZero.push_back(p);
}

/// From now on `name` is `value`; what was known about the name becomes known about the value.
static void define(Facts &facts, std::map<const Atom *, Polynomial, AtomOrder> &definitions,
                   std::vector<Polynomial> &atLeastZero, const Atom *name, const Polynomial &value) {
  std::optional<int64_t> low = facts.lower(name);
  definitions[name] = value;
  std::vector<Polynomial> before = std::move(atLeastZero);
  atLeastZero.clear();
  for (const Polynomial &p : before)
    facts.assumeNonNegative(p);
  if (low)
    facts.assumeNonNegative(value - *low);
}

void Facts::assumeZero(const Polynomial &fact) {
  Polynomial p = normal(fact);
  if (p.constant() || p.tooLarge())
    return;
  std::vector<const Atom *> atoms = p.atoms();
  for (auto place = atoms.rbegin(); place != atoms.rend(); ++place) { // the newest name is the one to replace
    const Atom *name = *place;
    auto parts = name->kind == AtomKind::Name ? p.split(name) : std::nullopt;
    if (!parts || (parts->first.constant() != 1 && parts->first.constant() != -1))
      continue;
    std::vector<const Atom *> inside = parts->second.leaves();
    if (std::binary_search(inside.begin(), inside.end(), name, AtomOrder()))
      continue;
    Known &mine = learn();
    return define(*this, mine.definitions, mine.atLeastZero, name, parts->second * -*parts->first.constant());
  }
  assumeNonNegative(p);
  assumeNonNegative(-p);
}

void Facts::assumeRemainder(const Polynomial &fact, const Polynomial &modulus, int64_t r) {
  Polynomial p = normal(fact), m = normal(modulus);
  std::optional<int64_t> number = m.constant();
  if (p.tooLarge() || m.tooLarge() || r < 0 || (number && (*number < 1 || r >= *number)))
    return;
  if (remainder(p - r, m).constant() == 0)
    return;
  if (int64_t offset = p.coefficient({}); offset && number) { // (h - 1) % 2 == 0 is h % 2 == 1
    p = p - offset;
    r = floorRemainder(r - floorRemainder(offset, *number), *number);
  }
  // k*h % m == 0  <=>  h % (m / gcd(k, m)) == 0
  const auto &terms = p.terms();
  const Atom *name = terms.size() == 1 && terms[0].first.size() == 1 ? terms[0].first[0] : nullptr;
  if (name && name->kind == AtomKind::Name) {
    int64_t k = terms[0].second;
    std::vector<const Atom *> inside = m.leaves();
    bool free = !std::binary_search(inside.begin(), inside.end(), name, AtomOrder());
    if (free && (k == 1 || (r == 0 && number))) {
      Polynomial divisor = number ? Polynomial(*number / std::gcd(k, *number)) : m;
      const Atom *part = partAtom({name, divisor, r});
      std::optional<int64_t> low = lower(name);
      Known &mine = learn();
      define(*this, mine.definitions, mine.atLeastZero, name, divisor * part + r);
      if (low && !number && *low >= 0) // h' = floor(h / m) >= 0, and a multiple of m that is >= 1 is at least m
        setLower(part, r == 0 && *low >= 1 ? 1 : 0);
      return;
    }
  }
  // q*(p // q) + r = p: serves only where that quotient occurs.
  Polynomial multiple = m * floorDivide(p, m) + r - p;
  assumeNonNegative(multiple);
  assumeNonNegative(-multiple);
}

// ---- questions

bool Facts::nonNegative(const Polynomial &p) const {
  Polynomial q = normal(p);
  if (std::optional<int64_t> number = q.constant())
    return *number >= 0;
  return ProofSearch(*known).nonNegative(q, ProofSearch::depth);
}

bool Facts::zero(const Polynomial &p) const {
  Polynomial q = normal(p);
  if (std::optional<int64_t> number = q.constant())
    return *number == 0;
  return nonNegative(q) && nonNegative(-q);
}

Polynomial Facts::extreme(const Polynomial &p, bool largest) const {
  return ProofSearch(*known).extreme(normal(p), largest, 6);
}

Polynomial Facts::quotient(const Polynomial &p, const Polynomial &q) const {
  auto [s, r] = divide(p, q);
  if (r.constant() != 0 && !(q.isConstant() && r.isConstant())) {
    Polynomial rest = normal(r), divisor = normal(q);
    auto proved = [&](const Polynomial &goal) { return ProofSearch(*known).nonNegative(goal, 3); };
    if (proved(rest) && proved(divisor - 1 - rest))
      return s;
    if (proved(-rest - 1) && proved(divisor + rest))
      return s - 1;
  }
  return floorDivide(p, q);
}

} // namespace nacre
