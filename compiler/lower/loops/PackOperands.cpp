// A sum of products reads one operand along the lanes. Where that operand is a weight, or is large or badly laid out
// and serves many rows, it is first copied into panels of `width` columns:
//   B[n, k]  =>  P[n floordiv width, k, n mod width]
// so that a tile reads one stream of whole vectors. Both ops stay ordinary linalg; the copy of a weight depends on
// weights alone and is later moved to load time. Columns beyond the last are computed with but never stored, so what
// they hold does not matter.
#include "Access.h"
#include "Passes.h"
#include "Tile.h"
#include "Winograd.h"
#include "dialect/Remarks.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace nacre {
#define GEN_PASS_DEF_PACKOPERANDS
#include "lower/loops/Passes.h.inc"

using namespace loops;

// Packing at run time touches every element of the operand once: this many rows of the product pay for it.
static constexpr int64_t rowsThatPay = 48;

bool isWeightOnly(Value value) {
  SmallVector<Value> left = {value};
  llvm::SmallDenseSet<Value> seen;
  while (!left.empty()) {
    Value next = left.pop_back_val();
    if (!seen.insert(next).second)
      continue;
    if (auto argument = dyn_cast<BlockArgument>(next)) {
      auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
      if (!function || function->hasAttr("nacre.training") ||
          !(function.getArgAttr(argument.getArgNumber(), "nacre.weight") ||
            function.getArgAttr(argument.getArgNumber(), "nacre.prepared")))
        return false;
      continue;
    }
    Operation *op = next.getDefiningOp();
    if (!isPure(op))
      return false;
    llvm::append_range(left, op->getOperands());
  }
  return true;
}

namespace {
struct PackOperandsPass : impl::PackOperandsBase<PackOperandsPass> {
  using PackOperandsBase::PackOperandsBase;

  void runOnOperation() override {
    for (linalg::GenericOp op : singleReductions(getOperation()))
      visit(op);
  }

  void visit(linalg::GenericOp op) {
    if (op->hasAttr(winogradAttribute)) // its filter has been
      return;
    Kernel kernel = makeKernel(op);
    if (!combinersOf(op) || !bodyVectorises(op))
      return;
    AffineMap produced = kernel.root().maps.back();
    if (produced.getNumResults() == 0)
      return;
    auto column = dyn_cast<AffineDimExpr>(produced.getResults().back());
    if (!column)
      return;
    unsigned lane = column.getPosition();
    for (AffineExpr expr : produced.getResults().drop_back())
      if (expr.isFunctionOfDim(lane))
        return;
    OpOperand *packed = nullptr;
    bool shares = false; // some other operand is the same in all lanes: a product, not a sum over one tensor
    for (OpOperand *operand : op.getDpsInputOperands()) {
      if (!isa<RankedTensorType>(operand->get().getType()) || !op.payloadUsesValueFromOperand(operand))
        continue; // an operand that only says how long a loop is
      AffineMap map = kernel.root().maps[operand->getOperandNumber()];
      if (!dependsOn(map, lane))
        shares = true;
      else if (packed)
        return;
      else
        packed = operand;
    }
    if (!packed || !shares)
      return;
    AffineMap map = op.getMatchingIndexingMap(packed);
    auto type = cast<RankedTensorType>(packed->get().getType());
    if (!isReadInOrder(map, kernel) || !dependsOnReductions(map, kernel) || !type.getElementType().isIntOrFloat())
      return;

    int64_t width = 32;
    for (Value operand : op->getOperands())
      if (Type element = getElementTypeOrSelf(operand.getType()); element.isIntOrFloat())
        width = std::max<int64_t>(width, element.getIntOrFloatBitWidth());
    int64_t lanes = vectorBits / width;
    int row = chooseRow(kernel, lane, fullRows(vectorBits));
    int64_t panel = lanes * vectorsSideBySide(kernel, lane, row, lanes, vectorBits);
    if (!isWeightOnly(packed->get()) && !paysAtRunTime(kernel, packed->get(), map, lane, row, panel))
      return;
    note(op, RemarkKind::Done, [&] {
      std::string text = "packs an operand into panels of " + std::to_string(panel) + " columns, ";
      return text + (isWeightOnly(packed->get()) ? "once, when weights are loaded" : "in every call");
    });
    pack(op, packed, map, kernel, lane, panel);
  }

