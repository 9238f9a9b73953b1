// All files of one compilation: each declaration is walked once for all sizes, each entry and test is expanded.
#pragma once
#include "check/Check.h"
#include "check/Entity.h"
#include "check/Files.h"
#include "check/Instance.h"
#include <deque>
#include <map>
#include <set>
#include <tuple>

namespace nacre {

class Walker;

/// What the modular walk learnt about one obligation in the source.
enum class Proof : uint8_t { Proved, Guarded, Open };

/// A model while its calls are collected.
struct ModelState {
  const FileScope *file = nullptr;
  const ast::ModelDecl *decl = nullptr; // null: the layers that a test uses itself
  Instance *root = nullptr;
  uint32_t number = 0; // in Program::models
  bool bad = false;
  std::string testName; // of the test, or `fit.optimizer`
  bool ofTrain = false;
  std::vector<Weight> weights; // by order of creation
};

/// `*` stands for a run without dots, `**` for any run, `{x}` for one or more whole parts of a path.
bool matchesPath(std::string_view pattern, std::string_view path);

class Checker {
public:
  Checker(SourceManager &, const CheckOptions &, Diagnostics &);
  std::unique_ptr<Program> check(const std::string &path);

  // ---- used by walkers
  Modular &modular(const ast::Decl *, const FileScope *);
  Ref constantValue(const ast::ConstantDecl *, const FileScope *);
  ModelState *model(const ast::ModelDecl *, const FileScope *);
  ModelState &testModel(const ast::TestDecl *);
  /// The layers that a train block uses itself.
  ModelState &syntheticModel(const std::string &name, Span);
  /// The weights depth first, in the order of the source, with those that no call has reached. `report`: a layer that
  /// has no sizes is an error, else it is left out.
  std::vector<uint32_t> weightOrder(ModelState &, bool report);
  Entity &make(Entity::Kind);
  Scope *makeScope(Scope *outer);
  Frame *makeFrame();
  Instance *makeInstance();
  const ast::FunctionDecl *gradientFunction(const ast::GradientDecl *, const FileScope *);
  void report(Diagnostic, const ast::Decl *blamed);
  bool mayExpand() const { return diagnostics.errorCount() == 0; }

  const CheckOptions &options;
  Diagnostics &diagnostics;
  std::unique_ptr<Program> program;
  FileScope *main = nullptr;
  std::deque<ModelState> models;
  std::set<std::pair<const ast::Decl *, std::string>> hinted; // one missing `where` is reported once per declaration
  std::map<std::tuple<const void *, uint32_t, uint32_t, unsigned>, Proof> proofs; // by place and tag
  std::map<const Atom *, Span> indexPlaces; // where an index was bound, for messages
  Ref bad;
  size_t work = 0; // calls and rounds so far
  struct DataRow {
    uint32_t number = 0;  // in Program::data
    Ref record = nullptr; // null: in error, and reported
  };
  std::map<std::pair<const ast::Decl *, std::string>, DataRow> dataRows; // by declaration and title

private:
  void checkModular();
  void expand();
  void finishModels();
  void modelItems(ModelState &, Model &);

  SourceManager &sources;
  Files files;
  std::deque<Entity> entities;
  std::deque<Scope> scopes;
  std::deque<Frame> frames;
  std::deque<Instance> instances;
  std::map<const ast::Decl *, Modular> infos;
  unsigned openDeclarations = 0; // modular walks inside one another
  struct ConstantState {
    bool open = false;
    Ref value = nullptr;
  };
  std::map<const ast::Decl *, ConstantState> constants;
  std::map<const ast::Decl *, ModelState *> modelOf;
  std::map<const ast::Decl *, const ast::FunctionDecl *> gradientFunctions;
  std::vector<std::unique_ptr<ast::FunctionDecl>> gradientStorage;
};

} // namespace nacre
