// How a diagnostic is drawn: several labels, lines, files; tabs, wide letters, ends of files; and what counts as one
// report.
#include "diagnostics/Diagnostic.h"
#include <cstdio>
#include <cstdlib>

using namespace nacre;

static int failures = 0;

static void same(const char *what, const std::string &actual, const std::string &expected) {
  if (actual == expected)
    return;
  ++failures;
  std::printf("---- %s: expected\n%s---- printed\n%s", what, expected.c_str(), actual.c_str());
}

static Span find(const SourceFile *file, std::string_view text, size_t occurrence = 0) {
  size_t at = file->text().find(text);
  while (occurrence-- > 0)
    at = file->text().find(text, at + 1);
  if (at == std::string::npos) {
    std::printf("the test does not contain its own text\n");
    std::exit(1);
  }
  return {file, static_cast<uint32_t>(at), static_cast<uint32_t>(at + text.size())};
}

static std::string draw(Diagnostic d) {
  Diagnostics all;
  all.report(std::move(d));
  return render(all, DiagnosticFormat::Text);
}

int main() {
  SourceManager sources;
  const SourceFile *net = sources.add("net.nacre", "module net\n"
                                                   "fn f(x: real[n]) -> real[n] {\n"
                                                   "\tlet y = g(x, \"äö\", x)\n"
                                                   "  let z = h(y,\n"
                                                   "            x,\n"
                                                   "            y)\n"
                                                   "  return z\n"
                                                   "}");
  const SourceFile *library = sources.add("std/lib.nacre", "fn g(a: real[k], b: str, c: real[k]) -> real\n");

  same("labels of one line one below the other, a tab, letters of two bytes",
       draw({Kind::MissingToken, "two places", {{find(net, "x)"), "last"}, {find(net, "x,"), "first"}}, {}, ""}),
       "error[missing-token]: two places\n"
       "  --> net.nacre:3:21\n"
       "   |\n"
       " 3 |     let y = g(x, \"äö\", x)\n"
       "   |               -- first\n"
       "   |                        ^^ last\n"
       "\n1 error\n");

  same("a span of three lines, a chain, a hint of two lines",
       draw({Kind::MissingToken,
             "over lines",
             {{find(net, "h(y,\n            x,\n            y)"), "all of it"}},
             {"in `a` = B[], net.nacre:1:1"},
             "one\nand two"}),
       "error[missing-token]: over lines\n"
       "  --> net.nacre:4:11\n"
       "   |\n"
       " 4 |   let z = h(y,\n"
       "   |           ^^^^\n"
       "  ...\n"
       " 6 |             y)\n"
       "   |             ^^ all of it\n"
       "   = in `a` = B[], net.nacre:1:1\n"
       "   = hint: one\n"
       "           and two\n"
       "\n1 error\n");

  same("another file, and the primary label not on the first line of its own",
       draw({Kind::MissingToken,
             "two files",
             {{find(net, "return"), "here"}, {find(library, "real[k]", 1), "declared"}, {find(net, "fn f"), "inside"}},
             {},
             ""}),
       "error[missing-token]: two files\n"
       "  --> net.nacre:7:3\n"
       "   |\n"
       " 2 | fn f(x: real[n]) -> real[n] {\n"
       "   | ---- inside\n"
       " 7 |   return z\n"
       "   |   ^^^^^^ here\n"
       "  ::: std/lib.nacre:1:29\n"
       "   |\n"
       " 1 | fn g(a: real[k], b: str, c: real[k]) -> real\n"
       "   |                             ------- declared\n"
       "\n1 error\n");

  auto size = static_cast<uint32_t>(net->text().size());
  same("the end of a file without a line end",
       draw({Kind::MissingToken, "at the end", {{{net, size, size}, ""}}, {}, ""}),
       "error[missing-token]: at the end\n"
       "  --> net.nacre:8:2\n"
       "   |\n"
       " 8 | }\n"
       "   |  ^\n"
       "\n1 error\n");
  auto end = static_cast<uint32_t>(library->text().size());
  same("the empty line behind the last", draw({Kind::MissingToken, "behind", {{{library, end, end}, "x"}}, {}, ""}),
       "error[missing-token]: behind\n"
       "  --> std/lib.nacre:2:1\n"
       "   |\n"
       " 2 |\n"
       "   | ^ x\n"
       "\n1 error\n");
  same("without a place", draw({Kind::MissingFile, "`a`: gone", {}, {}, "look elsewhere"}),
       "error[missing-file]: `a`: gone\n"
       "   = hint: look elsewhere\n"
       "\n1 error\n");

  Diagnostics all;
  all.report({Kind::MissingToken, "once", {{find(net, "x"), ""}}, {}, ""});
  all.report({Kind::MissingToken, "the same place and kind", {{find(net, "x"), ""}}, {}, ""});
  all.report({Kind::UnexpectedToken, "another kind", {{find(net, "x"), ""}}, {}, ""});
  all.truncate(1);
  all.report({Kind::UnexpectedToken, "forgotten, so new", {{find(net, "x"), ""}}, {}, ""});
  same("one report per kind and place", render(all, DiagnosticFormat::Line),
       "net.nacre:2:6: error[missing-token]: once\n"
       "net.nacre:2:6: error[unexpected-token]: forgotten, so new\n");
  if (all.errorCount() != 2)
    ++failures;
  std::printf("%d failures\n", failures);
  return failures > 0;
}
