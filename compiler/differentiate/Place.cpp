// Gathered pieces to tensors: guards become zero padding of what is read, equations compute the pieces, and
// `nacre.assemble` stores those that are strided, shifted or do not cover the target.
#include "differentiate/Differentiate.h"
#include "differentiate/Piece.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace nacre {

namespace {

struct Padding {
  SmallVector<int64_t> low, high;
};

/// Where the elements of a piece lie: on each axis at offset + stride * (the number written with these indices as
/// digits).
struct Slots {
  SmallVector<SmallVector<unsigned>> digits;
  SmallVector<AffineExpr> offsets;
  SmallVector<int64_t> strides;
};

class Placement {
public:
  Placement(OpBuilder &builder, Value like) : builder(builder), like(like) {}

  /// Nothing was built if it has too many parts.
  std::optional<FailureOr<Value>> run(std::vector<Piece> pieces) {
    for (Piece &piece : pieces)
      if (!arrange(std::move(piece)))
        return std::nullopt;
    for (auto &[piece, slots] : arranged) {
      turnWindows(piece);
      if (!piece.guards.empty())
        findPadding(piece);
    }
    std::vector<Store> stores;
    for (auto &[piece, slots] : arranged) {
      if (!piece.guards.empty())
        resolveGuards(piece);
      splitSubscripts(piece);
      if (isZero(piece.value))
        continue;
      Store store = compute(piece, slots);
      auto same = llvm::find_if(stores, [&](const Store &other) { return other.sameCells(store); });
      if (same != stores.end())
        same->parts.push_back(store.parts.front());
      else
        stores.push_back(store);
    }
    return assemble(stores);
  }

private:
  struct Store {
    SmallVector<Value> parts; // of one shape
    SmallVector<AffineExpr> extents, offsets;
    SmallVector<int64_t> strides;
    SmallVector<Value> sizes;

    bool sameCells(const Store &other) const {
      if (strides != other.strides || parts.front().getType() != other.parts.front().getType())
        return false;
      for (size_t axis = 0; axis < strides.size(); ++axis)
        if (!sameExtent(offsets[axis], sizes, other.offsets[axis], other.sizes) ||
            !sameExtent(extents[axis], sizes, other.extents[axis], other.sizes))
          return false;
      return true;
    }
    bool isApartFrom(const Store &other) const {
      for (size_t axis = 0; axis < strides.size(); ++axis) {
        auto a = constantOf(offsets[axis]), b = constantOf(other.offsets[axis]);
        if (a && b && strides[axis] == other.strides[axis] && (*a - *b) % strides[axis] != 0)
          return true;
      }
      return false;
    }
  };

  // ---- the target ---------------------------------------------------------------------------------------------------
  /// Falling indices are turned round, digits that leave gaps become one piece per value. False: too many.
  bool arrange(Piece piece) {
    Slots slots;
    for (unsigned axis = 0; axis < piece.target.size(); ++axis) {
      Linear linear = *linearOf(piece.target[axis], piece.indexCount());
      SmallVector<unsigned> digits = linear.indices();
      // A diagonal: the index has an axis already, this one is compared with it.
      bool taken = llvm::any_of(digits, [&](unsigned index) {
        return llvm::any_of(slots.digits, [&](const auto &before) { return llvm::is_contained(before, index); });
      });
      if (taken) {
        AffineExpr cell = piece.index(piece.addIndex(piece.extentOf(like, axis))), old = piece.target[axis];
        piece.guards.push_back(cell - old);
        piece.guards.push_back(old - cell);
        piece.target[axis] = cell;
        piece.refresh();
        return arrange(std::move(piece));
      }
      for (unsigned index : linear.indices())
        if (linear.coefficients[index] < 0) {
          piece.substitute(index, piece.extents[index] - 1 - piece.index(index));
          return arrange(std::move(piece));
        }
      llvm::stable_sort(digits,
                        [&](unsigned a, unsigned b) { return linear.coefficients[a] > linear.coefficients[b]; });
      for (size_t digit = 0; digit + 1 < digits.size(); ++digit) {
        unsigned low = digits[digit + 1];
        auto extent = piece.box().constantExtent(low);
        if (extent && linear.coefficients[digits[digit]] == linear.coefficients[low] * *extent)
          continue;
        return expand(piece, digits.back());
      }
      slots.strides.push_back(digits.empty() ? 1 : linear.coefficients[digits.back()]);
      slots.offsets.push_back(linear.offset);
      slots.digits.push_back(digits);
    }
    if (!piece.guards.empty() && !staysInside(piece)) {
      for (const SmallVector<unsigned> &digits : slots.digits)
        if (digits.size() > 1)
          return expand(piece, digits.back());
      return false;
    }
    for (SmallVector<unsigned> &digits : slots.digits)
      if (digits.empty())
        digits.push_back(piece.addIndex(piece.constant(1)));
    piece.refresh();
    arranged.push_back({std::move(piece), std::move(slots)});
    return true;
  }

