// The trials of a sweep: which values its constants take.
#pragma once
#include "program/Program.h"
#include <string>
#include <utility>
#include <vector>

namespace nacre {

struct Trial {
  std::vector<std::pair<std::string, std::string>> settings; // as --set takes them
  std::string text() const;                                  // "hidden=64 rate=0.001"
};

/// All combinations of a grid, or the draws of a random search (`count`: instead of its `trials`; 0: as it says).
/// Returns an empty string or the problem.
std::string makeTrials(const Train &, unsigned count, std::vector<Trial> &);

} // namespace nacre
