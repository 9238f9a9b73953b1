// Recognises frames by their bodies, which say `if the index is inside then the source at the index moved, clamped so
// that it may be computed anyway, else the rim`.
#include "Frame.h"
#include "Winograd.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace nacre::loops {

static std::optional<int64_t> constantOf(Value value) { return getConstantIntValue(value); }

/// The axis of a `linalg.index`, behind casts.
static std::optional<unsigned> axisOf(Value value) {
  while (auto cast = value.getDefiningOp<arith::IndexCastOp>())
    value = cast.getIn();
  auto index = value.getDefiningOp<linalg::IndexOp>();
  return index ? std::optional<unsigned>(index.getDim()) : std::nullopt;
}

namespace {
struct Range {
  int64_t low, high; // low <= index < high
};

/// Narrows the ranges of the indices by what a condition says; false if it says anything else.
bool narrow(Value condition, MutableArrayRef<Range> ranges) {
  if (auto both = condition.getDefiningOp<arith::AndIOp>())
    return narrow(both.getLhs(), ranges) && narrow(both.getRhs(), ranges);
  auto compare = condition.getDefiningOp<arith::CmpIOp>();
  if (!compare)
    return false;
  std::optional<unsigned> axis = axisOf(compare.getLhs());
  std::optional<int64_t> number = constantOf(compare.getRhs());
  if (!axis || !number || *axis >= ranges.size())
    return false;
  Range &range = ranges[*axis];
  switch (compare.getPredicate()) {
  case arith::CmpIPredicate::sge:
    range.low = std::max(range.low, *number);
    return true;
  case arith::CmpIPredicate::sgt:
    range.low = std::max(range.low, *number + 1);
    return true;
  case arith::CmpIPredicate::slt:
    range.high = std::min(range.high, *number);
    return true;
  case arith::CmpIPredicate::sle:
    range.high = std::min(range.high, *number + 1);
    return true;
  default:
    return false;
  }
}

/// b of a subscript `axis - b`, clamped or not.
std::optional<int64_t> movedBy(Value subscript, unsigned axis) {
  for (;;) {
    auto low = subscript.getDefiningOp<arith::MaxSIOp>();
    auto high = subscript.getDefiningOp<arith::MinSIOp>();
    if (low && constantOf(low.getRhs()))
      subscript = low.getLhs();
    else if (high && constantOf(high.getRhs()))
      subscript = high.getLhs();
    else
      break;
  }
  if (axisOf(subscript) == axis)
    return 0;
  auto sum = subscript.getDefiningOp<arith::AddIOp>();
  std::optional<int64_t> number = sum ? constantOf(sum.getRhs()) : std::nullopt;
  if (!number || axisOf(sum.getLhs()) != axis)
    return std::nullopt;
  return -*number;
}
} // namespace

std::optional<Frame> matchFrame(linalg::GenericOp op) {
  if (op.getNumDpsInits() != 1 || op.getNumDpsInputs() != 0 || op.getNumReductionLoops() ||
      !op.getIndexingMapsArray()[0].isIdentity())
    return std::nullopt;
  auto yield = cast<linalg::YieldOp>(op.getBody()->getTerminator());
  auto select = yield.getOperand(0).getDefiningOp<arith::SelectOp>();
  auto load = select ? select.getTrueValue().getDefiningOp<memref::LoadOp>() : memref::LoadOp();
  auto framed = cast<ShapedType>(op.getDpsInits()[0].getType());
  Frame frame;
  if (!load || !framed.hasStaticShape() || !matchPattern(select.getFalseValue(), m_Constant(&frame.rim)))
    return std::nullopt;
  frame.source = load.getMemRef();
  MemRefType type = load.getMemRefType();
  if (!type.hasStaticShape() || type.getRank() != framed.getRank())
    return std::nullopt;
  SmallVector<Range> ranges;
  for (int64_t size : framed.getShape())
    ranges.push_back({0, size});
  if (!narrow(select.getCondition(), ranges))
    return std::nullopt;
  for (auto [axis, subscript] : llvm::enumerate(load.getIndices())) {
    std::optional<int64_t> before = movedBy(subscript, axis);
    if (!before && framed.getDimSize(axis) == 1 && constantOf(subscript) == 0)
      before = 0;
    // Inside must be exactly where the source is, or all of what the frame shows of it.
    if (!before || *before < 0 || ranges[axis].low != *before ||
        ranges[axis].high != std::min(*before + type.getDimSize(axis), framed.getDimSize(axis)))
      return std::nullopt;
    frame.before.push_back(*before);
  }
  return frame;
}

/// The op that fills the buffer, if that is one op and everybody else reads it after that.
static linalg::GenericOp onlyWriter(Value buffer) {
  linalg::GenericOp writer;
  for (Operation *user : buffer.getUsers()) {
    auto op = dyn_cast<linalg::LinalgOp>(user);
    if (!op)
      return {};
    if (!llvm::is_contained(op.getDpsInits(), buffer))
      continue;
    if (writer || !isa<linalg::GenericOp>(user))
      return {};
    writer = cast<linalg::GenericOp>(user);
  }
  return writer;
}

