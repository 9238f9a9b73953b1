// Files, diagnostics and places.
#include "driver/Session.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <cstdlib>
#include <iostream>
#include <unistd.h>

using namespace llvm;

namespace nacre {

const Installation &installation() {
  static const Installation found = [] {
    Installation here;
    static char anchor;
    std::string program = sys::fs::getMainExecutable("nacre", &anchor);
    std::string root = sys::path::parent_path(sys::path::parent_path(program)).str();
    if (sys::fs::exists(root + "/share/nacre/stdlib"))
      here.library = root + "/share/nacre/stdlib";
    for (const char *folder : {"/lib/nacre", "/lib"})
      if (here.runtime.empty() && sys::fs::exists(root + folder + "/libnacre_rt.a"))
        here.runtime = root + folder;
    return here;
  }();
  return found;
}

static std::vector<std::string> libraryPaths(const Options &options) {
  std::vector<std::string> paths = options.libraries;
  if (const char *variable = std::getenv("NACRE_LIBRARY")) {
    SmallVector<StringRef> parts;
    StringRef(variable).split(parts, ':', -1, /*KeepEmpty=*/false);
    paths.insert(paths.end(), parts.begin(), parts.end());
  }
  if (!installation().library.empty())
    paths.push_back(installation().library);
  return paths;
}

Session::Session(const Options &options) : options(options) {}

std::unique_ptr<Program> Session::program(const std::string &path, Wants wants) {
  CheckOptions check;
  check.libraryPaths = libraryPaths(options);
  check.settings = options.settings;
  check.tests = wants.tests;
  check.bounded = wants.bounded;
  check.real = options.real == "f64"    ? Scalar::F64
               : options.real == "bf16" ? Scalar::BF16
               : options.real == "f16"  ? Scalar::F16
                                        : Scalar::F32;
  auto program = nacre::check(sources, path, check, diagnostics);
  if (!program && !diagnostics.failed())
    lost = path;
  return program;
}

const SourceFile *Session::file(const std::string &path) {
  std::string problem;
  const SourceFile *file = sources.load(path, problem);
  if (!file)
    diagnostics.report({Kind::MissingFile, "cannot read `" + path + "`: " + problem, {}, {}, ""});
  return file;
}

bool Session::finish() {
  std::cout.flush();
  if (options.diagnostics == DiagnosticFormat::Json || !diagnostics.all().empty())
    std::cerr << render(diagnostics, options.diagnostics, options.diagnostics == DiagnosticFormat::Text && isatty(2));
  if (!lost.empty())
    fail("internal error in stage `checked`: nothing came out for " + lost);
  return diagnostics.failed() || !lost.empty();
}

int fail(const std::string &problem) {
  std::cout.flush();
  std::cerr << (StringRef(problem).starts_with("error[") ? "" : "error: ") << problem << "\n";
  return Failure;
}

ScratchFolder::ScratchFolder() {
  SmallString<128> path;
  if (std::error_code error = sys::fs::createUniqueDirectory("nacre", path))
    why = "cannot make a temporary folder: " + error.message();
  folder = path.str().str();
}

ScratchFolder::~ScratchFolder() {
  if (why.empty())
    sys::fs::remove_directories(folder);
}

} // namespace nacre
