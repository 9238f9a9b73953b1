// Emits marked convolutions: per block of tiles, windows of the image to V, one product per point of a tile to M, M to
// results and through the epilogues.
//   V[point, tile, c]     = B' x B      of the windows of (m + 2) x (m + 2) pixels, at every m-th row and column
//   M[point, tile, f]     = sum[c](V[point, tile, c] * U[point, c, f])
//   y[m * tile + (i, j), f] = A' M A
// Where the transformed filters U stay in the second-level cache, threads take blocks of tiles with a V and an M each.
// Where they do not, they are read once: all tiles make one V, and threads take panels of filters with an M each.
#include "Access.h"
#include "Winograd.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace nacre::loops {

static constexpr int64_t residentBytes = 1 << 20; // of U: half of a usual second-level cache
static constexpr int64_t blockBytes = 1 << 19;    // of V and M of a block beside it
static constexpr int64_t sharedBytes = 5 << 19;   // of a V that all threads read
static constexpr int64_t mostAtOnce = 16;         // iterations of a parallel loop whose bodies need memory of their own

/// Whether every operand of an epilogue can be read, and its result stored, with the lanes along the filters.
static bool runsAlong(const Step &step, unsigned lane, int64_t lanes, int64_t extent) {
  linalg::LinalgOp op = step.op;
  if (!bodyVectorises(op))
    return false;
  for (OpOperand &operand : op->getOpOperands()) {
    Type element = getElementTypeOrSelf(operand.get().getType());
    if (element.isIntOrFloat() && element.getIntOrFloatBitWidth() > 32)
      return false;
    auto type = dyn_cast<MemRefType>(operand.get().getType());
    if (!type)
      continue;
    Access access = accessAlong(step.maps[operand.getOperandNumber()], type, lane, lanes);
    bool awkward = element.isInteger(1) || (element.isBF16() && extent % lanes != 0);
    if (access == Access::Opaque || (awkward && access != Access::Uniform) ||
        (op.isDpsInit(&operand) && access != Access::Contiguous))
      return false;
  }
  return true;
}

std::optional<Kernel> winogradKernel(linalg::LinalgOp op, llvm::SmallPtrSetImpl<Operation *> &taken,
                                     unsigned vectorBits) {
  std::optional<Convolution> convolution = matchConvolution(op);
  if (!convolution)
    return std::nullopt;
  auto image = cast<MemRefType>(op.getDpsInputs()[convolution->image].getType());
  auto result = cast<MemRefType>(op.getDpsInits()[0].getType());
  if (!image.isLastDimUnitStride() || !result.isLastDimUnitStride())
    return std::nullopt;
  int64_t lanes = vectorBits / 32, filters = op.getStaticLoopRanges()[convolution->filter];
  for (unsigned most = mostEpilogues;; --most) {
    llvm::SmallPtrSet<Operation *, 32> with(taken.begin(), taken.end());
    Kernel kernel = makeKernel(op);
    absorbNeighbours(kernel, with, most);
    bool runs = llvm::all_of(ArrayRef(kernel.steps).drop_front(),
                             [&](const Step &step) { return runsAlong(step, convolution->filter, lanes, filters); });
    if (runs) {
      taken.insert(with.begin(), with.end());
      return kernel;
    }
    if (most == 0)
      return std::nullopt;
  }
}

namespace {
class WinogradEmitter {
public:
  WinogradEmitter(PointEmitter &emitter, const Kernel &kernel, const EmitOptions &options)
      : emitter(emitter), b(emitter.builder), loc(emitter.loc), kernel(kernel), options(options), op(kernel.root().op),
        is(*matchConvolution(op)), m(cast<IntegerAttr>(op->getAttr(winogradAttribute)).getInt()), edge(m + 2),
        points(edge * edge), lanes(options.vectorBits / 32), channels(kernel.extents[is.channel]),
        filters(kernel.extents[is.filter]) {
    image = op.getDpsInputs()[is.image];
    transformed = op.getDpsInputs().back();
    ArrayRef<int64_t> shape = cast<MemRefType>(transformed.getType()).getShape();
    panels = shape[2], width = shape[4];
    if (auto frame = op->getAttrOfType<DenseI64ArrayAttr>(frameAttribute))
      above = frame[0], before = frame[1];
    vectorType = VectorType::get({lanes}, b.getF32Type());
  }

