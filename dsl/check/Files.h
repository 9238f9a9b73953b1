// The files of one compilation and the names that each of them sees.
//
// A name is looked up in the file itself, then among the names that it imports one by one (`import a {x}`), then in the
// files that it opens (`import std`). A file whose path starts with `std` passes on what it opens itself, so the one
// line `import std` opens the whole library however it is cut into files. Names that begin with `_` are private.
#pragma once
#include "check/Entity.h"
#include "diagnostics/Diagnostic.h"
#include <map>
#include <memory>
#include <set>

namespace nacre {

/// A declaration and the file whose names its text uses; or (decl null) the module `file`.
struct Global {
  const ast::Decl *decl = nullptr;
  const FileScope *file = nullptr;
};

struct FileScope {
  const SourceFile *source = nullptr;
  std::unique_ptr<ast::File> tree;
  std::map<std::string, Global> own, imported, opened;
  std::map<std::string, const ast::GradientDecl *> gradients;

  const Global *find(const std::string &name) const;
  /// A public name of this file, or of what it passes on.
  const Global *findPublic(const std::string &name) const;
  void names(std::vector<std::string> &out) const;
};

class Files {
public:
  Files(SourceManager &sources, const std::vector<std::string> &libraryPaths, Diagnostics &diagnostics)
      : sources(sources), libraryPaths(libraryPaths), diagnostics(diagnostics) {}

  /// Null after reporting. `from` is the import that asks, if any.
  FileScope *load(const std::string &path, const Span *from = nullptr);

private:
  void import(FileScope &file, const ast::Import &);
  std::vector<std::string> candidates(const FileScope &file, const ast::Import &) const;
  void declare(FileScope &file);

  SourceManager &sources;
  const std::vector<std::string> &libraryPaths;
  Diagnostics &diagnostics;
  std::map<std::string, std::unique_ptr<FileScope>> loaded;
  std::set<std::string> open; // being loaded: met again, it is a cycle
};

/// The nearest of `names`, if it is near enough to be a misspelling; else empty.
std::string nearest(const std::string &name, const std::vector<std::string> &names);

} // namespace nacre
