// Finds softmax(score(q k)) v, however it is written, and makes one `nacre.attention` of it.
//
//   s = f(sum[d](q k))     m = max[j](s)     e = exp(s - m)     z = sum[j](e)     y = sum[j](e / z * v)
//
// Nothing is asked of the order and the grouping of these steps: factors are collected through the equations in
// between. m may be left out, bounded from below, cut off from derivatives, and z bounded from below by at most 1 (a
// softmax that is exact for rows without any key does both). What else multiplies the weights is a factor behind the
// softmax. The score is whatever stands in the exponent, apart from the maximum; it is computed again where it is
// wanted, so nobody else may read a tensor that depends on it.
#include "Passes.h"
#include "differentiate/Differentiate.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Matchers.h"
#include "optimize/Through.h"
#include <limits>

namespace nacre {
#define GEN_PASS_DEF_FUSEATTENTION
#include "Passes.h.inc"
} // namespace nacre

using namespace mlir;
using namespace nacre;

namespace {

constexpr int64_t fewestQueries = 8;    // fewer leave lanes empty, and their scores take little memory
constexpr int64_t widestHead = 256;     // features and columns: they bound what a thread keeps on its stack
constexpr double lowestExponent = -1e4; // a bound of the maximum below all scores that matter

/// A factor of a product; below: a divisor. A guard stands for 1 where its condition is `keeps`, else 0.
struct Factor {
  Seen seen;
  bool below = false;
  bool guard = false, keeps = true;
};

std::optional<double> literalOf(Operation *op) {
  auto number = dyn_cast_or_null<NumberOp>(op);
  auto real = number ? dyn_cast<FloatAttr>(number.getValue()) : FloatAttr();
  return real ? std::optional(real.getValueAsDouble()) : std::nullopt;
}

std::optional<int64_t> constantIn(AffineExpr extent) {
  auto constant = dyn_cast<AffineConstantExpr>(extent);
  return constant ? std::optional(constant.getValue()) : std::nullopt;
}

/// A tensor and where it is read, over the common indices.
struct Place {
  Value tensor;
  SmallVector<AffineExpr> subscripts;
};

class Match {
public:
  Match(EquationOp root, unsigned rank)
      : root(root), rank(rank), key(rank), feature(rank + 1), through(root.getContext(), rank + 2) {}

  /// Whether `columns`, one of the factors of the sum over the keys, is read as v, and the others make the weights.
  static std::vector<Match> candidates(EquationOp root) {
    std::vector<Match> found;
    Match start(root, root.parallelCount());
    SmallVector<Factor> factors;
    if (!start.sumOverKeys(factors))
      return found;
    for (size_t number = 0; number < factors.size(); ++number)
      if (!factors[number].below && !factors[number].guard && isa<BlockArgument>(factors[number].seen.scalar)) {
        Match match = start;
        match.v = factors[number].seen;
        match.others = factors;
        match.others.erase(match.others.begin() + number);
        found.push_back(std::move(match));
      }
    return found;
  }

  /// What is missing, and whether it is the writing that misses it or only these sizes and types.
  struct Miss {
    unsigned step = 0; // how far the match came
    StringRef reason = "it is no sum, over one index, of a tensor times further factors";
    bool broken = true; // a promise
  };

  /// Nothing if this is an attention.
  std::optional<Miss> misses() {
    if (!real())
      return Miss{1, "attention is computed in f32 and f64", false};
    if (!weights())
      return Miss{2, "no factor is an exponential divided by its own sum over the summed index"};
    if (!exponent())
      return Miss{3, "the sum of the exponentials is bounded from below, but their maximum is not taken out"};
    if (!product())
      return Miss{4, "the scores hold no sum of products of queries and keys"};
    if (!roles())
      return Miss{5, "queries, keys and values do not depend on indices of their own"};
    if (!fits())
      return Miss{6, "there are few queries, or heads are wide", false};
    if (!canBeWritten())
      return Miss{7, "an element is gathered beside the product of queries and keys, or what multiplies the weights "
                     "depends on it"};
    if (!isUsedHereOnly())
      return Miss{8, "the scores or the weights are read elsewhere too"};
    if (through.gaveUp())
      return Miss{9, "there are too many steps between the scores and the sum"};
    return std::nullopt;
  }