  /// One axis per dim; parallel dims as they are, reduced ones perhaps backwards or in steps, as a filter is read by
  /// the gradient of its image.
  static bool isReadInOrder(AffineMap map, const Kernel &kernel) {
    llvm::SmallDenseSet<unsigned> seen;
    for (AffineExpr expr : map.getResults()) {
      int dim = dimOf(expr, kernel);
      bool plain = isa<AffineDimExpr>(expr);
      if (dim < 0 || !seen.insert(dim).second)
        return false;
      if (!plain && (!kernel.reduction[dim] || ShapedType::isDynamic(kernel.extents[dim]) || !coefficientOf(expr, dim)))
        return false;
    }
    return true;
  }

  /// The only dim of an expression, or -1.
  static int dimOf(AffineExpr expr, const Kernel &kernel) {
    int dim = -1;
    for (unsigned d = 0; d < kernel.rank(); ++d)
      if (expr.isFunctionOfDim(d)) {
        if (dim >= 0)
          return -1;
        dim = d;
      }
    return dim;
  }

  static bool dependsOnReductions(AffineMap map, const Kernel &kernel) {
    for (unsigned d = 0; d < kernel.rank(); ++d)
      if (kernel.reduction[d] && kernel.extents[d] != 1 && dependsOn(map, d))
        return true;
    return false;
  }

  /// Whether the last axis is one of neighbours in memory. A part `w[:, :, 1, 1]` of a filter is not: its axes are
  /// those of the filter, with the strides of the filter.
  static bool isDenseAlongLast(Value value) {
    auto slice = value.getDefiningOp<tensor::ExtractSliceOp>();
    if (!slice)
      return true;
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    for (int64_t axis = slice.getSourceType().getRank() - 1; axis >= 0; --axis) {
      if (!dropped[axis])
        return slice.getStaticStrides()[axis] == 1 && isDenseAlongLast(slice.getSource());
      if (slice.getSourceType().getDimSize(axis) != 1)
        return false;
    }
    return true;
  }

  static bool paysAtRunTime(const Kernel &kernel, Value operand, AffineMap map, unsigned lane, int row, int64_t panel) {
    if (row < 0)
      return false;
    int64_t rows = 1; // how often an element is used: all parallel dims that the operand does not depend on
    for (unsigned d = 0; d < kernel.rank(); ++d)
      if (!kernel.reduction[d] && !dependsOn(map, d))
        rows *= ShapedType::isDynamic(kernel.extents[d]) ? 16 : kernel.extents[d];
    auto last = dyn_cast<AffineDimExpr>(map.getResults().back());
    bool contiguous = last && last.getPosition() == lane && isDenseAlongLast(operand);
    int64_t columns = kernel.extents[lane];
    if (contiguous) // already a stream where one panel is all there is
      return rows >= rowsThatPay && !ShapedType::isDynamic(columns) && columns > 2 * panel;
    return rows >= 8;
  }

