// Names, lines, operations and bytes of kernels.
#include "KernelFacts.h"
#include "Access.h"
#include "dialect/Remarks.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace nacre::loops {

// ---- sizes as text -------------------------------------------------------------------------------------------------
static std::string textOf(Value size);

static std::string textOf(AffineExpr expr, function_ref<std::string(unsigned, bool)> name) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return std::to_string(constant.getValue());
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return name(dim.getPosition(), false);
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return name(symbol.getPosition(), true);
  auto binary = cast<AffineBinaryOpExpr>(expr);
  auto side = [&](AffineExpr part) {
    std::string text = textOf(part, name);
    return part.getKind() == AffineExprKind::Add ? "(" + text + ")" : text;
  };
  switch (binary.getKind()) {
  case AffineExprKind::Add:
    return textOf(binary.getLHS(), name) + " + " + textOf(binary.getRHS(), name);
  case AffineExprKind::Mul:
    return side(binary.getRHS()) + "*" + side(binary.getLHS());
  case AffineExprKind::CeilDiv:
    return "ceil(" + textOf(binary.getLHS(), name) + "/" + textOf(binary.getRHS(), name) + ")";
  case AffineExprKind::FloorDiv:
    return "floor(" + textOf(binary.getLHS(), name) + "/" + textOf(binary.getRHS(), name) + ")";
  default:
    return "mod(" + textOf(binary.getLHS(), name) + "," + textOf(binary.getRHS(), name) + ")";
  }
}

/// The extent of one axis; "?" where it follows from nothing that has a name.
static std::string textOf(Value buffer, unsigned axis) {
  auto type = cast<MemRefType>(buffer.getType());
  if (!type.isDynamicDim(axis))
    return std::to_string(type.getDimSize(axis));
  if (auto argument = dyn_cast<BlockArgument>(buffer)) {
    auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
    auto extents =
        function ? function.getArgAttrOfType<AffineMapAttr>(argument.getArgNumber(), "nacre.extents") : AffineMapAttr();
    if (!extents)
      return "?";
    SmallVector<std::string> names;
    for (unsigned number = 0; number < function.getNumArguments(); ++number)
      if (auto name = function.getArgAttrOfType<StringAttr>(number, "nacre.dimension"))
        names.push_back(name.str());
    return textOf(extents.getValue().getResult(axis), [&](unsigned position, bool) {
      return position < names.size() ? names[position] : std::string("?");
    });
  }
  Operation *definition = buffer.getDefiningOp();
  if (auto alloc = dyn_cast<memref::AllocOp>(definition))
    return textOf(alloc.getDynamicSizes()[type.getDynamicDimIndex(axis)]);
  SmallVector<OpFoldResult> sizes;
  if (auto view = dyn_cast<memref::SubViewOp>(definition)) {
    llvm::SmallBitVector dropped = view.getDroppedDims();
    for (auto [number, size] : llvm::enumerate(view.getMixedSizes()))
      if (!dropped.test(number))
        sizes.push_back(size);
  }
  if (auto view = dyn_cast<memref::ExpandShapeOp>(definition))
    sizes = view.getMixedOutputShape();
  else if (auto view = dyn_cast<memref::ReinterpretCastOp>(definition))
    sizes = view.getMixedSizes();
  if (!sizes.empty()) {
    if (auto constant = getConstantIntValue(sizes[axis]))
      return std::to_string(*constant);
    return textOf(cast<Value>(sizes[axis]));
  }
  if (auto cast = dyn_cast<memref::CastOp>(definition))
    return textOf(cast.getSource(), axis);
  if (auto view = dyn_cast<memref::CollapseShapeOp>(definition)) {
    std::string text;
    for (int64_t part : view.getReassociationIndices()[axis])
      if (std::string factor = textOf(view.getSrc(), part); factor != "1")
        text += (text.empty() ? "" : "*") + factor;
    return text;
  }
  return "?";
}

