// Text with places where it may break, and the choice of breaks that keeps it within a width.
#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace nacre::syntax {

constexpr int pageWidth = 110;

/// A piece of text that can be laid out flat (on one line) or broken.
struct Doc {
  enum class Kind : uint8_t {
    Text,
    Comment, // ends its line; `own`: also begins it
    Line,    // flat: `text`; broken: a new line
    Break,   // always a new line; `blank`: after an empty one
    Concat,
    Group, // flat if that fits, else its own lines break
    Nest,  // new lines inside are `amount` further right than outside
    Align, // .. than the column where it begins
    Hang,  // behind a space if it fits there flat, else `amount` in on a line of its own if it fits there flat or much
           // room is gained; `own`: even if not
    Fill,  // children alternate: item, Line, item ..; only those lines break whose next item does not fit
    Bracket, // first child: opener, last: closer, between: items with their commas; see Layout
  } kind = Kind::Text;
  enum class Layout : uint8_t {
    Fill,   // aligned behind the opener, or on new lines if the items are too wide for that
    Rows,   // one item per line, aligned behind the opener
    Column, // one item per line, opener and closer on lines of their own
  } layout = Layout::Fill;
  bool own = false; // of a Comment or a Hang
  bool blank = false, breakable = false;
  int amount = 0;
  int flat = 0; // width when flat; `never` if it cannot be
  int head = 0; // width up to the first place that can break
  std::string text;
  std::vector<const Doc *> children;

  static constexpr int never = 1 << 20;
};

class Docs {
public:
  const Doc *text(std::string);
  const Doc *comment(std::string, bool own);
  const Doc *line(std::string flat = " ");
  const Doc *lineBreak(bool blank = false);
  const Doc *concat(std::vector<const Doc *>);
  const Doc *group(const Doc *);
  const Doc *nest(int amount, const Doc *);
  const Doc *align(const Doc *, int amount = 0);
  const Doc *hang(int amount, const Doc *, bool ownLine);
  const Doc *fill(std::vector<const Doc *>);
  const Doc *bracket(std::vector<const Doc *>, Doc::Layout);

private:
  const Doc *keep(Doc);
  std::deque<Doc> docs;
};

/// The text of a document. Comments that end consecutive lines are aligned.
std::string layOut(const Doc *);

} // namespace nacre::syntax
