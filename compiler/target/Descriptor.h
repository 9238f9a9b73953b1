// What a generated object tells the runtime about itself (runtime/src/module.h), and the typed C functions it exports.
#pragma once
#include "Compile.h"
#include <optional>
#include <string>
#include <vector>

namespace nacre {

struct WeightsSource {
  std::string file;         // what the object opens when nobody names another; empty: nothing
  bool optional = false;    // `file` may be missing
  std::string embeddedFile; // an absolute path whose bytes become part of the object; empty: none
  uint64_t embeddedBytes = 0;
};

struct DescriptorOptions {
  std::string version;                // of the compiler
  std::string cpu;                    // what the code needs, in words
  uint64_t cpuFeatures = 0;           // the same as bits of CpuFeatures.def
  bool executable = false;            // defines nacre_main_variants
  bool interface = false;             // exports the typed C functions
  std::string variant;                // not empty: one of several objects, whose module table has this name
  std::vector<WeightsSource> weights; // per model
};

/// The bits of runtime/src/CpuFeatures.def that code for this processor relies on.
uint64_t cpuFeatureBits(const Processor &);

/// Adds the tables, and the functions that the options ask for, to a module that has the functions which lower/ names.
/// Returns an empty string, or why it could not: two things that would have one C name.
std::string addDescriptor(llvm::Module &, const Program &, const std::vector<ModelFacts> &, const DescriptorOptions &);

/// The object that holds together variants for several processors: their tables, named here with the most demanding
/// first, what chooses among them, and the functions that the options ask for. Returns the bytes, or sets the problem.
std::string dispatchObject(const Program &, const std::vector<std::string> &variants, const DescriptorOptions &,
                           std::string &problem);

/// Every C name that a program would export, or the problem when two things share one.
std::string checkSymbols(const Program &);

/// The C header of a program.
std::string headerOf(const Program &, const DescriptorOptions &);

/// The one model that people know of, or null: there are none, or several.
const Model *onlyModel(const Program &);
/// How C spells a type: "float". f16 and bf16 travel as uint16_t.
std::string_view cName(Scalar);
/// Names of parameters that C accepts and that differ from each other: dims, arguments, results, in this order.
std::vector<std::string> parameterNames(const Entry &, const std::vector<std::string> &models);

} // namespace nacre
