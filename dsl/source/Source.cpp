#include "source/Source.h"
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace nacre {

std::string_view Span::text() const {
  return file ? std::string_view(file->text()).substr(begin, end - begin) : std::string_view();
}

// A line ends with "\n", "\r\n" or a lone "\r", as in the grammar's whitespace.
SourceFile::SourceFile(std::string path, std::string text) : filePath(std::move(path)), contents(std::move(text)) {
  lineStarts.push_back(0);
  for (size_t i = 0; i < contents.size(); ++i)
    if (contents[i] == '\n' || (contents[i] == '\r' && (i + 1 == contents.size() || contents[i + 1] != '\n')))
      lineStarts.push_back(static_cast<uint32_t>(i + 1));
}

Position SourceFile::position(uint32_t offset) const {
  auto next = std::upper_bound(lineStarts.begin(), lineStarts.end(), offset);
  auto line = static_cast<uint32_t>(next - lineStarts.begin());
  return {line, offset - lineStarts[line - 1] + 1};
}

std::string_view SourceFile::line(uint32_t number) const {
  if (number == 0 || number > lineCount())
    return {};
  size_t begin = lineStarts[number - 1];
  size_t end = number < lineCount() ? lineStarts[number] : contents.size();
  std::string_view text = std::string_view(contents).substr(begin, end - begin);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r'))
    text.remove_suffix(1);
  return text;
}

const SourceFile *SourceManager::load(const std::string &path, std::string &problem) {
  for (const auto &file : files)
    if (file->path() == path)
      return file.get();

  std::error_code code;
  auto status = std::filesystem::status(path, code);
  if (std::filesystem::is_directory(status)) {
    problem = "it is a folder";
    return nullptr;
  }
  // Spans hold 32-bit offsets; the parser's own limit is far below, so that its message is the usual one.
  if (auto size = std::filesystem::file_size(path, code); !code && size > UINT32_MAX / 2) {
    problem = "it is larger than 2 GB";
    return nullptr;
  }
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    problem = errno ? std::strerror(errno) : "it cannot be opened";
    return nullptr;
  }
  std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  if (stream.bad()) {
    problem = errno ? std::strerror(errno) : "it cannot be read";
    return nullptr;
  }
  return add(path, std::move(text));
}

const SourceFile *SourceManager::add(std::string path, std::string text) {
  files.push_back(std::make_unique<SourceFile>(std::move(path), std::move(text)));
  return files.back().get();
}

} // namespace nacre