  void replace() {
    OpBuilder builder(root);
    SmallVector<AffineExpr> extents;
    for (AffineExpr extent : root.getExtents().getResults().take_front(rank))
      extents.push_back(through.adopt(extent, root.getSizes()));
    extents.push_back(keyExtent);
    extents.push_back(featureExtent);
    this->extents = extents;

    SmallVector<Place> inputs{place(q, query, feature), place(k, key, feature), place(v, key, value)};
    Block body;
    Type element = cast<RankedTensorType>(root.getResult().getType()).getElementType();
    body.addArgument(element, root.getLoc());
    OpBuilder inside(builder.getContext()); // the block has no parent yet that could tell
    inside.setInsertionPointToEnd(&body);
    SmallVector<Value> yielded{emit(inside, body, inputs, score)};
    if (!weight.empty())
      yielded.push_back(emitWeight(inside, body, inputs));
    ScoreYieldOp::create(inside, root.getLoc(), yielded);

    SmallVector<Value> tensors;
    SmallVector<AffineMap> maps;
    for (Place &input : inputs) {
      tensors.push_back(input.tensor);
      maps.push_back(AffineMap::get(rank + 2, through.sizes.size(), input.subscripts, builder.getContext()));
    }
    SmallVector<int64_t> shape;
    for (auto [axis, extent] : llvm::enumerate(root.getType().getShape()))
      if (axis != value)
        shape.push_back(extent);
    auto attention = AttentionOp::create(
        builder, root.getLoc(), root.getType(), RankedTensorType::get(shape, element), tensors, through.sizes,
        AffineMapAttr::get(AffineMap::get(0, through.sizes.size(), extents, builder.getContext())),
        builder.getAffineMapArrayAttr(maps), builder.getI64IntegerAttr(query), builder.getI64IntegerAttr(value));
    // Index expressions were made before all sizes were known.
    body.walk([&](IndexOp index) {
      index.setExpression(AffineMap::get(rank + 2, through.sizes.size(), index.getExpression().getResult(0)));
    });
    attention.getBody().push_back(new Block);
    attention.getBody().front().getOperations().splice(attention.getBody().front().end(), body.getOperations());
    for (BlockArgument argument : body.getArguments())
      argument.replaceAllUsesWith(attention.getBody().front().addArgument(argument.getType(), argument.getLoc()));
    root.getResult().replaceAllUsesWith(attention.getResult());
  }

private:
  // ---- the sum over the keys ---------------------------------------------------------------------------------------
  AffineExpr index(unsigned number) const { return getAffineDimExpr(number, through.context); }

  static bool sumsOverOne(EquationOp equation) {
    return equation && equation.getReduction() == ReductionKind::Sum &&
           equation.loopCount() == equation.parallelCount() + 1;
  }

  /// A reduction seen at an element of its result, its reduced index being the common index `reduced`.
  Seen enterReduction(EquationOp equation, ArrayRef<AffineExpr> at, unsigned reduced) {
    SmallVector<AffineExpr> places(at);
    places.push_back(index(reduced));
    return through.enter(equation, places);
  }
  AffineExpr reducedExtent(EquationOp equation) {
    return through.adopt(equation.getExtents().getResults().back(), equation.getSizes());
  }

  bool sumOverKeys(SmallVectorImpl<Factor> &factors) {
    if (rank < 2)
      return false;
    SmallVector<AffineExpr> own;
    for (unsigned axis = 0; axis < rank; ++axis)
      own.push_back(index(axis));
    if (sumsOverOne(root)) {
      keyExtent = reducedExtent(root);
      flatten({enterReduction(root, own, key)}, false, false, factors);
      return factors.size() > 1;
    }
    if (root.getReduction())
      return false;
    // y = sum[j](e * v) / z
    SmallVector<Factor> around;
    flatten({through.enter(root, own)}, false, false, around);
    EquationOp sum;
    for (Factor &factor : around) {
      Value tensor = factor.below || factor.guard ? Value() : through.tensor(factor.seen);
      auto source = tensor ? tensor.getDefiningOp<EquationOp>() : EquationOp();
      if (!sumsOverOne(source) || sum) {
        factors.push_back(factor);
        continue;
      }
      sum = source;
      keyExtent = reducedExtent(sum);
      flatten({enterReduction(sum, through.subscripts(factor.seen), key)}, false, false, factors);
    }
    return sum && around.size() > 1 && factors.size() > 2;
  }

