// `@checkpoint` on a loop of T rounds: it becomes a loop over segments of S = ceil(sqrt(T)) rounds, and a rest.
//
// The adjoint of the loop over segments keeps what is carried at the start of each (T / S times) and computes a segment
// again, whose own adjoint keeps what it needs of S rounds.
#include "differentiate/Differentiate.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "ops/Extents.h"
#include "ops/Ops.h"

using namespace mlir;
using namespace nacre;

namespace {

class Segments {
public:
  Segments(LoopOp loop, int64_t rounds)
      : loop(loop), builder(loop), location(loop.getLoc()), rounds(rounds), carried(loop.carriedCount()) {}

  bool run() {
    for (unsigned number = carried; number < loop.getNumResults(); ++number)
      if (!extentsOf(loop.getResult(number)))
        return false;
    int64_t length = 1;
    while (length * length < rounds)
      ++length;
    int64_t count = rounds / length, rest = rounds % length;
    SmallVector<Value> state(loop.getInitial());
    SmallVector<SmallVector<Value>> parts(loop.yieldCount()); // by the counter
    auto runRest = [&] {
      if (rest == 0)
        return;
      Value start = arith::ConstantIndexOp::create(builder, location, count * length);
      LoopOp some = part(builder, state, rest, start);
      state.assign(some.getResults().begin(), some.getResults().begin() + carried);
      for (auto [number, list] : llvm::enumerate(parts))
        list.push_back(some.getResult(carried + number));
    };
    if (loop.getReverse())
      runRest();
    LoopOp outer = segments(state, count, length);
    state.assign(outer.getResults().begin(), outer.getResults().begin() + carried);
    for (auto [number, list] : llvm::enumerate(parts))
      list.insert(list.begin(), flat(outer.getResult(carried + number), number, count * length));
    if (!loop.getReverse())
      runRest();
    for (unsigned number = 0; number < carried; ++number)
      loop.getResult(number).replaceAllUsesWith(state[number]);
    for (auto [number, list] : llvm::enumerate(parts))
      loop.getResult(carried + number).replaceAllUsesWith(joined(list, number));
    loop.erase();
    return true;
  }

private:
  AffineMap constant(int64_t number) { return AffineMap::getConstantMap(number, builder.getContext()); }
  static Type stacked(Type type, int64_t count) {
    auto tensor = cast<RankedTensorType>(type);
    SmallVector<int64_t> shape{count};
    llvm::append_range(shape, tensor.getShape());
    return RankedTensorType::get(shape, tensor.getElementType());
  }

  /// Rounds start .. start + count - 1 of the loop.
  LoopOp part(OpBuilder &at, ValueRange initial, int64_t count, Value start) {
    SmallVector<Type> types(initial.getTypes());
    for (Value yielded : loop.next().getYields())
      types.push_back(stacked(yielded.getType(), count));
    auto some =
        LoopOp::create(at, location, types, initial, Value(), ValueRange(), constant(count), loop.getReverse(), false);
    IRMapping mapping;
    loop.getBody().cloneInto(&some.getBody(), mapping);
    Value counter = some.counter();
    OpBuilder inside = OpBuilder::atBlockBegin(&some.getBody().front());
    Value place = arith::AddIOp::create(inside, location, start, counter);
    counter.replaceAllUsesExcept(place, place.getDefiningOp());
    // Where rows are read, the counter itself is to be seen.
    some.getBody().walk([&](EquationOp equation) { split(equation, place, start, counter); });
    return some;
  }

  /// Writes a size as the sum of two others.
  static void split(EquationOp equation, Value sum, Value a, Value b) {
    auto found = llvm::find(equation.getSizes(), sum);
    if (found == equation.getSizes().end())
      return;
    MLIRContext *context = equation.getContext();
    unsigned number = found - equation.getSizes().begin(), last = equation.getSizes().size();
    SmallVector<AffineExpr> symbols;
    for (unsigned symbol = 0; symbol < last; ++symbol)
      symbols.push_back(getAffineSymbolExpr(symbol, context));
    symbols[number] = symbols[number] + getAffineSymbolExpr(last, context);
    auto rewrite = [&](AffineMap map) { return map.replaceDimsAndSymbols({}, symbols, map.getNumDims(), last + 1); };
    equation.getSizesMutable()[number].set(a);
    equation.getSizesMutable().append(b);
    equation.setExtents(rewrite(equation.getExtents()));
    SmallVector<AffineMap> maps;
    for (AffineMap map : equation.getMaps().getAsValueRange<AffineMapAttr>())
      maps.push_back(rewrite(map));
    equation.setMapsAttr(Builder(context).getAffineMapArrayAttr(maps));
    equation.getBody().walk([&](IndexOp op) { op.setExpression(rewrite(op.getExpression())); });
  }

  LoopOp segments(ValueRange initial, int64_t count, int64_t length) {
    SmallVector<Type> types(initial.getTypes());
    for (Value yielded : loop.next().getYields())
      types.push_back(stacked(stacked(yielded.getType(), length), count));
    auto outer = LoopOp::create(builder, location, types, initial, Value(), ValueRange(), constant(count),
                                loop.getReverse(), true);
    Block &block = outer.getBody().emplaceBlock();
    Value segment = block.addArgument(builder.getIndexType(), location);
    SmallVector<Value> state;
    for (Value value : initial)
      state.push_back(block.addArgument(value.getType(), location));
    OpBuilder inside = OpBuilder::atBlockEnd(&block);
    Value step = arith::ConstantIndexOp::create(inside, location, length);
    Value start = arith::MulIOp::create(inside, location, segment, step);
    LoopOp some = part(inside, state, length, start);
    NextOp::create(inside, location, some.getResults().take_front(carried), some.getResults().drop_front(carried));
    return outer;
  }

  /// [count, length, ...] as [count * length, ...].
  Value flat(Value tensor, unsigned number, int64_t rows) {
    Value old = loop.getResult(carried + number);
    return ReshapeOp::create(builder, location, stacked(loop.next().getYields()[number].getType(), rows), tensor,
                             extentsOf(old)->symbols, AffineMapAttr::get(withRows(old, rows)));
  }

  AffineMap withRows(Value old, int64_t rows) {
    AffineMap map = extentsOf(old)->map;
    SmallVector<AffineExpr> extents(map.getResults());
    extents[0] = builder.getAffineConstantExpr(rows);
    return AffineMap::get(0, map.getNumSymbols(), extents, builder.getContext());
  }

  Value joined(ArrayRef<Value> list, unsigned number) {
    Value old = loop.getResult(carried + number);
    if (list.size() == 1)
      return list.front();
    return ConcatOp::create(builder, location, old.getType(), list, extentsOf(old)->symbols,
                            AffineMapAttr::get(withRows(old, rounds)), builder.getI64IntegerAttr(0));
  }

  LoopOp loop;
  OpBuilder builder;
  Location location;
  int64_t rounds;
  unsigned carried;
};

} // namespace

void nacre::segmentCheckpoints(Operation *root) {
  SmallVector<LoopOp> loops;
  root->walk([&](LoopOp loop) {
    auto rounds = dyn_cast<AffineConstantExpr>(loop.getRounds().getResult(0));
    if (loop.getCheckpoint() && rounds && rounds.getValue() >= 9 && !loop.hasCondition() && !loop.getLimit())
      loops.push_back(loop);
  });
  for (LoopOp loop : loops)
    Segments(loop, cast<AffineConstantExpr>(loop.getRounds().getResult(0)).getValue()).run();
}
