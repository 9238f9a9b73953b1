// Emits a sum of products of narrow factors on the tile registers of AMX.
//
// Eight registers of 16 rows of 64 bytes: 2 x 2 of results (0 .. 3), two of the left factor (4, 5), two of the right
// one (6, 7). One instruction takes 16 x 16 results through 16 groups of factors. Rows are walked in blocks that stay
// in the L2 cache, the reduced axis in blocks of which two panels stay in the L1 cache; between these, results wait in
// a buffer on the stack. From there they go through the epilogues as vectors.
//
// The registers are named, not allocated: LLVM's own allocation of tiles wants one configuration per function and
// spills what a loop carries. A configuration lasts from its load to the release at the end of an iteration of the
// nest.
#include "Access.h"
#include "Dot.h"
#include "Tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace nacre::loops {

static constexpr int64_t tileRows = 16, rowBytes = 64;
static constexpr int64_t highTile = 2 * tileRows, wideTile = 2 * dotLanes; // rows and columns of 2 x 2 registers
static constexpr int64_t blockBytes = 1024;                                // of a row of the left factor per block

static constexpr int64_t largePanels = 3 << 19; // most of a usual L2 cache

int64_t dotBlockRows() { return 8 * highTile; }

namespace {
class DotTileEmitter {
public:
  DotTileEmitter(PointEmitter &emitter, const Kernel &kernel, const Tile &tile, const Dot &dot,
                 const EmitOptions &options)
      : emitter(emitter), b(emitter.builder), loc(emitter.loc), kernel(kernel), tile(tile), dot(dot), options(options) {
  }

  void emit() {
    extents = extentsOf(emitter, kernel);
    at.assign(kernel.rank(), Index{});
    for (unsigned d = 0; d < kernel.rank(); ++d) {
      if (kernel.reduction[d] && d != dot.deep)
        reductions.push_back(d);
      else if (!kernel.reduction[d] && d != dot.lane && int(d) != tile.row)
        outer.push_back(d);
    }
    int64_t columns = kernel.extents[dot.lane], whole = columns / wideTile, rest = columns % wideTile;
    if (whole)
      emitNest(Count::of(whole), [&](Value index) { emitColumns(Index{times(index, wideTile), 0, wideTile}, 2, {}); });
    if (rest) {
      int64_t panels = llvm::divideCeil(rest, dotLanes);
      SmallVector<Value> masks(panels);
      if (rest % dotLanes)
        masks.back() = emitter.firstLanes(dotLanes, emitter.constant(rest % dotLanes));
      emitNest(Count::of(1), [&](Value) { emitColumns(Index{nullptr, whole * wideTile, wideTile}, panels, masks); });
    }
  }

private:
  // ---- numbers and addresses
  // ------------------------------------------------------------------------------------------
  Value add(Value a, Value c) { return arith::AddIOp::create(b, loc, a, c, arith::IntegerOverflowFlags::nsw); }
  Value times(Value a, int64_t factor) {
    return arith::MulIOp::create(b, loc, a, emitter.constant(factor), arith::IntegerOverflowFlags::nsw);
  }
  Value plus(Value a, int64_t number) { return number ? add(a, emitter.constant(number)) : a; }
  Value wide(Value index) { return arith::IndexCastOp::create(b, loc, b.getI64Type(), index); }
  Value pointer(Value address) {
    return LLVM::IntToPtrOp::create(b, loc, LLVM::LLVMPointerType::get(b.getContext()), wide(address));
  }
  Value byteOf(int64_t number) { return arith::ConstantOp::create(b, loc, b.getI8IntegerAttr(number)); }

  void call(StringRef intrinsic, ValueRange operands) {
    LLVM::CallIntrinsicOp::create(b, loc, b.getStringAttr(intrinsic), operands);
  }

