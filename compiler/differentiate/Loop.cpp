// The adjoint of a loop: a loop in the other direction.
//
//   h' = f(h, x[t], w)        =>        dh, dw += ...: the adjoint of one round, for t from the last round to the first
//
// A round is computed again from what it started with, which the forward loop keeps for every round (the tape), and
// from sums that it keeps as well, unless `@checkpoint` says to compute these again. What the body reads at a subscript
// made of the counter gets its cotangent row by row; other values from outside get theirs as a sum that goes round.
#include "differentiate/Differentiate.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"
#include "ops/Extents.h"
#include "ops/Ops.h"

using namespace mlir;
using namespace nacre;

namespace {

/// Passes on the cotangent of one value that the outer pass does not know.
class OneMore : public Cotangents {
public:
  OneMore(Cotangents &outer, Value result, Value cotangent) : outer(outer), result(result), cotangent(cotangent) {}
  OpBuilder &builder() override { return outer.builder(); }
  Value of(Value value) override { return value == result ? cotangent : outer.of(value); }
  bool wants(Value operand) override { return outer.wants(operand); }
  void add(Value operand, Value contribution) override { outer.add(operand, contribution); }

private:
  Cotangents &outer;
  Value result, cotangent;
};

/// x at subscripts that the counter and sizes give on some axes, whole on the others.
struct Row {
  Value tensor;                       // x, from outside of the loop
  SmallVector<AffineExpr> subscripts; // one per axis, over `sizes`; null: the whole axis
  SmallVector<Value> sizes;           // the counter of the body among them
  Value value;                        // in the body of the backward loop
};

class LoopAdjoint {
public:
  LoopAdjoint(LoopOp loop, Cotangents &cotangents)
      : loop(loop), cotangents(cotangents), builder(cotangents.builder()), location(loop.getLoc()),
        context(loop.getContext()), carried(loop.carriedCount()) {}

  LogicalResult run() {
    // What goes round: cotangents of what is carried, sums for what is captured.
    SmallVector<Value> initial;
    for (unsigned number = 0; number < carried; ++number) {
      if (!isReal(loop.getInitial()[number]))
        continue;
      Value last = cotangents.of(loop.getResult(number));
      if (!last && !(last = zerosLike(builder, location, loop.getInitial()[number])))
        return failure();
      active.push_back(number);
      initial.push_back(last);
    }
    SetVector<Value> captured;
    getUsedValuesDefinedAbove(loop.getBody(), captured);
    for (Value value : captured)
      if (isReal(value) && cotangents.wants(value) && !onlyRows(value)) {
        Value zeros = zerosLike(builder, location, value);
        if (!zeros)
          return failure();
        summed.push_back(value);
        initial.push_back(zeros);
      }

    // A loop of this shape for the time being; what it yields is known at the end.
    LoopOp draft = LoopOp::create(builder, location, ValueRange(initial).getTypes(), initial, limit(), loop.getSizes(),
                                  loop.getRounds(), !loop.getReverse(), false);
    Block *block = &draft.getBody().emplaceBlock();
    block->addArgument(IndexType::get(context), location);
    for (Value value : initial)
      block->addArgument(value.getType(), location);
    OpBuilder at = OpBuilder::atBlockEnd(block);
    if (failed(fill(*block, at)))
      return failure();

    SmallVector<Type> types(ValueRange(initial).getTypes());
    for (Value yielded : cast<NextOp>(block->getTerminator()).getYields())
      types.push_back(stackedType(yielded.getType()));
    auto backward = LoopOp::create(builder, location, types, initial, draft.getLimit(), loop.getSizes(),
                                   loop.getRounds(), !loop.getReverse(), false);
    backward.getBody().takeBody(draft.getBody());
    draft.erase();
    clean(*block);
    keepTape();

    for (auto [number, position] : llvm::enumerate(active))
      cotangents.add(loop.getInitial()[position], backward.getResult(number));
    for (auto [number, value] : llvm::enumerate(summed))
      cotangents.add(value, backward.getResult(active.size() + number));
    for (auto [number, row] : llvm::enumerate(yieldedRows))
      if (failed(gather(row, backward.getResult(initial.size() + number))))
        return failure();
    return success();
  }

private:
  Type stackedType(Type type) {
    auto rounds = dyn_cast<AffineConstantExpr>(loop.getRounds().getResult(0));
    SmallVector<int64_t> shape{rounds ? rounds.getValue() : ShapedType::kDynamic};
    llvm::append_range(shape, cast<RankedTensorType>(type).getShape());
    return RankedTensorType::get(shape, cast<RankedTensorType>(type).getElementType());
  }

