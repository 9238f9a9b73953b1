// Terms to the bodies of equations.
//
//   y[i, j] = exp(x[i, j]) / sum[k](exp(x[i, k]))    =>    s[i] = sum[k](exp(x[i, k]));  y[i, j] = exp(x[i, j]) / s[i]
//
// f16 and bf16 are how numbers are kept: inside one equation they are f32, and so are its reductions. Sums of 8 bit
// numbers are taken in i32; products are widened before, not after.
#include "import/Equations.h"
#include "import/Types.h"
#include "mlir/IR/AffineMap.h"
#include "ops/Ops.h"
#include "llvm/ADT/STLExtras.h"

namespace nacre {

namespace {

/// What a number is while an equation computes with it.
Scalar computed(Scalar type) { return type == Scalar::F16 || type == Scalar::BF16 ? Scalar::F32 : type; }

Scalar accumulator(Reduction reduction, Scalar type) {
  bool grows = reduction == Reduction::Sum || reduction == Reduction::Product;
  if (computed(type) != type)
    return computed(type);
  return grows && (type == Scalar::I8 || type == Scalar::U8) ? Scalar::I32 : type;
}

} // namespace

/// Collects the inputs and the body of one equation, then makes the op.
class EquationBody {
public:
  EquationBody(Equations &owner, const std::vector<Index> &parallel, const std::vector<Index> &reduced,
               const std::vector<mlir::Value> &tensors, mlir::Location location)
      : owner(owner), tensors(tensors), location(location), parallel(parallel.size()),
        context(*owner.builder.getContext()), body(std::make_unique<mlir::Block>()), scalars(&context) {
    loops = parallel;
    loops.insert(loops.end(), reduced.begin(), reduced.end());
    for (const Index &index : loops)
      space.indices.push_back(index.atom);
    scalars.setInsertionPointToEnd(body.get());
  }

  /// The number that a term stands for; `wide` is the type it is wanted in.
  mlir::Value emit(const Term *term, Scalar wide) {
    if (computed(term->type) == wide)
      return emit(term);
    // Products are taken in the wide type: i8 * i8 does not fit i8.
    if (term->kind == Term::Kind::Apply && term->primitive == Primitive::Multiply) {
      mlir::Value lhs = emit(term->operands[0], wide), rhs = emit(term->operands[1], wide);
      return MultiplyOp::create(scalars, importSpan(term->span, context), lhs, rhs);
    }
    return CastOp::create(scalars, importSpan(term->span, context), importType(wide, context), emit(term));
  }

  /// The op of a scatter; `value` is what a point adds.
  mlir::Value finishScatter(const Value &scatter, mlir::Value init, mlir::Value value) {
    llvm::SmallVector<mlir::Value> places;
    for (const Subscript &subscript : scatter.subscripts)
      places.push_back(subscript.gather ? emit(subscript.gather, Scalar::I64) : size(subscript.affine, location));
    ScatterYieldOp::create(scalars, location, value, places);
    mlir::Attribute extents = complete().first;
    auto op = ScatterOp::create(owner.builder, location, init.getType(), init, inputs, space.sizes,
                                llvm::cast<mlir::AffineMapAttr>(extents), readMaps(), mlir::UnitAttr());
    op.getBody().push_back(body.release());
    return op.getResult();
  }

