// On LLVM IR: call @body(0, n, captured...) {nacre.grain = g} stores what is captured in a struct on the stack and
// becomes nacre_parallel_for(trampoline, &struct, n, g); the trampoline unpacks the struct and calls the body.
#include "ParallelLoop.h"
#include "Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace nacre {
#define GEN_PASS_DEF_CALLTHREADPOOL
#include "lower/loops/Passes.h.inc"

namespace {
/// The place of a field of the struct behind a pointer.
SmallVector<LLVM::GEPArg, 2> field(size_t index) { return {0, int32_t(index)}; }

struct CallThreadPoolPass : impl::CallThreadPoolBase<CallThreadPoolPass> {
  void runOnOperation() override {
    SmallVector<LLVM::CallOp> calls;
    getOperation().walk([&](LLVM::CallOp call) {
      if (call->hasAttr(loops::grainAttribute) && call.getCallee())
        calls.push_back(call);
    });
    for (LLVM::CallOp call : calls)
      rewrite(call);
  }

  LLVM::LLVMFuncOp pool() {
    ModuleOp module = getOperation();
    if (auto found = module.lookupSymbol<LLVM::LLVMFuncOp>("nacre_parallel_for"))
      return found;
    OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
    Type pointer = LLVM::LLVMPointerType::get(&getContext()), number = builder.getI64Type();
    auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(&getContext()), {pointer, pointer, number, number});
    return LLVM::LLVMFuncOp::create(builder, module.getLoc(), "nacre_parallel_for", type);
  }

  void rewrite(LLVM::CallOp call) {
    OpBuilder builder(call);
    Location loc = call.getLoc();
    Type pointer = LLVM::LLVMPointerType::get(&getContext()), number = builder.getI64Type();
    Type nothing = LLVM::LLVMVoidType::get(&getContext());
    SmallVector<Value> operands(call.getArgOperands());
    SmallVector<Type> captured(ValueRange(operands).drop_front(2).getTypes());
    auto context = LLVM::LLVMStructType::getLiteral(&getContext(), captured);

    OpBuilder inModule = OpBuilder::atBlockEnd(getOperation().getBody());
    auto trampoline = LLVM::LLVMFuncOp::create(inModule, loc, (*call.getCallee() + ".range").str(),
                                               LLVM::LLVMFunctionType::get(nothing, {pointer, number, number}),
                                               LLVM::Linkage::Internal);
    Block *block = trampoline.addEntryBlock(inModule);
    OpBuilder inside = OpBuilder::atBlockEnd(block);
    SmallVector<Value> unpacked{block->getArgument(1), block->getArgument(2)};
    for (auto [index, type] : llvm::enumerate(captured)) {
      Value place = LLVM::GEPOp::create(inside, loc, pointer, context, block->getArgument(0), field(index));
      unpacked.push_back(LLVM::LoadOp::create(inside, loc, type, place));
    }
    LLVM::CallOp::create(inside, loc, TypeRange{}, *call.getCallee(), unpacked);
    LLVM::ReturnOp::create(inside, loc, ValueRange{});

    // In the entry block: a call inside a loop must not grow the stack.
    auto function = call->getParentOfType<LLVM::LLVMFuncOp>();
    OpBuilder atEntry = OpBuilder::atBlockBegin(&function.getBody().front());
    Value one = LLVM::ConstantOp::create(atEntry, loc, number, builder.getI64IntegerAttr(1));
    Value place = LLVM::AllocaOp::create(atEntry, loc, pointer, context, one, 64);
    for (auto [index, value] : llvm::enumerate(ArrayRef(operands).drop_front(2))) {
      Value slot = LLVM::GEPOp::create(builder, loc, pointer, context, place, field(index));
      LLVM::StoreOp::create(builder, loc, value, slot);
    }
    Value body = LLVM::AddressOfOp::create(builder, loc, pointer, trampoline.getName());
    Value grain =
        LLVM::ConstantOp::create(builder, loc, number, cast<IntegerAttr>(call->getAttr(loops::grainAttribute)));
    if (auto attribute = call->getAttrOfType<IntegerAttr>(loops::leastAttribute)) {
      Value least = LLVM::ConstantOp::create(builder, loc, number, attribute);
      Value few = LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::slt, operands[1], least);
      grain = LLVM::SelectOp::create(builder, loc, few, least, grain);
    }
    LLVM::CallOp::create(builder, loc, pool(), ValueRange{body, place, operands[1], grain});
    call.erase();
  }
};
} // namespace
} // namespace nacre
