// Sizes: their normal form, their text, what facts prove and refute; then random sizes against plain evaluation.
#include "check/Facts.h"
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

using namespace nacre;

static int passed = 0, failed = 0;

static void expect(bool good, const char *condition, int line) {
  ++(good ? passed : failed);
  if (!good)
    std::printf("line %d: %s\n", line, condition);
}
#define EXPECT(condition) expect(condition, #condition, __LINE__)

static void expectText(const Polynomial &p, const std::string &text, int line) {
  expect(p.text() == text, ("got `" + p.text() + "`, want `" + text + "`").c_str(), line);
}
#define EXPECT_TEXT(p, text) expectText(p, text, __LINE__)

static const Atom *const a = nameAtom("a"), *const b = nameAtom("b"), *const c = nameAtom("c"),
                         *const d = nameAtom("d"), *const h = nameAtom("h"), *const k = nameAtom("k"),
                         *const n = nameAtom("n");
static Polynomial P(const Atom *x) { return x; }

/// Every name used as an extent is at least 1.
static Facts sizes() {
  Facts facts;
  for (const Atom *name : {a, b, c, d, h, k, n})
    facts.setLower(name, 1);
  return facts;
}

static const Atom *index(Facts &facts, const std::string &name, const Polynomial &extent) {
  const Atom *atom = freshAtom(AtomKind::Index, name);
  facts.setIndex(atom, extent);
  return atom;
}

static void normalForms() {
  EXPECT(P(a) + b == P(b) + a);
  EXPECT((P(a) + b) * (P(a) - b) == P(a) * a - P(b) * b);
  EXPECT(floorDivide(P(a) + P(b) * c, b) == floorDivide(a, b) + c);
  EXPECT(floorDivide(P(h) - 1, 2) == floorDivide(P(h) + 1, 2) - 1);
  EXPECT(floorDivide(P(h) * 2, 4) == floorDivide(h, 2));
  EXPECT(floorDivide(P(a) * b, P(a) * c) == floorDivide(b, c));
  EXPECT(floorDivide(floorDivide(h, 2), 2) == floorDivide(h, 4));
  EXPECT(floorDivide(floorDivide(P(h) + 1, 2) + 1, 2) == floorDivide(P(h) + 3, 4)); // ceil halvings
  EXPECT(floorDivide(P(a) * b, b) == a);
  EXPECT(remainder(P(a) * 6, 3) == 0);
  EXPECT(remainder(7, 3) == 1 && floorDivide(Polynomial(-7), 3) == -3);
  EXPECT(minimum(a, b) == minimum(b, a) && minimum(a, P(a) + 1) == a && maximum(a, P(a) - 1) == a);
  EXPECT(power(P(a) + 1, 2) == P(a) * a + P(a) * 2 + 1 && power(2, 10) == 1024);
  EXPECT(nameAtom("a") == a && freshAtom(AtomKind::Index, "a") != freshAtom(AtomKind::Index, "a"));
  EXPECT((P(a) * b + c).split(a)->first == b && !(P(a) * a).split(a));
  EXPECT((P(a) + floorDivide(b, 2)).leaves() == (std::vector{a, b}));
}