static std::string textOf(Value size) {
  if (auto constant = getConstantIntValue(size))
    return std::to_string(*constant);
  if (auto argument = dyn_cast<BlockArgument>(size)) {
    auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
    auto name =
        function ? function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "nacre.dimension") : StringAttr();
    return name ? name.str() : "?";
  }
  Operation *op = size.getDefiningOp();
  auto both = [&](const char *sign) {
    std::string a = textOf(op->getOperand(0)), b = textOf(op->getOperand(1));
    return a == "?" || b == "?" ? "?" : *sign == '*' || *sign == '/' ? a + sign + b : "(" + a + sign + b + ")";
  };
  if (isa<arith::MulIOp>(op))
    return both("*");
  if (isa<arith::AddIOp>(op))
    return both(" + ");
  if (isa<arith::SubIOp>(op))
    return both(" - ");
  if (isa<arith::DivSIOp, arith::DivUIOp, arith::FloorDivSIOp>(op))
    return both("/");
  if (auto dim = dyn_cast<memref::DimOp>(op))
    if (auto axis = dim.getConstantIndex(); axis && isa<MemRefType>(dim.getSource().getType()))
      return textOf(dim.getSource(), *axis);
  if (auto apply = dyn_cast<affine::AffineApplyOp>(op)) {
    unsigned dims = apply.getAffineMap().getNumDims();
    return textOf(apply.getAffineMap().getResult(0), [&](unsigned position, bool symbol) {
      return textOf(apply.getOperand(symbol ? dims + position : position));
    });
  }
  return "?";
}

void Amount::add(int64_t factor, ArrayRef<Size> sizes) {
  if (factor == 0)
    return;
  auto same = [&](const Part &part) {
    return part.sizes.size() == sizes.size() && llvm::all_of(llvm::zip(part.sizes, sizes), [](auto pair) {
             auto [a, b] = pair;
             return a.buffer == b.buffer && a.axis == b.axis;
           });
  };
  for (Part &part : parts)
    if (same(part)) {
      part.factor += factor;
      return;
    }
  parts.push_back({factor, llvm::to_vector(sizes)});
}

std::string Amount::text() const {
  std::vector<std::pair<std::string, int64_t>> sums; // equal sizes of different buffers have one text
  for (const Part &part : parts) {
    std::string sizes;
    for (const Size &size : part.sizes) {
      std::string text = textOf(size.buffer, size.axis);
      bool sum = text.find(' ') != std::string::npos;
      sizes.append(sum ? "*(" : "*").append(text).append(sum ? ")" : "");
    }
    auto known = llvm::find_if(sums, [&](const auto &sum) { return sum.first == sizes; });
    if (known == sums.end())
      sums.push_back({sizes, part.factor});
    else
      known->second += part.factor;
  }
  std::string text;
  for (const auto &[sizes, factor] : sums)
    text += (text.empty() ? "" : " + ") + std::to_string(factor) + sizes;
  return text.empty() ? "0" : text;
}

Value Amount::emit(OpBuilder &builder, Location loc) const {
  Value sum;
  for (const Part &part : parts) {
    Value product = arith::ConstantIndexOp::create(builder, loc, part.factor);
    for (const Size &size : part.sizes)
      product =
          arith::MulIOp::create(builder, loc, product, memref::DimOp::create(builder, loc, size.buffer, size.axis));
    sum = sum ? arith::AddIOp::create(builder, loc, sum, product) : product;
  }
  return sum ? sum : arith::ConstantIndexOp::create(builder, loc, 0);
}

// ---- what a kernel is ----------------------------------------------------------------------------------------------
/// Floating-point operations at one point.
static int64_t operationsOf(linalg::LinalgOp op) {
  int64_t count = 0;
  for (Operation &inner : op.getBlock()->without_terminator()) {
    bool real =
        inner.getNumResults() == 1 &&
        isa<FloatType>(inner.getOperandTypes().empty() ? inner.getResult(0).getType() : inner.getOperand(0).getType());
    bool converts = isa<arith::ExtFOp, arith::TruncFOp, arith::FPToSIOp, arith::FPToUIOp, arith::SelectOp>(inner);
    if (!real || converts || inner.hasTrait<OpTrait::ConstantLike>())
      continue;
    StringRef dialect = inner.getDialect()->getNamespace();
    if (isa<math::FmaOp>(inner))
      count += 2;
    else if (dialect == "arith" || dialect == "math")
      ++count;
  }
  return count;
}

static bool copiesOnly(linalg::LinalgOp op) {
  Block *body = op.getBlock();
  return body->without_terminator().empty() && isa<BlockArgument>(body->getTerminator()->getOperand(0));
}

static bool loadsInBody(linalg::LinalgOp op) {
  return op->walk([](memref::LoadOp) { return WalkResult::interrupt(); }).wasInterrupted();
}

