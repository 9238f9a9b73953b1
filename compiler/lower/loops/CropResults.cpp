// What nobody reads is not computed: an op whose only reader takes a part of its result computes that part.
//   y[i, j] = f(x[i + u, ...]);  z[i, j] = y[i + 1, j + 1]   =>   z[i, j] = f(x[i + 1 + u, ...])
// The gradient of a padded image is such a part: its rim is dropped. Its readers then see a whole buffer. A large
// result that is read in parts only, side by side along its last axis, is computed in those parts, and what follows
// each part can be fused with it:
//   g = x . w;  y = tanh(g[.., 0..c]) * sigmoid(g[.., c..2c])   =>   y = tanh(x . w[.., 0..c]) * sigmoid(x . w[..,
//   c..2c])
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
    for (size_t next = 0; next < slices.size(); ++next) // in order: parts of one result before parts of its operands
      visit(slices[next], slices);
  }

  static constexpr int64_t leastInParts = 1 << 18; // elements that do not stay in a cache until they are read
  static constexpr int64_t narrowestPart = 32;     // two vectors side by side

  /// Whether everybody reads a slice of the result, and the slices lie apart along the last axis.
  static bool isReadInParts(linalg::GenericOp op) {
    auto type = dyn_cast<RankedTensorType>(op.getResult(0).getType());
    if (!type || !type.hasStaticShape() || type.getNumElements() < leastInParts)
      return false;
    int64_t last = type.getRank() - 1;
    SmallVector<std::pair<int64_t, int64_t>> parts;
    for (Operation *user : op->getUsers()) {
      auto slice = dyn_cast<tensor::ExtractSliceOp>(user);
      if (!slice || !slice.getType().hasStaticShape() || slice.getType().getRank() != type.getRank() ||
          !slice.hasUnitStride() || ShapedType::isDynamic(slice.getStaticOffsets()[last]))
        return false;
      for (int64_t axis = 0; axis < last; ++axis)
        if (slice.getType().getDimSize(axis) != type.getDimSize(axis))
          return false;
      int64_t begin = slice.getStaticOffsets()[last], size = slice.getType().getDimSize(last);
      if (size < narrowestPart)
        return false;
      parts.push_back({begin, begin + size});
    }
    llvm::sort(parts);
    for (size_t i = 1; i < parts.size(); ++i)
      if (parts[i].first < parts[i - 1].second)
        return false;
    return true;
  }

  static void visit(tensor::ExtractSliceOp slice, SmallVectorImpl<tensor::ExtractSliceOp> &slices) {
    auto op = slice.getSource().getDefiningOp<linalg::GenericOp>();
    if (!op || op.getNumDpsInits() != 1 || op.hasIndexSemantics() || !slice.hasUnitStride() ||
        (!op->hasOneUse() && !isReadInParts(op)) || slice.getType().getRank() != slice.getSourceType().getRank() ||
        !slice.getType().hasStaticShape() || llvm::any_of(slice.getStaticOffsets(), ShapedType::isDynamic))
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
    llvm::SmallDenseMap<unsigned, unsigned> axisOf; // of the result, by loop
    for (auto [axis, expr] : llvm::enumerate(written.getResults())) {
      moved[cast<AffineDimExpr>(expr).getPosition()] = expr + slice.getStaticOffsets()[axis];
      axisOf[cast<AffineDimExpr>(expr).getPosition()] = axis;
    }
    // A plain axis of an input must be as long as its loop: it is cropped as well. Others are read further in.
    SmallVector<AffineMap> maps;
    SmallVector<Value> inputs;
    SmallVector<tensor::ExtractSliceOp> created;
    for (OpOperand *operand : op.getDpsInputOperands()) {
      Value input = operand->get();
      SmallVector<AffineExpr> subscripts;
      auto whole = dyn_cast<RankedTensorType>(input.getType());
      SmallVector<int64_t> offsets, sizes;
      bool crops = false;
      for (auto [axis, expr] : llvm::enumerate(op.getMatchingIndexingMap(operand).getResults())) {
        auto dim = dyn_cast<AffineDimExpr>(expr);
        auto cropped = dim ? axisOf.find(dim.getPosition()) : axisOf.end();
        bool plain = cropped != axisOf.end();
        if (!plain && whole.isDynamicDim(axis))
          return;
        offsets.push_back(plain ? slice.getStaticOffsets()[cropped->second] : 0);
        sizes.push_back(plain ? type.getDimSize(cropped->second) : whole.getDimSize(axis));
        crops |= plain && sizes.back() != whole.getDimSize(axis);
        subscripts.push_back(plain ? expr : expr.replaceDims(moved));
      }
      if (crops) {
        SmallVector<int64_t> strides(sizes.size(), 1);
        auto part = tensor::ExtractSliceOp::create(b, loc, RankedTensorType::get(sizes, whole.getElementType()), input,
                                                   ValueRange(), ValueRange(), ValueRange(), offsets, sizes, strides);
        created.push_back(part);
        input = part;
      }
      inputs.push_back(input);
      maps.push_back(AffineMap::get(op.getNumLoops(), 0, subscripts, b.getContext()));
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
    if (op.use_empty())
      op.erase();
    llvm::append_range(slices, created);
  }
};
} // namespace
} // namespace nacre
