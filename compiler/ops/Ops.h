// The nacre dialect and its ops.
#pragma once
#include "dialect/OpInterfaces.h"
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "ops/Dialect.h.inc"
#include "ops/Enums.h.inc"
#define GET_OP_CLASSES
#include "ops/Ops.h.inc"
