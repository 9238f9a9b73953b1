// Two tensors of one value, as the fast and as the reference program computed it.
#pragma once
#include "program/Program.h"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nacre {

/// One element of both.
struct Pair {
  std::vector<int64_t> index;
  double fast = 0, reference = 0;
  double relative = 0;          // |fast - reference| / (|reference| + root mean square of the reference)
  std::optional<uint64_t> ulps; // representable numbers in between; none between a number and a NaN
};

struct Differences {
  std::vector<int64_t> extents;
  uint64_t count = 0, beyond = 0; // elements; those beyond the tolerance
  Pair first, worst;              // the first beyond it; the one furthest apart
};

/// |fast - reference| <= tolerance * (|reference| + rms(reference)) for reals, where two NaNs are equal and infinities
/// equal themselves only; integers and bools are equal or not. Returns an empty string or the problem.
std::string compareFiles(const std::string &fast, const std::string &reference, Scalar type, double tolerance,
                         Differences &out);

/// What the order of sums and approximated functions leave between the programs in layers of usual size.
double defaultTolerance(Scalar type);

} // namespace nacre
