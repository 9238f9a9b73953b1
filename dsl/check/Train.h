// One `train` block: its settings, and the functions into which it is expanded. Every function is a walk of its own
// over the texts of the block (`loss`, `step`, `metrics`, ...), with the batch as arguments; what the walk writes into
// weights becomes the stores of the function.
#pragma once
#include "check/Checker.h"
#include "check/Walker.h"

namespace nacre {

class TrainBlock {
public:
  TrainBlock(Checker &, const ast::TrainDecl *, const FileScope *);
  /// Adds the row, its functions and its models to the program; false after reporting.
  bool expand();

  // ---- asked by walkers
  using WeightKey = std::pair<uint32_t, uint32_t>;
  /// The layer belongs to a model that the block trains, and not all weights around it are frozen.
  bool trains(const Instance &) const;
  /// The weight that `tie` makes this one share.
  WeightKey origin(WeightKey) const;
  bool isParameter(WeightKey) const;
  /// `minimise(e, model)` and `update(model, gradients)` of a step.
  void minimise(Walker &, Ref loss, Ref model, Span);
  void update(Walker &, Ref model, Ref gradients, Span);
  bool counts() const { return plateauCount != nullptr; }
  /// `plateaus(..)` of a schedule: how often what is watched has stopped improving.
  Ref plateaus(Walker &, const std::vector<Argument> &, Span);
  /// What a call of a layer in the text of `loss` or `metrics` is known by, where calling it again means the same
  /// value.
  std::string callKey(Walker &, const Instance &, const ast::Decl *method, const std::vector<Argument> &) const;
  std::map<std::string, Ref> calls; // of the function being made
  /// A layer has been called: see Train::probe.
  void noteCall(Walker &, const Instance &, const std::string &method, Ref value);

private:
  struct Parameter {
    WeightKey key;
    std::string path; // below its model
    Instance *optimizer = nullptr;
  };
  struct Change {
    const Parameter *parameter;
    Ref gradient;
  };
  struct Penalty {
    bool absolute = false; // |w|, else w^2 / 2
    double rate = 0;
    std::vector<std::string> except, only;
  };
  struct Rule { // of `by_path`
    std::string pattern;
    Ref layer;
  };
  struct Batch { // the fields of one sample; in a function, of the samples that it is given
    std::vector<Ref> items;
    std::vector<std::string> names;
  };
  enum class Rows : uint8_t { Fixed, Open, None }; // of the batch: `batch`, 1 .. `batch`, or no batch
  struct Function {
    Function(Checker &checker, const ast::TrainDecl *decl, const FileScope *file)
        : walker(checker, decl, file, false) {}
    Walker walker;
    Entry entry;
    Batch batch;
    std::vector<Batch> shared;
  };

  // ---- settings (TrainSettings.cpp)
  void readSettings();
  void readCall(const ast::Setting &);
  void readSweep(const ast::Setting &);
  void readArgument(const ast::Argument &, const std::string &form, const std::string &option, const std::string &what);
  void requireSettings();
  const ast::Setting *setting(const std::string &name) const;
  void number(const std::string &name, double, Span);
  void text(const std::string &name, const std::string &, Span);
  bool has(const std::string &option) const;
  double numberOf(const std::string &option) const;
  static const Option *optionNamed(const std::vector<Option> &, const std::string &name);

  // ---- what is watched (TrainWatched.cpp)
  void finishSettings(); // needs the names of the metrics

  // ---- the block (Train.cpp)
  bool prepare();
  Batch sampleOf(Ref record, Span);
  bool rehearse();
  void listParameters();
  static TrainPhase phaseOf(const std::string &setting);

  // ---- one function (TrainFunctions.cpp)
  std::unique_ptr<Function> open(const std::string &name, Rows, TrainPhase);
  std::optional<uint32_t> close(Function &);
  bool isStored(TrainPhase, WeightKey) const;
  void store(Function &, const Term *keep);
  Ref walk(Function &, const ast::Setting &);
  void result(Function &, const std::string &name, Ref, Span);
  void results(Function &, const std::string &prefix, Ref, Span);
  static Span spanOf(const ast::Setting &s) { return s.value ? s.value->span : s.name.span; }

  // ---- the functions (TrainSteps.cpp, TrainMetrics.cpp, TrainProbe.cpp)
  Ref lossOf(Function &);
  void stepBody(Function &);
  static const Term *finite(Walker &, Ref);
  Ref storesAreGood(Function &);
  std::optional<uint32_t> makeStep(bool accumulate);
  std::optional<uint32_t> makeBegin();
  void nameMetric(Walker &, const std::string &name, Ref, bool lowerIsBetter);
  std::optional<uint32_t> makeEvaluate();
  std::optional<uint32_t> makeSummary();
  std::optional<uint32_t> makeShow();
  std::optional<uint32_t> makeProbe();

  // ---- optimisers (Optimizers.cpp)
  void readOptimizer(Walker &);
  void attach();
  std::vector<const Parameter *> parametersOf(Walker &, Ref layer, Span);
  WeightKey sumOf(const Parameter &);
  Ref gradient(Walker &, Ref loss, const Parameter &, Span);
  void change(Walker &, std::vector<Change>, Span);
  std::optional<Ref> learningRate(Walker &);

  Checker &checker;
  const ast::TrainDecl *decl;
  const FileScope *file;
  Walker reader; // of the settings
  Train row;
  std::map<std::string, std::vector<const ast::Setting *>> given;
  std::vector<Penalty> penalties;
  std::vector<Rule> rules;
  int64_t batch = 0, every = 1; // samples per call; calls per iteration
  Batch sample;
  std::vector<Batch> shared;   // one sample of each, too
  std::vector<Option> plateau; // rows of options; empty: none is counted

  std::vector<ModelState *> models;  // trained
  std::vector<Parameter> parameters; // of them
  std::set<WeightKey> frozen;
  std::map<WeightKey, WeightKey> ties;
  std::map<uint32_t, std::set<std::string>> frozenParts; // by model: paths of layers whose parameters are all frozen
  ModelState *optimizer = nullptr, *metrics = nullptr;
  std::vector<std::pair<std::string, Instance *>> metricLayers; // by field
  std::map<std::string, bool> metricNames;                      // accuracy, fair.gap: is a lower one better?

  // While weights get their shapes: as Walker::again.
  bool rehearsing = false, lastPass = false, unsized = false;
  // Of the function being made.
  bool accumulating = false, changed = false;
  Ref gradientNorm = nullptr, stepNumber = nullptr, plateauCount = nullptr;
  std::set<WeightKey> optimised; // written by an optimiser, not by `<-`
  std::vector<Ref> minimised;
  std::vector<std::pair<std::string, Ref>> *probes = nullptr;
};

} // namespace nacre
