// The tables of runtime/src/module.h as constants. Field orders here and there must agree; test/runtime holds them
// together by running what comes out.
#include "target/Interface.h"
#include "target/Sizes.h"
#include "target/Tables.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/TargetSelect.h"

using namespace llvm;

namespace nacre {
namespace {

constexpr uint32_t abi = 3;                                 // NACRE_ABI
constexpr size_t maximalExtents = 1024, maximalModels = 64; // NACRE_MAX_EXTENTS, NACRE_MAX_MODELS

std::string shapeText(const TensorType &type) {
  if (type.extents.empty())
    return "";
  std::string text = "[";
  for (size_t i = 0; i < type.extents.size(); ++i)
    text += (i ? ", " : "") + type.extents[i].text();
  return text + "]";
}

} // namespace

std::string placeOf(Span span) {
  if (!span)
    return "?";
  Position position = span.file->position(span.begin);
  return span.file->path() + ":" + std::to_string(position.line) + ":" + std::to_string(position.column);
}

// ---- models --------------------------------------------------------------------------------------------------------

Constant *DescriptorBuilder::weightTable(const Model &model) {
  std::vector<Constant *> rows;
  for (const Weight &weight : model.weights) {
    std::vector<Constant *> extents;
    for (const Polynomial &extent : weight.type.extents) {
      if (!extent.isConstant())
        refuse("weight `" + weight.path + "` has a size that only a call decides");
      extents.push_back(number64(extent.constant().value_or(1)));
    }
    rows.push_back(
        record({text(weight.path), number32(static_cast<int>(weight.type.element)), number32(extents.size()),
                table(extents, "nacre.extents"), number32(weight.tiedTo ? static_cast<int64_t>(*weight.tiedTo) : -1),
                number32(weight.initialisedHere), number32(weight.trained)}));
  }
  return table(rows, "nacre.weights");
}

/// The embedded weights, which the only object defines, or the one that holds the variants together.
Constant *DescriptorBuilder::embedded(const Model &model, const WeightsSource &source) {
  if (source.embeddedFile.empty())
    return null();
  std::string name = program.module + "_" + model.name + "__embedded";
  if (options.variant.empty())
    embedFile(module, name, source.embeddedFile);
  auto *bytes = new GlobalVariable(module, ArrayType::get(Type::getInt8Ty(context), source.embeddedBytes),
                                   /*isConstant=*/true, GlobalValue::ExternalLinkage, nullptr, name);
  bytes->setVisibility(GlobalValue::HiddenVisibility);
  bytes->setDSOLocal(true);
  return bytes;
}

GlobalVariable *DescriptorBuilder::modelTable(uint32_t number) {
  const Model &model = program.models[number];
  const WeightsSource &source = options.weights[number];
  std::string prefix = program.module + "_" + model.name;
  std::vector<Constant *> renames, ignores;
  for (const Rename &rename : model.renames)
    renames.push_back(record({text(rename.from), text(rename.to), number32(rename.transpose)}));
  for (const std::string &pattern : model.ignored)
    ignores.push_back(text(pattern));
  auto *prepareType = FunctionType::get(Type::getVoidTy(context), {pointer, pointer, pointer}, false);
  auto *initialiseType = FunctionType::get(i32, {i32, i64, pointer, pointer}, false);
  return constant(
      record({number32(abi), text(model.name), number32(model.weights.size()), number32(renames.size()),
              number32(ignores.size()), weightTable(model), table(renames, "nacre.renames"),
              table(ignores, "nacre.ignores"), text(source.file), number32(source.optional), embedded(model, source),
              number64(source.embeddedBytes), number64(facts[number].preparedBytes),
              symbol(prefix + "__prepare", prepareType), number64(facts[number].prepareScratch),
              symbol(prefix + "__initialise", initialiseType), text(options.cpu), number64(options.cpuFeatures)}),
      "nacre.model." + model.name);
}

// ---- entries -------------------------------------------------------------------------------------------------------

template <typename Emit> Function *DescriptorBuilder::sizeFunction(Type *result, const Twine &name, Emit emit) {
  bool hasOutput = result->isVoidTy();
  std::vector<Type *> parameters{pointer};
  if (hasOutput)
    parameters.push_back(pointer);
  auto *function =
      Function::Create(FunctionType::get(result, parameters, false), GlobalValue::InternalLinkage, name, module);
  function->addFnAttr(Attribute::MinSize);
  function->addFnAttr(Attribute::OptimizeForSize);
  function->addFnAttr(Attribute::NoUnwind);
  IRBuilder<> builder(BasicBlock::Create(context, "entry", function));
  emit(builder, function->getArg(0), hasOutput ? static_cast<llvm::Value *>(function->getArg(1)) : nullptr);
  return function;
}

Function *DescriptorBuilder::extentsFunction(const Entry &entry, const std::string &name) {
  return sizeFunction(
      Type::getVoidTy(context), name + "__extents", [&](IRBuilder<> &b, llvm::Value *dims, llvm::Value *out) {
        size_t at = 0;
        for (const auto *fields : {&entry.arguments, &entry.results})
          for (const Field &field : *fields)
            for (const Polynomial &extent : field.type.extents) {
              llvm::Value *size = emitSize(b, extent, entry.dimensions, dims);
              if (!size)
                refuse("entry `" + entry.name + "`: the size " + extent.text() + " of `" + field.name +
                       "` is not known at the call");
              b.CreateStore(size ? size : b.getInt64(0), b.CreateConstGEP1_64(i64, out, at++));
            }
        if (at > maximalExtents)
          refuse("entry `" + entry.name + "` has more than " + std::to_string(maximalExtents) + " extents");
        b.CreateRetVoid();
      });
}

Function *DescriptorBuilder::guardFunction(const Entry &entry, const std::string &name) {
  return sizeFunction(i32, name + "__guard", [&](IRBuilder<> &b, llvm::Value *dims, llvm::Value *) {
    for (size_t i = 0; i < entry.guards.size(); ++i) {
      llvm::Value *value = emitSize(b, entry.guards[i].value, entry.dimensions, dims);
      if (!value) {
        refuse("entry `" + entry.name + "`: `" + entry.guards[i].text + "` cannot be computed at the call");
        value = b.getInt64(0);
      }
      llvm::Value *violated =
          entry.guards[i].equality ? b.CreateICmpNE(value, b.getInt64(0)) : b.CreateICmpSLT(value, b.getInt64(0));
      auto *stop = BasicBlock::Create(context, "violated", b.GetInsertBlock()->getParent());
      auto *next = BasicBlock::Create(context, "next", b.GetInsertBlock()->getParent());
      b.CreateCondBr(violated, stop, next);
      IRBuilder<>(stop).CreateRet(b.getInt32(i));
      b.SetInsertPoint(next);
    }
    b.CreateRet(b.getInt32(-1));
  });
}

Function *DescriptorBuilder::limitsFunction(const Entry &entry, const std::string &name) {
  return sizeFunction(Type::getVoidTy(context), name + "__limits",
                      [&](IRBuilder<> &b, llvm::Value *dims, llvm::Value *out) {
                        for (size_t i = 0; i < entry.subscriptChecks.size(); ++i) {
                          llvm::Value *limit = emitSize(b, entry.subscriptChecks[i].limit, entry.dimensions, dims);
                          if (!limit)
                            refuse("entry `" + entry.name + "`: the limit of " + entry.subscriptChecks[i].text +
                                   " is not known at the call");
                          b.CreateStore(limit ? limit : b.getInt64(0), b.CreateConstGEP1_64(i64, out, i));
                        }
                        b.CreateRetVoid();
                      });
}

Constant *DescriptorBuilder::fieldTable(const std::vector<Field> &fields, const Twine &name) {
  std::vector<Constant *> rows;
  for (const Field &field : fields)
    rows.push_back(
        record({text(field.name), number32(static_cast<int>(field.type.element)), number32(field.type.extents.size()),
                text(field.codec.empty() ? "npy" : field.codec), text(shapeText(field.type))}));
  return table(rows, name);
}

Constant *DescriptorBuilder::entryRecord(const Entry &entry, const std::string &symbolName) {
  std::vector<Constant *> dims, guards, models, checks;
  for (const DimensionName &dim : entry.dimensions)
    dims.push_back(record({text(dim.name), number64(dim.lower), number64(dim.upper.value_or(INT64_MAX)),
                           number32(dim.argument), number32(dim.axis)}));
  for (const Guard &guard : entry.guards)
    guards.push_back(text(guard.text));
  for (uint32_t model : entry.models)
    models.push_back(number32(model));
  for (const SubscriptCheck &check : entry.subscriptChecks)
    checks.push_back(record({number32(check.argument), text(check.text)}));
  if (models.size() > maximalModels || checks.size() > maximalModels)
    refuse("entry `" + entry.name + "` reads more than " + std::to_string(maximalModels) + " models or tables");
  return record({number32(abi),
                 text(program.module),
                 text(entry.name),
                 text(entry.documentation),
                 number32(dims.size()),
                 number32(entry.arguments.size()),
                 number32(entry.results.size()),
                 number32(guards.size()),
                 number32(models.size()),
                 number32(checks.size()),
                 table(dims, "nacre.dims"),
                 fieldTable(entry.arguments, "nacre.arguments"),
                 fieldTable(entry.results, "nacre.results"),
                 table(guards, "nacre.guards"),
                 table(models, "nacre.models"),
                 table(checks, "nacre.checks"),
                 extentsFunction(entry, symbolName),
                 guardFunction(entry, symbolName),
                 limitsFunction(entry, symbolName),
                 symbol(symbolName + "__workspace", workspaceType()),
                 symbol(symbolName + "__call", callType())});
}

/// A test is an entry without arguments whose results are the conditions and deviations.
Constant *DescriptorBuilder::testRecord(const Test &test, size_t number) {
  std::vector<Constant *> expects;
  for (const Expectation &expect : test.expectations)
    expects.push_back(record({text(expect.text), text(placeOf(expect.span)), number32(expect.condition),
                              number32(expect.deviation ? static_cast<int64_t>(*expect.deviation) : -1),
                              ConstantFP::get(Type::getDoubleTy(context), expect.tolerance)}));
  Entry entry;
  entry.name = test.name;
  entry.models = test.models;
  for (size_t i = 0; i < test.body.results.size(); ++i) {
    Field field;
    field.name = "result" + std::to_string(i);
    field.type = test.body.values[test.body.results[i]].type;
    entry.results.push_back(field);
  }
  std::string symbolName = program.module + "_test" + std::to_string(number);
  return constant(record({text(test.name), number32(expects.size()), table(expects, "nacre.expects"),
                          number64(test.seed), entryRecord(entry, symbolName)}),
                  "nacre.test");
}

// ---- the module ----------------------------------------------------------------------------------------------------

GlobalVariable *DescriptorBuilder::moduleTable(ArrayRef<Constant *> models, ArrayRef<Constant *> entries,
                                               ArrayRef<Constant *> trains) {
  std::vector<Constant *> tests;
  for (size_t i = 0; i < program.tests.size(); ++i)
    tests.push_back(testRecord(program.tests[i], i));
  return constant(
      record({number32(abi), text(program.module), text(options.version), text(options.cpu), number32(models.size()),
              number32(entries.size()), number32(tests.size()), table(models, "nacre.models"),
              table(entries, "nacre.entries"), table(tests, "nacre.tests"), text(""), number64(options.cpuFeatures),
              number32(trains.size()), table(trains, "nacre.trains")}),
      "nacre.module");
}

std::string DescriptorBuilder::build() {
  if (std::string clash = checkSymbols(program); !clash.empty())
    return clash;
  std::vector<Constant *> models, entries;
  for (uint32_t i = 0; i < program.models.size(); ++i)
    models.push_back(modelTable(i));
  for (const Entry &entry : program.entries) {
    std::string name = program.module + "_" + entry.name;
    entries.push_back(constant(entryRecord(entry, name), "nacre.entry." + entry.name));
  }
  GlobalVariable *table = moduleTable(models, entries, trainTables());
  if (!problem.empty())
    return problem;
  if (options.variant.empty())
    addVariants(module, program, {table}, options);
  else
    keepOnly(module, *table, options.variant);
  return "";
}

std::string addDescriptor(Module &module, const Program &program, const std::vector<ModelFacts> &facts,
                          const DescriptorOptions &options) {
  return DescriptorBuilder(module, program, facts, options).build();
}

} // namespace nacre
