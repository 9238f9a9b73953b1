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
    for (unsigned d = 0; d < op.getNumLoops(); ++d)
      moved.push_back(b.getAffineDimExpr(d));
    for (auto [expr, offset] : llvm::zip(written.getResults(), slice.getStaticOffsets()))
      moved[cast<AffineDimExpr>(expr).getPosition()] = expr + offset;
    SmallVector<AffineMap> maps;
    for (OpOperand *operand : op.getDpsInputOperands())
      maps.push_back(
          op.getMatchingIndexingMap(operand).replaceDimsAndSymbols(moved, {}, op.getNumLoops(), /*numSymbols=*/0));
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
    SmallVector<Value> inputs(op.getInputs());
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