  /// The address of an element, and bytes from there to the next one along a dim.
  Value address(OpOperand *operand, const Point &point) {
    auto type = cast<MemRefType>(operand->get().getType());
    auto metadata = memref::ExtractStridedMetadataOp::create(b, loc, operand->get());
    Value start = memref::ExtractAlignedPointerAsIndexOp::create(b, loc, operand->get());
    Value place = metadata.getOffset();
    for (auto [axis, expr] : llvm::enumerate(mapOf(operand).getResults())) {
      Value index = emitter.evaluate(expr, point);
      place = add(place,
                  arith::MulIOp::create(b, loc, index, metadata.getStrides()[axis], arith::IntegerOverflowFlags::nsw));
    }
    return add(start, times(place, type.getElementTypeBitWidth() / 8));
  }
  Value bytesAlong(OpOperand *operand, unsigned dim) {
    auto type = cast<MemRefType>(operand->get().getType());
    auto metadata = memref::ExtractStridedMetadataOp::create(b, loc, operand->get());
    Value bytes = emitter.constant(0);
    for (auto [axis, expr] : llvm::enumerate(mapOf(operand).getResults()))
      if (int64_t coefficient = coefficientOf(expr, dim).value_or(0))
        bytes = add(bytes, times(metadata.getStrides()[axis], coefficient * (type.getElementTypeBitWidth() / 8)));
    return bytes;
  }
  AffineMap mapOf(OpOperand *operand) { return kernel.root().maps[operand->getOperandNumber()]; }

  // ---- the nest
  // -------------------------------------------------------------------------------------------------------
  int64_t deepSteps() const { return kernel.extents[dot.deep] / dot.form->depth(); }

  void emitNest(Count columns, function_ref<void(Value)> body) {
    SmallVector<Count> axes;
    for (unsigned d : outer)
      axes.push_back(extents[d]);
    Count rows = tile.row < 0 ? Count::of(1) : extents[tile.row], blocks = Count::of(1);
    if (rows.isKnown())
      blocks = Count::of(llvm::divideCeil(rows.known, dotBlockRows()));
    else
      blocks = {ShapedType::kDynamic, arith::CeilDivUIOp::create(b, loc, rows.value, emitter.constant(dotBlockRows()))};
    axes.push_back(blocks);
    axes.push_back(columns);
    int64_t tiles = rows.isKnown() ? llvm::divideCeil(std::min(rows.known, dotBlockRows()), tileRows) : 2;
    int64_t cycles = kernel.reductionSize() / dot.form->depth() * tiles * 2 * tileRows + 200;
    parallelLoop(emitter, axes, cycles, options.threads, [&](ArrayRef<Value> position) {
      for (auto [d, value] : llvm::zip(outer, position))
        at[d] = extents[d].known == 1 ? Index{} : Index{value, 0, 1};
      blockIndex = position[outer.size()];
      onlyBlock = blocks.known == 1;
      body(position.back());
    });
  }

  /// Rows of one iteration, whole tiles first and then what is left of them, under configurations of their own.
  void emitColumns(Index base, int64_t panels, ArrayRef<Value> masks) {
    Value stack = LLVM::StackSaveOp::create(b, loc, LLVM::LLVMPointerType::get(b.getContext()));
    auto scratch = [&](int64_t count, Type element) {
      auto type = MemRefType::get({count}, element);
      return memref::AllocaOp::create(b, loc, type, b.getI64IntegerAttr(64));
    };
    configuration = scratch(64, b.getI8Type());
    linalg::LinalgOp root = kernel.root().op;
    Type sum = getElementTypeOrSelf(root.getDpsInits()[0].getType());
    sums = scratch((deepBlocks() > 1 ? dotBlockRows() : highTile) * wideTile, sum);
    first = base;

    Count rows = tile.row < 0 ? Count::of(1) : extents[tile.row];
    if (rows.isKnown() && (onlyBlock || rows.known % dotBlockRows() == 0)) {
      Value origin = onlyBlock ? Value() : times(blockIndex, dotBlockRows());
      int64_t count = std::min(rows.known, dotBlockRows()), whole = count / highTile * highTile, rest = count - whole;
      if (whole)
        emitSection(origin, Count::of(0), Count::of(whole), {Count::of(tileRows), Count::of(tileRows)}, panels, masks);
      if (rest > tileRows)
        emitSection(origin, Count::of(whole), Count::of(count), {Count::of(tileRows), Count::of(rest - tileRows)},
                    panels, masks);
      else if (rest)
        emitSection(origin, Count::of(whole), Count::of(count), {Count::of(rest)}, panels, masks);
    } else {
      Value origin = times(blockIndex, dotBlockRows());
      Value left = arith::SubIOp::create(b, loc, materialise(emitter, rows), origin);
      Value count = arith::MinUIOp::create(b, loc, left, emitter.constant(dotBlockRows()));
      auto wholeOf = [&](int64_t height) {
        return times(arith::DivUIOp::create(b, loc, count, emitter.constant(height)), height);
      };
      auto known = [](Value value) { return Count{ShapedType::kDynamic, value}; };
      Value tall = wholeOf(highTile), whole = wholeOf(tileRows);
      emitSection(origin, Count::of(0), known(tall), {Count::of(tileRows), Count::of(tileRows)}, panels, masks);
      emitSection(origin, known(tall), known(whole), {Count::of(tileRows)}, panels, masks);
      Value rest = arith::SubIOp::create(b, loc, count, whole);
      emitSection(origin, known(whole), known(count), {known(rest)}, panels, masks);
    }
    call("llvm.x86.tilerelease", {});
    LLVM::StackRestoreOp::create(b, loc, stack);
  }