  /// The factors of a product of quotients; `deep`: also those of elementwise equations that are read.
  void flatten(Factor factor, bool below, bool deep, SmallVectorImpl<Factor> &factors) {
    Seen seen = factor.seen;
    if (through.as<MultiplyOp>(seen) || through.as<DivideOp>(seen)) {
      flatten({through.operand(seen, 0)}, below, deep, factors);
      flatten({through.operand(seen, 1)}, below != bool(through.as<DivideOp>(seen)), deep, factors);
    } else if (auto choice = through.as<SelectOp>(seen); choice && !below && zeroArm(choice)) {
      bool keeps = zeroArm(choice) == 2; // where the condition holds
      factors.push_back({through.operand(seen, 0), false, true, keeps});
      flatten({through.operand(seen, keeps ? 1 : 2)}, below, deep, factors);
    } else if (deep && isa<BlockArgument>(seen.scalar) && through.elementwise(seen) && !through.gaveUp()) {
      flatten({through.resolve(seen)}, below, deep, factors);
    } else {
      factors.push_back({seen, below});
    }
  }

  /// The number of the operand that is 0; 0: none.
  static unsigned zeroArm(SelectOp choice) {
    if (literalOf(choice.getNo().getDefiningOp()) == 0.0)
      return 2;
    return literalOf(choice.getYes().getDefiningOp()) == 0.0 ? 1 : 0;
  }

  // ---- the softmax -------------------------------------------------------------------------------------------------
  bool real() {
    Type element = root.getType().getElementType();
    return element.isF32() || element.isF64();
  }

  /// One factor is an exponential, and one divisor its sum over the keys.
  bool weights() {
    SmallVector<Factor> factors;
    for (const Factor &factor : others) {
      if (factor.guard)
        factors.push_back(factor);
      else
        flatten({factor.seen}, factor.below, true, factors);
    }
    int exponential = -1, sum = -1;
    for (auto [number, factor] : llvm::enumerate(factors))
      if (!factor.below && !factor.guard && through.as<ExpOp>(factor.seen) && through.dependsOn(factor.seen, key)) {
        if (exponential >= 0)
          return false;
        exponential = number;
      }
    if (exponential < 0)
      return false;
    e = factors[exponential].seen;
    for (auto [number, factor] : llvm::enumerate(factors))
      if (factor.below && sum < 0 && isSumOf(factor.seen, e))
        sum = number;
    if (sum < 0)
      return false;
    for (auto [number, factor] : llvm::enumerate(factors))
      if (int(number) != exponential && int(number) != sum)
        weight.push_back(factor);
    return true;
  }

  /// max(x, literal) with a literal that is at most `most`: x.
  Seen withoutBound(Seen seen, double most) {
    seen = through.resolve(through.behindCuts(seen));
    if (!through.as<MaximumOp>(seen))
      return seen;
    for (unsigned number : {0u, 1u}) {
      auto bound = literalOf(through.resolve(through.operand(seen, 1 - number)).scalar.getDefiningOp());
      if (bound && *bound <= most)
        return through.resolve(through.behindCuts(through.operand(seen, number)));
    }
    return seen;
  }

  /// Whether an element comes from a reduction over the keys of what `of` is.
  bool reduces(Seen seen, ReductionKind kind, Seen of) {
    Value tensor = through.tensor(seen);
    auto equation = tensor ? tensor.getDefiningOp<EquationOp>() : EquationOp();
    if (!equation || equation.getReduction() != kind || equation.loopCount() != equation.parallelCount() + 1)
      return false;
    SmallVector<AffineExpr> at = through.subscripts(seen);
    if (llvm::any_of(at, [&](AffineExpr subscript) { return subscript.isFunctionOfDim(key); }) ||
        reducedExtent(equation) != keyExtent)
      return false;
    return through.equal(enterReduction(equation, at, key), of);
  }

