// Loads, stores and bodies at a point. Everything that is the same in all lanes stays a scalar until an op needs it as
// a vector, so LLVM sees embedded broadcasts and loop-invariant scalars.
#include "Point.h"
#include "Access.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace nacre::loops {

Value PointEmitter::constant(int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); }

Value PointEmitter::value(const Index &index) {
  if (!index.base)
    return constant(index.offset);
  if (index.offset == 0)
    return index.base;
  return arith::AddIOp::create(builder, loc, index.base, constant(index.offset));
}

namespace {
/// A sum being evaluated: a value (null: none) plus a constant, so that constants gather at the end of an address.
struct Sum {
  Value value;
  int64_t constant = 0;
  bool nonNegative = true;
};

struct Evaluator {
  PointEmitter &emitter;
  const Point &point;

  Value materialise(Sum sum) {
    if (!sum.value)
      return emitter.constant(sum.constant);
    if (sum.constant == 0)
      return sum.value;
    return arith::AddIOp::create(emitter.builder, emitter.loc, sum.value, emitter.constant(sum.constant));
  }

  Sum evaluate(AffineExpr expr) {
    OpBuilder &b = emitter.builder;
    Location loc = emitter.loc;
    if (auto constant = dyn_cast<AffineConstantExpr>(expr))
      return {nullptr, constant.getValue(), constant.getValue() >= 0};
    if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
      const Index &index = point.at[dim.getPosition()];
      return {index.base, index.offset, true};
    }
    auto binary = cast<AffineBinaryOpExpr>(expr);
    Sum left = evaluate(binary.getLHS());
    if (expr.getKind() == AffineExprKind::Add) {
      Sum right = evaluate(binary.getRHS());
      Value value = left.value;
      if (right.value)
        value = value ? Value(arith::AddIOp::create(b, loc, value, right.value)) : right.value;
      return {value, left.constant + right.constant, left.nonNegative && right.nonNegative};
    }
    int64_t factor = cast<AffineConstantExpr>(binary.getRHS()).getValue();
    if (expr.getKind() == AffineExprKind::Mul) {
      Value value = left.value;
      if (value && factor != 1)
        value = arith::MulIOp::create(b, loc, value, emitter.constant(factor), arith::IntegerOverflowFlags::nsw);
      return {factor == 0 ? nullptr : value, left.constant * factor, left.nonNegative && factor >= 0};
    }
    bool modulo = expr.getKind() == AffineExprKind::Mod;
    bool ceil = expr.getKind() == AffineExprKind::CeilDiv;
    if (ceil)
      left.constant += factor - 1;
    if (!left.value) {
      int64_t quotient = llvm::divideFloorSigned(left.constant, factor);
      int64_t result = modulo ? left.constant - quotient * factor : quotient;
      return {nullptr, result, result >= 0};
    }
    // A base at a multiple of the divisor divides apart from its offset.
    if (auto dim = dyn_cast<AffineDimExpr>(binary.getLHS()); dim && !ceil) {
      const Index &index = point.at[dim.getPosition()];
      if (index.multiple % factor == 0 && index.offset >= 0) {
        if (modulo)
          return {nullptr, index.offset % factor, true};
        Value quotient = arith::DivUIOp::create(b, loc, index.base, emitter.constant(factor));
        return {quotient, index.offset / factor, true};
      }
    }
    Value dividend = materialise(left), divisor = emitter.constant(factor);
    if (left.nonNegative) {
      if (modulo)
        return {arith::RemUIOp::create(b, loc, dividend, divisor), 0, true};
      return {arith::DivUIOp::create(b, loc, dividend, divisor), 0, true};
    }
    Value remainder = arith::RemSIOp::create(b, loc, dividend, divisor);
    Value negative = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, remainder, emitter.constant(0));
    Value wrapped = arith::AddIOp::create(b, loc, remainder, divisor);
    Value floored = arith::SelectOp::create(b, loc, negative, wrapped, remainder);
    if (modulo)
      return {floored, 0, true};
    Value whole = arith::SubIOp::create(b, loc, dividend, floored);
    return {arith::DivSIOp::create(b, loc, whole, divisor), 0, false};
  }
};
} // namespace

Value PointEmitter::evaluate(AffineExpr expr, const Point &point) {
  Evaluator evaluator{*this, point};
  return evaluator.materialise(evaluator.evaluate(expr));
}

Value PointEmitter::broadcast(Value value, int64_t lanes) {
  if (isa<VectorType>(value.getType()))
    return value;
  return vector::BroadcastOp::create(builder, loc, VectorType::get({lanes}, value.getType()), value);
}

Value PointEmitter::firstLanes(int64_t lanes, Value count) {
  return vector::CreateMaskOp::create(builder, loc, VectorType::get({lanes}, builder.getI1Type()), count);
}

static Value zeroVector(OpBuilder &b, Location loc, VectorType type) {
  return arith::ConstantOp::create(b, loc, type, b.getZeroAttr(type));
}

