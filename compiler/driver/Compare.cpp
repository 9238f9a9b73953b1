// nacre compare: the fast program and the reference on one input, and the first value on which they do not agree.
//
// The program is run as it is first. Only where a result differs are values in between made results too, a few at a
// time, so that everything else still fuses as in the real program: whichever differs first closes the interval in
// which the next few are chosen.
#include "driver/BuildLog.h"
#include "driver/Differences.h"
#include "driver/Inputs.h"
#include "driver/Product.h"
#include "driver/Trainer.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>
#include <iostream>
#include <set>

using namespace llvm;

namespace nacre {
namespace {

enum { Equal = 0, Differs = 1, Trouble = 2 };
constexpr size_t atOnce = 8;        // values that one round makes results
constexpr size_t atOnceForAll = 32; // of --all, which asks for everything anyway

int trouble(const std::string &problem) {
  fail(problem);
  return Trouble;
}

std::string numberText(double number, Scalar type) {
  char text[40];
  if (type == Scalar::F64 || type == Scalar::F32 || type == Scalar::F16 || type == Scalar::BF16)
    snprintf(text, sizeof text, "%.*g", type == Scalar::F64 ? 17 : type == Scalar::F32 ? 9 : 5, number);
  else
    snprintf(text, sizeof text, "%.0f", number);
  return text;
}

std::string listText(const std::vector<int64_t> &list) {
  std::string text = "[";
  for (size_t i = 0; i < list.size(); ++i)
    text += (i ? ", " : "") + std::to_string(list[i]);
  return text + "]";
}

std::string shortNumber(double number) {
  char text[40];
  snprintf(text, sizeof text, "%.2g", number);
  return text;
}

/// A value of the entry that people can recognise.
struct Known {
  ValueId value;
  std::string name; // fc1.y; a layer or a function where the value has no name of its own
  std::string file;
  unsigned line = 0;
  std::vector<std::pair<std::string, unsigned>> callers; // innermost first
};

std::pair<std::string, unsigned> placeOf(const Span &span) {
  if (!span)
    return {"", 0};
  return {span.file->path(), span.file->position(span.begin).line};
}

Known knownValue(const Value &value, ValueId number) {
  Known known{number, "", "", 0, {}};
  std::string path;
  for (const nacre::Location *at = value.location; at; at = at->caller) {
    if (path.empty())
      path = at->path;
    auto place = placeOf(at->span);
    if (at == value.location)
      std::tie(known.file, known.line) = place;
    else if (place.second && (known.callers.empty() || known.callers.back() != place))
      known.callers.push_back(place);
  }
  known.name = path + (path.empty() || value.name.empty() ? "" : ".") + value.name;
  return known;
}

std::string placeText(const Known &known) {
  std::string text = known.line ? shortPath(known.file) + ":" + std::to_string(known.line) : "an unknown line";
  for (const auto &[file, line] : known.callers)
    text += ", called from " + shortPath(file) + ":" + std::to_string(line);
  return text;
}

std::string nameText(const Known &known) { return known.name.empty() ? "the value" : known.name; }

/// Results need shapes that follow from the sizes by sums, products and quotients.
bool canBeResult(const Value &value) {
  switch (value.kind) {
  case Value::Kind::Argument:
  case Value::Kind::Weight:
  case Value::Kind::Constant:
  case Value::Kind::Reshape:
  case Value::Kind::StopGradient:
  case Value::Kind::Loop:
  case Value::Kind::Custom:
    return false;
  default:
    break;
  }
  for (const Polynomial &extent : value.type.extents)
    for (const Atom *atom : extent.atoms())
      if (atom->kind != AtomKind::Name && atom->kind != AtomKind::Quotient)
        return false;
  return true;
}

struct Outcome {
  std::string field; // the name of the result that it is
  Scalar type;
  Differences differences;
  bool differs() const { return differences.beyond > 0; }
};

/// Builds and runs one entry in both ways, with some of its values as further results.
class Comparison {
public:
  Comparison(const Options &options, Program &program, const Entry &original, const Inputs &inputs,
             const ScratchFolder &scratch)
      : fastOptions(options), referenceOptions(options), program(program), original(original), inputs(inputs),
        scratch(scratch) {
    referenceOptions.reference = true;
    if (!options.referenceLinked.empty())
      referenceOptions.linked = options.referenceLinked;
    tolerance = options.tolerance.empty() ? -1 : std::stod(options.tolerance);
  }

