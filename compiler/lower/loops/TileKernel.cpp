// Emits a kernel as register tiles: rows x vectors accumulators carried through the reduction loops, the epilogues on
// the registers, one store. An elementwise op is the tile of one row, one vector and no reduction.
#include "Access.h"
#include "InlinePacking.h"
#include "Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include <map>

using namespace mlir;

namespace nacre::loops {

SmallVector<Count> extentsOf(PointEmitter &emitter, const Kernel &kernel) {
  linalg::LinalgOp root = kernel.root().op;
  SmallVector<Range, 4> ranges;
  if (llvm::any_of(kernel.extents, ShapedType::isDynamic))
    ranges = root.createLoopRanges(emitter.builder, emitter.loc);
  SmallVector<Count> counts;
  for (auto [d, extent] : llvm::enumerate(kernel.extents)) {
    if (ShapedType::isDynamic(extent))
      counts.push_back({extent, getValueOrCreateConstantIndexOp(emitter.builder, emitter.loc, ranges[d].size)});
    else
      counts.push_back(Count::of(extent));
  }
  return counts;
}

void finish(PointEmitter &emitter, const Kernel &kernel, ArrayRef<Value> results, const Point &point) {
  SmallVector<SmallVector<Value>> produced{SmallVector<Value>(results)};
  for (auto [index, step] : llvm::enumerate(kernel.steps)) {
    linalg::LinalgOp op = step.op;
    if (index > 0) {
      SmallVector<Value> arguments;
      for (OpOperand &operand : op->getOpOperands()) {
        unsigned number = operand.getOperandNumber();
        Value argument;
        for (auto [position, source] : step.forwarded)
          if (position == number)
            argument = produced[source / 16][source % 16];
        if (!argument && (!op.isDpsInit(&operand) || op.payloadUsesValueFromOperand(&operand)))
          argument = emitter.load(operand.get(), step.maps[number], point);
        if (!argument) // an output that the body does not read
          argument = arith::ConstantOp::create(emitter.builder, emitter.loc,
                                               emitter.builder.getZeroAttr(getElementTypeOrSelf(operand.get())));
        arguments.push_back(argument);
      }
      produced.push_back(emitter.body(step, arguments, point));
    }
    for (auto [output, value] : llvm::enumerate(produced.back()))
      if (step.stored[output])
        emitter.store(value, op.getDpsInits()[output], step.maps[op.getNumDpsInputs() + output], point);
  }
}

void transpose(PointEmitter &emitter, MutableArrayRef<Value> square) {
  int64_t lanes = square.size();
  for (int64_t size = 1; size < lanes; size *= 2) {
    SmallVector<int64_t> upper, lower; // of two vectors, the second counted from `lanes`
    for (int64_t place = 0; place < lanes; ++place) {
      bool high = place & size;
      upper.push_back(high ? lanes + place - size : place);
      lower.push_back(high ? lanes + place : place + size);
    }
    for (int64_t lane = 0; lane < lanes; ++lane) {
      if (lane & size)
        continue;
      Value a = square[lane], c = square[lane + size];
      square[lane] = vector::ShuffleOp::create(emitter.builder, emitter.loc, a, c, upper);
      square[lane + size] = vector::ShuffleOp::create(emitter.builder, emitter.loc, a, c, lower);
    }
  }
}

namespace {
struct Columns {
  Count count;   // tiles
  Index first;   // column of the first tile
  int64_t width; // columns from one tile to the next
  int64_t group; // tiles of `vectors` inside
  int64_t vectors;
  SmallVector<Value> masks; // per vector; null: all lanes
};

class TileEmitter {
public:
  TileEmitter(PointEmitter &emitter, const Kernel &kernel, const Tile &tile, const EmitOptions &options,
              const InlinePacking *copy)
      : emitter(emitter), b(emitter.builder), loc(emitter.loc), kernel(kernel), tile(tile), options(options),
        copy(copy) {
    if (copy)
      panel.emplace(emitter, kernel, tile, *copy);
  }