  /// Rounds that did not run have no part in the derivative.
  Value limit() {
    if (loop.hasCondition())
      return loop.getResult(loop.getNumResults() - 1);
    return loop.getLimit();
  }

  // ---- rows
  // -----------------------------------------------------------------------------------------------------------
  /// The axes of a read that the counter determines, if the others do not depend on it.
  std::optional<SmallVector<bool>> rowAxes(IndexSpace space, unsigned input, Value counter) {
    AffineMap map = cast<AffineMapAttr>(space.getMaps()[input]).getValue();
    SmallVector<bool> fixed;
    for (AffineExpr subscript : map.getResults()) {
      bool counted = false, indexed = false;
      for (auto [number, size] : llvm::enumerate(space.getSizes()))
        counted |= size == counter && subscript.isFunctionOfSymbol(number);
      for (unsigned dim = 0; dim < map.getNumDims(); ++dim)
        indexed |= subscript.isFunctionOfDim(dim);
      if (counted && indexed)
        return std::nullopt;
      fixed.push_back(counted);
    }
    return llvm::is_contained(fixed, true) ? std::optional(fixed) : std::nullopt;
  }

  /// Whether the body reads a captured value only at rows of the counter, so that no sum over all of it goes round.
  bool onlyRows(Value value) {
    if (!extentsOf(value))
      return false;
    for (OpOperand &use : value.getUses()) {
      Operation *user = use.getOwner();
      if (!loop.getBody().isAncestor(user->getParentRegion()))
        continue;
      auto space = dyn_cast<EquationOp>(user);
      if (!space || user->getBlock() != &loop.getBody().front())
        return false;
      for (auto [input, tensor] : llvm::enumerate(space.getInputs()))
        if (tensor == value && !rowAxes(space, input, loop.counter()))
          return false;
    }
    return true;
  }

  /// Reads `row` of its tensor in the backward body.
  Value readRow(OpBuilder &at, const Row &row) {
    SmallVector<AffineExpr> extents, subscripts;
    SmallVector<Value> sizes(row.sizes);
    std::optional<Extents> shape = extentsOf(row.tensor);
    auto type = cast<RankedTensorType>(row.tensor.getType());
    SmallVector<int64_t> result;
    for (auto [axis, subscript] : llvm::enumerate(row.subscripts)) {
      if (subscript) {
        subscripts.push_back(subscript);
        continue;
      }
      subscripts.push_back(getAffineDimExpr(extents.size(), context));
      extents.push_back(shape->map.getResult(axis).shiftSymbols(shape->map.getNumSymbols(), row.sizes.size()));
      result.push_back(type.getDimSize(axis));
    }
    llvm::append_range(sizes, shape->symbols);
    return copyAt(at, row.tensor, sizes, extents, subscripts, RankedTensorType::get(result, type.getElementType()));
  }

  Value copyAt(OpBuilder &at, Value tensor, ArrayRef<Value> sizes, ArrayRef<AffineExpr> extents,
               ArrayRef<AffineExpr> subscripts, RankedTensorType type) {
    AffineMap map = AffineMap::get(extents.size(), sizes.size(), subscripts, context);
    auto equation = EquationOp::create(at, location, type, tensor, sizes,
                                       AffineMapAttr::get(AffineMap::get(0, sizes.size(), extents, context)),
                                       at.getAffineMapArrayAttr({map}), ReductionKindAttr());
    Block &block = equation.getBody().emplaceBlock();
    Value element = block.addArgument(type.getElementType(), location);
    OpBuilder inside = OpBuilder::atBlockEnd(&block);
    YieldOp::create(inside, location, element);
    return equation;
  }

  /// The cotangent of x from those of its rows: the adjoint of all rows read at once.
  LogicalResult gather(const Row &row, Value rows) {
    SmallVector<AffineExpr> extents{loop.getRounds().getResult(0)}, subscripts, symbols;
    SmallVector<Value> sizes(loop.getSizes());
    for (Value size : row.sizes) {
      if (size == counter) {
        symbols.push_back(getAffineDimExpr(0, context));
        continue;
      }
      symbols.push_back(getAffineSymbolExpr(sizes.size(), context));
      sizes.push_back(size);
    }
    std::optional<Extents> shape = extentsOf(row.tensor);
    for (auto [axis, subscript] : llvm::enumerate(row.subscripts)) {
      if (subscript) {
        subscripts.push_back(subscript.replaceSymbols(symbols));
        continue;
      }
      subscripts.push_back(getAffineDimExpr(extents.size(), context));
      extents.push_back(shape->map.getResult(axis).shiftSymbols(shape->map.getNumSymbols(), sizes.size()));
    }
    llvm::append_range(sizes, shape->symbols);
    Value all = copyAt(builder, row.tensor, sizes, extents, subscripts, cast<RankedTensorType>(rows.getType()));
    OneMore one(cotangents, all, rows);
    return cast<Differentiable>(all.getDefiningOp()).propagate(one);
  }

