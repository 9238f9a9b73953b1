// Runs the stages in the order of Stages.def and stops after the one that was asked for.
#include "Compile.h"
#include "PassTimer.h"
#include "diagnostics/Diagnostic.h"
#include "dialect/Remarks.h"
#include "import/Import.h"
#include "lower/Pipeline.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "target/cpu/Machine.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/raw_ostream.h"
#include <chrono>
#include <type_traits>

namespace nacre {

static const StageInfo stages[] = {
#define STAGE(id, name, sentence) {name, sentence},
#include "Stages.def"
};

const StageInfo &info(Stage stage) { return stages[static_cast<size_t>(stage)]; }

bool stageNamed(std::string_view name, Stage &stage) {
  for (size_t number = 0; number < std::size(stages); ++number)
    if (stages[number].name == name) {
      stage = static_cast<Stage>(number);
      return true;
    }
  return false;
}

namespace {

/// The innermost place in a file: `digits.nacre:4:10`.
std::string placeOf(mlir::Location location) {
  std::string place;
  location->walk([&](mlir::Location inner) {
    auto file = llvm::dyn_cast<mlir::FileLineColLoc>(inner);
    if (!file)
      return mlir::WalkResult::advance();
    place =
        (file.getFilename().getValue() + ":" + llvm::Twine(file.getLine()) + ":" + llvm::Twine(file.getColumn())).str();
    return mlir::WalkResult::interrupt();
  });
  return place;
}

/// The file of a program that has this path; null if nothing in it points there.
const SourceFile *fileNamed(const Program &program, llvm::StringRef path) {
  for (const nacre::Location &location : program.locations)
    if (location.span && location.span.file->path() == path)
      return location.span.file;
  return program.file && program.file->path() == path ? program.file : nullptr;
}

/// The line that a location names, as the front end would show it.
Span spanOf(const Program &program, mlir::Location location) {
  Span span;
  location->walk([&](mlir::Location inner) {
    auto place = llvm::dyn_cast<mlir::FileLineColLoc>(inner);
    const SourceFile *file = place ? fileNamed(program, place.getFilename()) : nullptr;
    if (!file || place.getLine() == 0 || place.getLine() > file->lineCount())
      return mlir::WalkResult::advance();
    uint32_t begin = file->lineBegin(place.getLine()), length = file->line(place.getLine()).size();
    span = {file, begin + std::min(place.getColumn() - 1, length), begin + length};
    return mlir::WalkResult::interrupt();
  });
  return span;
}

class Compilation {
public:
  Compilation(const Program &program, Stage last, const CompileOptions &options)
      : program(program), last(last), options(options) {
    mlir::DialectRegistry registry;
    registerLowering(registry);
    context.appendDialectRegistry(registry);
  }

  CompileResult run() {
    mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
      if (refuses(diagnostic))
        return mlir::success();
      if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error && firstError.empty()) {
        errorPlace = placeOf(diagnostic.getLocation());
        firstError = diagnostic.str();
      }
      return mlir::success();
    });
    Processor processor = processorNamed(options.cpu);
    if (processor.name.empty()) {
      result.problem = "no processor named `" + options.cpu + "`";
      return std::move(result);
    }
    LoweringOptions lowering;
    lowering.reference = options.reference;
    lowering.precise = options.precise;
    lowering.threads = options.threads;
    lowering.winograd = options.winograd;
    lowering.winogradEdge = options.winogradEdge;
    lowering.vectorBits = vectorBits(processor);
    lowering.lineTables = options.lineTables;
    lowering.profile = options.profile;
    if (options.report)
      collectReport(context, result.report);
    lowering.dots = dotForms(processor);

    result.ok = stage(Stage::Nacre, [&] { return timed("import", [&] { return importModule(); }); }) &&
                passes(Stage::Fused, buildFused, lowering) && passes(Stage::Linalg, buildLinalg, lowering) &&
                passes(Stage::Buffers, buildBuffers, lowering) && passes(Stage::Loops, buildLoops, lowering) &&
                readPlans() && machineCode(processor, lowering);
    return std::move(result);
  }

