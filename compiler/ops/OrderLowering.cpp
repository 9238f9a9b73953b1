// What depends on the order along one axis, as loops over the lines of a tensor: running sums, and the stable order.
//
// A line is ordered by merging runs of 1, 2, 4, .. elements. Every element finds its own place in the merged run, its
// place in its run plus the elements of the other run that come before it, by bisection: no branch, and a stable
// result.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "ops/Extents.h"
#include "ops/Ops.h"

using namespace mlir;
using namespace nacre;

namespace {

/// Loops over the lines along one axis that take tensors along.
class Lines {
public:
  Lines(OpBuilder &builder, Location location, Value tensor, unsigned axis)
      : builder(builder), location(location), tensor(tensor), axis(axis) {
    for (int64_t i = 0; i < rank(); ++i)
      extents.push_back(tensor::DimOp::create(builder, location, tensor, i));
  }

  int64_t rank() const { return cast<RankedTensorType>(tensor.getType()).getRank(); }
  Value number(int64_t value) { return arith::ConstantIndexOp::create(builder, location, value); }
  Value length() const { return extents[axis]; }

  /// `carried` after `body` for every round of 0 .. end-1.
  SmallVector<Value> repeat(Value end, ArrayRef<Value> carried,
                            llvm::function_ref<SmallVector<Value>(Value, ArrayRef<Value>)> body) {
    auto loop = scf::ForOp::create(builder, location, number(0), end, number(1), carried);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToEnd(loop.getBody());
    SmallVector<Value> inside(loop.getRegionIterArgs());
    SmallVector<Value> next = body(loop.getInductionVar(), inside);
    scf::YieldOp::create(builder, location, next);
    return SmallVector<Value>(loop.getResults());
  }

  /// `carried` after `body` for every line; `place` gives the subscripts of an element of it.
  SmallVector<Value> forEach(ArrayRef<Value> carried, llvm::function_ref<SmallVector<Value>(ArrayRef<Value>)> body) {
    subscripts.assign(rank(), Value());
    return over(0, carried, body);
  }
  SmallVector<Value> place(Value at) const {
    SmallVector<Value> places(subscripts);
    places[axis] = at;
    return places;
  }

private:
  SmallVector<Value> over(unsigned depth, ArrayRef<Value> carried,
                          llvm::function_ref<SmallVector<Value>(ArrayRef<Value>)> body) {
    if (depth == axis)
      ++depth;
    if (static_cast<int64_t>(depth) >= rank())
      return body(carried);
    return repeat(extents[depth], carried, [&](Value index, ArrayRef<Value> inside) {
      subscripts[depth] = index;
      return over(depth + 1, inside, body);
    });
  }

public:
  OpBuilder &builder;
  Location location;
  Value tensor;
  SmallVector<Value> extents;

private:
  unsigned axis;
  SmallVector<Value> subscripts;
};

/// An uninitialised tensor with the extents of the lines' tensor.
Value emptyLike(Lines &lines, RankedTensorType type) {
  SmallVector<Value> dynamic;
  for (auto [axis, extent] : llvm::enumerate(type.getShape()))
    if (ShapedType::isDynamic(extent))
      dynamic.push_back(lines.extents[axis]);
  return tensor::EmptyOp::create(lines.builder, lines.location, type, dynamic);
}

/// The order of one line at a time, in two scratch tensors of its length.
class Order {
public:
  Order(Lines &lines, Type element, bool descending)
      : lines(lines), builder(lines.builder), location(lines.location), element(element), descending(descending) {}

