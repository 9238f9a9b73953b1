// Registers the ops; definitions generated from the records.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "ops/Ops.h"

#include "ops/Dialect.cpp.inc"
#include "ops/Enums.cpp.inc"

void nacre::NacreDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "ops/Ops.cpp.inc"
      >();
}
