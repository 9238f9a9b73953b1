// Tables, typed functions, header and linking, without the lowering: a program made by hand, its code written as LLVM
// IR. Writes the products into a folder: `descriptor_test FOLDER`; test/targets/descriptor.test runs them.
#include "target/Descriptor.h"
#include "target/Link.h"
#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include <cstdio>

using namespace nacre;

// scale(x: f32[n, m + 1], k: f32) -> (y: f32[n, m + 1]) where n <= 8, m <= 8, (n + m) % 2 == 0: y = x * k + bias
static const char *const code = R"(
define hidden void @hand_scale__call(ptr %tensors, ptr %dims, ptr %arguments, ptr %results, ptr %workspace) {
entry:
  %model = load ptr, ptr %tensors
  %bias.p = load ptr, ptr %model
  %bias = load float, ptr %bias.p
  %prepared.pp = getelementptr ptr, ptr %model, i64 1
  %prepared = load ptr, ptr %prepared.pp
  %extra = load float, ptr %prepared
  %x = load ptr, ptr %arguments
  %kpp = getelementptr ptr, ptr %arguments, i64 1
  %kp = load ptr, ptr %kpp
  %k = load float, ptr %kp
  %y = load ptr, ptr %results
  %n = load i64, ptr %dims
  %mp = getelementptr i64, ptr %dims, i64 1
  %m = load i64, ptr %mp
  %m1 = add i64 %m, 1
  %count = mul i64 %n, %m1
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %xp = getelementptr float, ptr %x, i64 %i
  %v = load float, ptr %xp
  %s = fmul float %v, %k
  %b = fadd float %s, %bias
  %r = fadd float %b, %extra
  %yp = getelementptr float, ptr %y, i64 %i
  store float %r, ptr %yp
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %count
  br i1 %more, label %loop, label %exit
exit:
  ret void
}
define hidden i64 @hand_scale__workspace(ptr %dims) {
  %n = load i64, ptr %dims
  %bytes = mul i64 %n, 64
  ret i64 %bytes
}
define hidden void @hand_net__prepare(ptr %weights, ptr %prepared, ptr %scratch) {
  %bias.p = load ptr, ptr %weights
  %bias = load float, ptr %bias.p
  %ten = fmul float %bias, 10.0
  store float %ten, ptr %prepared
  ret void
}
define hidden i32 @hand_net__initialise(i32 %index, i64 %seed, ptr %out, ptr %scratch) {
  %value = uitofp i64 %seed to float
  store float %value, ptr %out
  ret i32 0
}
define hidden void @hand_test0__call(ptr %tensors, ptr %dims, ptr %arguments, ptr %results, ptr %workspace) {
  %a = load ptr, ptr %results
  store i8 1, ptr %a
  ret void
}
define hidden i64 @hand_test0__workspace(ptr %dims) {
  ret i64 0
}
)";

static void fillProgram(Program &program) {
  program.module = "hand";
  Model net;
  net.name = "net";
  net.documentation = "One number.";
  Weight bias;
  bias.path = "bias";
  net.weights.push_back(std::move(bias));
  program.models.push_back(std::move(net));

  Polynomial n(nameAtom("n")), m(nameAtom("m"));
  Entry entry;
  entry.name = "scale";
  entry.documentation = "Scales and shifts.\nEnds no comment: */ see?";
  entry.dimensions = {{"n", nameAtom("n"), 1, 8, 0, 0, {}}, {"m", nameAtom("m"), 1, 8, 2, 0, {}}};
  TensorType matrix{Scalar::F32, {n, m + 1}};
  entry.arguments = {
      {"x", matrix, "npy", {}}, {"int", {Scalar::F32, {}}, "npy", {}}, {"t", {Scalar::U8, {m}}, "npy", {}}};
  entry.results = {{"y", matrix, "npy", {}}};
  entry.guards.push_back({remainder(n + m, 2), true, "(n + m) % 2 == 0", {}});
  entry.subscriptChecks.push_back({2, n * m, "`x[t[i], 0]`"});
  entry.models = {0};
  program.entries.push_back(std::move(entry));

  Test test;
  test.name = "always true";
  Value value{};
  value.type.element = Scalar::Bool;
  test.body.values.push_back(std::move(value));
  test.body.results = {0};
  test.expectations.push_back({0, std::nullopt, 0, "true", {}});
  program.tests.push_back(std::move(test));
}

static std::string emitObject(llvm::Module &module, const std::string &path) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  std::string problem;
  llvm::Triple triple(llvm::sys::getProcessTriple());
  const llvm::Target *target = llvm::TargetRegistry::lookupTarget(triple, problem);
  if (!target)
    return problem;
  std::unique_ptr<llvm::TargetMachine> machine(
      target->createTargetMachine(triple, "x86-64", "", {}, llvm::Reloc::PIC_));
  module.setTargetTriple(triple);
  module.setDataLayout(machine->createDataLayout());
  if (llvm::verifyModule(module, &llvm::errs()))
    return "the module is broken";
  std::error_code error;
  llvm::raw_fd_ostream out(path, error);
  llvm::legacy::PassManager passes;
  if (error || machine->addPassesToEmitFile(passes, out, nullptr, llvm::CodeGenFileType::ObjectFile))
    return "cannot write " + path;
  passes.run(module);
  return "";
}

static std::string makeObject(const Program &program, const DescriptorOptions &options, const std::string &path) {
  llvm::LLVMContext context;
  llvm::SMDiagnostic diagnostic;
  auto module = llvm::parseAssemblyString(code, diagnostic, context);
  if (!module)
    return diagnostic.getMessage().str();
  std::string problem = addDescriptor(*module, program, {{4, 0}}, options);
  return problem.empty() ? emitObject(*module, path) : problem;
}

static int failed = 0, passed = 0;
static void expect(const char *what, const std::string &problem) {
  problem.empty() ? ++passed : ++failed;
  if (!problem.empty())
    printf("%s: %s\n", what, problem.c_str());
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: descriptor_test FOLDER RUNTIME [WEIGHTS]\n");
    return 2;
  }
  std::string folder = argv[1];
  Program program;
  fillProgram(program);
  DescriptorOptions options;
  options.version = "test";
  options.cpu = "x86-64";
  options.weights.resize(1);
  LinkOptions link{.runtime = argv[2]};
  options.executable = true;
  expect("object of the program", makeObject(program, options, folder + "/program.o"));
  expect("program", linkProgram(folder + "/program.o", folder + "/hand", link));
  options.executable = false;
  options.interface = true;
  expect("object of the library", makeObject(program, options, folder + "/library.o"));
  expect("archive", makeArchive(folder + "/library.o", folder + "/hand.a", link));
  expect("shared library", linkShared(folder + "/library.o", folder + "/libhand.so", link));
  expect("header", writeFile(folder + "/hand.h", headerOf(program, options)));
  program.entries[0].name = "net_load";
  std::string clash = makeObject(program, options, folder + "/clash.o");
  expect("clash", clash == "the C name `hand_net_load` would be both the loader of model `net` and entry `net_load`: "
                           "rename one of them"
                      ? ""
                      : "wrong message: " + clash);
  printf("%d passed, %d failed\n", passed, failed);
  return failed != 0;
}
