// What depends on the weights of one model and on nothing else is computed once, when the model is loaded.
#include "Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/OperationSupport.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/RegionUtils.h"
#include "ops/Ops.h"
#include "llvm/ADT/MapVector.h"

namespace nacre {
#define GEN_PASS_DEF_HOISTWEIGHTWORK
#include "Passes.h.inc"
} // namespace nacre

using namespace mlir;

namespace {

/// The function that prepares one model, as it grows. Equal work is done once, whichever entry asked first.
class Preparation {
public:
  Preparation(ModuleOp module, int64_t model) : module(module), model(model) {
    for (auto existing : module.getOps<func::FuncOp>())
      if (auto mark = existing->getAttrOfType<IntegerAttr>("nacre.prepare"); mark && mark.getInt() == model)
        function = existing;
    if (!function)
      create();
    for (Operation &op : function.front().without_terminator())
      known[hash(&op)].push_back(&op);
    for (unsigned number = 0; number < function.getNumArguments(); ++number)
      if (auto place = function.getArgAttrOfType<DenseI64ArrayAttr>(number, "nacre.weight"))
        weights[place[1]] = function.getArgument(number);
  }

  /// The number of the prepared tensor that equals `value` of some entry.
  int64_t add(Value value) {
    Value here = repeat(value);
    auto back = cast<func::ReturnOp>(function.front().getTerminator());
    for (auto [number, result] : llvm::enumerate(back.getOperands()))
      if (result == here)
        return number;
    int64_t number = back.getNumOperands();
    back->insertOperands(number, here);
    Builder builder(module.getContext());
    auto role = builder.getNamedAttr("nacre.result", builder.getI64IntegerAttr(number));
    (void)function.insertResult(number, here.getType(), builder.getDictionaryAttr(role));
    return number;
  }

  /// Values of one entry and what they are here.
  void startEntry() { mapping.clear(); }

private:
  void create() {
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    auto models = module->getAttrOfType<ArrayAttr>("nacre.models");
    StringRef name = models ? cast<StringAttr>(models[model]).getValue() : StringRef("model");
    function = func::FuncOp::create(builder, module.getLoc(),
                                    (module.getName().value_or("") + "_" + name + "__prepare_values").str(),
                                    builder.getFunctionType({}, {}));
    function->setAttr("nacre.prepare", builder.getI64IntegerAttr(model));
    builder.setInsertionPointToEnd(function.addEntryBlock());
    func::ReturnOp::create(builder, module.getLoc());
  }

  Value repeat(Value value) {
    if (Value here = mapping.lookupOrNull(value))
      return here;
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      Value here = weight(argument);
      mapping.map(value, here);
      return here;
    }
    Operation *op = value.getDefiningOp();
    SetVector<Value> used(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), used);
    for (Value operand : used)
      mapping.map(operand, repeat(operand));
    Operation *copy = op->clone(mapping);
    Operation *&kept = equalTo(copy);
    if (kept != copy) {
      copy->destroy();
    } else {
      function.front().getOperations().insert(function.front().getTerminator()->getIterator(), copy);
    }
    mapping.map(op->getResults(), kept->getResults());
    return mapping.lookup(value);
  }

  Value weight(BlockArgument argument) {
    auto owner = cast<func::FuncOp>(argument.getOwner()->getParentOp());
    DictionaryAttr attributes = owner.getArgAttrDict(argument.getArgNumber());
    if (auto prepared = attributes.getAs<DenseI64ArrayAttr>("nacre.prepared"))
      return function.front().getTerminator()->getOperand(prepared[1]);
    Value &here = weights[attributes.getAs<DenseI64ArrayAttr>("nacre.weight")[1]];
    if (!here) {
      unsigned last = function.getNumArguments();
      (void)function.insertArgument(last, argument.getType(), attributes, argument.getLoc());
      here = function.getArgument(last);
    }
    return here;
  }

  static llvm::hash_code hash(Operation *op) {
    return OperationEquivalence::computeHash(op, OperationEquivalence::directHashValue,
                                             OperationEquivalence::ignoreHashValue,
                                             OperationEquivalence::IgnoreLocations);
  }

  Operation *&equalTo(Operation *op) {
    auto &candidates = known[hash(op)];
    for (Operation *&candidate : candidates)
      if (OperationEquivalence::isEquivalentTo(candidate, op, OperationEquivalence::IgnoreLocations))
        return candidate;
    candidates.push_back(op);
    return candidates.back();
  }

  ModuleOp module;
  int64_t model;
  func::FuncOp function;
  IRMapping mapping;
  DenseMap<size_t, SmallVector<Operation *>> known;
  DenseMap<int64_t, Value> weights; // number of the weight -> argument
};

/// What a value depends on: constants only, the weights of one model, or more than that.
constexpr int64_t onlyConstants = -1, unfit = -2;

