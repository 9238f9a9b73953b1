// Compares extents that are given by different ops over the same sizes.
#include "ops/Extents.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace nacre {

SmallVector<Value> dimensionArguments(Operation *function) {
  auto func = cast<func::FuncOp>(function);
  SmallVector<Value> dimensions;
  for (BlockArgument argument : func.getArguments())
    if (func.getArgAttr(argument.getArgNumber(), "nacre.dimension"))
      dimensions.push_back(argument);
  return dimensions;
}

/// Without the sizes that the map lists but does not use: the counter of a loop among them would seem to hide the shape
/// from what stands outside of it.
static Extents usedExtents(AffineMap map, ValueRange symbols) {
  llvm::SmallBitVector unused = getUnusedSymbolsBitVector({map});
  Extents used{compressSymbols(map, unused), {}};
  for (auto [number, symbol] : llvm::enumerate(symbols))
    if (!unused.test(number))
      used.symbols.push_back(symbol);
  return used;
}

std::optional<Extents> extentsOf(Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (type.hasStaticShape()) {
    SmallVector<AffineExpr> constants;
    for (int64_t extent : type.getShape())
      constants.push_back(getAffineConstantExpr(extent, tensor.getContext()));
    return Extents{AffineMap::get(0, 0, constants, tensor.getContext()), {}};
  }
  if (auto known = tensor.getDefiningOp<HasExtents>())
    return usedExtents(known.extentsMap(), known.extentsSymbols());
  auto argument = dyn_cast<BlockArgument>(tensor);
  Operation *owner = argument ? argument.getOwner()->getParentOp() : tensor.getDefiningOp();
  if (auto known = dyn_cast_or_null<KnowsExtents>(owner))
    return known.knownExtents(tensor);
  auto func = argument ? dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp()) : nullptr;
  if (!func)
    return std::nullopt;
  auto map = func.getArgAttrOfType<AffineMapAttr>(argument.getArgNumber(), "nacre.extents");
  if (!map)
    return std::nullopt;
  return Extents{map.getValue(), dimensionArguments(func)};
}

bool sameExtent(AffineExpr a, ValueRange symbolsOfA, AffineExpr b, ValueRange symbolsOfB) {
  if (a == b && symbolsOfA == symbolsOfB)
    return true;
  SmallVector<Value> common;
  auto renumber = [&](AffineExpr expression, ValueRange symbols) {
    SmallVector<AffineExpr> replacement;
    for (Value symbol : symbols) {
      auto place = llvm::find(common, symbol);
      unsigned number = place - common.begin();
      if (place == common.end())
        common.push_back(symbol);
      replacement.push_back(getAffineSymbolExpr(number, expression.getContext()));
    }
    return expression.replaceSymbols(replacement);
  };
  AffineExpr difference = renumber(a, symbolsOfA) - renumber(b, symbolsOfB);
  return simplifyAffineExpr(difference, 0, common.size()) == getAffineConstantExpr(0, a.getContext());
}

} // namespace nacre
