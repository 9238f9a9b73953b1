#include "driver/Foreign.h"
#include "llvm/BinaryFormat/Magic.h"
#include "llvm/Support/FileSystem.h"
#include <set>

using namespace llvm;

namespace nacre {

static void visit(const Body &body, const std::function<void(const Value &)> &call) {
  for (const Value &value : body.values) {
    if (value.kind == Value::Kind::Extern)
      call(value);
    for (const Body *inner : {value.inner.get(), value.backward.get(), value.condition.get()})
      if (inner)
        visit(*inner, call);
  }
}

void forEachForeignCall(const Program &program, const std::function<void(const Value &)> &call) {
  for (const Entry &entry : program.entries)
    visit(entry.body, call);
  for (const Entry &function : program.functions)
    visit(function.body, call);
  for (const Test &test : program.tests)
    visit(test.body, call);
}

std::string checkLinkedFiles(const std::vector<std::string> &files) {
  for (const std::string &path : files) {
    file_magic magic;
    if (std::error_code error = identify_magic(path, magic))
      return "--link: cannot read " + path + ": " + error.message();
    if (magic != file_magic::elf_relocatable && magic != file_magic::archive)
      return "--link: " + path + " is neither an object file nor a static library (make one with `cc -c`, or `ar`)";
  }
  return "";
}

/// Does the linker miss this name? lld: `undefined symbol: NAME`, GNU ld: "undefined reference to `NAME'".
static bool misses(StringRef problem, const std::string &name) {
  for (const std::string &text : {"undefined symbol: " + name, "undefined reference to `" + name})
    for (size_t at = problem.find(text); at != StringRef::npos; at = problem.find(text, at + 1))
      if (size_t end = at + text.size(); end == problem.size() || problem[end] == '\n' || problem[end] == '\'')
        return true;
  return false;
}

std::string explainLinkProblem(const Program &program, const std::string &problem) {
  std::string text;
  std::set<std::string> seen;
  forEachForeignCall(program, [&](const Value &value) {
    if (!seen.insert(value.name).second || !misses(problem, value.name))
      return;
    text += text.empty() ? "" : "\n";
    if (const Location *at = value.location; at && at->span.file) {
      Position place = at->span.file->position(at->span.begin);
      text += at->span.file->path() + ":" + std::to_string(place.line) + ":" + std::to_string(place.column) + ": ";
    }
    text += "the C function `" + value.name +
            "` is called here, and nothing that is linked defines it: give --link FILE, an "
            "object file or a static library that does";
  });
  return text.empty() ? problem : text;
}

} // namespace nacre