  // ---- one round
  // --------------------------------------------------------------------------------------------------------
  /// What the forward loop is to yield besides, and its row in the backward body.
  struct Kept {
    Value value; // in the forward body
    Operation *tape;
    Value row;
  };

  /// Stands for a value kept in all rounds until the forward loop yields it; null if its shape is not known outside.
  Value keep(OpBuilder &atStart, Value value) {
    std::optional<Extents> shape = extentsOf(value);
    if (!shape || llvm::any_of(shape->symbols,
                               [&](Value symbol) { return loop->isAncestor(symbol.getParentBlock()->getParentOp()); }))
      return {};
    Operation *tape =
        UnrealizedConversionCastOp::create(builder, location, TypeRange{stackedType(value.getType())}, ValueRange());
    SmallVector<Value> sizes(shape->symbols);
    SmallVector<AffineExpr> subscripts{getAffineSymbolExpr(sizes.size(), context)};
    for (unsigned axis = 0; axis < shape->map.getNumResults(); ++axis)
      subscripts.push_back(getAffineDimExpr(axis, context));
    sizes.push_back(counter);
    Value row = copyAt(atStart, tape->getResult(0), sizes, shape->map.getResults(), subscripts,
                       cast<RankedTensorType>(value.getType()));
    kept.push_back({value, tape, row});
    return row;
  }

  LogicalResult fill(Block &block, OpBuilder &at) {
    counter = block.getArgument(0);
    IRMapping mapping;
    mapping.map(loop.counter(), counter);
    for (unsigned number = 0; number < carried; ++number) {
      Value row = keep(at, loop.carriedArgument(number));
      if (!row)
        return loop.emitError("the shape of a derivative is not known here");
      mapping.map(loop.carriedArgument(number), row);
    }
    SmallVector<Value> starts;
    for (unsigned number : active)
      starts.push_back(mapping.lookup(loop.carriedArgument(number)));

    SmallVector<std::pair<Value, Value>> again; // what a round computes, here and there
    for (Operation &op : loop.getBody().front().without_terminator()) {
      Operation *copy = at.clone(op, mapping);
      if (auto space = dyn_cast<EquationOp>(copy))
        readRows(space);
      auto equation = dyn_cast<EquationOp>(op);
      if (!loop.getCheckpoint() && ((equation && equation.getReduction()) || isa<LoopOp, ScatterOp>(op)))
        for (auto [here, there] : llvm::zip(copy->getResults(), op.getResults()))
          again.push_back({here, there});
    }
    NextOp next = loop.next();
    SmallVector<Seed> seeds;
    for (auto [number, position] : llvm::enumerate(active))
      addSeed(seeds, mapping.lookupOrDefault(next.getCarried()[position]), block.getArgument(1 + number));
    for (auto [number, yielded] : llvm::enumerate(next.getYields()))
      if (Value dy = cotangents.of(loop.getResult(carried + number)); dy && isReal(yielded)) {
        Row row{dy, {getAffineSymbolExpr(0, context)}, {counter}, {}};
        row.subscripts.resize(cast<RankedTensorType>(dy.getType()).getRank());
        if (!extentsOf(dy))
          return loop.emitError("the shape of a derivative is not known here");
        addSeed(seeds, mapping.lookupOrDefault(yielded), readRow(at, row));
      }
    SmallVector<Value> wanted(starts);
    llvm::append_range(wanted, summed);
    for (Row &row : rows)
      wanted.push_back(row.value);
    FailureOr<SmallVector<Value>> results = differentiateBlock(block, seeds, wanted, at);
    if (failed(results))
      return failure();

    SmallVector<Value> carriedNext, yields;
    for (auto [number, start] : llvm::enumerate(starts)) {
      Value d = (*results)[number];
      if (!d && !(d = zerosLike(at, location, loop.getInitial()[active[number]])))
        return failure();
      carriedNext.push_back(d);
    }
    for (unsigned number = 0; number < summed.size(); ++number) {
      Value sum = block.getArgument(1 + active.size() + number), d = (*results)[active.size() + number];
      if (d && !(d = sumOf(at, location, {sum, d})))
        return failure();
      carriedNext.push_back(d ? d : sum);
    }
    for (auto [number, row] : llvm::enumerate(rows))
      if (Value d = (*results)[active.size() + summed.size() + number]) {
        yields.push_back(d);
        yieldedRows.push_back(row);
      }
    NextOp::create(at, location, carriedNext, yields);

    // Sums that the forward loop has computed are read from the tape.
    OpBuilder atStart = OpBuilder::atBlockBegin(&block);
    for (auto [here, there] : again)
      if (Value row = keep(atStart, there))
        here.replaceAllUsesWith(row);
    return success();
  }

