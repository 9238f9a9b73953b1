// A body of the program becomes the body of a function: sizes first, then one op per value.
#include "import/Functions.h"
#include "import/Equations.h"
#include "import/Types.h"
#include "ops/Ops.h"
#include "llvm/ADT/STLExtras.h"
#include <set>
#include <utility>

namespace nacre {

namespace {

class FunctionImport {
public:
  FunctionImport(const Program &program, const FunctionParts &parts, mlir::OpBuilder &module)
      : program(program), parts(parts), context(*module.getContext()), location(importSpan(parts.span, context)),
        function(mlir::func::FuncOp::create(module, location, parts.name, module.getFunctionType({}, {}))),
        builder(&context), atStart(&context) {
    atStart.setInsertionPointToStart(function.addEntryBlock());
    auto marker = mlir::func::ReturnOp::create(atStart, location); // sizes go before it, values after
    builder.setInsertionPointToEnd(&function.getBody().front());
    atStart.setInsertionPoint(marker);
    start = marker;
  }

  llvm::FailureOr<mlir::func::FuncOp> run() {
    Sizes sizeValues(atStart, location);
    sizes = &sizeValues;
    Equations equationImport(builder, sizeValues);
    equations = &equationImport;
    if (parts.dimensions)
      for (const DimensionName &dimension : *parts.dimensions)
        sizeValues.define(dimension.atom, addArgument(builder.getIndexType(), "nacre.dimension",
                                                      builder.getStringAttr(dimension.name)));
    addWeights(*parts.body);
    for (auto [number, type] : llvm::enumerate(parts.arguments))
      arguments.push_back(addTensor(type, "nacre.argument", builder.getI64IntegerAttr(number)));

    std::vector<mlir::Value> values = importBody(*parts.body, arguments);
    llvm::SmallVector<mlir::Value> results;
    llvm::SmallVector<mlir::Type> types;
    for (ValueId result : parts.body->results) {
      results.push_back(values[result]);
      types.push_back(values[result].getType());
    }
    if (parts.stores)
      for (const Store &store : *parts.stores) {
        results.push_back(values[store.value]);
        types.push_back(values[store.value].getType());
      }
    mlir::func::ReturnOp::create(builder, location, results);
    start->erase();
    function.setFunctionType(builder.getFunctionType(function.getBody().front().getArgumentTypes(), types));
    for (auto [number, attributes] : llvm::enumerate(argumentAttributes))
      function.setArgAttrs(number, attributes);
    for (auto [number, result] : llvm::enumerate(parts.body->results)) {
      function.setResultAttr(number, "nacre.result", builder.getI64IntegerAttr(number));
      const TensorType &type = parts.body->values[result].type;
      if (auto extents = extentsAttribute(type))
        function.setResultAttr(number, "nacre.extents", extents);
    }
    if (parts.stores)
      markStores(parts.body->results.size());
    if (!sizeValues.complete())
      return function.emitError() << "the size `" << sizeValues.missing << "` is no dimension of " << parts.name;
    if (failed)
      return llvm::failure();
    return function;
  }

private:
  /// The results from `first` on are new contents of weights.
  void markStores(unsigned first) {
    std::set<std::pair<uint32_t, uint32_t>> written;
    for (auto [number, store] : llvm::enumerate(*parts.stores)) {
      auto owner = ownerOf(store.model, store.weight);
      function.setResultAttr(first + number, "nacre.store", builder.getDenseI64ArrayAttr({owner.first, owner.second}));
      if (!written.insert(owner).second) {
        function.emitError() << "stores `" << program.models[owner.first].weights[owner.second].path << "` twice";
        failed = true;
      }
    }
  }

  mlir::Value addArgument(mlir::Type type, llvm::StringRef role, mlir::Attribute detail) {
    argumentAttributes.emplace_back();
    argumentAttributes.back().set(builder.getStringAttr(role), detail);
    return function.getBody().front().addArgument(type, location);
  }

  mlir::Value addTensor(const TensorType &type, llvm::StringRef role, mlir::Attribute detail) {
    mlir::Value argument = addArgument(importTensor(type), role, detail);
    if (auto extents = extentsAttribute(type))
      argumentAttributes.back().set(builder.getStringAttr("nacre.extents"), extents);
    return argument;
  }

  /// The weight whose tensor a weight is: itself, unless it is tied to another one.
  std::pair<uint32_t, uint32_t> ownerOf(uint32_t model, uint32_t number) {
    const std::vector<Weight> &list = program.models[model].weights;
    while (list[number].tiedTo)
      number = *list[number].tiedTo;
    return {model, number};
  }