  void emit() {
    extents = extentsOf(emitter, kernel);
    down = ceilDiv(extents[is.row], m);
    across = ceilDiv(extents[is.column], m);
    Count tiles = times(down, across);
    for (unsigned d : is.outer)
      tiles = times(tiles, extents[d]);
    imageRows = pixels(is.row);
    imageColumns = pixels(is.column);
    bool resident = points * 4 * channels * filters <= residentBytes;
    panelsAtOnce = std::min(panels, resident ? std::max<int64_t>(1, 128 / width) : panels > 8 ? 2 : 1);
    chooseBlock(tiles, resident);
    if (resident)
      emitBlocks(tiles);
    else
      emitPanels(tiles);
  }

private:
  // ---- sizes ----
  Count times(const Count &x, const Count &y) {
    if (x.isKnown() && y.isKnown())
      return Count::of(x.known * y.known);
    Value left = materialise(emitter, x), right = materialise(emitter, y);
    return {ShapedType::kDynamic, arith::MulIOp::create(b, loc, left, right)};
  }
  Count ceilDiv(const Count &x, int64_t by) {
    if (x.isKnown())
      return Count::of(llvm::divideCeil(x.known, by));
    return {ShapedType::kDynamic, arith::CeilDivUIOp::create(b, loc, x.value, emitter.constant(by))};
  }
  /// Rows or columns of the image as it lies in memory. Without its frame they are known.
  Value pixels(unsigned d) {
    for (auto [axis, dim] : llvm::enumerate(is.axes))
      if (dim == d)
        if (int64_t size = cast<MemRefType>(image.getType()).getDimSize(axis); !ShapedType::isDynamic(size))
          return emitter.constant(size);
    return add(materialise(emitter, extents[d]), 2);
  }

  /// How many tiles make a block, in rows of the products of equal height.
  void chooseBlock(const Count &tiles, bool resident) {
    channelStride = llvm::alignTo(channels, lanes);
    if (channelStride % 128 == 0) // rows of V must not meet in the same sets of the L1 cache
      channelStride += lanes;
    int64_t full = fullRows(options.vectorBits);
    int64_t rowBytes = 4 * points * (resident ? channelStride + panelsAtOnce * width : channelStride);
    int64_t most = std::max<int64_t>(full, (resident ? blockBytes : sharedBytes) / rowBytes);
    int64_t all = tiles.known;
    if (!tiles.isKnown())
      all = down.isKnown() && across.isKnown() ? down.known * across.known : most;
    if (resident) // eight blocks at least, to share out
      most = std::min(most, std::max<int64_t>(full, llvm::divideCeil(all, 8)));
    else // few channels make low rows of V: M is the larger then
      most = std::min(most, std::max<int64_t>(full, 2 * blockBytes / (4 * points * panelsAtOnce * width)));
    int64_t atOnce = llvm::divideCeil(all, llvm::divideCeil(all, most));
    int64_t heights = llvm::divideCeil(atOnce, full);
    height = llvm::divideCeil(atOnce, heights);
    block = height * heights;
    // Planes lie an odd number of cache lines apart, for the points of a tile are stored one to a plane.
    planeV = llvm::alignTo(block * channelStride, 32) + 16;
    planeM = llvm::alignTo(block * panelsAtOnce * width, 32) + 16;
  }
  int64_t cyclesIn() const { return llvm::divideCeil(channels, lanes) * (m == 4 ? 150 : 45); }
  int64_t cyclesOut(int64_t columns) const {
    return llvm::divideCeil(columns, lanes) * (points * channels / 2 + (m == 4 ? 110 : 30));
  }