static void texts() {
  EXPECT_TEXT(0, "0");
  EXPECT_TEXT(-3, "-3");
  EXPECT_TEXT(P(h) - k + 1, "h - k + 1");
  EXPECT_TEXT(P(k) - h, "k - h");
  EXPECT_TEXT(Polynomial(1) - h, "1 - h");
  EXPECT_TEXT(floorDivide(h, 16) * 2, "2*(h // 16)");
  EXPECT_TEXT(floorDivide(P(h) - k, 2) + 1, "(h - k) // 2 + 1");
  EXPECT_TEXT(floorDivide(P(h) + 1, 2) - 1, "(h - 1) // 2");
  EXPECT_TEXT(floorDivide(P(h) - 3, 2) + 1, "(h - 1) // 2");
  EXPECT_TEXT(floorDivide(h, 2) - h, "h // 2 - h");
  EXPECT_TEXT(floorDivide(h, 16) * n, "n*(h // 16)");
  EXPECT_TEXT(floorDivide(a, P(b) * c), "a // (b*c)");
  EXPECT_TEXT(floorDivide(a, floorDivide(b, c)), "a // (b // c)");
  EXPECT_TEXT(-floorDivide(h, 3), "-(h // 3)");
  EXPECT_TEXT(minimum(a, P(b) * 2) + 1, "min(a, 2*b) + 1");
  EXPECT_TEXT(power(2, n) * 3, "3*2^n");
  EXPECT_TEXT(power(P(a) + b, n), "(a + b)^n");
  EXPECT_TEXT(P(h) * h, "h*h");
  EXPECT_TEXT(power(h, 3), "h^3");

  Facts facts = sizes();
  facts.assumeRemainder(h, 16);
  EXPECT_TEXT(facts.normal(h), "h");
  EXPECT_TEXT(facts.normal(floorDivide(h, 16)), "h // 16");
  EXPECT_TEXT(facts.normal(floorDivide(h, 2)), "h // 2");
  EXPECT_TEXT(facts.normal(floorDivide(h, 4) * 4 - 2), "h - 2");
  EXPECT_TEXT(facts.normal(floorDivide(h, 16) * 3), "3*(h // 16)");
  facts.assumeRemainder(k, 2, 1);
  EXPECT_TEXT(facts.normal(P(n) - k + 1), "n - k + 1");
  EXPECT_TEXT(facts.normal(floorDivide(P(k) - 1, 2)), "k // 2");
  facts.assumeRemainder(d, n);
  EXPECT_TEXT(facts.normal(floorDivide(d, n)), "d // n");
  EXPECT_TEXT(facts.normal(P(n) * floorDivide(d, n)), "d");
}

static void facts() {
  Facts facts = sizes();
  EXPECT(facts.nonNegative(P(a) - 1) && facts.positive(a) && !facts.nonNegative(P(a) - 2));
  EXPECT(facts.nonNegative((P(a) - 1) * b)); // (a' + 0) * (b' + 1)
  EXPECT(!facts.zero(P(a) - b) && facts.equal(P(a) + b, P(b) + a));

  Facts inner = facts; // a child scope does not teach its parent
  inner.assumeNonNegative(P(b) - a);
  EXPECT(inner.nonNegative(P(b) - a) && !facts.nonNegative(P(b) - a));
  inner.assumeNonNegative(P(a) - 7);
  EXPECT(inner.lower(a) == 7 && facts.lower(a) == 1 && inner.nonNegative(P(b) * 2 - 14));

  Facts even = sizes();
  even.assumeNonNegative(P(a) * 3 - 10);
  EXPECT(even.lower(a) == 4);
  even.assumeRemainder(h, 6);
  even.assumeRemainder(h, 4);
  EXPECT(even.equal(floorDivide(h, 12) * 12, h) && even.nonNegative(P(h) - 12));
  EXPECT_TEXT(even.normal(floorDivide(h, 12)), "h // 12");
  even.assumeRemainder(P(k) - 1, 2);
  EXPECT(even.equal(floorDivide(k, 2) * 2 + 1, k));

  // 2*h % m == 0 says nothing about h % m.
  Facts twice = sizes();
  twice.assumeRemainder(P(h) * 2, n);
  EXPECT(!twice.equal(floorDivide(h, n) * n, h) && twice.equal(floorDivide(P(h) * 2, n) * n, P(h) * 2));
  // h % (h + 1) == 0 must not define h by itself.
  Facts self = sizes();
  self.assumeRemainder(h, P(h) + 1);
  EXPECT(self.definitions().count(h) == 0);

  Facts equation = sizes();
  equation.assumeZero(P(c) - P(a) * 2 - b);
  EXPECT(equation.equal(P(c) * 2, P(a) * 4 + P(b) * 2) && equation.nonNegative(P(c) - 3));
  EXPECT(!equation.nonNegative(P(c) - 4));

  // Parts of one name by divisors that read alike are different parts.
  Facts odd = sizes(), any = sizes();
  odd.assumeRemainder(a, 2, 1);
  odd.assumeRemainder(d, a);
  any.assumeRemainder(d, a);
  EXPECT(any.normal(d) != odd.normal(d) && any.normal(d).text() == "d");

  // Without a known bound a name may be negative.
  EXPECT(!Facts().nonNegative(a) && !Facts().nonNegative(floorDivide(a, 2)) && !Facts().nonNegative(power(a, n)));
}