  /// Weights that the body reads or writes, each once, in the order of models and numbers.
  void addWeights(const Body &body) {
    std::map<std::pair<uint32_t, uint32_t>, const TensorType *> found;
    collectWeights(body, found);
    if (parts.stores)
      for (const Store &store : *parts.stores) {
        auto owner = ownerOf(store.model, store.weight);
        found[owner] = &program.models[owner.first].weights[owner.second].type;
      }
    for (const auto &[key, type] : found) {
      auto [model, number] = key;
      mlir::Value argument = addTensor(*type, "nacre.weight", builder.getDenseI64ArrayAttr({model, number}));
      argumentAttributes.back().set(builder.getStringAttr("nacre.path"),
                                    builder.getStringAttr(program.models[model].weights[number].path));
      weights[key] = argument;
    }
  }

  void collectWeights(const Body &body, std::map<std::pair<uint32_t, uint32_t>, const TensorType *> &found) {
    for (const Value &value : body.values) {
      if (value.kind == Value::Kind::Weight)
        found[ownerOf(value.model, value.number)] = &value.type;
      for (const auto &part : {&value.inner, &value.backward, &value.condition})
        if (*part)
          collectWeights(**part, found);
    }
  }

  // ---- types --------------------------------------------------------------------------------------------------------
  /// Extents over the sizes met so far; a polynomial that turns out constant makes the type static on that axis.
  llvm::SmallVector<mlir::AffineExpr> extents(const TensorType &type, AffineSpace &space) {
    llvm::SmallVector<mlir::AffineExpr> list;
    for (const Polynomial &extent : type.extents)
      list.push_back(sizes->affine(extent, space));
    return list;
  }

  mlir::RankedTensorType tensorOf(Scalar element, llvm::ArrayRef<mlir::AffineExpr> extents) {
    llvm::SmallVector<int64_t> shape;
    for (mlir::AffineExpr extent : extents) {
      auto constant = llvm::dyn_cast<mlir::AffineConstantExpr>(extent);
      shape.push_back(constant ? constant.getValue() : mlir::ShapedType::kDynamic);
    }
    return mlir::RankedTensorType::get(shape, importType(element, context));
  }

  mlir::RankedTensorType importTensor(const TensorType &type) {
    AffineSpace space;
    return tensorOf(type.element, extents(type, space));
  }

  /// The shape over the dimensions of the function; null if it is static.
  mlir::AffineMapAttr extentsAttribute(const TensorType &type) {
    llvm::SmallVector<const Atom *> names;
    if (parts.dimensions)
      for (const DimensionName &dimension : *parts.dimensions)
        names.push_back(dimension.atom);
    llvm::SmallVector<mlir::AffineExpr> list;
    for (const Polynomial &extent : type.extents) {
      list.push_back(Sizes::expression(extent, names, context));
      if (!list.back()) {
        function.emitError() << "the extent `" << extent.text()
                             << "` of an argument or result is no expression of sizes";
        failed = true;
        return {};
      }
    }
    auto map = mlir::AffineMap::get(0, names.size(), list, &context);
    return map.isConstant() ? mlir::AffineMapAttr() : mlir::AffineMapAttr::get(map);
  }

  // ---- values -------------------------------------------------------------------------------------------------------
  std::vector<mlir::Value> importBody(const Body &body, const std::vector<mlir::Value> &inputs) {
    std::vector<mlir::Value> values;
    for (const Value &value : body.values)
      values.push_back(importValue(value, values, inputs));
    return values;
  }

  mlir::Value importValue(const Value &value, const std::vector<mlir::Value> &values,
                          const std::vector<mlir::Value> &inputs) {
    mlir::Location place = value.location ? importLocation(value.location, context) : location;
    AffineSpace space;
    llvm::SmallVector<mlir::Value> operands;
    for (ValueId operand : value.operands)
      operands.push_back(values[operand]);
    switch (value.kind) {
    case Value::Kind::Argument:
      return inputs[value.number];
    case Value::Kind::Weight:
      return weights[ownerOf(value.model, value.number)];
    case Value::Kind::Constant:
      return ConstantOp::create(builder, place, constant(value));
    case Value::Kind::Equation:
      return promised(equations->import(value, values, place), value);
    case Value::Kind::Reshape:
    case Value::Kind::Concat: {
      auto list = extents(value.type, space);
      auto map = mlir::AffineMapAttr::get(mlir::AffineMap::get(0, space.sizes.size(), list, &context));
      auto type = tensorOf(value.type.element, list);
      if (value.kind == Value::Kind::Reshape)
        return ReshapeOp::create(builder, place, type, operands[0], space.sizes, map);
      return ConcatOp::create(builder, place, type, operands, space.sizes, map, builder.getI64IntegerAttr(value.axis));
    }
    case Value::Kind::Extern: {
      auto list = extents(value.type, space);
      auto map = mlir::AffineMapAttr::get(mlir::AffineMap::get(0, space.sizes.size(), list, &context));
      return ExternOp::create(builder, place, tensorOf(value.type.element, list), builder.getStringAttr(value.name),
                              operands, space.sizes, map);
    }
    case Value::Kind::Keep:
      return keep(value, operands, place);
    case Value::Kind::Gradient:
      return GradientOp::create(builder, place, operands[1].getType(), operands[0], operands[1]);
    case Value::Kind::StopGradient:
      return StopGradientOp::create(builder, place, operands[0]);
    case Value::Kind::Scatter:
      return equations->scatter(value, operands[0], values, place);
    case Value::Kind::Result: // the first result stands for them all
      return operands[0].getDefiningOp()->getResult(value.number);
    case Value::Kind::Custom:
      return custom(value, operands, place);
    case Value::Kind::Permutation: {
      auto from = llvm::cast<mlir::RankedTensorType>(operands[0].getType());
      return PermutationOp::create(builder, place, from.clone(builder.getI32Type()), operands[0], value.axis,
                                   value.reverse);
    }
    case Value::Kind::CumulativeSum:
      return CumulativeSumOp::create(builder, place, operands[0].getType(), operands[0], value.axis, value.reverse);
    case Value::Kind::Loop:
      return loop(value, operands, place);
    }
    return {};
  }

