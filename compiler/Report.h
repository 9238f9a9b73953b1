// What `nacre build --report` says about the code of a program, as data: kernels in the order of the program, and what
// passes had to say. The driver turns it into text and JSON.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace nacre {

/// A line of a source file, and the line of the model that led to it: equations of the library are written once and
/// called from many lines of a model.
struct SourceLine {
  std::string file;
  unsigned line = 0;
  std::string path; // of the layer, `encoder.fc1`
  std::string callerFile;
  unsigned callerLine = 0; // 0: the line itself is in the file of the model

  friend bool operator==(const SourceLine &, const SourceLine &) = default;
};

enum class RemarkKind : uint8_t {
  Done,    // something was improved: an operand packed, a long sum split
  Missed,  // something that a reader may have hoped for was not done, and why
  Fallback // slow code was made, and why
};

struct ReportedRemark {
  RemarkKind kind;
  std::string function; // `digits_predict`
  SourceLine place;
  std::string text;
};

/// What a kernel leaves in memory, who reads it there, and why that reader is not part of the kernel.
struct ReportedStore {
  std::string type; // memref<?x10xf32>
  std::string bytes;
  std::string reader; // name of a kernel, "result", or another op
  std::string reason; // empty for results
};

struct ReportedKernel {
  std::string function, name, kind; // digits_predict, fc1.product.linear_9, product
  std::string space;                // "n x 128, summed over 64"
  std::vector<SourceLine> lines;    // of all equations in it, the root's first
  unsigned equations = 1;
  std::string tile;                // "14 rows of 2 vectors of 16 along axis 1"; empty: scalar code
  std::string sharing;             // how threads share it
  std::string operations, traffic; // formulas of the sizes: floating-point operations, bytes read and written
  std::vector<ReportedStore> stores;
  std::vector<std::string> fallbacks;
};

struct Report {
  std::vector<ReportedKernel> kernels;
  std::vector<ReportedRemark> remarks;
};

} // namespace nacre