  void emit() {
    extents = extentsOf(emitter, kernel);
    stream = panelStream(kernel, tile);
    at.assign(kernel.rank(), Index{});
    for (unsigned d = 0; d < kernel.rank(); ++d) {
      if (kernel.reduction[d])
        reductions.push_back(d);
      else if (d != tile.lane && int(d) != tile.row)
        outer.push_back(d);
    }
    if (tile.columnsParallel) {
      for (const Columns &columns : columnSegments())
        emitNest(columns.count, [&](Value index) { emitColumns(columns, index); });
    } else {
      SmallVector<Columns, 3> segments = columnSegments();
      emitNest(std::nullopt, [&](Value) {
        for (const Columns &columns : segments)
          forLoop(emitter, Count::of(0), columns.count, 1, [&](Value index) { emitColumns(columns, index); });
      });
    }
  }

private:
  int64_t rowExtent() const { return tile.row < 0 ? 1 : kernel.extents[tile.row]; }

  /// Columns cut into whole groups of tiles, the tiles left over, and a last one that is narrower or masked.
  SmallVector<Columns, 3> columnSegments() {
    const Count &extent = extents[tile.lane];
    int64_t width = tile.vectors * tile.lanes, wide = width * tile.group;
    SmallVector<Columns, 3> segments;
    if (extent.isKnown()) {
      int64_t groups = extent.known / wide, singles = extent.known % wide / width, rest = extent.known % width;
      if (groups)
        segments.push_back({Count::of(groups), {nullptr, 0, wide}, wide, tile.group, tile.vectors, {}});
      if (singles)
        segments.push_back({Count::of(singles), {nullptr, groups * wide, width}, width, 1, tile.vectors, {}});
      if (rest) {
        int64_t vectors = llvm::divideCeil(rest, tile.lanes);
        SmallVector<Value> masks(vectors);
        if (rest % tile.lanes)
          masks.back() = emitter.firstLanes(tile.lanes, emitter.constant(rest % tile.lanes));
        segments.push_back({Count::of(1), {nullptr, extent.known - rest, width}, width, 1, vectors, masks});
      }
    } else {
      Value by = emitter.constant(width), start = emitter.constant(0), left = extent.value;
      if (tile.group > 1) {
        Value groups = arith::DivUIOp::create(b, loc, extent.value, emitter.constant(wide));
        segments.push_back({{ShapedType::kDynamic, groups}, {nullptr, 0, wide}, wide, tile.group, tile.vectors, {}});
        start = arith::MulIOp::create(b, loc, groups, emitter.constant(wide));
        left = arith::RemUIOp::create(b, loc, extent.value, emitter.constant(wide));
      }
      Value whole = arith::DivUIOp::create(b, loc, left, by);
      Value rest = arith::RemUIOp::create(b, loc, left, by);
      Index first = tile.group > 1 ? Index{start, 0, width} : Index{nullptr, 0, width};
      segments.push_back({{ShapedType::kDynamic, whole}, first, width, 1, tile.vectors, {}});
      SmallVector<Value> masks;
      for (int64_t v = 0; v < tile.vectors; ++v) { // create_mask takes a count below zero as none
        Value lanes = arith::SubIOp::create(b, loc, rest, emitter.constant(v * tile.lanes));
        masks.push_back(emitter.firstLanes(tile.lanes, lanes));
      }
      Value one = emitter.constant(1), some = arith::MinUIOp::create(b, loc, rest, one);
      Value end = arith::AddIOp::create(b, loc, start, arith::MulIOp::create(b, loc, whole, by));
      segments.push_back({{ShapedType::kDynamic, some}, {end, 0, width}, width, 1, tile.vectors, masks});
    }
    return segments;
  }

