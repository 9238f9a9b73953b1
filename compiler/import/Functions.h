// One function of the module: an entry, a test or an initialiser.
#pragma once
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "program/Program.h"

namespace nacre {

/// What a function is made of; null or empty where it has none.
struct FunctionParts {
  std::string name;
  const Body *body = nullptr;
  const std::vector<DimensionName> *dimensions = nullptr;
  std::vector<TensorType> arguments;
  std::vector<std::string> resultNames;
  Span span;
  const std::vector<Store> *stores = nullptr;
};

/// Failure after an error was reported.
llvm::FailureOr<mlir::func::FuncOp> importFunction(const Program &, const FunctionParts &, mlir::OpBuilder &);

} // namespace nacre
