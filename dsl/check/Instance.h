// A layer with its place in the weight tree, and what the modular walk of a declaration found out.
#pragma once
#include "check/Entity.h"
#include "diagnostics/Diagnostic.h"
#include <map>
#include <set>

namespace nacre {

/// One layer at one path. Calls bind its dimensions; its weights and sub-layers appear in the order of its source.
struct Instance {
  const ast::LayerDecl *decl = nullptr;
  const FileScope *file = nullptr;
  Bindings hyper;
  std::string path;                       // from the root of the model: `encoder.layer.0`; empty for the root
  Span span;                              // of the label, the `use` or the model
  std::map<std::string, Polynomial> dims; // instance dimensions that calls have bound
  std::map<std::string, Label> origin;    // by which argument
  std::map<std::string, Span> labels;     // labels that its body has used
  std::map<std::string, Ref> shared;      // its weights (as types) and sub-layers by name
  std::map<std::string, Span> absent;     // `param .. when` whose condition was false
  struct Child {
    Instance *instance = nullptr; // or
    uint32_t weight = 0;          // by order of creation in its model
  };
  std::vector<Child> children;
  std::map<std::string, uint32_t> weights; // name to creation number
  std::optional<uint32_t> model;           // position in Program::models; none in a modular walk
  bool called = false;
  bool listed = false; // has a row in Program::layers
};

/// An obligation over the names of a signature, which every caller meets.
struct Condition {
  bool equality = false;
  Polynomial value;                  // >= 0, or == 0
  std::optional<Polynomial> modulus; // then `value` is divisible by it
  Diagnostic diagnostic;
};

/// What is known about a function or layer after its modular walk.
struct Modular {
  enum class State : uint8_t { New, Open, Good, Bad } state = State::New;
  std::map<std::string, std::vector<Condition>> conditions; // by method; `forward` for the header and for functions
  std::set<std::string> instanceDimensions;
};

} // namespace nacre
