// Source lines with marks under them: the picture in the middle of a diagnostic.
#pragma once
#include "diagnostics/Diagnostic.h"

namespace nacre {

/// Terminal colours, or nothing.
struct Palette {
  std::string_view error, warning, mark, other, gutter, strong, reset;
};
const Palette &palette(bool colour);

/// Line and column in characters (code points) from 1, as editors count them.
Position characterPosition(const SourceFile &, uint32_t offset);

/// The lines that the labels touch, in the order of the file that holds the first label and then of the others, each
/// with its marks: `^` under the first label, `-` under the others. Introduced by `  --> file:line:column`.
std::string excerpt(const std::vector<Label> &, const Palette &, std::string_view markColour, unsigned gutterWidth);
/// The digits of the largest line number that `excerpt` will print.
unsigned gutterWidth(const std::vector<Label> &);

} // namespace nacre
