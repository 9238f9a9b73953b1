// A scatter becomes loops over its box that take the tensor along, so that it is updated where it lies.
//
//   dw[ids[b], k] += dy[b, k]     for b: if ids[b] is in range: row = dw[ids[b], :]; row += dy[b, :]
//
// Indices that stand bare in one subscript each (k) never make two points meet: in optimised code they are one linalg
// op inside the loops over the others. What meets in one element still comes in the order of the other indices.
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "ops/Extents.h"
#include "ops/Ops.h"
#include "ops/Scalar.h"

using namespace mlir;
using namespace nacre;

namespace {

class ScatterToLoops {
public:
  ScatterToLoops(ScatterOp scatter, LinalgLowering &lowering)
      : scatter(scatter), lowering(lowering), builder(lowering.builder), location(scatter.getLoc()),
        yield(cast<ScatterYieldOp>(scatter.getBody().front().getTerminator())), axisOf(scatter.loopCount(), -1),
        offsetOf(scatter.loopCount(), 0), indices(scatter.loopCount()) {
    for (Value size : scatter.getSizes())
      sizes.push_back(lowering(size));
  }

  void run() {
    if (lowering.reassociate)
      chooseWholeAxes();
    for (unsigned index = 0; index < scatter.loopCount(); ++index)
      if (axisOf[index] < 0)
        outer.push_back(index);
    Value result = loops(0, ownTensor(builder, location, lowering(scatter.getInit())));
    lowering.values.map(scatter.getResult(), result);
  }

private:
  // ---- which indices are one op -------------------------------------------------------------------------------------
  bool dependsOn(AffineMap map, unsigned index) {
    return llvm::any_of(map.getResults(), [&](AffineExpr e) { return e.isFunctionOfDim(index); });
  }

  AffineMap readMap(unsigned number) { return cast<AffineMapAttr>(scatter.getMaps()[number]).getValue(); }

  /// Whether a value of the body changes with an index.
  bool variesWith(Value value, unsigned index) {
    if (auto argument = dyn_cast<BlockArgument>(value))
      return argument.getOwner() == &scatter.getBody().front() && dependsOn(readMap(argument.getArgNumber()), index);
    Operation *op = value.getDefiningOp();
    if (op->getBlock() != &scatter.getBody().front())
      return false;
    if (auto place = dyn_cast<IndexOp>(op))
      return dependsOn(place.getExpression(), index);
    return llvm::any_of(op->getOperands(), [&](Value operand) { return variesWith(operand, index); });
  }

  /// Index j stands as `j + c` in one subscript and in no other, and its whole range lies inside that axis.
  void chooseWholeAxes() {
    std::optional<Extents> shape = extentsOf(scatter.getInit());
    if (!shape)
      return;
    for (unsigned index = 0; index < scatter.loopCount(); ++index) {
      int axis = -1;
      bool fits = true;
      int64_t offset = 0;
      for (auto [number, subscript] : llvm::enumerate(yield.getSubscripts())) {
        if (!variesWith(subscript, index))
          continue;
        auto place = subscript.getDefiningOp<IndexOp>();
        std::optional<int64_t> constant = place ? offsetFrom(place.getExpression().getResult(0), index) : std::nullopt;
        fits &= axis < 0 && constant && inside(*shape, number, index, *constant) &&
                !llvm::is_contained(axisOf, static_cast<int>(number));
        axis = number;
        offset = constant.value_or(0);
      }
      if (fits && axis >= 0) {
        axisOf[index] = axis;
        offsetOf[index] = offset;
      }
    }
  }

  /// c, if the expression is `index + c`.
  std::optional<int64_t> offsetFrom(AffineExpr expression, unsigned index) {
    AffineExpr rest = simplifyAffineExpr(expression - builder.getAffineDimExpr(index), scatter.loopCount(),
                                         scatter.getSizes().size());
    auto constant = dyn_cast<AffineConstantExpr>(rest);
    return constant ? std::optional(constant.getValue()) : std::nullopt;
  }

