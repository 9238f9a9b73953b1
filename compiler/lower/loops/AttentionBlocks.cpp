#include "AttentionBlocks.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "ops/Affine.h"

using namespace mlir;

namespace nacre::loops {

static constexpr llvm::StringLiteral scratchAttribute = "nacre.scratch";

AttentionBlocks::AttentionBlocks(AttendOp op, unsigned vectorBits, bool threads)
    : op(op), b(op), loc(op.getLoc()), emitter(b, loc), threads(threads), query(op.getQuery()), value(op.getValue()),
      key(op.keyIndex()), feature(op.featureIndex()) {
  type = cast<FloatType>(getElementTypeOrSelf(op.getInputs().front().getType()));
  unit = type.isF32() ? 1.4426950408889634 : 1; // log2(e): f32 takes powers of two
  lanes = vectorBits / type.getWidth();
  at.assign(op.rank() + 2, emitter.constant(0));
}

// ---- numbers -------------------------------------------------------------------------------------------------------
Value AttentionBlocks::evaluate(AffineExpr expression, ArrayRef<Value> indices) {
  return affine::expandAffineExpr(b, loc, expression, indices, op.getSizes());
}

int64_t AttentionBlocks::staticExtent(unsigned index) {
  auto constant = dyn_cast<AffineConstantExpr>(op.getExtents().getResult(index));
  return constant ? constant.getValue() : ShapedType::kDynamic;
}

Count AttentionBlocks::extent(unsigned index) {
  int64_t known = staticExtent(index);
  if (!ShapedType::isDynamic(known))
    return Count::of(known);
  return {known, evaluate(op.getExtents().getResult(index), {})};
}

Count AttentionBlocks::blocks(unsigned index, int64_t size) {
  Count all = extent(index);
  if (all.isKnown())
    return Count::of(llvm::divideCeil(all.known, size));
  Value up = arith::AddIOp::create(b, loc, all.value, emitter.constant(size - 1));
  return {ShapedType::kDynamic, arith::DivUIOp::create(b, loc, up, emitter.constant(size))};
}

OpFoldResult AttentionBlocks::countFrom(unsigned index, Value start, int64_t size) {
  if (!isPartial(index, size))
    return b.getIndexAttr(size);
  Value left = arith::SubIOp::create(b, loc, materialise(emitter, extent(index)), start);
  return arith::MinSIOp::create(b, loc, left, emitter.constant(size)).getResult();
}

std::pair<Count, Count> AttentionBlocks::range(unsigned along, unsigned other, int64_t sizeAlong, int64_t sizeOther) {
  Count begin = Count::of(0), end = extent(along);
  Value last = arith::AddIOp::create(b, loc, at[other], emitter.constant(sizeOther - 1));
  for (AffineExpr form : op.getNeeded().getResults()) {
    std::optional<Linear> linear = linearOf(form, op.rank() + 2);
    if (!linear || llvm::any_of(linear->atoms, [&](auto &atom) {
          return atom.first.isFunctionOfDim(along) || atom.first.isFunctionOfDim(other);
        }))
      continue;
    int64_t step = linear->coefficients[along];
    if (step != 1 && step != -1)
      continue;
    // form = step * along + rest >= 0, for the place in the block of `other` where rest is largest
    AffineExpr rest =
        simplifyAffineExpr(form - getAffineDimExpr(along, op.getContext()) * step, op.rank() + 2, op.getSizes().size());
    SmallVector<Value> best(at);
    if (linear->coefficients[other] > 0)
      best[other] = last;
    Value most = evaluate(rest, best), zero = emitter.constant(0);
    if (step < 0) { // along <= rest
      Value stop = arith::AddIOp::create(b, loc, most, emitter.constant(1));
      stop = arith::MinSIOp::create(b, loc, stop, materialise(emitter, end));
      end = {ShapedType::kDynamic, arith::MaxSIOp::create(b, loc, stop, zero)};
    } else { // along >= -rest, from the block that it lies in
      Value first = arith::SubIOp::create(b, loc, zero, most);
      first = arith::MaxSIOp::create(b, loc, first, materialise(emitter, begin));
      Value size = emitter.constant(sizeAlong);
      first = arith::MulIOp::create(b, loc, arith::DivUIOp::create(b, loc, first, size), size);
      begin = {ShapedType::kDynamic, first};
    }
  }
  return {begin, end};
}

Value AttentionBlocks::real(OpBuilder &builder, double number) {
  return arith::ConstantOp::create(builder, loc, builder.getFloatAttr(type, number));
}

// ---- buffers -------------------------------------------------------------------------------------------------------
Value AttentionBlocks::scratch(ArrayRef<int64_t> shape) {
  Block &start = op->getParentOfType<func::FuncOp>().front();
  auto wanted = MemRefType::get(shape, type);
  for (auto place : start.getOps<memref::AllocaOp>()) // of an attention before or after this one
    if (place->hasAttr(scratchAttribute) && place.getType() == wanted && places.insert(place).second)
      return place;
  OpBuilder atStart = OpBuilder::atBlockBegin(&start);
  auto place = memref::AllocaOp::create(atStart, loc, wanted, ValueRange(), atStart.getI64IntegerAttr(64));
  place->setAttr(scratchAttribute, atStart.getUnitAttr());
  places.insert(place);
  return place;
}

BlockView AttentionBlocks::view(Value memref, ArrayRef<AffineExpr> subscripts, ArrayRef<Moving> moving) {
  SmallVector<OpFoldResult> offsets, sizes, strides;
  SmallVector<int64_t> shape;
  BlockView result;
  for (AffineExpr subscript : subscripts) {
    OpFoldResult size = b.getIndexAttr(1);
    int64_t stride = 1;
    for (const Moving &move : moving)
      if (subscript.isFunctionOfDim(move.index)) {
        size = move.count;
        stride = linearOf(subscript, op.rank() + 2)->coefficients[move.index];
        result.indices.push_back(move.index);
        shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
      }
    auto constant = dyn_cast<AffineConstantExpr>(subscript);
    offsets.push_back(constant ? OpFoldResult(b.getIndexAttr(constant.getValue())) : evaluate(subscript, at));
    for (OpFoldResult &offset : offsets)
      if (auto known = getConstantIntValue(offset))
        offset = b.getIndexAttr(*known);
    sizes.push_back(size);
    strides.push_back(b.getIndexAttr(stride));
  }
  MemRefType part =
      memref::SubViewOp::inferRankReducedResultType(shape, cast<MemRefType>(memref.getType()), offsets, sizes, strides);
  result.memref = memref::SubViewOp::create(b, loc, part, memref, offsets, sizes, strides);
  return result;
}

BlockView AttentionBlocks::inputView(unsigned number, ArrayRef<Moving> moving) {
  return view(op.getInputs()[number], cast<AffineMapAttr>(op.getMaps()[number]).getValue().getResults(), moving);
}

BlockView AttentionBlocks::resultView(unsigned number, ArrayRef<unsigned> axes, ArrayRef<Moving> moving) {
  SmallVector<AffineExpr> subscripts;
  for (unsigned axis : axes)
    subscripts.push_back(b.getAffineDimExpr(axis));
  return view(op.getInits()[number], subscripts, moving);
}

Value AttentionBlocks::front(Value memref, ArrayRef<OpFoldResult> counts) {
  if (llvm::all_of(llvm::zip(counts, cast<MemRefType>(memref.getType()).getShape()),
                   [](auto pair) { return getConstantIntValue(std::get<0>(pair)) == std::get<1>(pair); }))
    return memref;
  SmallVector<OpFoldResult> zeros(counts.size(), b.getIndexAttr(0)), ones(counts.size(), b.getIndexAttr(1));
  return memref::SubViewOp::create(b, loc, memref, zeros, counts, ones);
}

void AttentionBlocks::fill(Value memref, double number) { linalg::FillOp::create(b, loc, real(b, number), memref); }

void AttentionBlocks::copyIn(unsigned number, Value into, ArrayRef<Moving> moving, double times, double beyond) {
  BlockView from = inputView(number, moving);
  SmallVector<OpFoldResult> counts;
  SmallVector<unsigned> loops, places;
  for (auto [loop, move] : llvm::enumerate(moving)) {
    counts.push_back(move.count);
    loops.push_back(loop);
  }
  for (unsigned index : from.indices)
    places.push_back(llvm::find_if(moving, [&](const Moving &move) { return move.index == index; }) - moving.begin());
  Value target = front(into, counts);
  if (target != into)
    fill(into, beyond);
  elementwise(loops.size(), Axes{from.memref, places}, Axes{target, loops}, [&](OpBuilder &builder, ValueRange values) {
    Value element = values[0];
    if (times != 1)
      element = arith::MulFOp::create(builder, loc, element, real(builder, times));
    return SmallVector<Value>{element};
  });
}

// ---- steps ---------------------------------------------------------------------------------------------------------
void AttentionBlocks::step(unsigned loops, unsigned summed, ArrayRef<Axes> inputs, ArrayRef<Axes> outputs, Body body) {
  SmallVector<AffineMap> maps;
  SmallVector<Value> from, to;
  for (auto [list, values] : {std::pair(inputs, &from), std::pair(outputs, &to)})
    for (const Axes &axes : list) {
      SmallVector<AffineExpr> places;
      for (unsigned loop : axes.loops)
        places.push_back(b.getAffineDimExpr(loop));
      maps.push_back(AffineMap::get(loops, 0, places, b.getContext()));
      values->push_back(axes.memref);
    }
  SmallVector<utils::IteratorType> iterators(summed, utils::IteratorType::parallel);
  iterators.resize(loops, utils::IteratorType::reduction);
  linalg::GenericOp::create(b, loc, from, to, maps, iterators, [&](OpBuilder &builder, Location, ValueRange values) {
    linalg::YieldOp::create(builder, loc, body(builder, values));
  });
}

void AttentionBlocks::product(Axes x, Axes y, Value c) {
  auto flags =
      arith::FastMathFlagsAttr::get(b.getContext(), arith::FastMathFlags::reassoc | arith::FastMathFlags::contract);
  step(3, 2, {x, y}, Axes{c, {0, 1}}, [&](OpBuilder &builder, ValueRange values) {
    Value term = arith::MulFOp::create(builder, loc, values[0], values[1], flags);
    return SmallVector<Value>{arith::AddFOp::create(builder, loc, values[2], term, flags)};
  });
}

SmallVector<Value> AttentionBlocks::runBody(OpBuilder &builder, Value dot, ValueRange others, unsigned queryLoop,
                                            unsigned keyLoop) {
  Block &body = op.getBody().front();
  IRMapping values;
  for (unsigned index = 0; index <= op.rank(); ++index) {
    BlockArgument argument = body.getArgument(index);
    if (argument.use_empty())
      continue;
    Value place = at[index];
    if (index == query || index == key)
      place = arith::AddIOp::create(builder, loc, place,
                                    linalg::IndexOp::create(builder, loc, index == query ? queryLoop : keyLoop));
    values.map(argument, place);
  }
  values.map(body.getArgument(op.rank() + 1), dot);
  for (auto [number, other] : llvm::enumerate(others))
    values.map(body.getArgument(op.rank() + 2 + number), other);
  for (Operation &inner : body.without_terminator())
    builder.clone(inner, values);
  SmallVector<Value> yielded;
  for (Value result : body.getTerminator()->getOperands())
    yielded.push_back(values.lookupOrDefault(result));
  return yielded;
}

Value AttentionBlocks::maskKeys(OpBuilder &builder, Value score, unsigned keyLoop) {
  Value place = arith::AddIOp::create(builder, loc, at[key], linalg::IndexOp::create(builder, loc, keyLoop));
  Count all = extent(key);
  Value count = all.isKnown() ? arith::ConstantIndexOp::create(builder, loc, all.known).getResult() : all.value;
  Value inside = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, place, count);
  return arith::SelectOp::create(builder, loc, inside, score, real(builder, -INFINITY));
}

