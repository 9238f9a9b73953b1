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

Diagnostics::Key Diagnostics::key(const Diagnostic &d) {
  Span place = d.labels.empty() ? Span() : d.labels.front().span;
  return {d.kind, place.file, place.begin, place.end, place ? std::string() : d.headline};
}

void Diagnostics::report(Diagnostic diagnostic) {
  if (!seen.insert(key(diagnostic)).second)
    return;
  errors += info(diagnostic.kind).severity == Severity::Error;
  list.push_back(std::move(diagnostic));
}

void Diagnostics::truncate(size_t size) {
  while (list.size() > size) {
    errors -= info(list.back().kind).severity == Severity::Error;
    seen.erase(key(list.back()));
    list.pop_back();
  }
}

} // namespace nacre
