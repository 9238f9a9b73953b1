// The functions that the runtime calls (README.md): raw pointers and sizes become buffers, then the inner function
// runs.
#include "Passes.h"
#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "ops/Extents.h"

namespace nacre {
#define GEN_PASS_DEF_EMITENTRIES
#include "Passes.h.inc"
} // namespace nacre

using namespace mlir;

namespace {

constexpr int64_t alignment = 64;

int64_t bytesOf(MemRefType type) {
  int64_t bytes = type.getNumElements() * (type.getElementTypeBitWidth() / 8);
  return (bytes + alignment - 1) / alignment * alignment;
}

struct EmitEntries : nacre::impl::EmitEntriesBase<EmitEntries> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    // A constant folded inside a call keeps the place of the call; outside functions the line tables know no callers.
    for (Operation &op : module.getBody()->getOperations())
      while (auto call = dyn_cast<CallSiteLoc>(op.getLoc()))
        op.setLoc(call.getCallee());
    OpBuilder atEnd = OpBuilder::atBlockEnd(module.getBody());
    pointer = LLVM::LLVMPointerType::get(&getContext());
    SmallVector<func::FuncOp> inner(module.getOps<func::FuncOp>());
    auto models = module->getAttrOfType<ArrayAttr>("nacre.models");
    size_t count = models ? models.size() : 0;
    preparedOffsets.assign(count, {});
    SmallVector<int64_t> preparedBytes(count, 0), scratchBytes(count, 0);
    SmallVector<func::FuncOp> prepare(count);
    SmallVector<std::vector<std::pair<int64_t, func::FuncOp>>> initialise(count);
    for (func::FuncOp function : inner) {
      if (auto model = function->getAttrOfType<IntegerAttr>("nacre.prepare")) {
        prepare[model.getInt()] = function;
        for (unsigned number = 0; number < function.getNumArguments(); ++number)
          if (function.getArgAttr(number, "nacre.result")) {
            preparedOffsets[model.getInt()].push_back(preparedBytes[model.getInt()]);
            preparedBytes[model.getInt()] += bytesOf(cast<MemRefType>(function.getArgumentTypes()[number]));
          }
        if (failed(addScratch(function, scratchBytes[model.getInt()])))
          return signalPassFailure();
      } else if (auto place = function->getAttrOfType<DenseI64ArrayAttr>("nacre.initialise")) {
        initialise[place[0]].push_back({place[1], function});
        if (failed(addScratch(function, scratchBytes[place[0]])))
          return signalPassFailure();
      }
    }
    module->setAttr("nacre.prepared_bytes", atEnd.getDenseI64ArrayAttr(preparedBytes));
    module->setAttr("nacre.prepare_scratch", atEnd.getDenseI64ArrayAttr(scratchBytes));

    askForTiles(atEnd);
    for (func::FuncOp function : inner)
      if (function->hasAttr("nacre.entry") || function->hasAttr("nacre.test")) {
        emitCall(function, atEnd);
        emitWorkspace(function, atEnd);
      }
    for (size_t model = 0; model < count; ++model) {
      std::string prefix = (module.getName().value_or("") + "_" + cast<StringAttr>(models[model]).getValue()).str();
      emitPrepare(prefix + "__prepare", prepare[model], model, atEnd);
      emitInitialise(prefix + "__initialise", initialise[model], atEnd);
    }
    for (func::FuncOp function : inner)
      if (!function.isExternal()) {
        function.setPrivate();
        function->setAttr("llvm.linkage", LLVM::LinkageAttr::get(&getContext(), LLVM::Linkage::Internal));
      }
    if (malformed)
      signalPassFailure();
  }

