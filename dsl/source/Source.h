// Source files and the places in them. Everything later points back here by Span.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nacre {

class SourceFile;

/// A half-open range of bytes of one file. A default Span points nowhere.
struct Span {
  const SourceFile *file = nullptr;
  uint32_t begin = 0, end = 0;

  explicit operator bool() const { return file != nullptr; }
  std::string_view text() const;
  friend bool operator==(const Span &, const Span &) = default;
};

/// Line and column as people count them: from 1, columns in bytes.
struct Position {
  uint32_t line = 1, column = 1;
};

class SourceFile {
public:
  SourceFile(std::string path, std::string text);

  const std::string &path() const { return filePath; }
  const std::string &text() const { return contents; }
  Position position(uint32_t offset) const;
  /// The text of a line (from 1) without its line end.
  std::string_view line(uint32_t number) const;
  uint32_t lineCount() const { return static_cast<uint32_t>(lineStarts.size()); }
  uint32_t lineBegin(uint32_t number) const { return lineStarts[number - 1]; }

private:
  std::string filePath, contents;
  std::vector<uint32_t> lineStarts;
};

/// Owns the files of one compilation, so that spans stay valid; a path is read once.
class SourceManager {
public:
  /// The file at `path`, or null with the reason in `problem`.
  const SourceFile *load(const std::string &path, std::string &problem);
  /// A file that exists only in memory (tests, editors).
  const SourceFile *add(std::string path, std::string text);

private:
  std::vector<std::unique_ptr<SourceFile>> files;
};

} // namespace nacre
