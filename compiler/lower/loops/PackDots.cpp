// Sums of products of bf16, or of bytes, are laid out for the instructions that take such factors in groups:
//   y[m, n] = sum[k](a[m, k] * b[k, n])   =>   B[n floordiv 16, k floordiv 2, n mod 16, k mod 2]
// with `a` contiguous along k, and both padded with zeros to whole instructions along k. All of it stays ordinary
// linalg; what is done to weights moves to load time. Numbers that a training step rounds to bf16 and keeps as f32 are
// stored as bf16 for it.
#include "Access.h"
#include "Dot.h"
#include "Passes.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace nacre {
#define GEN_PASS_DEF_PACKDOTS
#include "lower/loops/Passes.h.inc"

using namespace loops;

// Copies touch every element of an operand once: so many uses of each pay for them.
static constexpr int64_t usesThatPay = 24;

/// bf16 numbers that an op keeps as f32: what it yields is their extension.
static arith::ExtFOp extensionOf(Value tensor) {
  auto producer = tensor.getDefiningOp<linalg::GenericOp>();
  if (!producer || producer->getNumResults() != 1 || producer.getNumReductionLoops())
    return {};
  auto wide = producer.getBody()->getTerminator()->getOperand(0).getDefiningOp<arith::ExtFOp>();
  return wide && wide.getIn().getType().isBF16() && wide.getType().isF32() ? wide : arith::ExtFOp();
}

namespace {
struct PackDotsPass : impl::PackDotsBase<PackDotsPass> {
  using PackDotsBase::PackDotsBase;

  void runOnOperation() override {
    forms = dotFormsOf(dots);
    if (forms.empty())
      return;
    for (linalg::GenericOp op : singleReductions(getOperation()))
      visit(op);
  }

  struct Plan {
    const DotForm *form = nullptr;
    OpOperand *left = nullptr, *right = nullptr;
    unsigned lane = 0, deep = 0;
    int64_t padded = 0;  // elements along `deep`
    bool turned = false; // the left factor is copied with `deep` last
  };

  void visit(linalg::GenericOp op) {
    auto narrow = [](OpOperand *operand) { return bool(extensionOf(operand->get())); };
    std::optional<DotBody> body = dotBodyOf(op, narrow);
    if (!body)
      return;
    Kernel kernel = makeKernel(op);
    AffineMap produced = kernel.root().maps.back();
    if (produced.getNumResults() == 0)
      return;
    auto column = dyn_cast<AffineDimExpr>(produced.getResults().back());
    if (!column)
      return;
    for (AffineExpr expr : produced.getResults().drop_back())
      if (expr.isFunctionOfDim(column.getPosition()))
        return;
    for (const DotForm *form : forms)
      for (bool swapped : {false, true}) {
        Plan plan{form, swapped ? body->second : body->first, swapped ? body->first : body->second,
                  column.getPosition()};
        Factor left = swapped ? body->secondKind : body->firstKind,
               right = swapped ? body->firstKind : body->secondKind;
        if (left == form->left && right == form->right && complete(op, kernel, plan))
          return pack(op, kernel, plan);
      }
  }

  static bool isLong(int64_t extent, int64_t least) { return ShapedType::isDynamic(extent) || extent >= least; }

  /// Finds the dim of the groups, and whether all of it pays.
  static bool complete(linalg::GenericOp op, const Kernel &kernel, Plan &plan) {
    AffineMap left = op.getMatchingIndexingMap(plan.left), right = op.getMatchingIndexingMap(plan.right);
    if (!right.isProjectedPermutation() || dependsOn(left, plan.lane) || !dependsOn(right, plan.lane) ||
        ShapedType::isDynamic(kernel.extents[plan.lane]) || left.getNumResults() == 0)
      return false;
    auto fits = [&](unsigned d) {
      return kernel.reduction[d] && dependsOn(right, d) && !ShapedType::isDynamic(kernel.extents[d]) &&
             kernel.extents[d] >= plan.form->depth() / 2 && kernel.extents[d] >= plan.form->group;
    };
    auto last = dyn_cast<AffineDimExpr>(left.getResults().back());
    bool inPlace = last && fits(last.getPosition()) && isDenseAlongLast(plan.left->get());
    for (AffineExpr expr : left.getResults().drop_back())
      inPlace &= !last || !expr.isFunctionOfDim(last.getPosition());
    if (inPlace) {
      plan.deep = last.getPosition();
    } else {
      int64_t longest = 0;
      for (unsigned d = 0; d < kernel.rank(); ++d)
        if (fits(d) && dependsOn(left, d) && kernel.extents[d] > longest) {
          longest = kernel.extents[d];
          plan.deep = d;
        }
      plan.turned = true;
      if (!longest || !left.isProjectedPermutation())
        return false;
    }
    int64_t depth = plan.form->depth(), extent = kernel.extents[plan.deep];
    plan.padded = llvm::alignTo(extent, depth);

    // How often an element of each factor is used.
    int64_t leftUses = 1, rightUses = 1;
    for (unsigned d = 0; d < kernel.rank(); ++d) {
      int64_t size = ShapedType::isDynamic(kernel.extents[d]) ? 32 : kernel.extents[d];
      if (!kernel.reduction[d] && !dependsOn(left, d))
        leftUses *= size;
      if (!kernel.reduction[d] && !dependsOn(right, d))
        rightUses *= size;
    }
    bool copiesLeft = plan.turned || plan.padded != extent;
    if (copiesLeft && !isWeightOnly(plan.left->get()) && leftUses < usesThatPay)
      return false;
    if (!isWeightOnly(plan.right->get()) && rightUses < (plan.form->tiles ? usesThatPay : 2 * usesThatPay))
      return false;
    return isLong(kernel.extents[plan.lane], plan.form->tiles ? 8 : dotLanes);
  }

