// Arithmetic on polynomials, and the table of atoms that makes equality of atoms a comparison of addresses.
#include "check/Polynomial.h"
#include "check/Checked.h"
#include <algorithm>
#include <deque>
#include <map>
#include <tuple>
#include <unordered_map>

namespace nacre {
namespace {

std::strong_ordering compare(const Monomial &a, const Monomial &b) {
  return std::lexicographical_compare_three_way(a.begin(), a.end(), b.begin(), b.end(),
                                                [](const Atom *x, const Atom *y) { return x->id <=> y->id; });
}

Polynomial tooLargeAtom() { return freshAtom(AtomKind::TooLarge, "(a number beyond 64 bits)"); }

// ---- the table of atoms: it grows with the distinct sizes of a run and is never emptied

struct Compound {
  AtomKind kind;
  Polynomial left, right;
  bool operator==(const Compound &) const = default;
};

struct CompoundHash {
  static void mix(size_t &hash, uint64_t value) { hash = (hash ^ value) * 0x9e3779b97f4a7c15u + (hash >> 29); }
  size_t operator()(const Compound &c) const {
    size_t hash = static_cast<size_t>(c.kind);
    for (const Polynomial *p : {&c.left, &c.right}) {
      mix(hash, p->terms().size());
      for (auto &[monomial, coefficient] : p->terms()) {
        mix(hash, static_cast<uint64_t>(coefficient));
        for (const Atom *a : monomial)
          mix(hash, a->id);
      }
    }
    return hash;
  }
};

struct AtomTable {
  std::deque<Atom> atoms; // a deque keeps addresses
  std::unordered_map<std::string, const Atom *> names;
  std::unordered_map<Compound, const Atom *, CompoundHash> compounds;
  std::map<std::tuple<uint32_t, Polynomial, int64_t>, const Atom *> parts;

