// Finds the convolutions for which the short way is faster and transforms their filters. A filter is a weight, so its
// transform is moved to load time like a packed weight. The op stays what it was, with the transformed filter as one
// more input and a mark for EmitLoops; whoever ignores the mark computes the same sum plainly.
#include "Winograd.h"
#include "Access.h"
#include "Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace nacre {
#define GEN_PASS_DEF_TRANSFORMFILTERS
#include "lower/loops/Passes.h.inc"

namespace loops {

static bool isProductSum(linalg::LinalgOp op, Value &left, Value &right) {
  Block *body = op.getBlock();
  auto yield = cast<linalg::YieldOp>(body->getTerminator());
  auto sum = yield.getOperand(0).getDefiningOp<arith::AddFOp>();
  BlockArgument carried = body->getArguments().back();
  if (!sum || !llvm::hasNItems(*body, 3) || (sum.getLhs() != carried && sum.getRhs() != carried))
    return false;
  auto product = (sum.getLhs() == carried ? sum.getRhs() : sum.getLhs()).getDefiningOp<arith::MulFOp>();
  if (!product || !isa<BlockArgument>(product.getLhs()) || !isa<BlockArgument>(product.getRhs()))
    return false;
  left = product.getLhs();
  right = product.getRhs();
  return left != right && left != carried && right != carried;
}

/// The only dim that an expression depends on, or nothing.
static std::optional<unsigned> onlyDim(AffineExpr expr, unsigned dims) {
  std::optional<unsigned> found;
  for (unsigned d = 0; d < dims; ++d)
    if (expr.isFunctionOfDim(d)) {
      if (found)
        return std::nullopt;
      found = d;
    }
  return found;
}

std::optional<Convolution> matchConvolution(linalg::LinalgOp op) {
  Value left, right;
  if (op.getNumDpsInits() != 1 || op.hasIndexSemantics() || !isProductSum(op, left, right))
    return std::nullopt;
  for (Value operand : {op.getDpsInputs()[cast<BlockArgument>(left).getArgNumber()],
                        op.getDpsInputs()[cast<BlockArgument>(right).getArgNumber()], op.getDpsInits()[0]})
    if (!isa<ShapedType>(operand.getType()) || !getElementTypeOrSelf(operand.getType()).isF32())
      return std::nullopt;
  SmallVector<utils::IteratorType> kinds = op.getIteratorTypesArray();
  SmallVector<int64_t> extents = op.getStaticLoopRanges();
  auto isReduced = [&](unsigned d) { return kinds[d] == utils::IteratorType::reduction; };
  AffineMap result = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!result.isProjectedPermutation() || result.getNumResults() < 3)
    return std::nullopt;

  // The image is the operand that reads windows.
  auto readsWindows = [](AffineMap map) {
    return llvm::any_of(map.getResults(), [](AffineExpr expr) { return expr.getKind() == AffineExprKind::Add; });
  };
  unsigned first = cast<BlockArgument>(left).getArgNumber(), second = cast<BlockArgument>(right).getArgNumber();
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  Convolution found;
  found.image = readsWindows(maps[first]) && maps[first].getNumResults() == result.getNumResults() ? first : second;
  found.weights = found.image == first ? second : first;
  AffineMap image = maps[found.image], weights = maps[found.weights];
  if (image.getNumResults() != result.getNumResults() || weights.getNumResults() != 4)
    return std::nullopt;

  std::optional<unsigned> row, column, u, v;
  for (AffineExpr expr : image.getResults().drop_back()) {
    if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
      if (isReduced(dim.getPosition()) || llvm::is_contained(found.outer, dim.getPosition()))
        return std::nullopt;
      found.outer.push_back(dim.getPosition());
      found.axes.push_back(dim.getPosition());
      continue;
    }
    auto sum = dyn_cast<AffineBinaryOpExpr>(expr);
    if (!sum || expr.getKind() != AffineExprKind::Add)
      return std::nullopt;
    auto a = dyn_cast<AffineDimExpr>(sum.getLHS()), b = dyn_cast<AffineDimExpr>(sum.getRHS());
    if (!a || !b || isReduced(a.getPosition()) == isReduced(b.getPosition()))
      return std::nullopt;
    unsigned moves = isReduced(a.getPosition()) ? b.getPosition() : a.getPosition();
    unsigned within = isReduced(a.getPosition()) ? a.getPosition() : b.getPosition();
    if (extents[within] != 3 || column)
      return std::nullopt;
    (row ? column : row) = moves;
    (u ? v : u) = within;
    found.axes.push_back(moves);
  }
  auto channel = dyn_cast<AffineDimExpr>(image.getResults().back());
  auto filter = cast<AffineDimExpr>(result.getResults().back());
  if (!column || *row == *column || *u == *v || !channel || !isReduced(channel.getPosition()))
    return std::nullopt;
  found.row = *row, found.column = *column, found.u = *u, found.v = *v;
  found.channel = channel.getPosition(), found.filter = filter.getPosition();
  found.axes.push_back(found.channel);

  // Every dim has one part; those of extent 1 need none.
  llvm::SmallDenseSet<unsigned> parts(found.outer.begin(), found.outer.end());
  for (unsigned dim : {found.row, found.column, found.u, found.v, found.channel, found.filter})
    if (!parts.insert(dim).second)
      return std::nullopt;
  for (unsigned d = 0; d < extents.size(); ++d)
    if (!parts.contains(d) && extents[d] != 1)
      return std::nullopt;
  for (AffineExpr expr : result.getResults())
    if (!parts.contains(cast<AffineDimExpr>(expr).getPosition()) || isReduced(cast<AffineDimExpr>(expr).getPosition()))
      return std::nullopt;

  llvm::SmallDenseSet<unsigned> read;
  for (AffineExpr expr : weights.getResults()) {
    std::optional<unsigned> dim = onlyDim(expr, extents.size());
    bool window = dim && (*dim == found.u || *dim == found.v);
    if (!dim || !read.insert(*dim).second || (!window && !isa<AffineDimExpr>(expr)))
      return std::nullopt;
    auto step = coefficientOf(expr, *dim);
    if (window && (!step || std::abs(*step) != 1))
      return std::nullopt;
  }
  for (unsigned dim : {found.u, found.v, found.channel, found.filter})
    if (!read.contains(dim))
      return std::nullopt;
  return found;
}

} // namespace loops

