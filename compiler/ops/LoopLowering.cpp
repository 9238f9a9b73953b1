// A loop becomes scf.for with tensors that go round: what it carries, and what it yields, stacked.
//
// Each carried tensor keeps one buffer: the next value is written into that of the last one at the end of a round, or
// right away where nobody reads the last one any more (bufferisation decides). Rounds after the condition failed do
// nothing; `scf.while` would not let carried tensors stay where they are.
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "ops/Extents.h"
#include "ops/Ops.h"
#include "ops/Scalar.h"

using namespace mlir;
using namespace nacre;

Value nacre::ownTensor(OpBuilder &builder, Location location, Value tensor) {
  auto constant = tensor.getDefiningOp<arith::ConstantOp>();
  auto numbers = constant ? dyn_cast<SplatElementsAttr>(constant.getValue()) : SplatElementsAttr();
  if (!numbers)
    return tensor;
  Value number = arith::ConstantOp::create(builder, location, numbers.getSplatValue<TypedAttr>());
  Value empty = tensor::EmptyOp::create(builder, location, cast<RankedTensorType>(numbers.getType()).getShape(),
                                        number.getType());
  return linalg::FillOp::create(builder, location, number, empty).getResult(0);
}

namespace {

class LoopToFor {
public:
  LoopToFor(LoopOp loop, LinalgLowering &lowering)
      : loop(loop), lowering(lowering), builder(lowering.builder), location(loop.getLoc()),
        carried(loop.carriedCount()), stacked(loop.yieldCount()) {}

  LogicalResult run() {
    SmallVector<Value> sizes;
    for (Value size : loop.getSizes())
      sizes.push_back(lowering(size));
    rounds = affine::expandAffineExpr(builder, location, loop.getRounds().getResult(0), {}, sizes);
    zero = arith::ConstantIndexOp::create(builder, location, 0);
    one = arith::ConstantIndexOp::create(builder, location, 1);
    end = rounds;
    if (Value limit = loop.getLimit()) {
      Value count = tensor::ExtractOp::create(builder, location, lowering(limit), ValueRange());
      end = arith::MinSIOp::create(builder, location, rounds,
                                   arith::IndexCastOp::create(builder, location, builder.getIndexType(), count));
    }
    SmallVector<Value> state;
    for (Value initial : loop.getInitial()) {
      Value own = ownTensor(builder, location, lowering(initial));
      // What goes round a loop outside of this one has a buffer already, to which it must come back.
      if (isa<BlockArgument>(own))
        own = bufferization::AllocTensorOp::create(builder, location, cast<RankedTensorType>(own.getType()),
                                                   ValueRange(), own);
      state.push_back(own);
    }
    for (unsigned number = 0; number < stacked; ++number) {
      FailureOr<Value> empty = stack(number);
      if (failed(empty))
        return failure();
      state.push_back(*empty);
    }
    if (loop.hasCondition()) {
      state.push_back(zero);
      state.push_back(arith::ConstantIntOp::create(builder, location, 1, 1));
    }
    auto repeat = scf::ForOp::create(builder, location, zero, end, one, state);
    {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToEnd(repeat.getBody());
      Value counter = repeat.getInductionVar();
      if (loop.getReverse()) {
        Value last = arith::SubIOp::create(builder, location, end, one);
        counter = arith::SubIOp::create(builder, location, last, counter);
      }
      arguments = llvm::to_vector_of<Value>(repeat.getRegionIterArgs());
      FailureOr<SmallVector<Value>> after = loop.hasCondition() ? guarded(counter) : round(counter);
      if (failed(after))
        return failure();
      scf::YieldOp::create(builder, location, *after);
    }
    for (unsigned number = 0; number < carried + stacked; ++number)
      lowering.values.map(loop.getResult(number), repeat.getResult(number));
    if (loop.hasCondition()) {
      Value count =
          arith::IndexCastOp::create(builder, location, builder.getI64Type(), repeat.getResult(carried + stacked));
      Value scalar =
          tensor::FromElementsOp::create(builder, location, RankedTensorType::get({}, builder.getI64Type()), count);
      lowering.values.map(loop.getResult(carried + stacked), scalar);
    }
    return success();
  }

private:
  /// Room for all that is yielded; zeros if some rounds may not run.
  FailureOr<Value> stack(unsigned number) {
    Value result = loop.getResult(carried + number);
    RankedTensorType type = tensorStorage(cast<RankedTensorType>(result.getType()));
    std::optional<Extents> extents = extentsOf(result);
    if (!extents)
      return loop.emitError("yields a tensor whose shape is not known outside of the loop");
    Value empty = tensor::EmptyOp::create(builder, location, type, openSizes(*extents, type));
    if (!loop.hasCondition() && !loop.getLimit())
      return empty;
    Value nothing = arith::ConstantOp::create(builder, location, builder.getZeroAttr(type.getElementType()));
    return linalg::FillOp::create(builder, location, nothing, empty).getResult(0);
  }