  /// What the programs say of the results (`more` empty) or of these values. Returns an empty string or the problem.
  std::string run(ArrayRef<Known> more, std::vector<Outcome> &outcomes) {
    program.entries.assign(1, original);
    Entry &entry = program.entries.front();
    for (Field &result : entry.results)
      result.codec = "npy";
    if (!more.empty()) { // the results themselves stay, for without them dead code would go
      for (size_t i = 0; i < more.size(); ++i) {
        entry.results.push_back({"nacre_value_" + std::to_string(i), entry.body.values[more[i].value].type, "npy", {}});
        entry.body.results.push_back(more[i].value);
      }
    }
    for (bool reference : {false, true})
      if (std::string problem = buildAndRun(reference); !problem.empty())
        return problem;
    outcomes.clear();
    for (size_t i = more.empty() ? 0 : original.results.size(); i < entry.results.size(); ++i) {
      const Field &field = entry.results[i];
      Outcome &outcome = outcomes.emplace_back(Outcome{field.name, field.type.element, {}});
      double allowed = tolerance < 0 ? defaultTolerance(outcome.type) : tolerance;
      if (std::string problem = compareFiles(scratch.path("fast/" + field.name + ".npy"),
                                             scratch.path("reference/" + field.name + ".npy"), outcome.type, allowed,
                                             outcome.differences);
          !problem.empty())
        return nameOfField(field) + ": " + problem;
    }
    return "";
  }

  unsigned rounds = 0;

private:
  static std::string nameOfField(const Field &field) { return "`" + field.name + "`"; }

  std::string buildAndRun(bool reference) {
    const Options &options = reference ? referenceOptions : fastOptions;
    std::string output = scratch.path(reference ? "reference.exe" : "fast.exe"), problem;
    problem = buildProgram(program, output, {options, options.cpu.empty() ? "native" : options.cpu, true});
    if (!problem.empty())
      return problem;
    std::vector<std::string> words{original.name};
    words.insert(words.end(), inputs.words.begin(), inputs.words.end());
    words.insert(words.end(), {"--out", scratch.path(reference ? "reference" : "fast")});
    if (options.threads)
      words.insert(words.end(), {"--threads", std::to_string(options.threads)});
    int code = execute(output, words, std::nullopt, problem);
    rounds += reference;
    if (problem.empty() && code != 0)
      problem = std::string("the ") + (reference ? "reference" : "fast") + " program stopped with exit code " +
                std::to_string(code);
    return problem;
  }

