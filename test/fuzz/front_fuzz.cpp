// Feeds damaged programs to the front end. Each case takes a good program, damages it by tokens, lines or bytes, and
// runs format, check and all renderings on it in a child process. Required: the child ends by itself and in time,
// reports something exactly if it refuses the program, every report points into a file, and formatting twice is
// formatting once.
//
//   front_fuzz [--cases N] [--seed S] [--only CASE] [--library FOLDER] [--save FOLDER] [--seconds LIMIT] PROGRAMS OR
//   FOLDERS
#include "check/Check.h"
#include "syntax/Parse.h"
#include <algorithm>
#include <cctype>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace nacre;
namespace fs = std::filesystem;

// A sanitizer's own exit status is 1, which would look like a refused program.
extern "C" const char *__asan_default_options() { return "abort_on_error=1:detect_leaks=0"; }
extern "C" const char *__ubsan_default_options() { return "abort_on_error=1:print_stacktrace=1"; }

namespace {

struct Options {
  unsigned cases = 300, seed = 1, seconds = 20;
  long only = -1;
  std::string library, save;
  std::vector<std::vector<fs::path>> programs; // by argument: each has the same weight, however many files it has
};

std::string read(const fs::path &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// ---- damage

/// Words, numbers, strings and marks with the white space before each, so that joining them gives the text back.
std::vector<std::string> tokens(const std::string &text) {
  std::vector<std::string> all;
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    while (end < text.size() && std::isspace(static_cast<unsigned char>(text[end])))
      ++end;
    auto word = [&](size_t i) {
      return i < text.size() && (std::isalnum(static_cast<unsigned char>(text[i])) || text[i] == '_');
    };
    if (end < text.size() && text[end] == '#')
      end = std::min(text.find('\n', end), text.size());
    else if (end < text.size() && text[end] == '"')
      end = std::min(text.find('"', end + 1), text.size() - 1) + 1;
    else if (word(end))
      while (word(end))
        ++end;
    else if (end < text.size())
      ++end;
    all.push_back(text.substr(at, end - at));
    at = end;
  }
  return all;
}

/// Pieces that programs are made of, the ones with corners first.
const char *const pieces[] = {" 0",
                              " 1",
                              " -1",
                              " 2",
                              " 9223372036854775807",
                              " 99999999999999999999",
                              " 1e999",
                              " 0.5",
                              " 1_000_000",
                              " _",
                              " ...",
                              " ..",
                              " n",
                              " n // 2",
                              " 2*n",
                              " n - 5",
                              " n % 0",
                              " n // 0",
                              " n ^ 64",
                              " n ^ n",
                              " 1000000 ^ 1000000",
                              " (",
                              " )",
                              " [",
                              " ]",
                              " {",
                              " }",
                              " ,",
                              " :",
                              " =",
                              " ==",
                              " <",
                              " <-",
                              " ->",
                              " =>",
                              " |>",
                              " +",
                              " -",
                              " *",
                              " /",
                              " //",
                              " %",
                              " ^",
                              " ~=",
                              " +=",
                              " not",
                              " and",
                              " or",
                              " in",
                              " if",
                              " then",
                              " else",
                              " for",
                              " while",
                              " limit",
                              " yield",
                              " return",
                              " let",
                              " var",
                              " param",
                              " state",
                              " use",
                              " fn",
                              " layer",
                              " model",
                              " entry",
                              " test",
                              " train",
                              " data",
                              " grad",
                              " import",
                              " module",
                              " where",
                              " when",
                              " over",
                              " reverse",
                              " real",
                              " i32",
                              " u8",
                              " bool",
                              " str",
                              " f16",
                              " sum",
                              " max",
                              " argmax",
                              " mean",
                              " training",
                              " true",
                              " \"\"",
                              " \"{n}\"",
                              " \"a",
                              " @keep",
                              " @fuse(x)",
                              " #",
                              " expect error \"",
                              " x[x]",
                              " relu",
                              " softmax(",
                              " Linear[",
                              " fc: Linear[3]",
                              " shape(x)",
                              " weights(net)",
                              " inf",
                              " sum[i](",
                              " x",
                              " w",
                              " y",
                              " [n]",
                              " real[n, n]",
                              " where n <= 4",
                              " where n == n",
                              " where n % 2 == 0",
                              " []",
                              " ()"};

using Corpus = std::vector<std::vector<std::string>>;

class Damage {
public:
  Damage(unsigned seed, const Corpus &corpus) : dice(seed), corpus(corpus) {}

