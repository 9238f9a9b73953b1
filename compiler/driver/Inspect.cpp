// nacre inspect: what each layer takes, gives, owns and costs, as polynomials over the dimensions of the entries.
#include "Compile.h"
#include "driver/InspectTraining.h"
#include "driver/Session.h"
#include "driver/Trainer.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>
#include <iostream>

using namespace llvm;

namespace nacre {
namespace {

/// Arithmetic operations of one evaluation; a multiplication and the addition of its product count as two.
Polynomial operations(const Term &term) {
  Polynomial count = term.kind == Term::Kind::Apply || term.kind == Term::Kind::Select ? 1 : 0;
  for (const Term *operand : term.operands)
    count = count + operations(*operand);
  if (term.kind != Term::Kind::Reduce)
    return count;
  count = count + 1;
  for (const Index &index : term.indices)
    count = count * index.extent;
  return count;
}

Polynomial operations(const Value &value) {
  if (value.kind == Value::Kind::Keep && value.inner) {
    Polynomial count;
    for (const Value &inner : value.inner->values)
      count = count + operations(inner);
    return count;
  }
  if (value.kind != Value::Kind::Equation || !value.body)
    return 0;
  Polynomial count = operations(*value.body);
  for (const Index &index : value.indices)
    count = count * index.extent;
  return count;
}

Polynomial elements(const TensorType &type) {
  Polynomial count = 1;
  for (const Polynomial &extent : type.extents)
    count = count * extent;
  return count;
}

Polynomial bytes(const TensorType &type) { return elements(type) * static_cast<int64_t>(sizeInBytes(type.element)); }

bool isInside(StringRef path, StringRef layer) {
  return layer.empty() || path == layer || (path.starts_with(layer) && path.substr(layer.size()).starts_with("."));
}

Polynomial operationsIn(const Entry &entry, StringRef layer) {
  Polynomial count;
  for (const Value &value : entry.body.values)
    if (isInside(value.location ? value.location->path : "", layer))
      count = count + operations(value);
  return count;
}

std::string shape(const TensorType &type) {
  std::string text(name(type.element));
  for (size_t i = 0; i < type.extents.size(); ++i)
    text += (i ? ", " : "[") + type.extents[i].text();
  return type.extents.empty() ? text : text + "]";
}

std::string shapes(const std::vector<TensorType> &types) {
  std::string text;
  for (const TensorType &type : types)
    text += (text.empty() ? "" : ", ") + shape(type);
  return text;
}

struct Row {
  std::string path, layer, inputs, outputs;
  int64_t parameters = 0, states = 0;
  Polynomial operations, memory;
};

Row describe(const Program &program, const LayerRow &layer) {
  Row row{layer.path, layer.layer, shapes(layer.inputs), shapes(layer.outputs)};
  for (const Weight &weight : program.models[layer.model].weights)
    if (isInside(weight.path, layer.path) && !weight.tiedTo)
      (weight.trained ? row.parameters : row.states) += elements(weight.type).constant().value_or(0);
  for (const Entry &entry : program.entries) // the first one that runs this layer
    if (row.operations == Polynomial() &&
        std::find(entry.models.begin(), entry.models.end(), layer.model) != entry.models.end())
      row.operations = operationsIn(entry, layer.path);
  for (const TensorType &type : layer.outputs)
    row.memory = row.memory + bytes(type);
  return row;
}

/// 1234567 as 1,234,567, within a polynomial too.
std::string grouped(const std::string &text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && isdigit(static_cast<unsigned char>(text[end])))
      ++end;
    bool isNumber = i == 0 || !(isalnum(static_cast<unsigned char>(text[i - 1])) || text[i - 1] == '_');
    for (size_t at = i; at < end; ++at) {
      out += text[at];
      if (isNumber && (end - at - 1) % 3 == 0 && at + 1 < end)
        out += ',';
    }
    if (end == i)
      out += text[end++];
    i = end;
  }
  return out;
}

void printTable(const std::vector<std::vector<std::string>> &lines) {
  std::vector<size_t> widths;
  for (const auto &line : lines)
    for (size_t i = 0; i < line.size(); ++i) {
      widths.resize(std::max(widths.size(), i + 1));
      widths[i] = std::max(widths[i], line[i].size());
    }
  for (const auto &line : lines) {
    std::string text;
    for (size_t i = 0; i < line.size(); ++i) {
      std::string padding(widths[i] - line[i].size(), ' ');
      bool isNumber = i >= 4; // the columns of counts stand to the right
      text += (i ? "  " : "") + (isNumber ? padding + line[i] : line[i] + padding);
    }
    std::cout << text.substr(0, text.find_last_not_of(' ') + 1) << "\n";
  }
}

struct Totals {
  int64_t parameters = 0, states = 0, bytes = 0;
};

Totals totalsOf(const Model &model) {
  Totals totals;
  for (const Weight &weight : model.weights) {
    if (weight.tiedTo)
      continue;
    (weight.trained ? totals.parameters : totals.states) += elements(weight.type).constant().value_or(0);
    totals.bytes += bytes(weight.type).constant().value_or(0);
  }
  return totals;
}

/// 1024*n + 640
std::string workspaceOf(const MemoryPlan &plan) {
  std::string text;
  for (const auto &[scale, bytes] : plan.groups)
    if (bytes)
      text += (text.empty() ? "" : " + ") + std::to_string(bytes) + (scale.empty() ? "" : "*" + scale);
  return text.empty() ? "0" : text;
}

const MemoryPlan *planOf(const std::vector<MemoryPlan> &plans, const Entry &entry) {
  for (const MemoryPlan &plan : plans)
    if (plan.entry == entry.name)
      return &plan;
  return nullptr;
}

