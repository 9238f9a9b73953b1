// Bufferisation of attentions: inputs in any layout are read where they lie, and each result is written once.
#include "lower/Pipeline.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"
#include "ops/Ops.h"

using namespace mlir;
using nacre::AttendOp;

namespace {
struct AttendBuffers : bufferization::DstBufferizableOpInterfaceExternalModel<AttendBuffers, AttendOp> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand, const bufferization::AnalysisState &) const {
    return !cast<AttendOp>(op).isDpsInit(&operand);
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter, const bufferization::BufferizationOptions &options,
                          bufferization::BufferizationState &state) const {
    auto attend = cast<AttendOp>(op);
    SmallVector<Value> inputs, inits;
    for (auto [tensors, buffers] : {std::pair(attend.getInputs(), &inputs), std::pair(attend.getInits(), &inits)})
      for (Value tensor : tensors) {
        FailureOr<Value> buffer = bufferization::getBuffer(rewriter, tensor, options, state);
        if (failed(buffer))
          return failure();
        buffers->push_back(*buffer);
      }
    auto written = AttendOp::create(rewriter, op->getLoc(), TypeRange(), inputs, attend.getSizes(), inits,
                                    attend.getExtents(), attend.getMaps(), attend.getQuery(), attend.getValue(),
                                    attend.getNeeded(), attend.getPlaces(), attend.getOthers(), attend.getBackward());
    written.getBody().takeBody(attend.getBody());
    bufferization::replaceOpWithBufferizedValues(rewriter, op, inits);
    return success();
  }
};
} // namespace

void nacre::registerAttention(DialectRegistry &registry) {
  registry.addExtension(
      +[](MLIRContext *context, NacreDialect *) { AttendOp::attachInterface<AttendBuffers>(*context); });
}
