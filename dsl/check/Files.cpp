#include "check/Files.h"
#include "syntax/Parse.h"
#include <algorithm>
#include <filesystem>

namespace nacre {

const Global *FileScope::find(const std::string &name) const {
  for (const auto *table : {&own, &imported, &opened})
    if (auto found = table->find(name); found != table->end())
      return &found->second;
  return nullptr;
}
static bool passesOn(const FileScope &file) {
  return file.tree && !file.tree->module.empty() && file.tree->module.front().text == "std";
}
const Global *FileScope::findPublic(const std::string &name) const {
  if (!name.empty() && name[0] == '_')
    return nullptr;
  if (auto found = own.find(name); found != own.end())
    return &found->second;
  if (passesOn(*this))
    if (auto found = opened.find(name); found != opened.end())
      return &found->second;
  return nullptr;
}
void FileScope::names(std::vector<std::string> &out) const {
  for (const auto *table : {&own, &imported, &opened})
    for (const auto &[name, global] : *table)
      out.push_back(name);
}

FileScope *Files::load(const std::string &path, const Span *from) {
  std::error_code ignored;
  std::string key = std::filesystem::weakly_canonical(path, ignored).string();
  if (auto found = loaded.find(key); found != loaded.end()) {
    if (open.count(key)) {
      Diagnostic d{Kind::ImportCycle, "this import leads back to the file itself", {{*from, "imported here"}}, {}, ""};
      d.hint = "move what both files need into a third one";
      diagnostics.report(std::move(d));
      return nullptr;
    }
    return found->second.get();
  }
  std::string problem;
  const SourceFile *source = sources.load(path, problem);
  if (!source) {
    Diagnostic d{Kind::MissingFile, "`" + path + "`: " + problem, {}, {}, ""};
    if (from)
      d.labels.push_back({*from, "imported here"});
    diagnostics.report(std::move(d));
    return nullptr;
  }
  auto &slot = loaded[key] = std::make_unique<FileScope>();
  FileScope *file = slot.get();
  file->source = source;
  open.insert(key);
  file->tree = parse(*source, diagnostics);
  if (file->tree) {
    for (const ast::Import &entry : file->tree->imports)
      import(*file, entry);
    declare(*file);
  }
  open.erase(key);
  if (!file->tree) {
    file->tree = std::make_unique<ast::File>(); // an importer sees no names, and the errors stand reported
    return from ? file : nullptr;
  }
  return file;
}

std::vector<std::string> Files::candidates(const FileScope &file, const ast::Import &entry) const {
  namespace fs = std::filesystem;
  fs::path relative, tail;
  for (size_t i = 0; i < entry.path.size(); ++i) {
    relative /= entry.path[i].text;
    if (i)
      tail /= entry.path[i].text;
  }
  fs::path beside = fs::path(file.source->path()).parent_path();
  std::vector<fs::path> found = {beside / relative};
  // `module a.b.c` says that this file is a/b/c.nacre below a root, and `import a.x` counts from that root.
  fs::path root = beside;
  for (size_t i = 1; i < file.tree->module.size(); ++i) {
    root /= "..";
    found.push_back(root / relative);
  }
  if (entry.path.size() > 1 && !file.tree->module.empty() && file.tree->module.front().text == entry.path[0].text)
    found.push_back(beside / tail);
  for (const std::string &library : libraryPaths) {
    found.push_back(fs::path(library) / relative);
    if (entry.path.size() > 1 && entry.path[0].text == "std")
      found.push_back(fs::path(library) / tail);
  }
  std::vector<std::string> out;
  for (const fs::path &path : found)
    out.push_back(path.lexically_normal().string() + ".nacre");
  return out;
}

void Files::import(FileScope &file, const ast::Import &entry) {
  std::string path;
  for (const std::string &candidate : candidates(file, entry)) {
    std::error_code ignored;
    if (std::filesystem::is_regular_file(candidate, ignored)) {
      path = candidate;
      break;
    }
  }
  std::string dotted;
  for (const ast::Name &part : entry.path)
    dotted += (dotted.empty() ? "" : ".") + part.text;
  if (path.empty()) {
    Diagnostic d{Kind::UnknownModule, "no file for `import " + dotted + "`", {{entry.span, "not found"}}, {}, ""};
    std::string tried;
    for (const std::string &candidate : candidates(file, entry))
      tried += (tried.empty() ? "`" : ", `") + candidate + "`";
    d.hint = "looked for " + tried;
    diagnostics.report(std::move(d));
    return;
  }
  FileScope *other = load(path, &entry.span);
  if (!other)
    return;
  if (!entry.alias.text.empty()) {
    file.imported[entry.alias.text] = {nullptr, other};
    return;
  }
  for (const ast::Name &wanted : entry.names) {
    if (const Global *global = other->findPublic(wanted.text)) {
      file.imported[wanted.text] = *global;
      continue;
    }
    bool isPrivate = other->own.count(wanted.text) != 0;
    std::vector<std::string> names;
    other->names(names);
    std::string near = nearest(wanted.text, names);
    Diagnostic d{isPrivate ? Kind::PrivateName : Kind::UnknownName,
                 isPrivate ? "`" + wanted.text + "` is private to `" + dotted + "`"
                           : "`" + dotted + "` declares nothing named `" + wanted.text + "`",
                 {{wanted.span, "imported here"}},
                 {},
                 isPrivate      ? "a name that begins with `_` stays in its file"
                 : near.empty() ? ""
                                : "`" + near + "` is close"};
    diagnostics.report(std::move(d));
  }
  if (!entry.names.empty())
    return;
  for (const auto &[name, global] : other->own)
    if (name[0] != '_')
      file.opened.emplace(name, global);
  if (passesOn(*other))
    for (const auto &[name, global] : other->opened)
      file.opened.emplace(name, global);
}

/// The tensors in a type with every name of the file written out; nothing if it contains itself or has too many.
static std::optional<size_t> parts(const ast::Type *type, const FileScope &file,
                                   std::map<const ast::Decl *, size_t> &known, std::set<const ast::Decl *> &open) {
  constexpr size_t most = 4096;
  size_t count = 1;
  auto add = [&](const ast::Type *part) {
    std::optional<size_t> more = parts(part, file, known, open);
    count += more.value_or(0);
    return more && count <= most;
  };
  for (const ast::Field &field : type->fields)
    if (!add(field.type))
      return std::nullopt;
  for (const ast::Type *input : type->inputs)
    if (!add(input))
      return std::nullopt;
  if (type->output && !add(type->output))
    return std::nullopt;
  auto named = type->form == ast::Type::Form::Named ? file.own.find(type->name.text) : file.own.end();
  auto *alias = named == file.own.end() ? nullptr : ast::as<ast::TypeDecl>(named->second.decl);
  if (!alias)
    return count;
  if (auto found = known.find(alias); found != known.end())
    return found->second;
  if (!open.insert(alias).second)
    return std::nullopt;
  std::optional<size_t> inside = parts(alias->type, file, known, open);
  open.erase(alias);
  if (inside)
    known[alias] = *inside;
  return inside;
}

void Files::declare(FileScope &file) {
  for (const ast::Decl *decl : file.tree->declarations) {
    if (decl->kind == ast::DeclKind::Test || decl->kind == ast::DeclKind::Train)
      continue;
    if (auto *gradient = ast::as<ast::GradientDecl>(decl)) {
      file.gradients.emplace(decl->name.text, gradient);
      continue;
    }
    auto [slot, added] = file.own.emplace(decl->name.text, Global{decl, &file});
    if (!added)
      diagnostics.report(
          {Kind::DuplicateName,
           "`" + decl->name.text + "` is declared twice",
           {{decl->name.span, "declared again here"}, {slot->second.decl->name.span, "first declared here"}},
           {},
           "rename one of the two"});
  }
  std::map<const ast::Decl *, size_t> known;
  for (const ast::Decl *decl : file.tree->declarations) {
    std::set<const ast::Decl *> open = {decl};
    auto *alias = ast::as<ast::TypeDecl>(decl);
    if (alias && !parts(alias->type, file, known, open)) {
      diagnostics.report({Kind::Recursion,
                          "type `" + decl->name.text + "` contains itself, or more than 4096 tensors",
                          {{decl->name.span, "declared here"}},
                          {},
                          "a record has a fixed number of fields"});
      return;
    }
  }
}

static size_t distance(const std::string &a, const std::string &b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j)
    row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}
std::string nearest(const std::string &name, const std::vector<std::string> &names) {
  std::string best;
  size_t least = std::max<size_t>(1, name.size() / 3) + 1; // a third of the letters may differ
  for (const std::string &candidate : names)
    if (size_t d = distance(name, candidate); d < least && candidate != name) {
      least = d;
      best = candidate;
    }
  return least < std::max<size_t>(1, name.size()) ? best : "";
}

} // namespace nacre