  bool isSumOf(Seen z, Seen of) {
    z = through.resolve(z);
    if (through.as<MaximumOp>(z)) {
      for (unsigned number : {0u, 1u}) {
        auto bound = literalOf(through.resolve(through.operand(z, 1 - number)).scalar.getDefiningOp());
        if (bound && *bound <= 1)
          return bounded = true, reduces(through.resolve(through.operand(z, number)), ReductionKind::Sum, of);
      }
      return false;
    }
    return reduces(z, ReductionKind::Sum, of);
  }

  bool exponent() {
    score = through.resolve(through.operand(e, 0));
    if (through.as<SubtractOp>(score)) {
      Seen x = through.operand(score, 0);
      if (reduces(withoutBound(through.operand(score, 1), lowestExponent), ReductionKind::Maximum, x)) {
        score = x;
        return true;
      }
    }
    return !bounded; // without the maximum, the bound of the sum would matter
  }

  // ---- the product of q and k --------------------------------------------------------------------------------------
  /// Looks for the first sum of products of two reads that the score depends on.
  bool findProduct(Seen seen) {
    seen = through.resolve(seen);
    if (through.gaveUp())
      return false;
    if (Operation *op = seen.scalar.getDefiningOp()) {
      for (unsigned number = 0; number < op->getNumOperands(); ++number)
        if (!isa<ElementOp>(op) && findProduct(through.operand(seen, number)))
          return true;
      return false;
    }
    auto equation = through.tensor(seen).getDefiningOp<EquationOp>();
    if (!sumsOverOne(equation) || !through.dependsOn(seen, key))
      return false;
    SmallVector<Factor> factors, reads, numbers;
    SmallVector<AffineExpr> at = through.subscripts(seen);
    flatten({enterReduction(equation, at, feature)}, false, false, factors);
    for (const Factor &factor : factors) {
      bool isNumber = literalOf(factor.seen.scalar.getDefiningOp()).has_value() && !factor.guard;
      (isNumber ? numbers : reads).push_back(factor);
    }
    if (reads.size() != 2 || llvm::any_of(reads, [&](const Factor &factor) {
          return factor.below || factor.guard || !isa<BlockArgument>(factor.seen.scalar) ||
                 !through.dependsOn(factor.seen, feature);
        }))
      return false;
    bool second = through.dependsOn(reads[1].seen, key);
    if (second == through.dependsOn(reads[0].seen, key))
      return false;
    q = reads[second ? 0 : 1].seen;
    k = reads[second ? 1 : 0].seen;
    dot = {through.tensor(seen), at};
    dotFactors = numbers;
    dotEquation = equation;
    featureExtent = reducedExtent(equation);
    return true;
  }
  bool product() { return findProduct(score); }

  int64_t extentOf(unsigned axis) {
    int64_t extent = root.getType().getDimSize(axis);
    return ShapedType::isDynamic(extent) ? std::numeric_limits<int64_t>::max() : extent;
  }

  /// Which index of the result is the column of v, and which the row of q.
  bool roles() {
    if (!through.dependsOn(v, key))
      return false;
    SmallVector<unsigned> columns;
    int64_t longest = 0;
    int row = -1;
    for (unsigned axis = 0; axis < rank; ++axis) {
      bool inScore = through.dependsOn(e, axis) || dependsThrough(score, axis) ||
                     llvm::any_of(weight, [&](auto &factor) { return dependsThrough(factor.seen, axis); });
      bool inKeys = through.dependsOn(k, axis), inValues = through.dependsOn(v, axis);
      if (inValues && !inScore)
        columns.push_back(axis);
      if (through.dependsOn(q, axis) && !inKeys && !inValues && extentOf(axis) > longest) {
        longest = extentOf(axis);
        row = axis;
      }
    }
    if (columns.size() != 1 || row < 0)
      return false;
    value = columns.front();
    query = row;
    return true;
  }

