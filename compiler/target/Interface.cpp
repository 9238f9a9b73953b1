// For `entry predict(image: f32[n, 784], k: i32) -> (label: i32[n])` of module digits that reads model net:
//   size_t digits_predict_workspace(int64_t n);
//   int digits_predict(const digits_net *net, int64_t n, const float *image, int32_t k, int32_t *label, void
//   *workspace); digits_net *digits_net_load(const char *weights);   void digits_net_free(digits_net *);
// A scalar argument travels by value, everything else by pointer.
// For `train fit`: digits_fit_create and the functions of Trainer.def around nacre_trainer_create and its like.
#include "target/Interface.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"

using namespace llvm;

namespace nacre {
namespace {

class InterfaceBuilder {
public:
  InterfaceBuilder(Module &module, const Program &program, GlobalVariable *variants)
      : module(module), context(module.getContext()), program(program), variants(variants),
        pointer(PointerType::getUnqual(context)), i32(Type::getInt32Ty(context)), i64(Type::getInt64Ty(context)) {}

  void addModel(const Model &model, size_t number) {
    std::string prefix = program.module + "_" + model.name;
    auto *loadType = FunctionType::get(pointer, {pointer}, false);
    IRBuilder<> load(begin(exported(prefix + "_load", loadType)));
    FunctionCallee open =
        module.getOrInsertFunction("nacre_model_open", FunctionType::get(pointer, {pointer, pointer}, false));
    load.CreateRet(load.CreateCall(open, {fitting(load, "_model", number), function(load)->getArg(0)}));
    auto *freeType = FunctionType::get(Type::getVoidTy(context), {pointer}, false);
    IRBuilder<> free(begin(exported(prefix + "_free", freeType)));
    free.CreateCall(module.getOrInsertFunction("nacre_model_close", freeType), {function(free)->getArg(0)});
    free.CreateRetVoid();
  }

  void addEntry(const Entry &entry, size_t number) {
    std::string name = program.module + "_" + entry.name;
    std::vector<Type *> sizes(entry.dimensions.size(), i64);
    IRBuilder<> workspace(begin(exported(name + "_workspace", FunctionType::get(i64, sizes, false))));
    unsigned next = 0;
    llvm::Value *dims = gather(workspace, i64, sizes.size(), next);
    FunctionCallee size =
        module.getOrInsertFunction("nacre_entry_workspace", FunctionType::get(i64, {pointer, pointer}, false));
    workspace.CreateRet(workspace.CreateCall(size, {fitting(workspace, "_entry", number), dims}));
    addCall(entry, name, number);
  }

  /// digits_fit_create(options) is nacre_trainer_create(module, train, options); what follows passes its arguments on.
  void addTrainer(const Train &train, size_t number) {
    std::string prefix = program.module + "_" + train.name + "_";
    IRBuilder<> create(begin(exported(prefix + "create", FunctionType::get(pointer, {pointer}, false))));
    FunctionCallee make = module.getOrInsertFunction("nacre_trainer_create",
                                                     FunctionType::get(pointer, {pointer, pointer, pointer}, false));
    FunctionCallee whole = module.getOrInsertFunction("nacre_fitting", FunctionType::get(pointer, {pointer}, false));
    llvm::Value *chosen = create.CreateCall(whole, {variants}), *block = fitting(create, "_train", number);
    create.CreateRet(create.CreateCall(make, {chosen, block, function(create)->getArg(0)}));
    auto forward = [&](StringRef name, Type *result, ArrayRef<Type *> parameters) {
      auto *type = FunctionType::get(result, parameters, false);
      IRBuilder<> b(begin(exported(prefix + name.str(), type)));
      std::vector<llvm::Value *> arguments;
      for (llvm::Argument &argument : function(b)->args())
        arguments.push_back(&argument);
      auto *call = b.CreateCall(module.getOrInsertFunction(("nacre_trainer_" + name).str(), type), arguments);
      result->isVoidTy() ? b.CreateRetVoid() : b.CreateRet(call);
    };
    Type *real = Type::getDoubleTy(context), *none = Type::getVoidTy(context);
#define TRAINER(id, result, parameters, cResult, cParameters, sentence) forward(#id, result, {pointer parameters});
#define PASSED(type) , type
#include "target/Trainer.def"
  }

private:
  /// nacre_fitting_entry and its like: a table of the variant that this machine runs.
  llvm::Value *fitting(IRBuilder<> &b, StringRef what, size_t number) {
    FunctionCallee find =
        module.getOrInsertFunction(("nacre_fitting" + what).str(), FunctionType::get(pointer, {pointer, i32}, false));
    return b.CreateCall(find, {variants, b.getInt32(number)});
  }