static std::string kindOf(const Kernel &kernel) {
  linalg::LinalgOp root = kernel.root().op;
  if (isa<linalg::FillOp>(root))
    return "fill";
  if (!kernel.hasReduction())
    return loadsInBody(root) ? "gather" : copiesOnly(root) ? "copy" : "map";
  bool multiplies = false, windows = false;
  for (Operation &inner : root.getBlock()->without_terminator())
    multiplies |= isa<arith::MulFOp, arith::MulIOp>(inner) && llvm::all_of(inner.getOperands(), [](Value operand) {
                    while (Operation *conversion = operand.getDefiningOp())
                      if (conversion->getNumOperands() == 1)
                        operand = conversion->getOperand(0);
                      else
                        return false;
                    return true;
                  });
  unsigned inputs = 0;
  for (OpOperand *operand : root.getDpsInputOperands()) {
    AffineMap map = kernel.root().maps[operand->getOperandNumber()];
    inputs += map.getNumResults() > 0;
    for (AffineExpr expr : map.getResults()) {
      unsigned dims = 0;
      for (unsigned d = 0; d < kernel.rank(); ++d)
        dims += expr.isFunctionOfDim(d);
      windows |= dims > 1;
    }
  }
  if (multiplies && inputs >= 2)
    return windows ? "convolution" : "product";
  if (auto combiners = combinersOf(root); combiners && combiners->size() == 1) {
    Operation *op = combiners->front().op;
    std::string name = isa<arith::AddFOp, arith::AddIOp>(op)          ? "sum"
                       : isa<arith::MulFOp, arith::MulIOp>(op)        ? "product_of"
                       : op->getName().getStringRef().contains("max") ? "max"
                       : op->getName().getStringRef().contains("min") ? "min"
                                                                      : "reduce";
    return windows ? name + "_window" : name;
  }
  return "reduce";
}

/// Letters, digits and points: part of the name of a symbol.
static std::string symbolPart(StringRef text) {
  std::string part;
  for (char c : text)
    part += isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' ? c : '_';
  return part;
}

static std::string nameOf(const std::string &kind, const SourceLine &line) {
  std::string name = line.path.empty() ? kind : line.path + "." + kind;
  if (line.line)
    name += "." + llvm::sys::path::stem(line.file).str() + "_" + std::to_string(line.line);
  return symbolPart(name);
}

/// A loop of the kernel as a size; the axis of an operand that it walks over.
static std::optional<Amount::Size> sizeOf(const Kernel &kernel, unsigned d) {
  for (const Step &step : kernel.steps)
    for (auto [operand, map] : llvm::zip(step.op->getOperands(), step.maps))
      if (isa<MemRefType>(operand.getType()))
        for (auto [axis, expr] : llvm::enumerate(map.getResults()))
          if (auto dim = dyn_cast<AffineDimExpr>(expr); dim && dim.getPosition() == d)
            return Amount::Size{operand, unsigned(axis)};
  return std::nullopt;
}

static std::string extentText(const Kernel &kernel, unsigned d) {
  if (!ShapedType::isDynamic(kernel.extents[d]))
    return std::to_string(kernel.extents[d]);
  auto size = sizeOf(kernel, d);
  return size ? textOf(size->buffer, size->axis) : "?";
}

static std::string spaceOf(const Kernel &kernel) {
  std::string space, summed;
  for (unsigned d = 0; d < kernel.rank(); ++d) {
    std::string &list = kernel.reduction[d] ? summed : space;
    list += (list.empty() ? "" : " x ") + extentText(kernel, d);
  }
  if (space.empty())
    space = "1";
  return summed.empty() ? space : space + ", over " + summed;
}

static int64_t bitsOf(MemRefType type) {
  Type element = type.getElementType();
  return element.isIntOrFloat() ? std::max(8u, element.getIntOrFloatBitWidth()) : 64;
}

/// Bytes of a whole buffer.
static void addBytes(Amount &amount, Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  int64_t bytes = bitsOf(type) / 8;
  SmallVector<Amount::Size> sizes;
  for (unsigned axis = 0; axis < type.getRank(); ++axis)
    if (type.isDynamicDim(axis))
      sizes.push_back({buffer, axis});
    else
      bytes *= type.getDimSize(axis);
  amount.add(bytes, sizes);
}