  SmallVector<Value> openSizes(const Extents &extents, RankedTensorType type) {
    SmallVector<Value> symbols, open;
    for (Value symbol : extents.symbols)
      symbols.push_back(lowering(symbol));
    for (int64_t axis = 0; axis < type.getRank(); ++axis)
      if (type.isDynamicDim(axis))
        open.push_back(affine::expandAffineExpr(builder, location, extents.map.getResult(axis), {}, symbols));
    return open;
  }

  /// A tensor of its own with the contents of one that goes round, whose sizes are those of `like`.
  Value ownCopy(Value tensor, Value like) {
    auto type = cast<RankedTensorType>(tensor.getType());
    std::optional<Extents> extents = extentsOf(like);
    if (type.hasStaticShape() || !extents)
      return bufferization::AllocTensorOp::create(builder, location, type, ValueRange(), tensor);
    Value own = bufferization::AllocTensorOp::create(builder, location, type, openSizes(*extents, type));
    return bufferization::MaterializeInDestinationOp::create(builder, location, type, tensor, own).getResult();
  }

  /// A round that runs if the one before it did and the condition holds.
  FailureOr<SmallVector<Value>> guarded(Value counter) {
    Value running = arguments[carried + stacked + 1], count = arguments[carried + stacked];
    auto test = scf::IfOp::create(builder, location, builder.getI1Type(), running, /*withElseRegion=*/true);
    {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToEnd(test.thenBlock());
      Block &condition = loop.getCondition().front();
      for (unsigned number = 0; number < carried; ++number)
        lowering.values.map(condition.getArgument(number), arguments[number]);
      if (failed(lowering.lowerOps(condition)))
        return failure();
      Value truth = lowering(cast<WhileOp>(condition.getTerminator()).getCondition());
      Value byte = tensor::ExtractOp::create(builder, location, truth, ValueRange());
      Value none = arith::ConstantOp::create(builder, location, builder.getI8IntegerAttr(0));
      Value holds = arith::CmpIOp::create(builder, location, arith::CmpIPredicate::ne, byte, none);
      scf::YieldOp::create(builder, location, holds);
      builder.setInsertionPointToEnd(test.elseBlock());
      scf::YieldOp::create(builder, location, running);
    }
    Value goes = test.getResult(0);
    SmallVector<Value> same(arguments.begin(), arguments.begin() + carried + stacked);
    same.push_back(count);
    auto choice = scf::IfOp::create(builder, location, ValueRange(same).getTypes(), goes, /*withElseRegion=*/true);
    {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToEnd(choice.thenBlock());
      FailureOr<SmallVector<Value>> after = round(counter);
      if (failed(after))
        return failure();
      after->push_back(arith::AddIOp::create(builder, location, count, one));
      scf::YieldOp::create(builder, location, *after);
      builder.setInsertionPointToEnd(choice.elseBlock());
      scf::YieldOp::create(builder, location, same);
    }
    SmallVector<Value> after(choice.getResults());
    after.push_back(goes);
    return after;
  }