Value PointEmitter::stride(Value memref, unsigned dim) {
  auto type = cast<MemRefType>(memref.getType());
  SmallVector<int64_t> strides;
  int64_t offset;
  if (succeeded(type.getStridesAndOffset(strides, offset)) && !ShapedType::isDynamic(strides[dim]))
    return constant(strides[dim]);
  auto metadata = memref::ExtractStridedMetadataOp::create(builder, loc, memref);
  return metadata.getStrides()[dim];
}

/// The element at `indices` and all behind it, as an array: a gather wants neighbours in the last axis.
static Value arrayFrom(OpBuilder &b, Location loc, Value memref, ArrayRef<Value> indices) {
  auto metadata = memref::ExtractStridedMetadataOp::create(b, loc, memref);
  Value start = metadata.getOffset(), end = arith::ConstantIndexOp::create(b, loc, 1);
  for (auto [index, size, stride] : llvm::zip(indices, metadata.getSizes(), metadata.getStrides())) {
    start = arith::AddIOp::create(b, loc, start, arith::MulIOp::create(b, loc, index, stride));
    end = arith::AddIOp::create(b, loc, end, arith::MulIOp::create(b, loc, size, stride));
  }
  auto type = MemRefType::get({ShapedType::kDynamic}, cast<MemRefType>(memref.getType()).getElementType(),
                              StridedLayoutAttr::get(b.getContext(), ShapedType::kDynamic, {1}));
  return memref::ReinterpretCastOp::create(b, loc, type, metadata.getBaseBuffer(), OpFoldResult(start),
                                           {OpFoldResult(end)}, {OpFoldResult(b.getIndexAttr(1))});
}

Value PointEmitter::gather(Value memref, ArrayRef<Value> indices, Value offsets, const Point &point) {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  auto type = VectorType::get({point.lanes}, element);
  Value zero = constant(0);
  if (!cast<MemRefType>(memref.getType()).isLastDimUnitStride()) {
    memref = arrayFrom(builder, loc, memref, indices);
    indices = zero;
  }
  Value mask = point.mask;
  if (!mask)
    mask = firstLanes(point.lanes, constant(point.lanes));
  return vector::GatherOp::create(builder, loc, type, memref, indices, offsets, mask, zeroVector(builder, loc, type));
}

Value PointEmitter::load(Value memref, AffineMap map, const Point &point) {
  auto type = dyn_cast<MemRefType>(memref.getType());
  if (!type) // a scalar operand
    return memref;
  SmallVector<Value> indices;
  for (AffineExpr expr : map.getResults())
    indices.push_back(evaluate(expr, point));
  Access access = point.lane < 0 ? Access::Uniform : accessAlong(map, type, point.lane, point.lanes);
  if (access == Access::Uniform)
    return memref::LoadOp::create(builder, loc, memref, indices);
  auto vectorType = VectorType::get({point.lanes}, type.getElementType());
  if (access == Access::Contiguous) {
    if (!point.mask)
      return vector::LoadOp::create(builder, loc, vectorType, memref, indices);
    return vector::MaskedLoadOp::create(builder, loc, vectorType, memref, indices, point.mask,
                                        zeroVector(builder, loc, vectorType));
  }
  Value step; // elements from one lane to the next
  for (auto [d, expr] : llvm::enumerate(map.getResults())) {
    int64_t coefficient = *coefficientOf(expr, point.lane);
    if (coefficient == 0)
      continue;
    Value part = stride(memref, d);
    if (coefficient != 1)
      part = arith::MulIOp::create(builder, loc, part, constant(coefficient));
    step = step ? Value(arith::AddIOp::create(builder, loc, step, part)) : part;
  }
  auto indexVector = VectorType::get({point.lanes}, builder.getIndexType());
  Value lanes = vector::StepOp::create(builder, loc, indexVector);
  Value offsets = arith::MulIOp::create(builder, loc, lanes, broadcast(step, point.lanes));
  return gather(memref, indices, offsets, point);
}

void PointEmitter::store(Value value, Value memref, AffineMap map, const Point &point) {
  auto type = cast<MemRefType>(memref.getType());
  SmallVector<Value> indices;
  for (AffineExpr expr : map.getResults())
    indices.push_back(evaluate(expr, point));
  if (point.lane < 0 || accessAlong(map, type, point.lane, point.lanes) == Access::Uniform) {
    memref::StoreOp::create(builder, loc, value, memref, indices);
    return;
  }
  value = broadcast(value, point.lanes);
  if (point.mask)
    vector::MaskedStoreOp::create(builder, loc, memref, indices, point.mask, value);
  else
    vector::StoreOp::create(builder, loc, value, memref, indices);
}

