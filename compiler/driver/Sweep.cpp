// nacre sweep: trains a block once per trial, each a process of its own in a folder of its own, and ranks what came
// out. Finished trials are lines of FOLDER/trials.jsonl; what is there is not done again, so a stopped sweep goes on.
#include "driver/Session.h"
#include "driver/Signals.h"
#include "driver/Trainer.h"
#include "driver/Trials.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace llvm;

namespace nacre {
namespace {

constexpr int interruptedCode = 130;

/// What a finished trial left: its line of trials.jsonl.
struct Outcome {
  json::Object values;
  std::string folder;
  bool failed = false;
};

class Sweep {
public:
  Sweep(const Options &options, const Train &train, std::string module, std::vector<Trial> trials)
      : options(options), train(train), trials(std::move(trials)),
        folder(options.output.empty() ? module + ".sweep" : options.output), file(options.files[0]) {}

  int run() {
    if (std::error_code error = sys::fs::create_directories(folder))
      return fail("cannot make the folder " + folder + ": " + error.message());
    makeAbsolute();
    readOutcomes();
    passSignalsOn(); // the trials save and end
    size_t workers = std::max(1u, options.jobs ? options.jobs : std::thread::hardware_concurrency());
    threads = std::max<size_t>(1, std::thread::hardware_concurrency() / workers);
    size_t done = outcomes.size();
    if (done)
      std::cerr << done << " of " << trials.size() << " trials are done already (" << folder << ")\n";
    for (size_t next = 0; next < trials.size() || !running.empty();) {
      if (!stopped && !wasInterrupted() && next < trials.size() && running.size() < workers) {
        if (!outcomes.count(trials[next].text()))
          start(next);
        ++next;
      } else if (!running.empty()) {
        finishOne();
      } else {
        break; // stopped, and nothing runs any more
      }
    }
    return report();
  }

private:
  std::string trialFolder(size_t number) const {
    std::string digits = std::to_string(number + 1);
    return folder + "/trial-" + std::string(digits.size() < 3 ? 3 - digits.size() : 0, '0') + digits;
  }
  std::string recordPath() const { return folder + "/trials.jsonl"; }

  /// Trials run in folders of their own, from where relative paths would mean something else.
  void makeAbsolute() {
    for (std::string *path : {&folder, &file}) {
      SmallString<256> absolute(*path);
      sys::fs::make_absolute(absolute);
      *path = absolute.str().str();
    }
  }

  void readOutcomes() {
    auto buffer = MemoryBuffer::getFile(recordPath());
    SmallVector<StringRef> lines;
    if (buffer)
      (*buffer)->getBuffer().split(lines, '\n', -1, /*KeepEmpty=*/false);
    for (StringRef line : lines) {
      Expected<json::Value> value = json::parse(line);
      if (!value) { // the last line of a sweep that was killed
        consumeError(value.takeError());
        continue;
      }
      if (const json::Object *row = value->getAsObject())
        if (auto settings = row->getString("settings"))
          outcomes[settings->str()] = {*row, row->getString("folder").value_or("").str(), false};
    }
  }

  std::vector<std::string> wordsFor(const Trial &trial, const std::string &place) const {
    std::vector<std::string> words{"train"};
    for (const auto &[name, value] : options.settings)
      words.insert(words.end(), {"--set", name + "=" + value});
    for (const auto &[name, value] : trial.settings)
      words.insert(words.end(), {"--set", name + "=" + value});
    for (const std::string &library : options.libraries) {
      SmallString<256> absolute(library);
      sys::fs::make_absolute(absolute);
      words.insert(words.end(), {"--library", absolute.str().str()});
    }
    for (const std::string &linked : options.linked) {
      SmallString<256> absolute(linked);
      sys::fs::make_absolute(absolute);
      words.insert(words.end(), {"--link", absolute.str().str()});
    }
    if (!options.cpu.empty())
      words.insert(words.end(), {"--cpu", options.cpu});
    words.insert(words.end(), {file, train.name, "--json", "--threads", std::to_string(threads), "--out",
                               place + "/weights.safetensors", "--log", place + "/log.jsonl"});
    if (sys::fs::exists(place + "/weights.train")) // interrupted earlier
      words.insert(words.end(), {"--resume", place + "/weights.train"});
    words.insert(words.end(), options.words.begin(), options.words.end());
    return words;
  }

  void start(size_t number) {
    std::string place = trialFolder(number);
    if (std::error_code error = sys::fs::create_directories(place)) {
      std::cerr << "cannot make " << place << ": " << error.message() << "\n";
      return;
    }
    static char anchor;
    std::string program = sys::fs::getMainExecutable("nacre", &anchor);
    std::vector<std::string> words = wordsFor(trials[number], place);
    std::cerr << "trial " << number + 1 << "/" << trials.size() << ": " << trials[number].text() << "\n";
    pid_t child = startProgram(program, words, place);
    if (child > 0)
      running[child] = number;
    else
      std::cerr << "cannot start a process\n";
  }

  void finishOne() {
    int status = 0;
    pid_t child = waitpid(-1, &status, 0);
    auto found = running.find(child);
    if (found == running.end())
      return;
    size_t number = found->second;
    running.erase(found);
    forgetProgram(child);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 127;
    if (code == interruptedCode) {
      stopped = true;
      return;
    }
    readResult(number, code);
  }