  /// The places of the line's elements in order; `places` and `merged` are overwritten.
  SmallVector<Value> run(Value places, Value merged) {
    Value length = lines.length();
    places = lines.repeat(length, {places}, [&](Value at, ArrayRef<Value> carried) -> SmallVector<Value> {
      return {tensor::InsertOp::create(builder, location, toI32(at), carried[0], at)};
    })[0];
    // 1 << rounds is the first power of two that is not below the length.
    Value rounds = lines.number(0);
    for (int64_t power = 1; power <= (int64_t(1) << 30); power *= 2)
      rounds = arith::AddIOp::create(
          builder, location, rounds,
          arith::SelectOp::create(builder, location, compare(arith::CmpIPredicate::ugt, length, lines.number(power)),
                                  lines.number(1), lines.number(0)));
    return lines.repeat(rounds, {places, merged}, [&](Value round, ArrayRef<Value> carried) -> SmallVector<Value> {
      Value width = arith::ShLIOp::create(builder, location, lines.number(1), round);
      Value runs = carried[0];
      Value next = lines.repeat(length, {carried[1]}, [&](Value at, ArrayRef<Value> inside) -> SmallVector<Value> {
        Value place = tensor::ExtractOp::create(builder, location, runs, at);
        return {tensor::InsertOp::create(builder, location, place, inside[0], target(runs, at, width, rounds))};
      })[0];
      Value copied = lines.repeat(length, {runs}, [&](Value at, ArrayRef<Value> inside) -> SmallVector<Value> {
        Value place = tensor::ExtractOp::create(builder, location, next, at);
        return {tensor::InsertOp::create(builder, location, place, inside[0], at)};
      })[0];
      return {copied, next};
    });
  }

private:
  Value toI32(Value index) { return arith::IndexCastOp::create(builder, location, builder.getI32Type(), index); }
  Value compare(arith::CmpIPredicate predicate, Value a, Value b) {
    return arith::CmpIOp::create(builder, location, predicate, a, b);
  }
  Value least(Value a, Value b) { return arith::MinUIOp::create(builder, location, a, b); }

  Value elementAt(Value runs, Value at) {
    Value place = tensor::ExtractOp::create(builder, location, runs, at);
    place = arith::IndexCastOp::create(builder, location, builder.getIndexType(), place);
    return tensor::ExtractOp::create(builder, location, lines.tensor, lines.place(place));
  }

  /// Whether a comes before b for its value; a NaN comes last.
  Value precedes(Value a, Value b) {
    if (isa<FloatType>(element)) {
      auto predicate = descending ? arith::CmpFPredicate::OGT : arith::CmpFPredicate::OLT;
      Value before = arith::CmpFOp::create(builder, location, predicate, a, b);
      Value last = arith::CmpFOp::create(builder, location, arith::CmpFPredicate::UNO, b, b);
      Value number = arith::CmpFOp::create(builder, location, arith::CmpFPredicate::ORD, a, a);
      return arith::OrIOp::create(builder, location, before, arith::AndIOp::create(builder, location, last, number));
    }
    bool isUnsigned = element.isUnsignedInteger();
    using P = arith::CmpIPredicate;
    return compare(descending ? (isUnsigned ? P::ugt : P::sgt) : (isUnsigned ? P::ult : P::slt), a, b);
  }

  /// Where the element at `at` goes when runs of `width` are merged in pairs.
  Value target(Value runs, Value at, Value width, Value rounds) {
    auto add = [&](Value a, Value b) { return arith::AddIOp::create(builder, location, a, b).getResult(); };
    auto subtract = [&](Value a, Value b) { return arith::SubIOp::create(builder, location, a, b).getResult(); };
    auto select = [&](Value c, Value a, Value b) {
      return arith::SelectOp::create(builder, location, c, a, b).getResult();
    };
    Value both = add(width, width);
    Value pair = subtract(at, arith::RemUIOp::create(builder, location, at, both));
    Value middle = add(pair, width);
    Value isLeft = compare(arith::CmpIPredicate::ult, at, middle);
    Value begin = select(isLeft, least(middle, lines.length()), pair);
    Value end = select(isLeft, least(add(pair, both), lines.length()), middle);
    Value own = elementAt(runs, at);
    // The other run's elements that come first: before the left one only what is smaller, before the right one also
    // what is equal.
    Value last = subtract(lines.length(), lines.number(1));
    Value steps = add(rounds, lines.number(1));
    SmallVector<Value> found =
        lines.repeat(steps, {begin, end}, [&](Value, ArrayRef<Value> range) -> SmallVector<Value> {
          Value open = compare(arith::CmpIPredicate::ult, range[0], range[1]);
          Value half = arith::ShRUIOp::create(builder, location, add(range[0], range[1]), lines.number(1));
          Value other = elementAt(runs, least(half, last));
          Value no = arith::ConstantIntOp::create(builder, location, 1, 1);
          Value first =
              select(isLeft, precedes(other, own), arith::XOrIOp::create(builder, location, precedes(own, other), no));
          Value up = arith::AndIOp::create(builder, location, open, first);
          Value down =
              arith::AndIOp::create(builder, location, open, arith::XOrIOp::create(builder, location, first, no));
          return {select(up, add(half, lines.number(1)), range[0]), select(down, half, range[1])};
        });
    Value before = subtract(found[0], begin);
    Value inRun = subtract(at, select(isLeft, pair, middle));
    return add(pair, add(inRun, before));
  }