  bool fits() {
    auto features = constantIn(featureExtent);
    auto keys = constantIn(keyExtent);
    if (!features || *features > widestHead || extentOf(value) > widestHead || extentOf(query) < fewestQueries ||
        (keys && *keys < 2))
      return false;
    for (Seen read : {q, k, v})
      if (cast<RankedTensorType>(through.tensor(read).getType()).getElementType() != root.getType().getElementType())
        return false;
    return cast<RankedTensorType>(dot.tensor.getType()).getElementType() == root.getType().getElementType();
  }

  bool canBeWritten() {
    for (const Factor &factor : weight)
      if (leadsToDot(factor.seen))
        return false;
    return inlines(score) && llvm::all_of(weight, [&](auto &factor) { return inlines(factor.seen); });
  }

  bool dependsThrough(Seen seen, unsigned axis) {
    seen = through.resolve(seen);
    if (through.gaveUp() || isa<BlockArgument>(seen.scalar) || through.as<IndexOp>(seen) || through.as<ElementOp>(seen))
      return through.dependsOn(seen, axis);
    for (unsigned number = 0; number < seen.scalar.getDefiningOp()->getNumOperands(); ++number)
      if (dependsThrough(through.operand(seen, number), axis))
        return true;
    return false;
  }

  // ---- who else reads ----------------------------------------------------------------------------------------------
  /// Everything that is computed from the product on the way here is read on the way here alone.
  bool isUsedHereOnly() {
    SmallVector<Operation *> work{dotEquation};
    llvm::DenseSet<Operation *> seen{dotEquation};
    while (!work.empty()) {
      Operation *op = work.pop_back_val();
      for (Operation *user : op->getResult(0).getUsers()) {
        if (user->use_empty() && isa<EquationOp, StopGradientOp>(user))
          continue; // left over from what was fused before
        if (!through.passed.contains(user))
          return false;
        if (user != root && seen.insert(user).second)
          work.push_back(user);
      }
    }
    return true;
  }

  // ---- the new op --------------------------------------------------------------------------------------------------
  bool isDot(Seen seen) const {
    return through.tensor(seen) == dot.tensor && through.subscripts(seen) == dot.subscripts;
  }

  static bool gathers(EquationOp equation) {
    return llvm::any_of(equation.getBody().front(), [](Operation &op) { return isa<ElementOp>(op); });
  }

  /// Whether the product lies behind this element.
  bool leadsToDot(Seen seen) {
    if (through.gaveUp())
      return false;
    if (isa<BlockArgument>(seen.scalar)) {
      if (isDot(seen))
        return true;
      return through.elementwise(seen) && leadsToDot(through.entered(seen));
    }
    for (unsigned number = 0; number < seen.scalar.getDefiningOp()->getNumOperands(); ++number)
      if (!through.as<ElementOp>(seen) && leadsToDot(through.operand(seen, number)))
        return true;
    return false;
  }

  /// Whether an element is computed in the body of the attention; else it is read.
  bool isComputed(Seen seen) {
    EquationOp equation = through.elementwise(seen);
    if (!equation)
      return false;
    if (leadsToDot(seen))
      return true;
    return !gathers(equation) && through.dependsOn(seen, key) && through.dependsOn(seen, query);
  }

  /// Whether the body can be written: a gather beside the product would need its tensor there.
  bool inlines(Seen seen) {
    if (through.gaveUp() || through.as<ElementOp>(seen))
      return false;
    if (isa<BlockArgument>(seen.scalar))
      return isDot(seen) || !isComputed(seen) || inlines(through.entered(seen));
    for (unsigned number = 0; number < seen.scalar.getDefiningOp()->getNumOperands(); ++number)
      if (!inlines(through.operand(seen, number)))
        return false;
    return true;
  }

