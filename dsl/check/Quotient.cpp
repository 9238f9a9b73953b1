// Floor quotients in normal form: what divides is taken out, chains become one quotient, common factors cancel.
#include "check/Checked.h"
#include "check/Polynomial.h"
#include <algorithm>
#include <numeric>

namespace nacre {
namespace {

using Term = Polynomial::Term;

/// Graded order: by degree, then by the age of atoms. It is compatible with multiplication, so `divide` ends.
bool graded(const Term &a, const Term &b) {
  if (a.first.size() != b.first.size())
    return a.first.size() < b.first.size();
  return std::lexicographical_compare(a.first.begin(), a.first.end(), b.first.begin(), b.first.end(), AtomOrder());
}

const Term &leading(const Polynomial &p) { return *std::max_element(p.terms().begin(), p.terms().end(), graded); }

/// dividend / divisor as sets with repetition, or nothing.
std::optional<Monomial> without(const Monomial &dividend, const Monomial &divisor) {
  if (!std::includes(dividend.begin(), dividend.end(), divisor.begin(), divisor.end(), AtomOrder()))
    return std::nullopt;
  Monomial rest;
  std::set_difference(dividend.begin(), dividend.end(), divisor.begin(), divisor.end(), std::back_inserter(rest),
                      AtomOrder());
  return rest;
}

template <typename F> Polynomial mapTerms(const Polynomial &p, F change) {
  std::vector<Term> terms = p.terms();
  for (Term &term : terms)
    change(term);
  return Polynomial::fromTerms(std::move(terms));
}

/// The greatest common divisor of all coefficients.
int64_t content(const Polynomial &p, const Polynomial &q) {
  int64_t common = 0;
  for (const Polynomial *one : {&p, &q})
    for (auto &[monomial, coefficient] : one->terms())
      common = std::gcd(common, coefficient);
  return common;
}

/// The atoms that every term contains.
Monomial commonAtoms(const Polynomial &p, const Polynomial &q) {
  Monomial common = p.terms().front().first;
  for (const Polynomial *one : {&p, &q})
    for (auto &[monomial, coefficient] : one->terms()) {
      Monomial both;
      std::set_intersection(common.begin(), common.end(), monomial.begin(), monomial.end(), std::back_inserter(both),
                            AtomOrder());
      common = std::move(both);
    }
  return common;
}

/// Each step makes the numerator less nested; the limit is a safety net, beyond it the quotient stays as it is.
constexpr int mostSteps = 64;

Polynomial quotient(const Polynomial &p, const Polynomial &q, int steps) {
  std::optional<int64_t> divisor = q.constant();
  if (divisor == 1)
    return p;
  if (divisor && *divisor < 1) // refused by whoever wrote it
    return compound(AtomKind::Quotient, p, q);
  if (std::optional<int64_t> dividend = p.constant(); dividend && divisor)
    return floorDivide(*dividend, *divisor);

  auto [s, r] = divide(p, q);
  std::optional<int64_t> rest = r.constant();
  if (rest == 0)
    return s;
  if (rest && divisor)
    return s + floorDivide(*rest, *divisor);
  if (steps == 0)
    return s + compound(AtomKind::Quotient, r, q);

  // (x // y + k) // c = (x + k*y) // (y*c): a chain of halvings becomes one atom.
  for (const Atom *a : r.atoms()) {
    if (a->kind != AtomKind::Quotient)
      continue;
    auto parts = r.split(a);
    if (parts && parts->first.constant() == 1) {
      const Polynomial &x = a->operands[0], &y = a->operands[1];
      return s + quotient(x + parts->second * y, q * y, steps - 1);
    }
  }
  // (2*h) // 4 = h // 2
  if (int64_t common = content(r, q); common > 1) {
    auto cut = [&](Term &term) { term.second /= common; };
    return s + quotient(mapTerms(r, cut), mapTerms(q, cut), steps - 1);
  }
  // (a*b) // (a*c) = b // c
  if (Monomial common = commonAtoms(r, q); !common.empty()) {
    auto cut = [&](Term &term) { term.first = *without(term.first, common); };
    return s + quotient(mapTerms(r, cut), mapTerms(q, cut), steps - 1);
  }
  return s + compound(AtomKind::Quotient, r, q);
}

} // namespace

std::pair<Polynomial, Polynomial> divide(const Polynomial &p, const Polynomial &q) {
  if (q.terms().empty())
    return {0, p};
  auto [lead, k] = leading(q);
  Polynomial s, r, todo = p;
  while (!todo.terms().empty()) {
    Term top = leading(todo);
    std::optional<Monomial> rest = without(top.first, lead);
    int64_t times = rest && k > 0 ? floorDivide(top.second, k) : 0;
    if (times) {
      Polynomial t = Polynomial::fromTerms({{*rest, times}});
      s = s + t;
      todo = todo - q * t;
    }
    if (int64_t left = todo.coefficient(top.first)) { // 0..k-1, or not divisible
      Polynomial t = Polynomial::fromTerms({{top.first, left}});
      r = r + t;
      todo = todo - t;
    }
  }
  return {s, r};
}

Polynomial floorDivide(const Polynomial &p, const Polynomial &q) { return quotient(p, q, mostSteps); }
Polynomial remainder(const Polynomial &p, const Polynomial &q) { return p - q * floorDivide(p, q); }

} // namespace nacre
