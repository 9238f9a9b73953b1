// Pieces: copying, substituting indices, becoming equations.
#include "differentiate/Piece.h"
#include "differentiate/Differentiate.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/STLExtras.h"
#include <numeric>

using namespace mlir;

namespace nacre {

Piece::Piece(IndexSpace space, IRMapping &originals)
    : context(space->getContext()), location(space->getLoc()), extents(space.getExtents().getResults()),
      sizes(space.getSizes()), body(std::make_unique<Block>()) {
  Block &block = space.getBody().front();
  for (auto [input, attribute, argument] : llvm::zip(space.getInputs(), space.getMaps(), block.getArguments())) {
    reads.push_back({input, llvm::to_vector(cast<AffineMapAttr>(attribute).getValue().getResults())});
    originals.map(argument, body->addArgument(argument.getType(), argument.getLoc()));
  }
  OpBuilder builder = atEnd();
  for (Operation &op : block.without_terminator())
    builder.clone(op, originals);
}

Piece Piece::clone() const {
  Piece copy(context, location);
  copy.extents = extents;
  copy.sizes = sizes;
  copy.reads = reads;
  copy.target = target;
  copy.guards = guards;
  copy.body = std::make_unique<Block>();
  IRMapping values;
  for (BlockArgument argument : body->getArguments())
    values.map(argument, copy.body->addArgument(argument.getType(), argument.getLoc()));
  OpBuilder builder = copy.atEnd();
  for (Operation &op : *body)
    builder.clone(op, values);
  copy.value = value ? values.lookupOrDefault(value) : Value();
  for (Value scalar : gathered)
    copy.gathered.push_back(scalar ? values.lookupOrDefault(scalar) : Value());
  return copy;
}

AffineExpr Piece::adopt(AffineExpr expression, ValueRange symbols) {
  SmallVector<AffineExpr> replacement;
  for (Value symbol : symbols) {
    auto place = llvm::find(sizes, symbol);
    replacement.push_back(getAffineSymbolExpr(place - sizes.begin(), context));
    if (place == sizes.end())
      sizes.push_back(symbol);
  }
  return expression.replaceSymbols(replacement);
}

AffineExpr Piece::extentOf(Value tensor, unsigned axis) {
  std::optional<Extents> known = extentsOf(tensor);
  return known ? adopt(known->map.getResult(axis), known->symbols) : AffineExpr();
}

Value Piece::read(Value tensor, ArrayRef<AffineExpr> subscripts) {
  SmallVector<AffineExpr> simple;
  for (AffineExpr subscript : subscripts)
    simple.push_back(simplify(subscript));
  if (auto constant = tensor.getDefiningOp<ConstantOp>())
    if (auto elements = dyn_cast<DenseElementsAttr>(constant.getValue());
        elements && elements.isSplat() && isReal(tensor)) {
      OpBuilder builder = atEnd();
      return NumberOp::create(builder, location, cast<TypedAttr>(elements.getSplatValue<Attribute>()));
    }
  for (auto [number, old] : llvm::enumerate(reads))
    if (old.tensor == tensor && llvm::equal(old.subscripts, simple))
      return body->getArgument(number);
  reads.push_back({tensor, simple});
  return body->addArgument(cast<RankedTensorType>(tensor.getType()).getElementType(), location);
}

Value Piece::indexValue(AffineExpr expression) {
  OpBuilder builder = atEnd();
  return IndexOp::create(builder, location, builder.getI64Type(), AffineMapAttr::get(map(simplify(expression))));
}

unsigned Piece::addIndex(AffineExpr extent) {
  extents.push_back(extent);
  return extents.size() - 1;
}

// ---- simplification ------------------------------------------------------------------------------------------------
// (g * high + low) / n with 0 <= low < g and g | n is high / (n / g); likewise for the remainder.
static AffineExpr simplifyDivision(const Box &box, AffineExprKind kind, AffineExpr dividend, int64_t n) {
  bool quotient = kind == AffineExprKind::FloorDiv;
  AffineExpr whole = getAffineConstantExpr(0, dividend.getContext());
  std::optional<Linear> linear = linearOf(dividend, box.extents.size());
  auto atom = [&](AffineExpr e) { return quotient ? e.floorDiv(n) : e % n; };
  std::optional<int64_t> offset = linear ? constantOf(linear->offset) : std::nullopt;
  if (!offset)
    return atom(dividend);
  Linear rest = *linear, high = *linear;
  high.offset = whole;
  for (auto [kept, moved] : llvm::zip(rest.coefficients, high.coefficients))
    (kept % n == 0 ? kept : moved) = 0;
  for (auto [kept, moved] : llvm::zip(rest.atoms, high.atoms))
    (kept.second % n == 0 ? kept.second : moved.second) = 0;
  for (int64_t &coefficient : high.coefficients)
    coefficient /= n;
  for (auto &[inner, factor] : high.atoms)
    factor /= n;
  int64_t carried = llvm::divideFloorSigned(*offset, n);
  rest.offset = getAffineConstantExpr(*offset - carried * n, dividend.getContext());
  high.offset = getAffineConstantExpr(carried, dividend.getContext());
  whole = high.expression();
  llvm::erase_if(rest.atoms, [](const auto &entry) { return entry.second == 0; });
  AffineExpr remainder = rest.expression();
  if (box.isNonNegative(remainder) && box.isNegative(remainder - n))
    return quotient ? whole : remainder;

  SmallVector<unsigned> order = rest.indices();
  llvm::sort(order,
             [&](unsigned a, unsigned b) { return std::abs(rest.coefficients[a]) < std::abs(rest.coefficients[b]); });
  for (size_t split = 1; split < order.size() && rest.atoms.empty(); ++split) {
    Linear low = rest, upper = rest;
    upper.offset = getAffineConstantExpr(0, dividend.getContext());
    int64_t common = n;
    for (auto [position, index] : llvm::enumerate(order)) {
      (position < split ? upper : low).coefficients[index] = 0;
      if (position >= split)
        common = std::gcd(common, std::abs(rest.coefficients[index]));
    }
    AffineExpr small = low.expression();
    if (common <= 1 || !box.isNonNegative(small) || !box.isNegative(small - common))
      continue;
    for (int64_t &coefficient : upper.coefficients)
      coefficient /= common;
    AffineExpr part = n == common ? (quotient ? upper.expression() : getAffineConstantExpr(0, dividend.getContext()))
                                  : simplifyDivision(box, kind, upper.expression(), n / common);
    return quotient ? part + whole : part * common + small;
  }
  return quotient ? atom(remainder) + whole : atom(remainder);
}

static AffineExpr simplifyIn(const Box &box, AffineExpr expression) {
  std::optional<Linear> linear = linearOf(expression, box.extents.size());
  if (!linear)
    return expression;
  Linear plain = *linear;
  plain.atoms.clear();
  AffineExpr sum = plain.expression();
  for (auto [atom, factor] : linear->atoms) {
    auto binary = cast<AffineBinaryOpExpr>(atom);
    AffineExpr inner = simplifyIn(box, binary.getLHS());
    sum = sum + simplifyDivision(box, atom.getKind(), inner, *constantOf(binary.getRHS())) * factor;
  }
  linear = linearOf(sum, box.extents.size());
  if (!linear)
    return sum;
  for (auto [index, coefficient] : llvm::enumerate(linear->coefficients))
    if (box.constantExtent(index) == 1)
      coefficient = 0;
  linear->offset = simplifyAffineExpr(linear->offset, 0, box.sizes.size());
  return linear->expression();
}

AffineExpr Piece::simplify(AffineExpr expression) const { return simplifyIn(box(), expression); }

// ---- substitution --------------------------------------------------------------------------------------------------
void Piece::substitute(ArrayRef<AffineExpr> replacement) {
  auto replace = [&](AffineExpr &expression) {
    if (expression)
      expression = simplify(expression.replaceDims(replacement));
  };
  for (Read &read : reads)
    llvm::for_each(read.subscripts, replace);
  llvm::for_each(target, replace);
  llvm::for_each(guards, replace);
  for (IndexOp op : body->getOps<IndexOp>()) {
    AffineExpr expression = op.getExpression().getResult(0);
    replace(expression);
    op.setExpressionAttr(AffineMapAttr::get(map(expression)));
  }
}

void Piece::substitute(unsigned index, AffineExpr replacement) {
  SmallVector<AffineExpr> all;
  for (unsigned number = 0; number < indexCount(); ++number)
    all.push_back(number == index ? replacement : this->index(number));
  substitute(all);
}

void Piece::prune() {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(*body)))
    if (op.use_empty() && op.getResult(0) != value && !llvm::is_contained(gathered, op.getResult(0)))
      op.erase();
  for (size_t number = reads.size(); number-- > 0;) {
    BlockArgument argument = body->getArgument(number);
    if (argument.use_empty() && argument != value && !llvm::is_contained(gathered, argument)) {
      body->eraseArgument(number);
      reads.erase(reads.begin() + number);
    }
  }
}

