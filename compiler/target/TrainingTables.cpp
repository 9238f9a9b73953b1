// Data and train blocks as the tables of runtime/src/module.h: nacre_option, nacre_data_info, nacre_train_info. Their
// functions are entries that the module does not list.
#include "target/Tables.h"

using namespace llvm;

namespace nacre {

Constant *DescriptorBuilder::optionTable(const std::vector<Option> &list) {
  Type *real = Type::getDoubleTy(context);
  std::vector<Constant *> rows;
  for (const Option &option : list) {
    std::vector<Constant *> numbers, texts;
    for (double number : option.numbers)
      numbers.push_back(ConstantFP::get(real, number));
    for (const std::string &word : option.texts)
      texts.push_back(text(word));
    rows.push_back(record({text(option.name), number32(static_cast<int>(option.form)),
                           number32(std::max(numbers.size(), texts.size())), ConstantFP::get(real, option.number),
                           text(option.text), table(numbers, "nacre.numbers"), table(texts, "nacre.texts")}));
  }
  return table(rows, "nacre.options");
}

Constant *DescriptorBuilder::functionTable(std::optional<uint32_t> number) {
  if (!number)
    return null();
  if (*number >= program.functions.size()) {
    refuse("internal error: a train or data block names function " + std::to_string(*number) + " of " +
           std::to_string(program.functions.size()));
    return null();
  }
  functions.resize(program.functions.size());
  Constant *&known = functions[*number];
  if (!known) {
    const Entry &function = program.functions[*number];
    known = constant(entryRecord(function, program.module + "_" + function.name), "nacre.function." + function.name);
  }
  return known;
}

Constant *DescriptorBuilder::dataTable(std::optional<uint32_t> number) {
  if (!number)
    return null();
  data.resize(program.data.size());
  Constant *&known = data.at(*number);
  if (!known) {
    const Data &block = program.data[*number];
    known = constant(record({text(block.name), text(block.title), text(block.reader), number32(block.options.size()),
                             number32(block.sampling.size()), optionTable(block.options), optionTable(block.sampling),
                             functionTable(block.map), functionTable(block.augment), functionTable(block.beforeAugment),
                             text(placeOf(block.span))}),
                     "nacre.data." + block.name);
  }
  return known;
}

Constant *DescriptorBuilder::trainTable(const Train &train) {
  auto modelOf = [&](std::optional<uint32_t> model) { return number32(model ? static_cast<int64_t>(*model) : -1); };
  std::vector<Constant *> models, probes, shared;
  for (uint32_t model : train.models)
    models.push_back(number32(model));
  for (const std::string &probe : train.probes)
    probes.push_back(text(probe));
  for (uint32_t number : train.shared)
    shared.push_back(dataTable(number));
  return constant(record({text(train.name),
                          text(train.documentation),
                          number32(models.size()),
                          number32(train.trained),
                          table(models, "nacre.models"),
                          modelOf(train.optimizer),
                          modelOf(train.metrics),
                          functionTable(train.step),
                          functionTable(train.accumulate),
                          functionTable(train.begin),
                          functionTable(train.evaluate),
                          functionTable(train.summary),
                          functionTable(train.show),
                          functionTable(train.probe),
                          number32(probes.size()),
                          table(probes, "nacre.probes"),
                          dataTable(train.data),
                          dataTable(train.validate),
                          number32(shared.size()),
                          table(shared, "nacre.shared"),
                          number32(train.options.size()),
                          number32(train.sweep.size()),
                          optionTable(train.options),
                          optionTable(train.sweep),
                          text(placeOf(train.span))}),
                  "nacre.train." + train.name);
}

std::vector<Constant *> DescriptorBuilder::trainTables() {
  std::vector<Constant *> tables;
  for (const Train &train : program.trains)
    tables.push_back(trainTable(train));
  return tables;
}

} // namespace nacre
