// Who gets a workspace, and what its buffers need.
#include "lower/loops/Workspace.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;

namespace nacre {

bool takesWorkspace(func::FuncOp function) {
  for (StringRef role : {"nacre.entry", "nacre.test", "nacre.prepare", "nacre.initialise"})
    if (function->hasAttr(role))
      return !function.isExternal();
  return false;
}

int64_t unitBytes(MemRefType type) {
  int64_t bytes = (type.getElementTypeBitWidth() + 7) / 8;
  for (int64_t extent : type.getShape())
    bytes *= ShapedType::isDynamic(extent) ? 1 : extent;
  return bytes;
}

LogicalResult repeatSize(OpBuilder &builder, Value size, IRMapping &known) {
  if (known.contains(size))
    return success();
  Operation *op = size.getDefiningOp();
  if (!op || !isPure(op) || op->getNumRegions() != 0)
    return emitError(size.getLoc(), "the size of a buffer is not a function of the dimensions");
  for (Value operand : op->getOperands())
    if (failed(repeatSize(builder, operand, known)))
      return failure();
  builder.clone(*op, known);
  return success();
}

// ---- sizes inside loops --------------------------------------------------------------------------------------------
namespace {
/// The least and the greatest value of an expression over the rounds of the loops around it. Sizes and counters are
/// never negative, so products grow with both factors.
class Bound {
public:
  explicit Bound(OpBuilder &builder) : builder(builder) {}

  /// Null: not known.
  Value of(Value value, bool greatest) {
    Block *outside = builder.getBlock();
    if (value.getParentBlock() == outside || !isa<func::FuncOp>(outside->getParentOp()))
      return value;
    auto argument = dyn_cast<BlockArgument>(value);
    if (argument) {
      auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
      if (!loop || argument != loop.getInductionVar())
        return {};
      if (!greatest)
        return of(loop.getLowerBound(), false);
      Value end = of(loop.getUpperBound(), true);
      return end ? make<arith::SubIOp>(end, number(1)) : Value();
    }
    Operation *op = value.getDefiningOp();
    if (op->hasTrait<OpTrait::ConstantLike>())
      return builder.clone(*op)->getResult(0);
    if (auto apply = dyn_cast<affine::AffineApplyOp>(op))
      return ofExpression(apply.getAffineMap().getResult(0), apply.getMap().getNumDims(), apply.getOperands(),
                          greatest);
    bool falls = isa<arith::SubIOp>(op); // with its second operand
    if (!falls &&
        !isa<arith::AddIOp, arith::MulIOp, arith::MinSIOp, arith::MaxSIOp, arith::MinUIOp, arith::MaxUIOp,
             arith::IndexCastOp>(op) &&
        !(isa<arith::DivSIOp, arith::DivUIOp, arith::FloorDivSIOp, arith::CeilDivSIOp>(op) &&
          getConstantIntValue(op->getOperand(1)).value_or(0) > 0))
      return {};
    if (isa<arith::MulIOp>(op))
      for (Value factor : op->getOperands())
        if (getConstantIntValue(factor).value_or(0) < 0)
          return {};
    IRMapping mapping;
    for (OpOperand &operand : op->getOpOperands()) {
      Value bound = of(operand.get(), falls && operand.getOperandNumber() == 1 ? !greatest : greatest);
      if (!bound)
        return {};
      mapping.map(operand.get(), bound);
    }
    return op->getNumOperands() == 2 && op->getOperand(0) == op->getOperand(1) && falls
               ? number(0)
               : builder.clone(*op, mapping)->getResult(0);
  }

private:
  Value number(int64_t value) { return arith::ConstantIndexOp::create(builder, builder.getUnknownLoc(), value); }
  template <typename Op> Value make(Value a, Value b) { return Op::create(builder, a.getLoc(), a, b); }