  /// Work per iteration of the parallel nest, in cycles.
  int64_t cyclesPerIteration(bool columnsInside) {
    auto known = [](int64_t extent, int64_t guess) { return ShapedType::isDynamic(extent) ? guess : extent; };
    int64_t points = kernel.reductionSize();
    if (tile.row >= 0)
      points *= tile.rowBlock ? tile.rowBlock : known(rowExtent(), 16);
    int64_t atOnce = tile.vectors * tile.lanes * tile.group;
    int64_t columns = known(kernel.extents[tile.lane], columnsInside ? 64 : atOnce);
    if (!columnsInside)
      columns = std::min(columns, atOnce);
    int64_t vectors = llvm::divideCeil(columns, tile.lanes);
    int64_t arithmetic = points * vectors * (bodyCost(kernel, true) + 12 * int64_t(tile.turned.size())) / 2;
    // A few rows read each vector of the panel once or twice, from the second-level cache at best: two cycles each.
    bool fewRows = kernel.hasReduction() && (tile.row < 0 || known(rowExtent(), 16) < 4);
    int64_t streaming = fewRows ? kernel.reductionSize() * vectors * 2 : 0;
    return std::max(arithmetic, streaming) +
           points / kernel.reductionSize() * columns / tile.lanes * bodyCost(kernel, false);
  }

  void emitNest(std::optional<Count> columns, function_ref<void(Value)> body) {
    SmallVector<Count> axes;
    for (unsigned d : outer)
      axes.push_back(extents[d]);
    Count blocks = Count::of(1);
    if (tile.row >= 0 && tile.rowBlock) {
      const Count &rows = extents[tile.row];
      if (rows.isKnown())
        blocks = Count::of(llvm::divideCeil(rows.known, tile.rowBlock));
      else
        blocks.value = arith::CeilDivUIOp::create(b, loc, rows.value, emitter.constant(tile.rowBlock)),
        blocks.known = ShapedType::kDynamic;
    }
    axes.push_back(blocks);
    if (columns) {
      if (tile.columnsOutermost)
        axes.insert(axes.begin(), *columns);
      else
        axes.push_back(*columns);
    }
    parallelLoop(emitter, axes, cyclesPerIteration(!columns), options.threads, [&](ArrayRef<Value> position) {
      Value column;
      if (columns) {
        column = tile.columnsOutermost ? position.front() : position.back();
        position = tile.columnsOutermost ? position.drop_front() : position.drop_back();
      }
      for (auto [d, value] : llvm::zip(outer, position))
        at[d] = extents[d].known == 1 ? Index{} : Index{value, 0, 1};
      rowBlockIndex = position.back();
      body(column);
    });
  }

  void emitColumns(const Columns &columns, Value index) {
    Index base = columns.first;
    if (columns.count.known != 1) {
      Value moved = arith::MulIOp::create(b, loc, index, emitter.constant(columns.width),
                                          arith::IntegerOverflowFlags::nsw | arith::IntegerOverflowFlags::nuw);
      base.base = base.base ? Value(arith::AddIOp::create(b, loc, base.base, moved)) : moved;
    }
    if (copy)
      return emitBlocks(columns, base);
    emitRows(columns, base);
  }

  /// The reduction in blocks: each is packed, then all rows take it in. Between blocks the sums lie in the result.
  void emitBlocks(const Columns &columns, Index base) {
    int64_t steps = kernel.extents[copy->step], count = llvm::divideCeil(steps, copy->depth);
    auto run = [&](Index start, int64_t length, bool first, bool last) {
      block = {start, length, first, last};
      panel->fill(at, base, start, length, columns.masks, columns.vectors);
      emitRows(columns, base);
    };
    run({}, std::min(copy->depth, steps), true, count == 1);
    forLoop(emitter, Count::of(1), Count::of(count - 1), 1, [&](Value number) {
      Value start = arith::MulIOp::create(b, loc, number, emitter.constant(copy->depth));
      run({start, 0, 1}, copy->depth, false, false);
    });
    if (count > 1)
      run({nullptr, (count - 1) * copy->depth, 1}, steps - (count - 1) * copy->depth, false, true);
  }