static void ranges() {
  Facts facts = sizes();
  facts.assumeNonNegative(P(h) - k);
  const Atom *i = index(facts, "i", P(h) - k + 1), *u = index(facts, "u", k);
  EXPECT(facts.nonNegative(P(h) - 1 - i - u)); // a valid convolution
  EXPECT(!facts.nonNegative(P(h) - 2 - i - u));
  EXPECT_TEXT(facts.extreme(P(i) + u, true), "h - 1");
  EXPECT_TEXT(facts.extreme(P(i) + u, false), "0");
  EXPECT(!facts.nonNegative(P(u) - i));

  // Strided convolution: i < (h - k) // s + 1.
  const Atom *s = nameAtom("s");
  facts.setLower(s, 1);
  const Atom *j = index(facts, "j", floorDivide(P(h) - k, s) + 1);
  EXPECT(facts.nonNegative(P(h) - 1 - P(j) * s - u));
  EXPECT(!facts.nonNegative(P(h) - 1 - P(j) * s - u - 1));

  // Patches: index p < (h // s) * (n // s) splits into row and column.
  const Atom *row = index(facts, "r", floorDivide(h, s)), *column = index(facts, "t", floorDivide(n, s));
  Polynomial patch = P(row) * floorDivide(n, s) + column;
  EXPECT(facts.nonNegative(floorDivide(h, s) * floorDivide(n, s) - 1 - patch));
  EXPECT(facts.quotient(patch, floorDivide(n, s)) == row);

  // Groups: channels of one group.
  Facts grouped = sizes();
  grouped.assumeRemainder(d, n);
  const Atom *o = index(grouped, "o", d), *q = index(grouped, "q", floorDivide(d, n));
  EXPECT(grouped.nonNegative(P(n) - 1 - grouped.quotient(o, floorDivide(d, n))));
  EXPECT(grouped.nonNegative(P(d) - 1 - (floorDivide(d, n) * (P(n) - 1) + q)));

  // A clamp, and a branch.
  const Atom *v = index(grouped, "v", a);
  EXPECT(grouped.nonNegative(P(b) - 1 - minimum(v, P(b) - 1)) && grouped.nonNegative(maximum(P(v) - b, 0)));
  Facts branch = grouped;
  branch.assumeNonNegative(P(v) - b);
  EXPECT(branch.nonNegative(P(v) - b) && !grouped.nonNegative(P(v) - b) && branch.nonNegative(P(a) - b - 1));
}

static void refutations() {
  auto negative = [](int64_t value) { return value < 0; };
  auto nonzero = [](int64_t value) { return value != 0; };
  Facts facts = sizes();
  auto odd = facts.counterexample(floorDivide(h, 2) * 2 - h, nonzero);
  EXPECT(odd && Facts::text(*odd) == "h = 3");
  facts.assumeRemainder(h, 16);
  EXPECT(!facts.counterexample(floorDivide(h, 2) * 2 - h, nonzero));
  auto whole = facts.counterexample(floorDivide(h, 32) * 32 - h, nonzero); // in names of the source
  EXPECT(whole && whole->begin()->first == h && whole->begin()->second % 32 == 16);
  auto fixed = facts.counterexample(P(k) - 3, negative, {{k, 3}});
  EXPECT(!fixed);
  facts.assumeRemainder(k, 2, 1);
  EXPECT(!facts.counterexample(P(k) - 3, negative, {{k, 3}}) && facts.counterexample(P(k) - 3, negative));
  auto large = facts.counterexample(Polynomial(784) - n, negative);
  EXPECT(large && large->at(n) > 784);
  const Atom *i = index(facts, "i", n);
  auto last = facts.counterexample(P(n) - 2 - i, negative);
  EXPECT(last && last->at(i) == last->at(n) - 1);
  EXPECT(!facts.counterexample(freshAtom(AtomKind::Index, "w"), negative)); // no extent, nothing to try
}