void readThroughFrames(func::FuncOp function) {
  SmallVector<linalg::GenericOp> ops;
  function.walk([&](linalg::GenericOp op) {
    if (op->hasAttr(winogradAttribute))
      ops.push_back(op);
  });
  for (linalg::GenericOp op : ops) {
    std::optional<Convolution> convolution = matchConvolution(op);
    if (!convolution)
      continue;
    OpOperand *image = op.getDpsInputOperand(convolution->image);
    Value buffer = image->get();
    if (!buffer.getDefiningOp<memref::AllocOp>())
      continue;
    linalg::GenericOp writer = onlyWriter(buffer);
    std::optional<Frame> frame = writer ? matchFrame(writer) : std::nullopt;
    if (!frame || writer->getBlock() != op->getBlock() || !writer->isBeforeInBlock(op) ||
        !frame->rim.getValue().isZero() || !cast<MemRefType>(frame->source.getType()).isLastDimUnitStride() ||
        touchedBetween(writer, op, rootBuffer(frame->source), /*writesOnly=*/true))
      continue;
    int64_t above = 0, left = 0;
    bool others = false; // a frame around images or channels
    auto whole = cast<MemRefType>(buffer.getType()), source = cast<MemRefType>(frame->source.getType());
    for (auto [axis, dim] : llvm::enumerate(convolution->axes)) {
      if (dim == convolution->row)
        above = frame->before[axis];
      else if (dim == convolution->column)
        left = frame->before[axis];
      else
        others |= whole.getDimSize(axis) != source.getDimSize(axis);
    }
    if (others)
      continue;
    image->set(frame->source);
    op->setAttr(frameAttribute, DenseI64ArrayAttr::get(op.getContext(), {above, left}));
    if (llvm::hasSingleElement(buffer.getUsers())) {
      writer.erase();
      buffer.getDefiningOp()->erase();
    }
  }
}

/// Writes the rim: for every axis the places before and behind the source, over what the axes before it have inside.
static void fillRim(OpBuilder &b, Location loc, Value framed, const Frame &frame) {
  ArrayRef<int64_t> whole = cast<MemRefType>(framed.getType()).getShape();
  ArrayRef<int64_t> inside = cast<MemRefType>(frame.source.getType()).getShape();
  Value rim = arith::ConstantOp::create(b, loc, frame.rim);
  SmallVector<OpFoldResult> offsets(whole.size(), b.getIndexAttr(0)), sizes, strides(whole.size(), b.getIndexAttr(1));
  for (int64_t size : whole)
    sizes.push_back(b.getIndexAttr(size));
  for (auto [axis, before] : llvm::enumerate(frame.before)) {
    int64_t end = before + inside[axis];
    for (auto [from, to] : {std::pair(int64_t(0), before), std::pair(end, whole[axis])})
      if (from < to) {
        offsets[axis] = b.getIndexAttr(from);
        sizes[axis] = b.getIndexAttr(to - from);
        Value part = memref::SubViewOp::create(b, loc, framed, offsets, sizes, strides);
        linalg::FillOp::create(b, loc, rim, part);
      }
    offsets[axis] = b.getIndexAttr(before);
    sizes[axis] = b.getIndexAttr(inside[axis]);
  }
}

/// Whether the buffer can be a view and has what the frame shows: all its users take any layout, and none writes later.
static bool canLieInFrame(memref::AllocOp source, linalg::GenericOp frame) {
  return llvm::all_of(source->getUsers(), [&](Operation *user) {
    if (user == frame || isa<memref::LoadOp>(user))
      return true;
    auto op = dyn_cast<linalg::LinalgOp>(user);
    if (!op || op->getBlock() != frame->getBlock())
      return false;
    return op->isBeforeInBlock(frame) || !llvm::is_contained(op.getDpsInits(), source.getResult());
  });
}

void placeInFrames(func::FuncOp function) {
  SmallVector<linalg::GenericOp> ops;
  function.walk([&](linalg::GenericOp op) { ops.push_back(op); });
  for (linalg::GenericOp op : ops) {
    std::optional<Frame> frame = matchFrame(op);
    auto source = frame ? frame->source.getDefiningOp<memref::AllocOp>() : memref::AllocOp();
    auto framed = op.getDpsInits()[0].getDefiningOp<memref::AllocOp>();
    if (!source || !framed || !source.getType().getLayout().isIdentity() || onlyWriter(framed) != op ||
        source->getBlock() != op->getBlock() || framed->getBlock() != op->getBlock() || !canLieInFrame(source, op))
      continue;
    ArrayRef<int64_t> whole = framed.getType().getShape(), inside = source.getType().getShape();
    bool shownWhole = true;
    for (auto [axis, before] : llvm::enumerate(frame->before))
      shownWhole &= before + inside[axis] <= whole[axis];
    if (!shownWhole)
      continue;
    OpBuilder b(op);
    fillRim(b, op.getLoc(), framed, *frame);
    framed->moveBefore(source);
    b.setInsertionPointAfter(source);
    SmallVector<OpFoldResult> offsets, sizes, strides(inside.size(), b.getIndexAttr(1));
    for (auto [before, size] : llvm::zip(frame->before, inside)) {
      offsets.push_back(b.getIndexAttr(before));
      sizes.push_back(b.getIndexAttr(size));
    }
    op.erase();
    Value view = memref::SubViewOp::create(b, source.getLoc(), framed, offsets, sizes, strides);
    source.replaceAllUsesWith(view);
    source.erase();
  }
}

} // namespace nacre::loops
