// Walks a block backwards and asks each op on the way to pass its cotangents on.
//
// On the way is what lies between: reached from a wanted value going forward, and from a seed going backward.
#include "differentiate/Differentiate.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/RegionUtils.h"
#include "ops/Extents.h"
#include "ops/Ops.h"

using namespace mlir;

namespace nacre {

bool isReal(Value tensor) { return isa<FloatType>(getElementTypeOrSelf(tensor.getType())); }

static SetVector<Value> usedBy(Operation &op) {
  SetVector<Value> used(op.operand_begin(), op.operand_end());
  getUsedValuesDefinedAbove(op.getRegions(), used);
  return used;
}

namespace {

class BlockCotangents : public Cotangents {
public:
  explicit BlockCotangents(OpBuilder &builder) : build(builder) {}

  OpBuilder &builder() override { return build; }
  Value of(Value result) override {
    auto known = contributions.find(result);
    if (known == contributions.end())
      return {};
    SmallVector<Value> &all = known->second;
    if (all.size() > 1)
      all = {sumOf(build, result.getLoc(), all)};
    return all.front();
  }
  bool wants(Value operand) override { return active.contains(operand); }
  void add(Value operand, Value contribution) override {
    if (contribution && wants(operand))
      contributions[operand].push_back(contribution);
  }

  DenseSet<Value> active;

private:
  OpBuilder &build;
  DenseMap<Value, SmallVector<Value>> contributions;
};

} // namespace

FailureOr<SmallVector<Value>> differentiateBlock(Block &block, ArrayRef<Seed> seeds, ArrayRef<Value> wanted,
                                                 OpBuilder &builder) {
  DenseSet<Value> needed; // some seed depends on it
  for (const Seed &seed : seeds)
    needed.insert(seed.value);
  SmallVector<Operation *> path;
  for (Operation &op : llvm::reverse(block))
    if (llvm::any_of(op.getResults(), [&](Value result) { return needed.contains(result); })) {
      path.push_back(&op);
      for (Value value : usedBy(op))
        needed.insert(value);
    }

  BlockCotangents cotangents(builder);
  for (Value value : wanted)
    cotangents.active.insert(value);
  for (Operation *op : llvm::reverse(path))
    if (!isa<StopGradientOp>(op) &&
        llvm::any_of(usedBy(*op), [&](Value value) { return cotangents.active.contains(value); }))
      for (Value result : op->getResults())
        if (isReal(result) && needed.contains(result))
          cotangents.active.insert(result);

  for (const Seed &seed : seeds)
    cotangents.add(seed.value, seed.cotangent);
  for (Operation *op : path) {
    bool reached = llvm::any_of(op->getResults(), [&](Value result) { return cotangents.of(result); });
    bool passes = llvm::any_of(usedBy(*op), [&](Value value) { return cotangents.wants(value); });
    if (!reached || !passes)
      continue;
    auto differentiable = dyn_cast<Differentiable>(op);
    if (!differentiable)
      return op->emitError() << "`" << op->getName().stripDialect() << "` has no derivative";
    if (failed(differentiable.propagate(cotangents)))
      return failure();
  }
  SmallVector<Value> results;
  for (Value value : wanted)
    results.push_back(cotangents.of(value));
  return results;
}

Value zerosLike(OpBuilder &builder, Location location, Value like) {
  auto type = cast<RankedTensorType>(like.getType());
  if (type.hasStaticShape())
    return ConstantOp::create(builder, location,
                              DenseElementsAttr::get(type, builder.getZeroAttr(type.getElementType())));
  std::optional<Extents> extents = extentsOf(like);
  if (!extents) {
    emitError(location, "the shape of a derivative is not known here");
    return {};
  }
  auto equation = EquationOp::create(builder, location, type, ValueRange(), extents->symbols,
                                     AffineMapAttr::get(extents->map), builder.getArrayAttr({}), ReductionKindAttr());
  OpBuilder body = OpBuilder::atBlockEnd(&equation.getBody().emplaceBlock());
  Value zero = NumberOp::create(body, location, cast<TypedAttr>(builder.getZeroAttr(type.getElementType())));
  YieldOp::create(body, location, zero);
  return equation;
}

Value sumOf(OpBuilder &builder, Location location, ArrayRef<Value> tensors) {
  if (tensors.size() == 1)
    return tensors.front();
  auto type = cast<RankedTensorType>(tensors.front().getType());
  std::optional<Extents> extents;
  for (Value tensor : tensors)
    if (!extents)
      extents = extentsOf(tensor);
  if (!extents) {
    emitError(location, "the shape of a derivative is not known here");
    return {};
  }
  AffineMap identity = AffineMap::getMultiDimIdentityMap(type.getRank(), builder.getContext());
  identity = AffineMap::get(type.getRank(), extents->map.getNumSymbols(), identity.getResults(), builder.getContext());
  SmallVector<AffineMap> maps(tensors.size(), identity);
  auto equation =
      EquationOp::create(builder, location, type, tensors, extents->symbols, AffineMapAttr::get(extents->map),
                         builder.getAffineMapArrayAttr(maps), ReductionKindAttr());
  Block &block = equation.getBody().emplaceBlock();
  OpBuilder body = OpBuilder::atBlockEnd(&block);
  Value sum;
  for (size_t number = 0; number < tensors.size(); ++number) {
    Value term = block.addArgument(type.getElementType(), location);
    sum = sum ? AddOp::create(body, location, sum, term).getResult() : term;
  }
  YieldOp::create(body, location, sum);
  return equation;
}

} // namespace nacre
