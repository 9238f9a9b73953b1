// What the backward pass needs of the forward pass is kept or computed again: the choice that keeps the fewest bytes.
//
// A minimum cut. Each forward tensor is an edge as wide as its bytes. What is expensive (a contraction, a reduction, a
// gather) or there anyway (an argument, a result) hangs on the source; an elementwise equation, a pad or a view leads
// from its operands to its result without limit; what the backward pass reads leads to the sink. The edges of the cut
// are kept.
#include "Passes.h"
#include "differentiate/Piece.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/MapVector.h"
#include <limits>

namespace nacre {
#define GEN_PASS_DEF_RECOMPUTE
#include "Passes.h.inc"
} // namespace nacre

using namespace mlir;
using namespace nacre;

namespace {

/// Maximum flow by shortest augmenting paths (Edmonds and Karp 1972).
class Network {
public:
  static constexpr int64_t unlimited = std::numeric_limits<int64_t>::max() / 4;

  unsigned node() {
    edgesOf.emplace_back();
    return edgesOf.size() - 1;
  }
  void edge(unsigned from, unsigned to, int64_t capacity) {
    edgesOf[from].push_back(edges.size());
    edges.push_back({to, capacity});
    edgesOf[to].push_back(edges.size());
    edges.push_back({from, 0});
  }
  /// Saturates the network. Of the cuts that are equally narrow it takes the one nearest to the sink: what an epilogue
  /// leaves, not what goes into it.
  void cut(unsigned source, unsigned sink) {
    while (search(source, sink)) {
      int64_t flow = unlimited;
      for (unsigned at = sink; at != source; at = edges[came[at] ^ 1].to)
        flow = std::min(flow, edges[came[at]].capacity);
      if (flow >= unlimited)
        break; // nothing to decide on this way
      for (unsigned at = sink; at != source; at = edges[came[at] ^ 1].to) {
        edges[came[at]].capacity -= flow;
        edges[came[at] ^ 1].capacity += flow;
      }
    }
    seen.assign(edgesOf.size(), false);
    std::vector<unsigned> queue{sink};
    seen[sink] = true;
    for (size_t next = 0; next < queue.size(); ++next)
      for (unsigned number : edgesOf[queue[next]])
        if (unsigned from = edges[number].to; edges[number ^ 1].capacity > 0 && !seen[from]) {
          seen[from] = true;
          queue.push_back(from);
        }
  }
  bool isBehind(unsigned node) const { return seen[node]; }

private:
  struct Edge {
    unsigned to;
    int64_t capacity;
  };

  bool search(unsigned source, unsigned sink) {
    seen.assign(edgesOf.size(), false);
    came.assign(edgesOf.size(), 0);
    std::vector<unsigned> queue{source};
    seen[source] = true;
    for (size_t next = 0; next < queue.size(); ++next)
      for (unsigned number : edgesOf[queue[next]]) {
        const Edge &edge = edges[number];
        if (edge.capacity <= 0 || seen[edge.to])
          continue;
        seen[edge.to] = true;
        came[edge.to] = number;
        queue.push_back(edge.to);
      }
    return seen[sink];
  }

  std::vector<std::vector<unsigned>> edgesOf;
  std::vector<Edge> edges;
  std::vector<bool> seen;
  std::vector<unsigned> came;
};

bool isBackward(Operation *op) { return op->hasAttr("nacre.backward"); }

SetVector<Value> usedBy(Operation *op) {
  SetVector<Value> used(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), used);
  return used;
}

/// Bytes of a tensor; a run-time extent counts as 1, which is fair where all tensors have it.
int64_t bytesOf(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  int64_t elements = 1;
  for (int64_t extent : type.getShape())
    elements *= ShapedType::isDynamic(extent) ? 1 : extent;
  return elements * std::max(1u, type.getElementTypeBitWidth() / 8);
}