private:
  /// An error of the program that only the compiler can see carries its kind.
  bool refuses(mlir::Diagnostic &diagnostic) {
    for (mlir::DiagnosticArgument &argument : diagnostic.getMetadata()) {
      auto name = argument.getKind() == mlir::DiagnosticArgument::DiagnosticArgumentKind::Attribute
                      ? llvm::dyn_cast<mlir::StringAttr>(argument.getAsAttribute())
                      : mlir::StringAttr();
      Kind kind;
      if (!name || !kindNamed(name.str(), kind))
        continue;
      refusals.report({kind, diagnostic.str(), {{spanOf(program, diagnostic.getLocation()), ""}}, {}, ""});
      return true;
    }
    return false;
  }

  /// Runs one stage if it is wanted; false after a failure.
  template <typename Work> bool stage(Stage current, Work work) {
    if (current > last)
      return true;
    running = current;
    auto begin = std::chrono::steady_clock::now();
    bool good = work();
    std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    result.times.push_back({current, seconds.count()});
    if (!good && refusals.failed()) {
      result.problem = render(refusals, DiagnosticFormat::Text);
      result.problem.erase(result.problem.find_last_not_of('\n') + 1);
      return false;
    }
    if (!good) {
      result.problem = "internal error in stage `" + std::string(info(current).name) + "`" +
                       (errorPlace.empty() ? "" : " at " + errorPlace) + ": " +
                       (firstError.empty() ? "no reason was given" : firstError);
      return false;
    }
    if (current == last && module)
      print(*module);
    return true;
  }

  /// A piece of a stage that is no pass of MLIR.
  template <typename Work> std::invoke_result_t<Work> timed(const char *name, Work work) {
    auto begin = std::chrono::steady_clock::now();
    auto outcome = work();
    std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    result.passes.push_back({running, name, 1, seconds.count()});
    return outcome;
  }

  bool importModule() {
    module = importProgram(program, context);
    return module && mlir::succeeded(mlir::verify(*module));
  }

  bool runPasses(void (*build)(mlir::OpPassManager &, const LoweringOptions &), const LoweringOptions &lowering) {
    mlir::PassManager manager(&context, mlir::ModuleOp::getOperationName());
#ifdef NDEBUG
    manager.enableVerifier(false);
#endif
    manager.addInstrumentation(timePasses(running, result.passes));
    build(manager, lowering);
    return mlir::succeeded(manager.run(*module)) && mlir::succeeded(mlir::verify(*module));
  }

  bool passes(Stage current, void (*build)(mlir::OpPassManager &, const LoweringOptions &),
              const LoweringOptions &lowering) {
    return stage(current, [&] { return runPasses(build, lowering); });
  }

  void print(mlir::ModuleOp op) {
    llvm::raw_string_ostream stream(result.output);
    op.print(stream);
    stream << "\n";
  }

  bool machineCode(const Processor &processor, const LoweringOptions &lowering) {
    llvm::LLVMContext llvmContext;
    std::unique_ptr<llvm::TargetMachine> machine;
    std::unique_ptr<llvm::Module> code;
    bool good = stage(Stage::Llvm, [&] {
      if (!runPasses(buildLlvm, lowering))
        return false;
      readFacts();
      machine = createMachine(processor, !options.reference && !options.precise, firstError);
      if (machine)
        code = timed("LLVM IR", [&] { return translate(*module, llvmContext, *machine); });
      module = {};
      if (!code)
        return false;
      if (options.extend)
        firstError = timed("tables and interface", [&] { return options.extend(*code, result.models); });
      if (!firstError.empty())
        return false;
      return timed("LLVM optimiser", [&] { return optimise(*code, *machine, options.reference), true; });
    });
    if (!good || last < Stage::Llvm)
      return good;
    if (last == Stage::Llvm) {
      llvm::raw_string_ostream stream(result.output);
      code->print(stream, nullptr);
      return true;
    }
    return stage(last, [&] {
      result.output = timed("LLVM code generator", [&] { return emit(*code, *machine, last == Stage::Asm); });
      return !result.output.empty();
    });
  }

  /// PlanMemory leaves each plan on the function that adds up its bytes.
  bool readPlans() {
    if (last < Stage::Loops)
      return true;
    for (mlir::Operation &op : *module->getBody()) {
      auto entry = op.getAttrOfType<mlir::StringAttr>("nacre.plan_of");
      if (!entry)
        continue;
      MemoryPlan &plan = result.plans.emplace_back();
      plan.entry = entry.str();
      auto number = [](mlir::DictionaryAttr row, llvm::StringRef name) {
        return row.getAs<mlir::IntegerAttr>(name).getInt();
      };
      for (auto group : op.getAttrOfType<mlir::ArrayAttr>("nacre.plan_groups").getAsRange<mlir::DictionaryAttr>())
        plan.groups.push_back({group.getAs<mlir::StringAttr>("scale").str(), number(group, "bytes")});
      for (auto row : op.getAttrOfType<mlir::ArrayAttr>("nacre.plan").getAsRange<mlir::DictionaryAttr>()) {
        std::string type;
        llvm::raw_string_ostream(type) << row.getAs<mlir::TypeAttr>("type").getValue();
        plan.buffers.push_back({type, plan.groups[number(row, "group")].first, number(row, "offset"),
                                number(row, "bytes"), number(row, "first"), number(row, "last")});
      }
    }
    return true;
  }

  void readFacts() {
    auto prepared = (*module)->getAttrOfType<mlir::DenseI64ArrayAttr>("nacre.prepared_bytes");
    auto scratch = (*module)->getAttrOfType<mlir::DenseI64ArrayAttr>("nacre.prepare_scratch");
    result.models.resize(program.models.size());
    for (size_t model = 0; prepared && scratch && model < result.models.size(); ++model)
      result.models[model] = {static_cast<uint64_t>(prepared[model]), static_cast<uint64_t>(scratch[model])};
  }

  const Program &program;
  Stage last, running = Stage::Nacre;
  const CompileOptions &options;
  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module;
  CompileResult result;
  std::string firstError, errorPlace;
  Diagnostics refusals;
};

} // namespace

CompileResult compile(const Program &program, Stage last, const CompileOptions &options) {
  return Compilation(program, last, options).run();
}

} // namespace nacre