  /// One piece per value of an index.
  bool expand(const Piece &piece, unsigned index) {
    auto values = piece.box().constantExtent(index);
    if (!values || arranged.size() + *values > 256)
      return false;
    for (int64_t value = 0; value < *values; ++value) {
      Piece one = piece.clone();
      one.extents[index] = one.constant(1);
      one.substitute(index, one.constant(value));
      if (tighten(one) && !arrange(std::move(one)))
        return false;
    }
    return true;
  }

  /// Guards may be what keeps a piece inside the target; then it cannot be stored as a box.
  bool staysInside(Piece &piece) {
    for (auto [axis, subscript] : llvm::enumerate(piece.target))
      if (!piece.box().isNonNegative(subscript) ||
          !piece.box().isNonNegative(piece.extentOf(like, axis) - 1 - subscript))
        return false;
    return true;
  }

  /// dy[p - u] w[u] is read the other way round, dy[p + u' - (k-1)] w[k-1 - u']: the large operand at rising
  /// subscripts.
  void turnWindows(Piece &piece) {
    SmallVector<bool> isAxis(piece.indexCount());
    for (AffineExpr subscript : piece.target)
      for (unsigned index = 0; index < piece.indexCount(); ++index)
        isAxis[index] = isAxis[index] || subscript.isFunctionOfDim(index);
    for (unsigned index = 0; index < piece.indexCount(); ++index) {
      if (isAxis[index])
        continue;
      bool falls = llvm::any_of(piece.reads, [&](const Read &read) {
        return llvm::any_of(read.subscripts, [&](AffineExpr subscript) {
          std::optional<Linear> linear = linearOf(subscript, piece.indexCount());
          return linear && linear->indices().size() > 1 && linear->coefficients[index] < 0;
        });
      });
      if (falls)
        piece.substitute(index, piece.extents[index] - 1 - piece.index(index));
    }
  }

  // ---- guards -------------------------------------------------------------------------------------------------------
  /// How far a read leaves its tensor; nothing if that is not bounded by numbers.
  std::optional<Padding> excess(Piece &piece, const Read &read) {
    Padding padding;
    for (auto [axis, subscript] : llvm::enumerate(read.subscripts)) {
      AffineExpr extent = piece.extentOf(read.tensor, axis);
      if (!extent)
        return std::nullopt;
      auto first = piece.box().least(subscript), past = piece.box().greatest(subscript - (extent - 1));
      if (!first || !past)
        return std::nullopt;
      padding.low.push_back(std::max<int64_t>(0, -*first));
      padding.high.push_back(std::max<int64_t>(0, *past));
    }
    return padding;
  }

  static bool isNone(const Padding &padding) {
    auto zero = [](int64_t count) { return count == 0; };
    return llvm::all_of(padding.low, zero) && llvm::all_of(padding.high, zero);
  }

  void findPadding(Piece &piece) {
    piece.prune();
    for (const Read &read : std::vector<Read>(piece.reads)) {
      std::optional<Padding> needed = excess(piece, read);
      if (!needed || isNone(*needed))
        continue;
      auto [known, isNew] = paddings.insert({read.tensor, *needed});
      if (isNew)
        continue;
      for (size_t axis = 0; axis < read.subscripts.size(); ++axis) {
        known->second.low[axis] = std::max(known->second.low[axis], needed->low[axis]);
        known->second.high[axis] = std::max(known->second.high[axis], needed->high[axis]);
      }
    }
  }