void printPlan(const MemoryPlan &plan) {
  std::cout << "  workspace: " << grouped(workspaceOf(plan)) << " bytes for " << plan.buffers.size() << " buffers";
  for (const auto &[scale, bytes] : plan.groups)
    if (bytes)
      std::cout << "; " << grouped(std::to_string(lowerBound(plan, scale))) << (scale.empty() ? "" : "*" + scale)
                << " of them alive at once";
  std::cout << "\n";
  if (plan.buffers.empty())
    return;
  std::vector<std::vector<std::string>> lines{{"  buffer", "scale", "", "", "bytes", "offset", "steps"}};
  for (const PlannedBuffer &buffer : plan.buffers)
    lines.push_back({"  " + buffer.type, buffer.scale.empty() ? "1" : buffer.scale, "", "",
                     grouped(std::to_string(buffer.bytes)), grouped(std::to_string(buffer.offset)),
                     std::to_string(buffer.first) + ".." + std::to_string(buffer.last)});
  printTable(lines);
}

void printText(const Program &program, const std::vector<MemoryPlan> &plans) {
  for (size_t number = 0; number < program.models.size(); ++number) {
    const Model &model = program.models[number];
    std::vector<std::vector<std::string>> lines{
        {"layer", "kind", "takes", "gives", "parameters", "operations", "output bytes"}};
    for (const LayerRow &layer : program.layers) {
      if (layer.model != number)
        continue;
      Row row = describe(program, layer);
      lines.push_back({row.path.empty() ? "(" + model.name + ")" : row.path, row.layer, row.inputs, row.outputs,
                       grouped(std::to_string(row.parameters)), grouped(row.operations.text()),
                       grouped(row.memory.text())});
    }
    Totals totals = totalsOf(model);
    std::cout << "model " << model.name << ": " << grouped(std::to_string(totals.parameters)) << " parameters, "
              << grouped(std::to_string(totals.states)) << " numbers of state, "
              << grouped(std::to_string(totals.bytes)) << " bytes of weights\n";
    printTable(lines);
    std::cout << "\n";
  }
  for (const Entry &entry : program.entries) {
    Polynomial memory;
    for (const auto *fields : {&entry.arguments, &entry.results})
      for (const Field &field : *fields)
        memory = memory + bytes(field.type);
    std::cout << "entry " << entry.name << ": " << grouped(operationsIn(entry, "").text()) << " operations, "
              << grouped(memory.text()) << " bytes in and out\n";
    if (const MemoryPlan *plan = planOf(plans, entry))
      printPlan(*plan);
  }
}

void printJson(const Program &program, const std::vector<MemoryPlan> &plans) {
  json::Array models, entries;
  for (size_t number = 0; number < program.models.size(); ++number) {
    json::Array layers;
    for (const LayerRow &layer : program.layers) {
      if (layer.model != number)
        continue;
      Row row = describe(program, layer);
      layers.push_back(json::Object{{"path", row.path},
                                    {"layer", row.layer},
                                    {"inputs", row.inputs},
                                    {"outputs", row.outputs},
                                    {"parameters", row.parameters},
                                    {"states", row.states},
                                    {"operations", row.operations.text()},
                                    {"output_bytes", row.memory.text()}});
    }
    Totals totals = totalsOf(program.models[number]);
    models.push_back(json::Object{{"name", program.models[number].name},
                                  {"parameters", totals.parameters},
                                  {"states", totals.states},
                                  {"weight_bytes", totals.bytes},
                                  {"layers", std::move(layers)}});
  }
  for (const Entry &entry : program.entries) {
    json::Object row{{"name", entry.name}, {"operations", operationsIn(entry, "").text()}};
    if (const MemoryPlan *plan = planOf(plans, entry)) {
      json::Array buffers;
      for (const PlannedBuffer &buffer : plan->buffers)
        buffers.push_back(json::Object{{"type", buffer.type},
                                       {"scale", buffer.scale},
                                       {"bytes", buffer.bytes},
                                       {"offset", buffer.offset},
                                       {"first", buffer.first},
                                       {"last", buffer.last}});
      row["workspace"] = workspaceOf(*plan);
      row["buffers"] = std::move(buffers);
    }
    entries.push_back(std::move(row));
  }
  outs() << formatv("{0:2}",
                    json::Value(json::Object{
                        {"module", program.module}, {"models", std::move(models)}, {"entries", std::move(entries)}}))
         << "\n";
}

} // namespace

int runInspect(const Options &options) {
  Session session(options);
  auto program = session.program(options.files[0], {.bounded = options.training});
  if (session.finish() || !program)
    return Failure;
  std::string problem = options.training ? keepTrainers(*program, options.files[0], {}) : "";
  if (!problem.empty())
    return fail(problem);
  if (!options.training)
    dropTrainers(*program);
  CompileOptions compilation;
  if (!options.cpu.empty() || options.training) // `nacre train` compiles for this machine
    compilation.cpu = options.cpu.empty() ? "native" : options.cpu;
  if (processorNamed(compilation.cpu).name.empty())
    return fail("no processor is called `" + compilation.cpu + "`");
  CompileResult compiled = compile(*program, Stage::Loops, compilation);
  if (!compiled.ok)
    return fail(compiled.problem);
  if (options.training && options.json)
    outs() << formatv("{0:2}", json::Value(trainingJson(*program, compiled.plans))) << "\n";
  else if (options.training)
    printTraining(*program, compiled.plans);
  else
    options.json ? printJson(*program, compiled.plans) : printText(*program, compiled.plans);
  return Success;
}

} // namespace nacre
