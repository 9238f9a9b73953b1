// The builder of the tables, shared by the files that each know one kind of them: Descriptor.cpp (models, entries,
// tests) and TrainingTables.cpp (data and train blocks).
#pragma once
#include "target/Descriptor.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Module.h"

namespace nacre {

class DescriptorBuilder {
  using Constant = llvm::Constant;
  using ConstantInt = llvm::ConstantInt;
  using Function = llvm::Function;
  using FunctionType = llvm::FunctionType;
  using GlobalVariable = llvm::GlobalVariable;
  using Type = llvm::Type;
  template <typename T> using ArrayRef = llvm::ArrayRef<T>;
  using StringRef = llvm::StringRef;
  using Twine = llvm::Twine;

public:
  DescriptorBuilder(llvm::Module &module, const Program &program, const std::vector<ModelFacts> &facts,
                    const DescriptorOptions &options)
      : module(module), context(module.getContext()), program(program), facts(facts), options(options),
        pointer(llvm::PointerType::getUnqual(context)), i32(Type::getInt32Ty(context)), i64(Type::getInt64Ty(context)) {
  }

  std::string build();

private:
  // ---- constants
  Constant *number32(int64_t value) { return ConstantInt::getSigned(i32, value); }
  Constant *number64(uint64_t value) { return ConstantInt::get(i64, value); }
  Constant *null() { return llvm::ConstantPointerNull::get(pointer); }
  Constant *record(ArrayRef<Constant *> fields) { return llvm::ConstantStruct::getAnon(context, fields); }
  Constant *text(StringRef value) {
    auto [place, isNew] = texts.try_emplace(value, nullptr);
    if (isNew) {
      Constant *bytes = llvm::ConstantDataArray::getString(context, value, /*AddNull=*/true);
      place->second = constant(bytes, "nacre.text");
      place->second->setAlignment(llvm::Align(1));
    }
    return place->second;
  }
  GlobalVariable *constant(Constant *value, const Twine &name) {
    auto *global = new GlobalVariable(module, value->getType(), /*isConstant=*/true, llvm::GlobalValue::PrivateLinkage,
                                      value, name);
    global->setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::Global);
    return global;
  }
  /// A table of records (at least one place, so that no pointer is null).
  Constant *table(ArrayRef<Constant *> rows, const Twine &name) {
    if (rows.empty())
      return constant(number64(0), name);
    return constant(llvm::ConstantArray::get(llvm::ArrayType::get(rows[0]->getType(), rows.size()), rows), name);
  }
  Constant *symbol(const std::string &name, FunctionType *type) {
    llvm::FunctionCallee callee = module.getOrInsertFunction(name, type);
    return llvm::cast<Constant>(callee.getCallee());
  }
  std::string refuse(std::string why) {
    if (problem.empty())
      problem = std::move(why);
    return problem;
  }

  // ---- what the lowering emitted
  FunctionType *callType() {
    return FunctionType::get(Type::getVoidTy(context), {pointer, pointer, pointer, pointer, pointer}, false);
  }
  FunctionType *workspaceType() { return FunctionType::get(i64, {pointer}, false); }

  // ---- tables
  GlobalVariable *modelTable(uint32_t number);
  Constant *weightTable(const Model &model);
  Constant *embedded(const Model &model, const WeightsSource &source);
  Constant *fieldTable(const std::vector<Field> &fields, const Twine &name);
  Constant *entryRecord(const Entry &entry, const std::string &symbolName);
  Constant *testRecord(const Test &test, size_t number);
  GlobalVariable *moduleTable(ArrayRef<Constant *> models, ArrayRef<Constant *> entries, ArrayRef<Constant *> trains);
  // TrainingTables.cpp
  std::vector<Constant *> trainTables();
  Constant *optionTable(const std::vector<Option> &list);
  Constant *trainTable(const Train &train);
  Constant *functionTable(std::optional<uint32_t> number); // null pointers for none
  Constant *dataTable(std::optional<uint32_t> number);

  // ---- functions of sizes
  template <typename Emit> Function *sizeFunction(Type *result, const Twine &name, Emit emit);
  Function *extentsFunction(const Entry &entry, const std::string &symbolName);
  Function *guardFunction(const Entry &entry, const std::string &symbolName);
  Function *limitsFunction(const Entry &entry, const std::string &symbolName);

  llvm::Module &module;
  llvm::LLVMContext &context;
  const Program &program;
  const std::vector<ModelFacts> &facts;
  const DescriptorOptions &options;
  llvm::PointerType *pointer;
  llvm::IntegerType *i32, *i64;
  llvm::StringMap<GlobalVariable *> texts;
  std::string problem;
  std::vector<Constant *> functions, data; // per position in the program
};

/// The bytes of a file as hidden symbol `name`, by way of the assembler, so that hundreds of megabytes never become
/// constants.
void embedFile(llvm::Module &, const std::string &name, const std::string &path);

/// What chooses among the tables of a module, and the typed functions over it, as the options say.
void addVariants(llvm::Module &, const Program &, llvm::ArrayRef<llvm::Constant *> tables, const DescriptorOptions &);
/// Makes `table` known to other objects under this name, and nothing else: objects of several variants lie side by
/// side.
void keepOnly(llvm::Module &, llvm::GlobalVariable &table, const std::string &name);

/// "digits.nacre:4:10", or "?" for what no text stands for.
std::string placeOf(Span);

} // namespace nacre