  /// A guard that says no more than that a read which makes the value zero is inside its tensor is what padding does.
  void resolveGuards(Piece &piece) {
    SmallVector<AffineExpr> rest;
    DenseSet<Value> outside; // arguments whose reads leave their tensors, or may
    for (auto [number, read] : llvm::enumerate(piece.reads)) {
      std::optional<Padding> leaves = excess(piece, read);
      if (!leaves || !isNone(*leaves))
        outside.insert(piece.body->getArgument(number));
    }
    for (AffineExpr guard : piece.guards) {
      bool padded = false;
      for (auto [number, read] : llvm::enumerate(piece.reads)) {
        Value argument = piece.body->getArgument(number);
        if (!outside.contains(argument) || !excess(piece, read) || !vanishes(piece.value, argument, outside))
          continue;
        for (auto [axis, subscript] : llvm::enumerate(read.subscripts)) {
          AffineExpr last = piece.extentOf(read.tensor, axis) - 1;
          padded |= piece.simplify(guard - subscript) == piece.constant(0) ||
                    piece.simplify(guard - (last - subscript)) == piece.constant(0);
        }
      }
      if (!padded)
        rest.push_back(guard);
    }
    piece.guards.clear();
    // Reads that are not bounded by numbers are clamped instead; that is right wherever the guards hold.
    for (size_t number = piece.reads.size(); number-- > 0;) {
      Read read = piece.reads[number];
      std::optional<Padding> leaves = excess(piece, read);
      if (leaves && isNone(*leaves))
        continue;
      if (leaves) {
        auto &padding = paddings[read.tensor];
        for (auto [axis, subscript] : llvm::enumerate(piece.reads[number].subscripts))
          subscript = piece.simplify(subscript + padding.low[axis]);
        piece.reads[number].tensor = padded(read.tensor);
        continue;
      }
      OpBuilder front = piece.atEnd();
      front.setInsertionPointToStart(piece.body.get());
      AffineMap map = AffineMap::get(piece.indexCount(), piece.sizes.size(), read.subscripts, piece.context);
      SmallVector<Value> subscripts;
      for (AffineExpr subscript : map.getResults())
        subscripts.push_back(
            IndexOp::create(front, piece.location, front.getI64Type(),
                            AffineMapAttr::get(AffineMap::get(piece.indexCount(), piece.sizes.size(), subscript))));
      BlockArgument argument = piece.body->getArgument(number);
      Value element =
          ElementOp::create(front, piece.location, argument.getType(), read.tensor, subscripts, DenseBoolArrayAttr());
      argument.replaceAllUsesWith(element);
      if (piece.value == argument)
        piece.value = element;
      piece.body->eraseArgument(number);
      piece.reads.erase(piece.reads.begin() + number);
    }
    piece.guardBody(rest);
  }

  /// Whether the value is 0 where this argument is, whatever zeros stand in for other reads outside.
  static bool vanishes(Value value, Value argument, const DenseSet<Value> &outside) {
    if (value == argument || isZero(value))
      return true;
    Operation *op = value.getDefiningOp();
    if (!op)
      return false;
    auto zero = [&](unsigned operand) { return vanishes(op->getOperand(operand), argument, outside); };
    auto finite = [&](unsigned operand) { return staysFinite(op->getOperand(operand), outside); };
    if (isa<MultiplyOp>(op))
      return (zero(0) && finite(1)) || (zero(1) && finite(0));
    if (isa<DivideOp>(op))
      return zero(0) && isInside(op->getOperand(1), outside);
    if (isa<NegateOp>(op) || (isa<CastOp>(op) && isa<FloatType>(op->getOperand(0).getType())))
      return zero(0);
    if (isa<AddOp, SubtractOp>(op))
      return zero(0) && zero(1);
    return isa<SelectOp>(op) && zero(1) && zero(2);
  }

  static bool isInside(Value value, const DenseSet<Value> &outside) {
    if (outside.contains(value))
      return false;
    Operation *op = value.getDefiningOp();
    return !op || (!isa<IndexOp, ElementOp>(op) &&
                   llvm::all_of(op->getOperands(), [&](Value operand) { return isInside(operand, outside); }));
  }