static void addAmounts(const Kernel &kernel, KernelFacts &facts) {
  llvm::SmallDenseSet<std::pair<Value, unsigned>> moved;
  for (auto [index, step] : llvm::enumerate(kernel.steps)) {
    linalg::LinalgOp op = step.op;
    int64_t points = 1;
    SmallVector<Amount::Size> sizes;
    for (unsigned d = 0; d < kernel.rank(); ++d) {
      if (index > 0 && kernel.reduction[d])
        continue;
      if (!ShapedType::isDynamic(kernel.extents[d]))
        points *= kernel.extents[d];
      else if (auto size = sizeOf(kernel, d))
        sizes.push_back(*size);
    }
    facts.operations.add(points * operationsOf(op), sizes);
    op->walk([&](memref::LoadOp load) { facts.traffic.add(points * bitsOf(load.getMemRefType()) / 8, sizes); });
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isa<MemRefType>(operand.get().getType()))
        continue;
      bool forwarded =
          llvm::any_of(step.forwarded, [&](auto pair) { return pair.first == operand.getOperandNumber(); });
      bool output = op.isDpsInit(&operand);
      if (output ? step.stored[operand.getOperandNumber() - op.getNumDpsInputs()] : !forwarded)
        if (moved.insert({operand.get(), unsigned(output)}).second)
          addBytes(facts.traffic, operand.get());
    }
  }
}

static std::string tileOf(const Kernel &kernel, const Tile &tile) {
  auto count = [](int64_t number, const char *what) {
    return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
  };
  std::string text;
  if (tile.row >= 0)
    text = count(tile.rows, "row") + " of ";
  text += count(tile.vectors, "vector") + " of " + std::to_string(tile.lanes) + " along " +
          extentText(kernel, tile.lane) + (tile.across ? " (summed across lanes)" : "");
  if (tile.group > 1)
    text += ", " + std::to_string(tile.group) + " tiles together";
  if (!tile.turned.empty())
    text += ", squares turned in registers";
  if (tile.rowBlock)
    text += ", blocks of " + count(tile.rowBlock, "row");
  return text;
}

/// Slow code and its cause.
static void addFallbacks(const Kernel &kernel, const std::optional<Tile> &tile, KernelFacts &facts) {
  auto say = [&](std::string text) { facts.said.fallbacks.push_back(std::move(text)); };
  if (!tile) {
    for (const Step &step : kernel.steps)
      if (!bodyVectorises(step.op))
        return say("scalar loops: the body has no vector form");
    int64_t points = 1;
    for (int64_t extent : kernel.extents)
      points *= ShapedType::isDynamic(extent) ? 2 : extent;
    if (points > 1)
      say("scalar loops: along no axis are neighbours in memory, or it is too short");
    return;
  }
  for (auto [index, step] : llvm::enumerate(kernel.steps)) {
    if (loadsInBody(step.op))
      facts.gathers.push_back("gathers: a computed subscript, elements are read one by one");
    if (tile->across && index > 0)
      break;
    linalg::LinalgOp op = step.op;
    for (OpOperand *operand : op.getDpsInputOperands()) {
      auto type = dyn_cast<MemRefType>(operand->get().getType());
      unsigned number = operand->getOperandNumber();
      if (!type || llvm::any_of(step.forwarded, [&](auto pair) { return pair.first == number; }) ||
          (index == 0 && llvm::is_contained(tile->turned, number)))
        continue;
      if (accessAlong(step.maps[number], type, tile->lane, tile->lanes) == Access::Strided) {
        std::string text;
        llvm::raw_string_ostream(text) << "gathers: the lanes of an operand " << type.getElementType() << " of "
                                       << textOf(operand->get(), type.getRank() - 1) << " columns are apart in memory";
        facts.gathers.push_back(text);
      }
    }
  }
}

static void addLines(const Kernel &kernel, KernelFacts &facts) {
  auto add = [&](Location location) {
    SourceLine line = sourceLineOf(location);
    // The terms of an equation know their line, but not who called.
    bool known = llvm::any_of(facts.said.lines, [&](const SourceLine &other) {
      return other.line == line.line && other.file == line.file &&
             (line.callerLine == 0 || (other.callerLine == line.callerLine && other.path == line.path));
    });
    if (line.line && !known)
      facts.said.lines.push_back(line);
  };
  for (const Step &step : kernel.steps) {
    add(step.op->getLoc());
    for (Operation &inner : linalg::LinalgOp(step.op).getBlock()->without_terminator())
      if (!inner.hasTrait<OpTrait::ConstantLike>())
        add(inner.getLoc());
  }
}

KernelFacts factsOf(const Kernel &kernel, const std::optional<Tile> &tile, unsigned number, StringRef way) {
  KernelFacts facts;
  auto function = kernel.root().op->getParentOfType<func::FuncOp>();
  facts.said.function = function.getName().str();
  facts.identity = facts.said.function + "." + std::to_string(number);
  addLines(kernel, facts);
  facts.said.equations = facts.said.lines.size();
  facts.said.kind = kindOf(kernel);
  facts.said.name = nameOf(facts.said.kind, facts.said.lines.empty() ? SourceLine{} : facts.said.lines.front());
  addAmounts(kernel, facts);
  if (!reportOf(function.getContext()))
    return facts;
  facts.said.space = spaceOf(kernel);
  if (!way.empty()) {
    facts.said.tile = way.str();
    return facts;
  }
  if (tile)
    facts.said.tile = tileOf(kernel, *tile);
  addFallbacks(kernel, tile, facts);
  return facts;
}

