// Counterexamples: small values of the names for which a size is wrong while all facts hold. They put numbers into
// messages and tell "false" from "not proved".
#include "check/Checked.h"
#include "check/Known.h"
#include <algorithm>
#include <random>

namespace nacre {
namespace {

constexpr int tries = 600;

/// The unknowns of one refutation in the order in which they get values.
struct Unknowns {
  std::vector<const Atom *> names;   // anything but indices
  std::vector<const Atom *> indices; // each after those in its extent
};

bool contains(const std::vector<const Atom *> &list, const Atom *a) {
  return std::find(list.begin(), list.end(), a) != list.end();
}

/// False when p has a leaf whose values cannot be enumerated.
bool collect(const Polynomial &p, const std::function<std::optional<Polynomial>(const Atom *)> &extent, Unknowns &all) {
  for (const Atom *leaf : p.leaves()) {
    if (contains(all.names, leaf) || contains(all.indices, leaf))
      continue;
    if (leaf->kind == AtomKind::TooLarge)
      return false;
    if (leaf->kind != AtomKind::Index) {
      all.names.push_back(leaf);
      continue;
    }
    std::optional<Polynomial> size = extent(leaf);
    if (!size || !collect(*size, extent, all))
      return false;
    all.indices.push_back(leaf);
  }
  return true;
}

/// Values that usually show a mistake, the most readable first; then the neighbours of the numbers that occur.
std::vector<int64_t> candidates(std::optional<int64_t> low, const std::vector<int64_t> &landmarks) {
  std::vector<int64_t> values;
  auto add = [&](int64_t v) {
    if ((!low || v >= *low) && std::find(values.begin(), values.end(), v) == values.end())
      values.push_back(v);
  };
  for (int64_t v : {3, 2, 1, 5, 4, 7, 8, 0})
    add(low && *low > 1 ? checkedAdd(*low, v - 1).value_or(*low) : v);
  for (int64_t v : landmarks)
    for (int64_t near : {v + 1, v, v - 1})
      add(near);
  return values;
}

/// Constants of the polynomials, without sign; few and not so large that products of them would overflow.
std::vector<int64_t> numbersIn(const std::vector<Polynomial> &all) {
  std::vector<int64_t> numbers;
  for (const Polynomial &p : all)
    for (auto &[monomial, coefficient] : p.terms()) {
      int64_t number = std::abs(coefficient);
      if (number > 8 && number < 1'000'000 && numbers.size() < 8 &&
          std::find(numbers.begin(), numbers.end(), number) == numbers.end())
        numbers.push_back(number);
    }
  return numbers;
}

} // namespace

std::optional<Assignment> Facts::counterexample(const Polynomial &asked, const std::function<bool(int64_t)> &bad,
                                                const Assignment &defaults) const {
  Polynomial p = normal(asked);
  auto extentOf = [&](const Atom *index) {
    std::optional<Polynomial> size = extent(index);
    return size ? std::optional(normal(*size)) : size;
  };
  Unknowns unknowns;
  if (!collect(p, extentOf, unknowns))
    return std::nullopt;

  // The facts that speak of these unknowns, and those that speak of what these facts bring in.
  std::vector<Polynomial> facts, rest = known->atLeastZero;
  for (bool grown = true; grown;) {
    grown = false;
    for (size_t i = 0; i < rest.size();) {
      std::vector<const Atom *> leaves = rest[i].leaves();
      bool related = std::any_of(leaves.begin(), leaves.end(), [&](const Atom *a) {
        return contains(unknowns.names, a) || contains(unknowns.indices, a);
      });
      if (!related) {
        ++i;
        continue;
      }
      if (!collect(rest[i], extentOf, unknowns))
        return std::nullopt;
      facts.push_back(rest[i]);
      rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(i));
      grown = true;
    }
  }
  std::sort(unknowns.names.begin(), unknowns.names.end(), AtomOrder());