  /// Whether each axis moves with at most one of the two indices, in steps forward, and each of them moves at most one.
  bool isRegular(ArrayRef<AffineExpr> subscripts, unsigned first, unsigned second) {
    unsigned moved[2] = {0, 0};
    for (AffineExpr subscript : subscripts) {
      bool byFirst = subscript.isFunctionOfDim(first), bySecond = subscript.isFunctionOfDim(second);
      if (!byFirst && !bySecond)
        continue;
      std::optional<Linear> linear = linearOf(subscript, rank + 2);
      if (!linear || (byFirst && bySecond))
        return false;
      unsigned which = byFirst ? first : second;
      if (linear->coefficients[which] < 1 ||
          llvm::any_of(linear->atoms, [&](auto &atom) { return atom.first.isFunctionOfDim(which); }))
        return false;
      ++moved[byFirst ? 0 : 1];
    }
    return moved[0] <= 1 && moved[1] <= 1;
  }

  /// A read whose axes move with at most one of the two indices each; another is copied into that form.
  Place place(Seen seen, unsigned first, unsigned second) {
    Place read{through.tensor(seen), through.subscripts(seen)};
    return isRegular(read.subscripts, first, second) ? read : copied(read);
  }

  Place copied(const Place &read) {
    SmallVector<unsigned> axes;
    for (unsigned axis = 0; axis < rank + 2; ++axis)
      if (llvm::any_of(read.subscripts, [&](AffineExpr subscript) { return subscript.isFunctionOfDim(axis); }))
        axes.push_back(axis);
    OpBuilder builder(root);
    SmallVector<AffineExpr> own, moved(rank + 2, getAffineConstantExpr(0, through.context)), subscripts;
    SmallVector<int64_t> shape;
    Place copy;
    for (auto [number, axis] : llvm::enumerate(axes)) {
      own.push_back(extents[axis]);
      moved[axis] = index(number);
      copy.subscripts.push_back(index(axis));
      shape.push_back(constantIn(extents[axis]).value_or(ShapedType::kDynamic));
    }
    for (AffineExpr subscript : read.subscripts)
      subscripts.push_back(subscript.replaceDims(moved));
    unsigned symbols = through.sizes.size();
    Type element = cast<RankedTensorType>(read.tensor.getType()).getElementType();
    auto equation = EquationOp::create(
        builder, root.getLoc(), RankedTensorType::get(shape, element), read.tensor, through.sizes,
        AffineMapAttr::get(AffineMap::get(0, symbols, own, through.context)),
        builder.getAffineMapArrayAttr(AffineMap::get(axes.size(), symbols, subscripts, through.context)),
        ReductionKindAttr());
    Block &block = equation.getBody().emplaceBlock();
    OpBuilder inside = OpBuilder::atBlockEnd(&block);
    YieldOp::create(inside, root.getLoc(), block.addArgument(element, root.getLoc()));
    copy.tensor = equation;
    return copy;
  }

  Value emit(OpBuilder &builder, Block &body, SmallVectorImpl<Place> &inputs, Seen seen) {
    if (isa<BlockArgument>(seen.scalar)) {
      if (isDot(seen))
        return dotValue(body);
      if (isComputed(seen))
        return emit(builder, body, inputs, through.entered(seen));
      Place read = place(seen, query, key);
      for (auto [number, known] : llvm::enumerate(ArrayRef(inputs).drop_front(3)))
        if (known.tensor == read.tensor && known.subscripts == read.subscripts)
          return body.getArgument(number + 1);
      inputs.push_back(read);
      return body.addArgument(cast<RankedTensorType>(read.tensor.getType()).getElementType(), seen.scalar.getLoc());
    }
    Value &known = emitted[{seen.scalar, seen.frame}];
    if (known)
      return known;
    Operation *op = seen.scalar.getDefiningOp();
    if (auto place = dyn_cast<IndexOp>(op)) {
      AffineExpr expression = through.expression(place.getExpression().getResult(0), seen.frame);
      return known = IndexOp::create(builder, op->getLoc(), op->getResult(0).getType(),
                                     AffineMapAttr::get(AffineMap::get(rank + 2, through.sizes.size(), expression)));
    }
    IRMapping operands;
    for (unsigned number = 0; number < op->getNumOperands(); ++number)
      operands.map(op->getOperand(number), emit(builder, body, inputs, through.operand(seen, number)));
    Value made = builder.clone(*op, operands)->getResult(0);
    return emitted[{seen.scalar, seen.frame}] = made;
  }