  void readResult(size_t number, int code) {
    std::string place = trialFolder(number), text = trials[number].text();
    auto buffer = MemoryBuffer::getFile(place + "/result.json");
    StringRef lines = buffer ? (*buffer)->getBuffer().rtrim() : StringRef(); // of the blocks before it as well
    Expected<json::Value> value = json::parse(lines.substr(lines.rfind('\n') + 1));
    const json::Object *row = value ? value->getAsObject() : nullptr;
    if (code != 0 || !row) {
      if (!value)
        consumeError(value.takeError());
      auto errors = MemoryBuffer::getFile(place + "/errors.txt");
      StringRef said = errors ? (*errors)->getBuffer().rtrim() : StringRef();
      std::cerr << "trial " << number + 1 << " failed (" << text << "): " << said.rsplit('\n').second.str()
                << (said.contains('\n') ? "" : said.str()) << "\n";
      outcomes[text] = {{}, place, true};
      return;
    }
    json::Object record = *row;
    record["settings"] = text;
    record["folder"] = place;
    std::error_code error;
    raw_fd_ostream stream(recordPath(), error, sys::fs::CD_OpenAlways, sys::fs::FA_Write, sys::fs::OF_Append);
    if (!error)
      stream << json::Value(json::Object(record)) << "\n";
    if (error || stream.has_error()) {
      std::cerr << "cannot write " << recordPath() << "\n";
      stream.clear_error();
    }
    outcomes[text] = {std::move(record), place, false};
  }

  const Option *sweepOption(StringRef name) const {
    for (const Option &option : train.sweep)
      if (option.name == name)
        return &option;
    return nullptr;
  }

  /// The value a trial is judged by: `best`, else the validation loss, else the loss; of folds the mean.
  double valueOf(const json::Object &values, std::string name) const {
    for (const std::string &full : {name, "validate." + name, "train." + name}) {
      if (auto number = values.getNumber(full))
        return *number;
      if (const json::Object *folds = values.getObject(full))
        return folds->getNumber("mean").value_or(NAN);
    }
    return NAN;
  }

  int report() {
    const Option *best = sweepOption("sweep.best"), *mode = sweepOption("sweep.mode");
    std::string name = best ? best->text : "";
    struct Line {
      const Outcome *outcome;
      const Trial *trial;
      double value;
    };
    std::vector<Line> lines;
    size_t failures = 0;
    for (const Trial &trial : trials) {
      auto found = outcomes.find(trial.text());
      if (found == outcomes.end())
        continue;
      const Outcome &outcome = found->second;
      failures += outcome.failed;
      if (outcome.failed)
        continue;
      if (name.empty())
        name = std::isnan(valueOf(outcome.values, "validate.loss")) ? "loss" : "validate.loss";
      lines.push_back({&outcome, &trial, valueOf(outcome.values, name)});
    }
    bool smaller = !mode || mode->text == "min"; // the front end has settled both
    std::stable_sort(lines.begin(), lines.end(), [&](const Line &a, const Line &b) {
      if (std::isnan(a.value) || std::isnan(b.value))
        return !std::isnan(a.value) && std::isnan(b.value);
      return smaller ? a.value < b.value : a.value > b.value;
    });
    std::cout << "rank  " << name << std::string(name.size() < 12 ? 12 - name.size() : 1, ' ') << "settings\n";
    for (size_t i = 0; i < lines.size(); ++i) {
      char text[64];
      snprintf(text, sizeof text, "%4zu  %-*.6g", i + 1, static_cast<int>(std::max<size_t>(name.size() + 1, 12)),
               lines[i].value);
      std::cout << text << lines[i].trial->text() << "\n";
    }
    for (const char *weights :
         {"/weights.safetensors", "/weights.fold1.safetensors"}) // of a run; of a cross-validation
      if (!lines.empty() && sys::fs::exists(lines[0].outcome->folder + weights))
        std::cout << "best: " << lines[0].outcome->folder << weights << "\n";
    std::cout.flush();
    if (stopped || wasInterrupted()) {
      std::cerr << "stopped with " << lines.size() << " of " << trials.size()
                << " trials done; the same command goes on\n";
      return interruptedCode;
    }
    return failures ? fail(std::to_string(failures) + " of " + std::to_string(trials.size()) + " trials failed; see " +
                           folder + "/trial-*/errors.txt")
                    : Success;
  }

  bool stopped = false; // a trial was interrupted
  const Options &options;
  const Train &train;
  std::vector<Trial> trials;
  std::string folder, file;
  size_t threads = 1;
  std::map<std::string, Outcome> outcomes; // by the text of the settings
  std::map<pid_t, size_t> running;
};

} // namespace

int runSweep(const Options &options) {
  Session session(options);
  auto program = session.program(options.files[0], {.bounded = true});
  if (session.finish() || !program)
    return Failure;
  Options own = options; // the first word that is no flag names the block
  std::string name;
  if (!own.words.empty() && !StringRef(own.words[0]).starts_with("-")) {
    name = own.words[0];
    own.words.erase(own.words.begin());
  }
  for (size_t i = 0; i + 1 < own.words.size(); ++i) // trials run in folders of their own
    if (own.words[i] == "--data-dir" || own.words[i] == "--weights") {
      SmallString<256> absolute(own.words[i + 1]);
      sys::fs::make_absolute(absolute);
      own.words[i + 1] = absolute.str().str();
    }
  const Train *chosen = nullptr;
  for (const Train &train : program->trains)
    if (!train.sweep.empty() && (name.empty() || train.name == name)) {
      if (chosen)
        return fail("which block? " + chosen->name + " and " + train.name + " have a sweep each");
      chosen = &train;
    }
  if (!chosen)
    return fail(name.empty() ? options.files[0] + " has no train block with `sweep:`"
                             : options.files[0] + " has no train block `" + name + "` with `sweep:`");
  std::vector<Trial> trials;
  if (std::string problem = makeTrials(*chosen, options.trials, trials); !problem.empty())
    return fail(problem);
  return Sweep(own, *chosen, program->module, std::move(trials)).run();
}

} // namespace nacre
