// Emits a reduction whose lanes run over a reduction dim: several vector accumulators, combined in a fixed order into
// one element, so the result depends on the shape alone.
#include "Tile.h"
#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/Utils/VectorUtils.h"

using namespace mlir;

namespace nacre::loops {

static std::optional<vector::CombiningKind> kindOf(Operation *op) {
  using Kind = vector::CombiningKind;
  return llvm::TypeSwitch<Operation *, std::optional<Kind>>(op)
      .Case<arith::AddFOp, arith::AddIOp>([](auto) { return Kind::ADD; })
      .Case<arith::MulFOp, arith::MulIOp>([](auto) { return Kind::MUL; })
      .Case([](arith::MaximumFOp) { return Kind::MAXIMUMF; })
      .Case([](arith::MinimumFOp) { return Kind::MINIMUMF; })
      .Case([](arith::MaxNumFOp) { return Kind::MAXNUMF; })
      .Case([](arith::MinNumFOp) { return Kind::MINNUMF; })
      .Case([](arith::MaxSIOp) { return Kind::MAXSI; })
      .Case([](arith::MinSIOp) { return Kind::MINSI; })
      .Case([](arith::MaxUIOp) { return Kind::MAXUI; })
      .Case([](arith::MinUIOp) { return Kind::MINUI; })
      .Case([](arith::AndIOp) { return Kind::AND; })
      .Case([](arith::OrIOp) { return Kind::OR; })
      .Case([](arith::XOrIOp) { return Kind::XOR; })
      .Default([](Operation *) { return std::nullopt; });
}

bool isExactInAnyOrder(linalg::LinalgOp root) {
  std::optional<SmallVector<Combiner>> combiners = combinersOf(root);
  return combiners && llvm::none_of(*combiners, [](const Combiner &combiner) {
           return isa<arith::AddFOp, arith::MulFOp>(combiner.op);
         });
}

std::optional<SmallVector<Combiner>> combinersOf(linalg::LinalgOp root) {
  SmallVector<Combiner> combiners;
  for (unsigned output = 0; output < root.getNumDpsInits(); ++output) {
    SmallVector<Operation *> ops;
    if (!matchReduction(root.getRegionOutputArgs(), output, ops) || ops.size() != 1)
      return std::nullopt;
    std::optional<vector::CombiningKind> kind = kindOf(ops.front());
    if (!kind || !arith::getNeutralElement(ops.front()))
      return std::nullopt;
    combiners.push_back({ops.front(), *kind});
  }
  return combiners;
}

namespace {
class AcrossEmitter {
public:
  AcrossEmitter(PointEmitter &emitter, const Kernel &kernel, const Tile &tile, const EmitOptions &options)
      : emitter(emitter), b(emitter.builder), loc(emitter.loc), kernel(kernel), tile(tile), options(options),
        root(kernel.root().op), combiners(*combinersOf(root)) {}

  void emit() {
    extents = extentsOf(emitter, kernel);
    at.assign(kernel.rank(), Index{});
    SmallVector<unsigned> outer;
    SmallVector<Count> axes;
    for (unsigned d = 0; d < kernel.rank(); ++d) {
      if (!kernel.reduction[d]) {
        outer.push_back(d);
        axes.push_back(extents[d]);
      } else if (d != tile.lane) {
        others.push_back(d);
      }
    }
    int64_t cycles = kernel.reductionSize(64) * bodyCost(kernel, false) / tile.lanes + 8;
    parallelLoop(emitter, axes, cycles, options.threads, [&](ArrayRef<Value> position) {
      for (auto [d, value] : llvm::zip(outer, position))
        at[d] = extents[d].known == 1 ? Index{} : Index{value, 0, 1};
      emitPoint();
    });
  }

private:
  Value combine(unsigned output, Value left, Value right) {
    return vector::makeArithReduction(b, loc, combiners[output].kind, left, right);
  }

  void emitPoint() {
    unsigned outputs = combiners.size();
    SmallVector<Value> neutral;
    for (Combiner &combiner : combiners) {
      TypedAttr element = *arith::getNeutralElement(combiner.op);
      auto type = VectorType::get({tile.lanes}, element.getType());
      neutral.push_back(arith::ConstantOp::create(b, loc, DenseElementsAttr::get(type, Attribute(element))));
    }
    SmallVector<Value> carried; // [accumulator][output]
    for (int64_t u = 0; u < tile.vectors; ++u)
      llvm::append_range(carried, neutral);
    carried = overOthers(0, carried);

    // Pairs, then pairs of pairs; then across the lanes.
    for (int64_t half = tile.vectors / 2; half >= 1; half /= 2)
      for (int64_t u = 0; u < half; ++u)
        for (unsigned o = 0; o < outputs; ++o)
          carried[u * outputs + o] = combine(o, carried[u * outputs + o], carried[(u + half) * outputs + o]);
    Point point{at, -1, 1, nullptr};
    SmallVector<Value> results;
    for (unsigned o = 0; o < outputs; ++o) {
      OpOperand *output = root.getDpsInitOperand(o);
      Value total = vector::ReductionOp::create(b, loc, combiners[o].kind, carried[o], arith::FastMathFlags::reassoc);
      Value start = kernel.initial[o];
      if (!start)
        start = emitter.load(output->get(), kernel.root().maps[output->getOperandNumber()], point);
      results.push_back(combine(o, start, total));
    }
    finish(emitter, kernel, results, point);
  }

