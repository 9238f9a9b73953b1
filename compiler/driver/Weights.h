// Which file of weights a product names or carries; the file is compared with the model while it is built.
#pragma once
#include "driver/Options.h"
#include "target/Descriptor.h"

namespace nacre {

/// One source per model. `absolute`: the program runs once, from anywhere. Returns an empty string or the problem.
std::string findWeights(const Program &, const Options &, bool absolute, std::vector<WeightsSource> &out);

} // namespace nacre
