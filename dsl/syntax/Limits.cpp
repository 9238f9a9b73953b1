#include "syntax/Limits.h"
#include <string>

namespace nacre::syntax {
namespace {

/// The length of the UTF-8 sequence at `text[i]`, or 0 if it is not one (overlong forms, surrogates and what lies
/// beyond U+10FFFF are none).
size_t sequenceLength(std::string_view text, size_t i) {
  auto byte = [&](size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u; };
  unsigned first = byte(i);
  if (first < 0x80)
    return 1;
  size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4)
    return 0;
  for (size_t k = 1; k < length; ++k)
    if ((byte(i + k) & 0xC0) != 0x80)
      return 0;
  unsigned second = byte(i + 1);
  bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  bool surrogate = first == 0xED && second >= 0xA0;
  bool beyond = first == 0xF4 && second >= 0x90;
  return overlong || surrogate || beyond ? 0 : length;
}

/// How deep the parser would recurse, followed along the tokens. One Level per open bracket; a Level counts the prefix
/// operators whose operand is not finished yet.
class Nesting {
public:
  /// The depth after this token.
  unsigned take(std::string_view text, bool operand) {
    bool startsStatement = endsOperand && (operand || isStarter(text));
    endsOperand = operand;
    if (startsStatement)
      leaveStatement();

    if (text == "(" || text == "[" || text == "{") {
      levels.push_back({});
      ++total;
    } else if (text == ")" || text == "]" || text == "}") {
      if (levels.size() > 1) {
        total -= 1 + levels.back().sum();
        levels.pop_back();
      }
      endsOperand = true;
    } else if (text == "^" || (text == "-" && !afterOperand)) {
      add(&Level::tight);
    } else if (text == "not") {
      add(&Level::negations);
    } else if (text == "if" || text == "for" || text == "=>" || text == "->") {
      add(&Level::loose);
    } else if (text == "and" || text == "or" || text == "|>" || text == "then" || text == "else") {
      drop(&Level::tight);
      drop(&Level::negations);
    } else if (text == "," || text == ";" || text == "=") {
      leaveStatement();
    } else if (!operand && text != "." && text != ":") {
      drop(&Level::tight); // an infix operator that binds less than `-` and `^`
    }
    afterOperand = endsOperand;
    return total;
  }

private:
  struct Level {
    unsigned tight = 0;     // `-` and `^`
    unsigned negations = 0; // `not`
    unsigned loose = 0;     // what reaches as far to the right as it can
    unsigned sum() const { return tight + negations + loose; }
  };

  static bool isStarter(std::string_view text) {
    for (std::string_view word :
         {"let", "var", "use", "return", "yield", "while", "for", "if", "expect", "fn", "extern", "@", "import", "not"})
      if (text == word)
        return true;
    return false;
  }
  void add(unsigned Level::*count) {
    ++(levels.back().*count);
    ++total;
  }
  void drop(unsigned Level::*count) {
    total -= levels.back().*count;
    levels.back().*count = 0;
  }
  void leaveStatement() {
    drop(&Level::tight);
    drop(&Level::negations);
    drop(&Level::loose);
  }

  std::vector<Level> levels{1};
  unsigned total = 0;
  bool endsOperand = false;  // the last token can end an operand
  bool afterOperand = false; // so a `-` is infix
};

std::string megabytes(size_t bytes) {
  size_t tenths = (bytes * 10 + (1 << 19)) >> 20;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " MB";
}
} // namespace

bool checkText(const SourceFile &source, Diagnostics &diagnostics) {
  const std::string &text = source.text();
  if (text.size() > maximalFileSize) {
    diagnostics.report({Kind::FileTooLarge,
                        "the file has " + megabytes(text.size()) + "; at most 4 MB are read",
                        {{{&source, 0, 0}, ""}},
                        {},
                        "keep numbers in a weight file, or split the model into modules"});
    return false;
  }
  for (size_t i = 0; i < text.size();) {
    size_t length = sequenceLength(text, i);
    if (!length) {
      char hex[8];
      std::snprintf(hex, sizeof hex, "0x%02X", static_cast<unsigned char>(text[i]));
      auto begin = static_cast<uint32_t>(i);
      diagnostics.report({Kind::InvalidUtf8,
                          std::string("the byte ") + hex + " is not UTF-8 text",
                          {{{&source, begin, begin + 1}, ""}},
                          {},
                          "save the file as UTF-8"});
      return false;
    }
    i += length;
  }
  return true;
}

bool checkNesting(const ParseTree &tree, Diagnostics &diagnostics) {
  Nesting nesting;
  for (const antlr4::Token *token : tree.tokens()) {
    if (token->getChannel() != antlr4::Token::DEFAULT_CHANNEL || token->getType() == antlr4::Token::EOF)
      continue;
    std::string_view text = tree.text(token);
    bool word = std::isalpha(static_cast<unsigned char>(text[0])) || text[0] == '_';
    bool hard = false;
    for (std::string_view keyword :
         {"module", "import", "as",   "extern", "fn",  "where", "let",    "var", "use", "return", "yield",
          "if",     "then",   "else", "while",  "for", "in",    "expect", "not", "and", "or"})
      hard |= text == keyword;
    bool operand = (word && !hard) || std::isdigit(static_cast<unsigned char>(text[0])) || text[0] == '"';
    if (nesting.take(text, operand) > maximalNesting) {
      diagnostics.report({Kind::NestingTooDeep,
                          "more than " + std::to_string(maximalNesting) + " brackets and operators inside one another",
                          {{tree.span(token), "one too many"}},
                          {},
                          "name an inner part with `let` and use the name"});
      return false;
    }
  }
  return true;
}

} // namespace nacre::syntax
