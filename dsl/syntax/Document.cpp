#include "syntax/Document.h"
#include <algorithm>

namespace nacre::syntax {
namespace {

int capped(int width) { return std::min(width, Doc::never); }

/// Columns that a text takes: its code points.
int columns(const std::string &text) {
  return static_cast<int>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// How far an item reaches on its first line, with what follows it; one that must break, up to its first break.
int extent(const Doc *doc, int follows) { return doc->flat < Doc::never ? doc->flat + follows : doc->head; }

class Layout {
public:
  std::string out;

  /// `tail`: the width of what must follow on the same line.
  void print(const Doc *doc, int tail);
  void alignComments();

private:
  bool fits(const Doc *doc, int tail) const {
    return !mustBreak && doc->flat < Doc::never && column + doc->flat + tail <= pageWidth;
  }
  void flat(const Doc *doc);
  void sequence(const std::vector<const Doc *> &children, size_t from, size_t to, int tail);
  void fill(const Doc *doc, int tail);
  void bracket(const Doc *doc, int tail);
  void put(const std::string &text);
  void comment(const Doc *doc);
  void newLine();

  int column = 0, indent = 0;
  int lineIndent = 0;     // what `indent` was where the line began
  bool mustBreak = false; // a comment was written: nothing else may follow on its line
  bool fresh = true;      // nothing was written on this line yet
  /// Lines that end in a comment: where the comment begins in `out`, and the columns before it.
  struct Trailing {
    size_t line, at;
    int column, width;
  };
  std::vector<Trailing> trailing;
  size_t lineNumber = 0;
};

void Layout::newLine() {
  out += '\n';
  ++lineNumber;
  lineIndent = indent;
  column = indent;
  fresh = true;
  mustBreak = false;
}

void Layout::put(const std::string &text) {
  if (text.empty() || ((fresh || mustBreak) && text == " "))
    return;
  if (mustBreak)
    newLine();
  if (fresh) {
    out.append(static_cast<size_t>(lineIndent), ' ');
    fresh = false;
  }
  out += text;
  column += columns(text);
}

void Layout::comment(const Doc *doc) {
  if (mustBreak || (doc->own && !fresh))
    newLine();
  if (!doc->own && !fresh) {
    while (!out.empty() && out.back() == ' ') {
      out.pop_back();
      --column;
    }
    trailing.push_back({lineNumber, out.size(), column, columns(doc->text)});
    out += "  " + doc->text;
  } else {
    put(doc->text);
  }
  mustBreak = true;
}

void Layout::flat(const Doc *doc) {
  if (doc->kind == Doc::Kind::Text || doc->kind == Doc::Kind::Line)
    put(doc->text);
  if (doc->kind == Doc::Kind::Hang)
    put(" ");
  for (size_t i = 0; i < doc->children.size(); ++i) {
    if (doc->kind == Doc::Kind::Bracket && i > 1 && i + 1 < doc->children.size())
      put(" ");
    flat(doc->children[i]);
  }
}

void Layout::print(const Doc *doc, int tail) {
  int outer = indent;
  switch (doc->kind) {
  case Doc::Kind::Text:
    put(doc->text);
    break;
  case Doc::Kind::Comment:
    comment(doc);
    break;
  case Doc::Kind::Line:
  case Doc::Kind::Break:
    while (!out.empty() && out.back() == ' ' && !fresh)
      out.pop_back();
    if (!fresh || mustBreak)
      newLine();
    if (doc->blank && !out.empty())
      newLine();
    lineIndent = column = indent;
    break;
  case Doc::Kind::Concat:
    sequence(doc->children, 0, doc->children.size(), tail);
    break;
  case Doc::Kind::Group:
    if (fits(doc, tail))
      flat(doc);
    else
      print(doc->children[0], tail);
    break;
  case Doc::Kind::Nest:
    indent += doc->amount;
    print(doc->children[0], tail);
    break;
  case Doc::Kind::Align:
    indent = (mustBreak ? indent : column) + doc->amount;
    print(doc->children[0], tail);
    break;
  case Doc::Kind::Hang: {
    const Doc *child = doc->children[0];
    int there = indent + doc->amount;
    bool moves = doc->own || there + child->flat + tail <= pageWidth || column > there + pageWidth / 5;
    if (!mustBreak && (fits(doc, tail) || !moves)) {
      put(" ");
    } else {
      indent += doc->amount;
      newLine();
    }
    print(child, tail);
    break;
  }
  case Doc::Kind::Fill:
    if (fits(doc, tail))
      flat(doc);
    else
      fill(doc, tail);
    break;
  case Doc::Kind::Bracket:
    if (fits(doc, tail))
      flat(doc);
    else
      bracket(doc, tail);
    break;
  }
  indent = outer;
}

/// What follows child i on its line: the heads of the next ones, up to one that can break.
void Layout::sequence(const std::vector<const Doc *> &children, size_t from, size_t to, int tail) {
  std::vector<int> after(to + 1, tail);
  for (size_t i = to; i-- > from;)
    after[i] = children[i]->breakable ? children[i]->head : capped(children[i]->flat + after[i + 1]);
  for (size_t i = from; i < to; ++i)
    print(children[i], after[i + 1]);
}

void Layout::fill(const Doc *doc, int tail) {
  const auto &children = doc->children;
  for (size_t i = 0; i < children.size(); i += 2) {
    int follows = i + 2 < children.size() ? 0 : tail;
    if (i > 0) {
      const Doc *between = children[i - 1];
      int width = columns(between->text) + extent(children[i], follows);
      if (between->kind == Doc::Kind::Line && !mustBreak && column + width <= pageWidth)
        put(between->text);
      else
        print(between, 0);
    }
    print(children[i], follows);
  }
}

void Layout::bracket(const Doc *doc, int tail) {
  const auto &children = doc->children;
  const Doc *open = children.front(), *close = children.back();
  size_t count = children.size() - 2;
  print(open, 0);
  if (count == 0) {
    print(close, tail);
    return;
  }
  int closing = capped(close->flat) + tail;
  if (doc->layout == Doc::Layout::Column) {
    int outer = indent;
    indent += 2;
    for (size_t i = 1; i <= count; ++i) {
      newLine();
      print(children[i], 0);
    }
    indent = outer;
    newLine();
    print(close, tail);
    return;
  }
  int widest = 0;
  for (size_t i = 1; i <= count; ++i)
    if (int width = children[i]->flat + (i == count ? closing : 0); width < Doc::never)
      widest = std::max(widest, width);
  // Behind the opener if every item fits there; else on new lines, unless they would not fit there either.
  int outer = indent;
  bool behind = column + widest <= pageWidth || (indent + 4 + widest > pageWidth && column <= pageWidth / 2);
  if (behind && !mustBreak) {
    indent = column;
  } else {
    indent += 4;
    newLine();
  }
  for (size_t i = 1; i <= count; ++i) {
    int follows = i == count ? closing : 0;
    if (i > 1) {
      bool stays =
          doc->layout == Doc::Layout::Fill && !mustBreak && column + 1 + extent(children[i], follows) <= pageWidth;
      if (stays)
        put(" ");
      else
        newLine();
    }
    print(children[i], follows);
  }
  indent = outer;
  print(close, tail);
}

/// Comments on consecutive lines begin in one column, as far as the page allows.
void Layout::alignComments() {
  std::string result;
  size_t done = 0;
  for (size_t i = 0; i < trailing.size();) {
    size_t end = i + 1;
    int widest = trailing[i].column, longest = trailing[i].width;
    while (end < trailing.size() && trailing[end].line == trailing[end - 1].line + 1) {
      int newWidest = std::max(widest, trailing[end].column), newLongest = std::max(longest, trailing[end].width);
      if (newWidest + 2 + newLongest > pageWidth + 10)
        break;
      widest = newWidest;
      longest = newLongest;
      ++end;
    }
    for (; i < end; ++i) {
      result.append(out, done, trailing[i].at - done);
      result.append(static_cast<size_t>(widest - trailing[i].column), ' ');
      done = trailing[i].at;
    }
  }
  result.append(out, done, std::string::npos);
  out = std::move(result);
}
} // namespace

const Doc *Docs::keep(Doc doc) {
  using Kind = Doc::Kind;
  bool open = doc.kind != Kind::Hang; // no place to break so far
  doc.breakable |= doc.kind == Kind::Hang;
  for (size_t i = 0; i < doc.children.size(); ++i) {
    const Doc *child = doc.children[i];
    int gap = doc.kind == Kind::Bracket && i > 1 && i + 1 < doc.children.size();
    doc.flat = capped(doc.flat + child->flat + gap);
    if (open)
      doc.head = capped(doc.head + child->head);
    open &= !child->breakable && !(doc.kind == Kind::Bracket && i > 0);
    doc.breakable |= child->breakable || (doc.kind == Kind::Bracket && doc.children.size() > 3);
  }
  docs.push_back(std::move(doc));
  return &docs.back();
}

const Doc *Docs::text(std::string text) {
  Doc doc;
  doc.flat = doc.head = columns(text);
  doc.text = std::move(text);
  return keep(std::move(doc));
}
const Doc *Docs::comment(std::string text, bool own) {
  Doc doc;
  doc.kind = Doc::Kind::Comment;
  doc.flat = Doc::never;
  doc.own = own;
  doc.breakable = true;
  doc.text = std::move(text);
  return keep(std::move(doc));
}
const Doc *Docs::line(std::string flat) {
  Doc doc;
  doc.kind = Doc::Kind::Line;
  doc.flat = columns(flat);
  doc.breakable = true;
  doc.text = std::move(flat);
  return keep(std::move(doc));
}
const Doc *Docs::lineBreak(bool blank) {
  Doc doc;
  doc.kind = Doc::Kind::Break;
  doc.flat = Doc::never;
  doc.breakable = true;
  doc.blank = blank;
  return keep(std::move(doc));
}
const Doc *Docs::concat(std::vector<const Doc *> children) {
  Doc doc;
  doc.kind = Doc::Kind::Concat;
  doc.children = std::move(children);
  return keep(std::move(doc));
}
const Doc *Docs::group(const Doc *child) {
  Doc doc;
  doc.kind = Doc::Kind::Group;
  doc.children = {child};
  return keep(std::move(doc));
}
const Doc *Docs::nest(int amount, const Doc *child) {
  Doc doc;
  doc.kind = Doc::Kind::Nest;
  doc.amount = amount;
  doc.children = {child};
  return keep(std::move(doc));
}
const Doc *Docs::align(const Doc *child, int amount) {
  Doc doc;
  doc.kind = Doc::Kind::Align;
  doc.amount = amount;
  doc.children = {child};
  return keep(std::move(doc));
}
const Doc *Docs::hang(int amount, const Doc *child, bool ownLine) {
  Doc doc;
  doc.kind = Doc::Kind::Hang;
  doc.amount = amount;
  doc.own = ownLine;
  doc.children = {child};
  doc.flat = 1; // the space
  return keep(std::move(doc));
}
const Doc *Docs::fill(std::vector<const Doc *> children) {
  Doc doc;
  doc.kind = Doc::Kind::Fill;
  doc.children = std::move(children);
  return keep(std::move(doc));
}
const Doc *Docs::bracket(std::vector<const Doc *> children, Doc::Layout layout) {
  Doc doc;
  doc.kind = Doc::Kind::Bracket;
  doc.children = std::move(children);
  doc.layout = layout;
  if (layout != Doc::Layout::Fill) // the author's choice: stays broken
    doc.flat = Doc::never;
  return keep(std::move(doc));
}

std::string layOut(const Doc *doc) {
  Layout layout;
  layout.print(doc, 0);
  layout.alignComments();
  return std::move(layout.out);
}

} // namespace nacre::syntax