using namespace loops;

/// G: the windows of w at m + 2 points. Rows are exact for m = 2, and rounded to f32 for m = 4.
static ArrayRef<float> filterMatrix(int64_t m) {
  static const float two[] = {1, 0, 0, .5f, .5f, .5f, .5f, -.5f, .5f, 0, 0, 1};
  static const float four[] = {1.f / 4,  0,        0,       -1.f / 6, -1.f / 6,  -1.f / 6, -1.f / 6, 1.f / 6, -1.f / 6,
                               1.f / 24, 1.f / 12, 1.f / 6, 1.f / 24, -1.f / 12, 1.f / 6,  0,        0,       1};
  return m == 2 ? ArrayRef(two) : ArrayRef(four);
}

namespace {
/// Cycles, by counting vectors: enough to choose, no prediction. `lanes` floats a vector, two multiply-adds a cycle.
struct Cost {
  double images, rows, columns, channels, filters, lanes;

  static double up(double a, double b) { return std::ceil(a / b); }
  /// Filters that the second-level cache does not keep come at some 4 bytes a cycle, among those of a whole model; half
  /// of the shorter of the two hides behind the longer.
  static double overlap(double products, double bytes) {
    double streaming = bytes > 1 << 20 ? bytes / 4 : 0;
    return std::max(products, streaming) + std::min(products, streaming) / 2;
  }
  double plain() const {
    double products = images * rows * columns * 9 * channels * up(filters, lanes) / 2 / .85;
    return overlap(products, 36 * channels * filters);
  }
  double winograd(double m) const {
    double points = (m + 2) * (m + 2), tiles = images * up(rows, m) * up(columns, m);
    // Each product of a tile and a vector of filters has its sum to start and to store, and few channels to spread it.
    double products = tiles * points * up(filters, lanes) * (channels / 2 / .85 + 1.5);
    double image = tiles * up(channels, lanes) * (m == 4 ? 150 : 45);
    double result = tiles * up(filters, lanes) * (m == 4 ? 110 : 30);
    return overlap(products, 4 * points * channels * filters) + image + result;
  }
};

struct TransformFiltersPass : impl::TransformFiltersBase<TransformFiltersPass> {
  using TransformFiltersBase::TransformFiltersBase;

  void runOnOperation() override {
    for (linalg::GenericOp op : singleReductions(getOperation()))
      if (std::optional<Convolution> convolution = matchConvolution(op))
        if (isWeightOnly(op.getDpsInputs()[convolution->weights]))
          if (int64_t m = edge ? int64_t(edge) : bestEdge(op, *convolution))
            rewrite(op, *convolution, m);
  }

  /// 4 or 2, or 0 where the plain sum is as fast.
  int64_t bestEdge(linalg::GenericOp op, const Convolution &convolution) {
    SmallVector<int64_t> extents = op.getStaticLoopRanges();
    auto known = [&](unsigned d, int64_t guess) {
      return double(ShapedType::isDynamic(extents[d]) ? guess : extents[d]);
    };
    Cost cost{1,
              known(convolution.row, 32),
              known(convolution.column, 32),
              known(convolution.channel, 0),
              known(convolution.filter, 0),
              double(vectorBits / 32)};
    for (unsigned d : convolution.outer)
      cost.images *= known(d, 1);
    if (cost.channels < 4 || cost.filters < cost.lanes / 2)
      return 0;
    double two = cost.winograd(2), four = cost.winograd(4), least = std::min(two, four);
    return least > .9 * cost.plain() ? 0 : four <= two ? 4 : 2;
  }