/// One element of the result costs a few operations on elements of the operands.
bool isCheap(Operation *op) {
  if (isa<ReshapeOp, AssembleOp, ConcatOp>(op))
    return true;
  auto equation = dyn_cast<EquationOp>(op);
  if (!equation || equation.getReduction())
    return false;
  return llvm::all_of(equation.getBody().front(), [&](Operation &inner) {
    auto element = dyn_cast<ElementOp>(inner);
    return !element || llvm::all_of(element.getSubscripts(), [&](Value subscript) {
      return affineOf(subscript, op->getContext()) != AffineExpr();
    });
  });
}

struct Recompute : nacre::impl::RecomputeBase<Recompute> {
  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    Block &block = getOperation().front();
    if (!llvm::any_of(block, [](Operation &op) { return isBackward(&op); }))
      return;
    choose(block);
    repeat(block);
  }

  void choose(Block &block) {
    Network network;
    unsigned source = network.node(), sink = network.node();
    llvm::MapVector<Value, std::pair<unsigned, unsigned>> nodes; // where a tensor comes in, and where it goes out
    auto add = [&](Value value, bool isThere) {
      if (!isa<RankedTensorType>(value.getType()))
        return;
      unsigned in = network.node(), out = network.node();
      network.edge(in, out, isThere ? 0 : bytesOf(value));
      nodes[value] = {in, out};
    };
    for (BlockArgument argument : block.getArguments())
      add(argument, true);
    SetVector<Value> returned = usedBy(block.getTerminator());
    for (Operation &op : block.without_terminator()) {
      if (isBackward(&op)) {
        for (Value value : usedBy(&op))
          if (auto known = nodes.find(value); known != nodes.end())
            network.edge(known->second.second, sink, Network::unlimited);
        continue;
      }
      for (Value result : op.getResults())
        add(result, isa<ConstantOp>(op) || returned.contains(result));
      for (Value result : op.getResults()) {
        auto known = nodes.find(result);
        if (known == nodes.end())
          continue;
        if (!isCheap(&op)) {
          network.edge(source, known->second.first, Network::unlimited);
          continue;
        }
        // One that reads nothing, such as a mask of random bits, costs nothing to repeat.
        for (Value operand : usedBy(&op))
          if (auto from = nodes.find(operand); from != nodes.end())
            network.edge(from->second.second, known->second.first, Network::unlimited);
      }
    }
    for (BlockArgument argument : block.getArguments())
      if (auto known = nodes.find(argument); known != nodes.end())
        network.edge(source, known->second.first, Network::unlimited);
    network.cut(source, sink);
    for (auto &[value, ends] : nodes)
      if (Operation *op = value.getDefiningOp(); op && isCheap(op) && network.isBehind(ends.first))
        again.insert(value);
  }

  /// Copies stand before the first op that reads them. The attribute keeps them apart from what they repeat.
  void repeat(Block &block) {
    for (Operation &op : llvm::make_early_inc_range(block.without_terminator())) {
      if (!isBackward(&op))
        continue;
      for (Value value : usedBy(&op))
        if (again.contains(value))
          replaceUsesIn(op, value, copy(value, &op));
    }
  }

  Value copy(Value value, Operation *before) {
    if (Value known = copies.lookup(value))
      return known;
    Operation *original = value.getDefiningOp();
    IRMapping operands;
    for (Value operand : usedBy(original))
      if (again.contains(operand))
        operands.map(operand, copy(operand, before));
    OpBuilder builder(before);
    Operation *repeated = builder.clone(*original, operands);
    repeated->setAttr("nacre.backward", builder.getUnitAttr());
    return copies[value] = repeated->getResult(0);
  }

  static void replaceUsesIn(Operation &op, Value from, Value to) {
    op.walk([&](Operation *inner) { inner->replaceUsesOfWith(from, to); });
  }

  DenseSet<Value> again;
  DenseMap<Value, Value> copies;
};

} // namespace
