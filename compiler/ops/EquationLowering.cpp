// An index equation becomes one linalg.generic (two results for argmax and argmin).
//
// linalg takes the range of a loop from the operands that carry it plainly and knows no symbols in its maps. So every
// read becomes a view whose plain axes have exactly the extents of the loops (a slice where they differ or where the
// subscript has an offset), a reduced index that no operand carries gets an operand that is a shape and nothing else,
// and a read that is no such view is computed in the body.
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "ops/Affine.h"
#include "ops/Extents.h"
#include "ops/Ops.h"
#include "ops/Reduce.h"
#include "ops/Scalar.h"

using namespace mlir;
using namespace nacre;

namespace {

/// A tensor read at `map`, over loops only; or nothing: the element is computed in the body.
struct View {
  Value tensor;
  AffineMap map;
};

class EquationToGeneric {
public:
  EquationToGeneric(EquationOp equation, LinalgLowering &lowering)
      : equation(equation), lowering(lowering), builder(lowering.builder), location(equation.getLoc()) {
    for (Value size : equation.getSizes())
      sizes.push_back(lowering(size));
  }

  void run() {
    for (AffineExpr extent : equation.getExtents().getResults())
      extents.push_back(evaluate(extent));
    readInputs();
    carryReducedIndices();
    Value result = build();
    lowering.values.map(equation.getResult(), result);
  }

private:
  /// An expression over sizes only, as a constant or a value of type index.
  OpFoldResult evaluate(AffineExpr expression) {
    AffineMap map = AffineMap::get(0, sizes.size(), expression);
    return affine::makeComposedFoldedAffineApply(builder, location, map, getAsOpFoldResult(sizes));
  }

  void readInputs() {
    for (auto [input, attribute] : llvm::zip(equation.getInputs(), equation.getMaps())) {
      AffineMap map = simplifyAffineMap(cast<AffineMapAttr>(attribute).getValue());
      std::optional<View> view = viewOf(input, map);
      places.push_back(view ? static_cast<int>(operands.size()) : -1);
      if (view) {
        operands.push_back(view->tensor);
        maps.push_back(view->map);
      }
    }
  }

  std::optional<View> viewOf(Value input, AffineMap map) {
    unsigned loops = equation.loopCount();
    auto type = cast<RankedTensorType>(lowering(input).getType());
    std::optional<Extents> known = extentsOf(input);
    SmallVector<OpFoldResult> offsets, lengths, strides;
    SmallVector<AffineExpr> subscripts;
    SmallVector<int64_t> shape;
    bool sliced = false;
    auto slice = [&](OpFoldResult offset, OpFoldResult length, int64_t stride) {
      offsets.push_back(offset);
      lengths.push_back(length);
      strides.push_back(builder.getIndexAttr(stride));
      return getConstantIntValue(length).value_or(ShapedType::kDynamic);
    };
    auto whole = [&](unsigned axis) {
      return slice(builder.getIndexAttr(0), tensor::getMixedSize(builder, location, lowering(input), axis), 1);
    };

    for (auto [axis, subscript] : llvm::enumerate(map.getResults())) {
      std::optional<Linear> sum = linearOf(subscript, loops);
      if (!sum || !sum->atoms.empty()) {
        if (hasSymbols(subscript))
          return std::nullopt;
        shape.push_back(whole(axis));
        subscripts.push_back(subscript);
        continue;
      }
      Linear &linear = *sum;
      linear.offset = simplifyAffineExpr(linear.offset, 0, sizes.size());
      unsigned used = llvm::count_if(linear.coefficients, [](int64_t c) { return c != 0; });
      bool rising = llvm::all_of(linear.coefficients, [](int64_t c) { return c >= 0; });
      if (used == 0) { // one position: the axis goes away
        slice(evaluate(linear.offset), builder.getIndexAttr(1), 1);
        sliced = true;
      } else if (used == 1 && rising) { // a plain axis
        unsigned index =
            llvm::find_if(linear.coefficients, [](int64_t c) { return c != 0; }) - linear.coefficients.begin();
        int64_t stride = linear.coefficients[index];
        AffineExpr extent = equation.getExtents().getResult(index);
        bool all = stride == 1 && linear.offset == 0 && known &&
                   sameExtent(known->map.getResult(axis), known->symbols, extent, equation.getSizes());
        if (all) {
          shape.push_back(whole(axis));
        } else {
          shape.push_back(slice(evaluate(linear.offset), extents[index], stride));
          sliced = true;
        }
        subscripts.push_back(builder.getAffineDimExpr(index));
      } else if (!hasSymbols(linear.offset) && (!rising || linear.offset == 0)) { // i*s + u, or 7 - i
        shape.push_back(whole(axis));
        subscripts.push_back(subscript);
      } else if (rising) { // i*s + u + offset: from the offset to the end
        Value tensor = lowering(input);
        OpFoldResult offset = evaluate(linear.offset), extent = tensor::getMixedSize(builder, location, tensor, axis);
        OpFoldResult rest = affine::makeComposedFoldedAffineApply(
            builder, location, builder.getAffineSymbolExpr(0) - builder.getAffineSymbolExpr(1), {extent, offset});
        shape.push_back(slice(offset, rest, 1));
        subscripts.push_back(subscript - linear.offset);
        sliced = true;
      } else {
        return std::nullopt;
      }
    }
    Value tensor = lowering(input);
    if (sliced)
      tensor = tensor::ExtractSliceOp::create(builder, location, RankedTensorType::get(shape, type.getElementType()),
                                              tensor, offsets, lengths, strides);
    return View{tensor, AffineMap::get(loops, 0, subscripts, builder.getContext())};
  }

