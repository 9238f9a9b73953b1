#include "program/Program.h"

namespace nacre {

std::string_view name(Scalar s) {
  static constexpr std::string_view names[] = {"f64", "f32", "f16", "bf16", "i64", "i32", "i8", "u64", "u8", "bool"};
  return names[size_t(s)];
}
size_t sizeInBytes(Scalar s) {
  static constexpr size_t sizes[] = {8, 4, 2, 2, 8, 4, 1, 8, 1, 1};
  return sizes[size_t(s)];
}

static constexpr std::string_view Primitives[] = {
#define PRIMITIVE(id, name, operands, result) name,
#include "program/Primitives.def"
};
static constexpr std::string_view Reductions[] = {
#define REDUCTION(id, name) name,
#include "program/Primitives.def"
};
std::string_view name(Primitive p) { return Primitives[size_t(p)]; }
std::string_view name(Reduction r) { return Reductions[size_t(r)]; }

} // namespace nacre