  // ---- a section: rows under one configuration
  // ------------------------------------------------------------------------
  int64_t deepBlocks() const {
    bool alone = reductions.empty(); // a window of a convolution is one block
    int64_t bytes = kernel.extents[dot.deep] * dot.form->factorBytes();
    return alone ? std::max<int64_t>(1, llvm::divideCeil(bytes, blockBytes)) : 1;
  }

  void emitSection(Value origin, Count begin, Count end, ArrayRef<Count> tall, int64_t panels, ArrayRef<Value> masks) {
    if (begin.isKnown() && end.isKnown()) {
      emitRows(origin, begin, end, tall, panels, masks);
      return;
    }
    // A configuration with no rows is none.
    Value some = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, materialise(emitter, begin),
                                       materialise(emitter, end));
    Value rounds = arith::IndexCastUIOp::create(b, loc, b.getIndexType(), some);
    forLoop(emitter, Count::of(0), {ShapedType::kDynamic, rounds}, 1,
            [&](Value) { emitRows(origin, begin, end, tall, panels, masks); });
  }

  void emitRows(Value origin, Count begin, Count end, ArrayRef<Count> tall, int64_t panels, ArrayRef<Value> masks) {
    heights.assign(tall.begin(), tall.end());
    width = panels;
    configure();
    leftBytes = tile.row < 0 ? emitter.constant(rowBytes) : bytesAlong(dot.left, tile.row);
    leftBytes = wide(leftBytes);
    lineBytes = wide(emitter.constant(rowBytes));
    int64_t blocks = deepBlocks(), steps = deepSteps(), most = llvm::divideCeil(steps, blocks);
    auto rowsOf = [&](Count fromStep, Count toStep, bool starts, bool ends) {
      forLoop(emitter, begin, end, highTile, [&](Value row) {
        Value position = origin ? add(origin, row) : row;
        Value place = blocks > 1 ? times(row, wideTile) : emitter.constant(0);
        rowInBlock = row;
        emitTile(position, place, fromStep, toStep, starts, ends, masks);
      });
    };
    if (blocks == 1)
      return rowsOf(Count::of(0), Count::of(steps), true, true);
    rowsOf(Count::of(0), Count::of(most), true, false);
    forLoop(emitter, Count::of(1), Count::of(blocks - 1), 1, [&](Value block) {
      Value from = times(block, most);
      rowsOf({ShapedType::kDynamic, from}, {ShapedType::kDynamic, plus(from, most)}, false, false);
    });
    rowsOf(Count::of((blocks - 1) * most), Count::of(steps), false, true);
  }

