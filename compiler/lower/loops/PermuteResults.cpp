// A sum of products whose result ends in an axis that makes bad lanes is computed with another axis last, and put into
// the order that was asked for afterwards. The gradient of a filter is such a sum:
//   dw[f, g, u, v] = sum[m, i, j](dy[m, i, j, f] * x[m, i + u, j + v, g])
// Three columns v, each a gather from x, become the lanes of a contiguous f:  t[g, u, v, f] = sum[m, i, j](...).
// And so is a product with a large matrix that changes with every call and would have to be transposed first:
//   y[m, n] = sum[k](x[m, k] * w[n, k])   =>   t[n, m] = sum[k](...), whose lanes m run through a packed x.
// The other axes keep their order, so that a copy of t, or an update of the weight that reads it, sees two axes.
#include "Access.h"
#include "Passes.h"
#include "Tile.h"
#include "dialect/Remarks.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <limits>

using namespace mlir;

namespace nacre {
#define GEN_PASS_DEF_PERMUTERESULTS
#include "lower/loops/Passes.h.inc"

using namespace loops;

static constexpr int64_t pointsThatPay = 1 << 14; // below, everything is cheap
static constexpr int64_t cachedBytes = 1 << 20;   // what is packed beyond that goes through memory
// Cycles per element that is transposed in registers; through memory, it is written and read again.
static constexpr double transposing = 0.4, throughMemory = 3;

namespace {
struct PermuteResultsPass : impl::PermuteResultsBase<PermuteResultsPass> {
  using PermuteResultsBase::PermuteResultsBase;

  void runOnOperation() override {
    for (linalg::GenericOp op : singleReductions(getOperation()))
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
    auto place = fill ? fill.getOutputs()[0].getDefiningOp<tensor::EmptyOp>() : tensor::EmptyOp();
    if (points < pointsThatPay || !place)
      return;

    unsigned last = produced.getNumResults() - 1, axis = last;
    Cost now = *cost(op, kernel, produced.getDimPosition(last), /*mayGather=*/true);
    double back = transposing * elementsOf(type), best = std::numeric_limits<double>::infinity();
    double perPoint = now.lanes + now.packing / double(points);
    for (unsigned a = 0; a < last; ++a) {
      std::optional<Cost> other = cost(op, kernel, produced.getDimPosition(a), /*mayGather=*/false);
      if (!other)
        continue;
      double total = other->lanes + (other->packing + back) / double(points);
      bool better =
          (other->lanes < now.lanes / 2 && type.hasStaticShape()) || (now.packing > 0 && total < 0.8 * perPoint);
      if (better && total < best) {
        best = total;
        axis = a;
      }
    }
    if (axis == last)
      return;
    note(op, RemarkKind::Done, [&] {
      return "is computed with axis " + std::to_string(axis) +
             " of its result last, whose lanes are neighbours, and copied into order";
    });
    permute(op, fill, place.getMixedSizes(), axis);
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

  static double elementsOf(RankedTensorType type) {
    double elements = 1;
    for (int64_t extent : type.getShape())
      elements *= ShapedType::isDynamic(extent) ? 16 : double(extent);
    return elements;
  }

  struct Cost {
    double lanes;   // cycles per point
    double packing; // cycles in all, for operands that change from call to call
  };

  /// With the lanes along `dim`; nothing where some operand would be gathered and that is not wanted.
  std::optional<Cost> cost(linalg::GenericOp op, const Kernel &kernel, unsigned dim, bool mayGather) const {
    int64_t width = 32;
    for (Value operand : op->getOperands())
      if (Type element = getElementTypeOrSelf(operand.getType()); element.isIntOrFloat())
        width = std::max<int64_t>(width, element.getIntOrFloatBitWidth());
    int64_t lanes = vectorBits / width, extent = kernel.extents[dim];
    double cycles = 1.0 / lanes, packing = 0;
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
      if (access != Access::Contiguous && inOrder && !isWeightOnly(operand->get())) {
        double elements = elementsOf(type);
        packing +=
            elements * (elements * type.getElementTypeBitWidth() / 8 > cachedBytes ? throughMemory : transposing);
      }
    }
    if (!ShapedType::isDynamic(extent))
      cycles *= double(llvm::alignTo(extent, lanes)) / extent;
    return Cost{cycles, packing};
  }

  static void permute(linalg::GenericOp op, linalg::FillOp fill, ArrayRef<OpFoldResult> sizes, unsigned axis) {
    OpBuilder b(op);
    Location loc = op.getLoc();
    MLIRContext *context = op.getContext();
    auto type = cast<RankedTensorType>(op.getResult(0).getType());
    unsigned number = op.getDpsInitOperand(0)->getOperandNumber();
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();

    SmallVector<AffineExpr> written, read; // over the loops of `op`; over the axes of the result
    SmallVector<OpFoldResult> shape;
    auto add = [&](unsigned a) {
      written.push_back(maps[number].getResult(a));
      read.push_back(b.getAffineDimExpr(a));
      shape.push_back(sizes[a]);
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
    Value target = tensor::EmptyOp::create(b, loc, sizes, type.getElementType());
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
