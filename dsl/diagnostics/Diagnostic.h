// What the front end tells people: one kind, a headline with numbers, the spans that contributed them, one hint.
#pragma once
#include "source/Source.h"
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace nacre {

/// Every situation that can be reported; Kinds.def is the table.
enum class Kind : uint16_t {
#define KIND(id, name, severity, summary, story) id,
#include "diagnostics/Kinds.def"
};
enum class Severity : uint8_t { Error, Warning };

struct KindInfo {
  std::string_view name; // dimension-mismatch
  Severity severity;
  std::string_view summary; // one sentence
  std::string_view story;   // what `nacre explain` prints: why it is an error, an example, the way out
};
const KindInfo &info(Kind);
const std::vector<Kind> &allKinds();
/// False if no kind has this name.
bool kindNamed(std::string_view name, Kind &kind);

/// A span and what it contributed ("784 here"); the text may be empty.
struct Label {
  Span span;
  std::string text;
};

struct Diagnostic {
  Kind kind;
  std::string headline;           // lower case, no full stop, code in backticks
  std::vector<Label> labels;      // the first one is where the problem is; the others contribute
  std::vector<std::string> chain; // one line per enclosing call: "in `conv2` = Conv2d[o = 10, k = 5], net.nacre:5:15"
  std::string hint;               // one concrete edit, or empty
};

/// Collects the diagnostics of one run; equal (kind, place) pairs are kept once.
class Diagnostics {
public:
  void report(Diagnostic);
  bool failed() const { return errors > 0; }
  size_t errorCount() const { return errors; }
  const std::vector<Diagnostic> &all() const { return list; }
  /// Forget everything reported after `size` entries (`expect error`).
  void truncate(size_t size);

private:
  /// What makes two reports one: the kind and the place, or the headline if there is no place.
  using Key = std::tuple<Kind, const SourceFile *, uint32_t, uint32_t, std::string>;
  static Key key(const Diagnostic &);

  std::vector<Diagnostic> list;
  std::set<Key> seen;
  size_t errors = 0;
};

enum class DiagnosticFormat : uint8_t { Text, Line, Json };
/// All diagnostics in order, as people (Text), editors (Line) or programs (Json) read them.
std::string render(const Diagnostics &, DiagnosticFormat, bool colour = false);

} // namespace nacre