  /// Half of the programs keep their grammar, mostly, so that damage reaches the checker.
  std::string program() {
    std::string text = pick(pick(corpus));
    bool gently = below(2);
    for (size_t rounds = 1 + below(gently ? 2 : 4); rounds > 0; --rounds)
      text = gently ? kin(text) : below(4) == 0 ? bytes(text) : below(5) == 0 ? lines(text) : words(text);
    return text;
  }

private:
  size_t below(size_t bound) { return bound ? dice() % bound : 0; }
  template <typename T> const T &pick(const std::vector<T> &all) { return all[below(all.size())]; }

  /// A name for a name, a number for a number, an operator for an operator.
  std::string kin(const std::string &text) {
    std::vector<std::string> all = tokens(text);
    const std::vector<std::string> other = below(4) ? all : tokens(pick(pick(corpus)));
    static const std::vector<std::string> numbers = {" 0",  " 1", " 2", " 3", " 5", " 64", " 9223372036854775807",
                                                     " 1.5"};
    static const std::vector<std::string> operators = {"+", "-", "*", "/", "%", "<", "^"};
    auto family = [](const std::string &token) {
      unsigned char last = token.empty() ? ' ' : static_cast<unsigned char>(token.back());
      size_t start = token.find_first_not_of(" \n\t\r");
      if (start == std::string::npos || token[start] == '#')
        return 0;
      if (std::isdigit(static_cast<unsigned char>(token[start])))
        return 1;
      static const std::set<std::string> keywords = {
          "let",   "var",    "fn",   "layer", "model", "entry", "test", "return", "if",    "then",   "else",   "for",
          "while", "in",     "use",  "param", "state", "where", "not",  "and",    "or",    "import", "module", "const",
          "type",  "expect", "load", "yield", "over",  "when",  "data", "train",  "error", "limit",  "within"};
      if (keywords.count(token.substr(start)))
        return 0;
      return std::isalnum(last) || last == '_' ? 2 : std::strchr("+-*/%<^", last) ? 3 : last == '"' ? 4 : 0;
    };
    for (int attempts = 0; attempts < 50 && !all.empty() && !other.empty(); ++attempts) {
      std::string &token = all[below(all.size())];
      int wanted = family(token);
      std::string found = wanted == 1 && below(2) ? pick(numbers) : wanted == 3 ? pick(operators) : pick(other);
      if (!wanted || family(found) != wanted || found == token)
        continue;
      token = found;
      break;
    }
    return join(all);
  }

  static std::string join(const std::vector<std::string> &all) {
    std::string joined;
    for (const std::string &piece : all)
      joined += piece;
    return joined;
  }

  std::string words(const std::string &text) {
    std::vector<std::string> all = tokens(text);
    if (all.empty())
      return text;
    auto at = [&] { return all.begin() + static_cast<std::ptrdiff_t>(below(all.size())); };
    std::string piece = pieces[below(std::size(pieces))];
    switch (below(8)) {
    case 0:
      all.erase(at());
      break;
    case 1:
      all.insert(at(), *at());
      break;
    case 2:
      std::swap(*at(), *at());
      break;
    case 3:
      *at() = piece;
      break;
    case 4:
      all.insert(at(), piece);
      break;
    case 5: { // a token of another program
      std::vector<std::string> other = tokens(pick(pick(corpus)));
      if (!other.empty())
        *at() = pick(other);
      break;
    }
    case 6: { // another token of this program
      std::string token = *at();
      *at() = token;
      break;
    }
    default: // many times the same
      for (size_t count = 1 << below(11); count > 0; --count)
        piece += pieces[below(3) ? 21 : below(std::size(pieces))];
      all.insert(at(), piece);
    }
    return join(all);
  }

