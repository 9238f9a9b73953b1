// The commands that stop at text: check, fmt, explain, ops, version.
#include "driver/Session.h"
#include "program/Program.h"
#include "syntax/Parse.h"
#include "target/Link.h"
#include "llvm/Config/llvm-config.h"
#include <iostream>

namespace nacre {

int runCheck(const Options &options) {
  Session session(options);
  for (const std::string &path : options.files)
    session.program(path, {.tests = true});
  return session.finish() ? Failure : Success;
}

int runFormat(const Options &options) {
  Session session(options);
  int code = Success;
  for (const std::string &path : options.files) {
    const SourceFile *file = session.file(path);
    bool ok = false;
    std::string text = file ? format(*file, session.diagnostics, ok) : "";
    if (!ok)
      continue;
    bool changed = text != file->text();
    if (options.formatCheck) {
      if (changed) {
        std::cout << path << ": not as `nacre fmt` prints it\n";
        code = Failure;
      }
    } else if (!options.inPlace) {
      std::cout << text;
    } else if (changed) {
      if (std::string problem = writeFile(path, text); !problem.empty())
        code = fail(problem);
    }
  }
  return session.finish() ? Failure : code;
}

int runExplain(const Options &options) {
  if (options.words.empty())
    for (Kind kind : allKinds())
      std::cout << info(kind).name << ": " << info(kind).summary << "\n";
  for (const std::string &name : options.words) {
    Kind kind;
    if (!kindNamed(name, kind))
      return fail("no kind of diagnostic is called `" + name + "`; `nacre explain` lists them all");
    std::cout << info(kind).name << ": " << info(kind).summary << "\n\n" << info(kind).story << "\n";
  }
  return Success;
}

int runOps(const Options &) {
  std::cout << "scalar primitives (in the body of an equation)\n";
#define PRIMITIVE(id, name, operands, result)                                                                          \
  std::cout << "  " << name << std::string(14 - std::string_view(name).size(), ' ') << operands                        \
            << (operands == 1 ? " operand " : " operands") << "   " << #result << "\n";
#include "program/Primitives.def"
  std::cout << "reductions\n";
#define REDUCTION(id, name) std::cout << "  " << name << "\n";
#include "program/Primitives.def"
  return Success;
}

int runVersion() {
  std::cout << "nacre " NACRE_VERSION " (LLVM " LLVM_VERSION_STRING ")\n";
  return Success;
}

} // namespace nacre