  void emitRows(const Columns &columns, Index base) {
    if (tile.row < 0)
      return emitGroup(columns, base, 1, Index{});
    const Count &extent = extents[tile.row];
    bool blocked = tile.rowBlock > 0 && extent.known != tile.rowBlock;
    if (extent.isKnown() && (!blocked || extent.known % tile.rowBlock == 0)) {
      // Tiles of two heights, h and h - 1, so that none is much smaller than the others.
      int64_t size = blocked ? tile.rowBlock : extent.known;
      int64_t tiles = llvm::divideCeil(size, tile.rows), height = llvm::divideCeil(size, tiles);
      int64_t tall = size - tiles * (height - 1);
      Value origin;
      if (blocked)
        origin = arith::MulIOp::create(b, loc, rowBlockIndex, emitter.constant(tile.rowBlock));
      auto run = [&](int64_t begin, int64_t end, int64_t step) {
        forLoop(emitter, Count::of(begin), Count::of(end), step, [&](Value row) {
          if (end - begin == step && !origin)
            return emitGroup(columns, base, step, Index{nullptr, begin, 1});
          Value position = origin ? Value(arith::AddIOp::create(b, loc, origin, row)) : row;
          emitGroup(columns, base, step, Index{position, 0, 1});
        });
      };
      run(0, tall * height, height);
      run(tall * height, size, height - 1);
      return;
    }
    Value end = materialise(emitter, extent), row = emitter.constant(0);
    if (blocked) {
      row = arith::MulIOp::create(b, loc, rowBlockIndex, emitter.constant(tile.rowBlock));
      Value next = arith::AddIOp::create(b, loc, row, emitter.constant(tile.rowBlock));
      end = arith::MinUIOp::create(b, loc, next, end);
    }
    SmallVector<int64_t> heights{tile.rows};
    if (tile.rows > 4)
      heights.push_back(4);
    if (tile.rows > 1)
      heights.push_back(1);
    for (int64_t height : heights) {
      Value stop = end;
      if (height > 1) {
        Value left = arith::SubIOp::create(b, loc, end, row), by = emitter.constant(height);
        Value whole = arith::MulIOp::create(b, loc, arith::DivUIOp::create(b, loc, left, by), by);
        stop = arith::AddIOp::create(b, loc, row, whole);
      }
      forLoop(emitter, {ShapedType::kDynamic, row}, {ShapedType::kDynamic, stop}, height,
              [&](Value position) { emitGroup(columns, base, height, Index{position, 0, 1}); });
      row = stop;
    }
  }

  /// The tiles of a group one after the other; a sum in a single row takes them all at once, to have accumulators
  /// enough.
  void emitGroup(const Columns &columns, Index base, int64_t height, Index row) {
    if (columns.group == 1 || (height == 1 && kernel.hasReduction()))
      return emitTile(height, row, base, columns.vectors * columns.group, columns.masks);
    int64_t width = columns.vectors * tile.lanes;
    forLoop(emitter, Count::of(0), Count::of(columns.group), 1, [&](Value index) {
      Value moved = arith::MulIOp::create(b, loc, index, emitter.constant(width),
                                          arith::IntegerOverflowFlags::nsw | arith::IntegerOverflowFlags::nuw);
      if (base.base)
        moved = arith::AddIOp::create(b, loc, base.base, moved,
                                      arith::IntegerOverflowFlags::nsw | arith::IntegerOverflowFlags::nuw);
      emitTile(height, row, Index{moved, base.offset, width}, columns.vectors, {});
    });
  }

  Point pointAt(Index row, int64_t r, Index base, int64_t v, ArrayRef<Value> masks) {
    Point point{at, int(tile.lane), tile.lanes, masks.empty() ? Value() : masks[v]};
    base.offset += v * tile.lanes;
    point.at[tile.lane] = base;
    if (tile.row >= 0) {
      row.offset += r;
      point.at[tile.row] = row;
    }
    return point;
  }