  static bool staysFinite(Value value, const DenseSet<Value> &outside) {
    if (isInside(value, outside))
      return true;
    Operation *op = value.getDefiningOp();
    return !op || isa<IndexOp, ElementOp>(op) ||
           (!isa<DivideOp, LogOp, Log1pOp, RsqrtOp, PowerOp>(op) &&
            llvm::all_of(op->getOperands(), [&](Value operand) { return staysFinite(operand, outside); }));
  }

  Value padded(Value tensor) {
    Value &done = paddedTensors[tensor];
    if (done)
      return done;
    const Padding &padding = paddings[tensor];
    Extents extents = *extentsOf(tensor);
    SmallVector<AffineExpr> shape;
    SmallVector<AffineExpr> offsets;
    for (auto [axis, extent] : llvm::enumerate(extents.map.getResults())) {
      shape.push_back(extent + (padding.low[axis] + padding.high[axis]));
      offsets.push_back(getAffineConstantExpr(padding.low[axis], builder.getContext()));
    }
    SmallVector<int64_t> strides(shape.size(), 1);
    Store store{{tensor}, {}, offsets, strides, extents.symbols};
    return done = assembleOp({store}, shape, extents.symbols, cast<RankedTensorType>(tensor.getType()).getElementType(),
                             /*zero=*/true);
  }

  /// x[.., a*q + b, ..] over whole digits reads the axis split in two, where it is a plain batch or group.
  void splitSubscripts(Piece &piece) {
    for (Read &read : piece.reads) {
      SmallVector<AffineExpr> subscripts, shape;
      bool splits = false;
      for (auto [axis, subscript] : llvm::enumerate(read.subscripts)) {
        AffineExpr extent = piece.extentOf(read.tensor, axis);
        std::optional<Linear> linear = linearOf(subscript, piece.indexCount());
        SmallVector<unsigned> digits = linear && linear->atoms.empty() ? linear->indices() : SmallVector<unsigned>();
        if (!extent)
          return;
        llvm::stable_sort(digits,
                          [&](unsigned a, unsigned b) { return linear->coefficients[a] > linear->coefficients[b]; });
        bool whole =
            digits.size() > 1 && linear->offset == piece.constant(0) && linear->coefficients[digits.back()] == 1;
        for (size_t digit = 0; whole && digit + 1 < digits.size(); ++digit) {
          auto low = piece.box().constantExtent(digits[digit + 1]);
          whole = low && linear->coefficients[digits[digit]] == linear->coefficients[digits[digit + 1]] * *low;
        }
        whole = whole && piece.simplify(piece.extents[digits.front()] * linear->coefficients[digits.front()] -
                                        extent) == piece.constant(0);
        if (!whole) {
          subscripts.push_back(subscript);
          shape.push_back(extent);
          continue;
        }
        splits = true;
        for (unsigned index : digits) {
          subscripts.push_back(piece.index(index));
          shape.push_back(piece.extents[index]);
        }
      }
      if (!splits)
        continue;
      read = {reshape(read.tensor, shape, piece.sizes), subscripts};
    }
  }

  Value reshape(Value tensor, ArrayRef<AffineExpr> shape, ValueRange sizes) {
    SmallVector<int64_t> dims;
    for (AffineExpr extent : shape)
      dims.push_back(constantOf(extent).value_or(ShapedType::kDynamic));
    auto type = RankedTensorType::get(dims, cast<RankedTensorType>(tensor.getType()).getElementType());
    return ReshapeOp::create(builder, like.getLoc(), type, tensor, sizes,
                             AffineMapAttr::get(AffineMap::get(0, sizes.size(), shape, builder.getContext())));
  }

  // ---- results ------------------------------------------------------------------------------------------------------
  Store compute(const Piece &piece, const Slots &slots) {
    SmallVector<unsigned> axes;
    SmallVector<AffineExpr> shape;
    bool joins = false;
    for (const SmallVector<unsigned> &digits : slots.digits) {
      AffineExpr extent = piece.constant(1);
      for (unsigned index : digits) {
        axes.push_back(index);
        extent = extent * piece.extents[index];
      }
      joins |= digits.size() > 1;
      shape.push_back(simplifyAffineExpr(extent, 0, piece.sizes.size()));
    }
    Value part = piece.equation(builder, axes, cast<RankedTensorType>(like.getType()).getElementType());
    if (joins)
      part = reshape(part, shape, piece.sizes);
    return {{part}, shape, slots.offsets, slots.strides, piece.sizes};
  }