  void rewrite(linalg::GenericOp op, const Convolution &convolution, int64_t m) {
    OpBuilder b(op);
    Location loc = op.getLoc();
    SmallVector<int64_t> extents = op.getStaticLoopRanges();
    int64_t channels = extents[convolution.channel], filters = extents[convolution.filter], points = m + 2;
    if (ShapedType::isDynamic(channels) || ShapedType::isDynamic(filters))
      return;
    int64_t lanes = vectorBits / 32, panel = filters > lanes ? 2 * lanes : lanes;
    Type f32 = b.getF32Type();

    // U[p, q, c, f] = sum[u, v](G[p, u] * G[q, v] * w[f, c, u, v])
    auto dim = [&](unsigned d) { return b.getAffineDimExpr(d); };
    auto map = [&](unsigned dims, ArrayRef<AffineExpr> results) {
      return AffineMap::get(dims, 0, results, b.getContext());
    };
    auto matrixType = RankedTensorType::get({points, 3}, f32);
    Value matrix = arith::ConstantOp::create(b, loc, DenseElementsAttr::get(matrixType, filterMatrix(m)));
    SmallVector<AffineExpr> moved(extents.size(), b.getAffineConstantExpr(0));
    moved[convolution.channel] = dim(2), moved[convolution.filter] = dim(3);
    moved[convolution.u] = dim(4), moved[convolution.v] = dim(5);
    SmallVector<AffineExpr> read;
    for (AffineExpr expr : op.getIndexingMapsArray()[convolution.weights].getResults())
      read.push_back(expr.replaceDims(moved));
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(f32));
    Value places = tensor::EmptyOp::create(b, loc, {points, points, channels, filters}, f32);
    Value start = linalg::FillOp::create(b, loc, zero, places).getResult(0);
    auto parallel = utils::IteratorType::parallel, reduction = utils::IteratorType::reduction;
    auto transformed = linalg::GenericOp::create(
        b, loc, start.getType(), ValueRange{matrix, matrix, op.getDpsInputs()[convolution.weights]}, start,
        ArrayRef{map(6, {dim(0), dim(4)}), map(6, {dim(1), dim(5)}), map(6, read),
                 map(6, {dim(0), dim(1), dim(2), dim(3)})},
        ArrayRef{parallel, parallel, parallel, parallel, reduction, reduction},
        [](OpBuilder &inner, Location at, ValueRange arguments) {
          Value both = arith::MulFOp::create(inner, at, arguments[0], arguments[1]);
          Value product = arith::MulFOp::create(inner, at, both, arguments[2]);
          Value sum = arith::AddFOp::create(inner, at, arguments[3], product);
          linalg::YieldOp::create(inner, at, sum);
        });

    // P[0, p * points + q, f floordiv panel, c, f mod panel] = U[p, q, c, f]. The axis of length 1 makes the loop that
    // keeps the operand: an input that no loop and no body needs is dropped.
    SmallVector<int64_t> shape{1, points * points, llvm::divideCeil(filters, panel), channels, panel};
    Value panels = tensor::EmptyOp::create(b, loc, shape, f32);
    auto packed = linalg::GenericOp::create(
        b, loc, panels.getType(), transformed.getResult(0), panels,
        ArrayRef{map(4, {dim(0), dim(1), dim(2), dim(3)}), map(4, {b.getAffineConstantExpr(0), dim(0) * points + dim(1),
                                                                   dim(3).floorDiv(panel), dim(2), dim(3) % panel})},
        ArrayRef{parallel, parallel, parallel, parallel},
        [](OpBuilder &inner, Location at, ValueRange arguments) { linalg::YieldOp::create(inner, at, arguments[0]); });

    unsigned loops = extents.size();
    SmallVector<AffineMap> maps;
    for (AffineMap old : op.getIndexingMapsArray())
      maps.push_back(map(loops + 1, old.getResults()));
    AffineExpr none = b.getAffineConstantExpr(0);
    maps.insert(maps.end() - 1, map(loops + 1, {dim(loops), none, none, none, none}));
    SmallVector<utils::IteratorType> kinds = op.getIteratorTypesArray();
    kinds.push_back(reduction);
    SmallVector<Value> inputs(op.getDpsInputs());
    inputs.push_back(packed.getResult(0));
    auto marked = linalg::GenericOp::create(b, loc, op.getResultTypes(), inputs, op.getDpsInits(), maps, kinds);
    IRMapping mapping;
    op.getRegion().cloneInto(&marked.getRegion(), mapping);
    marked.getRegion().front().insertArgument(inputs.size() - 1, f32, loc);
    marked->setAttr(winogradAttribute, b.getI64IntegerAttr(m));
    op.replaceAllUsesWith(marked.getResults());
    op.erase();
  }
};
} // namespace
} // namespace nacre