  Options fastOptions, referenceOptions;
  Program &program;
  const Entry &original;
  const Inputs &inputs;
  const ScratchFolder &scratch;
  double tolerance;
};

struct Found {
  Known known;
  Outcome outcome;
  std::optional<Known> before; // the last value before it that was looked at, and agreed
};

/// The first of `values` that differs, by intervals: none where keeping values makes the difference go away.
std::string findFirst(Comparison &comparison, const std::vector<Known> &values, std::optional<Found> &found) {
  size_t low = 0, high = values.size(); // the first that differs is in low .. high-1, or high is known to differ
  std::vector<Outcome> outcomes;
  std::optional<Known> before;
  while (low < high) {
    std::vector<Known> chosen;
    std::vector<size_t> positions;
    size_t count = std::min(atOnce, high - low);
    for (size_t i = 1; i <= count; ++i) {
      size_t position = low + (high - low) * i / count - 1;
      positions.push_back(position);
      chosen.push_back(values[position]);
    }
    if (std::string problem = comparison.run(chosen, outcomes); !problem.empty())
      return problem;
    size_t first = 0;
    while (first < outcomes.size() && !outcomes[first].differs())
      ++first;
    if (first > 0) {
      before = chosen[first - 1];
      low = positions[first - 1] + 1;
    }
    if (first == outcomes.size()) // up to `high` nothing differs any more
      break;
    found = Found{chosen[first], outcomes[first], before};
    high = positions[first];
  }
  return "";
}

/// --all: every value in order, however that changes fusion.
std::string lookAtAll(Comparison &comparison, const std::vector<Known> &values, std::vector<Outcome> &all) {
  for (size_t begin = 0; begin < values.size(); begin += atOnceForAll) {
    std::vector<Outcome> outcomes;
    size_t count = std::min(atOnceForAll, values.size() - begin);
    if (std::string problem = comparison.run(ArrayRef(values).slice(begin, count), outcomes); !problem.empty())
      return problem;
    all.insert(all.end(), outcomes.begin(), outcomes.end());
  }
  return "";
}

// ---- what people read ----------------------------------------------------------------------------------------------
std::string typeText(const Outcome &outcome) {
  return std::string(name(outcome.type)) +
         (outcome.differences.extents.empty() ? "" : listText(outcome.differences.extents));
}

std::string pairText(const Pair &pair, Scalar type) {
  std::string text = listText(pair.index) + ": fast " + numberText(pair.fast, type) + ", reference " +
                     numberText(pair.reference, type);
  if (std::isfinite(pair.fast) && std::isfinite(pair.reference))
    text += ", " + shortNumber(std::fabs(pair.fast - pair.reference)) + " apart";
  if (std::isfinite(pair.relative))
    text += " (relative " + shortNumber(pair.relative) + ")";
  if (pair.ulps)
    text += ", " + std::to_string(*pair.ulps) + " ulps";
  return text;
}

void printRow(const std::string &title, const Outcome &outcome) {
  const Differences &found = outcome.differences;
  std::cout << "  " << (found.beyond ? "DIFFERS " : "agrees  ") << title << ": " << typeText(outcome);
  if (found.beyond)
    std::cout << ", " << found.beyond << " of " << found.count << " elements beyond the tolerance";
  if (found.count == 0)
    std::cout << ", empty\n";
  else if (found.worst.relative == 0)
    std::cout << ", the same in every element\n";
  else
    std::cout << ", furthest " << pairText(found.worst, outcome.type) << "\n";
}

json::Value numberJson(double number) {
  if (std::isfinite(number))
    return number;
  return std::isnan(number) ? "nan" : number < 0 ? "-inf" : "inf";
}

json::Value pairJson(const Pair &pair) {
  json::Object object{{"index", json::Array(pair.index)},
                      {"fast", numberJson(pair.fast)},
                      {"reference", numberJson(pair.reference)},
                      {"relative", numberJson(pair.relative)}};
  if (pair.ulps)
    object["ulps"] = static_cast<int64_t>(std::min<uint64_t>(*pair.ulps, INT64_MAX));
  return object;
}

json::Object outcomeJson(const Outcome &outcome) {
  const Differences &found = outcome.differences;
  json::Object object{{"type", std::string(name(outcome.type))},
                      {"shape", json::Array(found.extents)},
                      {"elements", static_cast<int64_t>(found.count)},
                      {"beyond", static_cast<int64_t>(found.beyond)}};
  if (found.count)
    object["worst"] = pairJson(found.worst);
  if (found.beyond)
    object["first"] = pairJson(found.first);
  return object;
}

json::Object knownJson(const Known &known) {
  json::Array callers;
  for (const auto &[file, line] : known.callers)
    callers.push_back(json::Object{{"file", shortPath(file)}, {"line", line}});
  return json::Object{
      {"name", known.name}, {"file", shortPath(known.file)}, {"line", known.line}, {"callers", std::move(callers)}};
}

struct EntryReport {
  std::vector<Outcome> results;
  std::vector<std::pair<Known, Outcome>> all;
  std::optional<Found> found;
  bool differs = false, vanishes = false;
};

void printText(const Program &program, const Entry &entry, const Inputs &inputs, const EntryReport &report) {
  std::string how = inputs.text();
  std::cout << program.module << "." << entry.name << (how.empty() ? "" : ": " + how) << "\n";
  for (const auto &[known, outcome] : report.all)
    printRow(nameText(known) + " at " + placeText(known), outcome);
  for (const Outcome &outcome : report.results)
    printRow(outcome.field, outcome);
  if (report.found) {
    const Found &found = *report.found;
    std::cout << "first difference: " << nameText(found.known) << " at " << placeText(found.known) << "\n  "
              << pairText(found.outcome.differences.first, found.outcome.type) << "\n";
    if (found.before)
      std::cout << "  before it agrees: " << nameText(*found.before) << " at " << placeText(*found.before) << "\n";
  } else if (report.vanishes) {
    std::cout << "first difference: only in the results; every value before agrees once it is kept in memory, so the "
                 "difference is made by what fuses with them (`nacre build --report` shows what does)\n";
  }
}

json::Value entryJson(const Program &program, const Entry &entry, const Inputs &inputs, const EntryReport &report) {
  json::Object sizes;
  for (const auto &[name, value] : inputs.sizes)
    sizes[name] = value;
  json::Array results, all;
  for (const Outcome &outcome : report.results) {
    json::Object object = outcomeJson(outcome);
    object["name"] = outcome.field;
    results.push_back(std::move(object));
  }
  json::Object object{{"entry", program.module + "." + entry.name},
                      {"sizes", std::move(sizes)},
                      {"seed", static_cast<int64_t>(inputs.seed)},
                      {"equal", !report.differs},
                      {"results", std::move(results)}};
  for (const auto &[known, outcome] : report.all) {
    json::Object one = outcomeJson(outcome);
    for (auto &[key, value] : knownJson(known))
      one[key] = std::move(value);
    all.push_back(std::move(one));
  }
  if (!all.empty())
    object["values"] = std::move(all);
  if (report.found) {
    json::Object first = outcomeJson(report.found->outcome);
    for (auto &[key, value] : knownJson(report.found->known))
      first[key] = std::move(value);
    object["first_difference"] = std::move(first);
  } else if (report.differs) {
    object["first_difference"] = nullptr;
  }
  return object;
}

std::string compareEntry(const Options &options, Program &program, Entry entry, const CallWords &call, Inputs &inputs,
                         EntryReport &report) {
  ScratchFolder scratch;
  if (!scratch.problem().empty())
    return scratch.problem();
  if (std::string problem = makeInputs(program, entry, call, options, scratch, inputs); !problem.empty())
    return problem;
  Comparison comparison(options, program, entry, inputs, scratch);
  if (std::string problem = comparison.run({}, report.results); !problem.empty())
    return problem;
  for (const Outcome &outcome : report.results)
    report.differs |= outcome.differs();
  std::vector<Known> values;
  for (ValueId number = 0; number < entry.body.values.size(); ++number)
    if (canBeResult(entry.body.values[number]))
      values.push_back(knownValue(entry.body.values[number], number));
  if (options.every) {
    std::vector<Outcome> all;
    if (std::string problem = lookAtAll(comparison, values, all); !problem.empty())
      return problem;
    for (size_t i = 0; i < values.size(); ++i) {
      report.all.push_back({values[i], all[i]});
      if (all[i].differs() && !report.found)
        report.found = Found{values[i], all[i], i ? std::optional(values[i - 1]) : std::nullopt};
      report.differs |= all[i].differs();
    }
  } else if (report.differs) {
    if (std::string problem = findFirst(comparison, values, report.found); !problem.empty())
      return problem;
  }
  report.vanishes = report.differs && !report.found;
  return "";
}

} // namespace

int runCompare(const Options &options) {
  char *end = nullptr;
  if (!options.tolerance.empty() && !(std::strtod(options.tolerance.c_str(), &end) >= 0 && !*end))
    return trouble("--tolerance needs a number such as 1e-4, not `" + options.tolerance + "`");
  if (options.reference)
    return trouble("compare builds the reference by itself: leave --reference out");
  CallWords call;
  if (std::string problem = readCallWords(options.words, call); !problem.empty())
    return trouble(problem);
  Session session(options);
  auto program = session.program(options.files[0], {.bounded = true});
  if (session.finish() || !program)
    return Trouble;
  dropTrainers(*program);
  std::string problem;
  std::vector<Entry> entries = program->entries;
  if (!call.entry.empty() || !call.arguments.empty() || entries.empty()) {
    Entry *entry = entryNamed(*program, call.entry, problem);
    if (!entry)
      return trouble(problem);
    entries.assign(1, *entry);
  }
  bool differs = false;
  json::Array list;
  for (const Entry &entry : entries) {
    Inputs inputs;
    EntryReport report;
    problem = compareEntry(options, *program, entry, call, inputs, report);
    if (!problem.empty())
      return trouble(StringRef(problem).starts_with("error[") ? problem
                                                              : program->module + "." + entry.name + ": " + problem);
    differs |= report.differs;
    if (options.json)
      list.push_back(entryJson(*program, entry, inputs, report));
    else
      printText(*program, entry, inputs, report);
  }
  std::cout.flush();
  if (options.json)
    outs() << formatv("{0:2}", json::Value(std::move(list))) << "\n";
  else
    std::cout << (differs ? "they differ" : "they agree") << "\n";
  return differs ? Differs : Equal;
}

} // namespace nacre