static void limits() {
  Polynomial big = INT64_MAX;
  EXPECT((big + 1).tooLarge() && (big * big).tooLarge() && (-big - 2).tooLarge() && Polynomial(INT64_MIN).tooLarge());
  EXPECT(!big.tooLarge() && (big - INT64_MAX) == 0);
  EXPECT(!Facts().nonNegative(big + 1) && !Facts().nonNegative(-(big + 1)) && !Facts().zero(big * a - big * a * 2));
  EXPECT(power(2, 64).constant() == std::nullopt && power(P(a) + b + c + d, 64).tooLarge() == false);
  EXPECT(floorDivide(a, 0).text() == "a // 0" && !floorDivide(a, 0).evaluate([](auto) { return 1; }));
  EXPECT((P(a) * INT64_MAX).evaluate([](auto) { return 2; }) == std::nullopt);
  // Nested so deep that the text would have 2^60 characters.
  Polynomial deep = a;
  for (int i = 0; i < 60; ++i)
    deep = minimum(deep * 2, deep + b) + deep;
  EXPECT(!Facts().nonNegative(deep));
  Facts facts = sizes();
  Polynomial product = 1;
  for (int i = 0; i < 200; ++i) {
    const Atom *name = nameAtom("x" + std::to_string(i));
    facts.setLower(name, 1);
    product = product * (P(name) - 1);
  }
  facts.nonNegative(product); // answers in bounded time
}

// ---- random sizes, checked by evaluating the expressions they came from

namespace {
std::mt19937 dice(7);
int between(int low, int high) { return low + static_cast<int>(dice() % static_cast<unsigned>(high - low + 1)); }

struct Expression {
  char operation; // 'n' name, 'c' constant, or + - * / % m (minimum)
  const Atom *name = nullptr;
  int64_t number = 0;
  std::vector<Expression> operands = {};

  Polynomial normal() const {
    switch (operation) {
    case 'n':
      return name;
    case 'c':
      return number;
    default:
      break;
    }
    Polynomial x = operands[0].normal(), y = operands[1].normal();
    switch (operation) {
    case '+':
      return x + y;
    case '-':
      return x - y;
    case '*':
      return x * y;
    case '/':
      return floorDivide(x, y);
    case '%':
      return remainder(x, y);
    default:
      return minimum(x, y);
    }
  }

