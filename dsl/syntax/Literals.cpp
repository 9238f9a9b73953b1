#include "syntax/Literals.h"
#include <algorithm>
#include <charconv>
#include <iterator>

namespace nacre::syntax {
namespace {
std::string withoutUnderscores(std::string_view text) {
  std::string digits;
  std::copy_if(text.begin(), text.end(), std::back_inserter(digits), [](char c) { return c != '_'; });
  return digits;
}
} // namespace

std::optional<int64_t> integerValue(std::string_view text) {
  std::string digits = withoutUnderscores(text);
  bool hexadecimal = digits.starts_with("0x");
  const char *begin = digits.data() + (hexadecimal ? 2 : 0), *end = digits.data() + digits.size();
  int64_t value = 0;
  auto [rest, code] = std::from_chars(begin, end, value, hexadecimal ? 16 : 10);
  return code == std::errc() && rest == end ? std::optional(value) : std::nullopt;
}

std::optional<double> realValue(std::string_view text) {
  std::string digits = withoutUnderscores(text);
  double value = 0;
  auto [rest, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (code == std::errc())
    return value;
  // Out of range says nothing of the direction; a number this short overflows only by its exponent, or by having 309
  // digits before the point.
  size_t exponent = digits.find_first_of("eE");
  bool tiny = exponent != std::string::npos ? digits[exponent + 1] == '-' : digits.find('.') < 300;
  return tiny ? std::optional(0.0) : std::nullopt;
}

std::string stringValue(std::string_view quoted, std::vector<size_t> *bad) {
  static constexpr std::string_view escaped = "nrt\"\\", meant = "\n\r\t\"\\";
  std::string result;
  for (size_t i = 1; i + 1 < quoted.size(); ++i) {
    if (quoted[i] != '\\') {
      result += quoted[i];
      continue;
    }
    size_t which = escaped.find(quoted[i + 1]);
    if (which != std::string_view::npos) {
      result += meant[which];
      ++i;
      continue;
    }
    if (bad)
      bad->push_back(i);
    result += '\\';
  }
  return result;
}

} // namespace nacre::syntax
