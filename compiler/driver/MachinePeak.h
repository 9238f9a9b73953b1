// What this machine can do at most, measured in a moment: the yardsticks of `nacre profile`.
#pragma once

namespace nacre {

struct MachinePeak {
  double flops = 0; // f32 multiply-adds as two, per second
  double bytes = 0; // read from memory, per second
};

/// About a fifth of a second on so many threads.
MachinePeak measurePeak(unsigned threads);

} // namespace nacre