  mlir::ElementsAttr constant(const Value &value) {
    mlir::RankedTensorType type = importTensor(value.type);
    mlir::Type element = type.getElementType();
    llvm::SmallVector<mlir::Attribute> numbers;
    for (double number : value.numbers)
      numbers.push_back(llvm::isa<mlir::FloatType>(element)
                            ? mlir::Attribute(mlir::FloatAttr::get(element, number))
                            : mlir::IntegerAttr::get(element, integer(number, element)));
    return mlir::DenseElementsAttr::get(type, numbers);
  }

  static llvm::APInt integer(double number, mlir::Type type) {
    bool isUnsigned = type.isUnsignedInteger();
    uint64_t bits = isUnsigned ? static_cast<uint64_t>(number) : static_cast<uint64_t>(static_cast<int64_t>(number));
    return llvm::APInt(type.getIntOrFloatBitWidth(), bits, !isUnsigned, /*implicitTrunc=*/true);
  }

  /// What the source promises of a value stays with its op, for the pass that keeps it.
  mlir::Value promised(mlir::Value result, const Value &value) {
    std::vector<llvm::StringRef> promises(value.promises.begin(), value.promises.end());
    if (mlir::Operation *op = promises.empty() ? nullptr : result.getDefiningOp())
      op->setAttr("nacre.promises", builder.getStrArrayAttr(promises));
    return result;
  }

  mlir::Value keep(const Value &value, llvm::ArrayRef<mlir::Value> operands, mlir::Location place) {
    mlir::Block *block = new mlir::Block;
    std::vector<mlir::Value> inputs;
    for (mlir::Value operand : operands)
      inputs.push_back(block->addArgument(operand.getType(), place));
    mlir::OpBuilder::InsertionGuard guard(builder);
    mlir::Block *outer = builder.getBlock();
    builder.setInsertionPointToEnd(block);
    mlir::Value result = importBody(*value.inner, inputs)[value.inner->results.front()];
    YieldOp::create(builder, place, result);
    builder.setInsertionPointToEnd(outer);
    std::vector<llvm::StringRef> promises(value.promises.begin(), value.promises.end());
    auto op = KeepOp::create(builder, place, result.getType(), builder.getStringAttr(value.name), operands,
                             promises.empty() ? mlir::ArrayAttr() : builder.getStrArrayAttr(promises));
    op.getBody().push_back(block);
    return op.getResult();
  }

  /// A block of its own for a body: what `fill` builds there goes to its end.
  template <typename Fill> mlir::Block *inBlock(Fill fill) {
    auto *block = new mlir::Block;
    mlir::Block *outer = builder.getBlock();
    builder.setInsertionPointToEnd(block);
    fill(block);
    builder.setInsertionPointToEnd(outer);
    return block;
  }

  llvm::SmallVector<mlir::Value> resultsOf(const Body &body, const std::vector<mlir::Value> &inputs) {
    std::vector<mlir::Value> values = importBody(body, inputs);
    llvm::SmallVector<mlir::Value> results;
    for (ValueId result : body.results)
      results.push_back(values[result]);
    return results;
  }

