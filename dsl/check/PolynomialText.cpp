// Polynomials as the source would write them. Parts that a fact introduced are written back in terms of the whole:
// with h = 16*h', the term 16*h' prints as `h`, 8*h' as `h // 2` and h' as `h // 16`.
#include "check/Polynomial.h"
#include <algorithm>
#include <map>

namespace nacre {
namespace {

/// How tightly a piece of text binds; a piece goes into parentheses where a tighter one is needed.
enum class Level { Sum, Quotient, Product, Primary };

struct Piece {
  std::string text;
  Level level;
  std::string within(Level needed) const { return level < needed ? "(" + text + ")" : text; }
};

using Numerators = std::map<const Atom *, Polynomial, AtomOrder>;
Piece write(const Polynomial &);

Piece quotient(const Piece &a, const Piece &b) {
  return {a.within(Level::Primary) + " // " + b.within(Level::Primary), Level::Quotient};
}

/// (h + k) // 2 - k, the normal form of (h - k) // 2, is written as the latter: numerators of quotients in p from which
/// a term that stands beside the quotient was taken back.
Numerators numerators(Polynomial &p) {
  Numerators changed;
  for (const Atom *a : p.atoms()) {
    auto divisor = a->kind == AtomKind::Quotient ? a->operands[1].constant() : std::nullopt;
    int64_t times = p.coefficient({a});
    if (!divisor || !times)
      continue;
    Polynomial numerator = a->operands[0], rest = p;
    for (auto &[monomial, e] : a->operands[0].terms()) {
      Polynomial term = Polynomial::fromTerms({{monomial, 1}});
      if (*divisor - e <= e && p.coefficient(monomial) == -times) {
        numerator = numerator - term * *divisor;
        rest = rest + term * times;
      }
    }
    auto rises = [](auto &term) { return !term.first.empty() && term.second > 0; };
    if (numerator == a->operands[0] || std::none_of(numerator.terms().begin(), numerator.terms().end(), rises))
      continue;
    changed[a] = numerator;
    p = rest;
  }
  return changed;
}

Piece write(const Atom *a, const Numerators &changed) {
  if (auto found = changed.find(a); found != changed.end())
    return quotient(write(found->second), write(a->operands[1]));
  if (a->part)
    return quotient(write(a->part->whole, {}), write(a->part->divisor));
  if (a->isLeaf())
    return {a->name, Level::Primary};
  Piece left = write(a->operands[0]), right = write(a->operands[1]);
  switch (a->kind) {
  case AtomKind::Quotient:
    return quotient(left, right);
  case AtomKind::Minimum:
    return {"min(" + left.text + ", " + right.text + ")", Level::Primary};
  case AtomKind::Maximum:
    return {"max(" + left.text + ", " + right.text + ")", Level::Primary};
  default:
    return {left.within(Level::Primary) + "^" + right.within(Level::Primary), Level::Product};
  }
}

/// c * rest * divisor * part = c * rest * (whole - remainder), where that is possible.
Polynomial wholes(Polynomial p) {
  for (int rounds = 0; rounds < 64; ++rounds) {
    bool changed = false;
    for (auto &[monomial, coefficient] : p.terms()) {
      for (const Atom *a : monomial) {
        if (!a->part || a->part->divisor.terms().size() != 1)
          continue;
        auto &[factors, k] = a->part->divisor.terms().front();
        Monomial needed = factors, rest;
        needed.insert(std::upper_bound(needed.begin(), needed.end(), a, AtomOrder()), a);
        if (coefficient % k != 0 ||
            !std::includes(monomial.begin(), monomial.end(), needed.begin(), needed.end(), AtomOrder()))
          continue;
        std::set_difference(monomial.begin(), monomial.end(), needed.begin(), needed.end(), std::back_inserter(rest),
                            AtomOrder());
        p = p - Polynomial::fromTerms({{monomial, coefficient}}) +
            Polynomial::fromTerms({{rest, coefficient / k}}) * (Polynomial(a->part->whole) - a->part->remainder);
        changed = true;
        break;
      }
      if (changed)
        break;
    }
    if (!changed)
      break;
  }
  return p;
}

/// One term without its sign.
Piece write(const Monomial &monomial, uint64_t coefficient, const Numerators &changed) {
  std::vector<Piece> factors;
  for (size_t i = 0; i < monomial.size();) {
    const Atom *a = monomial[i];
    size_t end = i + 1;
    while (end < monomial.size() && monomial[end] == a)
      ++end;
    auto divisor = a->part ? a->part->divisor.constant() : std::nullopt;
    if (end - i == 1 && divisor && a->part->remainder == 0 && coefficient > 1 && *divisor % coefficient == 0) {
      int64_t left = *divisor / static_cast<int64_t>(coefficient); // 8*h' with h = 16*h' is h // 2
      factors.push_back(quotient(write(a->part->whole, {}), {std::to_string(left), Level::Primary}));
      coefficient = 1;
    } else if (end - i > 2) {
      factors.push_back({write(a, changed).within(Level::Primary) + "^" + std::to_string(end - i), Level::Product});
    } else {
      factors.insert(factors.end(), end - i, write(a, changed));
    }
    i = end;
  }
  if (factors.empty())
    return {std::to_string(coefficient), Level::Primary};
  if (factors.size() == 1 && coefficient == 1)
    return factors.front();
  std::string text = coefficient == 1 ? "" : std::to_string(coefficient);
  for (const Piece &factor : factors)
    text += (text.empty() ? "" : "*") + factor.within(Level::Product);
  return {text, Level::Product};
}

Piece write(const Polynomial &p) {
  Polynomial whole = wholes(p);
  Numerators changed = numerators(whole);
  std::vector<Polynomial::Term> terms = whole.terms();
  if (terms.empty())
    return {"0", Level::Primary};
  // The constant last, and a positive term first: `h - k + 1`, `1 - h`.
  if (terms.front().first.empty())
    std::rotate(terms.begin(), terms.begin() + 1, terms.end());
  auto first = std::find_if(terms.begin(), terms.end(), [](auto &term) { return term.second > 0; });
  if (first != terms.end())
    std::rotate(terms.begin(), first, first + 1);

  std::string text;
  Level level = Level::Sum;
  for (auto &[monomial, coefficient] : terms) {
    Piece piece = write(monomial, static_cast<uint64_t>(coefficient < 0 ? -coefficient : coefficient), changed);
    if (text.empty()) {
      level = terms.size() == 1 && coefficient > 0 ? piece.level : Level::Sum;
      text = coefficient < 0 ? "-" + piece.within(Level::Product) : piece.text;
    } else {
      text += (coefficient < 0 ? " - " : " + ") + piece.text;
    }
  }
  return {text, level};
}

} // namespace

std::string Polynomial::text() const { return write(*this).text; }

} // namespace nacre
