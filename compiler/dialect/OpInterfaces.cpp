// Definitions of the interfaces, and how the language's types are held after lowering.
#include "dialect/OpInterfaces.h"
#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;

namespace nacre {

Type scalarStorage(Type type) {
  auto integer = dyn_cast<IntegerType>(type);
  return integer ? IntegerType::get(type.getContext(), integer.getWidth()) : type;
}

// Vectors of i1 are packed into bits in memory while scalars take a byte each; a byte per bool has one meaning in both.
Type elementStorage(Type type) {
  return type.isInteger(1) ? IntegerType::get(type.getContext(), 8) : scalarStorage(type);
}

RankedTensorType tensorStorage(RankedTensorType type) { return type.clone(elementStorage(type.getElementType())); }

} // namespace nacre

#include "dialect/OpInterfaces.cpp.inc"
