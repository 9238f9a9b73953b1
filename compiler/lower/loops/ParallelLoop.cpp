#include "ParallelLoop.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace nacre::loops {

// Waking a parked thread costs some microseconds: below this much work in all, one thread is faster.
static constexpr int64_t worthThreads = 40000; // cycles
static constexpr int64_t cyclesPerChunk = 8000;
// Of unknown count, only iterations of some weight: there will not be enough of the others.
static constexpr int64_t cyclesIfUnknown = 100;

Value materialise(PointEmitter &emitter, const Count &count) {
  return count.isKnown() ? emitter.constant(count.known) : count.value;
}

SmallVector<Value> forLoop(PointEmitter &emitter, Count begin, Count end, int64_t step, ValueRange initial,
                           CarryingBody body) {
  if (begin.isKnown() && end.isKnown()) {
    if (end.known <= begin.known)
      return SmallVector<Value>(initial);
    if (end.known - begin.known <= step)
      return body(emitter.constant(begin.known), initial);
  }
  Value first = materialise(emitter, begin), last = materialise(emitter, end), by = emitter.constant(step);
  auto loop = scf::ForOp::create(emitter.builder, emitter.loc, first, last, by, initial);
  OpBuilder::InsertionGuard guard(emitter.builder);
  emitter.builder.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> carried = body(loop.getInductionVar(), loop.getRegionIterArgs());
  emitter.builder.setInsertionPointToEnd(loop.getBody());
  if (loop.getBody()->empty() || !loop.getBody()->back().hasTrait<OpTrait::IsTerminator>())
    scf::YieldOp::create(emitter.builder, emitter.loc, carried);
  return SmallVector<Value>(loop.getResults());
}

void forLoop(PointEmitter &emitter, Count begin, Count end, int64_t step, function_ref<void(Value)> body) {
  forLoop(emitter, begin, end, step, ValueRange{}, [&](Value iv, ValueRange) {
    body(iv);
    return SmallVector<Value>{};
  });
}

/// The nest as plain loops, from axis `next` inwards.
static void serialNest(PointEmitter &emitter, ArrayRef<Count> axes, SmallVectorImpl<Value> &position,
                       function_ref<void(ArrayRef<Value>)> body) {
  if (position.size() == axes.size())
    return body(position);
  forLoop(emitter, Count::of(0), axes[position.size()], 1, [&](Value iv) {
    position.push_back(iv);
    serialNest(emitter, axes, position, body);
    position.pop_back();
  });
}

void parallelLoop(PointEmitter &emitter, ArrayRef<Count> axes, int64_t cycles, bool threads,
                  function_ref<void(ArrayRef<Value>)> body) {
  OpBuilder &b = emitter.builder;
  Location loc = emitter.loc;
  Count total = Count::of(1);
  for (const Count &axis : axes) {
    if (total.isKnown() && axis.isKnown()) {
      total.known *= axis.known;
    } else if (total.isKnown() && total.known == 1) {
      total = axis;
    } else {
      Value left = materialise(emitter, total), right = materialise(emitter, axis);
      total = {ShapedType::kDynamic, arith::MulIOp::create(b, loc, left, right)};
    }
  }
  cycles = std::max<int64_t>(cycles, 1);
  bool worth = total.isKnown() ? total.known > 1 && total.known * cycles >= worthThreads : cycles >= cyclesIfUnknown;
  if (!threads || !worth) {
    SmallVector<Value> position;
    return serialNest(emitter, axes, position, body);
  }
  int64_t grain = std::max<int64_t>(1, cyclesPerChunk / cycles);
  auto loop = scf::ForOp::create(b, loc, emitter.constant(0), materialise(emitter, total), emitter.constant(1));
  loop->setAttr(grainAttribute, b.getI64IntegerAttr(grain));
  if (!total.isKnown() && cycles < worthThreads)
    loop->setAttr(leastAttribute, b.getI64IntegerAttr(llvm::divideCeil(worthThreads, cycles)));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> position(axes.size());
  Value rest = loop.getInductionVar();
  for (size_t i = axes.size(); i-- > 0;) {
    bool outermost = llvm::all_of(axes.take_front(i), [](const Count &axis) { return axis.known == 1; });
    if (axes[i].known == 1) {
      position[i] = emitter.constant(0);
    } else if (outermost) {
      position[i] = rest;
    } else {
      Value extent = materialise(emitter, axes[i]);
      position[i] = arith::RemUIOp::create(b, loc, rest, extent);
      rest = arith::DivUIOp::create(b, loc, rest, extent);
    }
  }
  body(position);
}

} // namespace nacre::loops
