// The table of primitives and the records of the dialect say the same: names, operands, results, in both directions.
#include "mlir/IR/MLIRContext.h"
#include "ops/Ops.h"
#include <cstdio>
#include <cstring>
#include <set>
#include <string>

static int failures = 0;

static void expect(bool good, const std::string &what) {
  if (good)
    return;
  std::fprintf(stderr, "failed: %s\n", what.c_str());
  ++failures;
}

static int operandsOf(mlir::RegisteredOperationName op) {
  if (op.hasTrait<mlir::OpTrait::OneOperand>())
    return 1;
  if (op.hasTrait<mlir::OpTrait::NOperands<2>::Impl>())
    return 2;
  return op.hasTrait<mlir::OpTrait::NOperands<3>::Impl>() ? 3 : -1;
}

static std::set<std::string> inTable;

static void check(mlir::MLIRContext &context, const char *name, int operands, const char *result) {
  inTable.insert(std::string("nacre.") + name);
  auto op = mlir::RegisteredOperationName::lookup(std::string("nacre.") + name, &context);
  expect(op.has_value(), std::string("no record for `") + name + "`");
  if (!op)
    return;
  auto *primitive = op->getInterface<nacre::ScalarPrimitive>();
  expect(primitive != nullptr, std::string("`") + name + "` is no ScalarPrimitive");
  expect(operandsOf(*op) == operands, std::string("`") + name + "` has another number of operands");
  if (primitive)
    expect(primitive->resultRule() == result, std::string("`") + name + "` has another result");
}

int main() {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.loadDialect<nacre::NacreDialect>();
#define PRIMITIVE(id, name, operands, result) check(context, name, operands, #result);
#include "program/Primitives.def"
  for (mlir::RegisteredOperationName op : context.getRegisteredOperationsByDialect("nacre"))
    if (op.hasInterface<nacre::ScalarPrimitive>())
      expect(inTable.count(op.getStringRef().str()), "`" + op.getStringRef().str() + "` is not in the table");

  unsigned number = 0;
#define REDUCTION(id, name)                                                                                            \
  expect(nacre::stringifyReductionKind(static_cast<nacre::ReductionKind>(number++)) == name,                           \
         std::string("reduction `") + name + "` has another place or name");
#include "program/Primitives.def"
  expect(nacre::getMaxEnumValForReductionKind() + 1 == number, "the dialect has another number of reductions");
  return failures != 0;
}
