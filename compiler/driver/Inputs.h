// Everything that a call of an entry needs and the command line does not give: sizes, arguments drawn from a seed, the
// files of weights. What `nacre compare` and `nacre profile` call a program with.
#pragma once
#include "driver/Options.h"
#include "driver/Session.h"
#include "program/Program.h"
#include <map>

namespace nacre {

/// The words of a command after FILE: [ENTRY] [name=value ...].
struct CallWords {
  std::string entry; // empty: none named
  std::vector<std::pair<std::string, std::string>> arguments;
};
/// An empty string, or the problem.
std::string readCallWords(const std::vector<std::string> &words, CallWords &);

struct Inputs {
  std::vector<std::string> words;                     // for the program: name=value ... --seed N --weights F
  std::vector<std::pair<std::string, int64_t>> sizes; // of the entry's dimensions
  std::vector<std::string> drawn;                     // names of the arguments that were
  std::string text() const;                           // "n = 17; image drawn from seed 1"
  uint64_t seed = 1;
};

/// Chooses sizes that keep the entry's guards, writes drawn arguments into `scratch`, and tells `entry` that they are
/// read from npy files. Returns an empty string or the problem.
std::string makeInputs(const Program &, Entry &entry, const CallWords &, const Options &, const ScratchFolder &scratch,
                       Inputs &out);

/// The entry of this name; without a name the only one. Null: `problem` says why.
Entry *entryNamed(Program &, const std::string &name, std::string &problem);

} // namespace nacre