struct HoistWeightWork : nacre::impl::HoistWeightWorkBase<HoistWeightWork> {
  void runOnOperation() override {
    DenseMap<int64_t, std::unique_ptr<Preparation>> preparations;
    SmallVector<func::FuncOp> functions(getOperation().getOps<func::FuncOp>());
    for (func::FuncOp function : functions)
      if ((function->hasAttr("nacre.entry") || function->hasAttr("nacre.test")) &&
          !function->hasAttr("nacre.training")) // there weights change with every call
        hoist(function, preparations);
  }

  void hoist(func::FuncOp function, DenseMap<int64_t, std::unique_ptr<Preparation>> &preparations) {
    Block &entry = function.front();
    DenseMap<Value, int64_t> source;
    for (BlockArgument argument : entry.getArguments()) {
      auto place = function.getArgAttrOfType<DenseI64ArrayAttr>(argument.getArgNumber(), "nacre.weight");
      auto prepared = function.getArgAttrOfType<DenseI64ArrayAttr>(argument.getArgNumber(), "nacre.prepared");
      source[argument] = place ? place[0] : prepared ? prepared[0] : unfit;
    }
    for (Operation &op : entry.without_terminator())
      for (Value result : op.getResults())
        source[result] = sourceOf(&op, source);

    // The last values that depend on weights only; a view of a weight costs nothing where it is.
    llvm::MapVector<Value, int64_t> wanted;
    for (Operation &op : entry) {
      SetVector<Value> used(op.operand_begin(), op.operand_end());
      getUsedValuesDefinedAbove(op.getRegions(), used);
      bool moves = op.getNumResults() == 1 && source[op.getResult(0)] >= 0 && !isView(&op);
      for (Value value : used)
        if (!moves && source.lookup(value) >= 0 && value.getDefiningOp() && !isView(value.getDefiningOp()) &&
            worthKeeping(value))
          wanted[value] = source[value];
    }
    SmallVector<int64_t> touched, numbers;
    Builder builder(&getContext());
    for (auto [value, model] : wanted) {
      auto &preparation = preparations[model];
      if (!preparation)
        preparation = std::make_unique<Preparation>(getOperation(), model);
      if (!llvm::is_contained(touched, model)) {
        preparation->startEntry();
        touched.push_back(model);
      }
      numbers.push_back(preparation->add(value));
    }
    // Only now: a value that moved may be part of another one.
    for (auto [moved, number] : llvm::zip(wanted, numbers)) {
      auto [value, model] = moved;
      unsigned last = function.getNumArguments();
      auto role = builder.getNamedAttr("nacre.prepared", builder.getDenseI64ArrayAttr({model, number}));
      (void)function.insertArgument(last, value.getType(), builder.getDictionaryAttr(role), value.getLoc());
      value.replaceAllUsesWith(entry.getArgument(last));
    }
    SmallVector<Operation *> all;
    for (Operation &op : entry.without_terminator())
      all.push_back(&op);
    for (Operation *op : llvm::reverse(all))
      if (isOpTriviallyDead(op))
        op->erase();
  }

  static int64_t sourceOf(Operation *op, const DenseMap<Value, int64_t> &source) {
    bool fixed = llvm::all_of(op->getResultTypes(), [](Type type) {
      auto tensor = dyn_cast<RankedTensorType>(type);
      return !tensor || tensor.hasStaticShape();
    });
    if (!fixed || !isPure(op))
      return unfit;
    SetVector<Value> used(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), used);
    int64_t model = onlyConstants;
    for (Value value : used) {
      int64_t of = source.lookup(value);
      if (of == unfit || (of >= 0 && model >= 0 && of != model))
        return unfit;
      model = std::max(model, of);
    }
    return model;
  }

  static bool isView(Operation *op) {
    return isa<nacre::ReshapeOp>(op) || op->getName().getStringRef() == "tensor.collapse_shape" ||
           op->getName().getStringRef() == "tensor.expand_shape" ||
           op->getName().getStringRef() == "tensor.extract_slice" || op->getName().getStringRef() == "tensor.cast";
  }

  /// A weight that is merely repeated along new axes is cheaper to read where it is than to keep repeated.
  static bool worthKeeping(Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    Operation *op = value.getDefiningOp();
    bool moves = op->getNumRegions() == 1 && llvm::hasSingleElement(op->getRegion(0)) &&
                 llvm::hasSingleElement(op->getRegion(0).front());
    int64_t largest = 0;
    for (Type operand : op->getOperandTypes())
      if (auto tensor = dyn_cast<RankedTensorType>(operand); tensor && tensor != type)
        largest = std::max(largest, tensor.getNumElements());
    return type && (!moves || largest == 0 || writes(op, type) <= largest);
  }

  /// How many elements are written: a panel with a rest at its end has room for more.
  static int64_t writes(Operation *op, RankedTensorType type) {
    auto generic = dyn_cast<linalg::LinalgOp>(op);
    if (!generic)
      return type.getNumElements();
    int64_t count = 1;
    for (int64_t range : generic.getStaticLoopRanges())
      count *= range;
    return count;
  }
};
} // namespace