DenseSet<unsigned> Piece::indicesOf(Value scalar) const {
  DenseSet<unsigned> found;
  DenseSet<Value> seen;
  SmallVector<Value> pending{scalar};
  auto add = [&](AffineExpr expression) {
    for (unsigned number = 0; number < indexCount(); ++number)
      if (expression.isFunctionOfDim(number))
        found.insert(number);
  };
  while (!pending.empty()) {
    Value next = pending.pop_back_val();
    if (!seen.insert(next).second)
      continue;
    if (auto argument = dyn_cast<BlockArgument>(next)) {
      if (argument.getOwner() == body.get())
        llvm::for_each(reads[argument.getArgNumber()].subscripts, add);
      continue;
    }
    Operation *op = next.getDefiningOp();
    if (op->getBlock() != body.get())
      continue;
    if (auto index = dyn_cast<IndexOp>(op))
      add(index.getExpression().getResult(0));
    llvm::append_range(pending, op->getOperands());
  }
  return found;
}

void Piece::guardBody(ArrayRef<AffineExpr> conditions) {
  for (ElementOp element : body->getOps<ElementOp>())
    element.removeProvedAttr();
  if (conditions.empty())
    return;
  Value all;
  for (AffineExpr condition : conditions) {
    Value form = indexValue(condition);
    OpBuilder builder = atEnd();
    Arithmetic arithmetic(builder, location);
    Value holds = arithmetic.lessEqual(arithmetic.number(builder.getI64Type(), 0), form);
    all = all ? arithmetic.both(all, holds) : holds;
  }
  OpBuilder builder = atEnd();
  value = Arithmetic(builder, location).select(all, value, {});
}

