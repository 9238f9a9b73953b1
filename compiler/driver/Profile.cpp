// nacre profile: a program whose kernels measure themselves is called for a while; what it wrote becomes tables, JSON
// and a trace.
#include "driver/BuildLog.h"
#include "driver/Inputs.h"
#include "driver/MachinePeak.h"
#include "driver/Product.h"
#include "driver/Trainer.h"
#include "target/Link.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>

using namespace llvm;

namespace nacre {
namespace {

constexpr double wantedSeconds = 0.5;

struct Line {
  std::string file, layer, callerFile;
  unsigned line = 0, callerLine = 0;
  /// The line of the model: the one that calls the library, or the line itself.
  std::pair<std::string, unsigned> ofModel() const {
    return callerLine ? std::pair(callerFile, callerLine) : std::pair(file, line);
  }
};

struct Record {
  std::string function, name, kind, operations, traffic;
  std::vector<Line> lines;
  int64_t id = 0, calls = 0, flops = 0, bytes = 0, chunks = 0;
  double nanoseconds = 0, chunkNanoseconds = 0;
};

struct Moment {
  int64_t record;
  double begin, length; // microseconds
  bool chunk;
};
struct Thread {
  int64_t number = 0, dropped = 0;
  std::vector<Moment> moments;
};

struct Profile {
  unsigned threads = 1;
  double hookNanoseconds = 0;
  std::vector<Record> records;
  std::vector<Thread> rings;