  void addCall(const Entry &entry, const std::string &name, size_t number) {
    std::vector<Type *> parameters(entry.models.size(), pointer);
    parameters.insert(parameters.end(), entry.dimensions.size(), i64);
    for (const Field &field : entry.arguments)
      parameters.push_back(field.type.extents.empty() ? scalarType(field.type.element) : pointer);
    parameters.insert(parameters.end(), entry.results.size() + 1, pointer);
    Function *outer = exported(name, FunctionType::get(i32, parameters, false));
    IRBuilder<> b(begin(outer));
    unsigned next = 0;
    llvm::Value *models = gather(b, pointer, entry.models.size(), next);
    llvm::Value *dims = gather(b, i64, entry.dimensions.size(), next);
    llvm::Value *arguments = b.CreateAlloca(pointer, b.getInt64(std::max<size_t>(entry.arguments.size(), 1)));
    for (size_t i = 0; i < entry.arguments.size(); ++i, ++next) {
      llvm::Value *argument = outer->getArg(next);
      if (entry.arguments[i].type.extents.empty()) {
        extend(outer, next, entry.arguments[i].type.element);
        llvm::Value *place = b.CreateAlloca(argument->getType());
        b.CreateStore(argument, place);
        argument = place;
      }
      b.CreateStore(argument, b.CreateConstGEP1_64(pointer, arguments, i));
    }
    llvm::Value *results = gather(b, pointer, entry.results.size(), next);
    auto *invokeType = FunctionType::get(i32, {pointer, pointer, pointer, pointer, pointer, pointer}, false);
    FunctionCallee invoke = module.getOrInsertFunction("nacre_entry_invoke", invokeType);
    b.CreateRet(
        b.CreateCall(invoke, {fitting(b, "_entry", number), models, dims, arguments, results, outer->getArg(next)}));
  }

  Function *exported(const std::string &name, FunctionType *type) {
    // The lowering calls the code of an entry so as well; inside the object any other name will do.
    if (GlobalValue *inner = module.getNamedValue(name)) {
      inner->setName(name + ".body");
      inner->setLinkage(GlobalValue::InternalLinkage);
    }
    auto *result = Function::Create(type, GlobalValue::ExternalLinkage, name, module);
    result->addFnAttr(Attribute::NoUnwind);
    result->addFnAttr(Attribute::OptimizeForSize);
    return result;
  }
  BasicBlock *begin(Function *function) { return BasicBlock::Create(context, "entry", function); }
  Function *function(IRBuilder<> &b) { return b.GetInsertBlock()->getParent(); }

  /// Arguments next .. next+count-1 as an array in memory.
  llvm::Value *gather(IRBuilder<> &b, Type *type, size_t count, unsigned &next) {
    llvm::Value *array = b.CreateAlloca(type, b.getInt64(std::max<size_t>(count, 1)));
    for (size_t i = 0; i < count; ++i, ++next)
      b.CreateStore(function(b)->getArg(next), b.CreateConstGEP1_64(type, array, i));
    return array;
  }

  Type *scalarType(Scalar scalar) {
    switch (scalar) {
    case Scalar::F64:
      return Type::getDoubleTy(context);
    case Scalar::F32:
      return Type::getFloatTy(context);
    default:
      return Type::getIntNTy(context, 8 * sizeInBytes(scalar));
    }
  }
  /// Small integers are extended by the caller, as the C calling convention says.
  void extend(Function *function, unsigned argument, Scalar scalar) {
    if (scalar == Scalar::I8)
      function->addParamAttr(argument, Attribute::SExt);
    else if (scalar == Scalar::U8 || scalar == Scalar::Bool || scalar == Scalar::F16 || scalar == Scalar::BF16)
      function->addParamAttr(argument, Attribute::ZExt);
  }

  Module &module;
  LLVMContext &context;
  const Program &program;
  GlobalVariable *variants;
  PointerType *pointer;
  IntegerType *i32, *i64;
};

} // namespace

void addInterface(Module &module, const Program &program, GlobalVariable *variants) {
  InterfaceBuilder builder(module, program, variants);
  for (size_t i = 0; i < program.models.size(); ++i)
    if (!program.models[i].ofTrain)
      builder.addModel(program.models[i], i);
  for (size_t i = 0; i < program.trains.size(); ++i)
    builder.addTrainer(program.trains[i], i);
  for (size_t i = 0; i < program.entries.size(); ++i)
    builder.addEntry(program.entries[i], i);
}

} // namespace nacre