  bool inside(const Extents &shape, unsigned axis, unsigned index, int64_t offset) {
    AffineExpr extent = scatter.getExtents().getResult(index), room = shape.map.getResult(axis);
    auto count = dyn_cast<AffineConstantExpr>(extent), most = dyn_cast<AffineConstantExpr>(room);
    if (count && most)
      return offset >= 0 && offset + count.getValue() <= most.getValue();
    return offset == 0 && sameExtent(room, shape.symbols, extent, scatter.getSizes());
  }

  // ---- loops
  // ----------------------------------------------------------------------------------------------------------
  Value evaluate(AffineExpr expression) {
    return affine::expandAffineExpr(builder, location, expression, indices, sizes);
  }

  /// The loops over `outer[depth...]`, then what happens inside; the tensor after it.
  Value loops(size_t depth, Value tensor) {
    if (depth == outer.size())
      return addInside(tensor);
    Value zero = arith::ConstantIndexOp::create(builder, location, 0);
    Value one = arith::ConstantIndexOp::create(builder, location, 1);
    Value end = evaluate(scatter.getExtents().getResult(outer[depth]));
    auto loop = scf::ForOp::create(builder, location, zero, end, one, ValueRange{tensor});
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToEnd(loop.getBody());
    indices[outer[depth]] = loop.getInductionVar();
    Value next = loops(depth + 1, loop.getRegionIterArg(0));
    scf::YieldOp::create(builder, location, next);
    return loop.getResult(0);
  }

  bool isWhole(unsigned axis) { return llvm::is_contained(axisOf, static_cast<int>(axis)); }