// ---- equations -----------------------------------------------------------------------------------------------------
/// The tensor itself where the equation would be a copy of it.
static Value copied(const Piece &piece, ArrayRef<AffineExpr> shape, RankedTensorType type) {
  auto argument = dyn_cast<BlockArgument>(piece.value);
  if (!argument || piece.reads.size() != 1 || piece.reads.front().tensor.getType() != type)
    return {};
  const Read &read = piece.reads.front();
  for (auto [axis, subscript] : llvm::enumerate(read.subscripts))
    if (subscript != piece.index(axis) && !(subscript == piece.constant(0) && type.getDimSize(axis) == 1))
      return {};
  std::optional<Extents> known = extentsOf(read.tensor);
  if (!known)
    return {};
  for (auto [axis, extent] : llvm::enumerate(shape))
    if (!sameExtent(known->map.getResult(axis), known->symbols, extent, piece.sizes))
      return {};
  return read.tensor;
}

/// The reduced index along which the largest read is contiguous.
static std::optional<unsigned> innermost(const Piece &piece, ArrayRef<unsigned> reduced) {
  std::optional<unsigned> best;
  int64_t largest = 0;
  for (const Read &read : piece.reads) {
    auto type = cast<RankedTensorType>(read.tensor.getType());
    int64_t elements = 1;
    for (int64_t extent : type.getShape())
      elements *= ShapedType::isDynamic(extent) ? 64 : extent;
    if (read.subscripts.empty() || !isa<AffineDimExpr>(read.subscripts.back()) || elements <= largest)
      continue;
    largest = elements;
    unsigned last = cast<AffineDimExpr>(read.subscripts.back()).getPosition();
    best = llvm::is_contained(reduced, last) ? std::optional(last) : std::nullopt;
  }
  return best;
}

