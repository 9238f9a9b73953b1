// The adjoint of adding at computed places: what was there before keeps its cotangent, and what was added takes the
// cotangent of the place where it went; what went nowhere takes none.
//
//   y = t; y[s(p)] += e(p) over p     =>     dt = dy     de(p) = dy[s(p)] if s(p) lies inside, else 0
#include "differentiate/Arithmetic.h"
#include "differentiate/Differentiate.h"
#include "ops/Extents.h"

using namespace mlir;
using namespace nacre;

/// A size of run time as a tensor of no axes, so that a body can read it.
static Value sizeTensor(OpBuilder &builder, Location location, const Extents &extents, unsigned axis) {
  MLIRContext *context = builder.getContext();
  unsigned symbols = extents.map.getNumSymbols();
  auto equation = EquationOp::create(builder, location, RankedTensorType::get({}, builder.getI64Type()), ValueRange(),
                                     extents.symbols, AffineMapAttr::get(AffineMap::get(0, symbols, context)),
                                     builder.getArrayAttr({}), ReductionKindAttr());
  OpBuilder body = OpBuilder::atBlockEnd(&equation.getBody().emplaceBlock());
  Value size = IndexOp::create(body, location, builder.getI64Type(),
                               AffineMapAttr::get(AffineMap::get(0, symbols, extents.map.getResult(axis))));
  YieldOp::create(body, location, size);
  return equation;
}

LogicalResult ScatterOp::propagate(Cotangents &cotangents) {
  Value dy = cotangents.of(getResult());
  if (cotangents.wants(getInit()))
    cotangents.add(getInit(), dy);
  auto yield = cast<ScatterYieldOp>(getBody().front().getTerminator());
  std::optional<Extents> extents = extentsOf(getInit());
  if (!extents)
    return emitError("the shape of a derivative is not known here");
  SmallVector<AffineExpr> affine;
  for (Value subscript : yield.getSubscripts())
    if (auto place = subscript.getDefiningOp<IndexOp>())
      affine.push_back(place.getExpression().getResult(0));
  bool computed = affine.size() < yield.getSubscripts().size();
  SmallVector<Value> sizes(yield.getSubscripts().size());
  for (auto [axis, subscript] : llvm::enumerate(yield.getSubscripts()))
    if (!subscript.getDefiningOp<IndexOp>() && !isa<AffineConstantExpr>(extents->map.getResult(axis)))
      sizes[axis] = sizeTensor(cotangents.builder(), getLoc(), *extents, axis);
  return propagateBody(*this, yield.getValue(), cotangents, [&](AdjointBody &body) -> Value {
    if (!computed) // in range by proof
      return body.read(dy, affine);
    Arithmetic a(body.builder(), body.location());
    Type integer = body.builder().getI64Type();
    SmallVector<Value> places;
    Value inside;
    for (auto [axis, subscript] : llvm::enumerate(yield.getSubscripts())) {
      places.push_back(body(subscript));
      if (subscript.getDefiningOp<IndexOp>())
        continue;
      auto known = dyn_cast<AffineConstantExpr>(extents->map.getResult(axis));
      Value size = known ? a.number(integer, static_cast<double>(known.getValue())) : body.read(sizes[axis], {});
      Value fits = a.both(a.lessEqual(a.number(integer, 0), places.back()), a.less(places.back(), size));
      inside = inside ? a.both(inside, fits) : fits;
    }
    Value element = ElementOp::create(body.builder(), body.location(), getType().getElementType(), dy, places,
                                      DenseBoolArrayAttr());
    return a.select(inside, element, {});
  });
}