  std::string lines(const std::string &text) {
    auto split = [](const std::string &s) {
      std::vector<std::string> all;
      std::istringstream stream(s);
      for (std::string line; std::getline(stream, line);)
        all.push_back(line + "\n");
      return all;
    };
    std::vector<std::string> all = split(text), other = split(pick(pick(corpus)));
    if (all.empty() || other.empty())
      return text;
    size_t from = below(other.size()), count = 1 + below(12), at = below(all.size());
    auto place = all.begin() + static_cast<std::ptrdiff_t>(at);
    if (below(2))
      all.erase(place, all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), at + count)));
    else
      all.insert(place, other.begin() + static_cast<std::ptrdiff_t>(from),
                 other.begin() + static_cast<std::ptrdiff_t>(std::min(other.size(), from + count)));
    return join(all);
  }

  std::string bytes(std::string text) {
    if (text.empty())
      return text;
    size_t at = below(text.size());
    switch (below(5)) {
    case 0:
      text[at] = static_cast<char>(below(256));
      break;
    case 1:
      text.insert(at, 1, static_cast<char>(below(256)));
      break;
    case 2:
      text.erase(at, 1 + below(8));
      break;
    case 3:
      text.resize(at);
      break;
    default:
      text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
    }
    return text;
  }

  std::mt19937 dice;
  const Corpus &corpus;
};

// ---- the front end on one program

enum Verdict { Accepted = 0, Refused = 1, Silent = 70, BadReport, UnstableFormat, BrokenFormat, ChangedMeaning };

const char *explain(int status) {
  switch (status) {
  case Silent:
    return "no program and no report";
  case BadReport:
    return "a report without headline, without place or outside its file";
  case UnstableFormat:
    return "formatting twice is not formatting once";
  case BrokenFormat:
    return "the formatted program does not parse";
  case ChangedMeaning:
    return "formatting changes the syntax tree";
  default:
    return "unexpected exit status";
  }
}

bool sound(const Diagnostics &diagnostics) {
  for (const Diagnostic &d : diagnostics.all()) {
    if (d.headline.empty() || d.headline.find('\n') != std::string::npos || info(d.kind).name.empty())
      return false;
    for (const Label &label : d.labels)
      if (label.span && (label.span.begin > label.span.end || label.span.end > label.span.file->text().size()))
        return false;
  }
  for (DiagnosticFormat format : {DiagnosticFormat::Text, DiagnosticFormat::Line, DiagnosticFormat::Json})
    if (render(diagnostics, format).empty() != diagnostics.all().empty() && format != DiagnosticFormat::Json)
      return false;
  return true;
}

int runFrontEnd(const std::string &path, const Options &options) {
  {
    SourceManager sources;
    Diagnostics diagnostics;
    bool ok = false;
    std::string problem;
    const SourceFile *file = sources.load(path, problem);
    std::string once = file ? format(*file, diagnostics, ok) : "";
    if (ok) {
      const SourceFile *formatted = sources.add("once.nacre", once);
      std::string twice = format(*formatted, diagnostics, ok);
      if (!ok)
        return BrokenFormat;
      if (once != twice)
        return UnstableFormat;
      if (dump(*parse(*file, diagnostics)) != dump(*parse(*formatted, diagnostics)))
        return ChangedMeaning;
    }
  }
  SourceManager sources;
  Diagnostics diagnostics;
  CheckOptions check;
  check.libraryPaths = {options.library};
  check.bounded = true;
  bool program = nacre::check(sources, path, check, diagnostics) != nullptr;
  if (!sound(diagnostics))
    return BadReport;
  if (program == diagnostics.failed())
    return Silent;
  return program ? Accepted : Refused;
}

