// Element by element: how far apart, and where first.
#include "driver/Differences.h"
#include <cmath>
#include <cstring>
extern "C" {
#include "module.h"
}

namespace nacre {
namespace {

struct File {
  nacre_tensor tensor = {};
  ~File() { nacre_tensor_release(&tensor); }
};

double elementOf(const nacre_tensor &tensor, size_t i) {
  const char *at = static_cast<const char *>(tensor.data) + i * nacre_type_bytes(tensor.type);
  auto read = [&](auto number) {
    memcpy(&number, at, sizeof number);
    return static_cast<double>(number);
  };
  switch (tensor.type) {
  case NACRE_F64:
    return read(double());
  case NACRE_F32:
    return read(float());
  case NACRE_F16:
    return read(_Float16());
  case NACRE_I64:
    return read(int64_t());
  case NACRE_I32:
    return read(int32_t());
  case NACRE_I8:
    return read(int8_t());
  case NACRE_U64:
    return read(uint64_t());
  default:
    return read(uint8_t());
  }
}

/// The place of a number among all of its type, in order.
int64_t placeOf(double number, Scalar type) {
  auto signedPlace = [](int64_t bits, int64_t sign) { return bits & sign ? -(bits & (sign - 1)) : bits; };
  if (type == Scalar::F64) {
    int64_t bits;
    memcpy(&bits, &number, 8);
    return bits < 0 ? -(bits & INT64_MAX) : bits;
  }
  if (type == Scalar::F16) {
    _Float16 half = static_cast<_Float16>(number);
    uint16_t bits;
    memcpy(&bits, &half, 2);
    return signedPlace(bits, 0x8000);
  }
  float single = static_cast<float>(number);
  uint32_t bits;
  memcpy(&bits, &single, 4);
  return type == Scalar::BF16 ? signedPlace(bits >> 16, 0x8000) : signedPlace(bits, int64_t(1) << 31);
}

bool isReal(Scalar type) {
  return type == Scalar::F64 || type == Scalar::F32 || type == Scalar::F16 || type == Scalar::BF16;
}

std::vector<int64_t> indexOf(const std::vector<int64_t> &extents, size_t position) {
  std::vector<int64_t> index(extents.size());
  for (size_t axis = extents.size(); axis-- > 0;) {
    index[axis] = static_cast<int64_t>(position % static_cast<size_t>(extents[axis]));
    position /= static_cast<size_t>(extents[axis]);
  }
  return index;
}

double rootMeanSquare(const nacre_tensor &tensor, size_t count) {
  double sum = 0;
  size_t finite = 0;
  for (size_t i = 0; i < count; ++i)
    if (double value = elementOf(tensor, i); std::isfinite(value)) {
      sum += value * value;
      ++finite;
    }
  return finite ? std::sqrt(sum / static_cast<double>(finite)) : 0;
}

Pair pairOf(double fast, double reference, double scale, Scalar type) {
  Pair pair;
  pair.fast = fast;
  pair.reference = reference;
  bool same = fast == reference || (std::isnan(fast) && std::isnan(reference));
  if (same) {
    pair.ulps = 0;
  } else if (!isReal(type)) {
    pair.relative = INFINITY;
  } else if (!std::isfinite(fast) || !std::isfinite(reference)) {
    pair.relative = INFINITY;
  } else {
    pair.relative = std::fabs(fast - reference) / (std::fabs(reference) + scale);
    int64_t a = placeOf(fast, type), b = placeOf(reference, type);
    pair.ulps = a > b ? static_cast<uint64_t>(a) - static_cast<uint64_t>(b)
                      : static_cast<uint64_t>(b) - static_cast<uint64_t>(a);
  }
  return pair;
}

} // namespace

double defaultTolerance(Scalar type) {
  switch (type) {
  case Scalar::F64:
    return 1e-10;
  case Scalar::F32:
    return 1e-4;
  case Scalar::F16:
    return 1e-2;
  case Scalar::BF16:
    return 5e-2;
  default:
    return 0;
  }
}

std::string compareFiles(const std::string &fastPath, const std::string &referencePath, Scalar type, double tolerance,
                         Differences &out) {
  File fast, reference;
  for (auto [path, file] : {std::pair(&fastPath, &fast), std::pair(&referencePath, &reference)})
    if (nacre_npy_read(path->c_str(), &file->tensor) != NACRE_OK)
      return nacre_last_error();
  const nacre_tensor &a = fast.tensor, &b = reference.tensor;
  out.extents.assign(b.extents, b.extents + b.rank);
  if (a.rank != b.rank || a.type != b.type || !std::equal(b.extents, b.extents + b.rank, a.extents))
    return "the programs give results of different shape or type";
  out.count = 1;
  for (int64_t extent : out.extents)
    out.count *= static_cast<uint64_t>(extent);
  double scale = isReal(type) ? rootMeanSquare(b, out.count) : 0;
  for (size_t i = 0; i < out.count; ++i) {
    Pair pair = pairOf(elementOf(a, i), elementOf(b, i), scale, type);
    bool beyond = !(pair.relative <= tolerance);
    if (i == 0 || pair.relative > out.worst.relative) {
      out.worst = pair;
      out.worst.index = indexOf(out.extents, i);
    }
    if (beyond && out.beyond++ == 0) {
      out.first = pair;
      out.first.index = indexOf(out.extents, i);
    }
  }
  return "";
}

} // namespace nacre
