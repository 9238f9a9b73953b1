// 64-bit arithmetic that answers nothing instead of overflowing. The range is symmetric, so negation never overflows.
#pragma once
#include <cstdint>
#include <limits>
#include <optional>

namespace nacre {

using Checked = std::optional<int64_t>;

inline Checked inRange(int64_t a) { return a == std::numeric_limits<int64_t>::min() ? Checked() : a; }
inline Checked checkedAdd(int64_t a, int64_t b) {
  int64_t sum;
  return __builtin_add_overflow(a, b, &sum) ? Checked() : inRange(sum);
}
inline Checked checkedMultiply(int64_t a, int64_t b) {
  int64_t product;
  return __builtin_mul_overflow(a, b, &product) ? Checked() : inRange(product);
}
/// Rounds towards minus infinity; b >= 1.
inline int64_t floorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0); }
/// Rounds towards plus infinity; b >= 1.
inline int64_t ceilDivide(int64_t a, int64_t b) { return a / b + (a % b > 0); }
/// In 0..b-1; b >= 1.
inline int64_t floorRemainder(int64_t a, int64_t b) { return a % b < 0 ? a % b + b : a % b; }

inline Checked checkedPower(int64_t base, int64_t exponent) {
  if (exponent < 0)
    return {};
  if (base == 0 || base == 1)
    return exponent == 0 ? 1 : base;
  if (base == -1)
    return exponent % 2 ? -1 : 1;
  Checked power = 1; // |base| >= 2: the loop ends after at most 63 rounds
  while (power && exponent-- > 0)
    power = checkedMultiply(*power, base);
  return power;
}

} // namespace nacre
