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
    Keep,     // a call of a function marked @keep: `name`, `operands`, the expanded `inner` body with one result
    Result,   // result `number` of operands[0], a value with several results (Loop, Custom)
    // ---- derivatives
    Gradient, // d operands[0] / d operands[1]: a real scalar, and a value it was computed from; shaped like the latter
    StopGradient, // operands[0] as it is; no derivative passes through
    Custom,       // a call of a function with a `grad` declaration: as Keep, with one or more results; `backward` has
                  // the operands, the results and the cotangents of the results as arguments, and as results the
                  // cotangents of the operands of real type, in order
    Extern,       // the C function `name` on `operands` (dense, in order), one result; opaque, so without a derivative
                  // unless a Custom is around it
    // ---- what no equation says
    Scatter,       // operands[0], plus `body` at `subscripts` for every point of `indices`; outside adds nothing
    Permutation,   // i32, shaped like operands[0]: the stable order along `axis`, ascending unless `reverse`
    CumulativeSum, // along `axis`; from the end if `reverse`
    // ---- control
    Loop // see below
  };
  // A Loop runs `inner` for its counter indices[0] = 0, 1, ... extent-1 (downwards if `reverse`); the counter may stand
  // in sizes and subscripts inside. Operands: the initial values of the `carried` variables, then what the body uses
  // from outside; the arguments of `inner` are these, in order. Results of `inner`: the next values of the carried
  // variables, then what it yields. `condition` (null: none) has the same arguments and one bool: the loop ends before
  // the first round where it is false. Results, by Kind::Result: the last values of the carried variables; each yielded
  // value stacked on a new first axis in the order of the counter; with a condition, the number of rounds as i64.
  // The type of a Loop or Custom itself means nothing. Promises: `checkpoint`.
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
  bool reverse = false;
  uint32_t carried = 0;
  std::vector<Subscript> subscripts;                // of a Scatter
  std::shared_ptr<Body> inner, backward, condition; // never changed once made: copies of a value share them
  std::vector<std::string> promises;                // attributes on the statement, such as "fuse(conv)"
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
  bool ofTrain = false;        // state of an optimiser or of metrics: no file of its own, no C interface
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
/// What a call leaves in a tensor of a model. All reads of the call have seen the old value.
struct Store {
  uint32_t model = 0, weight = 0;
  ValueId value = 0;
};
struct Entry {
  std::string name, documentation;
  std::vector<DimensionName> dimensions;
  std::vector<Field> arguments, results; // a result that is no record is called `result`
  std::vector<Guard> guards;
  std::vector<SubscriptCheck> subscriptChecks;
  Body body;                    // results in the order of `results`
  std::vector<Store> stores;    // in functions of `train` only
  std::vector<uint32_t> models; // positions in Program::models that the body reads or writes
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

// ---- data and training
// -----------------------------------------------------------------------------------------------
/// A setting whose value is known at compile time, for the runtime: `ratio = [0.8, 0.2]`.
struct Option {
  enum class Form : uint8_t { Number, Text, Numbers, Texts } form = Form::Number; // a bool is the number 0 or 1
  std::string name;
  double number = 0;
  std::string text;
  std::vector<double> numbers;
  std::vector<std::string> texts;
  Span span;
};
/// One use of a `data` declaration, `digits["train"]`: a reader and what happens to each sample. A chain of `from`
/// is one Data: the maps (and augmentations) are composed.
struct Data {
  std::string name;            // digits
  std::string title;           // digits["train"]
  std::string reader;          // csv npy idx image_folder ...
  std::vector<Option> options; // of the reader
  // Positions in Program::functions. Arguments of `map`: the fields that the reader gives for one sample (their
  // names and types tell the reader what is wanted), then `seed: u64`; results: the fields of the sample, static.
  // `augment`: those fields and `seed: u64` in, the same fields out; only in training.
  uint32_t map = 0;
  std::optional<uint32_t> augment;
  // Only where a chain maps again what a data below it augments: fields of the reader and seed in, as in `map`;
  // results: what `augment` then takes instead of the fields of the sample.
  std::optional<uint32_t> beforeAugment;
  // "sampler" (text: balanced | weighted), "sampler.field" (text), "sampler.weights" (numbers), "shard" ...
  std::vector<Option> sampling;
  Span span;
};
/// A `train` block. Functions are positions in Program::functions; unless said, their arguments are the fields of a
/// batch (each with a leading axis; none without data), the fields of `shared` data (whole: a dimension `rows`, or
/// `rows0`, `rows1`, .. for several), then `seed: u64` (made from the run's seed and the iteration), `iteration: i64`
/// (from 0), `epoch: i64` (from 0), `plateaus: i64` (how often the value of "plateau.on" has stopped improving).
struct Train {
  std::string name, documentation;
  std::vector<uint32_t> models;      // positions in Program::models; the trained ones first
  uint32_t trained = 0;              // how many are trained
  std::optional<uint32_t> optimizer; // model with the optimiser's state, `fc1.weight.m`; with `accumulate`, also the
                                     // sums `fc1.weight.gradient`
  std::optional<uint32_t> metrics;   // model with the state of the metrics, `accuracy.seen`; reset before each pass
  // One iteration on a whole batch (static first axis, `batch`): stores parameters, states, optimiser. Results: `loss`
  // first if there is one; then scalars to log: `learning_rate`, `gradient_norm` (with clip), the record of a `step`
  // block; in a step that writes weights itself, `stores.good`: i32, 0 if one of them is not finite. Where that or the
  // loss is not finite the stores keep the old values.
  uint32_t step = 0;
  std::optional<uint32_t>
      accumulate;                // the first batches of an iteration with `accumulate: k`: adds gradients; same results
  std::optional<uint32_t> begin; // once, before the first iteration; no batch
  // On 1 .. batch samples (dynamic first axis `n`), nothing trains: results `loss` (mean over the n), then the metrics
  // that have no `result()`; stores metrics.
  std::optional<uint32_t> evaluate;
  std::optional<uint32_t>
      summary;                  // no arguments; the metrics that have a `result()`, `accuracy` or `fair.gap`; any shape
  std::optional<uint32_t> show; // `show(r): (..)`: as evaluate, results are drawn in the report (first axis n)
  // As step, without stores: one result, i32 flags, 1 where the value (weight, argument, layer result, loss) of the
  // same row of `probes` holds a NaN or infinity.
  std::optional<uint32_t> probe;
  std::vector<std::string> probes;        // "fc1: Linear at digits.nacre:5:20"
  std::optional<uint32_t> data, validate; // positions in Program::data
  std::vector<uint32_t> shared;           // likewise
  // batch epochs steps seed accumulate after early_stop.patience early_stop.on early_stop.mode plateau.on plateau.mode
  // plateau.patience plateau.threshold plateau.cooldown checkpoint.best
  // checkpoint.by checkpoint.mode checkpoint.every checkpoint.path resume.path resume.optional folds folds.seed
  // folds.stratify precision ...: one row per setting in TrainSettings.def.
  std::vector<Option> options;
  // Constants that `sweep` varies, one Option each (Numbers or Texts); "sweep" (text: grid | random), "sweep.best",
  // "sweep.mode", "sweep.trials" (number).
  std::vector<Option> sweep;
  Span span;
};

struct Program {
  std::string module; // last part of `module a.b`, else the file's stem
  const SourceFile *file = nullptr;
  std::vector<Model> models;
  std::vector<Entry> entries;
  std::vector<Test> tests;
  std::vector<Entry> functions; // of data and train blocks, `fit.step`: called by the runtime only
  std::vector<Data> data;
  std::vector<Train> trains;
  std::vector<LayerRow> layers;
  // Storage for what the lists point at; addresses are stable.
  std::deque<Term> terms;
  std::deque<Location> locations;
};

/// `nacre show --stage=checked`: the program as text, stable enough for golden tests.
std::string dump(const Program &);

} // namespace nacre
