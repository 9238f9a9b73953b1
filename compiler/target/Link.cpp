// Calls lld directly: the C library's start files and archives are all a program needs, no compiler driver.
#include "target/Link.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"
#include <sys/stat.h>

using namespace llvm;

namespace nacre {
namespace {

#if defined(__aarch64__)
constexpr const char *triple = "aarch64-linux-gnu", *loader = "/lib/ld-linux-aarch64.so.1";
#else
constexpr const char *triple = "x86_64-linux-gnu", *loader = "/lib64/ld-linux-x86-64.so.2";
#endif

/// Where C libraries live on the distributions we know.
std::vector<std::string> libraryFolders() {
  return {std::string("/usr/lib/") + triple, std::string("/lib/") + triple, "/usr/lib64", "/lib64", "/usr/lib", "/lib"};
}

std::string findLibraryFile(StringRef name) {
  for (const std::string &folder : libraryFolders())
    if (std::string path = folder + "/" + name.str(); sys::fs::exists(path))
      return path;
  return "";
}

struct Linker {
  std::string program;
  bool isCompiler = false; // cc: takes the same flags behind -Wl,
};

Linker findLinker() {
  for (const char *name : {"ld.lld-22", "ld.lld"})
    if (auto path = sys::findProgramByName(name))
      return {*path};
  if (auto path = sys::findProgramByName("ld.lld", {"/usr/lib/llvm-22/bin"}))
    return {*path};
  for (const char *name : {"cc", "gcc", "clang"})
    if (auto path = sys::findProgramByName(name))
      return {*path, true};
  return {};
}

/// The last lines of what a tool said.
std::string said(StringRef file) {
  auto buffer = MemoryBuffer::getFile(file);
  if (!buffer)
    return "";
  StringRef text = (*buffer)->getBuffer().rtrim();
  return text.size() > 2000 ? "..." + text.take_back(2000).str() : text.str();
}

std::string runTool(const std::string &program, const std::vector<std::string> &words) {
  SmallString<128> log;
  if (std::error_code error = sys::fs::createTemporaryFile("nacre-link", "log", log))
    return "cannot make a temporary file: " + error.message();
  std::vector<StringRef> arguments{program};
  arguments.insert(arguments.end(), words.begin(), words.end());
  std::string problem;
  std::optional<StringRef> redirects[] = {StringRef(""), StringRef(log), StringRef(log)};
  int status = sys::ExecuteAndWait(program, arguments, std::nullopt, redirects, 0, 0, &problem);
  if (status != 0)
    problem = program + " failed: " + (problem.empty() ? said(log) : problem);
  sys::fs::remove(log);
  return status == 0 ? "" : problem;
}

std::string archive(const LinkOptions &options, StringRef name) { return options.runtime + "/lib" + name.str() + ".a"; }

std::string requireFile(const std::string &path) {
  return sys::fs::exists(path) ? "" : "Nacre's own library " + path + " is missing: install Nacre again";
}

/// The archives of codecs and trainers that a product takes, each before those it refers to. `roots`: symbols that
/// nothing but a weak reference asks for.
std::string extraArchives(const LinkOptions &options, bool program, std::vector<std::string> &roots,
                          std::vector<std::string> &archives) {
  if (options.train) {
    archives = {archive(options, "nacre_train"), archive(options, "nacre_data")};
    for (const std::string &path : archives)
      if (std::string problem = requireFile(path); !problem.empty())
        return problem;
    if (program)
      roots.push_back("nacre_train_command");
  }
  for (const std::string &codec : options.codecs) {
    if (!sys::fs::exists(archive(options, "nacre_" + codec)))
      return "the module needs the codec " + codec + ", but Nacre was built without it (package lib" + codec + "-dev)";
    roots.push_back("nacre_codec_" + codec);
    archives.push_back(archive(options, "nacre_" + codec));
  }
  if (options.images) {
    archives.push_back(archive(options, "nacre_images"));
    if (std::string problem = requireFile(archives.back()); !problem.empty())
      return problem;
  }
  if (!archives.empty())
    archives.push_back(archive(options, "nacre_rt")); // they report errors through it
  return "";
}

std::vector<std::string> rootWords(const std::vector<std::string> &roots) {
  std::vector<std::string> words;
  for (const std::string &root : roots)
    words.insert(words.end(), {"-u", root});
  return words;
}

std::vector<std::string> commonFlags(const LinkOptions &options) {
  std::vector<std::string> words{"--gc-sections", "--build-id", "--eh-frame-hdr", "--hash-style=gnu",
                                 "--as-needed",   "-z",         "relro",          "-z",
                                 "now",           "-z",         "noexecstack"};
  if (options.strip)
    words.push_back("--strip-all");
  return words;
}

/// Links into a file beside `output` and moves it onto its place.
std::string finishLink(const Linker &linker, std::vector<std::string> words, const std::string &output) {
  std::string beside = besidePath(output);
  words.insert(words.end(), {"-o", beside});
  std::string problem = runTool(linker.program, words);
  if (problem.empty())
    return moveInto(beside, output, true);
  sys::fs::remove(beside);
  return problem;
}

std::string noLinker() { return "no linker found: install the package lld-22 (or lld)"; }

/// A compiler driver knows the start files itself; linker flags go behind -Wl,.
std::vector<std::string> throughCompiler(const std::vector<std::string> &words) {
  std::vector<std::string> out;
  for (size_t i = 0; i < words.size(); ++i)
    if (words[i] == "-z" || words[i] == "-u")
      out.push_back("-Wl," + words[i] + "," + words[i + 1]), ++i;
    else if (StringRef(words[i]).starts_with("--"))
      out.push_back("-Wl," + words[i]);
    else
      out.push_back(words[i]);
  return out;
}

} // namespace

std::string linkProgram(const std::string &object, const std::string &output, const LinkOptions &options) {
  Linker linker = findLinker();
  if (linker.program.empty())
    return noLinker();
  std::vector<std::string> words = commonFlags(options), inputs{object};
  inputs.insert(inputs.end(), options.files.begin(), options.files.end());
  for (StringRef name : {"nacre_main", "nacre_rt"}) {
    if (std::string problem = requireFile(archive(options, name)); !problem.empty())
      return problem;
    inputs.push_back(archive(options, name));
  }
  std::vector<std::string> roots, extra;
  if (std::string problem = extraArchives(options, true, roots, extra); !problem.empty())
    return problem;
  roots = rootWords(roots);
  inputs.insert(inputs.end(), roots.begin(), roots.end());
  inputs.insert(inputs.end(), extra.begin(), extra.end());
  if (linker.isCompiler) {
    words = throughCompiler(words);
    inputs = throughCompiler(inputs);
    words.insert(words.end(), inputs.begin(), inputs.end());
    words.insert(words.end(), {"-pie", "-pthread", "-lm"});
    return finishLink(linker, words, output);
  }
  std::string start = findLibraryFile("Scrt1.o"), first = findLibraryFile("crti.o"), last = findLibraryFile("crtn.o");
  if (start.empty() || first.empty() || last.empty() || findLibraryFile("libc.so").empty())
    return "the C library's files for linking (Scrt1.o, libc.so) are missing: install the package libc6-dev";
  words.insert(words.end(), {"-pie", "-dynamic-linker", loader, start, first});
  words.insert(words.end(), inputs.begin(), inputs.end());
  for (const std::string &folder : libraryFolders())
    words.push_back("-L" + folder);
  words.insert(words.end(), {"-lm", "-lpthread", "-lc", last});
  return finishLink(linker, words, output);
}

std::string linkShared(const std::string &object, const std::string &output, const LinkOptions &options) {
  Linker linker = findLinker();
  if (linker.program.empty())
    return noLinker();
  if (std::string problem = requireFile(archive(options, "nacre_rt")); !problem.empty())
    return problem;
  std::vector<std::string> words = commonFlags(options);
  // All of nacre.h belongs to the interface, also what nothing in the object calls.
  std::vector<std::string> inputs{object};
  inputs.insert(inputs.end(), options.files.begin(), options.files.end());
  inputs.insert(inputs.end(), {"--whole-archive", archive(options, "nacre_rt"), "--no-whole-archive"});
  std::vector<std::string> roots, extra;
  if (std::string problem = extraArchives(options, false, roots, extra); !problem.empty())
    return problem;
  if (!extra.empty())
    extra.pop_back(); // the runtime is there as a whole
  // What only the readers of data use is nobody's interface; and the system's archives of libpng and libjpeg, made for
  // programs, can be linked into a shared library when nobody outside may replace their symbols.
  if (options.train)
    words.push_back("--exclude-libs=libnacre_data.a:libnacre_images.a");
  roots = rootWords(roots);
  inputs.insert(inputs.end(), roots.begin(), roots.end());
  inputs.insert(inputs.end(), extra.begin(), extra.end());
  if (linker.isCompiler) {
    words = throughCompiler(words);
    inputs = throughCompiler(inputs);
    words.insert(words.end(), inputs.begin(), inputs.end());
    words.insert(words.end(), {"-shared", "-pthread", "-lm"});
    return finishLink(linker, words, output);
  }
  if (findLibraryFile("libc.so").empty())
    return "the C library's files for linking (libc.so) are missing: install the package libc6-dev";
  words.insert(words.end(), {"-shared", "-soname", sys::path::filename(output).str()});
  words.insert(words.end(), inputs.begin(), inputs.end());
  for (const std::string &folder : libraryFolders())
    words.push_back("-L" + folder);
  words.insert(words.end(), {"-lm", "-lpthread", "-lc"});
  return finishLink(linker, words, output);
}

/// All members of an archive. The buffer must outlive them.
static std::string takeMembers(const std::string &path, std::vector<std::unique_ptr<MemoryBuffer>> &buffers,
                               std::vector<std::unique_ptr<object::Archive>> &archives,
                               std::vector<NewArchiveMember> &members) {
  if (std::string problem = requireFile(path); !problem.empty())
    return problem;
  auto buffer = MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return "cannot read " + path + ": " + buffer.getError().message();
  auto source = object::Archive::create((*buffer)->getMemBufferRef());
  if (!source)
    return path + ": " + toString(source.takeError());
  Error error = Error::success();
  for (const object::Archive::Child &child : (*source)->children(error)) {
    Expected<NewArchiveMember> member = NewArchiveMember::getOldMember(child, /*Deterministic=*/true);
    if (!member) {
      consumeError(std::move(error));
      return path + ": " + toString(member.takeError());
    }
    members.push_back(std::move(*member));
  }
  if (error)
    return path + ": " + toString(std::move(error));
  buffers.push_back(std::move(*buffer));
  archives.push_back(std::move(*source));
  return "";
}

/// The object and the members of the archives that it needs in one: a user links it, libm and pthread.
std::string makeArchive(const std::string &object, const std::string &output, const LinkOptions &options) {
  std::vector<NewArchiveMember> members;
  Expected<NewArchiveMember> own = NewArchiveMember::getFile(object, /*Deterministic=*/true);
  if (!own)
    return toString(own.takeError());
  std::string ownName = sys::path::stem(output).str() + ".o";
  own->MemberName = ownName;
  members.push_back(std::move(*own));
  std::vector<std::string> roots, archives;
  if (std::string problem = extraArchives(options, false, roots, archives); !problem.empty())
    return problem;
  if (archives.empty())
    archives.push_back(archive(options, "nacre_rt"));
  std::vector<std::unique_ptr<MemoryBuffer>> buffers;
  std::vector<std::unique_ptr<object::Archive>> sources;
  for (const std::string &path : options.files)
    if (!StringRef(path).ends_with(".a")) {
      Expected<NewArchiveMember> file = NewArchiveMember::getFile(path, /*Deterministic=*/true);
      if (!file)
        return toString(file.takeError());
      file->MemberName = sys::path::filename(path);
      members.push_back(std::move(*file));
    } else {
      archives.push_back(path);
    }
  for (const std::string &path : archives)
    if (std::string problem = takeMembers(path, buffers, sources, members); !problem.empty())
      return problem;
  std::string beside = besidePath(output);
  if (Error failure = writeArchive(beside, members, SymtabWritingMode::NormalSymtab, object::Archive::K_GNU,
                                   /*Deterministic=*/true, /*Thin=*/false)) {
    sys::fs::remove(beside);
    return "cannot write " + output + ": " + toString(std::move(failure));
  }
  return moveInto(beside, output, false);
}

std::string besidePath(const std::string &path) { return path + ".tmp" + std::to_string(sys::Process::getProcessId()); }

std::string moveInto(const std::string &beside, const std::string &path, bool executable) {
  mode_t mask = umask(0);
  umask(mask);
  chmod(beside.c_str(), (executable ? 0777 : 0666) & ~mask);
  if (std::error_code error = sys::fs::rename(beside, path)) {
    sys::fs::remove(beside);
    return "cannot write " + path + ": " + error.message();
  }
  return "";
}

std::string writeFile(const std::string &path, std::string_view contents) {
  std::string beside = besidePath(path);
  std::error_code error;
  {
    raw_fd_ostream stream(beside, error);
    if (!error) {
      stream << contents;
      stream.close();
      error = stream.error();
      stream.clear_error();
    }
  }
  if (error) {
    sys::fs::remove(beside);
    return "cannot write " + path + ": " + error.message();
  }
  return moveInto(beside, path, false);
}

} // namespace nacre
