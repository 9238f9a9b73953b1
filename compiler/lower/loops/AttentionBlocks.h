// What the loops over an attention and over its gradient share: scratch, blocks of operands copied there, products and
// elementwise steps on blocks. Everything becomes linalg on small buffers, for EmitLoops to vectorise.
#ifndef NACRE_LOWER_LOOPS_ATTENTIONBLOCKS_H
#define NACRE_LOWER_LOOPS_ATTENTIONBLOCKS_H

#include "ParallelLoop.h"
#include "ops/Ops.h"

namespace nacre::loops {

/// An index that moves through a block, and how many of its values the block has.
struct Moving {
  unsigned index;
  mlir::OpFoldResult count;
};

/// A part of an operand: axes in its own order, each moved by one index.
struct BlockView {
  mlir::Value memref;
  llvm::SmallVector<unsigned> indices;
};

/// A buffer of an elementwise or summing step, and the loops that its axes follow.
struct Axes {
  mlir::Value memref;
  llvm::SmallVector<unsigned> loops;
};

class AttentionBlocks {
public:
  AttentionBlocks(AttendOp op, unsigned vectorBits, bool threads);

protected:
  using Body = llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::OpBuilder &, mlir::ValueRange)>;

  // ---- numbers -----------------------------------------------------------------------------------------------------
  mlir::Value evaluate(mlir::AffineExpr, llvm::ArrayRef<mlir::Value> at);
  Count extent(unsigned index);
  int64_t staticExtent(unsigned index); // kDynamic if unknown
  /// The number of blocks along an index, and whether the last one may be shorter.
  Count blocks(unsigned index, int64_t size);
  bool isPartial(unsigned index, int64_t size) {
    int64_t known = staticExtent(index);
    return mlir::ShapedType::isDynamic(known) || known % size != 0;
  }
  /// How much of the block at `start` there is.
  mlir::OpFoldResult countFrom(unsigned index, mlir::Value start, int64_t size);
  /// The blocks along `along` in which some score of the block of `other` at `start` is needed, in whole blocks.
  std::pair<Count, Count> range(unsigned along, unsigned other, int64_t sizeAlong, int64_t sizeOther);
  mlir::Value real(mlir::OpBuilder &, double);

  // ---- buffers -----------------------------------------------------------------------------------------------------
  /// A place on the stack of the function, or of each thread that runs a part of it, shared by all attentions of the
  /// function: they run one after the other.
  mlir::Value scratch(llvm::ArrayRef<int64_t> shape);
  BlockView view(mlir::Value memref, llvm::ArrayRef<mlir::AffineExpr> subscripts, llvm::ArrayRef<Moving> moving);
  BlockView inputView(unsigned number, llvm::ArrayRef<Moving> moving);
  BlockView resultView(unsigned number, llvm::ArrayRef<unsigned> axes, llvm::ArrayRef<Moving> moving);
  /// The first `counts` of a scratch buffer.
  mlir::Value front(mlir::Value memref, llvm::ArrayRef<mlir::OpFoldResult> counts);
  void fill(mlir::Value memref, double value);
  /// Copies an input into scratch whose axes are moved by `moving`, multiplied, and `beyond` where the input ends.
  void copyIn(unsigned number, mlir::Value into, llvm::ArrayRef<Moving> moving, double times = 1, double beyond = 0);

  // ---- steps -------------------------------------------------------------------------------------------------------
  /// Loops 0 .. summed-1 are those of the results, `summed` and on are reduced. The body has the elements of the inputs
  /// and of the outputs.
  void step(unsigned loops, unsigned summed, llvm::ArrayRef<Axes> inputs, llvm::ArrayRef<Axes> outputs, Body body);
  void elementwise(unsigned loops, llvm::ArrayRef<Axes> inputs, llvm::ArrayRef<Axes> outputs, Body body) {
    step(loops, loops, inputs, outputs, body);
  }
  /// c[0, 1] += sum[2](a * b), in loops 0, 1 and 2.
  void product(Axes a, Axes b, mlir::Value c);
  /// What the body of the attention yields, at the indices that loops `queryLoop` and `keyLoop` of a step stand for.
  llvm::SmallVector<mlir::Value> runBody(mlir::OpBuilder &, mlir::Value dot, mlir::ValueRange others,
                                         unsigned queryLoop, unsigned keyLoop);
  /// -inf where the key is beyond the last one.
  mlir::Value maskKeys(mlir::OpBuilder &, mlir::Value score, unsigned keyLoop);
  bool bodyReads() { return op.getInputs().size() > op.operandsBefore(); }
  /// Whether an input of the body moves with an index.
  bool bodyMoves(unsigned index);
  llvm::SmallVector<Axes> bodyInputs(llvm::ArrayRef<Moving> moving, unsigned queryLoop, unsigned keyLoop);
  /// exp(x) of an x that is at most about 0, given x * `unit`.
  mlir::Value exponential(mlir::OpBuilder &, mlir::Value scaled);
  /// a > b ? a : b; a NaN in b stays.
  mlir::Value larger(mlir::OpBuilder &, mlir::Value a, mlir::Value b);

  AttendOp op;
  mlir::OpBuilder b;
  mlir::Location loc;
  PointEmitter emitter;
  bool threads;
  mlir::FloatType type;
  double unit; // what exponents are multiplied by
  int64_t lanes;
  unsigned query, value, key, feature;
  llvm::SmallVector<mlir::Value> at; // of each index, the first of the present block

private:
  llvm::SmallPtrSet<mlir::Operation *, 16> places; // the scratch of this attention
};

void tileAttention(AttendOp op, unsigned vectorBits, bool threads);
void tileAttentionGradient(AttendOp op, unsigned vectorBits, bool threads);

} // namespace nacre::loops
#endif