  FailureOr<Value> assemble(std::vector<Store> stores) {
    if (stores.empty())
      return Value();
    for (Store &store : stores)
      store.parts = {sumOf(builder, like.getLoc(), store.parts)};
    Extents extents = *extentsOf(like);
    auto type = cast<RankedTensorType>(like.getType());
    if (stores.size() == 1 && stores.front().parts.front().getType() == type && covers(stores.front(), extents))
      return stores.front().parts.front();
    // Pieces that may meet are laid out apart and added.
    std::vector<std::vector<Store>> layers;
    for (Store &store : stores) {
      auto fits = llvm::find_if(layers, [&](const std::vector<Store> &layer) {
        return llvm::all_of(layer, [&](const Store &other) { return other.isApartFrom(store); });
      });
      if (fits == layers.end())
        layers.push_back({store});
      else
        fits->push_back(store);
    }
    SmallVector<Value> sums;
    for (std::vector<Store> &layer : layers) {
      int64_t cells = 0;
      bool counted = type.hasStaticShape();
      for (const Store &store : layer) {
        auto part = cast<RankedTensorType>(store.parts.front().getType());
        counted &= part.hasStaticShape();
        cells += counted ? part.getNumElements() : 0;
      }
      bool zero = !counted || cells != type.getNumElements();
      sums.push_back(
          assembleOp(layer, llvm::to_vector(extents.map.getResults()), extents.symbols, type.getElementType(), zero));
    }
    return sumOf(builder, like.getLoc(), sums);
  }

  bool covers(const Store &store, const Extents &extents) {
    for (size_t axis = 0; axis < store.strides.size(); ++axis)
      if (constantOf(store.offsets[axis]) != 0 || store.strides[axis] != 1 ||
          !sameExtent(store.extents[axis], store.sizes, extents.map.getResult(axis), extents.symbols))
        return false;
    return true;
  }

  Value assembleOp(ArrayRef<Store> stores, SmallVector<AffineExpr> shape, ValueRange symbols, Type element, bool zero) {
    SmallVector<Value> sizes(symbols), parts;
    SmallVector<SmallVector<AffineExpr>> offsets;
    SmallVector<Attribute> strides;
    for (const Store &store : stores) {
      SmallVector<AffineExpr> replacement;
      for (Value symbol : store.sizes) {
        auto place = llvm::find(sizes, symbol);
        replacement.push_back(getAffineSymbolExpr(place - sizes.begin(), builder.getContext()));
        if (place == sizes.end())
          sizes.push_back(symbol);
      }
      SmallVector<AffineExpr> &list = offsets.emplace_back();
      for (AffineExpr offset : store.offsets)
        list.push_back(offset.replaceSymbols(replacement));
      parts.push_back(store.parts.front());
      strides.push_back(builder.getDenseI64ArrayAttr(store.strides));
    }
    SmallVector<Attribute> places;
    for (const SmallVector<AffineExpr> &list : offsets)
      places.push_back(AffineMapAttr::get(AffineMap::get(0, sizes.size(), list, builder.getContext())));
    SmallVector<int64_t> dims;
    for (AffineExpr extent : shape)
      dims.push_back(constantOf(extent).value_or(ShapedType::kDynamic));
    return AssembleOp::create(builder, like.getLoc(), RankedTensorType::get(dims, element), parts, sizes,
                              AffineMapAttr::get(AffineMap::get(0, sizes.size(), shape, builder.getContext())),
                              builder.getArrayAttr(places), builder.getArrayAttr(strides),
                              zero ? builder.getUnitAttr() : UnitAttr());
  }

  OpBuilder &builder;
  Value like;
  std::vector<std::pair<Piece, Slots>> arranged;
  llvm::MapVector<Value, Padding> paddings;
  DenseMap<Value, Value> paddedTensors;
};

} // namespace

std::optional<FailureOr<Value>> place(OpBuilder &builder, std::vector<Piece> pieces, Value like) {
  if (!extentsOf(like)) {
    emitError(like.getLoc(), "the shape of a derivative is not known here");
    return FailureOr<Value>(failure());
  }
  return Placement(builder, like).run(std::move(pieces));
}

} // namespace nacre
