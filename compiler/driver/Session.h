// One run of the front end for a command: files, diagnostics, and where Nacre's own files are.
#pragma once
#include "check/Check.h"
#include "driver/Options.h"

namespace nacre {

/// bin/nacre with share/nacre/stdlib and lib beside it: the same in a build tree and where Nacre is installed.
struct Installation {
  std::string library; // the folder of std.nacre, or empty
  std::string runtime; // the folder of libnacre_rt.a, or empty
};
const Installation &installation();

class Session {
public:
  explicit Session(const Options &);

  struct Wants {
    bool tests = false;   // expand test blocks
    bool bounded = false; // refuse unbounded dimensions
  };
  /// The checked program, or null after errors were reported.
  std::unique_ptr<Program> program(const std::string &path, Wants);
  /// The file, or null after `missing-file` was reported.
  const SourceFile *file(const std::string &path);

  Diagnostics diagnostics;
  /// Writes what was reported to standard error; true if there was an error.
  bool finish();

private:
  const Options &options;
  SourceManager sources;
  std::string lost; // a file for which the checker gave neither a program nor an error
};

/// "error: ..." on standard error; returns Failure.
int fail(const std::string &problem);

/// A folder that disappears with everything in it.
class ScratchFolder {
public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder &) = delete;
  ScratchFolder &operator=(const ScratchFolder &) = delete;

  const std::string &problem() const { return why; } // empty: it exists
  std::string path(const std::string &name) const { return folder + "/" + name; }

private:
  std::string folder, why;
};

} // namespace nacre