  Atom &add(AtomKind kind, std::string name) {
    Atom &atom = atoms.emplace_back();
    atom.kind = kind;
    atom.id = static_cast<uint32_t>(atoms.size());
    atom.name = std::move(name);
    return atom;
  }
};

AtomTable &table() {
  static AtomTable &table = *new AtomTable;
  return table;
}

/// Atoms written out, counted up to just past `largestAtom`.
uint32_t sizeOf(const Polynomial &p) {
  uint32_t size = 1;
  for (auto &[monomial, coefficient] : p.terms())
    for (const Atom *a : monomial)
      if ((size += a->size) > largestAtom)
        return size;
  return size;
}

} // namespace

const Atom *nameAtom(const std::string &name) {
  const Atom *&atom = table().names[name];
  if (!atom)
    atom = &table().add(AtomKind::Name, name);
  return atom;
}

const Atom *freshAtom(AtomKind kind, const std::string &name) { return &table().add(kind, name); }

const Atom *partAtom(const Part &part) {
  // A part of a part, both without remainder, is a part of the whole: (h // 4) // 3 is h // 12.
  const std::optional<Part> &outer = part.whole->part;
  if (outer && outer->remainder == 0 && part.remainder == 0)
    return partAtom({outer->whole, outer->divisor * part.divisor, 0});
  // Not by its text: the text of a divisor leaves out what facts say about it.
  const Atom *&atom = table().parts[{part.whole->id, part.divisor, part.remainder}];
  if (!atom) {
    Atom &added = table().add(AtomKind::Name, part.whole->name + "'");
    added.part = part;
    atom = &added;
  }
  return atom;
}

Polynomial compound(AtomKind kind, const Polynomial &left, const Polynomial &right) {
  Compound key{kind, left, right};
  if (auto found = table().compounds.find(key); found != table().compounds.end())
    return found->second;
  uint32_t size = sizeOf(left) + sizeOf(right);
  if (size > largestAtom)
    return tooLargeAtom();
  Atom &atom = table().add(kind, "");
  atom.size = size;
  atom.operands = {left, right};
  std::vector<const Atom *> one = left.leaves(), other = right.leaves();
  std::set_union(one.begin(), one.end(), other.begin(), other.end(), std::back_inserter(atom.leaves), AtomOrder());
  table().compounds.emplace(std::move(key), &atom);
  return &atom;
}

// ---- construction

void Polynomial::setConstant(int64_t constant) {
  if (!inRange(constant))
    *this = tooLargeAtom();
  else if (constant != 0)
    list = {{{}, constant}};
}

Polynomial::Polynomial(const Atom *atom) : list{{{atom}, 1}} {}

Polynomial Polynomial::fromTerms(std::vector<Term> terms) {
  for (Term &term : terms) {
    if (term.first.size() > largestDegree)
      return tooLargeAtom();
    std::sort(term.first.begin(), term.first.end(), AtomOrder());
  }
  std::sort(terms.begin(), terms.end(), [](const Term &a, const Term &b) { return compare(a.first, b.first) < 0; });
  Polynomial result;
  for (Term &term : terms) {
    if (result.list.empty() || result.list.back().first != term.first) {
      if (!result.list.empty() && result.list.back().second == 0)
        result.list.pop_back();
      result.list.push_back(std::move(term));
    } else if (Checked sum = checkedAdd(result.list.back().second, term.second)) {
      result.list.back().second = *sum;
    } else {
      return tooLargeAtom();
    }
  }
  if (!result.list.empty() && result.list.back().second == 0)
    result.list.pop_back();
  return result.list.size() > mostTerms ? tooLargeAtom() : result;
}

// ---- arithmetic

Polynomial operator+(const Polynomial &a, const Polynomial &b) {
  std::vector<Polynomial::Term> terms = a.list;
  terms.insert(terms.end(), b.list.begin(), b.list.end());
  return Polynomial::fromTerms(std::move(terms));
}

Polynomial Polynomial::operator-() const {
  Polynomial result = *this;
  for (Term &term : result.list)
    term.second = -term.second;
  return result;
}

Polynomial operator-(const Polynomial &a, const Polynomial &b) { return a + -b; }

Polynomial operator*(const Polynomial &a, const Polynomial &b) {
  if (a.list.size() * b.list.size() > 4 * mostTerms)
    return tooLargeAtom();
  std::vector<Polynomial::Term> terms;
  terms.reserve(a.list.size() * b.list.size());
  for (auto &[left, c] : a.list)
    for (auto &[right, d] : b.list) {
      Checked product = checkedMultiply(c, d);
      if (!product)
        return tooLargeAtom();
      Monomial both = left;
      both.insert(both.end(), right.begin(), right.end());
      terms.emplace_back(std::move(both), *product);
    }
  return Polynomial::fromTerms(std::move(terms));
}

std::strong_ordering operator<=>(const Polynomial &a, const Polynomial &b) {
  return std::lexicographical_compare_three_way(a.list.begin(), a.list.end(), b.list.begin(), b.list.end(),
                                                [](const Polynomial::Term &x, const Polynomial::Term &y) {
                                                  auto order = compare(x.first, y.first);
                                                  return order != 0 ? order : x.second <=> y.second;
                                                });
}

// ---- what it consists of

std::optional<int64_t> Polynomial::constant() const {
  if (list.empty())
    return 0;
  return list.size() == 1 && list[0].first.empty() ? std::optional(list[0].second) : std::nullopt;
}

int64_t Polynomial::coefficient(const Monomial &monomial) const {
  for (auto &[m, c] : list)
    if (m == monomial)
      return c;
  return 0;
}

std::vector<const Atom *> Polynomial::atoms() const {
  std::vector<const Atom *> all;
  for (auto &[monomial, coefficient] : list)
    all.insert(all.end(), monomial.begin(), monomial.end());
  std::sort(all.begin(), all.end(), AtomOrder());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

std::vector<const Atom *> Polynomial::leaves() const {
  std::vector<const Atom *> all;
  for (const Atom *a : atoms())
    if (a->isLeaf())
      all.push_back(a);
    else
      all.insert(all.end(), a->leaves.begin(), a->leaves.end());
  std::sort(all.begin(), all.end(), AtomOrder());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

bool Polynomial::tooLarge() const {
  std::vector<const Atom *> all = leaves();
  return std::any_of(all.begin(), all.end(), [](const Atom *a) { return a->kind == AtomKind::TooLarge; });
}

std::optional<std::pair<Polynomial, Polynomial>> Polynomial::split(const Atom *x) const {
  std::vector<Term> with, without;
  for (const Term &term : list) {
    auto place = std::find(term.first.begin(), term.first.end(), x);
    if (place == term.first.end()) {
      without.push_back(term);
      continue;
    }
    Monomial rest(term.first.begin(), place);
    rest.insert(rest.end(), place + 1, term.first.end());
    if (std::find(rest.begin(), rest.end(), x) != rest.end())
      return std::nullopt;
    with.emplace_back(std::move(rest), term.second);
  }
  return std::pair(fromTerms(std::move(with)), fromTerms(std::move(without)));
}

// ---- walks over all atoms

static Polynomial rebuild(AtomKind kind, const Polynomial &left, const Polynomial &right) {
  switch (kind) {
  case AtomKind::Quotient:
    return floorDivide(left, right);
  case AtomKind::Minimum:
    return minimum(left, right);
  case AtomKind::Maximum:
    return maximum(left, right);
  default:
    return power(left, right);
  }
}

Polynomial Polynomial::substitute(const std::function<std::optional<Polynomial>(const Atom *)> &f) const {
  Polynomial sum;
  for (auto &[monomial, coefficient] : list) {
    Polynomial product = coefficient;
    for (const Atom *a : monomial)
      if (std::optional<Polynomial> value = f(a))
        product = product * *value;
      else if (a->isLeaf())
        product = product * a;
      else
        product = product * rebuild(a->kind, a->operands[0].substitute(f), a->operands[1].substitute(f));
    sum = sum + product;
  }
  return sum;
}

static Checked evaluateAtom(const Atom *a, const std::function<std::optional<int64_t>(const Atom *)> &valueOf) {
  if (a->isLeaf()) {
    Checked value = valueOf(a);
    if (value || !a->part)
      return value;
    Checked whole = evaluateAtom(a->part->whole, valueOf), divisor = a->part->divisor.evaluate(valueOf);
    return whole && divisor && *divisor >= 1 ? Checked(floorDivide(*whole, *divisor)) : Checked();
  }
  Checked left = a->operands[0].evaluate(valueOf), right = a->operands[1].evaluate(valueOf);
  if (!left || !right)
    return {};
  switch (a->kind) {
  case AtomKind::Quotient:
    return *right >= 1 ? Checked(floorDivide(*left, *right)) : Checked();
  case AtomKind::Minimum:
    return std::min(*left, *right);
  case AtomKind::Maximum:
    return std::max(*left, *right);
  default:
    return checkedPower(*left, *right);
  }
}

std::optional<int64_t> Polynomial::evaluate(const std::function<std::optional<int64_t>(const Atom *)> &valueOf) const {
  int64_t sum = 0;
  for (auto &[monomial, coefficient] : list) {
    Checked product = coefficient;
    for (const Atom *a : monomial) {
      Checked value = evaluateAtom(a, valueOf);
      product = value && product ? checkedMultiply(*product, *value) : Checked();
    }
    Checked next = product ? checkedAdd(sum, *product) : Checked();
    if (!next)
      return {};
    sum = *next;
  }
  return sum;
}

// ---- minimum, maximum, power

static Polynomial extremum(AtomKind kind, const Polynomial &a, const Polynomial &b) {
  if (std::optional<int64_t> difference = (a - b).constant())
    return (*difference <= 0) == (kind == AtomKind::Minimum) ? a : b;
  return a < b ? compound(kind, a, b) : compound(kind, b, a); // one form for min(a, b) and min(b, a)
}

Polynomial minimum(const Polynomial &a, const Polynomial &b) { return extremum(AtomKind::Minimum, a, b); }
Polynomial maximum(const Polynomial &a, const Polynomial &b) { return extremum(AtomKind::Maximum, a, b); }

Polynomial power(const Polynomial &base, const Polynomial &exponent) {
  std::optional<int64_t> times = exponent.constant(), number = base.constant();
  if (times && number)
    if (Checked value = checkedPower(*number, *times))
      return *value;
  if (times && *times >= 0 && *times <= 64 && !number) {
    Polynomial product = 1;
    for (int64_t i = 0; i < *times && product.terms().size() <= mostTerms / 4; ++i)
      product = product * base;
    if (product.terms().size() <= mostTerms / 4 && !product.tooLarge())
      return product;
  }
  return compound(AtomKind::Power, base, exponent);
}

} // namespace nacre