  void emitTile(int64_t height, Index row, Index base, int64_t vectors, ArrayRef<Value> masks) {
    linalg::LinalgOp root = kernel.root().op;
    unsigned outputs = root.getNumDpsInits();
    SmallVector<Value> accumulators; // [row][vector][output]
    for (int64_t r = 0; r < height; ++r)
      for (int64_t v = 0; v < vectors; ++v)
        for (unsigned o = 0; o < outputs; ++o) {
          OpOperand *output = root.getDpsInitOperand(o);
          Value start = kernel.initial[o];
          Point point = pointAt(row, r, base, v, masks);
          if (!block.first)
            start = {};
          if (!start && (kernel.hasReduction() || root.payloadUsesValueFromOperand(output)))
            start = emitter.load(output->get(), kernel.root().maps[output->getOperandNumber()], point);
          if (!start)
            start = arith::ConstantOp::create(b, loc, b.getZeroAttr(getElementTypeOrSelf(output->get())));
          accumulators.push_back(kernel.hasReduction() ? emitter.broadcast(start, tile.lanes) : start);
        }
    accumulators = reduce(
        0, accumulators, [&](ValueRange carried) { return step(height, row, base, vectors, masks, carried); },
        height * vectors);
    for (int64_t r = 0; r < height; ++r)
      for (int64_t v = 0; v < vectors; ++v)
        if (block.last)
          finish(emitter, kernel, ArrayRef(accumulators).slice((r * vectors + v) * outputs, outputs),
                 pointAt(row, r, base, v, masks));
        else
          emitter.store(accumulators[r * vectors + v], root.getDpsInits()[0], kernel.root().maps.back(),
                        pointAt(row, r, base, v, masks));
  }

  using Leaf = function_ref<SmallVector<Value>(ValueRange)>;

  /// The reduction loops from number `level` inwards. Short inner ones are written out.
  SmallVector<Value> reduce(unsigned level, ValueRange carried, Leaf leaf, int64_t size) {
    if (level == reductions.size())
      return leaf(carried);
    unsigned dim = reductions[level];
    int64_t inside = 1; // iterations of everything from here inwards
    for (unsigned d : ArrayRef(reductions).drop_front(level))
      inside = std::min<int64_t>(ShapedType::isDynamic(kernel.extents[d]) ? 1000 : inside * kernel.extents[d], 1000);
    auto each = [&](Index index, ValueRange values) {
      at[dim] = copy ? globalStep(emitter, block.start, index) : index;
      block.step = index;
      block.number = index.offset;
      return reduce(level + 1, values, leaf, size);
    };
    Count count = copy ? Count::of(block.length) : extents[dim];
    int64_t extent = count.known;
    if (inside <= 32 && inside * size <= 128) {
      SmallVector<Value> values(carried);
      for (int64_t i = 0; i < extent; ++i)
        values = each(Index{nullptr, i, 1}, values);
      return values;
    }
    int64_t unroll = 1; // enough independent work in an iteration to hide the loop itself
    if (level + 1 == reductions.size() && !ShapedType::isDynamic(extent))
      for (int64_t factor : {4, 2}) // fetching ahead wants one line in four steps
        if ((size * factor <= 32 || copy || stream) && extent % factor == 0) {
          unroll = factor;
          break;
        }
    return forLoop(emitter, Count::of(0), count, unroll, carried, [&](Value iv, ValueRange values) {
      SmallVector<Value> next(values);
      for (int64_t u = 0; u < unroll; ++u)
        next = each(Index{iv, u, 1}, next);
      return next;
    });
  }

  /// The vectors of all rows of a square whose rows lie side by side in memory and whose lanes do not: one vector along
  /// the rows is loaded per lane.
  SmallVector<Value> turn(Value memref, AffineMap map, int64_t height, Index row, Index base) {
    SmallVector<Value> square;
    Value mask = height < tile.lanes ? emitter.firstLanes(tile.lanes, emitter.constant(height)) : Value();
    for (int64_t lane = 0; lane < tile.lanes; ++lane) {
      Point point{at, tile.row, tile.lanes, mask};
      point.at[tile.row] = row;
      point.at[tile.lane] = base;
      point.at[tile.lane].offset += lane;
      square.push_back(emitter.load(memref, map, point));
    }
    transpose(emitter, square);
    return square;
  }

