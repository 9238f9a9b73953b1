// All allocations of a function become views of one workspace that the caller owns.
//
// A buffer of n * 10 floats, n unknown, is a buffer of 40 bytes scaled by n. Buffers of equal scale form a group; a
// group is planned as if the scale were 1 and its offsets are multiplied by the scale at run time, which keeps every
// order and every gap. Groups lie one after the other. All unit sizes are multiples of 64, so all offsets are, whatever
// the scale.
#include "Passes.h"
#include "lower/loops/Offsets.h"
#include "lower/loops/Workspace.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace nacre {
#define GEN_PASS_DEF_PLANMEMORY
#include "lower/loops/Passes.h.inc"

namespace {
struct Group {
  SmallVector<Value> scale; // sizes whose product scales the group; empty: static
  std::vector<memref::AllocOp> buffers;
  std::vector<Tenant> tenants; // one for each, at scale 1; bytes are multiples of the alignment
  int64_t bytes = 0;
};

Value scaled(OpBuilder &builder, Location loc, int64_t bytes, ValueRange scale) {
  Value product = arith::ConstantIndexOp::create(builder, loc, bytes);
  for (Value size : scale)
    product = arith::MulIOp::create(builder, loc, product, size);
  return product;
}

/// How long a group is; its sizes may have to be computed once more where the builder stands.
FailureOr<Value> bytesOf(const Group &group, OpBuilder &builder, Location loc, IRMapping &known) {
  SmallVector<Value> sizes;
  for (Value size : group.scale) {
    if (failed(repeatSize(builder, size, known)))
      return failure();
    sizes.push_back(known.lookup(size));
  }
  return scaled(builder, loc, group.bytes, sizes);
}

struct PlanMemoryPass : impl::PlanMemoryBase<PlanMemoryPass> {
  void runOnOperation() override {
    for (auto function : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      if (takesWorkspace(function) && failed(plan(function)))
        return signalPassFailure();
  }

  static FailureOr<std::vector<Group>> groupsOf(func::FuncOp function) {
    Block *block = &function.front();
    Lives lives(function);
    std::vector<Group> groups;
    SmallVector<memref::AllocOp> allocations;
    function.walk([&](memref::AllocOp op) { allocations.push_back(op); });
    for (memref::AllocOp op : allocations) {
      MemRefType type = op.getType();
      if (!type.getLayout().isIdentity())
        return op.emitError() << "a buffer has the layout of " << type;
      FailureOr<Life> life = lives.of(op);
      if (failed(life))
        return failure();
      // In a loop, the largest that it becomes in any round.
      OpBuilder outside(block->findAncestorOpInBlock(*op));
      SmallVector<Value> scale;
      for (Value size : op.getDynamicSizes()) {
        FailureOr<Value> largest = largestSize(outside, size);
        if (failed(largest))
          return failure();
        scale.push_back(*largest);
      }
      auto order = [&](Value size) { // arguments first, then as computed
        auto argument = dyn_cast<BlockArgument>(size);
        return argument ? std::pair(0u, argument.getArgNumber()) : std::pair(1u, lives.position(size.getDefiningOp()));
      };
      llvm::sort(scale, [&](Value a, Value b) { return order(a) < order(b); });
      Group *group = nullptr;
      for (Group &candidate : groups)
        if (candidate.scale == scale)
          group = &candidate;
      if (!group)
        group = &groups.emplace_back(Group{scale, {}, {}, 0});
      group->buffers.push_back(op);
      group->tenants.push_back({int64_t(llvm::alignTo(unitBytes(type), workspaceAlignment)), life->first, life->last});
    }
    for (Group &group : groups)
      group.bytes = chooseOffsets(group.tenants);
    return groups;
  }

  LogicalResult plan(func::FuncOp function) {
    SmallVector<memref::DeallocOp> ends;
    function.walk([&](memref::DeallocOp op) { ends.push_back(op); });
    for (memref::DeallocOp op : ends)
      op.erase();
    FailureOr<std::vector<Group>> groups = groupsOf(function);
    if (failed(groups) || failed(writeTwin(function, *groups)))
      return failure();

    unsigned last = function.getNumArguments();
    Builder attributes(&getContext());
    auto type = MemRefType::get({ShapedType::kDynamic}, attributes.getI8Type());
    auto mark =
        DictionaryAttr::get(&getContext(), attributes.getNamedAttr("nacre.workspace", attributes.getUnitAttr()));
    if (failed(function.insertArgument(last, type, mark, function.getLoc())))
      return failure();
    Value workspace = function.front().getArgument(last);
    for (size_t number = 0; number < groups->size(); ++number)
      for (auto [buffer, tenant] : llvm::zip((*groups)[number].buffers, (*groups)[number].tenants)) {
        // The sizes of all groups before this one may be computed further down: repeat that here.
        OpBuilder builder(buffer);
        IRMapping known;
        for (BlockArgument argument : function.front().getArguments())
          known.map(argument, argument);
        SmallVector<Value> own((*groups)[number].scale);
        if (buffer->getBlock() != &function.front())
          for (Value &size : own) {
            if (failed(repeatSize(builder, size, known)))
              return failure();
            size = known.lookup(size);
          }
        Value offset = scaled(builder, buffer.getLoc(), tenant.offset, own);
        int64_t before = 0;
        for (size_t other = 0; other < number; ++other) {
          const Group &group = (*groups)[other];
          if (group.scale.empty()) {
            before += group.bytes;
            continue;
          }
          FailureOr<Value> bytes = bytesOf(group, builder, buffer.getLoc(), known);
          if (failed(bytes))
            return failure();
          offset = arith::AddIOp::create(builder, buffer.getLoc(), offset, *bytes);
        }
        if (before)
          offset = arith::AddIOp::create(builder, buffer.getLoc(), offset,
                                         arith::ConstantIndexOp::create(builder, buffer.getLoc(), before));
        auto view = memref::ViewOp::create(builder, buffer.getLoc(), buffer.getType(), workspace, offset,
                                           buffer.getDynamicSizes());
        buffer.replaceAllUsesWith(view.getResult());
        buffer.erase();
      }
    return success();
  }

  /// "n", "ceil(n/32)"; any other size is called "?".
  static std::string nameOf(func::FuncOp function, Value size) {
    if (auto argument = dyn_cast<BlockArgument>(size)) {
      auto dimension = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "nacre.dimension");
      return dimension ? dimension.str() : "?";
    }
    auto apply = size.getDefiningOp<affine::AffineApplyOp>();
    if (!apply || apply.getNumOperands() != 1 || apply.getAffineMap().getResult(0).getKind() != AffineExprKind::CeilDiv)
      return "?";
    auto quotient = cast<AffineBinaryOpExpr>(apply.getAffineMap().getResult(0));
    auto divisor = dyn_cast<AffineConstantExpr>(quotient.getRHS());
    if (!divisor || !isa<AffineDimExpr, AffineSymbolExpr>(quotient.getLHS()))
      return "?";
    return "ceil(" + nameOf(function, apply.getOperand(0)) + "/" + std::to_string(divisor.getValue()) + ")";
  }

