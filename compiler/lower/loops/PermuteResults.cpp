// A sum of products whose result ends in an axis that makes bad lanes is computed with another axis last, and put into
// the order that was asked for afterwards. The gradient of a filter is such a sum:
//   dw[f, g, u, v] = sum[m, i, j](dy[m, i, j, f] * x[m, i + u, j + v, g])
// Three columns v, each a gather from x, become the lanes of a contiguous f:  t[g, u, v, f] = sum[m, i, j](...).
// The other axes keep their order, so that a copy of t, or an update of the weight that reads it, sees two axes.
#include "Access.h"
#include "Passes.h"
#include "Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace nacre {
#define GEN_PASS_DEF_PERMUTERESULTS
#include "lower/loops/Passes.h.inc"

using namespace loops;

static constexpr int64_t pointsThatPay = 1 << 14; // below, everything is cheap

namespace {
struct PermuteResultsPass : impl::PermuteResultsBase<PermuteResultsPass> {
  using PermuteResultsBase::PermuteResultsBase;

  void runOnOperation() override {
    SmallVector<linalg::GenericOp> ops;
    getOperation().walk([&](linalg::GenericOp op) { ops.push_back(op); });
    for (linalg::GenericOp op : ops)
      if (op.hasPureTensorSemantics() && op.getNumDpsInits() == 1 && op.getNumReductionLoops() > 0)
        visit(op);
  }

  void visit(linalg::GenericOp op) {
    Kernel kernel = makeKernel(op);
    OpOperand *output = op.getDpsInitOperand(0);
    AffineMap produced = op.getMatchingIndexingMap(output);
    if (!combinersOf(op) || !bodyVectorises(op) || !produced.isProjectedPermutation() || produced.getNumResults() < 2)
      return;
    int64_t points = 1;
    for (int64_t extent : kernel.extents)
      points *= ShapedType::isDynamic(extent) ? 16 : extent;
    auto fill = output->get().getDefiningOp<linalg::FillOp>();
    auto type = cast<RankedTensorType>(output->get().getType());
    if (points < pointsThatPay || !fill || !type.hasStaticShape())
      return;

    unsigned last = produced.getNumResults() - 1, axis = last;
    double best = *cost(op, kernel, produced.getDimPosition(last), /*mayGather=*/true) / 2;
    for (unsigned a = 0; a < last; ++a)
      if (auto other = cost(op, kernel, produced.getDimPosition(a), /*mayGather=*/false); other && *other < best) {
        best = *other;
        axis = a;
      }
    if (axis != last)
      permute(op, fill, axis);
  }

  /// Whether packing can put the operand's axis of `dim` last: each axis moves with one dim at most.
  static bool packs(AffineMap map, const Kernel &kernel) {
    return llvm::all_of(map.getResults(), [&](AffineExpr expr) {
      unsigned dims = 0;
      for (unsigned d = 0; d < kernel.rank(); ++d)
        dims += expr.isFunctionOfDim(d);
      return dims <= 1;
    });
  }

  /// Cycles per point with the lanes along `dim`; nothing where some operand would be gathered and that is not wanted.
  std::optional<double> cost(linalg::GenericOp op, const Kernel &kernel, unsigned dim, bool mayGather) const {
    int64_t width = 32;
    for (Value operand : op->getOperands())
      if (Type element = getElementTypeOrSelf(operand.getType()); element.isIntOrFloat())
        width = std::max<int64_t>(width, element.getIntOrFloatBitWidth());
    int64_t lanes = vectorBits / width, extent = kernel.extents[dim];
    double cycles = 1.0 / lanes;
    for (OpOperand *operand : op.getDpsInputOperands()) {
      auto type = dyn_cast<RankedTensorType>(operand->get().getType());
      AffineMap map = kernel.root().maps[operand->getOperandNumber()];
      if (!type || !dependsOn(map, dim))
        continue;
      Access access = accessAlong(map, MemRefType::get(type.getShape(), type.getElementType()), dim, lanes);
      bool inOrder = access == Access::Contiguous || packs(map, kernel); // once packed, contiguous as well
      if (!inOrder && !mayGather)
        return std::nullopt;
      cycles += access == Access::Contiguous ? 1.0 / lanes : inOrder ? 2.0 / lanes : 1.2;
    }
    return ShapedType::isDynamic(extent) ? cycles : cycles * llvm::alignTo(extent, lanes) / extent;
  }

  static void permute(linalg::GenericOp op, linalg::FillOp fill, unsigned axis) {
    OpBuilder b(op);
    Location loc = op.getLoc();
    MLIRContext *context = op.getContext();
    auto type = cast<RankedTensorType>(op.getResult(0).getType());
    unsigned number = op.getDpsInitOperand(0)->getOperandNumber();
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();

    SmallVector<AffineExpr> written, read; // over the loops of `op`; over the axes of the result
    SmallVector<int64_t> shape;
    auto add = [&](unsigned a) {
      written.push_back(maps[number].getResult(a));
      read.push_back(b.getAffineDimExpr(a));
      shape.push_back(type.getDimSize(a));
    };
    for (unsigned a = 0; a < type.getRank(); ++a)
      if (a != axis)
        add(a);
    add(axis);
    Value empty = tensor::EmptyOp::create(b, loc, shape, type.getElementType());
    Value start = linalg::FillOp::create(b, fill.getLoc(), fill.getInputs(), empty).getResult(0);
    maps[number] = AffineMap::get(maps[number].getNumDims(), 0, written, context);
    op.setIndexingMapsAttr(b.getAffineMapArrayAttr(maps));
    op->setOperand(number, start);
    op.getResult(0).setType(cast<RankedTensorType>(start.getType()));

    b.setInsertionPointAfter(op);
    Value target = tensor::EmptyOp::create(b, loc, type.getShape(), type.getElementType());
    SmallVector<AffineMap> copyMaps{AffineMap::get(type.getRank(), 0, read, context),
                                    b.getMultiDimIdentityMap(type.getRank())};
    SmallVector<utils::IteratorType> kinds(type.getRank(), utils::IteratorType::parallel);
    auto copy = linalg::GenericOp::create(
        b, loc, type, op.getResult(0), target, copyMaps, kinds,
        [](OpBuilder &inner, Location at, ValueRange arguments) { linalg::YieldOp::create(inner, at, arguments[0]); });
    op.getResult(0).replaceAllUsesExcept(copy.getResult(0), copy);
  }
};
} // namespace
} // namespace nacre
