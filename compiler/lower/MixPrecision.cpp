// `precision: mixed(bf16)`: contractions of a training function read bf16 and sum in f32; everything else, the weights
// themselves included, stays f32.
//
//   y[m, n] = sum[k](a[m, k] * b[k, n])   =>   the same over bf16(a) and bf16(b), each rounded once
//
// The rounded numbers are kept as f32: products of bf16 are exact in f32, so the sum is what bf16 operands give.
#include "Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace nacre {
#define GEN_PASS_DEF_MIXPRECISION
#include "Passes.h.inc"
} // namespace nacre

using namespace mlir;

/// The two operands of a sum of products of f32, neither of which runs over the whole result: else nothing.
static SmallVector<OpOperand *> factorsOf(linalg::GenericOp op) {
  if (op.getNumDpsInits() != 1 || op.getNumReductionLoops() == 0)
    return {};
  Block &body = op.getRegion().front();
  auto sum = body.getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!sum || !sum.getType().isF32())
    return {};
  Value accumulator = body.getArguments().back();
  Value term = sum.getLhs() == accumulator ? sum.getRhs() : sum.getLhs();
  auto product = term.getDefiningOp<arith::MulFOp>();
  if (!product || (sum.getLhs() != accumulator && sum.getRhs() != accumulator) ||
      !llvm::hasSingleElement(term.getUsers()))
    return {};
  SmallVector<OpOperand *> factors;
  for (Value factor : product->getOperands()) {
    auto argument = dyn_cast<BlockArgument>(factor);
    if (!argument || argument == accumulator)
      return {};
    OpOperand *operand = op.getMatchingOpOperand(argument);
    AffineMap map = op.getMatchingIndexingMap(operand);
    SmallVector<unsigned> parallel;
    op.getParallelDims(parallel);
    if (!isa<RankedTensorType>(operand->get().getType()) ||
        llvm::all_of(parallel, [&](unsigned dim) { return map.isFunctionOfDim(dim); }))
      return {};
    factors.push_back(operand);
  }
  return factors;
}

static Value rounded(OpBuilder &builder, Location location, Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, location, tensor);
  Value empty = tensor::EmptyOp::create(builder, location, sizes, type.getElementType());
  SmallVector<AffineMap> maps(2, builder.getMultiDimIdentityMap(type.getRank()));
  SmallVector<utils::IteratorType> kinds(type.getRank(), utils::IteratorType::parallel);
  auto op = linalg::GenericOp::create(
      builder, location, type, tensor, empty, maps, kinds, [](OpBuilder &inner, Location at, ValueRange arguments) {
        Value half = arith::TruncFOp::create(inner, at, inner.getBF16Type(), arguments[0]);
        Value wide = arith::ExtFOp::create(inner, at, inner.getF32Type(), half);
        linalg::YieldOp::create(inner, at, wide);
      });
  return op.getResult(0);
}

namespace {
struct MixPrecision : nacre::impl::MixPrecisionBase<MixPrecision> {
  void runOnOperation() override {
    if (!getOperation()->hasAttr("nacre.mixed"))
      return;
    DenseMap<Value, Value> known;
    SmallVector<linalg::GenericOp> ops;
    getOperation().walk([&](linalg::GenericOp op) { ops.push_back(op); });
    for (linalg::GenericOp op : ops)
      for (OpOperand *factor : factorsOf(op)) {
        Value tensor = factor->get();
        Value &half = known[tensor];
        if (!half || half.getParentRegion() != op->getParentRegion()) {
          OpBuilder builder(op);
          half = rounded(builder, op.getLoc(), tensor);
        }
        factor->set(half);
      }
  }
};
} // namespace