/// True if the front end behaved; else says what happened and keeps the program.
bool runCase(unsigned number, const std::string &text, const fs::path &folder, const Options &options,
             unsigned *counts) {
  fs::path path = folder / "case.nacre", output = folder / "output.txt";
  std::ofstream(path, std::ios::binary) << text;
  std::fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    rlimit none{0, 0}, time{options.seconds, options.seconds + 1};
    setrlimit(RLIMIT_CORE, &none);
    setrlimit(RLIMIT_CPU, &time);
    if (!std::freopen(output.c_str(), "w", stderr))
      _exit(80);
    _exit(runFrontEnd(path, options));
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && (WEXITSTATUS(status) == Accepted || WEXITSTATUS(status) == Refused)) {
    ++counts[WEXITSTATUS(status)];
    return true;
  }
  std::string reason = WIFSIGNALED(status) ? WTERMSIG(status) == SIGXCPU ? "out of time" : strsignal(WTERMSIG(status))
                                           : explain(WEXITSTATUS(status));
  std::printf("case %u of seed %u: %s\n%s\n", number, options.seed, reason.c_str(),
              read(output).substr(0, 4000).c_str());
  if (!options.save.empty()) {
    fs::create_directories(options.save);
    fs::path kept =
        fs::path(options.save) / ("seed" + std::to_string(options.seed) + "_case" + std::to_string(number) + ".nacre");
    std::ofstream(kept, std::ios::binary) << text;
    std::printf("kept in %s\n", kept.c_str());
  }
  return false;
}

Options parseArguments(int argc, char **argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    auto next = [&] {
      if (++i >= argc) {
        std::fprintf(stderr, "%s needs a value\n", argument.c_str());
        std::exit(2);
      }
      return argv[i];
    };
    auto number = [&] { return static_cast<unsigned>(std::strtoul(next(), nullptr, 10)); };
    if (argument == "--cases")
      options.cases = number();
    else if (argument == "--seed")
      options.seed = number();
    else if (argument == "--only")
      options.only = number();
    else if (argument == "--seconds")
      options.seconds = number();
    else if (argument == "--library")
      options.library = next();
    else if (argument == "--save")
      options.save = next();
    else if (fs::is_directory(argument)) {
      std::vector<fs::path> &found = options.programs.emplace_back();
      for (auto &entry : fs::recursive_directory_iterator(argument))
        if (entry.path().extension() == ".nacre")
          found.push_back(entry.path());
      std::sort(found.begin(), found.end()); // the same cases on every machine
    } else {
      options.programs.push_back({argument});
    }
  }
  return options;
}

} // namespace

int main(int argc, char **argv) {
  Options options = parseArguments(argc, argv);
  Corpus corpus;
  for (const std::vector<fs::path> &paths : options.programs) {
    std::vector<std::string> texts;
    for (const fs::path &path : paths)
      texts.push_back(read(path));
    if (!texts.empty())
      corpus.push_back(std::move(texts));
  }
  if (corpus.empty()) {
    std::fprintf(stderr, "front_fuzz: no programs given\n");
    return 2;
  }
  fs::path folder = fs::temp_directory_path() / ("front_fuzz." + std::to_string(getpid()));
  fs::create_directories(folder);

  // The parser learns its grammar while it parses; children inherit what the parent has learnt.
  for (const std::vector<std::string> &texts : corpus)
    for (const std::string &text : texts) {
      SourceManager sources;
      Diagnostics diagnostics;
      parse(*sources.add("warm.nacre", text), diagnostics);
    }

  unsigned counts[2] = {0, 0}, passed = 0, failed = 0;
  for (unsigned i = 0; i < options.cases; ++i) {
    if (options.only >= 0 && i != static_cast<unsigned>(options.only))
      continue;
    std::string text = Damage(options.seed * 1000003 + i, corpus).program();
    ++(runCase(i, text, folder, options, counts) ? passed : failed);
  }
  fs::remove_all(folder);
  std::printf("%u programs accepted, %u refused\n%u passed, %u failed\n", counts[Accepted], counts[Refused], passed,
              failed);
  return failed > 0;
}
