// The checked program: what crosses from the front end to the compiler. Every call of a function or layer is expanded,
// every compile-time choice is made, every name is resolved, every shape is known as a polynomial over the run-time
// dimensions of one entry. What is left is, per entry, a straight list of tensor values, most of them index equations.
//
// `real` has become a concrete type here (f32 unless the build says otherwise), `int` is i64. `mean` has become a sum
// and a division, `logsumexp` its definition, slices, casts, broadcasts, transposes, splits and whole-tensor arithmetic
// have become equations.
#pragma once
#include "check/Polynomial.h"
#include "source/Source.h"
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nacre {

enum class Scalar : uint8_t { F64, F32, F16, BF16, I64, I32, I8, U64, U8, Bool };
std::string_view name(Scalar); // "f32"
size_t sizeInBytes(Scalar);    // a bool is one byte

struct TensorType {
  Scalar element = Scalar::F32;
  std::vector<Polynomial> extents; // empty: a scalar
  friend bool operator==(const TensorType &, const TensorType &) = default;
};

/// Where a value comes from: the place in the file, and the call that led there.
struct Location {
  Span span;
  const Location *caller = nullptr;
  std::string path; // layer path such as `encoder.layer.0.fc1`, empty outside layers
};

enum class Primitive : uint8_t {
#define PRIMITIVE(id, name, operands, result) id,
#include "program/Primitives.def"
};
enum class Reduction : uint8_t {
#define REDUCTION(id, name) id,
#include "program/Primitives.def"
};
std::string_view name(Primitive);
std::string_view name(Reduction);

using ValueId = uint32_t; // position in Body::values
struct Term;

/// An index of an equation: ranges over 0 .. extent-1. Subscripts mention it through its atom.
struct Index {
  const Atom *atom = nullptr;
  Polynomial extent;
};

/// One subscript of a read.
struct Subscript {
  Polynomial affine;            // over index atoms and dimension names; proved in range
  const Term *gather = nullptr; // set: computed instead, and clamped into the axis (affine is unused)
  bool guarded = false;         // proved only under an enclosing Select: clamp, since both arms may be evaluated
};

/// A scalar expression inside an equation. Terms are shared: one used twice is one object, and is computed once where
/// its indices are bound.
struct Term {
  enum class Kind : uint8_t {
    Constant, // number (exactly one of the two, by type; a bool is integer 0 or 1)
    Size,     // an integer expression over indices and dimensions, i64
    Read,     // one element of a tensor (no subscripts: the value of a scalar)
    Apply,    // a primitive
    Cast,     // operands[0] to type (real to integer truncates towards zero; to bool: != 0)
    Select,   // operands[0] ? operands[1] : operands[2]
    Reduce    // over `indices` of operands[0]
  };
  Kind kind;
  Scalar type;
  double real = 0;
  int64_t integer = 0;
  Polynomial size;
  ValueId tensor = 0;
  std::vector<Subscript> subscripts;
  Primitive primitive = Primitive::Add;
  Reduction reduction = Reduction::Sum;
  std::vector<Index> indices;
  std::vector<const Term *> operands;
  Span span;
};

struct Body;

/// One tensor value. All payload fields that a kind does not name are empty.
struct Value {
  enum class Kind : uint8_t {
    Argument, // `number`: which argument of the entry, or which operand of the enclosing Keep
    Weight,   // `number`: which weight of model `model`
    Constant, // `numbers`, row-major (element type decides: exact up to 2^53)
    Equation, // `indices` (one per axis, outermost first) and `body`
    Reshape,  // operands[0], row-major order kept, to `type`
    Concat,   // operands along `axis`
    Keep      // a call of a function marked @keep: `name`, `operands`, the expanded `inner` body with one result
  };
  Kind kind;
  TensorType type;
  const Location *location = nullptr;
  std::string name; // what the source calls it (`let h`), or the function of a Keep; may be empty
  uint32_t number = 0;
  uint32_t model = 0;
  std::vector<double> numbers;
  std::vector<Index> indices;
  const Term *body = nullptr;
  std::vector<ValueId> operands;
  uint32_t axis = 0;
  std::unique_ptr<Body> inner;
  std::vector<std::string> promises; // attributes on the statement, such as "fuse(conv)"
};

/// Values in an order in which operands come first.
struct Body {
  std::vector<Value> values;
  std::vector<ValueId> results;
};

// ---- models --------------------------------------------------------------------------------------------------------
struct Weight {
  std::string path;    // encoder.layer.0.fc1.weight
  TensorType type;     // static extents
  bool trained = true; // param, else state
  bool frozen = false;
  std::optional<uint32_t> tiedTo; // shares the tensor of that weight
  std::unique_ptr<Body> initial;  // no arguments but 0: the u64 seed (scalar); one result of `type`; null: none stated
  bool initialisedHere = false;   // an `init` item covers it: it may be missing from the file
  std::string layer;              // name of the layer declaration that owns it: Linear
  Span span;
};
struct Rename {
  std::string from, to;
  bool transpose = false;
  Span span;
};
struct Model {
  std::string name;
  std::string documentation;
  bool ofTest = false;         // the layers that one test uses itself: no file, no C interface
  std::vector<Weight> weights; // in the order of the source, depth first
  std::string weightsFile;     // of `load`, relative to the model file; empty: none
  bool fileOptional = false;
  std::vector<Rename> renames;
  std::vector<std::string> ignored; // patterns over names in the file
  Span span;
};

// ---- entries and tests ---------------------------------------------------------------------------------------------
/// A run-time dimension of an entry, found in the shape of an argument.
struct DimensionName {
  std::string name;
  const Atom *atom = nullptr;
  int64_t lower = 1;
  std::optional<int64_t> upper;    // absent: unbounded (nacre build refuses: unbounded-size)
  uint32_t argument = 0, axis = 0; // where it stands alone
  Span span;
};
/// Checked once per call, before any work: `value >= 0`, or `value == 0`. The list is complete: `n >= 1` for every
/// dimension and the bounds in `where` are in it as well.
struct Guard {
  Polynomial value;
  bool equality = false;
  std::string text; // the violated clause, as the source says it
  Span span;
};
/// An argument used as a subscript: every element must be in 0 .. limit-1.
struct SubscriptCheck {
  uint32_t argument = 0;
  Polynomial limit;
  std::string text;
};

struct Field {
  std::string name;
  TensorType type;
  std::string codec; // `npy` unless @read/@write says: `png`
  Span span;
};
struct Entry {
  std::string name, documentation;
  std::vector<DimensionName> dimensions;
  std::vector<Field> arguments, results; // a result that is no record is called `result`
  std::vector<Guard> guards;
  std::vector<SubscriptCheck> subscriptChecks;
  Body body;                    // results in the order of `results`
  std::vector<uint32_t> models; // positions in Program::models that the body reads
  bool hasSeed = false;
  Span span;
};
/// One `expect`: results[condition] is a bool scalar; with a tolerance results[deviation] is the largest
/// |a - b| / (1 + |b|) as f64.
struct Expectation {
  uint32_t condition = 0;
  std::optional<uint32_t> deviation;
  double tolerance = 0;
  std::string text;
  Span span;
};
struct Test {
  std::string name;
  Body body; // no arguments; weights of models are initialised from their seed
  std::vector<Expectation> expectations;
  std::vector<uint32_t> models;
  uint64_t seed = 0;
  Span span;
};

/// A layer instance, for `nacre inspect`.
struct LayerRow {
  uint32_t model = 0;
  std::string path, layer;
  std::vector<TensorType> inputs, outputs;
  Span span;
};

struct Program {
  std::string module; // last part of `module a.b`, else the file's stem
  const SourceFile *file = nullptr;
  std::vector<Model> models;
  std::vector<Entry> entries;
  std::vector<Test> tests;
  std::vector<LayerRow> layers;
  // Storage for what the lists point at; addresses are stable.
  std::deque<Term> terms;
  std::deque<Location> locations;
};

/// `nacre show --stage=checked`: the program as text, stable enough for golden tests.
std::string dump(const Program &);

} // namespace nacre