  /// Two seeds of one value, which is carried and yielded, say, are one.
  void addSeed(SmallVector<Seed> &seeds, Value value, Value cotangent) { seeds.push_back({value, cotangent}); }

  /// Reads of captured tensors at rows of the counter become reads of these rows.
  void readRows(EquationOp equation) {
    OpBuilder before(equation);
    SmallVector<Attribute> maps(equation.getMaps().begin(), equation.getMaps().end());
    for (unsigned input = 0; input < maps.size(); ++input) {
      Value tensor = equation.getInputs()[input];
      bool outside =
          !loop->isAncestor(tensor.getParentBlock()->getParentOp()) && tensor.getParentBlock() != equation->getBlock();
      if (!outside || !isReal(tensor) || !cotangents.wants(tensor) || llvm::is_contained(summed, tensor))
        continue;
      std::optional<SmallVector<bool>> fixed = rowAxes(equation, input, counter);
      if (!fixed)
        continue;
      AffineMap map = cast<AffineMapAttr>(maps[input]).getValue();
      Row row{tensor, {}, llvm::to_vector(equation.getSizes()), {}};
      SmallVector<AffineExpr> rest;
      for (auto [axis, subscript] : llvm::enumerate(map.getResults())) {
        row.subscripts.push_back((*fixed)[axis] ? subscript : AffineExpr());
        if (!(*fixed)[axis])
          rest.push_back(subscript);
      }
      row.value = readRow(before, row);
      equation.getInputsMutable()[input].set(row.value);
      maps[input] = AffineMapAttr::get(AffineMap::get(map.getNumDims(), map.getNumSymbols(), rest, context));
      rows.push_back(row);
    }
    equation.setMapsAttr(before.getArrayAttr(maps));
  }

  static void clean(Block &block) {
    SmallVector<Operation *> all;
    for (Operation &op : block.without_terminator())
      all.push_back(&op);
    for (Operation *op : llvm::reverse(all))
      if (isOpTriviallyDead(op))
        op->erase();
  }

  /// The forward loop again, with what is read of the tape as further yields. The old one is dead.
  void keepTape() {
    SmallVector<Kept> used;
    for (Kept &one : kept)
      if (one.tape->use_empty())
        one.tape->erase();
      else
        used.push_back(one);
    if (used.empty())
      return;
    OpBuilder before(loop);
    unsigned ordinary = carried + loop.yieldCount();
    SmallVector<Type> types(loop.getResultTypes());
    for (auto [number, one] : llvm::enumerate(used))
      types.insert(types.begin() + ordinary + number, one.tape->getResult(0).getType());
    auto forward = LoopOp::create(before, location, types, loop.getInitial(), loop.getLimit(), loop.getSizes(),
                                  loop.getRounds(), loop.getReverse(), loop.getCheckpoint());
    IRMapping mapping;
    loop.getBody().cloneInto(&forward.getBody(), mapping);
    loop.getCondition().cloneInto(&forward.getCondition(), mapping);
    for (auto [number, one] : llvm::enumerate(used)) {
      forward.next().getYieldsMutable().append(mapping.lookup(one.value));
      one.tape->getResult(0).replaceAllUsesWith(forward.getResult(ordinary + number));
      one.tape->erase();
    }
    for (unsigned number = 0; number < loop.getNumResults(); ++number)
      loop.getResult(number).replaceAllUsesWith(forward.getResult(number < ordinary ? number : number + used.size()));
  }

  LoopOp loop;
  Cotangents &cotangents;
  OpBuilder &builder;
  Location location;
  MLIRContext *context;
  unsigned carried;
  Value counter;                // of the backward body
  SmallVector<unsigned> active; // carried tensors that have a cotangent
  SmallVector<Value> summed;    // captured values whose cotangents go round
  SmallVector<Row> rows, yieldedRows;
  SmallVector<Kept> kept;
};

} // namespace

LogicalResult LoopOp::propagate(Cotangents &cotangents) { return LoopAdjoint(*this, cotangents).run(); }
