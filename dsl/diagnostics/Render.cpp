// Diagnostics as text for people, lines for editors, JSON for programs.
#include "diagnostics/Diagnostic.h"
#include "diagnostics/Excerpt.h"
#include <algorithm>
#include <nlohmann/json.hpp>

namespace nacre {
namespace {

std::string_view severityName(const Diagnostic &d) {
  return info(d.kind).severity == Severity::Error ? "error" : "warning";
}

/// Where a diagnostic is: the place of its first label that has one.
Span placeOf(const Diagnostic &d) { return d.labels.empty() ? Span() : d.labels.front().span; }

std::string counted(size_t number, std::string_view what) {
  return std::to_string(number) + " " + std::string(what) + (number == 1 ? "" : "s");
}

void text(const Diagnostic &d, const Palette &paint, std::string &out) {
  bool error = info(d.kind).severity == Severity::Error;
  std::string_view colour = error ? paint.error : paint.warning;
  auto put = [&](auto... parts) { (out.append(std::string_view(parts)), ...); };

  put(colour, severityName(d), "[", info(d.kind).name, "]", paint.reset, paint.strong, ": ", d.headline, paint.reset,
      "\n");
  unsigned gutter = gutterWidth(d.labels);
  out += excerpt(d.labels, paint, colour, gutter);
  auto note = [&](std::string_view lead, std::string_view body) {
    std::string mark = std::string(gutter + 2, ' ') + "= ";
    put(paint.gutter, mark, paint.reset, lead);
    std::string indent(mark.size() + lead.size(), ' ');
    for (size_t i = 0; i < body.size();) { // later lines of a note under its first
      size_t end = std::min(body.find('\n', i), body.size());
      put(i ? indent : "", body.substr(i, end - i), "\n");
      i = end + 1;
    }
  };
  for (const std::string &line : d.chain)
    note("", line);
  if (!d.hint.empty())
    note("hint: ", d.hint);
}

void line(const Diagnostic &d, std::string &out) {
  std::string one;
  if (Span place = placeOf(d)) {
    Position at = characterPosition(*place.file, place.begin);
    one += place.file->path() + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) + ": ";
  }
  one.append(severityName(d)).append("[").append(info(d.kind).name).append("]: ").append(d.headline);
  if (!d.hint.empty())
    one += "; hint: " + d.hint;
  std::replace(one.begin(), one.end(), '\n', ' ');
  out += one + "\n";
}

nlohmann::ordered_json json(const Diagnostic &d) {
  nlohmann::ordered_json result;
  result["kind"] = info(d.kind).name;
  result["severity"] = severityName(d);
  result["headline"] = d.headline;
  result["labels"] = nlohmann::ordered_json::array();
  for (const Label &label : d.labels) {
    if (!label.span)
      continue;
    Position begin = characterPosition(*label.span.file, label.span.begin);
    Position end = characterPosition(*label.span.file, label.span.end); // behind the last character
    nlohmann::ordered_json one;
    one["file"] = label.span.file->path();
    one["line"] = begin.line;
    one["column"] = begin.column;
    one["endLine"] = end.line;
    one["endColumn"] = end.column;
    one["text"] = label.text;
    result["labels"].push_back(std::move(one));
  }
  result["chain"] = d.chain;
  result["hint"] = d.hint;
  return result;
}
} // namespace

std::string render(const Diagnostics &diagnostics, DiagnosticFormat format, bool colour) {
  std::string out;
  if (format == DiagnosticFormat::Json) {
    auto all = nlohmann::ordered_json::array();
    for (const Diagnostic &d : diagnostics.all())
      all.push_back(json(d));
    // Paths need not be UTF-8; what is not is replaced, as JSON demands.
    return all.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  }
  for (const Diagnostic &d : diagnostics.all()) {
    if (format == DiagnosticFormat::Line) {
      line(d, out);
      continue;
    }
    text(d, palette(colour), out);
    out += "\n";
  }
  if (format == DiagnosticFormat::Text && !diagnostics.all().empty()) {
    size_t errors = diagnostics.errorCount(), warnings = diagnostics.all().size() - errors;
    out += errors ? counted(errors, "error") : "";
    out += errors && warnings ? ", " : "";
    out += warnings ? counted(warnings, "warning") : "";
    out += "\n";
  }
  return out;
}

} // namespace nacre