bool AttentionBlocks::bodyMoves(unsigned index) {
  for (Attribute map : op.getMaps().getValue().drop_front(op.operandsBefore()))
    if (cast<AffineMapAttr>(map).getValue().isFunctionOfDim(index))
      return true;
  return false;
}

SmallVector<Axes> AttentionBlocks::bodyInputs(ArrayRef<Moving> moving, unsigned queryLoop, unsigned keyLoop) {
  SmallVector<Axes> inputs;
  for (unsigned number = op.operandsBefore(); number < op.getInputs().size(); ++number) {
    BlockView part = inputView(number, moving);
    Axes axes{part.memref, {}};
    for (unsigned index : part.indices)
      axes.loops.push_back(index == query ? queryLoop : keyLoop);
    inputs.push_back(axes);
  }
  return inputs;
}

Value AttentionBlocks::larger(OpBuilder &builder, Value a, Value c) {
  Value above = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OGT, a, c);
  return arith::SelectOp::create(builder, loc, above, a, c);
}

// 2^x = 2^n 2^r with n the nearest integer and r in [-1/2, 1/2]; the polynomial is off by 2e-9 at most. Adding
// 1.5 * 2^23 + 127 leaves n + 127, the exponent of 2^n, in the low bits; n = -127 gives 0, so everything below does.
Value AttentionBlocks::exponential(OpBuilder &builder, Value scaled) {
  if (!type.isF32())
    return math::ExpOp::create(builder, loc, scaled);
  auto add = [&](Value x, Value y) { return arith::AddFOp::create(builder, loc, x, y).getResult(); };
  auto multiply = [&](Value x, Value y) { return arith::MulFOp::create(builder, loc, x, y).getResult(); };
  Value shift = real(builder, 12582912.0 + 127), x = larger(builder, real(builder, -127), scaled);
  Value moved = add(x, shift);
  Value whole = arith::SubFOp::create(builder, loc, moved, shift);
  Value rest = arith::SubFOp::create(builder, loc, x, whole);
  Value sum = real(builder, 0.00015353361788489168);
  for (double coefficient :
       {0.0013398874455247836, 0.00961843735848219, 0.05550332470995763, 0.24022647913616935, 0.6931472028551484, 1.0})
    sum = add(multiply(sum, rest), real(builder, coefficient));
  Value bits = arith::BitcastOp::create(builder, loc, builder.getI32Type(), moved);
  bits =
      arith::ShLIOp::create(builder, loc, bits, arith::ConstantOp::create(builder, loc, builder.getI32IntegerAttr(23)));
  return multiply(sum, arith::BitcastOp::create(builder, loc, type, bits));
}

} // namespace nacre::loops