  mlir::Value custom(const Value &value, llvm::ArrayRef<mlir::Value> operands, mlir::Location place) {
    llvm::SmallVector<mlir::Type> types;
    std::vector<mlir::Value> inputs;
    auto arguments = [&](mlir::Block *block, mlir::TypeRange of) {
      for (mlir::Type type : of)
        inputs.push_back(block->addArgument(type, place));
    };
    mlir::Block *body = inBlock([&](mlir::Block *block) {
      arguments(block, mlir::ValueRange(operands).getTypes());
      auto results = resultsOf(*value.inner, inputs);
      types.append(mlir::ValueRange(results).getTypes().begin(), mlir::ValueRange(results).getTypes().end());
      ReturnOp::create(builder, place, results);
    });
    mlir::Block *backward = inBlock([&](mlir::Block *block) {
      inputs.clear();
      arguments(block, mlir::ValueRange(operands).getTypes());
      arguments(block, types);
      arguments(block, types); // cotangents of the results
      ReturnOp::create(builder, place, resultsOf(*value.backward, inputs));
    });
    auto op = CustomOp::create(builder, place, types, builder.getStringAttr(value.name), operands);
    op.getBody().push_back(body);
    op.getBackward().push_back(backward);
    return op.getResult(0);
  }

  mlir::Value loop(const Value &value, llvm::ArrayRef<mlir::Value> operands, mlir::Location place) {
    AffineSpace space;
    mlir::AffineExpr count = sizes->affine(value.indices[0].extent, space);
    mlir::AffineMap rounds = mlir::AffineMap::get(0, space.sizes.size(), {count}, &context);
    auto constant = llvm::dyn_cast<mlir::AffineConstantExpr>(count);
    llvm::SmallVector<mlir::Value> initial(operands.take_front(value.carried));
    llvm::SmallVector<mlir::Type> types(mlir::ValueRange(initial).getTypes());
    // The counter is a size inside; what is computed from it is computed inside.
    auto within = [&](const Body &body, bool counted, auto finish) {
      return inBlock([&](mlir::Block *block) {
        mlir::Value counter = counted ? block->addArgument(builder.getIndexType(), place) : mlir::Value();
        std::vector<mlir::Value> inputs(operands.begin(), operands.end());
        for (auto [number, start] : llvm::enumerate(initial))
          inputs[number] = block->addArgument(start.getType(), place);
        auto marker = mlir::func::ReturnOp::create(builder, place); // sizes go before it, values after
        Sizes inner = sizes->inside(mlir::OpBuilder(marker));
        if (counter)
          inner.define(value.indices[0].atom, counter);
        Equations innerEquations(builder, inner);
        Sizes *outerSizes = std::exchange(sizes, &inner);
        Equations *outerEquations = std::exchange(equations, &innerEquations);
        finish(resultsOf(body, inputs));
        sizes = outerSizes;
        equations = outerEquations;
        if (!inner.complete())
          sizes->missing = inner.missing;
        marker.erase();
      });
    };
    mlir::Block *body = within(*value.inner, true, [&](llvm::ArrayRef<mlir::Value> results) {
      for (mlir::Value yielded : results.drop_front(value.carried)) {
        auto type = llvm::cast<mlir::RankedTensorType>(yielded.getType());
        llvm::SmallVector<int64_t> shape{constant ? constant.getValue() : mlir::ShapedType::kDynamic};
        shape.append(type.getShape().begin(), type.getShape().end());
        types.push_back(mlir::RankedTensorType::get(shape, type.getElementType()));
      }
      NextOp::create(builder, place, results.take_front(value.carried), results.drop_front(value.carried));
    });
    mlir::Block *condition = nullptr;
    if (value.condition) {
      types.push_back(mlir::RankedTensorType::get({}, builder.getI64Type()));
      condition = within(*value.condition, false, [&](llvm::ArrayRef<mlir::Value> results) {
        WhileOp::create(builder, place, results.front());
      });
    }
    auto op = LoopOp::create(builder, place, types, initial, mlir::Value(), space.sizes, rounds, value.reverse,
                             llvm::is_contained(value.promises, "checkpoint"));
    op.getBody().push_back(body);
    if (condition)
      op.getCondition().push_back(condition);
    return op.getNumResults() ? op.getResult(0) : mlir::Value();
  }

  const Program &program;
  const FunctionParts &parts;
  mlir::MLIRContext &context;
  mlir::Location location;
  mlir::func::FuncOp function;
  mlir::OpBuilder builder, atStart;
  mlir::Operation *start = nullptr;
  Sizes *sizes = nullptr;
  Equations *equations = nullptr;
  std::vector<mlir::NamedAttrList> argumentAttributes;
  std::vector<mlir::Value> arguments;
  std::map<std::pair<uint32_t, uint32_t>, mlir::Value> weights;
  bool failed = false;
};

} // namespace

llvm::FailureOr<mlir::func::FuncOp> importFunction(const Program &program, const FunctionParts &parts,
                                                   mlir::OpBuilder &module) {
  return FunctionImport(program, parts, module).run();
}

} // namespace nacre
