// The front end alone, without the compiler behind it: check, format and print files.
#include "diagnostics/Diagnostic.h"
#include "syntax/Parse.h"
#include <cstdio>
#include <string>
using namespace nacre;
int main(int argc, char **argv) {
  SourceManager sources;
  Diagnostics diagnostics;
  for (int i = 1; i < argc; ++i) {
    std::string problem;
    auto *file = sources.load(argv[i], problem);
    if (!file) { printf("%s: %s\n", argv[i], problem.c_str()); return 1; }
    auto tree = parse(*file, diagnostics);
    printf("%s %s\n", argv[i], tree ? "ok" : "bad");
  }
  for (auto &d : diagnostics.all())
    printf("%s: %s:%u: %s\n", std::string(info(d.kind).name).c_str(), d.labels[0].span.file->path().c_str(), d.labels[0].span.file->position(d.labels[0].span.begin).line, d.headline.c_str());
  return diagnostics.failed();
}