Value Piece::equation(OpBuilder &builder, ArrayRef<unsigned> axes, Type element,
                      std::optional<ReductionKind> kind) const {
  Piece copy = clone();
  copy.prune();
  DenseSet<unsigned> used = copy.indicesOf(copy.value);
  SmallVector<unsigned> order(axes);
  for (unsigned number = 0; number < indexCount(); ++number) {
    if (llvm::is_contained(axes, number) || box().constantExtent(number) == 1)
      continue;
    if (used.contains(number) || kind != ReductionKind::Sum) {
      order.push_back(number);
      continue;
    }
    // The same summand for every value of the index.
    Value times;
    if (auto extent = box().constantExtent(number)) {
      OpBuilder body = copy.atEnd();
      times = Arithmetic(body, location).number(copy.value.getType(), static_cast<double>(*extent));
    } else {
      Value count = copy.indexValue(extents[number]);
      OpBuilder body = copy.atEnd();
      times = Arithmetic(body, location).cast(count, copy.value.getType());
    }
    OpBuilder body = copy.atEnd();
    copy.value = Arithmetic(body, location).mul(copy.value, times);
  }
  bool reduces = order.size() > axes.size();
  if (reduces)
    if (auto inner = innermost(copy, ArrayRef(order).drop_front(axes.size()))) {
      llvm::erase(order, *inner);
      order.push_back(*inner);
    }
  Type wide = reduces && isa<Float16Type, BFloat16Type>(element) ? builder.getF32Type() : element;
  OpBuilder body = copy.atEnd();
  copy.value = Arithmetic(body, location).cast(copy.value, wide);
  copy.prune();

  // Indices and sizes get new numbers: axes first, and only the sizes that occur.
  SmallVector<AffineExpr> indices(indexCount(), constant(0)), list;
  for (auto [number, index] : llvm::enumerate(order)) {
    indices[index] = getAffineDimExpr(number, context);
    list.push_back(extents[index]);
  }
  auto occurs = [&](unsigned size) {
    auto in = [&](AffineExpr expression) { return expression.isFunctionOfSymbol(size); };
    return llvm::any_of(list, in) ||
           llvm::any_of(copy.reads, [&](const Read &read) { return llvm::any_of(read.subscripts, in); }) ||
           llvm::any_of(copy.body->getOps<IndexOp>(), [&](IndexOp op) { return in(op.getExpression().getResult(0)); });
  };
  SmallVector<AffineExpr> symbols(copy.sizes.size(), constant(0));
  SmallVector<Value> kept;
  for (unsigned size = 0; size < copy.sizes.size(); ++size)
    if (occurs(size)) {
      symbols[size] = getAffineSymbolExpr(kept.size(), context);
      kept.push_back(copy.sizes[size]);
    }
  copy.sizes = kept;
  copy.extents.clear();
  for (AffineExpr extent : list)
    copy.extents.push_back(extent.replaceSymbols(symbols));
  auto renumber = [&](AffineExpr &expression) { expression = expression.replaceDimsAndSymbols(indices, symbols); };
  SmallVector<Attribute> maps;
  SmallVector<Value> inputs;
  for (Read &read : copy.reads) {
    llvm::for_each(read.subscripts, renumber);
    maps.push_back(AffineMapAttr::get(copy.map(read.subscripts)));
    inputs.push_back(read.tensor);
  }
  for (IndexOp op : copy.body->getOps<IndexOp>()) {
    AffineExpr expression = op.getExpression().getResult(0);
    renumber(expression);
    op.setExpressionAttr(AffineMapAttr::get(copy.map(expression)));
  }
  ArrayRef<AffineExpr> shape = ArrayRef(copy.extents).take_front(axes.size());
  SmallVector<int64_t> dims;
  for (AffineExpr extent : shape)
    dims.push_back(constantOf(extent).value_or(ShapedType::kDynamic));
  auto type = RankedTensorType::get(dims, wide);
  if (!reduces) {
    if (Value same = copied(copy, shape, type))
      return same;
    if (auto number = copy.value.getDefiningOp<NumberOp>(); number && type.hasStaticShape())
      return ConstantOp::create(builder, location, DenseElementsAttr::get(type, number.getValue()));
  }
  YieldOp::create(body = copy.atEnd(), location, copy.value);
  auto reduction = reduces ? ReductionKindAttr::get(context, *kind) : ReductionKindAttr();
  auto equation = EquationOp::create(builder, location, type, inputs, copy.sizes,
                                     AffineMapAttr::get(AffineMap::get(0, kept.size(), copy.extents, context)),
                                     ArrayAttr::get(context, maps), reduction);
  equation.getBody().push_back(copy.body.release());
  if (wide == element)
    return equation;
  Piece narrow(context, location);
  narrow.extents = llvm::to_vector(shape);
  narrow.sizes = copy.sizes;
  narrow.body = std::make_unique<Block>();
  SmallVector<AffineExpr> identity;
  SmallVector<unsigned> all;
  for (unsigned axis = 0; axis < axes.size(); ++axis) {
    identity.push_back(getAffineDimExpr(axis, context));
    all.push_back(axis);
  }
  Value read = narrow.read(equation, identity);
  OpBuilder end = narrow.atEnd();
  narrow.value = Arithmetic(end, location).cast(read, element);
  return narrow.equation(builder, all, element);
}