KernelFacts factsOf(Operation *op, StringRef kind, unsigned number) {
  KernelFacts facts;
  facts.said.function = op->getParentOfType<func::FuncOp>().getName().str();
  facts.said.kind = kind.str();
  facts.identity = (Twine(facts.said.function) + "." + kind + Twine(number)).str();
  SourceLine line = sourceLineOf(op->getLoc());
  if (line.line)
    facts.said.lines.push_back(line);
  facts.said.name = nameOf(facts.said.kind, line);
  return facts;
}

// ---- frames --------------------------------------------------------------------------------------------------------
static DictionaryAttr recordOf(const KernelFacts &facts, OpBuilder &builder) {
  SmallVector<Attribute> lines;
  for (const SourceLine &line : facts.said.lines)
    lines.push_back(
        builder.getDictionaryAttr({builder.getNamedAttr("file", builder.getStringAttr(line.file)),
                                   builder.getNamedAttr("line", builder.getI64IntegerAttr(line.line)),
                                   builder.getNamedAttr("path", builder.getStringAttr(line.path)),
                                   builder.getNamedAttr("caller_file", builder.getStringAttr(line.callerFile)),
                                   builder.getNamedAttr("caller_line", builder.getI64IntegerAttr(line.callerLine))}));
  return builder.getDictionaryAttr({builder.getNamedAttr("function", builder.getStringAttr(facts.said.function)),
                                    builder.getNamedAttr("name", builder.getStringAttr(facts.said.name)),
                                    builder.getNamedAttr("kind", builder.getStringAttr(facts.said.kind)),
                                    builder.getNamedAttr("lines", builder.getArrayAttr(lines)),
                                    builder.getNamedAttr("operations", builder.getStringAttr(facts.operations.text())),
                                    builder.getNamedAttr("traffic", builder.getStringAttr(facts.traffic.text()))});
}

KernelFrame::KernelFrame(KernelFacts &facts, Operation *last, bool profile) : facts(facts), profile(profile) {
  OpBuilder builder(last);
  Location loc = last->getLoc();
  SmallVector<Value> amounts;
  if (profile)
    amounts = {facts.operations.emit(builder, loc), facts.traffic.emit(builder, loc)};
  begin = func::CallOp::create(builder, loc, kernelBegin, TypeRange(), amounts);
  builder.setInsertionPointAfter(last);
  end = func::CallOp::create(builder, loc, kernelEnd, TypeRange(), ValueRange());
  if (profile) {
    begin->setAttr(recordAttribute, recordOf(facts, builder));
    for (Operation *hook : {begin, end})
      hook->setAttr(identityAttribute, builder.getStringAttr(facts.identity));
  }
}

KernelFrame::~KernelFrame() {
  Builder builder(begin->getContext());
  int64_t grain = 0;
  bool gathers = false;
  for (Operation *op = begin->getNextNode(); op && op != end; op = op->getNextNode()) {
    if (!facts.gathers.empty())
      op->walk([&](vector::GatherOp) { gathers = true; });
    op->walk<WalkOrder::PreOrder>([&](scf::ForOp loop) {
      auto share = loop->getAttrOfType<IntegerAttr>(grainAttribute);
      if (!share)
        return WalkResult::advance();
      grain = share.getInt();
      loop->setAttr(kernelAttribute, builder.getStringAttr(facts.said.name));
      if (profile)
        loop->setAttr(identityAttribute, builder.getStringAttr(facts.identity));
      return WalkResult::skip();
    });
  }
  if (gathers)
    facts.said.fallbacks.insert(facts.said.fallbacks.end(), facts.gathers.begin(), facts.gathers.end());
  if (Report *report = reportOf(begin->getContext())) {
    facts.said.operations = facts.operations.text();
    facts.said.traffic = facts.traffic.text();
    facts.said.sharing = grain == 0   ? "one thread"
                         : grain == 1 ? "threads"
                                      : "threads, " + std::to_string(grain) + " iterations at a time or more";
    report->kernels.push_back(facts.said);
  }
  if (!profile) {
    begin->erase();
    end->erase();
  }
}

} // namespace nacre::loops
