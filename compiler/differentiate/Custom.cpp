// A function whose derivative the source gives: its backward region runs in place of a derived one.
#include "differentiate/Differentiate.h"
#include "ops/Extents.h"
#include "ops/Ops.h"

using namespace mlir;
using namespace nacre;

LogicalResult CustomOp::propagate(Cotangents &cotangents) {
  OpBuilder &builder = cotangents.builder();
  Block &backward = getBackward().front();
  size_t inputs = getInputs().size(), results = getNumResults();
  IRMapping map;
  for (auto [argument, input] : llvm::zip(backward.getArguments(), getInputs()))
    map.map(argument, input);
  for (auto [number, result] : llvm::enumerate(getResults())) {
    Value cotangent = cotangents.of(result);
    if (!cotangent)
      cotangent = zerosLike(builder, getLoc(), result);
    if (!cotangent)
      return failure();
    map.map(backward.getArgument(inputs + number), result);
    map.map(backward.getArgument(inputs + results + number), cotangent);
  }
  for (Operation &op : backward.without_terminator())
    builder.clone(op, map);
  OperandRange given = backward.getTerminator()->getOperands();
  for (Value input : getInputs()) {
    if (!isReal(input))
      continue;
    Value contribution = map.lookupOrDefault(given.front());
    given = given.drop_front();
    if (cotangents.wants(input))
      cotangents.add(input, contribution);
  }
  return success();
}

std::optional<Extents> CustomOp::knownExtents(Value value) {
  auto result = [&](unsigned number) { return extentsOf(getBody().front().getTerminator()->getOperand(number)); };
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument)
    return result(cast<OpResult>(value).getResultNumber());
  unsigned number = argument.getArgNumber(), inputs = getInputs().size();
  if (number < inputs)
    return extentsOf(getInputs()[number]);
  return result((number - inputs) % getNumResults());
}

LogicalResult CustomOp::verify() {
  Block &body = getBody().front(), &backward = getBackward().front();
  if (body.getArgumentTypes() != getInputs().getTypes())
    return emitOpError("has inputs of other types than the arguments of its body");
  if (body.getTerminator()->getOperandTypes() != getResultTypes())
    return emitOpError("has results of other types than its body returns");
  SmallVector<Type> types(getInputs().getTypes());
  for (int twice = 0; twice < 2; ++twice)
    types.append(getResultTypes().begin(), getResultTypes().end());
  if (TypeRange(types) != TypeRange(backward.getArgumentTypes()))
    return emitOpError("has a backward region that does not take its inputs, its results and their cotangents");
  SmallVector<Type> real;
  for (Value input : getInputs())
    if (isReal(input))
      real.push_back(input.getType());
  if (TypeRange(real) != TypeRange(backward.getTerminator()->getOperandTypes()))
    return emitOpError("has a backward region that does not return the cotangents of its real inputs");
  return success();
}
