// A use of a `data` declaration, `digits["train"]`, while it becomes a row of Program::data: the chain of `from` down
// to a reader, its settings, and the functions that the chain of `map` and `augment` adds up to. Private to Data*.cpp.
#pragma once
#include "check/Walker.h"

namespace nacre {

class DataExpansion {
public:
  DataExpansion(Checker &checker, const ast::DataDecl *, const FileScope *);

  /// One declaration with its compile-time arguments.
  struct Level {
    const ast::DataDecl *decl = nullptr;
    const FileScope *file = nullptr;
    Frame *frame = nullptr;
    std::string title; // digits["train"]
    const ast::Setting *source = nullptr, *from = nullptr, *map = nullptr, *augment = nullptr, *sampler = nullptr;
    Ref record = nullptr; // the declared sample
  };
  /// What the expression of a use says, before the declaration is walked.
  struct Use {
    const ast::DataDecl *decl = nullptr;
    const FileScope *file = nullptr;
    Bindings arguments;
    std::string title;
    std::vector<Option> selections; // of `|>`
    Span span;
  };
  /// The walker of whoever uses the data evaluates the expression.
  static Use parse(Walker &, const ast::Expr *, Scope *);
  Walker::DataUse expand(const Use &);

  Walker walker;

private:
  Level level(const Use &, Frame *caller);
  void collect(Use use);
  void readSource(const Level &, Data &, const std::vector<std::string> &fields);
  void checkSource(const Level &, const Data &, const std::vector<std::string> &fields, Span);
  void readSampler(const ast::Setting &, Ref record, Data &);
  static void readSelection(Walker &, const ast::CallExpr *, Scope *, std::vector<Option> &);
  static Option option(Walker &, const std::string &name, const ast::Expr *, Scope *, std::string_view forms);

  /// `map` or `augment` of one declaration.
  struct Stage {
    const Level *level;
    const ast::Setting *setting; // null: fields pass as they are
  };
  struct Input {
    std::string name;
    Ref type;
    Span span;
  };
  std::vector<Input> rawInputs();
  static std::vector<Input> inputsOf(const Level &);
  uint32_t function(const std::string &name, const std::vector<Input> &, bool raw, const std::vector<Stage> &);
  Ref applyStage(const Stage &, Ref sample, const Bindings *raw);
  Ref settle(Ref value, Ref declared, Span);
  Ref fieldType(const ast::Type *, Scope *, bool ofReader);

  Checker &checker;
  std::vector<Level> levels; // from the use down to the reader
  std::vector<Option> selections;
};

} // namespace nacre