// ---- recognising affine scalars ------------------------------------------------------------------------------------
AffineExpr affineOf(Value scalar, MLIRContext *context) {
  Operation *op = scalar.getDefiningOp();
  if (!op || !isa<IntegerType>(scalar.getType()))
    return {};
  if (auto index = dyn_cast<IndexOp>(op))
    return index.getExpression().getResult(0);
  if (auto number = dyn_cast<NumberOp>(op))
    return getAffineConstantExpr(cast<IntegerAttr>(number.getValue()).getValue().getSExtValue(), context);
  SmallVector<AffineExpr> operands;
  if (isa<AddOp, SubtractOp, MultiplyOp, NegateOp, CastOp, FloorDivideOp, RemainderOp>(op))
    for (Value operand : op->getOperands()) {
      operands.push_back(affineOf(operand, context));
      if (!operands.back())
        return {};
    }
  if (isa<AddOp>(op))
    return operands[0] + operands[1];
  if (isa<SubtractOp>(op))
    return operands[0] - operands[1];
  if (isa<NegateOp>(op))
    return operands[0] * -1;
  if (isa<CastOp>(op))
    return operands[0];
  if (operands.size() != 2)
    return {};
  auto left = constantOf(operands[0]), right = constantOf(operands[1]);
  if (isa<MultiplyOp>(op))
    return right ? operands[0] * *right : left ? operands[1] * *left : AffineExpr();
  if (!right || *right <= 0)
    return {};
  return isa<FloorDivideOp>(op) ? operands[0].floorDiv(*right) : operands[0] % *right;
}

static std::optional<SmallVector<AffineExpr>> comparison(Value condition, bool negated, MLIRContext *context) {
  Operation *op = condition.getDefiningOp();
  if (!op)
    return std::nullopt;
  if (isa<NotOp>(op))
    return comparison(op->getOperand(0), !negated, context);
  if (negated ? isa<OrOp>(op) : isa<AndOp>(op)) {
    auto a = comparison(op->getOperand(0), negated, context), b = comparison(op->getOperand(1), negated, context);
    if (!a || !b)
      return std::nullopt;
    llvm::append_range(*a, *b);
    return a;
  }
  if (!isa<LessOp, LessEqualOp, EqualOp>(op))
    return std::nullopt;
  AffineExpr a = affineOf(op->getOperand(0), context), b = affineOf(op->getOperand(1), context);
  if (!a || !b)
    return std::nullopt;
  if (isa<EqualOp>(op))
    return negated ? std::nullopt : std::optional(SmallVector<AffineExpr>{a - b, b - a});
  int64_t strict = isa<LessOp>(op) ? 1 : 0;
  return SmallVector<AffineExpr>{negated ? a - b - (1 - strict) : b - a - strict};
}

std::optional<SmallVector<AffineExpr>> affineConditions(Value condition, MLIRContext *context) {
  return comparison(condition, false, context);
}

std::optional<SmallVector<AffineExpr>> affineConditionsOfNot(Value condition, MLIRContext *context) {
  return comparison(condition, true, context);
}

} // namespace nacre