private:
  /// Code on tile registers asks the runtime for the right to use them, for a C program may call an entry without
  /// anything else of the runtime.
  void askForTiles(OpBuilder &atEnd) {
    WalkResult tiles = getOperation().walk([](LLVM::CallIntrinsicOp op) {
      return op.getIntrin() == "llvm.x86.ldtilecfg" ? WalkResult::interrupt() : WalkResult::advance();
    });
    if (!tiles.wasInterrupted())
      return;
    useTiles = func::FuncOp::create(atEnd, getOperation().getLoc(), "nacre_use_tiles", atEnd.getFunctionType({}, {}));
    useTiles.setPrivate();
  }

  /// Functions that run without dimensions need a workspace of constant size; the largest counts.
  LogicalResult addScratch(func::FuncOp function, int64_t &bytes) {
    auto twin = getOperation().lookupSymbol<func::FuncOp>((function.getName() + "__bytes").str());
    if (!twin)
      return success();
    std::optional<int64_t> total;
    twin.walk([&](func::ReturnOp op) { total = constantValue(op.getOperand(0)); });
    if (!total)
      return twin.emitError("the workspace of a function without dimensions is not constant");
    bytes = std::max(bytes, *total);
    return success();
  }

  static std::optional<int64_t> constantValue(Value value) {
    if (auto constant = getConstantIntValue(value))
      return constant;
    auto sum = value.getDefiningOp<arith::AddIOp>();
    auto lhs = sum ? constantValue(sum.getLhs()) : std::nullopt, rhs = sum ? constantValue(sum.getRhs()) : std::nullopt;
    return lhs && rhs ? std::optional(*lhs + *rhs) : std::nullopt;
  }

  func::FuncOp addFunction(OpBuilder &atEnd, Location location, const Twine &name, TypeRange inputs,
                           TypeRange results) {
    auto function = func::FuncOp::create(atEnd, location, name.str(), atEnd.getFunctionType(inputs, results));
    function.addEntryBlock();
    return function;
  }

  Value load(OpBuilder &builder, Location location, Type type, Value base, int64_t number) {
    Value place = LLVM::GEPOp::create(builder, location, pointer, type, base,
                                      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(number)});
    return LLVM::LoadOp::create(builder, location, type, place);
  }

  Value atBytes(OpBuilder &builder, Location location, Value base, int64_t bytes) {
    Value offset = LLVM::ConstantOp::create(builder, location, builder.getI64IntegerAttr(bytes));
    return LLVM::GEPOp::create(builder, location, pointer, builder.getI8Type(), base, offset);
  }

  /// A dense buffer at a pointer; its dynamic extents follow from the dimensions.
  Value buffer(OpBuilder &builder, Location location, MemRefType type, Value base, AffineMapAttr extents,
               ValueRange dimensions) {
    LLVMTypeConverter converter(&getContext());
    MemRefDescriptor descriptor = MemRefDescriptor::poison(builder, location, converter.convertType(type));
    descriptor.setAllocatedPtr(builder, location, base);
    descriptor.setAlignedPtr(builder, location, base);
    descriptor.setConstantOffset(builder, location, 0);
    auto number = [&](int64_t value) -> Value {
      return LLVM::ConstantOp::create(builder, location, builder.getI64IntegerAttr(value));
    };
    Value stride = number(1);
    for (int64_t axis = type.getRank(); axis-- > 0;) {
      Value size;
      if (!type.isDynamicDim(axis)) {
        size = number(type.getDimSize(axis));
      } else if (extents) {
        Value extent = affine::expandAffineExpr(builder, location, extents.getValue().getResult(axis), {}, dimensions);
        size = arith::IndexCastOp::create(builder, location, builder.getI64Type(), extent);
      } else { // the workspace: nobody asks how long it is
        size = number(INT64_MAX);
      }
      descriptor.setSize(builder, location, axis, size);
      descriptor.setStride(builder, location, axis, stride);
      if (axis > 0)
        stride = LLVM::MulOp::create(builder, location, stride, size);
    }
    Value whole = descriptor;
    return UnrealizedConversionCastOp::create(builder, location, type, whole).getResult(0);
  }

  SmallVector<Value> loadDimensions(OpBuilder &builder, func::FuncOp function, Value dims) {
    SmallVector<Value> dimensions;
    for (Type type : function.getArgumentTypes())
      if (type.isIndex()) {
        Value size = load(builder, function.getLoc(), builder.getI64Type(), dims, dimensions.size());
        dimensions.push_back(arith::IndexCastOp::create(builder, function.getLoc(), builder.getIndexType(), size));
      }
    return dimensions;
  }

  /// The pointer behind one argument of an inner function.
  using Source = llvm::function_ref<Value(OpBuilder &, NamedAttribute)>;
  void callInner(OpBuilder &builder, func::FuncOp function, ValueRange dimensions, Source source) {
    Location location = function.getLoc();
    SmallVector<Value> arguments;
    for (unsigned number = 0; number < function.getNumArguments(); ++number) {
      Type type = function.getArgumentTypes()[number];
      if (type.isIndex()) {
        arguments.push_back(dimensions[number]);
        continue;
      }
      Value base;
      if (DictionaryAttr attributes = function.getArgAttrDict(number))
        for (NamedAttribute attribute : attributes)
          if (!base)
            base = source(builder, attribute);
      if (!base) {
        function.emitError() << "argument " << number << " has no role";
        malformed = true;
        return;
      }
      arguments.push_back(buffer(builder, location, cast<MemRefType>(type), base,
                                 function.getArgAttrOfType<AffineMapAttr>(number, "nacre.extents"), dimensions));
    }
    func::CallOp::create(builder, location, function, arguments);
  }

  void emitCall(func::FuncOp function, OpBuilder &atEnd) {
    Location location = function.getLoc();
    func::FuncOp call =
        addFunction(atEnd, location, function.getName() + "__call", {pointer, pointer, pointer, pointer, pointer}, {});
    Value tensors = call.getArgument(0), dims = call.getArgument(1), arguments = call.getArgument(2),
          results = call.getArgument(3), workspace = call.getArgument(4);
    OpBuilder builder = OpBuilder::atBlockEnd(&call.front());
    if (useTiles)
      func::CallOp::create(builder, location, useTiles, ValueRange{});
    auto models = function->getAttrOfType<DenseI64ArrayAttr>("nacre.models");
    auto position = [&](int64_t model) {
      return models ? llvm::find(models.asArrayRef(), model) - models.asArrayRef().begin() : 0;
    };
    SmallVector<Value> dimensions = loadDimensions(builder, function, dims);
    callInner(builder, function, dimensions, [&](OpBuilder &b, NamedAttribute role) -> Value {
      StringRef name = role.getName();
      if (name == "nacre.argument")
        return load(b, location, pointer, arguments, cast<IntegerAttr>(role.getValue()).getInt());
      if (name == "nacre.result")
        return load(b, location, pointer, results, cast<IntegerAttr>(role.getValue()).getInt());
      if (name == "nacre.workspace")
        return workspace;
      if (name == "nacre.weight") {
        auto place = cast<DenseI64ArrayAttr>(role.getValue());
        return load(b, location, pointer, load(b, location, pointer, tensors, position(place[0])), place[1]);
      }
      if (name == "nacre.prepared") {
        auto place = cast<DenseI64ArrayAttr>(role.getValue());
        Value list = load(b, location, pointer, tensors, position(place[0]));
        Value block = load(b, location, pointer, list, weightCount(place[0]));
        return atBytes(b, location, block, preparedOffsets[place[0]][place[1]]);
      }
      return {};
    });
    func::ReturnOp::create(builder, location);
  }

  int64_t weightCount(int64_t model) {
    auto counts = getOperation()->getAttrOfType<DenseI64ArrayAttr>("nacre.weight_counts");
    return counts ? counts[model] : 0;
  }

  void emitWorkspace(func::FuncOp function, OpBuilder &atEnd) {
    Location location = function.getLoc();
    func::FuncOp workspace =
        addFunction(atEnd, location, function.getName() + "__workspace", pointer, atEnd.getI64Type());
    OpBuilder builder = OpBuilder::atBlockEnd(&workspace.front());
    auto twin = getOperation().lookupSymbol<func::FuncOp>((function.getName() + "__bytes").str());
    Value bytes;
    if (twin) {
      SmallVector<Value> dimensions = loadDimensions(builder, function, workspace.getArgument(0));
      Value total = func::CallOp::create(builder, location, twin, dimensions).getResult(0);
      bytes = arith::IndexCastOp::create(builder, location, builder.getI64Type(), total);
    } else {
      bytes = arith::ConstantOp::create(builder, location, builder.getI64IntegerAttr(0));
    }
    func::ReturnOp::create(builder, location, bytes);
  }

  void emitPrepare(const Twine &name, func::FuncOp function, size_t model, OpBuilder &atEnd) {
    Location location = function ? function.getLoc() : getOperation().getLoc();
    func::FuncOp prepare = addFunction(atEnd, location, name, {pointer, pointer, pointer}, {});
    OpBuilder builder = OpBuilder::atBlockEnd(&prepare.front());
    if (function)
      callInner(builder, function, {}, [&](OpBuilder &b, NamedAttribute role) -> Value {
        StringRef name = role.getName();
        if (name == "nacre.weight")
          return load(b, location, pointer, prepare.getArgument(0), cast<DenseI64ArrayAttr>(role.getValue())[1]);
        if (name == "nacre.result")
          return atBytes(b, location, prepare.getArgument(1),
                         preparedOffsets[model][cast<IntegerAttr>(role.getValue()).getInt()]);
        return name == "nacre.workspace" ? prepare.getArgument(2) : Value();
      });
    func::ReturnOp::create(builder, location);
  }

  // One case per weight that has an initialiser.
  void emitInitialise(const Twine &name, ArrayRef<std::pair<int64_t, func::FuncOp>> cases, OpBuilder &atEnd) {
    Location location = cases.empty() ? getOperation().getLoc() : func::FuncOp(cases.front().second).getLoc();
    Type i32 = atEnd.getI32Type(), i64 = atEnd.getI64Type();
    func::FuncOp function = addFunction(atEnd, location, name, {i32, i64, pointer, pointer}, i32);
    OpBuilder builder = OpBuilder::atBlockEnd(&function.front());
    auto number = [&](OpBuilder &b, int32_t value) -> Value {
      return arith::ConstantOp::create(b, location, b.getI32IntegerAttr(value));
    };
    Value one = number(builder, 1);
    Value seed = LLVM::AllocaOp::create(builder, location, pointer, i64, one, /*alignment=*/8);
    LLVM::StoreOp::create(builder, location, function.getArgument(1), seed);
    Block *none = function.addBlock(), *entry = &function.front();
    SmallVector<int32_t> numbers;
    SmallVector<Block *> blocks;
    SmallVector<ValueRange> noOperands(cases.size());
    for (auto [weight, inner] : cases) {
      Block *block = function.addBlock();
      OpBuilder inside = OpBuilder::atBlockEnd(block);
      callInner(inside, inner, {}, [&](OpBuilder &, NamedAttribute role) -> Value {
        StringRef name = role.getName();
        if (name == "nacre.argument")
          return seed;
        if (name == "nacre.result")
          return function.getArgument(2);
        return name == "nacre.workspace" ? function.getArgument(3) : Value();
      });
      func::ReturnOp::create(inside, location, number(inside, 0));
      numbers.push_back(static_cast<int32_t>(weight));
      blocks.push_back(block);
    }
    builder.setInsertionPointToEnd(entry);
    if (cases.empty())
      cf::BranchOp::create(builder, location, none);
    else
      cf::SwitchOp::create(builder, location, function.getArgument(0), none, ValueRange(), numbers, blocks, noOperands);
    builder.setInsertionPointToEnd(none);
    func::ReturnOp::create(builder, location, number(builder, -1));
  }

  Type pointer;
  SmallVector<std::vector<int64_t>> preparedOffsets; // bytes, per model
  bool malformed = false;
  func::FuncOp useTiles; // null: nobody does
};
} // namespace
