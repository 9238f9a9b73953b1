// One module for several processors: a table of the variants, and functions that go through the one that fits.
#include "target/Interface.h"
#include "target/Tables.h"
#include "target/cpu/Machine.h"
#include "llvm/Support/TargetSelect.h"

using namespace llvm;

namespace nacre {

static void hide(GlobalValue &value) {
  value.setLinkage(GlobalValue::ExternalLinkage);
  value.setUnnamedAddr(GlobalValue::UnnamedAddr::None);
  value.setVisibility(GlobalValue::HiddenVisibility);
  value.setDSOLocal(true);
}

void embedFile(Module &module, const std::string &name, const std::string &path) {
  std::string quoted;
  for (char c : path)
    quoted += (c == '"' || c == '\\') ? std::string("\\") + c : std::string(1, c);
  module.appendModuleInlineAsm("\t.section .rodata." + name + ",\"a\",@progbits\n\t.balign 64\n\t.globl " + name +
                               "\n\t.hidden " + name + "\n" + name + ":\n\t.incbin \"" + quoted + "\"\n\t.size " +
                               name + ", . - " + name + "\n\t.text\n");
  InitializeNativeTargetAsmParser();
}

void keepOnly(Module &module, GlobalVariable &table, const std::string &name) {
  for (GlobalValue &value : module.global_values())
    if (!value.isDeclaration() && !value.hasLocalLinkage()) {
      value.setVisibility(GlobalValue::DefaultVisibility);
      value.setLinkage(GlobalValue::InternalLinkage);
    }
  table.setName(name);
  hide(table);
}

void addVariants(Module &module, const Program &program, ArrayRef<Constant *> tables,
                 const DescriptorOptions &options) {
  LLVMContext &context = module.getContext();
  auto *pointer = PointerType::getUnqual(context);
  auto *list = ArrayType::get(pointer, tables.size());
  auto *modules = new GlobalVariable(module, list, /*isConstant=*/true, GlobalValue::PrivateLinkage,
                                     ConstantArray::get(list, tables), "nacre.variants");
  Constant *count = ConstantInt::get(Type::getInt32Ty(context), tables.size());
  Constant *record = ConstantStruct::getAnon(context, {count, modules, ConstantPointerNull::get(pointer)});
  auto *variants = new GlobalVariable(module, record->getType(), /*isConstant=*/false, GlobalValue::InternalLinkage,
                                      record, program.module + "__variants");
  if (options.executable) {
    variants->setName("nacre_main_variants");
    hide(*variants);
  }
  if (options.interface)
    addInterface(module, program, variants);
}

std::string dispatchObject(const Program &program, const std::vector<std::string> &names,
                           const DescriptorOptions &options, std::string &problem) {
  // What every machine that starts the program can run.
  std::unique_ptr<TargetMachine> machine = createMachine(processorNamed("x86-64"), /*contract=*/false, problem);
  if (!machine)
    return "";
  LLVMContext context;
  Module module(program.module, context);
  module.setDataLayout(machine->createDataLayout());
  module.setTargetTriple(machine->getTargetTriple());
  std::vector<Constant *> tables;
  for (const std::string &name : names) {
    auto *table = new GlobalVariable(module, Type::getInt8Ty(context), /*isConstant=*/true,
                                     GlobalValue::ExternalLinkage, nullptr, name);
    hide(*table);
    tables.push_back(table);
  }
  for (size_t i = 0; i < program.models.size(); ++i)
    if (const WeightsSource &source = options.weights[i]; !source.embeddedFile.empty())
      embedFile(module, program.module + "_" + program.models[i].name + "__embedded", source.embeddedFile);
  addVariants(module, program, tables, options);
  optimise(module, *machine, /*plain=*/false);
  return emit(module, *machine, /*text=*/false);
}

} // namespace nacre
