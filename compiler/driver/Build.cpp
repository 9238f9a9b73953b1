// nacre build, nacre show.
#include "driver/Product.h"
#include "driver/Session.h"
#include "syntax/Parse.h"
#include "target/Link.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <chrono>
#include <iostream>

using namespace llvm;

namespace nacre {
namespace {

struct ProductKind {
  const char *name, *extension;
};
/// Everything --emit takes, with what is appended to the stem when several are asked for at once.
constexpr ProductKind kinds[] = {{"exe", ""},
                                 {"static", ".a"},
                                 {"shared", ".so"},
                                 {"object", ".o"},
                                 {"header", ".h"},
                                 {"ast", ".ast"},
                                 {"checked", ".checked"},
                                 {"nacre", ".nacre.mlir"},
                                 {"fused", ".fused.mlir"},
                                 {"linalg", ".linalg.mlir"},
                                 {"buffers", ".buffers.mlir"},
                                 {"loops", ".loops.mlir"},
                                 {"llvm", ".ll"},
                                 {"asm", ".s"}};

const ProductKind *productNamed(const std::string &name) {
  for (const ProductKind &kind : kinds)
    if (name == kind.name)
      return &kind;
  return nullptr;
}

std::string allNames() {
  std::string names;
  for (const ProductKind &kind : kinds)
    names += (names.empty() ? "" : " ") + std::string(kind.name);
  return names;
}

/// Text of a stage of the front end; empty with errors reported.
std::string frontText(Session &session, const std::string &path, bool tree) {
  if (tree) {
    const SourceFile *file = session.file(path);
    auto parsed = file ? parse(*file, session.diagnostics) : nullptr;
    return parsed ? dump(*parsed) : "";
  }
  auto program = session.program(path, {.tests = true});
  return program ? dump(*program) : "";
}

std::string outputPath(const Options &options, const ProductKind &kind, size_t count) {
  std::string stem = sys::path::stem(options.files[0]).str();
  if (options.output.empty())
    return stem + kind.extension;
  return count == 1 ? options.output : options.output + kind.extension;
}

} // namespace

int runBuild(const Options &options) {
  std::vector<const ProductKind *> wanted;
  for (const std::string &name : options.emit.empty() ? std::vector<std::string>{"exe"} : options.emit) {
    const ProductKind *kind = productNamed(name);
    if (!kind) {
      fail("--emit=" + name + " is unknown; there are " + allNames());
      return Usage;
    }
    wanted.push_back(kind);
  }
  auto seconds = [start = std::chrono::steady_clock::now()] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  Session session(options);
  std::unique_ptr<Program> program;
  BuildLog log;
  for (const ProductKind *kind : wanted) {
    std::string output = outputPath(options, *kind, wanted.size()), name = kind->name, problem;
    if (name == "ast" || name == "checked") {
      std::string text = frontText(session, options.files[0], name == "ast");
      problem = session.diagnostics.failed() ? "" : writeFile(output, text);
    } else {
      if (!program) {
        double before = seconds();
        program = session.program(options.files[0], {.bounded = true});
        log.frontSeconds = seconds() - before;
      }
      if (program && !session.diagnostics.failed())
        problem = buildProduct(*program, name, output,
                               {options, options.cpu.empty() ? "x86-64-v3" : options.cpu, false, &log});
    }
    if (session.diagnostics.failed() || (!program && name != "ast" && name != "checked"))
      break;
    if (!problem.empty()) {
      session.finish();
      return fail(problem);
    }
  }
  if (session.finish())
    return Failure;
  double whole = seconds();
  if (options.time)
    printStageTimes(log);
  if (options.json) {
    json::Object object;
    if (options.timePasses)
      object["times"] = passTimesJson(log, whole);
    if (options.report)
      object["report"] = reportJson(log.report);
    outs() << formatv("{0:2}", json::Value(std::move(object))) << "\n";
    return Success;
  }
  if (options.timePasses)
    printPassTimes(log, whole);
  if (options.report && program)
    printReport(log.report, program->module);
  return Success;
}

int runShow(const Options &options) {
  Stage stage = Stage::Nacre;
  if (!stageNamed(options.stage.empty() ? "nacre" : options.stage, stage) || stage == Stage::Object) {
    std::string names;
    for (const ProductKind &kind : kinds)
      if (Stage known = Stage::Ast; stageNamed(kind.name, known))
        names += " " + std::string(kind.name);
    fail("--stage=" + options.stage + " cannot be shown; there are" + names);
    return Usage;
  }
  Session session(options);
  if (stage <= Stage::Checked) {
    std::cout << frontText(session, options.files[0], stage == Stage::Ast);
    return session.finish() ? Failure : Success;
  }
  auto program = session.program(options.files[0], {.bounded = true});
  if (session.finish() || !program)
    return Failure;
  CompileOptions compileOptions;
  compileOptions.reference = options.reference;
  setWinograd(options.winograd, compileOptions);
  compileOptions.precise = options.precise;
  if (!options.cpu.empty())
    compileOptions.cpu = options.cpu;
  CompileResult result = compile(*program, stage, compileOptions);
  if (!result.ok)
    return fail(result.problem);
  std::cout << result.output;
  BuildLog log;
  log.add(result);
  if (options.time)
    printStageTimes(log);
  return Success;
}

} // namespace nacre
