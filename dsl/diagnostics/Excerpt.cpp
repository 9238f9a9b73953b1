#include "diagnostics/Excerpt.h"
#include <algorithm>

namespace nacre {
namespace {

/// One row of marks: a part of one line, counted in its bytes.
struct Mark {
  const SourceFile *file;
  uint32_t line, begin, end;
  bool primary, skipsLines; // a gap between the first and the last line of a span
  std::string_view text;
};

/// A line as a terminal shows it: tabs expanded, control characters replaced, `column[i]` the cell of byte i.
struct Shown {
  std::string text;
  std::vector<uint32_t> column; // one more than bytes
  std::vector<uint32_t> start;  // where byte i begins in `text`
};

constexpr uint32_t tabStop = 4;
constexpr uint32_t widestLine = 180; // cells; longer lines are shown in part

uint32_t decode(std::string_view text, size_t i, size_t &length) {
  auto byte = [&](size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u; };
  uint32_t first = byte(i);
  length = first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 0;
  if (length == 1)
    return first;
  uint32_t code = length ? first & (0xFF >> (length + 1)) : 0;
  for (size_t k = 1; k < length; ++k) {
    if ((byte(i + k) & 0xC0) != 0x80)
      length = 0;
    else
      code = code << 6 | (byte(i + k) & 0x3F);
  }
  if (length)
    return code;
  length = 1;
  return 0xFFFD;
}

/// Cells that a character takes: none for combining marks, two for East Asian wide ones and pictures.
uint32_t cells(uint32_t code) {
  bool combining = (code >= 0x300 && code <= 0x36F) || (code >= 0x200B && code <= 0x200F) ||
                   (code >= 0x20D0 && code <= 0x20FF) || (code >= 0xFE00 && code <= 0xFE0F);
  bool wide = (code >= 0x1100 && code <= 0x115F) || (code >= 0x2E80 && code <= 0xA4CF) ||
              (code >= 0xAC00 && code <= 0xD7A3) || (code >= 0xF900 && code <= 0xFAFF) ||
              (code >= 0xFE30 && code <= 0xFE6F) || (code >= 0xFF00 && code <= 0xFF60) ||
              (code >= 0x1F300 && code <= 0x1FAFF) || (code >= 0x20000 && code <= 0x3FFFD);
  return combining ? 0 : wide ? 2 : 1;
}

Shown show(std::string_view line) {
  Shown shown;
  uint32_t column = 0;
  for (size_t i = 0, length = 1; i < line.size(); i += length) {
    uint32_t code = decode(line, i, length);
    shown.column.insert(shown.column.end(), length, column);
    shown.start.insert(shown.start.end(), length, static_cast<uint32_t>(shown.text.size()));
    if (code == '\t') {
      uint32_t next = (column / tabStop + 1) * tabStop;
      shown.text.append(next - column, ' ');
      column = next;
    } else if (code < 0x20 || code == 0x7F || (code >= 0x80 && code < 0xA0) || code == 0xFFFD ||
               (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069)) {
      shown.text += "\xEF\xBF\xBD"; // also what would reorder the line on the screen
      ++column;
    } else {
      shown.text.append(line.substr(i, length));
      column += cells(code);
    }
  }
  shown.column.push_back(column);
  shown.start.push_back(static_cast<uint32_t>(shown.text.size()));
  return shown;
}

/// A span of several lines is marked on its first and on its last; the text stands at the last.
void addMarks(const Label &label, bool primary, std::vector<Mark> &marks) {
  const SourceFile &file = *label.span.file;
  Position first = file.position(label.span.begin);
  Position last = label.span.end > label.span.begin ? file.position(label.span.end - 1) : first;
  auto length = [&](uint32_t line) { return static_cast<uint32_t>(file.line(line).size()); };
  uint32_t begin = first.column - 1;
  if (first.line == last.line) {
    uint32_t end = std::min(label.span.end - file.lineBegin(first.line), length(first.line));
    marks.push_back({&file, first.line, begin, std::max(end, begin), primary, false, label.text});
    return;
  }
  marks.push_back({&file, first.line, begin, length(first.line), primary, false, ""});
  size_t indent = file.line(last.line).find_first_not_of(" \t");
  auto from = static_cast<uint32_t>(indent == std::string_view::npos ? 0 : std::min<size_t>(indent, last.column - 1));
  bool gap = last.line > first.line + 1;
  marks.push_back({&file, last.line, from, std::min(last.column, length(last.line)), primary, gap, label.text});
}

std::vector<Mark> allMarks(const std::vector<Label> &labels) {
  std::vector<Mark> marks;
  for (size_t i = 0; i < labels.size(); ++i)
    if (labels[i].span)
      addMarks(labels[i], i == 0, marks);
  // Files in the order in which labels name them; the lines of each from top to bottom.
  auto rank = [&](const SourceFile *file) {
    size_t i = 0;
    while (labels[i].span.file != file)
      ++i;
    return i;
  };
  std::stable_sort(marks.begin(), marks.end(), [&](const Mark &a, const Mark &b) {
    if (a.file != b.file)
      return rank(a.file) < rank(b.file);
    return a.line != b.line ? a.line < b.line : a.begin < b.begin;
  });
  return marks;
}

/// The cells [from, from + widestLine) of a line, with `..` where it was cut.
struct Window {
  uint32_t from = 0, until = UINT32_MAX;
  std::string text;
};
Window window(const Shown &shown, uint32_t around) {
  if (shown.column.back() <= widestLine)
    return {0, UINT32_MAX, shown.text};
  uint32_t from = around > 40 ? around - 40 : 0;
  auto byteAt = [&](uint32_t cell) {
    return shown.start[std::lower_bound(shown.column.begin(), shown.column.end(), cell) - shown.column.begin()];
  };
  uint32_t until = std::min(from + widestLine - 4, shown.column.back());
  Window result{from, until, shown.text.substr(byteAt(from), byteAt(until) - byteAt(from))};
  if (from) { // the mark is at least 40 cells to the right: these two are not under it
    size_t length = 1;
    for (int i = 0; i < 2; ++i) {
      decode(result.text, 0, length);
      result.text.erase(0, length);
    }
    result.text.insert(0, "..");
  }
  if (until < shown.column.back())
    result.text += " ..";
  return result;
}
} // namespace

const Palette &palette(bool colour) {
  static const Palette plain{};
  static const Palette ansi{"\033[1;31m", "\033[1;33m", "\033[1;31m", "\033[1;34m", "\033[1;34m", "\033[1m", "\033[0m"};
  return colour ? ansi : plain;
}

Position characterPosition(const SourceFile &file, uint32_t offset) {
  Position position = file.position(offset);
  std::string_view before = std::string_view(file.text()).substr(offset - (position.column - 1), position.column - 1);
  uint32_t column = 1;
  for (size_t i = 0, length = 1; i < before.size(); i += length, ++column)
    decode(before, i, length);
  return {position.line, column};
}

unsigned gutterWidth(const std::vector<Label> &labels) {
  uint32_t largest = 1;
  for (const Mark &mark : allMarks(labels))
    largest = std::max(largest, mark.line);
  return static_cast<unsigned>(std::to_string(largest).size());
}

std::string excerpt(const std::vector<Label> &labels, const Palette &paint, std::string_view markColour,
                    unsigned gutter) {
  std::string out;
  std::string_view reset = paint.reset;
  auto put = [&](auto... parts) { (out.append(std::string_view(parts)), ...); };
  std::string blank(gutter + 2, ' ');

  const SourceFile *file = nullptr;
  uint32_t line = 0;
  Shown shown;
  Window visible;
  for (const Mark &mark : allMarks(labels)) {
    if (mark.file != file) {
      auto sameFile = [&](const Label &l) { return l.span.file == mark.file; };
      Span place = std::find_if(labels.begin(), labels.end(), sameFile)->span;
      Position at = characterPosition(*mark.file, place.begin);
      put(paint.gutter, std::string(gutter + 1, ' '), file ? "::: " : "--> ", reset, mark.file->path(), ":",
          std::to_string(at.line), ":", std::to_string(at.column), "\n", paint.gutter, blank, "|", reset, "\n");
      file = mark.file;
      line = 0;
    }
    uint32_t begin = 0, end = 0; // cells
    auto place = [&] {
      begin = shown.column[mark.begin];
      end = std::max(shown.column[std::max(mark.end, mark.begin)], begin + 1);
    };
    bool fresh = mark.line != line;
    if (fresh) {
      shown = show(file->line(mark.line));
      line = mark.line;
    }
    place();
    if (fresh || begin < visible.from || begin >= visible.until) {
      if (mark.skipsLines && fresh)
        put(paint.gutter, blank.substr(1), "...", reset, "\n");
      visible = window(shown, begin);
      std::string number = std::to_string(line);
      put(paint.gutter, std::string(gutter + 1 - number.size(), ' '), number, " |", reset,
          visible.text.empty() ? "" : " ", visible.text, "\n");
    }
    end = std::min(end, std::max(visible.until, begin + 1));
    put(paint.gutter, blank, "|", reset, " ", std::string(begin - visible.from, ' '),
        mark.primary ? markColour : paint.other, std::string(end - begin, mark.primary ? '^' : '-'),
        mark.text.empty() ? "" : " ", mark.text, reset, "\n");
  }
  return out;
}

} // namespace nacre