  /// Whether the last axis is one of neighbours in memory.
  static bool isDenseAlongLast(Value value) {
    auto slice = value.getDefiningOp<tensor::ExtractSliceOp>();
    if (!slice)
      return true;
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    int64_t last = slice.getSourceType().getRank() - 1;
    return !dropped[last] && slice.getStaticStrides()[last] == 1 && isDenseAlongLast(slice.getSource());
  }

  // ---- the rewriting ------------------------------------------------------------------------------------------------

  /// The numbers themselves, where an op keeps them as f32.
  static void narrow(linalg::GenericOp op, OpOperand *operand) {
    arith::ExtFOp wide = extensionOf(operand->get());
    if (!wide)
      return;
    auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
    OpBuilder b(producer);
    Value halves;
    auto argument = dyn_cast<BlockArgument>(wide.getIn());
    OpOperand *source = argument ? producer.getMatchingOpOperand(argument) : nullptr;
    if (source && producer.isDpsInput(source) && producer.getMatchingIndexingMap(source).isIdentity() &&
        producer.getIndexingMapMatchingResult(producer->getResult(0)).isIdentity()) {
      halves = source->get();
    } else {
      halves = halvesOf(b, producer, wide);
    }
    b.setInsertionPoint(op);
    operand->set(halves);
    Block *body = op.getBody();
    BlockArgument element = body->getArgument(operand->getOperandNumber());
    b.setInsertionPointToStart(body);
    element.setType(b.getBF16Type());
    auto again = arith::ExtFOp::create(b, op.getLoc(), b.getF32Type(), element);
    element.replaceAllUsesExcept(again, again);
  }

  /// The producer yields bf16; its other readers, who want f32, get an extension of that.
  static Value halvesOf(OpBuilder &b, linalg::GenericOp producer, arith::ExtFOp wide) {
    Location loc = producer.getLoc();
    Value place = producer.getDpsInits()[0];
    auto type = cast<RankedTensorType>(place.getType());
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, place);
    Value halfPlace = tensor::EmptyOp::create(b, loc, sizes, b.getBF16Type());
    auto copy = linalg::GenericOp::create(b, loc, halfPlace.getType(), producer.getDpsInputs(), halfPlace,
                                          producer.getIndexingMapsArray(), producer.getIteratorTypesArray());
    Block *body = b.createBlock(&copy.getRegion());
    IRMapping mapping;
    for (BlockArgument argument : producer.getBody()->getArguments()) {
      bool result = argument == producer.getBody()->getArguments().back();
      mapping.map(argument, body->addArgument(result ? b.getBF16Type() : argument.getType(), loc));
    }
    for (Operation &inner : producer.getBody()->without_terminator())
      if (&inner != wide)
        b.clone(inner, mapping);
    linalg::YieldOp::create(b, loc, mapping.lookup(wide.getIn()));
    b.setInsertionPointAfter(copy);

    unsigned rank = type.getRank();
    SmallVector<AffineMap> maps(2, b.getMultiDimIdentityMap(rank));
    SmallVector<utils::IteratorType> kinds(rank, utils::IteratorType::parallel);
    Value empty = tensor::EmptyOp::create(b, loc, sizes, b.getF32Type());
    auto extended = linalg::GenericOp::create(
        b, loc, type, copy.getResult(0), empty, maps, kinds, [](OpBuilder &inner, Location at, ValueRange arguments) {
          Value f32 = arith::ExtFOp::create(inner, at, inner.getF32Type(), arguments[0]);
          linalg::YieldOp::create(inner, at, f32);
        });
    producer.getResult(0).replaceAllUsesWith(extended.getResult(0));
    producer.erase();
    return copy.getResult(0);
  }

