// Text to syntax tree.
#pragma once
#include "diagnostics/Diagnostic.h"
#include "syntax/Ast.h"
#include <memory>

namespace nacre {

/// The tree of a file, or null after syntax errors were reported. Stated limits (nesting 256, 4 MB) are tested on the
/// tokens before the parser runs, because its recursion would overflow the stack.
std::unique_ptr<ast::File> parse(const SourceFile &, Diagnostics &);

/// Canonical text of a file: `nacre fmt`. Comments survive; printing what was printed changes nothing.
/// Empty optional-like result: `ok` false after syntax errors were reported.
std::string format(const SourceFile &, Diagnostics &, bool &ok);

/// The tree as indented text, for `nacre show --stage=ast`.
std::string dump(const ast::File &);

} // namespace nacre
