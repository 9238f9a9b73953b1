// What nobody reads is not computed: an op whose only reader takes a part of its result computes that part.
//   y[i, j] = f(x[i + u, ...]);  z[i, j] = y[i + 1, j + 1]   =>   z[i, j] = f(x[i + 1 + u, ...])
// The gradient of a padded image is such a part: its rim is dropped. Its readers then see a whole buffer.
#include "Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace nacre {
#define GEN_PASS_DEF_CROPRESULTS
#include "lower/loops/Passes.h.inc"

namespace {
struct CropResultsPass : impl::CropResultsBase<CropResultsPass> {
  void runOnOperation() override {
    SmallVector<tensor::ExtractSliceOp> slices;
    getOperation().walk([&](tensor::ExtractSliceOp op) { slices.push_back(op); });
    for (tensor::ExtractSliceOp slice : slices)
      visit(slice);
  }

  /// linalg takes the length of a loop from the axes that it subscripts alone: those are cut to the part that is read.
  /// All other subscripts move by the offsets.
  static std::pair<Value, AffineMap> cropInput(OpBuilder &b, Location loc, Value input, AffineMap map,
                                               ArrayRef<AffineExpr> moved, ArrayRef<std::pair<int64_t, int64_t>> kept) {
    auto type = dyn_cast<RankedTensorType>(input.getType());
    if (!type)
      return {input, map};
    SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0)), strides(type.getRank(), b.getIndexAttr(1));
    SmallVector<OpFoldResult> lengths = tensor::getMixedSizes(b, loc, input);
    SmallVector<int64_t> shape(type.getShape());
    SmallVector<AffineExpr> subscripts;
    bool cut = false;
    for (auto [axis, expr] : llvm::enumerate(map.getResults())) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (!dim || ShapedType::isDynamic(kept[dim.getPosition()].second)) {
        subscripts.push_back(expr.replaceDims(moved));
        continue;
      }
      auto [offset, length] = kept[dim.getPosition()];
      cut |= offset != 0 || length != shape[axis];
      offsets[axis] = b.getIndexAttr(offset);
      lengths[axis] = b.getIndexAttr(length);
      shape[axis] = length;
      subscripts.push_back(expr);
    }
    if (cut)
      input = tensor::ExtractSliceOp::create(b, loc, RankedTensorType::get(shape, type.getElementType()), input,
                                             offsets, lengths, strides);
    return {input, AffineMap::get(map.getNumDims(), map.getNumSymbols(), subscripts, b.getContext())};
  }

  static void visit(tensor::ExtractSliceOp slice) {
    auto op = slice.getSource().getDefiningOp<linalg::GenericOp>();
    if (!op || !op->hasOneUse() || op.getNumDpsInits() != 1 || op.hasIndexSemantics() || !slice.hasUnitStride() ||
        slice.getType().getRank() != slice.getSourceType().getRank() || !slice.getType().hasStaticShape() ||
        llvm::any_of(slice.getStaticOffsets(), ShapedType::isDynamic))
      return;
    OpOperand *output = op.getDpsInitOperand(0);
    AffineMap written = op.getMatchingIndexingMap(output);
    if (!written.isProjectedPermutation())
      return;

    OpBuilder b(op);
    Location loc = op.getLoc();
    auto type = slice.getType();
    SmallVector<AffineExpr> moved;
    SmallVector<std::pair<int64_t, int64_t>> kept(op.getNumLoops(), {0, ShapedType::kDynamic}); // offset, length
    for (unsigned d = 0; d < op.getNumLoops(); ++d)
      moved.push_back(b.getAffineDimExpr(d));
    for (auto [expr, offset, length] : llvm::zip(written.getResults(), slice.getStaticOffsets(), type.getShape())) {
      unsigned dim = cast<AffineDimExpr>(expr).getPosition();
      moved[dim] = expr + offset;
      kept[dim] = {offset, length};
    }
    SmallVector<AffineMap> maps;
    SmallVector<Value> inputs;
    for (OpOperand *operand : op.getDpsInputOperands()) {
      auto [input, map] = cropInput(b, loc, operand->get(), op.getMatchingIndexingMap(operand), moved, kept);
      inputs.push_back(input);
      maps.push_back(map);
    }
    maps.push_back(written);

    Value start;
    if (auto fill = output->get().getDefiningOp<linalg::FillOp>()) {
      Value empty = tensor::EmptyOp::create(b, loc, type.getShape(), type.getElementType());
      start = linalg::FillOp::create(b, fill.getLoc(), fill.getInputs(), empty).getResult(0);
    } else if (output->get().getDefiningOp<tensor::EmptyOp>()) {
      start = tensor::EmptyOp::create(b, loc, type.getShape(), type.getElementType());
    } else {
      start = tensor::ExtractSliceOp::create(b, loc, type, output->get(), slice.getMixedOffsets(),
                                             slice.getMixedSizes(), slice.getMixedStrides());
    }
    auto part = linalg::GenericOp::create(b, loc, type, inputs, start, maps, op.getIteratorTypesArray());
    IRMapping nothing;
    op.getRegion().cloneInto(&part.getRegion(), nothing);
    slice.replaceAllUsesWith(part.getResult(0));
    slice.erase();
    op.erase();
  }
};
} // namespace
} // namespace nacre