  /// Palette 1; bytes of a row from byte 16, two each; rows from byte 48.
  void configure() {
    SmallVector<int8_t> bytes(64, 0);
    bytes[0] = 1;
    auto set = [&](int64_t number, int64_t rows) {
      bytes[16 + 2 * number] = rowBytes;
      bytes[48 + number] = int8_t(rows);
    };
    for (auto [r, height] : llvm::enumerate(heights)) {
      int64_t rows = height.isKnown() ? height.known : 0;
      set(4 + r, rows);
      for (int64_t p = 0; p < width; ++p)
        set(2 * r + p, rows);
    }
    for (int64_t p = 0; p < width; ++p)
      set(6 + p, tileRows);
    auto type = VectorType::get({64}, b.getI8Type());
    Value all = arith::ConstantOp::create(b, loc, DenseElementsAttr::get(type, ArrayRef<int8_t>(bytes)));
    vector::StoreOp::create(b, loc, all, configuration, ValueRange{emitter.constant(0)});
    for (auto [r, height] : llvm::enumerate(heights)) {
      if (height.isKnown())
        continue;
      Value rows = arith::IndexCastOp::create(b, loc, b.getI8Type(), height.value);
      for (int64_t number : {int64_t(4 + r), int64_t(2 * r), int64_t(2 * r + 1)})
        if (number >= 4 || number - 2 * int64_t(r) < width)
          memref::StoreOp::create(b, loc, rows, configuration, ValueRange{emitter.constant(48 + number)});
    }
    Value place = memref::ExtractAlignedPointerAsIndexOp::create(b, loc, configuration);
    call("llvm.x86.ldtilecfg", pointer(place));
  }

  /// The stack's copy of one register of results, `place` elements into the buffer.
  Value sumsAt(Value place, size_t r, int64_t p) {
    Value start = memref::ExtractAlignedPointerAsIndexOp::create(b, loc, sums);
    return pointer(plus(add(start, times(place, 4)), (2 * r + p) * tileRows * rowBytes));
  }

  void emitTile(Value row, Value place, Count fromStep, Count toStep, bool starts, bool ends, ArrayRef<Value> masks) {
    for (size_t r = 0; r < heights.size(); ++r)
      for (int64_t p = 0; p < width; ++p) {
        if (starts)
          call("llvm.x86.tilezero", byteOf(2 * r + p));
        else
          call("llvm.x86.tileloadd64", {byteOf(2 * r + p), sumsAt(place, r, p), lineBytes});
      }
    at[dot.deep] = Index{};
    reduce(0, row, fromStep, toStep);
    for (size_t r = 0; r < heights.size(); ++r)
      for (int64_t p = 0; p < width; ++p)
        call("llvm.x86.tilestored64", {byteOf(2 * r + p), sumsAt(place, r, p), lineBytes});
    if (ends)
      for (auto [r, height] : llvm::enumerate(heights))
        emitResults(plus(row, r * tileRows), plus(place, 2 * r * tileRows * dotLanes), height, masks);
  }

  /// Lines of the next two panels that each step fetches, so that all of them are there in time; 0 where the panels
  /// stay in the L2 cache anyway, or where there are too few steps.
  int64_t linesAhead() const {
    auto panels = cast<MemRefType>(dot.right->get().getType());
    int64_t rows = tile.row < 0 ? 1 : kernel.extents[tile.row];
    if (!reductions.empty() || width < 2 || heights.size() < 2 || !panels.hasStaticShape() ||
        panels.getNumElements() * dot.form->factorBytes() < largePanels)
      return 0;
    rows = ShapedType::isDynamic(rows) ? dotBlockRows() : std::min(rows, dotBlockRows());
    return rows < 4 * highTile ? 0 : width * tileRows * highTile / rows;
  }

