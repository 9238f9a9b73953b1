// C names: which a program exports, and whether two things would share one.
#include "target/Descriptor.h"
#include <algorithm>
#include <map>
#include <set>

namespace nacre {

std::string_view cName(Scalar scalar) {
  switch (scalar) {
  case Scalar::F64:
    return "double";
  case Scalar::F32:
    return "float";
  case Scalar::F16:
  case Scalar::BF16:
    return "uint16_t";
  case Scalar::I64:
    return "int64_t";
  case Scalar::I32:
    return "int32_t";
  case Scalar::I8:
    return "int8_t";
  case Scalar::U64:
    return "uint64_t";
  case Scalar::U8:
    return "uint8_t";
  case Scalar::Bool:
    return "bool";
  }
  return "void";
}

static bool isReserved(const std::string &name) {
  static const std::set<std::string> words{
#define WORD(word) #word,
#include "target/Reserved.def"
  };
  return words.count(name) || name.starts_with("__");
}

std::vector<std::string> parameterNames(const Entry &entry, const std::vector<std::string> &models) {
  std::set<std::string> taken{"workspace"};
  taken.insert(models.begin(), models.end());
  std::vector<std::string> names;
  auto add = [&](std::string name) {
    while (isReserved(name) || !taken.insert(name).second)
      name += "_";
    names.push_back(name);
  };
  for (const DimensionName &dimension : entry.dimensions)
    add(dimension.name);
  for (const Field &field : entry.arguments)
    add(field.name);
  for (const Field &field : entry.results)
    add(field.name);
  return names;
}

const Model *onlyModel(const Program &program) {
  const Model *only = nullptr;
  for (const Model &model : program.models) {
    if (!model.ofTrain && only)
      return nullptr;
    only = model.ofTrain ? only : &model;
  }
  return only;
}

std::string checkSymbols(const Program &program) {
  std::map<std::string, std::string> owners;
  std::string problem;
  auto claim = [&](const std::string &suffix, const std::string &owner) {
    std::string symbol = program.module + "_" + suffix;
    auto [place, isNew] = owners.try_emplace(symbol, owner);
    if (!isNew && problem.empty())
      problem = "the C name `" + symbol + "` would be both " + place->second + " and " + owner + ": rename one of them";
  };
  for (const Model &model : program.models) {
    if (model.ofTrain)
      continue;
    claim(model.name, "the type of model `" + model.name + "`");
    claim(model.name + "_load", "the loader of model `" + model.name + "`");
    claim(model.name + "_free", "the end of model `" + model.name + "`");
  }
  if (const Model *only = onlyModel(program)) {
    claim("load", "the short name of `" + only->name + "_load`");
    claim("free", "the short name of `" + only->name + "_free`");
  }
  for (const Entry &entry : program.entries) {
    claim(entry.name, "entry `" + entry.name + "`");
    claim(entry.name + "_workspace", "the workspace of entry `" + entry.name + "`");
  }
  for (const Train &train : program.trains) {
    claim(train.name, "the type of the trainer `" + train.name + "`");
    claim(train.name + "_create", "a function of the trainer `" + train.name + "`");
#define TRAINER(id, result, parameters, cResult, cParameters, sentence)                                                \
  claim(train.name + "_" #id, "a function of the trainer `" + train.name + "`");
#include "target/Trainer.def"
  }
  // Inside the object only, but it must link all the same.
  for (const auto *list : {&program.entries, &program.functions})
    for (const Entry &entry : *list) {
      claim(entry.name + "__call", "the code of `" + entry.name + "`");
      claim(entry.name + "__workspace", "the size of the workspace of `" + entry.name + "`");
    }
  for (const Model &model : program.models) {
    claim(model.name + "__prepare", "the preparation of model `" + model.name + "`");
    claim(model.name + "__initialise", "the initialisers of model `" + model.name + "`");
  }
  for (size_t i = 0; i < program.tests.size(); ++i) {
    claim("test" + std::to_string(i) + "__call", "the code of test \"" + program.tests[i].name + "\"");
    claim("test" + std::to_string(i) + "__workspace",
          "the size of the workspace of test \"" + program.tests[i].name + "\"");
  }
  return problem;
}

} // namespace nacre