  FailureOr<SmallVector<Value>> round(Value counter) {
    lowering.values.map(loop.counter(), counter);
    for (unsigned number = 0; number < carried; ++number)
      lowering.values.map(loop.carriedArgument(number), arguments[number]);
    if (failed(lowering.lowerOps(loop.getBody().front())))
      return failure();
    NextOp next = loop.next();
    SmallVector<Value> stacks;
    for (auto [number, yielded] : llvm::enumerate(next.getYields())) {
      Value part = lowering(yielded);
      SmallVector<OpFoldResult> lengths{builder.getIndexAttr(1)}, offsets{counter};
      llvm::append_range(lengths, tensor::getMixedSizes(builder, location, part));
      offsets.resize(lengths.size(), builder.getIndexAttr(0));
      SmallVector<OpFoldResult> strides(lengths.size(), builder.getIndexAttr(1));
      stacks.push_back(tensor::InsertSliceOp::create(builder, location, part, arguments[carried + number], offsets,
                                                     lengths, strides));
    }
    // First what might be a view of a tensor that is about to change.
    SmallVector<Value> values;
    SmallVector<bool> inPlace(carried, false);
    for (auto [number, old] : llvm::enumerate(next.getCarried())) {
      Value value = lowering(old);
      inPlace[number] = goesOn(value, number);
      if (value != arguments[number] && mayShow(value, number))
        value = bufferization::AllocTensorOp::create(builder, location, cast<RankedTensorType>(value.getType()),
                                                     ValueRange(), value);
      values.push_back(value);
    }
    for (auto [number, value] : llvm::enumerate(values))
      if (value != arguments[number] && !inPlace[number])
        value = bufferization::MaterializeInDestinationOp::create(builder, location, arguments[number].getType(), value,
                                                                  arguments[number])
                    .getResult();
    llvm::append_range(values, stacks);
    return values;
  }

  /// Whether a tensor is what goes round, changed where it lies by loops (those of a scatter). Such a value goes on as
  /// it is: bufferisation would take the copy of a loop's result onto its own beginning for a conflict. Where somebody
  /// else may still read what went round, the first of these loops gets a copy to begin with.
  bool goesOn(Value value, unsigned number) {
    Value argument = arguments[number];
    OpOperand *begin = nullptr;
    bool alone = true;
    while (auto repeat = value.getDefiningOp<scf::ForOp>()) {
      alone &= begin == nullptr || value.hasOneUse();
      begin = &repeat.getInitArgsMutable()[cast<OpResult>(value).getResultNumber()];
      value = begin->get();
    }
    if (value != argument || !begin)
      return false;
    Operation *first = begin->getOwner();
    for (OpOperand &use : argument.getUses()) {
      Operation *user = first->getBlock()->findAncestorOpInBlock(*use.getOwner());
      bool reads = isa<linalg::LinalgOp, tensor::ExtractOp, tensor::DimOp>(use.getOwner());
      alone &= &use == begin || isa<tensor::DimOp>(use.getOwner()) || (reads && user && user->isBeforeInBlock(first));
    }
    if (alone)
      return true;
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(first);
    begin->set(ownCopy(argument, loop.carriedArgument(number)));
    return false;
  }

  /// Whether a tensor may be (part of) one of those that go round, once views are views and copies are gone. To be all
  /// of number `own`, changed where it lies, is allowed.
  bool mayShow(Value value, int own) {
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      auto found = llvm::find(arguments, value);
      return found != arguments.end() && found - arguments.begin() != own;
    }
    Operation *op = value.getDefiningOp();
    if (!arguments.front().getParentRegion()->isAncestor(op->getParentRegion()))
      return false;
    unsigned number = cast<OpResult>(value).getResultNumber();
    if (auto repeat = dyn_cast<scf::ForOp>(op))
      return mayShow(repeat.getInitArgs()[number], own);
    if (auto choice = dyn_cast<scf::IfOp>(op))
      return mayShow(choice.thenYield().getOperand(number), own) || mayShow(choice.elseYield().getOperand(number), own);
    if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
      return mayShow(insert.getDest(), own);
    if (auto insert = dyn_cast<tensor::InsertOp>(op))
      return mayShow(insert.getDest(), own);
    if (auto generic = dyn_cast<linalg::GenericOp>(op)) { // a mere copy may be left out
      auto yielded = dyn_cast<BlockArgument>(generic.getBody()->getTerminator()->getOperand(number));
      return yielded && yielded.getArgNumber() < generic.getNumDpsInputs() &&
             mayShow(generic.getDpsInputs()[yielded.getArgNumber()], -1);
    }
    if (isa<linalg::LinalgOp, tensor::EmptyOp>(op))
      return false;
    return llvm::any_of(op->getOperands(), [&](Value operand) {
      return isa<RankedTensorType>(operand.getType()) && mayShow(operand, -1);
    });
  }

  LoopOp loop;
  LinalgLowering &lowering;
  OpBuilder &builder;
  Location location;
  unsigned carried, stacked;
  Value rounds, end, zero, one;
  SmallVector<Value> arguments; // what goes round, in a round: carried, stacked, count of rounds, whether it goes on
};

} // namespace

LogicalResult LoopOp::lowerToLinalg(LinalgLowering &lowering) { return LoopToFor(*this, lowering).run(); }