  /// The product, with the numbers that stood beside q and k in their sum.
  Value dotValue(Block &body) {
    if (scaled)
      return scaled;
    OpBuilder builder(through.context);
    builder.setInsertionPointToStart(&body);
    scaled = body.getArgument(0);
    for (const Factor &factor : dotFactors) {
      Value number = builder.clone(*factor.seen.scalar.getDefiningOp())->getResult(0);
      scaled = factor.below ? DivideOp::create(builder, root.getLoc(), scaled.getType(), scaled, number).getResult()
                            : MultiplyOp::create(builder, root.getLoc(), scaled.getType(), scaled, number).getResult();
    }
    return scaled;
  }

  Value emitWeight(OpBuilder &builder, Block &body, SmallVectorImpl<Place> &inputs) {
    Location location = root.getLoc();
    Type type = root.getType().getElementType();
    auto number = [&](double literal) -> Value {
      return NumberOp::create(builder, location, cast<TypedAttr>(builder.getFloatAttr(type, literal)));
    };
    Value product;
    for (bool below : {false, true}) // divisors last
      for (const Factor &factor : weight) {
        if (factor.below != below)
          continue;
        Value part = emit(builder, body, inputs, factor.seen);
        if (factor.guard) {
          Value one = product ? product : number(1), zero = number(0);
          product =
              SelectOp::create(builder, location, type, part, factor.keeps ? one : zero, factor.keeps ? zero : one);
        } else if (below) {
          product = DivideOp::create(builder, location, type, product ? product : number(1), part);
        } else {
          product = product ? MultiplyOp::create(builder, location, type, product, part).getResult() : part;
        }
      }
    return product;
  }

  EquationOp root, dotEquation;
  unsigned rank, key, feature, query = 0, value = 0;
  Through through;
  AffineExpr keyExtent, featureExtent;
  SmallVector<AffineExpr> extents;
  SmallVector<Factor> others, weight, dotFactors;
  Seen v, e, score, q, k;
  Place dot;
  bool bounded = false; // the sum of the exponentials is bounded from below
  Value scaled;         // the product in the new body
  llvm::DenseMap<std::pair<Value, unsigned>, Value> emitted;
};

/// Whether some gradient is differentiated again: the op knows its first derivative only.
bool hasSecondDerivatives(func::FuncOp function) {
  SmallVector<Operation *> work;
  llvm::DenseSet<Operation *> seen;
  function.walk([&](GradientOp gradient) { work.push_back(gradient); });
  while (!work.empty()) {
    Operation *op = work.pop_back_val();
    for (Operation *user : op->getUsers()) {
      if (isa<GradientOp>(user))
        return true;
      for (; user && user != function; user = user->getParentOp())
        if (seen.insert(user).second)
          work.push_back(user);
    }
  }
  return false;
}

struct FuseAttention : nacre::impl::FuseAttentionBase<FuseAttention> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      bool twice = hasSecondDerivatives(function);
      SmallVector<EquationOp> equations;
      function.walk([&](EquationOp equation) { equations.push_back(equation); });
      for (EquationOp equation : equations)
        if (!twice && !equation->use_empty() && failed(fuse(equation)))
          return signalPassFailure();
    }
  }

  /// Fails after an error where the source promises an attention and the equation is none.
  static LogicalResult fuse(EquationOp equation) {
    Match::Miss farthest;
    for (Match &match : Match::candidates(equation)) {
      std::optional<Match::Miss> miss = match.misses();
      if (!miss) {
        match.replace();
        return success();
      }
      if (miss->step > farthest.step)
        farthest = *miss;
    }
    auto promises = equation->getAttrOfType<ArrayAttr>("nacre.promises");
    bool promised = promises && llvm::is_contained(promises.getAsValueRange<StringAttr>(), "fuse(attention)");
    if (!promised || !farthest.broken)
      return success();
    return refuse(equation.getLoc(), "not-supported") << "`@fuse(attention)` cannot be kept: " << farthest.reason;
  }
};

} // namespace