  mlir::Value finish(mlir::Value value, std::optional<ReductionKind> reduction, mlir::Type element) {
    YieldOp::create(scalars, location, value);
    auto [extents, shape] = complete();
    auto kind = reduction ? ReductionKindAttr::get(&context, *reduction) : ReductionKindAttr();
    auto equation = EquationOp::create(owner.builder, location, mlir::RankedTensorType::get(shape, element), inputs,
                                       space.sizes, extents, readMaps(), kind);
    equation.getBody().push_back(body.release());
    return equation.getResult();
  }

private:
  /// Extents of all loops and the shape that the parallel ones span. Symbols were added until now: only here do maps
  /// know how many there are.
  std::pair<mlir::AffineMapAttr, llvm::SmallVector<int64_t>> complete() {
    llvm::SmallVector<mlir::AffineExpr> extents;
    for (const Index &index : loops)
      extents.push_back(owner.sizes.affine(index.extent, space));
    llvm::SmallVector<int64_t> shape;
    for (mlir::AffineExpr extent : llvm::ArrayRef(extents).take_front(parallel)) {
      auto constant = llvm::dyn_cast<mlir::AffineConstantExpr>(extent);
      shape.push_back(constant ? constant.getValue() : mlir::ShapedType::kDynamic);
    }
    for (auto [op, expression] : indexOps)
      op.setExpressionAttr(mlir::AffineMapAttr::get(space.map(expression, context)));
    return {mlir::AffineMapAttr::get(mlir::AffineMap::get(0, space.sizes.size(), extents, &context)), shape};
  }

  mlir::ArrayAttr readMaps() {
    llvm::SmallVector<mlir::Attribute> maps;
    for (const auto &subscripts : reads)
      maps.push_back(mlir::AffineMapAttr::get(space.map(subscripts, context)));
    return mlir::ArrayAttr::get(&context, maps);
  }

  mlir::Value emit(const Term *term) {
    mlir::Value &known = emitted[term];
    if (!known) {
      mlir::Value value = create(*term);
      emitted[term] = value; // `known` may have moved
      return value;
    }
    return known;
  }

  mlir::Value create(const Term &term) {
    mlir::Location place = term.span ? importSpan(term.span, context) : location;
    mlir::Type type = importType(computed(term.type), context);
    switch (term.kind) {
    case Term::Kind::Constant:
      return number(term, type, place);
    case Term::Kind::Size:
      return size(term.size, place);
    case Term::Kind::Read:
      return converted(read(term, place), type, place);
    case Term::Kind::Cast:
      if (term.operands[0]->type == term.type)
        return emit(term.operands[0]);
      if (term.operands[0]->type > Scalar::BF16) // a whole number, perhaps the length of a mean
        return converted(emit(term.operands[0]), type, place);
      // A real number that the source converts to a narrow type is rounded here, whatever becomes of it.
      return converted(converted(emit(term.operands[0]), importType(term.type, context), place), type, place);
    case Term::Kind::Select: {
      mlir::Value condition = emit(term.operands[0]), yes = emit(term.operands[1]), no = emit(term.operands[2]);
      return SelectOp::create(scalars, place, condition, yes, no);
    }
    case Term::Kind::Apply: {
      mlir::OperationState state(place, ("nacre." + name(term.primitive)).str());
      for (const Term *operand : term.operands)
        state.addOperands(emit(operand));
      state.addTypes(type);
      return scalars.create(state)->getResult(0);
    }
    case Term::Kind::Reduce:
      return readAt(owner.reduce(term, loops, tensors, importPart(term.span, location)), usedBy(&term), place);
    }
    return {};
  }

  mlir::Value converted(mlir::Value value, mlir::Type type, mlir::Location place) {
    return value.getType() == type ? value : CastOp::create(scalars, place, type, value).getResult();
  }

  mlir::Value number(const Term &term, mlir::Type type, mlir::Location place) {
    mlir::TypedAttr value;
    if (llvm::isa<mlir::FloatType>(type))
      value = mlir::FloatAttr::get(type, term.real);
    else
      value = mlir::IntegerAttr::get(type, llvm::APInt(type.getIntOrFloatBitWidth(), term.integer, /*isSigned=*/true,
                                                       /*implicitTrunc=*/true));
    return NumberOp::create(scalars, place, value);
  }

  llvm::StringRef name(Primitive primitive) { return nacre::name(primitive); }