  bool hasSymbols(AffineExpr expression) {
    for (unsigned symbol = 0; symbol < sizes.size(); ++symbol)
      if (expression.isFunctionOfSymbol(symbol))
        return true;
    return false;
  }

  void carryReducedIndices() {
    SmallVector<OpFoldResult> shape;
    SmallVector<AffineExpr> subscripts;
    for (unsigned index = equation.parallelCount(); index < equation.loopCount(); ++index) {
      AffineExpr dim = builder.getAffineDimExpr(index);
      if (llvm::any_of(maps, [&](AffineMap map) { return llvm::is_contained(map.getResults(), dim); }))
        continue;
      shape.push_back(extents[index]);
      subscripts.push_back(dim);
    }
    if (shape.empty())
      return;
    operands.push_back(tensor::EmptyOp::create(builder, location, shape, builder.getI8Type()));
    maps.push_back(AffineMap::get(equation.loopCount(), 0, subscripts, builder.getContext()));
  }

  Value build() {
    ArrayRef<OpFoldResult> shape = ArrayRef(extents).take_front(equation.parallelCount());
    Type value = cast<YieldOp>(equation.getBody().front().getTerminator()).getValue().getType();
    // Sums of f16 and bf16 are kept in f32 until they are complete.
    bool narrow = isa<Float16Type, BFloat16Type>(value) && equation.getReduction();
    Type summed = narrow ? builder.getF32Type() : value;
    Reducer reducer(equation.getReduction(), summed, lowering.reassociate);
    SmallVector<Value> results;
    SmallVector<Type> types;
    for (auto [type, identity] : reducer.state(builder, location)) {
      Value result = tensor::EmptyOp::create(builder, location, shape, type);
      if (identity)
        result = linalg::FillOp::create(builder, location, identity, result).getResult(0);
      results.push_back(result);
      types.push_back(result.getType());
      SmallVector<AffineExpr> axes(equation.parallelCount());
      bindDimsList<AffineExpr>(builder.getContext(), axes);
      maps.push_back(AffineMap::get(equation.loopCount(), 0, axes, builder.getContext()));
    }
    SmallVector<utils::IteratorType> iterators(equation.parallelCount(), utils::IteratorType::parallel);
    iterators.resize(equation.loopCount(), utils::IteratorType::reduction);
    size_t inputs = operands.size();
    auto generic = linalg::GenericOp::create(
        builder, location, types, operands, results, maps, iterators,
        [&](OpBuilder &inner, Location, ValueRange arguments) {
          Value element = lowerBody(inner, arguments.take_front(inputs));
          if (narrow)
            element = widened(inner, element);
          Value position;
          if (reducer.wantsPosition())
            position = linalg::IndexOp::create(inner, location, equation.parallelCount());
          linalg::YieldOp::create(inner, location,
                                  reducer.combine(inner, location, arguments.drop_front(inputs), element, position));
        });
    Value result = generic.getResult(0);
    return narrow && !reducer.wantsPosition() ? rounded(result, value, shape) : result;
  }

  /// The element before it was rounded, where it was.
  Value widened(OpBuilder &inner, Value element) {
    auto rounding = element.getDefiningOp<arith::TruncFOp>();
    if (rounding && rounding.getIn().getType().isF32())
      return rounding.getIn();
    return arith::ExtFOp::create(inner, location, inner.getF32Type(), element);
  }

  Value rounded(Value wide, Type type, ArrayRef<OpFoldResult> shape) {
    Value place = tensor::EmptyOp::create(builder, location, shape, type);
    SmallVector<AffineMap> identities(2, builder.getMultiDimIdentityMap(shape.size()));
    SmallVector<utils::IteratorType> loops(shape.size(), utils::IteratorType::parallel);
    auto generic = linalg::GenericOp::create(
        builder, location, place.getType(), wide, place, identities, loops,
        [&](OpBuilder &inner, Location, ValueRange arguments) {
          linalg::YieldOp::create(inner, location,
                                  arith::TruncFOp::create(inner, location, type, arguments[0]).getResult());
        });
    return generic.getResult(0);
  }

  Value lowerBody(OpBuilder &inner, ValueRange elements) {
    Block &body = equation.getBody().front();
    ScalarLowering scalar{inner, location, lowering.values, sizes, equation.loopCount(), lowering.reassociate};
    IRMapping scalars = nacre::lowerBody(scalar, body, [&](ScalarLowering &at, unsigned number) {
      return places[number] >= 0 ? elements[places[number]] : computeRead(at, number);
    });
    return scalars.lookup(cast<YieldOp>(body.getTerminator()).getValue());
  }

  /// A read in range by proof whose subscripts are no view: x[n - 1 - i].
  Value computeRead(ScalarLowering &scalar, size_t number) {
    AffineMap map = cast<AffineMapAttr>(equation.getMaps()[number]).getValue();
    SmallVector<Value> subscripts;
    for (AffineExpr subscript : map.getResults())
      subscripts.push_back(indexValue(scalar, subscript));
    return tensor::ExtractOp::create(scalar.builder, location, lowering(equation.getInputs()[number]), subscripts);
  }

  EquationOp equation;
  LinalgLowering &lowering;
  OpBuilder &builder;
  Location location;
  SmallVector<Value> sizes, operands;
  SmallVector<OpFoldResult> extents;
  SmallVector<AffineMap> maps;
  SmallVector<int> places; // operand of each input, -1: computed in the body
};

} // namespace

LogicalResult EquationOp::lowerToLinalg(LinalgLowering &lowering) {
  EquationToGeneric(*this, lowering).run();
  return success();
}