  SmallVector<Value> overOthers(unsigned level, ValueRange carried) {
    if (level == others.size())
      return overLanes(carried);
    return forLoop(emitter, Count::of(0), extents[others[level]], 1, carried, [&](Value iv, ValueRange values) {
      at[others[level]] = extents[others[level]].known == 1 ? Index{} : Index{iv, 0, 1};
      return overOthers(level + 1, values);
    });
  }

  /// Whole groups of vectors, whole vectors, and what is left under a mask.
  SmallVector<Value> overLanes(ValueRange carried) {
    const Count &extent = extents[tile.lane];
    int64_t lanes = tile.lanes, wide = lanes * tile.vectors;
    unsigned outputs = combiners.size();
    Count afterWide = roundedDown(extent, wide), afterWhole = roundedDown(extent, lanes);
    SmallVector<Value> values(carried);
    values = forLoop(emitter, Count::of(0), afterWide, wide, values, [&](Value iv, ValueRange now) {
      SmallVector<Value> next;
      for (int64_t u = 0; u < tile.vectors; ++u)
        llvm::append_range(next, update(Index{iv, u * lanes, lanes}, nullptr, now.slice(u * outputs, outputs)));
      return next;
    });
    SmallVector<Value> first = llvm::to_vector(ArrayRef(values).take_front(outputs));
    if (tile.vectors > 1)
      first = forLoop(emitter, afterWide, afterWhole, lanes, first,
                      [&](Value iv, ValueRange now) { return update(Index{iv, 0, lanes}, nullptr, now); });
    if (!extent.isKnown() || extent.known % lanes) {
      Value begin = materialise(emitter, afterWhole);
      Value left = arith::SubIOp::create(b, loc, materialise(emitter, extent), begin);
      if (extent.isKnown())
        left = emitter.constant(extent.known % lanes);
      Value mask = emitter.firstLanes(lanes, left);
      first = update(Index{begin, 0, lanes}, mask, first);
    }
    llvm::copy(first, values.begin());
    return values;
  }

  Count roundedDown(const Count &extent, int64_t unit) {
    if (extent.isKnown())
      return Count::of(extent.known / unit * unit);
    Value by = emitter.constant(unit);
    return {ShapedType::kDynamic, arith::MulIOp::create(b, loc, arith::DivUIOp::create(b, loc, extent.value, by), by)};
  }

  SmallVector<Value> update(Index index, Value mask, ValueRange carried) {
    Point point{at, int(tile.lane), tile.lanes, mask};
    point.at[tile.lane] = index;
    SmallVector<Value> arguments;
    for (OpOperand *operand : root.getDpsInputOperands()) {
      if (root.payloadUsesValueFromOperand(operand))
        arguments.push_back(emitter.load(operand->get(), kernel.root().maps[operand->getOperandNumber()], point));
      else
        arguments.push_back(arith::ConstantOp::create(b, loc, b.getZeroAttr(getElementTypeOrSelf(operand->get()))));
    }
    llvm::append_range(arguments, carried);
    SmallVector<Value> next = emitter.body(kernel.root(), arguments, point);
    if (mask)
      for (auto [value, before] : llvm::zip(next, carried))
        value = arith::SelectOp::create(b, loc, mask, value, before);
    return next;
  }

  PointEmitter &emitter;
  OpBuilder &b;
  Location loc;
  const Kernel &kernel;
  const Tile &tile;
  const EmitOptions &options;
  linalg::LinalgOp root;
  SmallVector<Combiner> combiners;
  SmallVector<Count> extents;
  SmallVector<Index> at;
  SmallVector<unsigned> others; // reduction dims besides the lanes'
};
} // namespace

void emitReduceAcross(PointEmitter &emitter, const Kernel &kernel, const Tile &tile, const EmitOptions &options) {
  AcrossEmitter(emitter, kernel, tile, options).emit();
}

} // namespace nacre::loops