Value PointEmitter::bodyLoad(Operation *op, ArrayRef<Value> indices, const Point &point) {
  Value memref = cast<memref::LoadOp>(op).getMemRef();
  if (llvm::none_of(indices, [](Value v) { return isa<VectorType>(v.getType()); }))
    return memref::LoadOp::create(builder, loc, memref, indices);
  // A last index that counts the lanes, as in a copy into a padded buffer: neighbours.
  if (auto count = indices.back().getDefiningOp<arith::AddIOp>();
      count && count.getRhs().getDefiningOp<vector::StepOp>() &&
      cast<MemRefType>(memref.getType()).isLastDimUnitStride() &&
      llvm::none_of(indices.drop_back(), [](Value v) { return isa<VectorType>(v.getType()); }))
    if (auto first = count.getLhs().getDefiningOp<vector::BroadcastOp>()) {
      SmallVector<Value> start(indices);
      start.back() = first.getSource();
      auto type = VectorType::get({point.lanes}, cast<MemRefType>(memref.getType()).getElementType());
      if (!point.mask)
        return vector::LoadOp::create(builder, loc, type, memref, start);
      return vector::MaskedLoadOp::create(builder, loc, type, memref, start, point.mask,
                                          zeroVector(builder, loc, type));
    }
  Value offsets;
  for (auto [d, index] : llvm::enumerate(indices)) {
    Value part = broadcast(index, point.lanes);
    part = arith::MulIOp::create(builder, loc, part, broadcast(stride(memref, d), point.lanes));
    offsets = offsets ? Value(arith::AddIOp::create(builder, loc, offsets, part)) : part;
  }
  SmallVector<Value> origin(indices.size(), constant(0));
  return gather(memref, origin, offsets, point);
}

SmallVector<Value> PointEmitter::body(const Step &step, ArrayRef<Value> arguments, const Point &point) {
  linalg::LinalgOp op = step.op;
  Block *block = op.getBlock();
  IRMapping mapping;
  mapping.map(block->getArguments(), arguments);
  auto isVector = [](Value v) { return isa<VectorType>(v.getType()); };
  for (Operation &inner : block->without_terminator()) {
    if (auto index = dyn_cast<linalg::IndexOp>(inner)) {
      unsigned dim = step.dims[index.getDim()];
      Value position = value(point.at[dim]);
      if (int(dim) == point.lane) {
        auto type = VectorType::get({point.lanes}, builder.getIndexType());
        position = arith::AddIOp::create(builder, loc, broadcast(position, point.lanes),
                                         vector::StepOp::create(builder, loc, type));
      }
      mapping.map(index.getResult(), position);
      continue;
    }
    SmallVector<Value> operands;
    for (Value operand : inner.getOperands())
      operands.push_back(mapping.lookupOrDefault(operand));
    if (isa<memref::LoadOp>(inner)) {
      mapping.map(inner.getResult(0), bodyLoad(&inner, ArrayRef(operands).drop_front(), point));
      continue;
    }
    SmallVector<Type> types(inner.getResultTypes());
    if (llvm::any_of(operands, isVector)) {
      for (Value &operand : operands)
        operand = broadcast(operand, point.lanes);
      for (Type &type : types)
        type = VectorType::get({point.lanes}, type);
    }
    OperationState state(inner.getLoc(), inner.getName(), operands, types, inner.getAttrs());
    state.propertiesAttr = inner.getPropertiesAsAttribute();
    Operation *clone = builder.create(state);
    // a * b + c may be one rounding: the only freedom taken besides the order of sums.
    if (auto fastMath = dyn_cast<arith::ArithFastMathInterface>(clone))
      if (contract && isa<arith::AddFOp, arith::SubFOp, arith::MulFOp>(clone))
        clone->setAttr(fastMath.getFastMathAttrName(),
                       arith::FastMathFlagsAttr::get(builder.getContext(), fastMath.getFastMathFlagsAttr().getValue() |
                                                                               arith::FastMathFlags::contract));
    mapping.map(inner.getResults(), clone->getResults());
  }
  SmallVector<Value> yielded;
  for (Value value : block->getTerminator()->getOperands())
    yielded.push_back(mapping.lookupOrDefault(value));
  return yielded;
}

bool bodyVectorises(linalg::LinalgOp op) {
  for (Operation &inner : op.getBlock()->without_terminator()) {
    if (isa<linalg::IndexOp>(inner))
      continue;
    if (auto load = dyn_cast<memref::LoadOp>(inner)) {
      if (load.getMemRefType().getElementType().isInteger(1))
        return false;
      continue;
    }
    if (inner.getNumRegions() || !(isa<arith::ConstantOp>(inner) || OpTrait::hasElementwiseMappableTraits(&inner)))
      return false;
    // LLVM splits these into scalars, and lanes that a mask leaves out would divide by zero.
    if (isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp, arith::CeilDivSIOp, arith::FloorDivSIOp,
            arith::CeilDivUIOp>(inner))
      return false;
    bool cheap = isa<math::SqrtOp, math::RsqrtOp, math::AbsFOp, math::AbsIOp, math::FloorOp, math::CeilOp,
                     math::RoundEvenOp, math::TruncOp, math::FmaOp, math::CopySignOp>(inner);
    // ApproximateMath knows these in f32; any other function would become calls lane by lane.
    bool polynomial = isa<math::ExpOp, math::ExpM1Op, math::LogOp, math::Log1pOp, math::TanhOp, math::ErfOp>(inner) &&
                      inner.getResult(0).getType().getIntOrFloatBitWidth() <= 32;
    if (isa<math::MathDialect>(inner.getDialect()) && !cheap && !polynomial)
      return false;
  }
  return true;
}

} // namespace nacre::loops
