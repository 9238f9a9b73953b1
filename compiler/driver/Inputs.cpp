// Sizes and arguments for one call of an entry.
#include "driver/Inputs.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <algorithm>
#include <cmath>
#include <cstring>
extern "C" {
#include "module.h"
}

using namespace llvm;

namespace nacre {
namespace {

/// Tried in this order for all sizes that nothing fixes: first one that no tile and no block divides.
constexpr int64_t candidates[] = {17, 16, 32, 24, 12, 8, 64, 4, 2, 1, 128, 256};

class Random { // splitmix64
public:
  explicit Random(uint64_t seed) : state(seed) {}
  uint64_t next() {
    uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
  }
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  double normal() { return std::sqrt(-2 * std::log(1 - uniform())) * std::cos(6.283185307179586 * uniform()); }

private:
  uint64_t state;
};

using Sizes = std::map<const Atom *, int64_t>;

std::optional<int64_t> valueOf(const Polynomial &polynomial, const Sizes &sizes) {
  return polynomial.evaluate([&](const Atom *atom) -> std::optional<int64_t> {
    auto found = sizes.find(atom);
    return found == sizes.end() ? std::nullopt : std::optional(found->second);
  });
}

bool kept(const Entry &entry, const Sizes &sizes, std::string &broken) {
  for (const Guard &guard : entry.guards) {
    std::optional<int64_t> value = valueOf(guard.value, sizes);
    if (!value || (guard.equality ? *value != 0 : *value < 0)) {
      broken = guard.text;
      return false;
    }
  }
  return true;
}

/// Sizes in the shape of a file that is given.
std::string sizesOfFile(const Entry &entry, uint32_t argument, const std::string &path, Sizes &fixed) {
  if (!StringRef(path).ends_with(".npy"))
    return "";
  nacre_tensor tensor;
  if (nacre_npy_read(path.c_str(), &tensor) != NACRE_OK)
    return nacre_last_error();
  for (const DimensionName &dimension : entry.dimensions)
    if (dimension.argument == argument && static_cast<int>(dimension.axis) < tensor.rank)
      fixed[dimension.atom] = tensor.extents[dimension.axis];
  nacre_tensor_release(&tensor);
  return "";
}

std::string fixSizes(const Entry &entry, const Options &options, Sizes &fixed) {
  for (const auto &[name, value] : options.sizes) {
    auto dimension = std::find_if(entry.dimensions.begin(), entry.dimensions.end(),
                                  [&](const DimensionName &one) { return one.name == name; });
    if (dimension == entry.dimensions.end()) {
      std::string names;
      for (const DimensionName &one : entry.dimensions)
        names += (names.empty() ? "" : ", ") + one.name;
      return "--size " + name + ": entry `" + entry.name + "` has " +
             (names.empty() ? "no open sizes" : "the sizes " + names);
    }
    auto [known, isNew] = fixed.insert({dimension->atom, value});
    if (!isNew && known->second != value)
      return "--size " + name + "=" + std::to_string(value) + ", but the file given makes it " +
             std::to_string(known->second);
  }
  return "";
}

std::string chooseSizes(const Entry &entry, const Options &options, Sizes &sizes) {
  Sizes fixed = sizes;
  if (std::string problem = fixSizes(entry, options, fixed); !problem.empty())
    return problem;
  std::string broken;
  for (int64_t candidate : candidates) {
    sizes = fixed;
    for (const DimensionName &dimension : entry.dimensions)
      sizes.insert({dimension.atom, std::clamp(candidate, dimension.lower, dimension.upper.value_or(INT64_MAX))});
    if (kept(entry, sizes, broken))
      return "";
  }
  return "no sizes were found that keep `" + broken + "` of entry `" + entry.name + "`: give them with --size NAME=N";
}

/// Limits of the elements of an argument that is used as a subscript; 0: none.
int64_t limitOf(const Entry &entry, uint32_t argument, const Sizes &sizes) {
  int64_t limit = 0;
  for (const SubscriptCheck &check : entry.subscriptChecks)
    if (check.argument == argument)
      if (std::optional<int64_t> value = valueOf(check.limit, sizes))
        limit = limit ? std::min(limit, *value) : *value;
  return limit;
}

bool isReal(Scalar type) {
  return type == Scalar::F64 || type == Scalar::F32 || type == Scalar::F16 || type == Scalar::BF16;
}

/// One element as a number: reals from a normal distribution, integers below their limit, else small.
double drawNumber(Scalar type, int64_t limit, Random &random) {
  if (isReal(type))
    return random.normal();
  if (type == Scalar::Bool)
    return static_cast<double>(random.next() & 1);
  uint64_t below = limit > 0 ? static_cast<uint64_t>(limit) : type == Scalar::U8 ? 256 : 10;
  return static_cast<double>(random.next() % below);
}

template <typename Number>
void fill(std::vector<char> &bytes, size_t count, Scalar type, int64_t limit, Random &random) {
  bytes.resize(count * sizeof(Number));
  for (size_t i = 0; i < count; ++i) {
    Number number = static_cast<Number>(drawNumber(type, limit, random));
    memcpy(&bytes[i * sizeof number], &number, sizeof number);
  }
}

/// An argument in a file; half-precision arguments take the nearest value of an f32.
std::string drawFile(const Entry &entry, uint32_t argument, const Sizes &sizes, Random &random,
                     const std::string &path) {
  const Field &field = entry.arguments[argument];
  nacre_tensor tensor = {};
  tensor.rank = static_cast<int>(field.type.extents.size());
  size_t count = 1;
  for (int axis = 0; axis < tensor.rank; ++axis) {
    std::optional<int64_t> extent = valueOf(field.type.extents[axis], sizes);
    if (!extent || *extent < 0 || __builtin_mul_overflow(count, static_cast<size_t>(*extent), &count) ||
        count > (size_t(1) << 32))
      return "the shape of `" + field.name + "` is unknown or too large: give " + field.name + "=FILE.npy";
    tensor.extents[axis] = *extent;
  }
  int64_t limit = limitOf(entry, argument, sizes);
  std::vector<char> bytes;
  Scalar type = field.type.element;
  switch (type) {
  case Scalar::F64:
    tensor.type = NACRE_F64;
    fill<double>(bytes, count, type, limit, random);
    break;
  case Scalar::F32:
  case Scalar::F16:
  case Scalar::BF16:
    tensor.type = NACRE_F32;
    fill<float>(bytes, count, type, limit, random);
    break;
  case Scalar::I64:
    tensor.type = NACRE_I64;
    fill<int64_t>(bytes, count, type, limit, random);
    break;
  case Scalar::I32:
    tensor.type = NACRE_I32;
    fill<int32_t>(bytes, count, type, limit, random);
    break;
  case Scalar::I8:
    tensor.type = NACRE_I8;
    fill<int8_t>(bytes, count, type, limit, random);
    break;
  case Scalar::U64:
    tensor.type = NACRE_U64;
    fill<uint64_t>(bytes, count, type, limit, random);
    break;
  case Scalar::U8:
    tensor.type = NACRE_U8;
    fill<uint8_t>(bytes, count, type, limit, random);
    break;
  case Scalar::Bool:
    tensor.type = NACRE_BOOL;
    fill<uint8_t>(bytes, count, type, limit, random);
    break;
  }
  bytes.resize(std::max<size_t>(bytes.size(), 1));
  tensor.data = bytes.data();
  tensor.bytes = count * nacre_type_bytes(tensor.type);
  return nacre_npy_write(path.c_str(), &tensor) == NACRE_OK ? "" : nacre_last_error();
}

/// Weights that the seed would draw although there is a file of them.
void addWeights(const Program &program, const Entry &entry, const Options &options, std::vector<std::string> &words) {
  for (const std::string &word : options.weights)
    words.insert(words.end(), {"--weights", word});
  for (uint32_t number : entry.models) {
    const Model &model = program.models[number];
    bool named = std::any_of(options.weights.begin(), options.weights.end(), [&](const std::string &word) {
      return word.find('=') == std::string::npos || StringRef(word).starts_with(model.name + "=");
    });
    if (named || model.weightsFile.empty())
      continue;
    SmallString<256> path(model.weightsFile);
    if (!sys::path::is_absolute(path) && program.file) {
      path = sys::path::parent_path(program.file->path());
      sys::path::append(path, model.weightsFile);
    }
    if (sys::fs::exists(path))
      words.insert(words.end(), {"--weights", model.name + "=" + path.str().str()});
  }
}

} // namespace

std::string readCallWords(const std::vector<std::string> &words, CallWords &call) {
  for (const std::string &word : words) {
    size_t equals = word.find('=');
    if (equals != std::string::npos)
      call.arguments.push_back({word.substr(0, equals), word.substr(equals + 1)});
    else if (call.entry.empty())
      call.entry = word;
    else
      return "`" + word + "` is no name=value, and " + call.entry + " is already the entry";
  }
  return "";
}

Entry *entryNamed(Program &program, const std::string &name, std::string &problem) {
  std::string names;
  for (Entry &entry : program.entries) {
    if (entry.name == name || (name.empty() && program.entries.size() == 1))
      return &entry;
    names += (names.empty() ? "" : ", ") + entry.name;
  }
  if (program.entries.empty())
    problem = program.module + " has no entry";
  else
    problem = (name.empty() ? "which entry? " + program.module : program.module + " has no entry `" + name + "`; it") +
              " has " + names;
  return nullptr;
}

std::string Inputs::text() const {
  std::string text;
  for (const auto &[name, value] : sizes)
    text += (text.empty() ? "" : ", ") + name + " = " + std::to_string(value);
  std::string names;
  for (const std::string &name : drawn)
    names += (names.empty() ? "" : ", ") + name;
  if (!names.empty())
    text += (text.empty() ? "" : "; ") + names + " drawn from seed " + std::to_string(seed);
  return text;
}

std::string makeInputs(const Program &program, Entry &entry, const CallWords &call, const Options &options,
                       const ScratchFolder &scratch, Inputs &out) {
  std::vector<const std::string *> given(entry.arguments.size());
  Sizes sizes;
  out.seed = options.seed.value_or(1);
  for (const auto &[name, value] : call.arguments) {
    auto field = std::find_if(entry.arguments.begin(), entry.arguments.end(),
                              [&](const Field &one) { return one.name == name; });
    if (field == entry.arguments.end())
      return "entry `" + entry.name + "` has no argument `" + name + "`";
    uint32_t number = static_cast<uint32_t>(field - entry.arguments.begin());
    given[number] = &value;
    out.words.push_back(name + "=" + value);
    if (std::string problem = sizesOfFile(entry, number, value, sizes); !problem.empty())
      return problem;
  }
  if (std::string problem = chooseSizes(entry, options, sizes); !problem.empty())
    return problem;
  for (const DimensionName &dimension : entry.dimensions)
    out.sizes.push_back({dimension.name, sizes[dimension.atom]});
  for (uint32_t number = 0; number < entry.arguments.size(); ++number) {
    Field &field = entry.arguments[number];
    bool isSeed = field.name == "seed" && field.type.element == Scalar::U64 && field.type.extents.empty();
    if (given[number] || isSeed) // a seed is what --seed gives
      continue;
    Random random(out.seed * 1000003 + number);
    out.drawn.push_back(field.name);
    if (field.type.extents.empty()) {
      char text[40];
      snprintf(text, sizeof text, "%.9g", drawNumber(field.type.element, limitOf(entry, number, sizes), random));
      out.words.push_back(field.name + "=" + text);
      continue;
    }
    std::string path = scratch.path(field.name + ".npy");
    field.codec = "npy";
    if (std::string problem = drawFile(entry, number, sizes, random, path); !problem.empty())
      return problem;
    out.words.push_back(field.name + "=" + path);
  }
  out.words.insert(out.words.end(), {"--seed", std::to_string(out.seed)});
  addWeights(program, entry, options, out.words);
  return "";
}

} // namespace nacre
