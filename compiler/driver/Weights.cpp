// The runtime itself compares file and model, so that both give the same message.
#include "driver/Weights.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
extern "C" {
#include "module.h"
}

using namespace llvm;

namespace nacre {
namespace {

/// What --weights says about a model: MODEL=F, or F alone.
std::string namedFile(const Options &options, const std::string &model) {
  std::string plain;
  for (const std::string &word : options.weights) {
    if (StringRef(word).starts_with(model + "="))
      return word.substr(model.size() + 1);
    if (word.find('=') == std::string::npos)
      plain = word;
  }
  return plain;
}

std::string absolutePath(const std::string &path) {
  SmallString<256> absolute(path);
  sys::fs::make_absolute(absolute);
  return absolute.str().str();
}

std::string besideModel(const Program &program, const std::string &file) {
  if (sys::path::is_absolute(file) || !program.file)
    return file;
  SmallString<256> path(sys::path::parent_path(program.file->path()));
  sys::path::append(path, file);
  return path.str().str();
}

int32_t nothingToDraw(int32_t, uint64_t, void *, void *) { return 0; }

/// Opens the file as the finished program would.
std::string compareWithFile(const Model &model, const std::string &file) {
  std::vector<std::vector<int64_t>> extents;
  std::vector<nacre_weight_info> weights;
  std::vector<nacre_rename> renames;
  std::vector<const char *> ignores;
  for (const Weight &weight : model.weights) {
    std::vector<int64_t> &list = extents.emplace_back();
    for (const Polynomial &extent : weight.type.extents)
      list.push_back(extent.constant().value_or(0));
  }
  for (size_t i = 0; i < model.weights.size(); ++i) {
    const Weight &weight = model.weights[i];
    weights.push_back({weight.path.c_str(), static_cast<int32_t>(weight.type.element),
                       static_cast<int32_t>(extents[i].size()), extents[i].data(),
                       weight.tiedTo ? static_cast<int32_t>(*weight.tiedTo) : -1, weight.initialisedHere,
                       weight.trained});
  }
  for (const Rename &rename : model.renames)
    renames.push_back({rename.from.c_str(), rename.to.c_str(), rename.transpose});
  for (const std::string &pattern : model.ignored)
    ignores.push_back(pattern.c_str());
  nacre_model_info info = {};
  info.abi = NACRE_ABI;
  info.name = model.name.c_str();
  info.weight_count = static_cast<int32_t>(weights.size());
  info.rename_count = static_cast<int32_t>(renames.size());
  info.ignore_count = static_cast<int32_t>(ignores.size());
  info.weights = weights.data();
  info.renames = renames.data();
  info.ignores = ignores.data();
  info.file = info.cpu = "";
  info.initialise = nothingToDraw;
  nacre_model *opened = nacre_model_open(&info, file.c_str());
  if (!opened)
    return nacre_last_error();
  nacre_model_close(opened);
  return "";
}

std::string unknownModel(const Program &program, const Options &options) {
  for (const std::string &word : options.weights) {
    size_t equals = word.find('=');
    bool known = equals == std::string::npos;
    for (const Model &model : program.models)
      known |= !model.ofTrain && word.substr(0, equals) == model.name;
    if (!known)
      return "--weights " + word + ": there is no model `" + word.substr(0, equals) + "`";
  }
  return options.weights.empty() || !program.models.empty() ? "" : "--weights: the file declares no model";
}

} // namespace

std::string findWeights(const Program &program, const Options &options, bool absolute,
                        std::vector<WeightsSource> &out) {
  if (std::string problem = unknownModel(program, options); !problem.empty())
    return problem;
  for (const Model &model : program.models) {
    WeightsSource source;
    if (model.ofTrain) { // optimisers and metrics start with their initialisers
      out.push_back(source);
      continue;
    }
    std::string named = namedFile(options, model.name), found = named;
    if (named.empty() && !model.weightsFile.empty())
      found = besideModel(program, model.weightsFile);
    source.optional = named.empty() && model.fileOptional;
    source.file = absolute && !found.empty() ? absolutePath(found) : named.empty() ? model.weightsFile : named;
    bool mustFit =
        !named.empty() || (options.embedWeights && !found.empty() && !(source.optional && !sys::fs::exists(found)));
    if (mustFit)
      if (std::string problem = compareWithFile(model, found); !problem.empty())
        return problem;
    if (options.embedWeights && mustFit) {
      source.embeddedFile = absolutePath(found);
      if (std::error_code error = sys::fs::file_size(source.embeddedFile, source.embeddedBytes))
        return "cannot read " + found + ": " + error.message();
    } else if (options.embedWeights && !model.weights.empty() && found.empty()) {
      return "--embed-weights: model `" + model.name + "` names no file; add --weights F.safetensors";
    }
    out.push_back(source);
  }
  return "";
}

} // namespace nacre
