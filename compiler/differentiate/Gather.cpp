// From scatter to gather: a piece that adds at affine subscripts becomes pieces of which each cell of the target is one
// sum.
//
//   dx[2i + u] += dy[i] w[u], u < 3     =>     dx[2p]     = sum[u' < 2](dy[p - u'] w[2u'])
//                                              dx[2p + 1] = dy[p] w[1]
//
// Divisions in the target are split away, then each overlapping subscript loses its longest index (the pivot) to the
// place in the target: l = c * pivot + rest = s * p + r. A stride s > 1 gives one piece per residue (phase). What lies
// outside becomes a guard; `place` turns guards into zero padding where it can.
#include "differentiate/Differentiate.h"
#include "differentiate/Piece.h"
#include "llvm/ADT/STLExtras.h"
#include <numeric>

using namespace mlir;

namespace nacre {

static constexpr size_t mostPieces = 64;

/// The sum of some terms; nothing unless the target is linear in the indices there.
static std::optional<Linear> plainForm(const Piece &piece, unsigned axis) {
  if (!piece.target[axis])
    return std::nullopt;
  std::optional<Linear> linear = linearOf(piece.target[axis], piece.indexCount());
  return linear && linear->atoms.empty() ? linear : std::nullopt;
}

/// f floordiv n and f mod n in the target disappear by f = n a + b. False if one stays.
static bool splitDivisions(Piece &piece) {
  for (int round = 0; round < 32; ++round) {
    std::optional<std::pair<int64_t, unsigned>> wanted; // the smallest divisor first
    bool stuck = false;
    for (AffineExpr subscript : piece.target) {
      if (!subscript)
        continue;
      std::optional<Linear> linear = linearOf(subscript, piece.indexCount());
      if (!linear)
        return false;
      for (auto [atom, factor] : linear->atoms) {
        auto binary = cast<AffineBinaryOpExpr>(atom);
        auto index = dyn_cast<AffineDimExpr>(binary.getLHS());
        if (!index) {
          stuck = true;
          continue;
        }
        auto found = std::pair(*constantOf(binary.getRHS()), index.getPosition());
        wanted = wanted ? std::min(*wanted, found) : found;
      }
    }
    if (!wanted)
      return !stuck;
    auto [n, index] = *wanted;
    AffineExpr extent = piece.extents[index];
    auto known = constantOf(extent);
    bool exact = known && *known % n == 0;
    unsigned low = piece.addIndex(piece.constant(n));
    piece.extents[index] = known ? piece.constant(llvm::divideCeil(*known, n)) : (extent + (n - 1)).floorDiv(n);
    AffineExpr whole = piece.index(index) * n + piece.index(low);
    piece.substitute(index, whole);
    if (!exact)
      piece.guards.push_back(piece.simplify(extent - 1 - whole));
  }
  return false;
}

bool tighten(Piece &piece) {
  for (bool changed = true; changed;) {
    changed = false;
    SmallVector<AffineExpr> kept;
    for (AffineExpr guard : piece.guards) {
      guard = piece.simplify(guard);
      if (piece.box().isNegative(guard))
        return false;
      if (!piece.box().isNonNegative(guard) && !llvm::is_contained(kept, guard))
        kept.push_back(guard);
    }
    piece.guards = kept;
    for (AffineExpr guard : piece.guards) {
      std::optional<Linear> linear = linearOf(guard, piece.indexCount());
      if (!linear || !linear->atoms.empty() || linear->indices().size() != 1)
        continue;
      unsigned index = linear->indices().front();
      int64_t coefficient = linear->coefficients[index];
      AffineExpr extent = piece.extents[index];
      if (coefficient > 0) { // index >= first
        auto offset = constantOf(linear->offset);
        if (!offset)
          continue;
        int64_t first = llvm::divideCeilSigned(-*offset, coefficient);
        if (!piece.box().isNonNegative(extent - (first + 1)))
          continue;
        piece.extents[index] = simplifyAffineExpr(extent - first, 0, piece.sizes.size());
        piece.substitute(index, piece.index(index) + first);
      } else { // index < count
        AffineExpr count = linear->offset.floorDiv(-coefficient) + 1;
        if (!piece.box().isNonNegative(extent - count) || !piece.box().isNonNegative(count - 1))
          continue;
        piece.extents[index] = simplifyAffineExpr(count, 0, piece.sizes.size());
        piece.refresh(); // an index of extent 1 vanishes
      }
      changed = true;
      break;
    }
  }
  return true;
}

DenseSet<unsigned> determined(const Piece &piece, int &overlap) {
  DenseSet<unsigned> known;
  for (bool changed = true; changed;) {
    changed = false;
    for (unsigned axis = 0; axis < piece.target.size(); ++axis) {
      std::optional<Linear> linear = plainForm(piece, axis);
      if (!linear)
        continue;
      SmallVector<unsigned> unknown;
      for (unsigned index : linear->indices())
        if (!known.contains(index))
          unknown.push_back(index);
      llvm::stable_sort(unknown, [&](unsigned a, unsigned b) {
        return std::abs(linear->coefficients[a]) < std::abs(linear->coefficients[b]);
      });
      std::optional<int64_t> reach = 0; // the largest sum of the smaller ones
      bool apart = true;
      for (unsigned index : unknown) {
        int64_t coefficient = std::abs(linear->coefficients[index]);
        auto extent = piece.box().constantExtent(index);
        apart &= reach && coefficient > *reach;
        reach = reach && extent ? std::optional(*reach + coefficient * (*extent - 1)) : std::nullopt;
      }
      if (!apart || unknown.empty())
        continue;
      known.insert(unknown.begin(), unknown.end());
      changed = true;
    }
  }
  overlap = -1;
  for (unsigned axis = 0; axis < piece.target.size() && overlap < 0; ++axis)
    if (std::optional<Linear> linear = plainForm(piece, axis))
      if (llvm::any_of(linear->indices(), [&](unsigned index) { return !known.contains(index); }))
        overlap = axis;
  return known;
}

/// The index that leaves an overlapping subscript: the longest, so that the window stays; one of run-time extent before
/// any other; of equals the one that comes first, an axis of the forward result.
static unsigned choosePivot(const Piece &piece, const Linear &subscript, const DenseSet<unsigned> &known) {
  auto rank = [&](unsigned index) {
    int64_t extent = piece.box().constantExtent(index).value_or(std::numeric_limits<int64_t>::max());
    return std::pair(extent, -int64_t(index));
  };
  unsigned best = ~0u;
  for (unsigned index : subscript.indices())
    if (!known.contains(index) && (best == ~0u || rank(index) > rank(best)))
      best = index;
  return best;
}

/// One piece per choice of the residues of the other indices; each goes on by itself. False if one must stay a scatter.
static bool gatherInto(Piece piece, Value like, std::vector<Piece> &done) {
  if (!tighten(piece))
    return true;
  int axis = -1;
  DenseSet<unsigned> known = determined(piece, axis);
  if (axis < 0) {
    done.push_back(std::move(piece));
    return done.size() <= mostPieces;
  }
  Linear subscript = *plainForm(piece, axis);
  unsigned pivot = choosePivot(piece, subscript, known);
  int64_t coefficient = subscript.coefficients[pivot], stride = std::abs(coefficient);
  int sign = coefficient > 0 ? 1 : -1;
  AffineExpr length = piece.extentOf(like, axis);
  if (!length)
    return false;

  struct Other {
    unsigned index;
    int64_t coefficient, period, residues;
  };
  SmallVector<Other> others;
  size_t choices = 1;
  for (unsigned index : subscript.indices())
    if (index != pivot) {
      int64_t factor = subscript.coefficients[index], period = stride / std::gcd(factor, stride);
      int64_t residues = std::min(period, piece.box().constantExtent(index).value_or(period));
      others.push_back({index, factor, period, residues});
      choices *= residues;
    }
  if (choices > mostPieces || (stride > 1 && !constantOf(subscript.offset)))
    return false;

  for (size_t choice = 0; choice < choices; ++choice) {
    Piece phase = piece.clone();
    size_t rest = choice;
    SmallVector<AffineExpr> split;
    for (unsigned number = 0; number < phase.indexCount(); ++number)
      split.push_back(phase.index(number));
    for (const Other &other : others) {
      int64_t residue = rest % other.residues;
      rest /= other.residues;
      if (other.period == 1)
        continue;
      split[other.index] = phase.index(other.index) * other.period + residue;
      AffineExpr extent = phase.extents[other.index];
      phase.extents[other.index] =
          simplifyAffineExpr((extent + (other.period - 1 - residue)).floorDiv(other.period), 0, phase.sizes.size());
    }
    phase.substitute(split);
    // target = stride * (sign * pivot + quotient) + r = stride * place + r
    Linear quotient = *plainForm(phase, axis);
    quotient.coefficients[pivot] = 0;
    int64_t r = 0;
    if (stride > 1) {
      int64_t offset = *constantOf(quotient.offset);
      r = ((offset % stride) + stride) % stride;
      quotient.offset = phase.constant((offset - r) / stride);
      for (int64_t &factor : quotient.coefficients)
        factor /= stride;
    }
    AffineExpr oldExtent = phase.extents[pivot];
    AffineExpr places = simplifyAffineExpr((length + (stride - 1 - r)).floorDiv(stride), 0, phase.sizes.size());
    if (auto count = constantOf(places); count && *count <= 0)
      continue;
    phase.extents[pivot] = places;
    AffineExpr solved = (phase.index(pivot) - quotient.expression()) * sign;
    phase.substitute(pivot, solved);
    phase.target[axis] = phase.index(pivot) * stride + r;
    phase.guards.push_back(phase.simplify(solved));
    phase.guards.push_back(phase.simplify(oldExtent - 1 - solved));
    if (!gatherInto(std::move(phase), like, done))
      return false;
  }
  return true;
}

std::optional<std::vector<Piece>> gather(Piece piece, Value like) {
  std::vector<Piece> done;
  if (!splitDivisions(piece) || !gatherInto(std::move(piece), like, done))
    return std::nullopt;
  return done;
}

// ---- what stays a scatter, and what is one only by name -------------------------------------------------------------

/// dt[n, label[n]] += g[n] with every index of the target determined: dt[n, j] = if j == label[n] then g[n] else 0.
static bool chooseRows(Piece &piece) {
  int overlap = -1;
  DenseSet<unsigned> known = determined(piece, overlap);
  if (overlap >= 0)
    return false;
  for (Value scalar : piece.gathered)
    if (scalar)
      for (unsigned index : piece.indicesOf(scalar))
        if (!known.contains(index) && piece.box().constantExtent(index) != 1)
          return false;
  return true;
}

static bool compareRows(Piece &piece, Value like) {
  for (auto [axis, scalar] : llvm::enumerate(piece.gathered)) {
    if (!scalar)
      continue;
    AffineExpr extent = piece.extentOf(like, axis);
    if (!extent)
      return false;
    AffineExpr row = piece.index(piece.addIndex(extent));
    piece.refresh();
    Value here = piece.indexValue(row);
    OpBuilder builder = piece.atEnd();
    Arithmetic arithmetic(builder, piece.location);
    piece.value = arithmetic.select(arithmetic.equal(here, scalar), piece.value, {});
    piece.target[axis] = row;
    piece.gathered[axis] = {};
  }
  return true;
}

/// Sums over the indices that do not say where to add; the rest adds point by point.
static FailureOr<Value> scatter(OpBuilder &builder, Piece piece, Value like) {
  Value init = zerosLike(builder, piece.location, like);
  if (!init)
    return failure();
  piece.guardBody(piece.guards);
  piece.guards.clear();
  DenseSet<unsigned> places;
  for (AffineExpr subscript : piece.target)
    for (unsigned index = 0; subscript && index < piece.indexCount(); ++index)
      if (subscript.isFunctionOfDim(index))
        places.insert(index);
  for (Value scalar : piece.gathered)
    if (scalar)
      places.insert_range(piece.indicesOf(scalar));
  bool sums = false;
  SmallVector<unsigned> axes;
  for (unsigned index = 0; index < piece.indexCount(); ++index)
    if (places.contains(index))
      axes.push_back(index);
    else
      sums |= piece.box().constantExtent(index) != 1;
  if (sums) {
    Value summed = piece.equation(builder, axes, cast<RankedTensorType>(like.getType()).getElementType());
    SmallVector<AffineExpr> subscripts;
    for (unsigned index : axes)
      subscripts.push_back(piece.index(index));
    piece.value = piece.read(summed, subscripts);
    for (unsigned index = 0; index < piece.indexCount(); ++index)
      if (!places.contains(index))
        piece.extents[index] = piece.constant(1);
  }
  SmallVector<Value> subscripts;
  for (auto [subscript, scalar] : llvm::zip(piece.target, piece.gathered))
    subscripts.push_back(scalar ? scalar : piece.indexValue(subscript));
  piece.refresh();
  OpBuilder end = piece.atEnd();
  auto yield = ScatterYieldOp::create(end, piece.location, piece.value, subscripts);
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(*piece.body)))
    if (&op != yield && op.use_empty())
      op.erase();
  SmallVector<Attribute> maps;
  SmallVector<Value> inputs;
  auto over = [&](ArrayRef<AffineExpr> results) {
    return AffineMap::get(piece.indexCount(), piece.sizes.size(), results, piece.context);
  };
  for (size_t number = piece.reads.size(); number-- > 0;)
    if (piece.body->getArgument(number).use_empty()) {
      piece.body->eraseArgument(number);
      piece.reads.erase(piece.reads.begin() + number);
    }
  for (const Read &read : piece.reads) {
    maps.push_back(AffineMapAttr::get(over(read.subscripts)));
    inputs.push_back(read.tensor);
  }
  auto op = ScatterOp::create(builder, piece.location, like.getType(), init, inputs, piece.sizes,
                              AffineMapAttr::get(AffineMap::get(0, piece.sizes.size(), piece.extents, piece.context)),
                              ArrayAttr::get(piece.context, maps), UnitAttr());
  op.getBody().push_back(piece.body.release());
  return op.getResult();
}

FailureOr<Value> accumulate(OpBuilder &builder, Piece piece, Value like) {
  piece.gathered.resize(piece.target.size());
  if (isZero(piece.value))
    return Value();
  // A choice with nothing on its other side bounds the box where its condition is affine.
  while (auto choice = piece.value.getDefiningOp<SelectOp>()) {
    auto conditions = isZero(choice.getNo()) ? affineConditions(choice.getCondition(), piece.context) : std::nullopt;
    if (!conditions)
      break;
    llvm::append_range(piece.guards, *conditions);
    piece.value = choice.getYes();
  }
  piece.prune();
  piece.refresh();
  if (llvm::any_of(piece.gathered, [](Value scalar) { return scalar != nullptr; }) &&
      (!chooseRows(piece) || !compareRows(piece, like)))
    return scatter(builder, std::move(piece), like);
  std::optional<std::vector<Piece>> pieces = gather(piece.clone(), like);
  if (!pieces)
    return scatter(builder, std::move(piece), like);
  if (pieces->empty())
    return Value();
  if (auto placed = place(builder, std::move(*pieces), like))
    return *placed;
  return scatter(builder, std::move(piece), like);
}

} // namespace nacre
