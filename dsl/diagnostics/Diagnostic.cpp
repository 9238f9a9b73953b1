#include "diagnostics/Diagnostic.h"
#include <algorithm>
#include <array>

namespace nacre {
namespace {
constexpr KindInfo table[] = {
#define KIND(id, name, severity, summary, story) {name, Severity::severity, summary, story},
#include "diagnostics/Kinds.def"
};
} // namespace

const KindInfo &info(Kind kind) { return table[static_cast<size_t>(kind)]; }

const std::vector<Kind> &allKinds() {
  static const std::vector<Kind> kinds = [] {
    std::vector<Kind> all;
    for (size_t i = 0; i < std::size(table); ++i)
      all.push_back(static_cast<Kind>(i));
    return all;
  }();
  return kinds;
}

bool kindNamed(std::string_view name, Kind &kind) {
  auto found = std::find_if(std::begin(table), std::end(table), [&](const KindInfo &k) { return k.name == name; });
  if (found == std::end(table))
    return false;
  kind = static_cast<Kind>(found - std::begin(table));
  return true;
}

void Diagnostics::report(Diagnostic diagnostic) {
  auto place = [](const Diagnostic &d) { return d.labels.empty() ? Span() : d.labels.front().span; };
  // Without a place, the headline tells two reports of one kind apart.
  auto same = [&](const Diagnostic &other) {
    return other.kind == diagnostic.kind && place(other) == place(diagnostic) &&
           (place(other) || other.headline == diagnostic.headline);
  };
  if (std::any_of(list.begin(), list.end(), same))
    return;
  errors += info(diagnostic.kind).severity == Severity::Error;
  list.push_back(std::move(diagnostic));
}

void Diagnostics::truncate(size_t size) {
  while (list.size() > size) {
    errors -= info(list.back().kind).severity == Severity::Error;
    list.pop_back();
  }
}

} // namespace nacre