  // ---- integers over indices and sizes ------------------------------------------------------------------------------
  mlir::Value size(const Polynomial &polynomial, mlir::Location place) {
    if (mlir::AffineExpr expression = owner.sizes.affine(polynomial, space))
      return index(expression, place);
    mlir::Value sum;
    for (const auto &[monomial, coefficient] : polynomial.terms()) {
      mlir::Value term = index(scalars.getAffineConstantExpr(coefficient), place);
      for (const Atom *atom : monomial)
        term = MultiplyOp::create(scalars, place, term, atomValue(atom, place));
      sum = sum ? AddOp::create(scalars, place, sum, term).getResult() : term;
    }
    return sum ? sum : index(scalars.getAffineConstantExpr(0), place);
  }

  mlir::Value atomValue(const Atom *atom, mlir::Location place) {
    Polynomial whole(atom);
    if (mlir::AffineExpr expression = owner.sizes.affine(whole, space))
      return index(expression, place);
    mlir::Value a = size(atom->operands[0], place), b = size(atom->operands[1], place);
    switch (atom->kind) {
    case AtomKind::Quotient:
      return FloorDivideOp::create(scalars, place, a, b);
    case AtomKind::Minimum:
      return MinimumOp::create(scalars, place, a, b);
    case AtomKind::Maximum:
      return MaximumOp::create(scalars, place, a, b);
    default:
      return PowerOp::create(scalars, place, a, b);
    }
  }

  mlir::Value index(mlir::AffineExpr expression, mlir::Location place) {
    auto op =
        IndexOp::create(scalars, place, scalars.getI64Type(), mlir::AffineMapAttr::get(space.map(expression, context)));
    indexOps.push_back({op, expression});
    return op;
  }

  // ---- reads --------------------------------------------------------------------------------------------------------
  mlir::Value read(const Term &term, mlir::Location place) {
    mlir::Value tensor = tensors[term.tensor];
    llvm::SmallVector<mlir::AffineExpr> subscripts;
    for (const Subscript &subscript : term.subscripts)
      if (!subscript.gather && !subscript.guarded)
        if (mlir::AffineExpr expression = owner.sizes.affine(subscript.affine, space))
          subscripts.push_back(expression);
    if (subscripts.size() == term.subscripts.size())
      return input(tensor, subscripts, place);

    llvm::SmallVector<mlir::Value> computed;
    llvm::SmallVector<bool> proved;
    for (const Subscript &subscript : term.subscripts) {
      computed.push_back(subscript.gather ? emit(subscript.gather, Scalar::I64) : size(subscript.affine, place));
      proved.push_back(!subscript.gather && !subscript.guarded);
    }
    auto type = llvm::cast<mlir::RankedTensorType>(tensor.getType());
    return ElementOp::create(scalars, place, type.getElementType(), tensor, computed,
                             scalars.getDenseBoolArrayAttr(proved));
  }

  mlir::Value input(mlir::Value tensor, llvm::ArrayRef<mlir::AffineExpr> subscripts, mlir::Location place) {
    for (auto [number, old] : llvm::enumerate(reads))
      if (inputs[number] == tensor && llvm::ArrayRef<mlir::AffineExpr>(old) == subscripts)
        return body->getArgument(number);
    inputs.push_back(tensor);
    reads.emplace_back(subscripts.begin(), subscripts.end());
    return body->addArgument(llvm::cast<mlir::RankedTensorType>(tensor.getType()).getElementType(), place);
  }

  /// The result of an inner reduction, whose axes are the loops that it uses; in the type that its term computes in.
  mlir::Value readAt(std::pair<mlir::Value, mlir::Type> inner, const std::vector<Index> &axes, mlir::Location place) {
    llvm::SmallVector<mlir::AffineExpr> subscripts;
    for (const Index &axis : axes)
      subscripts.push_back(owner.sizes.affine(Polynomial(axis.atom), space));
    return converted(input(inner.first, subscripts, place), inner.second, place);
  }

  std::vector<Index> usedBy(const Term *term) { return owner.used(term, loops); }

