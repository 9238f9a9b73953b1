// Reads an operand whose neighbours lie along the rows of a tile, not along its lanes: whole vectors are loaded along
// the rows, one per lane, and the block is transposed in registers.
//   y[i, j] = x[j, i]: lanes j, rows i; 16 loads x[j + l, i .. i + 15], 64 shuffles, 16 vectors of y instead of 16
// gathers of 16 elements each.
#include "Access.h"
#include "Tile.h"

using namespace mlir;

namespace nacre::loops {

int turnedRow(const Kernel &kernel, AffineMap map, MemRefType type, unsigned lane, int64_t lanes) {
  if (kernel.hasReduction() || ShapedType::isDynamic(kernel.extents[lane]) || !type.getElementType().isIntOrFloat() ||
      type.getElementTypeBitWidth() < 32 || accessAlong(map, type, lane, lanes) != Access::Strided)
    return -1;
  for (unsigned d = 0; d < kernel.rank(); ++d) {
    // Blocks of rows start anywhere: a step of `mod` or `floordiv` would fall inside of one.
    bool linear = llvm::all_of(map.getResults(), [&](AffineExpr expr) { return coefficientOf(expr, d).has_value(); });
    if (d != lane && linear && !ShapedType::isDynamic(kernel.extents[d]) && kernel.extents[d] >= 4 &&
        accessAlong(map, type, d, lanes) == Access::Contiguous)
      return d;
  }
  return -1;
}

/// v[i][l] = v[l][i]: in round h, the lanes of v[i] and v[i + h] that differ from their row in bit h change places.
static void transpose(PointEmitter &emitter, MutableArrayRef<Value> vectors) {
  int64_t lanes = vectors.size();
  for (int64_t h = 1; h < lanes; h *= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t l = 0; l < lanes; ++l) {
      low.push_back(l & h ? lanes + l - h : l);
      high.push_back(l & h ? lanes + l : l + h);
    }
    for (int64_t i = 0; i < lanes; ++i)
      if (!(i & h)) {
        Value a = vectors[i], b = vectors[i + h];
        vectors[i] = vector::ShuffleOp::create(emitter.builder, emitter.loc, a, b, low);
        vectors[i + h] = vector::ShuffleOp::create(emitter.builder, emitter.loc, a, b, high);
      }
  }
}

SmallVector<Value> loadTurned(PointEmitter &emitter, Value memref, AffineMap map, Point point, unsigned row,
                              int64_t height, int64_t valid) {
  unsigned lane = point.lane;
  int64_t lanes = point.lanes;
  point.lane = row;
  point.mask = height < lanes ? emitter.firstLanes(lanes, emitter.constant(height)) : Value();
  SmallVector<Value> vectors;
  for (int64_t l = 0; l < valid; ++l, ++point.at[lane].offset)
    vectors.push_back(emitter.load(memref, map, point));
  vectors.resize(lanes, vectors.back()); // beyond the last column there may be no memory; these lanes are never stored
  transpose(emitter, vectors);
  return vectors;
}

} // namespace nacre::loops