  // ---- memory of the bodies of a parallel loop ----
  /// Parts of one allocation, `size` floats each, as many as there are iterations. A body takes the first free one, so
  /// one thread always has the same and finds it in its cache.
  struct Parts {
    Value memory, flags;
    int64_t size, count;
  };
  Parts allocateParts(int64_t size, int64_t count) {
    Parts parts{allocate(b.getF32Type(), size * count), allocate(b.getI32Type(), count), size, count};
    Value zero = arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(0));
    for (int64_t i = 0; i < count; ++i)
      memref::StoreOp::create(b, loc, zero, parts.flags, emitter.constant(i));
    return parts;
  }
  Value allocate(Type type, int64_t count) {
    return memref::AllocOp::create(b, loc, MemRefType::get({count}, type), b.getI64IntegerAttr(64));
  }
  void withPart(const Parts &parts, function_ref<void(Value)> body) {
    if (!options.threads || parts.count == 1)
      return body(emitter.constant(0));
    Value one = arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(1));
    Value zero = arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(0));
    auto exchange = [&](Value value, Value at) {
      return memref::AtomicRMWOp::create(b, loc, value.getType(), arith::AtomicRMWKind::assign, value, parts.flags, at)
          .getResult();
    };
    // for (number = 0; exchange(flags[number], 1) != 0; number = (number + 1) % count);
    Value first = emitter.constant(0);
    auto search = scf::WhileOp::create(
        b, loc, TypeRange{b.getIndexType()}, ValueRange{first},
        [&](OpBuilder &, Location, ValueRange number) {
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPointToEnd(number[0].getParentBlock());
          Value taken = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, exchange(one, number[0]), zero);
          scf::ConditionOp::create(b, loc, taken, number);
        },
        [&](OpBuilder &, Location, ValueRange number) {
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPointToEnd(number[0].getParentBlock());
          Value next = arith::RemUIOp::create(b, loc, add(number[0], 1), emitter.constant(parts.count));
          scf::YieldOp::create(b, loc, next);
        });
    Value number = search.getResult(0);
    body(scale(number, parts.size));
    exchange(zero, number);
  }

  // ---- the two orders ----
  void emitBlocks(const Count &tiles) {
    Count blocks = ceilDiv(tiles, block);
    int64_t bodies = blocks.isKnown() ? std::min(blocks.known, mostAtOnce) : mostAtOnce;
    Parts parts = allocateParts(points * planeV + points * planeM, bodies);
    int64_t each = blocks.isKnown() ? llvm::divideCeil(blocks.known, bodies) : 1;
    Value count = materialise(emitter, blocks), all = materialise(emitter, tiles);
    int64_t cycles = each * block * (cyclesIn() + cyclesOut(filters));
    parallelLoop(emitter, Count::of(bodies), cycles, options.threads, [&](ArrayRef<Value> position) {
      withPart(parts, [&](Value base) {
        Value begin = arith::DivUIOp::create(b, loc, mul(position[0], count), emitter.constant(bodies));
        Value end = arith::DivUIOp::create(b, loc, mul(add(position[0], 1), count), emitter.constant(bodies));
        forLoop(emitter, {ShapedType::kDynamic, begin}, {ShapedType::kDynamic, end}, 1, [&](Value number) {
          Value first = scale(number, block), rows = rowsOf(first, all);
          forLoop(emitter, Count::of(0), roundedRows(rows), 1,
                  [&](Value t) { imageToPoints(first, t, rows, parts.memory, base); });
          Value sums = add(base, points * planeV);
          for (int64_t panel = 0; panel < panels; panel += panelsAtOnce) {
            int64_t these = std::min(panelsAtOnce, panels - panel);
            products(emitter.constant(panel), Count::of(these), rows, parts.memory, base, parts.memory, sums);
            forLoop(emitter, Count::of(0), {ShapedType::kDynamic, rows}, 1, [&](Value t) {
              pointsToResult(first, t, Index{nullptr, panel * width, width}, these, panel + these == panels,
                             parts.memory, sums);
            });
          }
        });
      });
    });
  }

  void emitPanels(const Count &tiles) {
    Value shared = allocate(b.getF32Type(), points * planeV), none = emitter.constant(0);
    Value all = materialise(emitter, tiles);
    int64_t groups = llvm::divideCeil(panels, panelsAtOnce), rest = panels % panelsAtOnce;
    int64_t bodies = std::min(groups, mostAtOnce);
    Parts parts = allocateParts(points * planeM, bodies);
    forLoop(emitter, Count::of(0), ceilDiv(tiles, block), 1, [&](Value number) {
      Value first = scale(number, block), rows = rowsOf(first, all);
      parallelLoop(emitter, roundedRows(rows), cyclesIn(), options.threads,
                   [&](ArrayRef<Value> t) { imageToPoints(first, t[0], rows, shared, none); });
      int64_t cycles = llvm::divideCeil(groups, bodies) * block * cyclesOut(panelsAtOnce * width);
      parallelLoop(emitter, Count::of(bodies), cycles, options.threads, [&](ArrayRef<Value> position) {
        withPart(parts, [&](Value base) {
          auto share = [&](Value i) -> Value {
            return arith::DivUIOp::create(b, loc, scale(i, groups), emitter.constant(bodies));
          };
          auto run = [&](Value group, int64_t these, bool isLast) {
            Value panel = scale(group, panelsAtOnce);
            products(panel, Count::of(these), rows, shared, none, parts.memory, base);
            forLoop(emitter, Count::of(0), {ShapedType::kDynamic, rows}, 1, [&](Value t) {
              pointsToResult(first, t, Index{scale(panel, width), 0, width}, these, isLast, parts.memory, base);
            });
          };
          Count begin{ShapedType::kDynamic, share(position[0])}, end{ShapedType::kDynamic, share(add(position[0], 1))};
          forLoop(emitter, begin, end, 1, [&](Value group) {
            if (!rest && filters % width == 0)
              return run(group, panelsAtOnce, false);
            Value last = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, group, emitter.constant(groups - 1));
            choose(
                last, [&] { run(emitter.constant(groups - 1), rest ? rest : panelsAtOnce, true); },
                [&] { run(group, panelsAtOnce, false); });
          });
        });
      });
    });
  }

  Value rowsOf(Value first, Value all) {
    return arith::MinUIOp::create(b, loc, arith::SubIOp::create(b, loc, all, first), emitter.constant(block));
  }
  /// To whole heights: the last products read what the last tile has, once more.
  Count roundedRows(Value rows) {
    Value by = emitter.constant(height);
    return {ShapedType::kDynamic, mul(arith::CeilDivUIOp::create(b, loc, rows, by), by)};
  }

  // ---- image to points ----
  /// Sets `at` for a tile: the first row and column of its results, and the outer dims.
  void place(Value tile, SmallVectorImpl<Index> &at) {
    at.assign(kernel.rank(), Index{});
    auto split = [&](const Count &extent) -> Value {
      if (extent.known == 1)
        return emitter.constant(0);
      Value by = materialise(emitter, extent), rest = arith::RemUIOp::create(b, loc, tile, by);
      tile = arith::DivUIOp::create(b, loc, tile, by);
      return rest;
    };
    at[is.column] = Index{scale(split(across), m), 0, m};
    at[is.row] = Index{scale(split(down), m), 0, m};
    for (unsigned d : llvm::reverse(is.outer))
      at[d] = Index{split(extents[d]), 0, 1};
  }

  void imageToPoints(Value first, Value t, Value rows, Value memory, Value base) {
    Value last = arith::SubIOp::create(b, loc, rows, emitter.constant(1));
    SmallVector<Index> at;
    place(plus(first, arith::MinUIOp::create(b, loc, t, last)), at);
    Value to = plus(base, scale(t, channelStride));
    Value top = add(at[is.row].base, -above), left = add(at[is.column].base, -before);
    auto fits = [&](Value start, Value size) { // start >= 0 and start + edge <= size
      Value room = arith::SubIOp::create(b, loc, size, emitter.constant(edge));
      Value low = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge, start, emitter.constant(0));
      Value high = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sle, start, room);
      return arith::AndIOp::create(b, loc, low, high).getResult();
    };
    Value inside = arith::AndIOp::create(b, loc, fits(top, imageRows), fits(left, imageColumns));
    choose(
        inside,
        [&] {
          Value window = windowAt(at, top, left);
          overChannels([&](Value c, Value mask) {
            transformWindow(memory, plus(to, c), [&](int64_t y, int64_t x) {
              return loadChannels(window, {emitter.constant(y), emitter.constant(x), c}, mask);
            });
          });
        },
        [&] {
          SmallVector<Value> ys, xs, rowIn, columnIn;
          for (int64_t i = 0; i < edge; ++i) {
            ys.push_back(add(top, i));
            xs.push_back(add(left, i));
            rowIn.push_back(below(ys[i], imageRows));
            columnIn.push_back(below(xs[i], imageColumns));
          }
          Value zero = zeros();
          overChannels([&](Value c, Value mask) {
            transformWindow(memory, plus(to, c), [&](int64_t y, int64_t x) -> Value {
              Value in = arith::AndIOp::create(b, loc, rowIn[y], columnIn[x]);
              auto branch = scf::IfOp::create(b, loc, vectorType, in, true);
              OpBuilder::InsertionGuard guard(b);
              b.setInsertionPointToStart(branch.thenBlock());
              scf::YieldOp::create(b, loc, loadChannels(image, pixelAt(at, ys[y], xs[x], c), mask));
              b.setInsertionPointToStart(branch.elseBlock());
              scf::YieldOp::create(b, loc, zero);
              return branch.getResult(0);
            });
          });
        });
  }

  /// As unsigned numbers, so that a negative one is not below.
  Value below(Value number, Value limit) {
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, number, limit);
  }
  SmallVector<Value> pixelAt(ArrayRef<Index> at, Value y, Value x, Value c) {
    SmallVector<Value> indices;
    for (unsigned d : is.axes)
      indices.push_back(d == is.row ? y : d == is.column ? x : d == is.channel ? c : emitter.value(at[d]));
    return indices;
  }
  /// The window as a view [edge, edge, channels]: every pixel is one address and a constant away.
  Value windowAt(ArrayRef<Index> at, Value top, Value left) {
    SmallVector<OpFoldResult> offsets, sizes, strides(is.axes.size(), b.getIndexAttr(1));
    SmallVector<int64_t> shape;
    for (Value index : pixelAt(at, top, left, emitter.constant(0)))
      offsets.push_back(index);
    for (unsigned d : is.axes) {
      int64_t size = d == is.channel ? channels : d == is.row || d == is.column ? edge : 1;
      sizes.push_back(b.getIndexAttr(size));
      if (d == is.row || d == is.column || d == is.channel)
        shape.push_back(size);
    }
    auto type = memref::SubViewOp::inferRankReducedResultType(shape, cast<MemRefType>(image.getType()), offsets, sizes,
                                                              strides);
    return memref::SubViewOp::create(b, loc, cast<MemRefType>(type), image, offsets, sizes, strides);
  }
  Value loadChannels(Value memref, ArrayRef<Value> indices, Value mask) {
    if (mask)
      return vector::MaskedLoadOp::create(b, loc, vectorType, memref, indices, mask, zeros());
    return vector::LoadOp::create(b, loc, vectorType, memref, indices);
  }
  void overChannels(function_ref<void(Value, Value)> body) {
    int64_t whole = channels / lanes * lanes;
    forLoop(emitter, Count::of(0), Count::of(whole), lanes, [&](Value c) { body(c, nullptr); });
    if (whole < channels)
      body(emitter.constant(whole), emitter.firstLanes(lanes, emitter.constant(channels - whole)));
  }

  void transformWindow(Value memory, Value to, function_ref<Value(int64_t, int64_t)> pixel) {
    SmallVector<SmallVector<Value>> rows;
    for (int64_t y = 0; y < edge; ++y) {
      SmallVector<Value> row;
      for (int64_t x = 0; x < edge; ++x)
        row.push_back(pixel(y, x));
      rows.push_back(inputTransform(row));
    }
    for (int64_t x = 0; x < edge; ++x) {
      SmallVector<Value> column;
      for (int64_t y = 0; y < edge; ++y)
        column.push_back(rows[y][x]);
      column = inputTransform(column);
      for (int64_t y = 0; y < edge; ++y)
        vector::StoreOp::create(b, loc, column[y], memory, add(to, (y * edge + x) * planeV));
    }
  }

  // ---- products ----
  void products(Value panel, Count count, Value rows, Value from, Value base, Value memory, Value sums) {
    int64_t vectors = width / lanes, unroll = channels % 4 == 0 ? 4 : channels % 2 == 0 ? 2 : 1;
    forLoop(emitter, Count::of(0), Count::of(points), 1, [&](Value point) {
      Value plane = plus(base, scale(point, planeV)), out = plus(sums, scale(point, planeM));
      forLoop(emitter, Count::of(0), count, 1, [&](Value number) {
        Value which = plus(panel, number), column = scale(number, width);
        forLoop(emitter, Count::of(0), {ShapedType::kDynamic, rows}, height, [&](Value row) {
          Value start = plus(plane, scale(row, channelStride));
          SmallVector<Value> none(height * vectors, zeros());
          SmallVector<Value> totals =
              forLoop(emitter, Count::of(0), Count::of(channels), unroll, none, [&](Value c, ValueRange carried) {
                SmallVector<Value> next(carried);
                for (int64_t k = 0; k < unroll; ++k) {
                  SmallVector<Value> filter;
                  for (int64_t v = 0; v < vectors; ++v)
                    filter.push_back(vector::LoadOp::create(
                        b, loc, vectorType, transformed,
                        ValueRange{emitter.constant(0), point, which, add(c, k), emitter.constant(v * lanes)}));
                  Value at = plus(start, c);
                  for (int64_t r = 0; r < height; ++r) {
                    Value element = memref::LoadOp::create(b, loc, from, add(at, r * channelStride + k));
                    element = emitter.broadcast(element, lanes);
                    for (int64_t v = 0; v < vectors; ++v) {
                      Value &sum = next[r * vectors + v];
                      sum = vector::FMAOp::create(b, loc, element, filter[v], sum);
                    }
                  }
                }
                return next;
              });
          Value to = plus(plus(out, column), scale(row, panelsAtOnce * width));
          for (int64_t r = 0; r < height; ++r)
            for (int64_t v = 0; v < vectors; ++v)
              vector::StoreOp::create(b, loc, totals[r * vectors + v], memory,
                                      add(to, r * panelsAtOnce * width + v * lanes));
        });
      });
    });
  }

  // ---- points to results ----
  /// The results of one tile for `count` panels from column `column` on; the last panel of all may be wider than that.
  void pointsToResult(Value first, Value t, Index column, int64_t count, bool isLast, Value memory, Value sums) {
    SmallVector<Index> at;
    place(plus(first, t), at);
    Value from = plus(sums, scale(t, panelsAtOnce * width));
    auto known = [&](unsigned d) { return extents[d].isKnown() && extents[d].known % m == 0; };
    auto all = [&](bool whole) {
      int64_t columns = count * width, masked = 0;
      if (isLast) {
        columns -= panels * width - filters;
        masked = columns % lanes;
        columns -= masked;
      }
      auto run = [&](Value f, Value mask) {
        Index filter{column.base ? plus(column.base, f) : f, column.offset, lanes};
        transformPoints(plus(from, f), at, filter, mask, whole, memory);
      };
      forLoop(emitter, Count::of(0), Count::of(columns), lanes, [&](Value f) { run(f, nullptr); });
      if (masked)
        run(emitter.constant(columns), emitter.firstLanes(lanes, emitter.constant(masked)));
    };
    if (known(is.row) && known(is.column))
      return all(true);
    auto fits = [&](unsigned d) -> Value {
      return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ule, add(at[d].base, m),
                                   materialise(emitter, extents[d]));
    };
    Value inside = arith::AndIOp::create(b, loc, fits(is.row), fits(is.column));
    choose(inside, [&] { all(true); }, [&] { all(false); });
  }

  void transformPoints(Value from, ArrayRef<Index> at, Index filter, Value mask, bool whole, Value memory) {
    SmallVector<SmallVector<Value>> rows;
    for (int64_t y = 0; y < edge; ++y) {
      SmallVector<Value> row;
      for (int64_t x = 0; x < edge; ++x)
        row.push_back(vector::LoadOp::create(b, loc, vectorType, memory, add(from, (y * edge + x) * planeM)));
      rows.push_back(outputTransform(row));
    }
    for (int64_t x = 0; x < m; ++x) {
      SmallVector<Value> column;
      for (int64_t y = 0; y < edge; ++y)
        column.push_back(rows[y][x]);
      column = outputTransform(column);
      for (int64_t y = 0; y < m; ++y) {
        Point point{SmallVector<Index>(at), int(is.filter), lanes, mask};
        point.at[is.filter] = filter;
        point.at[is.row].offset = y;
        point.at[is.column].offset = x;
        if (whole) {
          store(column[y], point);
          continue;
        }
        auto in = [&](unsigned d) { return below(emitter.value(point.at[d]), materialise(emitter, extents[d])); };
        Value inside = arith::AndIOp::create(b, loc, in(is.row), in(is.column));
        choose(inside, [&] { store(column[y], point); }, nullptr);
      }
    }
  }

  void store(Value sum, const Point &point) {
    Value start = kernel.initial[0];
    if (!start)
      start = emitter.load(op.getDpsInits()[0], kernel.root().maps.back(), point);
    if (!matchPattern(start, m_AnyZeroFloat()))
      sum = arith::AddFOp::create(b, loc, emitter.broadcast(start, lanes), sum);
    finish(emitter, kernel, sum, point);
  }

  // ---- the two transforms in one direction ----
  SmallVector<Value> inputTransform(ArrayRef<Value> d) {
    if (m == 2)
      return {subtract(d[0], d[2]), sum(d[1], d[2]), subtract(d[2], d[1]), subtract(d[1], d[3])};
    Value even = fma(d[2], -4, d[4]), odd = fma(d[1], -4, d[3]);
    Value half = subtract(d[4], d[2]), twice = multiply(subtract(d[3], d[1]), 2);
    return {
        fma(d[0], 4, fma(d[2], -5, d[4])), sum(even, odd), subtract(even, odd), sum(half, twice), subtract(half, twice),
        fma(d[1], 4, fma(d[3], -5, d[5]))};
  }
  SmallVector<Value> outputTransform(ArrayRef<Value> d) {
    if (m == 2)
      return {sum(d[0], sum(d[1], d[2])), subtract(subtract(d[1], d[2]), d[3])};
    Value near = sum(d[1], d[2]), nearOdd = subtract(d[1], d[2]), far = sum(d[3], d[4]), farOdd = subtract(d[3], d[4]);
    return {sum(d[0], sum(near, far)), fma(farOdd, 2, nearOdd), fma(far, 4, near), sum(fma(farOdd, 8, nearOdd), d[5])};
  }
  Value sum(Value x, Value y) { return arith::AddFOp::create(b, loc, x, y); }
  Value subtract(Value x, Value y) { return arith::SubFOp::create(b, loc, x, y); }
  Value multiply(Value x, float factor) { return arith::MulFOp::create(b, loc, x, splat(factor)); }
  Value fma(Value x, float factor, Value y) { return vector::FMAOp::create(b, loc, x, splat(factor), y); }
  Value splat(float number) { return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(vectorType, number)); }
  Value zeros() { return splat(0); }

  // ---- small words ----
  using Body = function_ref<void()>;
  void choose(Value condition, Body yes, Body no) {
    auto branch = scf::IfOp::create(b, loc, condition, bool(no));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    yes();
    if (no) {
      b.setInsertionPointToStart(branch.elseBlock());
      no();
    }
  }
  Value plus(Value x, Value y) { return arith::AddIOp::create(b, loc, x, y, arith::IntegerOverflowFlags::nsw); }
  Value mul(Value x, Value y) { return arith::MulIOp::create(b, loc, x, y, arith::IntegerOverflowFlags::nsw); }
  Value add(Value x, int64_t number) { return number ? plus(x, emitter.constant(number)) : x; }
  Value scale(Value x, int64_t factor) { return factor == 1 ? x : mul(x, emitter.constant(factor)); }

  PointEmitter &emitter;
  OpBuilder &b;
  Location loc;
  const Kernel &kernel;
  const EmitOptions &options;
  linalg::LinalgOp op;
  Convolution is;
  int64_t m, edge, points, lanes, channels, filters;
  int64_t panels = 0, width = 0, panelsAtOnce = 1; // of U
  int64_t above = 0, before = 0;                   // zeros around the image that are not in memory
  int64_t channelStride = 0, planeV = 0, planeM = 0, block = 0, height = 0;
  VectorType vectorType;
  Value image, transformed, imageRows, imageColumns;
  SmallVector<Count> extents;
  Count down, across; // tiles
};
} // namespace

void emitWinograd(PointEmitter &emitter, const Kernel &kernel, const EmitOptions &options) {
  WinogradEmitter(emitter, kernel, options).emit();
}

} // namespace nacre::loops