  // A default of a name that a fact replaced (k = 2*k' + 1 with k = 3) fixes the part.
  Assignment fixed = defaults;
  for (auto &[name, value] : defaults) {
    Polynomial now = normal(name);
    std::vector<const Atom *> atoms = now.atoms();
    auto parts = atoms.size() == 1 ? now.split(atoms[0]) : std::nullopt;
    if (!parts || !parts->first.isConstant() || atoms[0] == name)
      continue;
    int64_t k = *parts->first.constant();
    Checked difference = checkedAdd(value, -*parts->second.constant());
    if (difference && *difference % k == 0)
      fixed[atoms[0]] = *difference / k;
  }

  std::vector<Polynomial> sources = facts;
  sources.push_back(p);
  std::vector<int64_t> landmarks = numbersIn(sources);
  std::vector<std::vector<int64_t>> choices;
  for (const Atom *name : unknowns.names)
    if (auto found = fixed.find(name); found != fixed.end())
      choices.push_back({found->second});
    else
      choices.push_back(candidates(name->kind == AtomKind::Group ? std::optional<int64_t>(1) : lower(name), landmarks));
  for (size_t i = 0; i < unknowns.indices.size(); ++i)
    choices.push_back({2, 0, 1}); // halves of the way to the last value: last, first, middle

  int64_t combinations = 1;
  for (auto &choice : choices)
    combinations = std::min<int64_t>(combinations * static_cast<int64_t>(choice.size()), tries + 1);
  std::mt19937 dice(1);
  std::vector<Polynomial> sizes;
  for (const Atom *index : unknowns.indices)
    sizes.push_back(*extentOf(index));

  for (int64_t attempt = 0; attempt < std::min<int64_t>(combinations, tries); ++attempt) {
    // All combinations when they are few, else the first and then random ones.
    std::vector<int64_t> picked;
    int64_t digits = attempt;
    for (auto &choice : choices) {
      size_t at = combinations <= tries ? static_cast<size_t>(digits) % choice.size()
                  : attempt == 0        ? 0
                                        : dice() % choice.size();
      digits /= static_cast<int64_t>(choice.size());
      picked.push_back(choice[at]);
    }
    Assignment values;
    auto valueOf = [&](const Atom *a) {
      auto found = values.find(a);
      return found == values.end() ? std::nullopt : std::optional(found->second);
    };
    for (size_t i = 0; i < unknowns.names.size(); ++i)
      values[unknowns.names[i]] = picked[i];
    bool possible = true;
    for (size_t i = 0; i < unknowns.indices.size() && possible; ++i) {
      std::optional<int64_t> size = sizes[i].evaluate(valueOf);
      possible = size && *size >= 1;
      if (possible)
        values[unknowns.indices[i]] = (*size - 1) / 2 * picked[unknowns.names.size() + i] +
                                      (picked[unknowns.names.size() + i] == 2 ? (*size - 1) % 2 : 0);
    }
    possible = possible && std::all_of(facts.begin(), facts.end(), [&](const Polynomial &fact) {
                 std::optional<int64_t> value = fact.evaluate(valueOf);
                 return value && *value >= 0;
               });
    std::optional<int64_t> value = possible ? p.evaluate(valueOf) : std::nullopt;
    if (!value || !bad(*value))
      continue;

    // In names of the source; an index tells little without the names in its extent.
    Assignment shown;
    std::vector<const Atom *> leaves = asked.leaves();
    for (const Atom *index : unknowns.indices)
      if (contains(leaves, index))
        for (const Atom *leaf : extent(index)->leaves())
          leaves.push_back(leaf);
    for (const Atom *leaf : leaves) {
      while (leaf->part)
        leaf = leaf->part->whole;
      if (std::optional<int64_t> seen = normal(leaf).evaluate(valueOf))
        shown[leaf] = *seen;
    }
    return shown;
  }
  return std::nullopt;
}

std::string Facts::text(const Assignment &values) {
  std::string text;
  for (auto &[atom, value] : values)
    text += (text.empty() ? "" : ", ") + atom->name + " = " + std::to_string(value);
  return text;
}

} // namespace nacre
