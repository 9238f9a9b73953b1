// nacre inspect --train: what a train block needs in memory, before it runs. The arena is the workspace of its largest
// function: activations kept for the gradient, the gradients themselves and what the kernels need in between lie in it.
#include "driver/InspectTraining.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>
#include <iostream>
#include <sstream>

using namespace llvm;

namespace nacre {
namespace {

int64_t bytesOf(const TensorType &type) {
  int64_t count = static_cast<int64_t>(sizeInBytes(type.element));
  for (const Polynomial &extent : type.extents)
    count *= extent.constant().value_or(1);
  return count;
}

int64_t weightBytes(const Model &model, bool trainedOnly) {
  int64_t sum = 0;
  for (const Weight &weight : model.weights)
    if (!weight.tiedTo && (!trainedOnly || (weight.trained && !weight.frozen)))
      sum += bytesOf(weight.type);
  return sum;
}

int64_t optionOf(const Train &train, const std::string &name, int64_t missing) {
  for (const Option &option : train.options)
    if (option.name == name)
      return static_cast<int64_t>(option.number);
  return missing;
}

/// A scale such as `n`, `n*m` or `ceil(n/32)` where every dimension of a function is the batch.
int64_t scaleAt(const std::string &scale, int64_t batch) {
  int64_t value = 1;
  if (scale.empty())
    return 1;
  std::istringstream factors(scale);
  for (std::string factor; std::getline(factors, factor, '*');)
    if (size_t slash = factor.find('/'); factor.rfind("ceil(", 0) == 0 && slash != std::string::npos)
      value *= divideCeil(batch, std::stoll(factor.substr(slash + 1)));
    else
      value *= !factor.empty() && isdigit(static_cast<unsigned char>(factor[0])) ? std::stoll(factor) : batch;
  return value;
}

/// The samples of a batch, as the functions get them.
int64_t batchBytes(const Program &program, const Train &train, int64_t batch) {
  if (!train.data || program.data[*train.data].map >= program.functions.size())
    return 0;
  int64_t sum = 0;
  for (const Field &field : program.functions[program.data[*train.data].map].results)
    sum += bytesOf(field.type);
  return sum * batch;
}

} // namespace

int64_t lowerBound(const MemoryPlan &plan, const std::string &scale) {
  int64_t most = 0;
  for (const PlannedBuffer &at : plan.buffers) {
    int64_t alive = 0;
    for (const PlannedBuffer &buffer : plan.buffers)
      if (buffer.scale == scale && buffer.first <= at.first && at.first <= buffer.last)
        alive += buffer.bytes;
    most = std::max(most, alive);
  }
  return most;
}

TrainingMemory memoryOf(const Program &program, const Train &train, const std::vector<MemoryPlan> &plans) {
  TrainingMemory memory;
  int64_t batch = optionOf(train, "batch", 1);
  for (uint32_t model : train.models)
    if (!program.models[model].ofTrain)
      memory.weights += weightBytes(program.models[model], false);
  for (uint32_t i = 0; i < train.trained && i < train.models.size(); ++i)
    memory.gradients += weightBytes(program.models[train.models[i]], true);
  for (auto state : {train.optimizer, train.metrics})
    if (state)
      memory.state += weightBytes(program.models[*state], false);
  memory.batch = batchBytes(program, train, batch);
  for (auto function : {std::optional(train.step), train.accumulate, train.begin, train.evaluate, train.summary,
                        train.show, train.probe}) {
    if (!function || *function >= program.functions.size())
      continue;
    const std::string &name = program.functions[*function].name;
    for (const MemoryPlan &plan : plans)
      if (plan.entry == name) {
        int64_t bytes = 0, alive = 0;
        for (const auto &[scale, size] : plan.groups) {
          bytes += size * scaleAt(scale, batch);
          alive += lowerBound(plan, scale) * scaleAt(scale, batch);
        }
        memory.functions.push_back({name, bytes, alive});
        memory.arena = std::max(memory.arena, bytes);
      }
  }
  return memory;
}

void printTraining(const Program &program, const std::vector<MemoryPlan> &plans) {
  auto line = [](const char *what, int64_t bytes, const std::string &note) {
    std::string number = std::to_string(bytes);
    for (ptrdiff_t at = static_cast<ptrdiff_t>(number.size()) - 3; at > 0; at -= 3)
      number.insert(static_cast<size_t>(at), ",");
    std::cout << "  " << what << std::string(28 - std::string(what).size(), ' ')
              << std::string(number.size() < 16 ? 16 - number.size() : 0, ' ') << number << " bytes"
              << (note.empty() ? "" : "  " + note) << "\n";
  };
  for (const Train &train : program.trains) {
    TrainingMemory memory = memoryOf(program, train, plans);
    std::cout << "train " << train.name << ": batch " << optionOf(train, "batch", 1) << "\n";
    line("weights", memory.weights, "");
    line("optimiser and metrics", memory.state, "");
    line("arena", memory.arena, "the largest of");
    for (const auto &[name, bytes, alive] : memory.functions)
      line(("  " + name).c_str(), bytes, std::to_string(alive) + " of them alive at once");
    line("peak", memory.weights + memory.state + memory.arena, "before the program itself and its data");
    line("of it gradients, at most", memory.gradients, "inside the arena, each until its update");
    line("a batch of data", memory.batch, "several are prepared ahead");
    if (!train.shared.empty())
      std::cout << "  shared data is held whole beside it, and the arena grows with its rows; counted here: "
                << optionOf(train, "batch", 1) << "\n";
    std::cout << "\n";
  }
}

json::Array trainingJson(const Program &program, const std::vector<MemoryPlan> &plans) {
  json::Array rows;
  for (const Train &train : program.trains) {
    TrainingMemory memory = memoryOf(program, train, plans);
    json::Object functions, alive;
    for (const auto &[name, bytes, least] : memory.functions) {
      functions[name] = bytes;
      alive[name] = least;
    }
    rows.push_back(json::Object{{"name", train.name},
                                {"weights", memory.weights},
                                {"state", memory.state},
                                {"arena", memory.arena},
                                {"gradients", memory.gradients},
                                {"batch", memory.batch},
                                {"peak", memory.weights + memory.state + memory.arena},
                                {"functions", std::move(functions)},
                                {"alive", std::move(alive)}});
  }
  return rows;
}

} // namespace nacre
