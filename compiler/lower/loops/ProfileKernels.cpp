// A program built with --profile: the hooks that EmitLoops and Outline leave around kernels and chunks become calls of
// the runtime (runtime/src/profile.c), each with a record that says what is measured; entries are measured as a whole.
// The record is struct nacre_kernel_record of runtime/src/module.h.
#include "KernelFacts.h"
#include "Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace nacre {
#define GEN_PASS_DEF_DECLAREHOOKS
#define GEN_PASS_DEF_PROFILEKERNELS
#include "lower/loops/Passes.h.inc"

namespace {
struct DeclareHooksPass : impl::DeclareHooksBase<DeclareHooksPass> {
  void runOnOperation() override {
    OpBuilder builder = OpBuilder::atBlockBegin(getOperation().getBody());
    Type size = builder.getIndexType();
    auto declare = [&](StringRef name, TypeRange inputs) {
      func::FuncOp::create(builder, getOperation().getLoc(), name, builder.getFunctionType(inputs, {})).setPrivate();
    };
    declare(loops::kernelBegin, {size, size});
    declare(loops::kernelEnd, {});
    declare(loops::chunkBegin, {});
    declare(loops::chunkEnd, {});
  }
};

struct ProfileKernelsPass : impl::ProfileKernelsBase<ProfileKernelsPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    pointer = LLVM::LLVMPointerType::get(&getContext());
    number = IntegerType::get(&getContext(), 64);
    SmallVector<Type> fields(texts, pointer);
    fields.append(counters, number);
    recordType = LLVM::LLVMStructType::getLiteral(&getContext(), fields);
    SmallVector<LLVM::CallOp> hooks;
    SmallVector<LLVM::LLVMFuncOp> functions;
    module.walk([&](LLVM::CallOp call) {
      if (call.getCallee() && call.getCallee()->starts_with("nacre.") && call->hasAttr(loops::identityAttribute))
        hooks.push_back(call);
    });
    for (auto function : module.getOps<LLVM::LLVMFuncOp>())
      functions.push_back(function);
    for (LLVM::CallOp hook : hooks)
      if (auto record = hook->getAttrOfType<DictionaryAttr>(loops::recordAttribute))
        makeRecord(hook->getAttrOfType<StringAttr>(loops::identityAttribute).getValue(), record);
    for (LLVM::CallOp hook : hooks)
      replace(hook);
    for (LLVM::LLVMFuncOp function : functions) {
      StringRef name = function.getName();
      if (name.starts_with("nacre.kernel_") || name.starts_with("nacre.chunk_"))
        function.erase();
      else if (!function.isExternal() && (name.ends_with("__call") || name.ends_with("__prepare")))
        measureWhole(function);
    }
    writeAtEnd();
  }

  // As in nacre_kernel_record: what it is, then what the runtime counts.
  static constexpr unsigned texts = 6, counters = 8;

  Value text(OpBuilder &builder, Location loc, StringRef content) {
    auto [known, isNew] = strings.try_emplace(content, "");
    if (isNew) {
      known->second = "nacre.profile.text" + std::to_string(strings.size());
      OpBuilder inModule = OpBuilder::atBlockBegin(getOperation().getBody());
      std::string bytes = content.str() + '\0';
      auto type = LLVM::LLVMArrayType::get(IntegerType::get(&getContext(), 8), bytes.size());
      LLVM::GlobalOp::create(inModule, getOperation().getLoc(), type, /*isConstant=*/true, LLVM::Linkage::Internal,
                             known->second, inModule.getStringAttr(bytes));
    }
    return LLVM::AddressOfOp::create(builder, loc, pointer, known->second);
  }

  static std::string linesOf(DictionaryAttr record) {
    std::string lines; // FILE\tLINE\tLAYER\tCALLER FILE\tCALLER LINE\n
    for (auto line : record.getAs<ArrayAttr>("lines").getAsRange<DictionaryAttr>()) {
      auto words = [&](StringRef name) { return line.getAs<StringAttr>(name).str(); };
      auto count = [&](StringRef name) { return std::to_string(line.getAs<IntegerAttr>(name).getInt()); };
      lines += words("file") + "\t" + count("line") + "\t" + words("path") + "\t" + words("caller_file") + "\t" +
               count("caller_line") + "\n";
    }
    return lines;
  }

  void makeRecord(StringRef identity, DictionaryAttr record) {
    auto words = [&](StringRef name) { return record.getAs<StringAttr>(name).str(); };
    makeRecord(identity, {words("function"), words("name"), words("kind"), linesOf(record), words("operations"),
                          words("traffic")});
  }

  void makeRecord(StringRef identity, const std::vector<std::string> &fields) {
    OpBuilder inModule = OpBuilder::atBlockBegin(getOperation().getBody());
    Location loc = getOperation().getLoc();
    auto global = LLVM::GlobalOp::create(inModule, loc, recordType, /*isConstant=*/false, LLVM::Linkage::Internal,
                                         recordName(identity), Attribute());
    Block *block = inModule.createBlock(&global.getInitializerRegion());
    OpBuilder inside = OpBuilder::atBlockEnd(block);
    Value record = LLVM::UndefOp::create(inside, loc, recordType);
    for (auto [index, field] : llvm::enumerate(fields))
      record = LLVM::InsertValueOp::create(inside, loc, record, text(inside, loc, field), int64_t(index));
    Value zero = LLVM::ConstantOp::create(inside, loc, number, inside.getI64IntegerAttr(0));
    for (unsigned index = texts; index < texts + counters; ++index)
      record = LLVM::InsertValueOp::create(inside, loc, record, zero, int64_t(index));
    LLVM::ReturnOp::create(inside, loc, record);
  }

  static std::string recordName(StringRef identity) { return ("nacre.profile." + identity).str(); }

  LLVM::LLVMFuncOp runtime(StringRef name, TypeRange inputs) {
    ModuleOp module = getOperation();
    if (auto found = module.lookupSymbol<LLVM::LLVMFuncOp>(name))
      return found;
    OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
    return LLVM::LLVMFuncOp::create(
        builder, module.getLoc(), name,
        LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(&getContext()), llvm::to_vector(inputs)));
  }

  void call(OpBuilder &builder, Location loc, StringRef name, StringRef identity, ValueRange amounts) {
    SmallVector<Value> operands{LLVM::AddressOfOp::create(builder, loc, pointer, recordName(identity))};
    llvm::append_range(operands, amounts);
    LLVM::CallOp::create(builder, loc, runtime(name, ValueRange(operands).getTypes()), operands);
  }

  void replace(LLVM::CallOp hook) {
    OpBuilder builder(hook);
    std::string name = "nacre_profile_" + hook.getCallee()->drop_front(strlen("nacre.")).str();
    call(builder, hook.getLoc(), name, hook->getAttrOfType<StringAttr>(loops::identityAttribute).getValue(),
         hook.getArgOperands());
    hook.erase();
  }

  /// An entry moves no bytes of its own: in the place of the traffic stands its workspace.
  void measureWhole(LLVM::LLVMFuncOp function) {
    Location loc = function.getLoc();
    StringRef name = function.getName();
    std::string shortName = name.substr(0, name.rfind("__")).str();
    bool entry = name.ends_with("__call");
    makeRecord(name, {shortName, shortName, entry ? "entry" : "prepare", "", "", ""});
    OpBuilder builder = OpBuilder::atBlockBegin(&function.front());
    Value none = LLVM::ConstantOp::create(builder, loc, number, builder.getI64IntegerAttr(0)), bytes = none;
    auto workspace = getOperation().lookupSymbol<LLVM::LLVMFuncOp>(shortName + "__workspace");
    if (entry && workspace && function.getNumArguments() > 1)
      bytes = LLVM::CallOp::create(builder, loc, workspace, ValueRange{function.getArgument(1)}).getResult();
    call(builder, loc, "nacre_profile_kernel_begin", name, {none, bytes});
    function.walk([&](LLVM::ReturnOp back) {
      OpBuilder atEnd(back);
      call(atEnd, loc, "nacre_profile_kernel_end", name, {});
    });
  }

  /// Whoever ends the process, or closes the library, leaves a profile behind.
  void writeAtEnd() {
    LLVM::LLVMFuncOp write = runtime("nacre_profile_write", {});
    OpBuilder builder = OpBuilder::atBlockEnd(getOperation().getBody());
    Location loc = getOperation().getLoc();
    auto last =
        LLVM::LLVMFuncOp::create(builder, loc, "nacre.profile.write", write.getFunctionType(), LLVM::Linkage::Internal);
    OpBuilder inside = OpBuilder::atBlockEnd(last.addEntryBlock(builder));
    LLVM::CallOp::create(inside, loc, write, ValueRange());
    LLVM::ReturnOp::create(inside, loc, ValueRange());
    builder.setInsertionPointToEnd(getOperation().getBody());
    LLVM::GlobalDtorsOp::create(builder, loc, builder.getArrayAttr({FlatSymbolRefAttr::get(last)}),
                                builder.getI32ArrayAttr({65535}),
                                builder.getArrayAttr({LLVM::ZeroAttr::get(&getContext())}));
  }

  Type pointer, number;
  Type recordType;
  llvm::StringMap<std::string> strings;
};
} // namespace
} // namespace nacre
