// nacre run, nacre test: a program for this machine in a scratch folder, run and forgotten.
#include "driver/Session.h"
#include "driver/Trainer.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include <cstdio>
#include <iostream>

using namespace llvm;

namespace nacre {

int execute(const std::string &program, const std::vector<std::string> &words, std::optional<StringRef> output,
            std::string &problem) {
  std::vector<StringRef> arguments{program};
  arguments.insert(arguments.end(), words.begin(), words.end());
  std::optional<StringRef> redirects[] = {std::nullopt, output, std::nullopt};
  std::cout.flush();
  return sys::ExecuteAndWait(program, arguments, std::nullopt, redirects, 0, 0, &problem);
}

namespace {

ProductOptions productFor(const Options &options) {
  return {options, options.cpu.empty() ? "native" : options.cpu, true};
}

struct Count {
  unsigned passed = 0, failed = 0;
};

/// Prints what the tests said but for the closing line, which is added up.
void readOutcome(const std::string &path, Count &count) {
  auto buffer = MemoryBuffer::getFile(path);
  unsigned passed = 0, failed = 0;
  StringRef text = buffer ? (*buffer)->getBuffer().rtrim() : "";
  auto [before, last] = text.contains('\n') ? text.rsplit('\n') : std::pair<StringRef, StringRef>("", text);
  if (sscanf(last.str().c_str(), "%u passed, %u failed", &passed, &failed) != 2) {
    std::cout << text.str() << "\nthe tests did not finish\n";
    ++count.failed;
    return;
  }
  if (!before.empty())
    std::cout << before.str() << "\n";
  count.passed += passed;
  count.failed += failed;
}

void testFile(const Options &options, const std::string &path, Count &count) {
  Session session(options);
  auto program = session.program(path, {.tests = true, .bounded = false});
  if (session.finish() || !program) {
    ++count.failed;
    return;
  }
  if (program->tests.empty())
    return;
  dropTrainers(*program);
  program->entries.clear(); // they are not called, and compiling them takes time
  ScratchFolder scratch;
  std::string output = scratch.path("tests"), log = scratch.path("log"), problem = scratch.problem();
  if (problem.empty())
    problem = buildProgram(*program, output, productFor(options));
  if (problem.empty())
    execute(output, {"--test"}, StringRef(log), problem);
  if (!problem.empty()) {
    fail(path + ": " + problem);
    count.failed += program->tests.size();
    return;
  }
  readOutcome(log, count);
}

} // namespace

int runRun(const Options &options) {
  Session session(options);
  auto program = session.program(options.files[0], {.bounded = true});
  if (session.finish() || !program)
    return Failure;
  dropTrainers(*program);
  ScratchFolder scratch;
  if (!scratch.problem().empty())
    return fail(scratch.problem());
  std::string output = scratch.path(program->module), problem;
  if (problem = buildProgram(*program, output, productFor(options)); !problem.empty())
    return fail(problem);
  int code = execute(output, options.words, std::nullopt, problem);
  return problem.empty() ? code : fail(program->module + ": " + problem);
}

int runTest(const Options &options) {
  Count count;
  for (const std::string &path : options.files)
    testFile(options, path, count);
  std::cout << count.passed << " passed, " << count.failed << " failed\n";
  return count.failed ? Failure : Success;
}

} // namespace nacre