  /// One update of all accumulators at the present reduction indices. What does not change from row to row, or from
  /// vector to vector, is loaded once.
  SmallVector<Value> step(int64_t height, Index row, Index base, int64_t vectors, ArrayRef<Value> masks,
                          ValueRange carried) {
    const Step &root = kernel.root();
    linalg::LinalgOp op = root.op;
    unsigned inputs = op.getNumDpsInputs(), outputs = op.getNumDpsInits();
    std::map<std::tuple<unsigned, int64_t, int64_t>, Value> loaded;
    SmallVector<Value> next;
    if (block.number % 4 != 0 || !masks.empty())
      ;
    else if (copy)
      panel->prefetch(at, base, block.start, block.length, block.last, row, height, block.step);
    else if (stream)
      prefetchShare(emitter, kernel, *stream, tile, pointAt(row, 0, base, 0, masks), height);
    if (2 * height >= tile.lanes) // few rows are not worth whole squares
      for (unsigned number : tile.turned)
        for (int64_t v = 0; v < vectors; ++v) {
          OpOperand &operand = op->getOpOperand(number);
          if ((!masks.empty() && masks[v]) || !op.payloadUsesValueFromOperand(&operand))
            continue; // lanes beyond the end must not be read
          Index column = base;
          column.offset += v * tile.lanes;
          SmallVector<Value> square = turn(operand.get(), root.maps[number], height, row, column);
          for (int64_t r = 0; r < height; ++r)
            loaded[{number, r, v}] = square[r];
        }
    for (int64_t r = 0; r < height; ++r)
      for (int64_t v = 0; v < vectors; ++v) {
        Point point = pointAt(row, r, base, v, masks);
        SmallVector<Value> arguments;
        for (unsigned i = 0; i < inputs; ++i) {
          OpOperand *operand = op.getDpsInputOperand(i);
          AffineMap map = root.maps[operand->getOperandNumber()];
          bool byRow = tile.row >= 0 && dependsOn(map, tile.row), byVector = dependsOn(map, tile.lane);
          Value &value = loaded[{i, byRow ? r : 0, byVector ? v : 0}];
          if (!value && copy && operand->getOperandNumber() == copy->operand)
            value = panel->load(block.step, v);
          if (!value && op.payloadUsesValueFromOperand(operand))
            value = emitter.load(operand->get(), map, point);
          if (!value)
            value = arith::ConstantOp::create(b, loc, b.getZeroAttr(getElementTypeOrSelf(operand->get())));
          arguments.push_back(value);
        }
        llvm::append_range(arguments, carried.slice((r * vectors + v) * outputs, outputs));
        SmallVector<Value> yielded = emitter.body(root, arguments, point);
        for (Value &value : yielded)
          if (kernel.hasReduction())
            value = emitter.broadcast(value, tile.lanes);
        llvm::append_range(next, yielded);
      }
    return next;
  }

  PointEmitter &emitter;
  OpBuilder &b;
  Location loc;
  const Kernel &kernel;
  const Tile &tile;
  const EmitOptions &options;
  SmallVector<Count> extents;
  SmallVector<Index> at; // the present position in every dim but the tile's own
  SmallVector<unsigned> outer, reductions;
  std::optional<PanelStream> stream; // what is fetched ahead
  const InlinePacking *copy;         // or null: what is packed on the way
  std::optional<InlinePackingEmitter> panel;
  struct {
    Index start;        // of the block, in the reduction
    int64_t length = 0; // in steps; with a copy only
    bool first = true, last = true;
    Index step;         // inside the block
    int64_t number = 0; // of the step in its unrolled loop
  } block;
  Value rowBlockIndex;
};
} // namespace

void emitTileKernel(PointEmitter &emitter, const Kernel &kernel, const Tile &tile, const EmitOptions &options,
                    const InlinePacking *copy) {
  TileEmitter(emitter, kernel, tile, options, copy).emit();
}

} // namespace nacre::loops