  Lines &lines;
  OpBuilder &builder;
  Location location;
  Type element;
  bool descending;
};

} // namespace

LogicalResult PermutationOp::lowerToLinalg(LinalgLowering &lowering) {
  OpBuilder &builder = lowering.builder;
  Lines lines(builder, getLoc(), lowering(getOperand()), getAxis());
  auto type = cast<RankedTensorType>(getResult().getType());
  auto lineType = RankedTensorType::get({type.getShape()[getAxis()]}, type.getElementType());
  SmallVector<Value> dynamic;
  if (lineType.isDynamicDim(0))
    dynamic.push_back(lines.length());
  Value places = tensor::EmptyOp::create(builder, getLoc(), lineType, dynamic);
  Value merged = tensor::EmptyOp::create(builder, getLoc(), lineType, dynamic);
  Order order(lines, cast<RankedTensorType>(getOperand().getType()).getElementType(), getDescending());
  SmallVector<Value> done =
      lines.forEach({emptyLike(lines, type), places, merged}, [&](ArrayRef<Value> carried) -> SmallVector<Value> {
        SmallVector<Value> line = order.run(carried[1], carried[2]);
        Value result =
            lines.repeat(lines.length(), {carried[0]}, [&](Value at, ArrayRef<Value> inside) -> SmallVector<Value> {
              Value place = tensor::ExtractOp::create(builder, getLoc(), line[0], at);
              return {tensor::InsertOp::create(builder, getLoc(), place, inside[0], lines.place(at))};
            })[0];
        return {result, line[0], line[1]};
      });
  lowering.values.map(getResult(), done[0]);
  return success();
}

LogicalResult CumulativeSumOp::lowerToLinalg(LinalgLowering &lowering) {
  OpBuilder &builder = lowering.builder;
  Location location = getLoc();
  Lines lines(builder, location, lowering(getOperand()), getAxis());
  auto type = tensorStorage(cast<RankedTensorType>(getResult().getType()));
  Type stored = type.getElementType();
  bool real = isa<FloatType>(stored);
  Type summed = real && stored.getIntOrFloatBitWidth() < 32 ? builder.getF32Type() : stored; // halves add up in f32
  Value zero = arith::ConstantOp::create(builder, location, builder.getZeroAttr(summed));
  Value last = arith::SubIOp::create(builder, location, lines.length(), lines.number(1));
  Value result = lines.forEach({emptyLike(lines, type)}, [&](ArrayRef<Value> carried) -> SmallVector<Value> {
    return {lines.repeat(
        lines.length(), {carried[0], zero}, [&](Value round, ArrayRef<Value> inside) -> SmallVector<Value> {
          Value at = getReverse() ? arith::SubIOp::create(builder, location, last, round).getResult() : round;
          Value x = tensor::ExtractOp::create(builder, location, lines.tensor, lines.place(at));
          if (summed != stored)
            x = arith::ExtFOp::create(builder, location, summed, x);
          Value sum = real ? arith::AddFOp::create(builder, location, inside[1], x).getResult()
                           : arith::AddIOp::create(builder, location, inside[1], x).getResult();
          Value kept = summed == stored ? sum : arith::TruncFOp::create(builder, location, stored, sum).getResult();
          return {tensor::InsertOp::create(builder, location, kept, inside[0], lines.place(at)), sum};
        })[0]};
  })[0];
  lowering.values.map(getResult(), result);
  return success();
}

std::optional<Extents> PermutationOp::knownExtents(Value) { return extentsOf(getOperand()); }
std::optional<Extents> CumulativeSumOp::knownExtents(Value) { return extentsOf(getOperand()); }