  /// At one position of the outer indices: adds if the subscripts made of these are in range.
  Value addInside(Value tensor) {
    llvm::DenseSet<Value> wanted; // what the subscripts are made of; the whole body if there is nothing but points
    bool points = outer.size() == indices.size();
    for (auto [axis, subscript] : llvm::enumerate(yield.getSubscripts()))
      if (!isWhole(axis))
        collect(subscript, wanted);
    ScalarLowering scalar{builder,     location, lowering.values, sizes, scatter.loopCount(), lowering.reassociate,
                          allIndices()};
    // The value is computed after the check, as far as the subscripts do not need it.
    IRMapping scalars = nacre::lowerBody(
        scalar, scatter.getBody().front(), [&](ScalarLowering &, unsigned number) { return elementAt(number); },
        [&](Value value) { return wanted.contains(value); });
    SmallVector<Value> places;
    Value good;
    for (auto [axis, subscript] : llvm::enumerate(yield.getSubscripts())) {
      if (isWhole(axis)) {
        places.push_back({});
        continue;
      }
      Value place = arith::IndexCastOp::create(builder, location, builder.getIndexType(), scalars.lookup(subscript));
      Value extent = tensor::DimOp::create(builder, location, tensor, axis);
      // Unsigned: below zero is far beyond the end.
      Value inside = arith::CmpIOp::create(builder, location, arith::CmpIPredicate::ult, place, extent);
      good = good ? arith::AndIOp::create(builder, location, good, inside).getResult() : inside;
      places.push_back(place);
    }
    if (!good) // every subscript is in range by proof
      return points ? addPoint(tensor, places) : addBox(tensor, places);
    auto choice = scf::IfOp::create(builder, location, tensor.getType(), good, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToEnd(choice.thenBlock());
    Value added = points ? addPoint(tensor, places) : addBox(tensor, places);
    scf::YieldOp::create(builder, location, added);
    builder.setInsertionPointToEnd(choice.elseBlock());
    scf::YieldOp::create(builder, location, tensor);
    return choice.getResult(0);
  }

  void collect(Value value, llvm::DenseSet<Value> &wanted) {
    if (value.getParentBlock() != &scatter.getBody().front() || !wanted.insert(value).second)
      return;
    if (Operation *op = value.getDefiningOp())
      for (Value operand : op->getOperands())
        collect(operand, wanted);
  }

  /// Inner indices have no value; nothing that is lowered outside of them asks for one.
  ArrayRef<Value> allIndices() { return indices; }

  Value elementAt(unsigned number) {
    SmallVector<Value> subscripts;
    for (AffineExpr subscript : readMap(number).getResults())
      subscripts.push_back(evaluate(subscript));
    return tensor::ExtractOp::create(builder, location, lowering(scatter.getInputs()[number]), subscripts);
  }

  Value addPoint(Value tensor, ArrayRef<Value> places) {
    ScalarLowering scalar{builder,     location, lowering.values, sizes, scatter.loopCount(), lowering.reassociate,
                          allIndices()};
    llvm::DenseSet<Value> wanted;
    collect(yield.getValue(), wanted);
    IRMapping scalars = nacre::lowerBody(
        scalar, scatter.getBody().front(), [&](ScalarLowering &, unsigned number) { return elementAt(number); },
        [&](Value value) { return wanted.contains(value); });
    Value old = tensor::ExtractOp::create(builder, location, tensor, places);
    Value sum = add(builder, old, toStorage(scalars.lookup(yield.getValue())));
    return tensor::InsertOp::create(builder, location, sum, tensor, places);
  }

  Value toStorage(Value value) {
    Type type = elementStorage(scatter.getType().getElementType());
    return value.getType() == type ? value : arith::ExtUIOp::create(builder, location, type, value).getResult();
  }

  /// In the type of storage: halves meet in f32, bools by `or`.
  Value add(OpBuilder &at, Value old, Value value) {
    Type type = old.getType();
    if (scatter.getType().getElementType().isInteger(1))
      return arith::OrIOp::create(at, location, old, value);
    if (!isa<FloatType>(type))
      return arith::AddIOp::create(at, location, old, value);
    if (type.getIntOrFloatBitWidth() >= 32)
      return arith::AddFOp::create(at, location, old, value);
    Value sum = arith::AddFOp::create(at, location, arith::ExtFOp::create(at, location, at.getF32Type(), old),
                                      arith::ExtFOp::create(at, location, at.getF32Type(), value));
    return arith::TruncFOp::create(at, location, type, sum);
  }

  // ---- the whole axes at once
  // -----------------------------------------------------------------------------------------
  /// The value over the inner indices as an equation, whose sizes are those of the scatter and the outer indices.
  Value addBox(Value tensor, ArrayRef<Value> places) {
    auto type = cast<RankedTensorType>(tensor.getType());
    SmallVector<unsigned> inner(type.getRank(), 0);
    SmallVector<AffineExpr> dims(indices.size()), extents;
    SmallVector<Value> symbols(scatter.getSizes());
    SmallVector<int64_t> shape;
    SmallVector<OpFoldResult> offsets, lengths, strides(type.getRank(), builder.getIndexAttr(1));
    for (unsigned index : outer) {
      dims[index] = builder.getAffineSymbolExpr(symbols.size());
      symbols.push_back(indices[index]);
      lowering.values.map(indices[index], indices[index]);
    }
    for (unsigned axis = 0; axis < type.getRank(); ++axis) {
      auto found = llvm::find(axisOf, static_cast<int>(axis));
      if (found == axisOf.end()) {
        offsets.push_back(places[axis]);
        lengths.push_back(builder.getIndexAttr(1));
        continue;
      }
      unsigned index = found - axisOf.begin();
      AffineExpr extent = scatter.getExtents().getResult(index);
      dims[index] = builder.getAffineDimExpr(extents.size());
      extents.push_back(extent);
      auto constant = dyn_cast<AffineConstantExpr>(extent);
      shape.push_back(constant ? constant.getValue() : ShapedType::kDynamic);
      offsets.push_back(builder.getIndexAttr(offsetOf[index]));
      lengths.push_back(affine::makeComposedFoldedAffineApply(
          builder, location, AffineMap::get(0, sizes.size(), extent), getAsOpFoldResult(sizes)));
    }
    auto rewrite = [&](AffineMap map) {
      SmallVector<AffineExpr> same;
      for (unsigned symbol = 0; symbol < map.getNumSymbols(); ++symbol)
        same.push_back(builder.getAffineSymbolExpr(symbol));
      return map.replaceDimsAndSymbols(dims, same, extents.size(), symbols.size());
    };
    Value value = lowerEquation(shape, extents, symbols, rewrite);
    auto sliceType = cast<RankedTensorType>(value.getType());
    Value slice = tensor::ExtractSliceOp::create(builder, location, sliceType, tensor, offsets, lengths, strides);
    AffineMap identity = builder.getMultiDimIdentityMap(sliceType.getRank());
    SmallVector<utils::IteratorType> iterators(sliceType.getRank(), utils::IteratorType::parallel);
    Value sum = linalg::GenericOp::create(builder, location, TypeRange{sliceType}, ValueRange{value}, ValueRange{slice},
                                          ArrayRef<AffineMap>{identity, identity}, iterators,
                                          [&](OpBuilder &at, Location, ValueRange elements) {
                                            linalg::YieldOp::create(at, location, add(at, elements[1], elements[0]));
                                          })
                    .getResult(0);
    return tensor::InsertSliceOp::create(builder, location, sum, tensor, offsets, lengths, strides);
  }

  /// Builds the equation beside the scatter, lowers it here and takes it away again.
  Value lowerEquation(ArrayRef<int64_t> shape, ArrayRef<AffineExpr> extents, ValueRange symbols,
                      llvm::function_ref<AffineMap(AffineMap)> rewrite) {
    OpBuilder before(scatter);
    SmallVector<Attribute> maps;
    for (unsigned number = 0; number < scatter.getInputs().size(); ++number)
      maps.push_back(AffineMapAttr::get(rewrite(readMap(number))));
    auto type = RankedTensorType::get(shape, scatter.getType().getElementType());
    auto equation =
        EquationOp::create(before, location, type, scatter.getInputs(), symbols,
                           AffineMapAttr::get(AffineMap::get(0, symbols.size(), extents, builder.getContext())),
                           before.getArrayAttr(maps), ReductionKindAttr());
    IRMapping mapping;
    scatter.getBody().cloneInto(&equation.getBody(), mapping);
    equation.getBody().walk([&](IndexOp op) { op.setExpression(rewrite(op.getExpression())); });
    Operation *end = equation.getBody().front().getTerminator();
    OpBuilder atEnd(end);
    YieldOp::create(atEnd, location, mapping.lookup(yield.getValue()));
    end->erase();
    SmallVector<Operation *> all; // what only the subscripts need is not wanted here
    for (Operation &op : equation.getBody().front().without_terminator())
      all.push_back(&op);
    for (Operation *op : llvm::reverse(all))
      if (isOpTriviallyDead(op))
        op->erase();
    (void)equation.lowerToLinalg(lowering);
    Value value = lowering(equation.getResult());
    equation.erase();
    return value;
  }

  ScatterOp scatter;
  LinalgLowering &lowering;
  OpBuilder &builder;
  Location location;
  ScatterYieldOp yield;
  SmallVector<int> axisOf;       // per index: the axis that it runs through as a whole, or -1
  SmallVector<int64_t> offsetOf; // per such index: where it starts on that axis
  SmallVector<Value> indices;    // per index: its value inside the loops; null for whole axes
  SmallVector<Value> sizes;
  SmallVector<unsigned> outer;
};

} // namespace

LogicalResult ScatterOp::lowerToLinalg(LinalgLowering &lowering) {
  ScatterToLoops(*this, lowering).run();
  return success();
}

std::optional<Extents> ScatterOp::knownExtents(Value) { return extentsOf(getInit()); }
