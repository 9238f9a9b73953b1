// nacre build --report: what fused with what, how it is computed, what lies in memory between kernels and why.
#include "driver/BuildLog.h"
#include "driver/Session.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"
#include <iostream>
#include <sstream>

using namespace llvm;

namespace nacre {

std::string shortPath(const std::string &path) {
  const std::string &library = installation().library;
  if (!library.empty() && StringRef(path).starts_with(library + "/"))
    return "stdlib" + path.substr(library.size());
  return path;
}

namespace {

std::string placeText(const SourceLine &line) {
  return line.line ? shortPath(line.file) + ":" + std::to_string(line.line) : "";
}

/// "stdlib/layers/linear.nacre:9 for digits.nacre:6"
std::string longPlaceText(const SourceLine &line) {
  return placeText(line) +
         (line.callerLine ? " for " + shortPath(line.callerFile) + ":" + std::to_string(line.callerLine) : "");
}

std::string linesText(const std::vector<SourceLine> &lines) {
  std::string text;
  const SourceLine *before = nullptr;
  for (const SourceLine &line : lines) {
    bool sameCaller = before && before->callerLine == line.callerLine && before->callerFile == line.callerFile;
    text += (text.empty() ? "" : ", ") + (sameCaller ? placeText(line) : longPlaceText(line));
    before = &line;
  }
  return text;
}

void row(std::ostream &out, const char *title, const std::string &text) {
  out << "    " << title << std::string(10 - strlen(title), ' ') << text << "\n";
}

void printKernel(std::ostream &out, size_t number, const ReportedKernel &kernel) {
  out << "  " << number << "  " << kernel.name << ": " << kernel.kind << " of " << kernel.space << "\n";
  row(out, "lines", linesText(kernel.lines));
  row(out, "work", kernel.operations + " operations, " + kernel.traffic + " bytes");
  row(out, "tile", (kernel.tile.empty() ? "none" : kernel.tile) + "; " + kernel.sharing);
  for (const ReportedStore &store : kernel.stores)
    row(out, "writes",
        store.bytes + " bytes" +
            (store.reason.empty() ? " of " + std::string(store.reader == "result" ? "the result" : "a weight")
                                  : " for " + store.reader + ": " + store.reason));
  for (const std::string &fallback : kernel.fallbacks)
    row(out, "SLOW", fallback);
}

const char *wordFor(RemarkKind kind) {
  return kind == RemarkKind::Done ? "done" : kind == RemarkKind::Missed ? "missed" : "SLOW";
}

/// Functions that run when weights are drawn: one kernel or two for every weight.
bool drawsWeights(const std::string &function) { return StringRef(function).contains("__initialise"); }

bool preparesWeights(const std::string &function) { return StringRef(function).contains("__prepare"); }

} // namespace

void printReport(const Report &report, const std::string &module) {
  std::vector<std::string> functions;
  size_t drawing = 0;
  for (const ReportedKernel &kernel : report.kernels)
    if (drawsWeights(kernel.function))
      ++drawing;
    else if (std::find(functions.begin(), functions.end(), kernel.function) == functions.end())
      functions.push_back(kernel.function);
  std::ostream &out = std::cout;
  size_t slow = 0, slowLoading = 0, all = 0;
  for (const std::string &function : functions) {
    size_t number = 0;
    size_t &counted = preparesWeights(function) ? slowLoading : slow;
    out << function << "\n";
    for (const ReportedKernel &kernel : report.kernels)
      if (kernel.function == function) {
        printKernel(out, ++number, kernel);
        counted += !kernel.fallbacks.empty();
        ++all;
      }
    for (const ReportedRemark &remark : report.remarks)
      if (remark.function == function) {
        std::string place = longPlaceText(remark.place);
        row(out, wordFor(remark.kind), (place.empty() ? "" : place + ": ") + remark.text);
        counted += remark.kind == RemarkKind::Fallback;
      }
  }
  out << module << ": " << all << " kernels";
  if (drawing)
    out << ", " << drawing << " more that draw weights (in --json)";
  out << "; " << (slow ? std::to_string(slow) + " marked SLOW" : "no slow code");
  if (slowLoading)
    out << ", " << slowLoading << " where weights are prepared";
  out << "\n";
}

static json::Value lineJson(const SourceLine &line) {
  json::Object object{{"file", shortPath(line.file)}, {"line", line.line}};
  if (!line.path.empty())
    object["layer"] = line.path;
  if (line.callerLine) {
    object["caller_file"] = shortPath(line.callerFile);
    object["caller_line"] = line.callerLine;
  }
  return object;
}

json::Value reportJson(const Report &report) {
  json::Array kernels, remarks;
  for (const ReportedKernel &kernel : report.kernels) {
    json::Array lines, stores, fallbacks;
    for (const SourceLine &line : kernel.lines)
      lines.push_back(lineJson(line));
    for (const ReportedStore &store : kernel.stores)
      stores.push_back(json::Object{
          {"type", store.type}, {"bytes", store.bytes}, {"reader", store.reader}, {"reason", store.reason}});
    for (const std::string &fallback : kernel.fallbacks)
      fallbacks.push_back(fallback);
    kernels.push_back(json::Object{{"function", kernel.function},
                                   {"name", kernel.name},
                                   {"kind", kernel.kind},
                                   {"space", kernel.space},
                                   {"lines", std::move(lines)},
                                   {"tile", kernel.tile},
                                   {"sharing", kernel.sharing},
                                   {"operations", kernel.operations},
                                   {"bytes", kernel.traffic},
                                   {"stores", std::move(stores)},
                                   {"fallbacks", std::move(fallbacks)}});
  }
  for (const ReportedRemark &remark : report.remarks)
    remarks.push_back(json::Object{{"function", remark.function},
                                   {"kind", wordFor(remark.kind)},
                                   {"place", lineJson(remark.place)},
                                   {"text", remark.text}});
  return json::Object{{"kernels", std::move(kernels)}, {"remarks", std::move(remarks)}};
}

} // namespace nacre