  Value ofExpression(AffineExpr expression, unsigned dims, ValueRange operands, bool greatest) {
    if (auto constant = dyn_cast<AffineConstantExpr>(expression))
      return number(constant.getValue());
    if (auto dim = dyn_cast<AffineDimExpr>(expression))
      return of(operands[dim.getPosition()], greatest);
    if (auto symbol = dyn_cast<AffineSymbolExpr>(expression))
      return of(operands[dims + symbol.getPosition()], greatest);
    auto binary = cast<AffineBinaryOpExpr>(expression);
    auto factor = dyn_cast<AffineConstantExpr>(binary.getRHS());
    bool falls = binary.getKind() == AffineExprKind::Mul && factor && factor.getValue() < 0;
    Value a = ofExpression(binary.getLHS(), dims, operands, falls ? !greatest : greatest);
    Value b = ofExpression(binary.getRHS(), dims, operands, greatest);
    if (!a || !b)
      return {};
    switch (binary.getKind()) {
    case AffineExprKind::Add:
      return make<arith::AddIOp>(a, b);
    case AffineExprKind::Mul:
      return make<arith::MulIOp>(a, b);
    case AffineExprKind::FloorDiv:
      return factor ? make<arith::FloorDivSIOp>(a, b) : Value();
    case AffineExprKind::CeilDiv:
      return factor ? make<arith::CeilDivSIOp>(a, b) : Value();
    default: // a remainder by b
      return !factor ? Value() : number(greatest ? factor.getValue() - 1 : 0);
    }
  }

  OpBuilder &builder;
};
} // namespace

FailureOr<Value> largestSize(OpBuilder &builder, Value size) {
  if (Value bound = Bound(builder).of(size, true))
    return bound;
  return emitError(size.getLoc(), "the size of a buffer inside a loop has no bound outside of it");
}

// ---- lives ---------------------------------------------------------------------------------------------------------
Lives::Lives(Operation *function) {
  unsigned next = 0;
  llvm::SmallVector<std::pair<Operation *, bool>> work{{function, false}};
  while (!work.empty()) { // an op, what is in it, the end of the op
    auto [op, done] = work.pop_back_val();
    if (done) {
      places[op].last = next;
      continue;
    }
    places[op] = {next, next};
    ++next;
    if (op->getNumRegions() == 0)
      continue;
    work.push_back({op, true});
    SmallVector<Operation *> inside;
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (Operation &inner : block)
          inside.push_back(&inner);
    for (Operation *inner : llvm::reverse(inside))
      work.push_back({inner, false});
  }
  for (auto &[op, place] : places) // the number after the last op inside
    if (place.last > place.first)
      --place.last;
}

/// All ops that compute with an address or use it.
static void usersOfAddress(Value address, llvm::SetVector<Operation *> &users, llvm::SmallPtrSetImpl<void *> &seen) {
  if (!seen.insert(address.getAsOpaquePointer()).second)
    return;
  for (Operation *user : address.getUsers()) {
    users.insert(user);
    for (Value result : user->getResults())
      usersOfAddress(result, users, seen);
  }
}

/// All ops that touch a buffer, through views and what loops and branches pass on as well.
static void usersOf(Value buffer, llvm::SetVector<Operation *> &users, llvm::SmallPtrSetImpl<void *> &seen) {
  if (!seen.insert(buffer.getAsOpaquePointer()).second)
    return;
  auto follow = [&](ValueRange values) {
    for (Value value : values)
      if (isa<MemRefType>(value.getType()))
        usersOf(value, users, seen);
  };
  for (Operation *user : buffer.getUsers()) {
    users.insert(user);
    follow(user->getResults());
    if (isa<memref::ExtractAlignedPointerAsIndexOp>(user)) // an address, perhaps taken far from where it is used
      usersOfAddress(user->getResult(0), users, seen);
    Operation *parent = user->getParentOp();
    if (user->hasTrait<OpTrait::IsTerminator>() && !isa<func::FuncOp>(parent)) {
      users.insert(parent);
      follow(parent->getResults());
    }
    if (auto loop = dyn_cast<LoopLikeOpInterface>(user))
      for (Region *region : loop.getLoopRegions())
        follow(region->getArguments());
  }
}

FailureOr<Life> Lives::of(Operation *allocation) const {
  llvm::SetVector<Operation *> users;
  llvm::SmallPtrSet<void *, 16> seen;
  usersOf(allocation->getResult(0), users, seen);
  Block *home = allocation->getBlock();
  for (Operation *user : users)
    while (!home->findAncestorOpInBlock(*user)) {
      if (isa<LoopLikeOpInterface>(home->getParentOp()))
        return allocation->emitError("a buffer passes from one round of a loop to the next");
      home = home->getParentOp()->getBlock();
    }
  Life life{UINT_MAX, 0};
  for (Operation *user : users) {
    Life place = places.lookup(home->findAncestorOpInBlock(*user));
    life.first = std::min(life.first, place.first);
    life.last = std::max(life.last, place.last);
  }
  if (users.empty())
    life = places.lookup(allocation);
  return life;
}

} // namespace nacre