  /// The product of the sizes.
  static std::string nameOf(func::FuncOp function, ArrayRef<Value> scale) {
    std::string name;
    for (Value size : scale)
      name += (name.empty() ? "" : "*") + nameOf(function, size);
    return name;
  }

  /// The function that adds up the bytes: index arguments in, bytes out. It carries the plan for those who print it.
  LogicalResult writeTwin(func::FuncOp function, std::vector<Group> &groups) {
    OpBuilder builder(&getContext());
    builder.setInsertionPointAfter(function);
    Location loc = function.getLoc();
    SmallVector<BlockArgument> dimensions;
    for (BlockArgument argument : function.front().getArguments())
      if (argument.getType().isIndex())
        dimensions.push_back(argument);
    SmallVector<Type> types(dimensions.size(), builder.getIndexType());
    auto twin = func::FuncOp::create(builder, loc, (function.getName() + "__bytes").str(),
                                     builder.getFunctionType(types, builder.getIndexType()));
    twin.setPrivate();
    Block *block = twin.addEntryBlock();
    IRMapping known;
    for (auto [argument, here] : llvm::zip(dimensions, block->getArguments()))
      known.map(argument, here);
    builder.setInsertionPointToStart(block);
    int64_t fixed = 0;
    Value total;
    SmallVector<Attribute> rows, regions;
    for (auto [number, group] : llvm::enumerate(groups)) {
      regions.push_back(builder.getDictionaryAttr({
          builder.getNamedAttr("scale", builder.getStringAttr(nameOf(function, group.scale))),
          builder.getNamedAttr("bytes", builder.getI64IntegerAttr(group.bytes)),
      }));
      for (auto [buffer, tenant] : llvm::zip(group.buffers, group.tenants))
        rows.push_back(builder.getDictionaryAttr({
            builder.getNamedAttr("type", TypeAttr::get(buffer.getType())),
            builder.getNamedAttr("group", builder.getI64IntegerAttr(number)),
            builder.getNamedAttr("offset", builder.getI64IntegerAttr(tenant.offset)),
            builder.getNamedAttr("bytes", builder.getI64IntegerAttr(tenant.bytes)),
            builder.getNamedAttr("first", builder.getI64IntegerAttr(tenant.first)),
            builder.getNamedAttr("last", builder.getI64IntegerAttr(tenant.last)),
        }));
      if (group.scale.empty()) {
        fixed += group.bytes;
        continue;
      }
      FailureOr<Value> bytes = bytesOf(group, builder, loc, known);
      if (failed(bytes))
        return failure();
      total = total ? Value(arith::AddIOp::create(builder, loc, total, *bytes)) : *bytes;
    }
    Value constant = arith::ConstantIndexOp::create(builder, loc, fixed);
    total = total ? Value(arith::AddIOp::create(builder, loc, total, constant)) : constant;
    func::ReturnOp::create(builder, loc, total);
    twin->setAttr("nacre.plan", builder.getArrayAttr(rows));
    twin->setAttr("nacre.plan_groups", builder.getArrayAttr(regions));
    if (auto entry = function->getAttrOfType<StringAttr>("nacre.entry"))
      twin->setAttr("nacre.plan_of", entry);
    return success();
  }
};
} // namespace
} // namespace nacre
