// Entries, tests and initialisers of a program as functions of one module.
#include "import/Import.h"
#include "import/Functions.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "ops/Ops.h"
#include "llvm/ADT/STLExtras.h"
#include <map>

namespace nacre {

static mlir::DenseI64ArrayAttr positions(const std::vector<uint32_t> &models, mlir::OpBuilder &builder) {
  return builder.getDenseI64ArrayAttr(llvm::SmallVector<int64_t>(models.begin(), models.end()));
}

/// The functions of `train` blocks, whose weights change from call to call; those of `data` blocks have none.
static std::map<uint32_t, const Train *> trainingFunctions(const Program &program) {
  std::map<uint32_t, const Train *> found;
  for (const Train &train : program.trains) {
    found[train.step] = &train;
    for (std::optional<uint32_t> number :
         {train.accumulate, train.begin, train.evaluate, train.summary, train.show, train.probe})
      if (number)
        found[*number] = &train;
  }
  return found;
}

/// `precision: mixed(bf16)`
static bool mixes(const Train &train) {
  return llvm::any_of(train.options, [](const Option &option) {
    return option.name == "precision" && llvm::StringRef(option.text).contains("bf16");
  });
}

mlir::OwningOpRef<mlir::ModuleOp> importProgram(const Program &program, mlir::MLIRContext &context) {
  context.loadDialect<NacreDialect, mlir::func::FuncDialect, mlir::arith::ArithDialect>();
  mlir::Location top = program.file ? mlir::Location(mlir::FileLineColLoc::get(&context, program.file->path(), 1, 1))
                                    : mlir::UnknownLoc::get(&context);
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(top, program.module);
  mlir::OpBuilder builder(module->getBodyRegion());
  bool failed = false;
  auto add = [&](const FunctionParts &parts) -> mlir::func::FuncOp {
    auto function = importFunction(program, parts, builder);
    failed |= llvm::failed(function);
    return llvm::failed(function) ? nullptr : *function;
  };

  auto addEntry = [&](const Entry &entry) {
    FunctionParts parts{
        program.module + "_" + entry.name, &entry.body, &entry.dimensions, {}, {}, entry.span, &entry.stores};
    for (const Field &argument : entry.arguments)
      parts.arguments.push_back(argument.type);
    mlir::func::FuncOp function = add(parts);
    if (function) {
      function->setAttr("nacre.entry", builder.getStringAttr(entry.name));
      function->setAttr("nacre.models", positions(entry.models, builder));
    }
    return function;
  };
  for (const Entry &entry : program.entries)
    addEntry(entry);
  std::map<uint32_t, const Train *> trainOf = trainingFunctions(program);
  for (auto [number, entry] : llvm::enumerate(program.functions)) {
    mlir::func::FuncOp function = addEntry(entry);
    auto train = trainOf.find(number);
    if (!function || train == trainOf.end())
      continue;
    function->setAttr("nacre.training", builder.getUnitAttr());
    if (mixes(*train->second))
      function->setAttr("nacre.mixed", builder.getUnitAttr());
  }
  for (auto [number, test] : llvm::enumerate(program.tests)) {
    FunctionParts parts{program.module + "_test" + std::to_string(number), &test.body, nullptr, {}, {}, test.span};
    if (mlir::func::FuncOp function = add(parts)) {
      function->setAttr("nacre.test", builder.getStringAttr(test.name));
      function->setAttr("nacre.models", positions(test.models, builder));
    }
  }
  llvm::SmallVector<mlir::Attribute> modelNames;
  llvm::SmallVector<int64_t> weightCounts;
  for (auto [position, model] : llvm::enumerate(program.models)) {
    modelNames.push_back(builder.getStringAttr(model.name));
    weightCounts.push_back(model.weights.size());
    for (auto [number, weight] : llvm::enumerate(model.weights)) {
      if (!weight.initial)
        continue;
      std::string name = program.module + "_" + model.name + "__initialise" + std::to_string(number);
      FunctionParts parts{name, weight.initial.get(), nullptr, {TensorType{Scalar::U64, {}}}, {}, weight.span};
      if (mlir::func::FuncOp function = add(parts))
        function->setAttr("nacre.initialise",
                          builder.getDenseI64ArrayAttr({static_cast<int64_t>(position), static_cast<int64_t>(number)}));
    }
  }
  module.get()->setAttr("nacre.models", builder.getArrayAttr(modelNames));
  module.get()->setAttr("nacre.weight_counts", builder.getDenseI64ArrayAttr(weightCounts));
  if (failed)
    return {};
  return module;
}

} // namespace nacre
