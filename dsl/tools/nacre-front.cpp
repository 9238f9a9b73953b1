// The front end alone, without the compiler behind it:
//   nacre-front check|fmt|ast|checked FILE..   nacre-front explain [KIND..]
//   --diagnostics=text|line|json   --library=DIR   --set=NAME=VALUE   --real=f64
#include "diagnostics/Diagnostic.h"
#include "syntax/Parse.h"
#include <cstdio>
#include <iostream>
#include <string>
#ifdef NACRE_HAS_CHECK
#include "check/Check.h"
#endif

using namespace nacre;

namespace {
struct Command {
  std::string verb;
  std::vector<std::string> arguments, libraries;
  std::vector<std::pair<std::string, std::string>> settings;
  DiagnosticFormat format = DiagnosticFormat::Text;
  bool doubles = false; // `real` is f64
};

[[noreturn]] void refuse(const std::string &problem) {
  std::cerr << "nacre-front: " << problem
            << "\nusage: nacre-front check|fmt|ast|checked|explain [--diagnostics=text|line|json] [--library=DIR] "
               "[--set=NAME=VALUE] [--real=f64] FILE..\n";
  exit(2);
}

Command read(int argc, char **argv) {
  Command command;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    auto value = [&](std::string_view flag) { return word.substr(flag.size()); };
    if (word == "--diagnostics=text")
      command.format = DiagnosticFormat::Text;
    else if (word == "--diagnostics=line")
      command.format = DiagnosticFormat::Line;
    else if (word == "--diagnostics=json")
      command.format = DiagnosticFormat::Json;
    else if (word.starts_with("--library="))
      command.libraries.push_back(value("--library="));
    else if (word.starts_with("--set=") && word.find('=', 6) != std::string::npos)
      command.settings.push_back({word.substr(6, word.find('=', 6) - 6), word.substr(word.find('=', 6) + 1)});
    else if (word == "--real=f64")
      command.doubles = true;
    else if (word.starts_with("-"))
      refuse("unknown option " + word);
    else if (command.verb.empty())
      command.verb = word;
    else
      command.arguments.push_back(word);
  }
  return command;
}

int explain(const std::vector<std::string> &names) {
  for (Kind kind : allKinds())
    if (names.empty())
      std::cout << info(kind).name << ": " << info(kind).summary << "\n";
  for (const std::string &name : names) {
    Kind kind;
    if (!kindNamed(name, kind))
      refuse("no kind is called " + name + "; `nacre-front explain` lists them");
    std::cout << info(kind).name << ": " << info(kind).summary << "\n\n" << info(kind).story;
  }
  return 0;
}

/// What a verb prints about one file; problems go to `diagnostics`.
void process(const Command &command, const std::string &path, SourceManager &sources, Diagnostics &diagnostics) {
  if (command.verb == "check" || command.verb == "checked") {
#ifdef NACRE_HAS_CHECK
    CheckOptions options;
    options.libraryPaths = command.libraries;
    options.settings = command.settings;
    options.real = command.doubles ? Scalar::F64 : Scalar::F32;
    auto program = check(sources, path, options, diagnostics);
    if (program && command.verb == "checked")
      std::cout << dump(*program);
    return;
#else
    refuse("built without the checker");
#endif
  }
  std::string problem;
  const SourceFile *file = sources.load(path, problem);
  if (!file) {
    diagnostics.report({Kind::MissingFile, "cannot read `" + path + "`: " + problem, {}, {}, ""});
  } else if (command.verb == "fmt") {
    bool ok = false;
    std::string text = format(*file, diagnostics, ok);
    if (ok)
      std::cout << text;
  } else if (auto tree = parse(*file, diagnostics)) {
    std::cout << dump(*tree);
  }
}
} // namespace

int main(int argc, char **argv) {
  std::ios::sync_with_stdio(false);
  Command command = read(argc, argv);
  if (command.verb == "explain")
    return explain(command.arguments);
  if (command.verb != "check" && command.verb != "checked" && command.verb != "fmt" && command.verb != "ast")
    refuse(command.verb.empty() ? "what is to be done?" : "unknown verb " + command.verb);
  if (command.arguments.empty())
    refuse("no file was named");
  SourceManager sources;
  Diagnostics diagnostics;
  for (const std::string &path : command.arguments)
    process(command, path, sources, diagnostics);
  std::cout.flush();
  if (command.format == DiagnosticFormat::Json || !diagnostics.all().empty())
    std::cerr << render(diagnostics, command.format);
  return diagnostics.failed();
}