  Equations &owner;
  const std::vector<mlir::Value> &tensors;
  mlir::Location location;
  size_t parallel;
  mlir::MLIRContext &context;
  std::unique_ptr<mlir::Block> body;
  mlir::OpBuilder scalars;
  std::vector<Index> loops;
  AffineSpace space;
  llvm::SmallVector<mlir::Value> inputs;
  std::vector<llvm::SmallVector<mlir::AffineExpr>> reads;
  std::vector<std::pair<IndexOp, mlir::AffineExpr>> indexOps;
  llvm::DenseMap<const Term *, mlir::Value> emitted;
};

mlir::Value Equations::import(const Value &value, const std::vector<mlir::Value> &tensors, mlir::Location location) {
  Scalar element = value.type.element;
  // A reduction over all the indices of the result needs no second equation.
  const Term &body = *value.body;
  if (body.kind == Term::Kind::Reduce && body.type == element &&
      used(&body, value.indices).size() == value.indices.size()) {
    auto [result, type] = reduce(body, value.indices, tensors, location);
    bool kept = type == importType(element, *builder.getContext());
    if (kept && llvm::cast<mlir::RankedTensorType>(result.getType()).getElementType() == type)
      return result;
  }
  EquationBody equation(*this, value.indices, {}, tensors, location);
  return equation.finish(equation.emit(value.body, element), std::nullopt, importType(element, *builder.getContext()));
}

mlir::Value Equations::scatter(const Value &value, mlir::Value init, const std::vector<mlir::Value> &tensors,
                               mlir::Location location) {
  EquationBody points(*this, value.indices, {}, tensors, location);
  return points.finishScatter(value, init, points.emit(value.body, value.type.element));
}

std::pair<mlir::Value, mlir::Type> Equations::reduce(const Term &term, const std::vector<Index> &outer,
                                                     const std::vector<mlir::Value> &tensors, mlir::Location location) {
  bool position = term.reduction == Reduction::ArgMax || term.reduction == Reduction::ArgMin;
  const Term *inner = term.operands[0];
  Scalar type = accumulator(term.reduction, position ? inner->type : term.type);
  EquationBody equation(*this, used(&term, outer), term.indices, tensors, location);
  mlir::Value element = equation.emit(inner, type);
  mlir::MLIRContext &context = *builder.getContext();
  mlir::Value result = equation.finish(element, static_cast<ReductionKind>(term.reduction),
                                       position ? builder.getI32Type() : importType(type, context));
  return {result, importType(computed(term.type), context)};
}

std::vector<Index> Equations::used(const Term *term, const std::vector<Index> &outer) {
  const IndexAtoms &free = freeIndices(term);
  std::vector<Index> list;
  for (const Index &index : outer)
    if (llvm::is_contained(free, index.atom))
      list.push_back(index);
  return list;
}

const Equations::IndexAtoms &Equations::freeIndices(const Term *term) {
  if (auto known = freeOf.find(term); known != freeOf.end())
    return known->second;
  IndexAtoms free;
  auto add = [&](const IndexAtoms &atoms) {
    for (const Atom *atom : atoms)
      if (!llvm::is_contained(free, atom))
        free.push_back(atom);
  };
  auto addLeaves = [&](const Polynomial &polynomial) {
    for (const Atom *leaf : polynomial.leaves())
      if (leaf->kind == AtomKind::Index && !llvm::is_contained(free, leaf))
        free.push_back(leaf);
  };
  addLeaves(term->size);
  for (const Subscript &subscript : term->subscripts)
    if (subscript.gather)
      add(IndexAtoms(freeIndices(subscript.gather)));
    else
      addLeaves(subscript.affine);
  for (const Term *operand : term->operands)
    add(IndexAtoms(freeIndices(operand)));
  for (const Index &index : term->indices)
    llvm::erase(free, index.atom);
  return freeOf[term] = std::move(free);
}

} // namespace nacre
