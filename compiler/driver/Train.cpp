// nacre train, nacre eval: the trainer of a file's train blocks for this machine in a scratch folder, run and
// forgotten.
#include "driver/Session.h"
#include "driver/Signals.h"
#include "driver/Trainer.h"
#include "llvm/Support/Path.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>

using namespace llvm;

namespace nacre {
namespace {

/// The blocks that a run of `name` can need: itself, and those it starts after.
std::set<std::string> neededBlocks(const Program &program, std::string name) {
  std::set<std::string> needed;
  while (!name.empty() && needed.insert(name).second) {
    std::string next;
    for (const Train &train : program.trains)
      for (const Option &option : train.options)
        if (train.name == name && option.name == "after")
          next = option.text;
    name = next;
  }
  return needed;
}

/// The block that the words for the program name, or "".
std::string namedBlock(const Program &program, const std::vector<std::string> &words) {
  for (const std::string &word : words)
    for (const Train &train : program.trains)
      if (word == train.name)
        return word;
  return "";
}

bool hasFlag(const std::vector<std::string> &words, const std::string &flag) {
  return std::any_of(words.begin(), words.end(),
                     [&](const std::string &word) { return word == flag || word.starts_with(flag + "="); });
}

/// Drops the functions that no train block needs; positions in the tables move with them.
void keepUsedFunctions(Program &program) {
  std::vector<bool> used(program.functions.size()), data(program.data.size());
  auto use = [](std::vector<bool> &list, std::optional<uint32_t> position) {
    if (position && *position < list.size())
      list[*position] = true;
  };
  for (const Train &train : program.trains) {
    for (auto position : {std::optional(train.step), train.accumulate, train.begin, train.evaluate, train.summary,
                          train.show, train.probe})
      use(used, position);
    use(data, train.data);
    use(data, train.validate);
    for (uint32_t position : train.shared)
      use(data, position);
  }
  for (size_t i = 0; i < program.data.size(); ++i)
    if (data[i]) {
      use(used, program.data[i].map);
      use(used, program.data[i].augment);
      use(used, program.data[i].beforeAugment);
    }
  std::vector<uint32_t> place(used.size());
  std::vector<Entry> functions;
  for (size_t i = 0; i < used.size(); ++i)
    if (used[i]) {
      place[i] = functions.size();
      functions.push_back(std::move(program.functions[i]));
    }
  program.functions = std::move(functions);
  auto move = [&](std::optional<uint32_t> &position) {
    if (position && *position < place.size())
      position = place[*position];
  };
  for (Train &train : program.trains) {
    train.step = train.step < place.size() ? place[train.step] : train.step;
    for (auto *position : {&train.accumulate, &train.begin, &train.evaluate, &train.summary, &train.show, &train.probe})
      move(*position);
  }
  for (Data &block : program.data) {
    block.map = block.map < place.size() ? place[block.map] : block.map;
    move(block.augment);
    move(block.beforeAugment);
  }
}

} // namespace

std::string folderOf(const std::string &file) {
  StringRef parent = sys::path::parent_path(file);
  return parent.empty() ? "." : parent.str();
}

std::string keepTrainers(Program &program, const std::string &file, const std::vector<std::string> &words) {
  if (program.trains.empty())
    return file + " has no `train` block";
  program.entries.clear(); // they are not called, and compiling them takes time
  program.tests.clear();
  if (std::string name = namedBlock(program, words); !name.empty()) {
    std::set<std::string> needed = neededBlocks(program, name);
    std::erase_if(program.trains, [&](const Train &train) { return !needed.count(train.name); });
  }
  keepUsedFunctions(program);
  return "";
}

void dropTrainers(Program &program) {
  program.trains.clear();
  program.data.clear();
  program.functions.clear();
  for (Model &model : program.models) // positions of models stay
    if (model.ofTrain)
      model.weights.clear();
}

std::vector<std::string> trainerWords(const std::string &verb, const Options &options) {
  std::vector<std::string> words{verb};
  words.insert(words.end(), options.words.begin(), options.words.end());
  if (!hasFlag(words, "--data-dir")) { // what the source names stands beside it
    words.push_back("--data-dir");
    words.push_back(folderOf(options.files[0]));
  }
  return words;
}

namespace {

int runTrainer(const Options &options, const std::string &verb) {
  Session session(options);
  auto program = session.program(options.files[0], {.bounded = true});
  if (session.finish() || !program)
    return Failure;
  if (std::string problem = keepTrainers(*program, options.files[0], options.words); !problem.empty())
    return fail(problem);
  ScratchFolder scratch;
  if (!scratch.problem().empty())
    return fail(scratch.problem());
  std::string output = scratch.path(program->module), problem;
  ProductOptions product{options, options.cpu.empty() ? "native" : options.cpu, true};
  if (problem = buildProgram(*program, output, product); !problem.empty())
    return fail(problem);
  // An interruption is for the trainer, which saves and says how to go on; with this command, not the scratch program.
  passSignalsOn();
  setenv("NACRE_TRAINER_COMMAND", ("nacre " + verb + " " + options.files[0]).c_str(), 1);
  pid_t trainer = startProgram(output, trainerWords(verb, options));
  int code = trainer < 0 ? -1 : waitForProgram(trainer);
  return code < 0 ? fail(program->module + ": cannot start " + output) : code;
}

} // namespace

int runTrain(const Options &options) { return runTrainer(options, "train"); }
int runEval(const Options &options) { return runTrainer(options, "eval"); }

} // namespace nacre