  /// A copy with zeros behind the last element of one axis.
  static Value padded(OpBuilder &b, Location loc, Value tensor, int64_t axis, int64_t size) {
    auto type = cast<RankedTensorType>(tensor.getType());
    if (type.getDimSize(axis) == size)
      return tensor;
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, tensor), whole = sizes;
    whole[axis] = b.getIndexAttr(size);
    Value empty = tensor::EmptyOp::create(b, loc, whole, type.getElementType());
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type.getElementType()));
    Value filled = linalg::FillOp::create(b, loc, zero, empty).getResult(0);
    SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0)), strides(type.getRank(), b.getIndexAttr(1));
    return tensor::InsertSliceOp::create(b, loc, tensor, filled, offsets, sizes, strides);
  }

  /// The tensor over the given loops, in their order; `map` reads each of them as a whole axis.
  static Value arranged(OpBuilder &b, Location loc, Value tensor, AffineMap map, ArrayRef<AffineExpr> order,
                        ArrayRef<OpFoldResult> shape) {
    auto type = cast<RankedTensorType>(tensor.getType());
    SmallVector<AffineExpr> toAxes(map.getNumDims(), b.getAffineConstantExpr(0)), written;
    for (auto [axis, expr] : llvm::enumerate(map.getResults()))
      toAxes[cast<AffineDimExpr>(expr).getPosition()] = b.getAffineDimExpr(axis);
    for (AffineExpr expr : order)
      written.push_back(expr.replaceDims(toAxes));
    Value empty = tensor::EmptyOp::create(b, loc, shape, type.getElementType());
    SmallVector<AffineMap> maps{b.getMultiDimIdentityMap(type.getRank()),
                                AffineMap::get(type.getRank(), 0, written, b.getContext())};
    SmallVector<utils::IteratorType> kinds(type.getRank(), utils::IteratorType::parallel);
    auto copy = linalg::GenericOp::create(
        b, loc, empty.getType(), tensor, empty, maps, kinds,
        [](OpBuilder &inner, Location at, ValueRange arguments) { linalg::YieldOp::create(inner, at, arguments[0]); });
    return copy.getResult(0);
  }

  static void pack(linalg::GenericOp op, const Kernel &kernel, const Plan &plan) {
    unsigned leftNumber = plan.left->getOperandNumber(), rightNumber = plan.right->getOperandNumber();
    narrow(op, plan.left);
    narrow(op, plan.right);
    OpBuilder b(op);
    Location loc = op.getLoc();
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    auto dim = [&](unsigned d) { return b.getAffineDimExpr(d); };

    auto sizeIn = [&](Value tensor, AffineMap map, unsigned d) -> OpFoldResult {
      if (d == plan.deep)
        return b.getIndexAttr(plan.padded);
      return tensor::getMixedSize(b, loc, tensor, *map.getResultPosition(dim(d)));
    };

    // The left factor: parallel dims, other reduced ones, the deep one.
    AffineMap map = maps[leftNumber];
    Value left = plan.left->get();
    if (plan.turned) {
      SmallVector<AffineExpr> order;
      SmallVector<OpFoldResult> shape;
      for (bool reduced : {false, true})
        for (unsigned d = 0; d < kernel.rank(); ++d)
          if (d != plan.deep && kernel.reduction[d] == reduced && map.getResultPosition(dim(d))) {
            order.push_back(dim(d));
            shape.push_back(sizeIn(left, map, d));
          }
      order.push_back(dim(plan.deep));
      shape.push_back(b.getIndexAttr(kernel.extents[plan.deep]));
      left = arranged(b, loc, left, map, order, shape);
      map = AffineMap::get(kernel.rank(), 0, order, b.getContext());
    }
    maps[leftNumber] = map;
    left = padded(b, loc, left, map.getNumResults() - 1, plan.padded);

    // The right factor: what is neither column nor reduced, the panel, the other reduced dims, groups, column, factor.
    map = maps[rightNumber];
    Value right = padded(b, loc, plan.right->get(), *map.getResultPosition(dim(plan.deep)), plan.padded);
    SmallVector<AffineExpr> order;
    SmallVector<OpFoldResult> shape;
    auto add = [&](AffineExpr expr, OpFoldResult size) {
      order.push_back(expr);
      shape.push_back(size);
    };
    for (AffineExpr expr : map.getResults())
      if (unsigned d = cast<AffineDimExpr>(expr).getPosition(); d != plan.lane && !kernel.reduction[d])
        add(expr, sizeIn(right, map, d));
    add(dim(plan.lane).floorDiv(dotLanes), b.getIndexAttr(llvm::divideCeil(kernel.extents[plan.lane], dotLanes)));
    for (unsigned d = 0; d < kernel.rank(); ++d)
      if (kernel.reduction[d] && d != plan.deep && map.getResultPosition(dim(d)))
        add(dim(d), sizeIn(right, map, d));
    int64_t group = plan.form->group;
    add(dim(plan.deep).floorDiv(group), b.getIndexAttr(plan.padded / group));
    add(dim(plan.lane) % dotLanes, b.getIndexAttr(dotLanes));
    add(dim(plan.deep) % group, b.getIndexAttr(group));
    maps[rightNumber] = AffineMap::get(kernel.rank(), 0, order, b.getContext());
    right = arranged(b, loc, right, map, order, shape);

    op.setIndexingMapsAttr(b.getAffineMapArrayAttr(maps));
    op->setOperand(leftNumber, left);
    op->setOperand(rightNumber, right);
  }

  SmallVector<const DotForm *> forms;
};
} // namespace
} // namespace nacre