  /// The entry that was called most.
  const Record *entry() const {
    const Record *most = nullptr;
    for (const Record &record : records)
      if (record.kind == "entry" && record.calls && (!most || record.calls > most->calls))
        most = &record;
    return most;
  }
  /// Its kernels, the most time first.
  std::vector<const Record *> kernels() const {
    std::vector<const Record *> list;
    for (const Record &record : records)
      if (record.calls && record.kind != "entry" && record.kind != "prepare")
        list.push_back(&record);
    std::stable_sort(list.begin(), list.end(),
                     [](const Record *a, const Record *b) { return a->nanoseconds > b->nanoseconds; });
    return list;
  }
};

std::vector<Line> readLines(StringRef text) {
  std::vector<Line> lines;
  SmallVector<StringRef> rows;
  text.split(rows, '\n', -1, /*KeepEmpty=*/false);
  for (StringRef row : rows) {
    SmallVector<StringRef> words;
    row.split(words, '\t');
    if (words.size() != 5)
      continue;
    Line line{words[0].str(), words[2].str(), words[3].str()};
    words[1].getAsInteger(10, line.line);
    words[4].getAsInteger(10, line.callerLine);
    lines.push_back(line);
  }
  return lines;
}

std::string readProfile(const std::string &path, Profile &profile) {
  auto buffer = MemoryBuffer::getFile(path);
  if (!buffer)
    return "the program left no profile: was it built with `nacre build --profile`?";
  Expected<json::Value> parsed = json::parse((*buffer)->getBuffer());
  if (!parsed)
    return "the profile of the program cannot be read: " + toString(parsed.takeError());
  const json::Object *top = parsed->getAsObject();
  const json::Array *records = top ? top->getArray("records") : nullptr,
                    *rings = top ? top->getArray("rings") : nullptr;
  if (!records || !rings || top->getInteger("version") != 1)
    return "the profile of the program is of another version of Nacre: build it again";
  profile.threads = static_cast<unsigned>(top->getInteger("threads").value_or(1));
  profile.hookNanoseconds = top->getNumber("hook_ns").value_or(0);
  for (const json::Value &value : *records) {
    const json::Object &row = *value.getAsObject();
    auto words = [&](StringRef name) { return row.getString(name).value_or("").str(); };
    auto count = [&](StringRef name) { return row.getInteger(name).value_or(0); };
    Record record{words("function"), words("name"), words("kind"), words("operations"), words("traffic")};
    record.lines = readLines(words("lines"));
    record.id = count("id"), record.calls = count("calls"), record.flops = count("flops");
    record.bytes = count("bytes"), record.chunks = count("chunks");
    record.nanoseconds = row.getNumber("ns").value_or(0);
    record.chunkNanoseconds = row.getNumber("chunk_ns").value_or(0);
    profile.records.push_back(std::move(record));
  }
  for (const json::Value &value : *rings) {
    const json::Object &row = *value.getAsObject();
    Thread &thread = profile.rings.emplace_back();
    thread.number = row.getInteger("thread").value_or(0);
    thread.dropped = row.getInteger("dropped").value_or(0);
    for (const json::Value &moment : *row.getArray("moments")) {
      const json::Array &list = *moment.getAsArray();
      thread.moments.push_back({list[0].getAsInteger().value_or(0), list[1].getAsNumber().value_or(0),
                                list[2].getAsNumber().value_or(0), list[3].getAsInteger().value_or(0) != 0});
    }
  }
  return "";
}

/// Calls the program `calls` times after one that warms up.
std::string callProgram(const std::string &program, std::vector<std::string> words, unsigned calls,
                        const ScratchFolder &scratch, Profile &profile) {
  std::string path = scratch.path("profile.json"), output = scratch.path("output"), problem;
  sys::fs::remove(path);
  setenv("NACRE_PROFILE", path.c_str(), 1);
  words.insert(words.end(), {"--time", std::to_string(calls)});
  int code = execute(program, words, StringRef(output), problem);
  if (!problem.empty())
    return problem;
  if (code != 0)
    return "the program stopped with exit code " + std::to_string(code);
  profile = {};
  return readProfile(path, profile);
}

std::string measure(const std::string &program, const std::vector<std::string> &words, const Options &options,
                    const ScratchFolder &scratch, Profile &profile) {
  unsigned calls = options.calls ? options.calls : 3;
  if (std::string problem = callProgram(program, words, calls, scratch, profile); !problem.empty())
    return problem;
  const Record *entry = profile.entry();
  if (!entry)
    return "the program left a profile without a call of an entry";
  if (options.calls)
    return "";
  double one = std::max(entry->nanoseconds / static_cast<double>(entry->calls), 100.0);
  calls = static_cast<unsigned>(std::clamp(wantedSeconds * 1e9 / one, 3.0, 100000.0));
  return callProgram(program, words, calls, scratch, profile);
}

// ---- tables --------------------------------------------------------------------------------------------------------
std::string bytesText(double bytes) {
  const char *units[] = {"B", "KB", "MB", "GB"};
  int unit = 0;
  for (; bytes >= 10000 && unit < 3; ++unit)
    bytes /= 1000;
  char text[32];
  snprintf(text, sizeof text, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
  return text;
}

std::string shortened(const std::string &text, size_t width) {
  return text.size() <= width ? text : "..." + text.substr(text.size() - width + 3);
}

std::string placeText(const std::pair<std::string, unsigned> &place) {
  return place.second ? shortPath(place.first) + ":" + std::to_string(place.second) : "an unknown line";
}

/// The text of a line, where its file is still there.
std::string sourceOf(const std::pair<std::string, unsigned> &place) {
  auto buffer = MemoryBuffer::getFile(place.first);
  if (!buffer || !place.second)
    return "";
  StringRef rest = (*buffer)->getBuffer();
  for (unsigned line = 1; line < place.second; ++line)
    rest = rest.split('\n').second;
  StringRef text = rest.split('\n').first.trim();
  return text.size() <= 60 ? text.str() : text.take_front(57).str() + "...";
}

struct Rates {
  double flops = 0, bytes = 0; // per second
};
Rates ratesOf(const Record &record) {
  double seconds = record.nanoseconds * 1e-9;
  return {seconds > 0 ? static_cast<double>(record.flops) / seconds : 0,
          seconds > 0 ? static_cast<double>(record.bytes) / seconds : 0};
}

struct LineTime {
  std::pair<std::string, unsigned> place;
  double nanoseconds = 0;
  unsigned kernels = 0;
};
/// Time per line of the model: a kernel counts for the line of its first equation.
std::vector<LineTime> timesOfLines(const std::vector<const Record *> &kernels) {
  std::vector<LineTime> lines;
  for (const Record *kernel : kernels) {
    auto place = kernel->lines.empty() ? std::pair<std::string, unsigned>() : kernel->lines.front().ofModel();
    auto known = std::find_if(lines.begin(), lines.end(), [&](const LineTime &line) { return line.place == place; });
    if (known == lines.end())
      known = lines.insert(lines.end(), LineTime{place});
    known->nanoseconds += kernel->nanoseconds;
    ++known->kernels;
  }
  std::stable_sort(lines.begin(), lines.end(),
                   [](const LineTime &a, const LineTime &b) { return a.nanoseconds > b.nanoseconds; });
  return lines;
}

/// Kernels of one name are one row: a layer that is used again, a loop that is unrolled.
std::vector<Record> merged(const std::vector<const Record *> &kernels) {
  std::vector<Record> rows;
  for (const Record *kernel : kernels) {
    auto known = std::find_if(rows.begin(), rows.end(), [&](const Record &row) { return row.name == kernel->name; });
    if (known == rows.end()) {
      rows.push_back(*kernel);
      continue;
    }
    known->calls += kernel->calls, known->flops += kernel->flops, known->bytes += kernel->bytes;
    known->chunks += kernel->chunks;
    known->nanoseconds += kernel->nanoseconds;
    known->chunkNanoseconds += kernel->chunkNanoseconds;
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Record &a, const Record &b) { return a.nanoseconds > b.nanoseconds; });
  return rows;
}

void printProfile(const Profile &profile, const MachinePeak &peak, const std::string &how) {
  raw_ostream &out = outs();
  const Record &entry = *profile.entry();
  std::vector<const Record *> kernels = profile.kernels();
  double calls = static_cast<double>(entry.calls), inKernels = 0;
  int64_t hooks = 0;
  for (const Record *kernel : kernels) {
    inKernels += kernel->nanoseconds;
    hooks += kernel->calls + kernel->chunks;
  }
  out << entry.function << (how.empty() ? "" : ": " + how) << "\n";
  out << format("%lld calls of %.3f us on %u threads; workspace %s\n", static_cast<long long>(entry.calls),
                1e-3 * entry.nanoseconds / calls, profile.threads, bytesText(static_cast<double>(entry.bytes)).c_str());
  out << format("peak here: %.1f GFLOP/s (f32 multiply-adds), %.1f GB/s (reads from memory; caches are faster)\n",
                1e-9 * peak.flops, 1e-9 * peak.bytes);
  out << format("hooks: %.1f us of each call, %.0f ns each\n\n",
                1e-3 * profile.hookNanoseconds * static_cast<double>(hooks) / calls, profile.hookNanoseconds);
  out << format("%-44s %6s %11s %7s %9s %7s %8s %7s %6s\n", "kernel", "times", "us", "share", "GFLOP/s", "peak", "GB/s",
                "peak", "busy");
  for (const Record &kernel : merged(kernels)) {
    Rates rates = ratesOf(kernel);
    double busy =
        kernel.chunks ? kernel.chunkNanoseconds / (kernel.nanoseconds * profile.threads) : 1.0 / profile.threads;
    out << format("%-44s %6.4g %11.3f %5.1f %% %9.1f %5.1f %% %8.1f %5.1f %% %4.0f %%\n",
                  shortened(kernel.name, 44).c_str(), static_cast<double>(kernel.calls) / calls,
                  1e-3 * kernel.nanoseconds / calls, 100 * kernel.nanoseconds / entry.nanoseconds, 1e-9 * rates.flops,
                  100 * rates.flops / peak.flops, 1e-9 * rates.bytes, 100 * rates.bytes / peak.bytes,
                  100 * std::min(busy, 1.0));
  }
  double rest = std::max(entry.nanoseconds - inKernels, 0.0);
  out << format("%-44s %6s %11.3f %5.1f %%\n\n", "between kernels", "", 1e-3 * rest / calls,
                100 * rest / entry.nanoseconds);
  out << format("%-32s %11s %7s\n", "line", "us", "share");
  for (const LineTime &line : timesOfLines(kernels))
    out << format("%-32s %11.3f %5.1f %%  ", shortened(placeText(line.place), 32).c_str(),
                  1e-3 * line.nanoseconds / calls, 100 * line.nanoseconds / entry.nanoseconds)
        << sourceOf(line.place) << "\n";
}

json::Value profileJson(const Profile &profile, const MachinePeak &peak, const Inputs &inputs) {
  const Record &entry = *profile.entry();
  json::Array kernels, lines;
  for (const Record *kernel : profile.kernels()) {
    Rates rates = ratesOf(*kernel);
    json::Array places;
    for (const Line &line : kernel->lines) {
      json::Object place{{"file", shortPath(line.file)}, {"line", line.line}};
      if (!line.layer.empty())
        place["layer"] = line.layer;
      if (line.callerLine)
        place["caller_file"] = shortPath(line.callerFile), place["caller_line"] = line.callerLine;
      places.push_back(std::move(place));
    }
    kernels.push_back(json::Object{{"name", kernel->name},
                                   {"kind", kernel->kind},
                                   {"function", kernel->function},
                                   {"lines", std::move(places)},
                                   {"calls", kernel->calls},
                                   {"nanoseconds", kernel->nanoseconds},
                                   {"flops", kernel->flops},
                                   {"bytes", kernel->bytes},
                                   {"operations", kernel->operations},
                                   {"traffic", kernel->traffic},
                                   {"flops_per_second", rates.flops},
                                   {"bytes_per_second", rates.bytes},
                                   {"share_of_peak", rates.flops / peak.flops},
                                   {"share_of_bandwidth", rates.bytes / peak.bytes},
                                   {"chunks", kernel->chunks},
                                   {"chunk_nanoseconds", kernel->chunkNanoseconds}});
  }
  for (const LineTime &line : timesOfLines(profile.kernels()))
    lines.push_back(json::Object{{"file", shortPath(line.place.first)},
                                 {"line", line.place.second},
                                 {"nanoseconds", line.nanoseconds},
                                 {"kernels", line.kernels}});
  json::Object sizes;
  for (const auto &[name, value] : inputs.sizes)
    sizes[name] = value;
  return json::Object{{"entry", entry.function},
                      {"sizes", std::move(sizes)},
                      {"calls", entry.calls},
                      {"nanoseconds", entry.nanoseconds},
                      {"threads", profile.threads},
                      {"workspace_bytes", entry.bytes},
                      {"hook_nanoseconds", profile.hookNanoseconds},
                      {"peak", json::Object{{"flops_per_second", peak.flops}, {"bytes_per_second", peak.bytes}}},
                      {"kernels", std::move(kernels)},
                      {"lines", std::move(lines)}};
}

/// In Chrome's format: complete events, a row per thread; chunks lie inside their kernel or on a helper's row.
std::string writeTrace(const Profile &profile, const std::string &path) {
  std::map<int64_t, const Record *> byId;
  for (const Record &record : profile.records)
    byId[record.id] = &record;
  double start = 1e300;
  for (const Thread &thread : profile.rings)
    for (const Moment &moment : thread.moments)
      start = std::min(start, moment.begin);
  json::Array events;
  int64_t dropped = 0;
  for (const Thread &thread : profile.rings) {
    dropped += thread.dropped;
    events.push_back(json::Object{{"ph", "M"},
                                  {"name", "thread_name"},
                                  {"pid", 1},
                                  {"tid", thread.number},
                                  {"args", json::Object{{"name", "thread " + std::to_string(thread.number)}}}});
    for (const Moment &moment : thread.moments) {
      auto known = byId.find(moment.record);
      if (known == byId.end())
        continue;
      const Record &record = *known->second;
      std::string places;
      for (const Line &line : record.lines)
        places += (places.empty() ? "" : ", ") + placeText({line.file, line.line});
      json::Object arguments{{"lines", places}};
      if (record.kind != "entry" && record.kind != "prepare")
        arguments["operations"] = record.operations, arguments["bytes"] = record.traffic;
      events.push_back(json::Object{{"ph", "X"},
                                    {"name", record.name},
                                    {"cat", moment.chunk ? "chunk" : record.kind},
                                    {"pid", 1},
                                    {"tid", thread.number},
                                    {"ts", moment.begin - start},
                                    {"dur", moment.length},
                                    {"args", std::move(arguments)}});
    }
  }
  std::string text;
  raw_string_ostream(text) << json::Value(json::Object{{"displayTimeUnit", "ns"},
                                                       {"otherData", json::Object{{"dropped", dropped}}},
                                                       {"traceEvents", std::move(events)}})
                           << "\n";
  return writeFile(path, text);
}

/// Builds FILE with hooks, or takes the program that it is. Returns an empty string or the problem.
std::string makeProgram(const Options &options, const CallWords &call, const ScratchFolder &scratch, Session &session,
                        std::string &program, Inputs &inputs) {
  const std::string &file = options.files[0];
  if (!StringRef(file).ends_with(".nacre")) {
    if (!sys::fs::exists(file))
      return "cannot read " + file;
    if (!sys::fs::can_execute(file))
      return file + " is neither a model (.nacre) nor a program";
    SmallString<256> absolute(file);
    sys::fs::make_absolute(absolute);
    program = absolute.str().str();
    if (!options.sizes.empty())
      return "--size is for models: a program takes its sizes from its arguments";
    for (const auto &[name, value] : call.arguments)
      inputs.words.push_back(name + "=" + value);
    for (const std::string &word : options.weights)
      inputs.words.insert(inputs.words.end(), {"--weights", word});
    if (options.seed)
      inputs.words.insert(inputs.words.end(), {"--seed", std::to_string(*options.seed)});
    if (!call.entry.empty())
      inputs.words.insert(inputs.words.begin(), call.entry);
    return "";
  }
  auto checked = session.program(file, {.bounded = true});
  if (session.finish() || !checked)
    return "-";
  dropTrainers(*checked);
  std::string problem;
  Entry *entry = entryNamed(*checked, call.entry, problem);
  if (!entry)
    return problem;
  Entry only = *entry;
  if (problem = makeInputs(*checked, only, call, options, scratch, inputs); !problem.empty())
    return problem;
  checked->entries.assign(1, only);
  inputs.words.insert(inputs.words.begin(), only.name);
  program = scratch.path(checked->module);
  return buildProgram(*checked, program, {options, options.cpu.empty() ? "native" : options.cpu, true});
}

} // namespace

int runProfile(const Options &given) {
  Options options = given;
  options.profile = true;
  if (options.reference)
    return fail("the reference is not measured: leave --reference out");
  CallWords call;
  if (std::string problem = readCallWords(options.words, call); !problem.empty())
    return fail(problem);
  ScratchFolder scratch;
  if (!scratch.problem().empty())
    return fail(scratch.problem());
  Session session(options);
  Inputs inputs;
  Profile profile;
  std::string program;
  std::string problem = makeProgram(options, call, scratch, session, program, inputs);
  if (problem == "-") // the session has said why
    return Failure;
  if (options.threads)
    inputs.words.insert(inputs.words.end(), {"--threads", std::to_string(options.threads)});
  if (problem.empty())
    problem = measure(program, inputs.words, options, scratch, profile);
  if (problem.empty() && !options.trace.empty())
    problem = writeTrace(profile, options.trace);
  if (!problem.empty())
    return fail(problem);
  MachinePeak peak = measurePeak(profile.threads);
  if (options.json)
    outs() << formatv("{0:2}", profileJson(profile, peak, inputs)) << "\n";
  else
    printProfile(profile, peak, inputs.text());
  outs().flush();
  return Success;
}

} // namespace nacre
