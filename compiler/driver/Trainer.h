// What the commands that train share: the part of a program that a trainer needs, and how it is called.
#pragma once
#include "driver/Product.h"
#include "llvm/ADT/StringRef.h"
#include <optional>

namespace nacre {

/// Leaves what the train blocks that `words` name need (all blocks if none). Returns an empty string or the problem.
std::string keepTrainers(Program &, const std::string &file, const std::vector<std::string> &words);
/// Leaves entries and tests only: nothing will be trained.
void dropTrainers(Program &);
/// The command line of a trainer: the words of the user, with the folder of the file for its data.
std::vector<std::string> trainerWords(const std::string &verb, const Options &);
std::string folderOf(const std::string &file);

/// Runs a program to its end, its output in a file if one is named; its exit code, or `problem`. (Run.cpp)
int execute(const std::string &program, const std::vector<std::string> &words, std::optional<llvm::StringRef> output,
            std::string &problem);

} // namespace nacre
