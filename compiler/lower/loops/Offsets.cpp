// Dynamic storage allocation is NP-hard; what decides a greedy placement is the order in which buffers are placed. So a
// few orders are tried, and the best is improved by hill climbing: a buffer that sticks out at the top, or one beneath
// it, is placed earlier, and the order is kept if the whole did not grow (as in Apache TVM's unified static memory
// planner).
#include "lower/loops/Offsets.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include <numeric>
#include <random>
#include <vector>

namespace nacre {

using llvm::SmallVector;

static bool together(const Tenant &a, const Tenant &b) { return a.first <= b.last && b.first <= a.last; }

int64_t mostAlive(llvm::ArrayRef<Tenant> tenants) {
  int64_t most = 0;
  for (const Tenant &at : tenants) { // the maximum is reached where somebody moves in
    int64_t alive = 0;
    for (const Tenant &other : tenants)
      alive += other.first <= at.first && at.first <= other.last ? other.bytes : 0;
    most = std::max(most, alive);
  }
  return most;
}

namespace {
class Placement {
public:
  explicit Placement(llvm::MutableArrayRef<Tenant> tenants) : tenants(tenants), rivals(tenants.size()) {
    for (unsigned a = 0; a < tenants.size(); ++a)
      for (unsigned b = 0; b < tenants.size(); ++b)
        if (a != b && together(tenants[a], tenants[b]))
          rivals[a].push_back(b);
  }

  /// Each in the smallest gap that takes it between those already placed that are alive at the same time.
  int64_t place(llvm::ArrayRef<unsigned> order) {
    for (Tenant &tenant : tenants)
      tenant.offset = -1;
    int64_t needed = 0;
    SmallVector<std::pair<int64_t, int64_t>> occupied;
    for (unsigned number : order) {
      Tenant &tenant = tenants[number];
      occupied.clear();
      for (unsigned rival : rivals[number])
        if (tenants[rival].offset >= 0)
          occupied.emplace_back(tenants[rival].offset, tenants[rival].offset + tenants[rival].bytes);
      llvm::sort(occupied);
      int64_t end = 0, best = -1, smallest = INT64_MAX;
      for (auto [from, to] : occupied) {
        int64_t gap = from - end;
        if (gap >= tenant.bytes && gap < smallest) {
          best = end;
          smallest = gap;
        }
        end = std::max(end, to);
      }
      tenant.offset = best >= 0 ? best : end;
      needed = std::max(needed, tenant.offset + tenant.bytes);
    }
    return needed;
  }

  /// Pairs of tenants alive together: the work of one placement.
  size_t work() const {
    size_t sum = tenants.size();
    for (auto &list : rivals)
      sum += list.size();
    return sum;
  }

  /// Of those that end at `top`, and those right beneath them.
  SmallVector<unsigned> culprits(int64_t top) const {
    SmallVector<unsigned> found;
    for (unsigned a = 0; a < tenants.size(); ++a)
      if (tenants[a].offset + tenants[a].bytes == top) {
        found.push_back(a);
        for (unsigned b : rivals[a])
          if (tenants[b].offset < tenants[a].offset)
            found.push_back(b);
      }
    return found;
  }

private:
  llvm::MutableArrayRef<Tenant> tenants;
  std::vector<SmallVector<unsigned>> rivals;
};
} // namespace

int64_t chooseOffsets(llvm::MutableArrayRef<Tenant> tenants) {
  constexpr size_t effort = 20'000'000; // pairs looked at: a tenth of a second
  Placement placement(tenants);
  const int64_t bound = mostAlive(tenants);
  auto life = [&](unsigned n) { return int64_t(tenants[n].last - tenants[n].first) + 1; };
  std::vector<std::vector<unsigned>> orders;
  auto orderBy = [&](auto key) {
    auto &order = orders.emplace_back(tenants.size());
    std::iota(order.begin(), order.end(), 0);
    llvm::stable_sort(order, [&](unsigned a, unsigned b) { return key(a) > key(b); });
  };
  orderBy([&](unsigned n) { return tenants[n].bytes; });
  orderBy([&](unsigned n) { return std::pair(life(n), tenants[n].bytes); });
  orderBy([&](unsigned n) { return double(tenants[n].bytes) * life(n); });
  orderBy([&](unsigned n) { return -int64_t(tenants[n].first); });

  std::vector<unsigned> best;
  int64_t fewest = INT64_MAX;
  for (auto &order : orders)
    if (int64_t needed = placement.place(order); needed < fewest) {
      fewest = needed;
      best = order;
    }
  std::minstd_rand random(1);
  std::vector<unsigned> current = best;
  int64_t now = placement.place(current);
  for (size_t spent = 0; fewest > bound && spent < effort; spent += placement.work()) {
    SmallVector<unsigned> culprits = placement.culprits(now);
    std::vector<unsigned> trial = current;
    unsigned moved = culprits[random() % culprits.size()];
    auto from = llvm::find(trial, moved);
    if (from == trial.begin())
      from = trial.begin() + random() % trial.size();
    auto to = trial.begin() + random() % std::max<size_t>(1, from - trial.begin());
    std::rotate(to, from, from + 1);
    int64_t needed = placement.place(trial);
    if (needed > now && needed > fewest + fewest / 50) { // a little worse may lead to better
      placement.place(current);
      continue;
    }
    now = needed;
    current = std::move(trial);
    if (now < fewest) {
      fewest = now;
      best = current;
    }
  }
  return placement.place(best);
}

} // namespace nacre
