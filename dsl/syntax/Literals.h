// The values of numbers and strings as they are written.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nacre::syntax {

/// `1_000`, `0xff`; nothing if it does not fit 64 bits.
std::optional<int64_t> integerValue(std::string_view);
/// `1.5e3`; nothing if it is beyond the largest real. What is too small to tell from zero is zero.
std::optional<double> realValue(std::string_view);

/// The text between the quotes with its escapes resolved. `bad` receives the places of unknown ones, in `quoted`, of
/// which the text keeps the backslash.
std::string stringValue(std::string_view quoted, std::vector<size_t> *bad = nullptr);

} // namespace nacre::syntax
