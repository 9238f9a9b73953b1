// C functions: what they are given in memory is dense, and what they write is theirs alone.
#include "Passes.h"
#include "lower/Pipeline.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "ops/Ops.h"

namespace nacre {
#define GEN_PASS_DEF_CALLFOREIGN
#include "Passes.h.inc"
} // namespace nacre

using namespace mlir;
using nacre::CallExternOp;

namespace {

/// A dense buffer of the same shape.
Value makeDense(OpBuilder &builder, Location location, Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  SmallVector<Value> sizes;
  for (int64_t axis = 0; axis < type.getRank(); ++axis)
    if (type.isDynamicDim(axis))
      sizes.push_back(memref::DimOp::create(builder, location, buffer, axis));
  return memref::AllocOp::create(builder, location, MemRefType::get(type.getShape(), type.getElementType()), sizes);
}

struct CallExternBuffers : bufferization::DstBufferizableOpInterfaceExternalModel<CallExternBuffers, CallExternOp> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand, const bufferization::AnalysisState &) const {
    return !cast<CallExternOp>(op).isDpsInit(&operand);
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter, const bufferization::BufferizationOptions &options,
                          bufferization::BufferizationState &state) const {
    auto call = cast<CallExternOp>(op);
    Location location = op->getLoc();
    SmallVector<Value> inputs;
    for (Value input : call.getInputs()) {
      FailureOr<Value> buffer = bufferization::getBuffer(rewriter, input, options, state);
      if (failed(buffer))
        return failure();
      if (!cast<MemRefType>(buffer->getType()).getLayout().isIdentity()) {
        Value dense = makeDense(rewriter, location, *buffer);
        linalg::makeMemRefCopyOp(rewriter, location, *buffer, dense);
        *buffer = dense;
      }
      inputs.push_back(*buffer);
    }
    FailureOr<Value> wanted = bufferization::getBuffer(rewriter, call.getInit(), options, state);
    if (failed(wanted))
      return failure();
    bool direct = cast<MemRefType>(wanted->getType()).getLayout().isIdentity();
    Value result = direct ? *wanted : makeDense(rewriter, location, *wanted);
    CallExternOp::create(rewriter, location, TypeRange(), call.getSymbol(), inputs, result);
    if (!direct)
      linalg::makeMemRefCopyOp(rewriter, location, result, *wanted);
    bufferization::replaceOpWithBufferizedValues(rewriter, op, *wanted);
    return success();
  }
};

struct CallForeign : nacre::impl::CallForeignBase<CallForeign> {
  void runOnOperation() override {
    SmallVector<CallExternOp> calls;
    getOperation().walk([&](CallExternOp call) { calls.push_back(call); });
    for (CallExternOp call : calls)
      lower(call);
  }

private:
  LLVM::LLVMFuncOp declare(CallExternOp call, LLVM::LLVMFunctionType type) {
    if (auto known = getOperation().lookupSymbol<LLVM::LLVMFuncOp>(call.getSymbol()))
      return known;
    OpBuilder builder = OpBuilder::atBlockBegin(getOperation().getBody());
    return LLVM::LLVMFuncOp::create(builder, getOperation().getLoc(), call.getSymbol(), type);
  }

  void lower(CallExternOp call) {
    OpBuilder builder(call);
    Location location = call.getLoc();
    auto pointer = LLVM::LLVMPointerType::get(&getContext());
    Type wide = builder.getI64Type();
    SmallVector<Value> buffers(call.getInputs());
    buffers.push_back(call.getInit());
    int64_t axes = 0;
    for (Value buffer : buffers)
      axes += cast<MemRefType>(buffer.getType()).getRank();
    // Once per call of the function, also inside loops.
    OpBuilder atStart = OpBuilder::atBlockBegin(&call->getParentOfType<func::FuncOp>().front());
    auto array = [&](Type element, int64_t count) -> Value {
      Value length =
          LLVM::ConstantOp::create(atStart, location, atStart.getI64IntegerAttr(std::max<int64_t>(count, 1)));
      return LLVM::AllocaOp::create(atStart, location, pointer, element, length, 8);
    };
    auto at = [&](Type element, Value base, int64_t number) -> Value {
      return LLVM::GEPOp::create(builder, location, pointer, element, base,
                                 ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(number)});
    };
    Value inputs = array(pointer, buffers.size() - 1), lists = array(pointer, buffers.size()),
          extents = array(wide, axes), result;
    int64_t next = 0;
    for (auto [number, buffer] : llvm::enumerate(buffers)) {
      Value place = memref::ExtractAlignedPointerAsIndexOp::create(builder, location, buffer);
      place = arith::IndexCastOp::create(builder, location, wide, place);
      place = LLVM::IntToPtrOp::create(builder, location, pointer, place);
      if (number + 1 < buffers.size())
        LLVM::StoreOp::create(builder, location, place, at(pointer, inputs, number));
      else
        result = place;
      LLVM::StoreOp::create(builder, location, at(wide, extents, next), at(pointer, lists, number));
      for (int64_t axis = 0; axis < cast<MemRefType>(buffer.getType()).getRank(); ++axis, ++next) {
        Value size = memref::DimOp::create(builder, location, buffer, axis);
        size = arith::IndexCastOp::create(builder, location, wide, size);
        LLVM::StoreOp::create(builder, location, size, at(wide, extents, next));
      }
    }
    auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(&getContext()), {pointer, pointer, pointer});
    LLVM::CallOp::create(builder, location, declare(call, type), ValueRange{inputs, lists, result});
    call.erase();
  }
};

} // namespace

void nacre::registerForeignCalls(DialectRegistry &registry) {
  registry.addExtension(
      +[](MLIRContext *context, NacreDialect *) { CallExternOp::attachInterface<CallExternBuffers>(*context); });
}