  /// The reduced dims that are not the deep one, outermost first.
  void reduce(unsigned level, Value row, Count fromStep, Count toStep) {
    if (level < reductions.size()) {
      unsigned dim = reductions[level];
      forLoop(emitter, Count::of(0), extents[dim], 1, [&](Value iv) {
        at[dim] = extents[dim].known == 1 ? Index{} : Index{iv, 0, 1};
        reduce(level + 1, row, fromStep, toStep);
      });
      return;
    }
    SmallVector<Value> left, right;
    for (size_t r = 0; r < heights.size(); ++r)
      left.push_back(address(dot.left, pointAt(row, r * tileRows, 0, Value())));
    for (int64_t p = 0; p < width; ++p)
      right.push_back(address(dot.right, pointAt(row, 0, p, Value())));
    // Of the panels behind these, rows at a time reach the L2 cache before their turn comes.
    int64_t ahead = linesAhead();
    Value next;
    if (ahead)
      next = add(plus(right[0], width * deepSteps() * tileRows * rowBytes),
                 times(rowInBlock, ahead * deepSteps() * rowBytes / highTile));
    forLoop(emitter, fromStep, toStep, 1, [&](Value step) {
      for (int64_t line = 0; line < ahead; ++line)
        LLVM::Prefetch::create(b, loc, pointer(plus(add(next, times(step, ahead * rowBytes)), line * rowBytes)),
                               /*rw=*/0, /*hint: the L2 cache=*/2, /*cache: of data=*/1);
      Value down = times(step, rowBytes), panelDown = times(step, tileRows * rowBytes);
      for (auto [r, start] : llvm::enumerate(left)) // read once per panel: not to push the panels out of the L1 cache
        call(heights.size() > 1 ? "llvm.x86.tileloaddt164" : "llvm.x86.tileloadd64",
             {byteOf(4 + r), pointer(add(start, down)), leftBytes});
      for (auto [p, start] : llvm::enumerate(right))
        call("llvm.x86.tileloadd64", {byteOf(6 + p), pointer(add(start, panelDown)), lineBytes});
      for (int64_t p = 0; p < width; ++p)
        for (size_t r = 0; r < heights.size(); ++r)
          call(dot.form->intrinsic, {byteOf(2 * r + p), byteOf(4 + r), byteOf(6 + p)});
    });
  }

  Point pointAt(Value row, int64_t r, int64_t p, Value mask) {
    Point point{at, int(dot.lane), dotLanes, mask};
    Index column = first;
    column.offset += p * dotLanes;
    point.at[dot.lane] = column;
    if (tile.row >= 0)
      point.at[tile.row] = Index{row, r, 1};
    return point;
  }

  /// Rows of one register on the stack, through the epilogues.
  void emitResults(Value row, Value place, Count height, ArrayRef<Value> masks) {
    linalg::LinalgOp root = kernel.root().op;
    OpOperand *output = root.getDpsInitOperand(0);
    Value start = kernel.initial[0];
    bool zero = start && (matchPattern(start, m_AnyZeroFloat()) || matchPattern(start, m_Zero()));
    auto type = VectorType::get({dotLanes}, getElementTypeOrSelf(output->get().getType()));
    forLoop(emitter, Count::of(0), height, 1, [&](Value r) {
      for (int64_t p = 0; p < width; ++p) {
        Point point = pointAt(add(row, r), 0, p, masks.empty() ? Value() : masks[p]);
        Value from = plus(add(place, times(r, dotLanes)), p * tileRows * dotLanes);
        Value sum = vector::LoadOp::create(b, loc, type, sums, from);
        if (!zero) {
          Value before = start ? start : emitter.load(output->get(), mapOf(output), point);
          before = emitter.broadcast(before, dotLanes);
          sum = isa<FloatType>(type.getElementType()) ? Value(arith::AddFOp::create(b, loc, before, sum))
                                                      : Value(arith::AddIOp::create(b, loc, before, sum));
        }
        finish(emitter, kernel, sum, point);
      }
    });
  }

  PointEmitter &emitter;
  OpBuilder &b;
  Location loc;
  const Kernel &kernel;
  const Tile &tile;
  const Dot &dot;
  const EmitOptions &options;
  SmallVector<Count> extents, heights; // of the dims; of the registers of a section
  SmallVector<Index> at;
  SmallVector<unsigned> outer, reductions;
  Index first;       // of the columns
  int64_t width = 2; // panels of a section
  bool onlyBlock = false;
  Value blockIndex, rowInBlock, configuration, sums, leftBytes, lineBytes;
};
} // namespace

void emitDotTiles(PointEmitter &emitter, const Kernel &kernel, const Tile &tile, const EmitOptions &options) {
  DotTileEmitter(emitter, kernel, tile, *tile.dot, options).emit();
}

} // namespace nacre::loops