  static void pack(linalg::GenericOp op, OpOperand *operand, AffineMap map, const Kernel &kernel, unsigned lane,
                   int64_t panel) {
    OpBuilder b(op);
    Location loc = op.getLoc();
    auto type = cast<RankedTensorType>(operand->get().getType());

    // Dims of the panels: what is neither column nor reduction, the panel, the reductions in their order, the column.
    llvm::SmallDenseMap<unsigned, unsigned> axis; // loop dim -> axis of the operand
    for (auto [a, expr] : llvm::enumerate(map.getResults()))
      axis[dimOf(expr, kernel)] = a;
    SmallVector<unsigned> order;
    for (AffineExpr expr : map.getResults())
      if (unsigned d = dimOf(expr, kernel); d != lane && !kernel.reduction[d])
        order.push_back(d);
    unsigned batches = order.size();
    for (unsigned d = 0; d < kernel.rank(); ++d)
      if (kernel.reduction[d] && dependsOn(map, d))
        order.push_back(d);

    // The loops of the copy stand in the order of the operand's axes.
    AffineExpr n = b.getAffineDimExpr(lane), m = b.getAffineDimExpr(axis[lane]);
    SmallVector<AffineExpr> read, written; // over the loops of `op`; over those of the copy
    SmallVector<OpFoldResult> shape;
    auto add = [&](AffineExpr inOp, AffineExpr inPack, OpFoldResult size) {
      read.push_back(inOp);
      written.push_back(inPack);
      shape.push_back(size);
    };
    // An extent is that of the result where it has one: its place was made from the dimensions of the function.
    Value place = op.getDpsInits()[0];
    if (auto fill = place.getDefiningOp<linalg::FillOp>())
      place = fill.getOutputs()[0];
    AffineMap produced = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    auto sizeOf = [&](unsigned d) -> OpFoldResult {
      auto empty = place.getDefiningOp<tensor::EmptyOp>();
      if (auto axisOfResult = produced.getResultPosition(b.getAffineDimExpr(d)); empty && axisOfResult)
        return empty.getMixedSizes()[*axisOfResult];
      if (isa<AffineDimExpr>(map.getResult(axis[d])))
        return tensor::getMixedSize(b, loc, operand->get(), axis[d]);
      return b.getIndexAttr(kernel.extents[d]);
    };
    for (unsigned i = 0; i <= order.size(); ++i) {
      if (i == batches) {
        OpFoldResult panels =
            affine::makeComposedFoldedAffineApply(b, loc, b.getAffineDimExpr(0).ceilDiv(panel), {sizeOf(lane)});
        add(n.floorDiv(panel), m.floorDiv(panel), panels);
      }
      if (i < order.size())
        add(b.getAffineDimExpr(order[i]), b.getAffineDimExpr(axis[order[i]]), sizeOf(order[i]));
    }
    add(n % panel, m % panel, b.getIndexAttr(panel));

    // What the copy reads; where that does not say how long a loop is, an empty operand does.
    unsigned rank = type.getRank();
    SmallVector<AffineExpr> source, unsaid;
    SmallVector<int64_t> lengths;
    SmallVector<AffineExpr> toCopy(kernel.rank(), b.getAffineConstantExpr(0));
    for (auto [d, a] : axis)
      toCopy[d] = b.getAffineDimExpr(a);
    for (auto [a, expr] : llvm::enumerate(map.getResults())) {
      source.push_back(expr.replaceDims(toCopy));
      if (!isa<AffineDimExpr>(expr)) {
        unsaid.push_back(b.getAffineDimExpr(a));
        lengths.push_back(kernel.extents[dimOf(expr, kernel)]);
      }
    }
    SmallVector<Value> inputs{operand->get()};
    SmallVector<AffineMap> maps{AffineMap::get(rank, 0, source, b.getContext())};
    if (!unsaid.empty()) {
      inputs.push_back(tensor::EmptyOp::create(b, loc, lengths, b.getI8Type()));
      maps.push_back(AffineMap::get(rank, 0, unsaid, b.getContext()));
    }
    maps.push_back(AffineMap::get(rank, 0, written, b.getContext()));

    Value panels = tensor::EmptyOp::create(b, loc, shape, type.getElementType());
    SmallVector<utils::IteratorType> kinds(rank, utils::IteratorType::parallel);
    auto copy = linalg::GenericOp::create(
        b, loc, panels.getType(), inputs, panels, maps, kinds,
        [](OpBuilder &inner, Location at, ValueRange arguments) { linalg::YieldOp::create(inner, at, arguments[0]); });
    SmallVector<AffineMap> opMaps = op.getIndexingMapsArray();
    opMaps[operand->getOperandNumber()] = AffineMap::get(kernel.rank(), 0, read, b.getContext());
    op.setIndexingMapsAttr(b.getAffineMapArrayAttr(opMaps));
    operand->set(copy.getResult(0));
  }
};
} // namespace
} // namespace nacre