  /// Nothing where a divisor is below 1: the checker refuses that before it asks.
  std::optional<int64_t> direct(const Assignment &values) const {
    if (operation == 'n')
      return values.at(name);
    if (operation == 'c')
      return number;
    auto x = operands[0].direct(values), y = operands[1].direct(values);
    if (!x || !y || ((operation == '/' || operation == '%') && *y < 1))
      return std::nullopt;
    int64_t quotient = operation == '/' || operation == '%' ? *x / *y - (*x % *y < 0) : 0;
    switch (operation) {
    case '+':
      return *x + *y;
    case '-':
      return *x - *y;
    case '*':
      return *x * *y;
    case '/':
      return quotient;
    case '%':
      return *x - quotient * *y;
    default:
      return std::min(*x, *y);
    }
  }
};

Expression draw(int depth, const std::vector<const Atom *> &names) {
  if (depth == 0 || between(0, 9) < 2)
    return between(0, 99) < 65 ? Expression{'n', names[dice() % names.size()]}
                               : Expression{'c', nullptr, between(-3, 7)};
  char operation = "+-**//%m"[dice() % 8];
  return {operation, nullptr, 0, {draw(depth - 1, names), draw(depth - 1, names)}};
}

struct Tally {
  int evaluations = 0, wrong = 0, held = 0, proved = 0, refuted = 0;
};

/// One random size under random facts: values agree, and what is proved holds wherever the facts do.
void check(const Expression &expression, const Facts &facts, const std::vector<Polynomial> &assumed,
           const std::vector<const Atom *> &names, const std::vector<const Atom *> &indices, Tally &tally) {
  Polynomial p = expression.normal(), q = facts.normal(p);
  bool nonNegative = facts.nonNegative(p), zero = facts.zero(p), held = true;
  int samples = 0;
  for (int round = 0; round < 60; ++round) {
    Assignment values;
    for (const Atom *name : names)
      values[name] = between(1, 9);
    auto valueOf = [&](const Atom *atom) {
      auto found = values.find(atom);
      return found == values.end() ? std::nullopt : std::optional(found->second);
    };
    bool possible = true;
    for (const Atom *i : indices) {
      auto extent = facts.extent(i)->evaluate(valueOf);
      possible = possible && extent && *extent >= 1;
      values[i] = possible ? between(0, static_cast<int>(*extent) - 1) : 0;
    }
    for (const Polynomial &fact : assumed) {
      auto value = fact.evaluate(valueOf);
      possible = possible && value && *value >= 0;
    }
    auto value = possible ? expression.direct(values) : std::nullopt;
    if (!value)
      continue;
    ++samples, ++tally.evaluations;
    held = held && *value >= 0;
    bool same = p.evaluate(valueOf).value_or(*value) == *value && q.evaluate(valueOf).value_or(*value) == *value;
    if (!same || (nonNegative && *value < 0) || (zero && *value != 0)) {
      if (++tally.wrong < 5)
        std::printf("WRONG: %s (%s) is %ld at %s\n", p.text().c_str(),
                    !same         ? "normal form"
                    : nonNegative ? "proved >= 0"
                                  : "proved 0",
                    static_cast<long>(*value), Facts::text(values).c_str());
      for (const Polynomial &fact : assumed)
        std::printf("  given %s >= 0\n", fact.text().c_str());
      for (auto &[name, definition] : facts.definitions())
        std::printf("  %s is %s\n", name->name.c_str(), definition.text().c_str());
    }
  }
  if (samples >= 20 && held) {
    ++tally.held;
    tally.proved += nonNegative;
  }
  if (samples >= 20 && !nonNegative) {
    auto example = facts.counterexample(p, [](int64_t v) { return v < 0; });
    tally.refuted += example.has_value();
    if (example && (facts.zero(p) || facts.nonNegative(p)))
      ++tally.wrong;
    if (example && assumed.empty()) {
      auto value = p.evaluate([&](const Atom *atom) -> std::optional<int64_t> { return example->at(atom); });
      tally.wrong += !value || *value >= 0;
    }
  }
}

Tally randomSizes(int cases) {
  Tally tally;
  std::vector<const Atom *> names = {a, b, c, d};
  Facts plain = sizes();
  for (int n = 0; n < cases; ++n)
    check(draw(3, names), plain, {}, names, {}, tally);
  return tally;
}

/// Facts are drawn together with the inequalities that state them.
Tally randomGoals(int cases) {
  Tally tally;
  std::vector<const Atom *> names = {a, b, c, d};
  for (int n = 0; n < cases; ++n) {
    Facts facts = sizes();
    std::vector<Polynomial> assumed;
    auto equation = [&](const Polynomial &p) { assumed.insert(assumed.end(), {p, -p}); };
    for (int count = between(0, 2); count > 0; --count) {
      Polynomial x = names[dice() % 4], y = names[dice() % 4];
      int number = between(1, 4), rest = between(0, number - 1);
      switch (between(0, 3)) {
      case 0:
        facts.assumeNonNegative(x - y * number + rest);
        assumed.push_back(x - y * number + rest);
        break;
      case 1:
        facts.assumeZero(x - y * number - rest);
        equation(x - y * number - rest);
        break;
      case 2:
        facts.assumeRemainder(x, number, rest);
        equation(remainder(x, number) - rest);
        break;
      default:
        facts.assumeRemainder(x, y, 0);
        equation(remainder(x, y));
      }
    }
    std::vector<const Atom *> indices, all = names;
    for (int count = between(0, 2); count > 0; --count) {
      Polynomial extent = names[dice() % 4];
      if (between(0, 1))
        extent = floorDivide(extent + between(0, 3), between(1, 3));
      indices.push_back(index(facts, "i", extent));
      all.push_back(indices.back());
    }
    check(draw(2, all), facts, assumed, names, indices, tally);
  }
  return tally;
}
} // namespace

static void report(const char *what, const Tally &t, double worthProving) {
  std::printf("%s: %d evaluations, %d wrong; of %d that always held %d proved; %d refuted\n", what, t.evaluations,
              t.wrong, t.held, t.proved, t.refuted);
  EXPECT(t.wrong == 0);
  EXPECT(t.evaluations > 10000 && t.held > 0 && t.proved >= worthProving * t.held && t.refuted > 0);
}

int main(int argc, char **argv) {
  int scale = argc > 1 ? std::atoi(argv[1]) : 1; // more random cases, for a long run
  normalForms();
  texts();
  facts();
  ranges();
  refutations();
  limits();
  report("random sizes", randomSizes(10000 * scale), 0.7);
  report("random goals", randomGoals(10000 * scale), 0.7);
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed > 0;
}
