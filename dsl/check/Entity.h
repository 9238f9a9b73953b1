// What an expression denotes while a body is walked: a tensor type (with the value that was emitted for it, when an
// entry is expanded), an integer known as a polynomial, a function, a layer, ...
#pragma once
#include "program/Program.h"
#include "syntax/Ast.h"
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace nacre {

/// Element types as the source says them: `real` and `int` are not yet f32 and i64, and text exists here.
enum class Element : uint8_t { Real, F64, F32, F16, BF16, Int, I64, I32, I8, U64, U8, Bool, Text };
enum class Family : uint8_t { Real, Integer, Boolean, Text };
std::string_view name(Element);
bool elementNamed(std::string_view, Element &);
Family family(Element);

/// One extent, or the rigid group `...` of the signature being walked (then `size` is its element count).
struct Axis {
  Polynomial size;
  bool group = false;
  friend bool operator==(const Axis &, const Axis &) = default;
};
using Axes = std::vector<Axis>;
std::string text(const Axis &);
std::string text(const Axes &); // `n, 2*h` without brackets

struct Entity;
using Ref = const Entity *;
using Bindings = std::vector<std::pair<std::string, Ref>>;
struct Frame;
struct FileScope;
struct Instance;

/// Names of a block. Scopes live as long as the checker, because lambdas keep them.
class Scope {
public:
  explicit Scope(const Scope *outer = nullptr) : outer(const_cast<Scope *>(outer)) {}
  Ref find(const std::string &name) const;
  void bind(const std::string &name, Ref value) { own[name] = value; }
  /// Rebinds the nearest `name`; false if there is none.
  bool assign(const std::string &name, Ref value);
  bool bindsHere(const std::string &name) const { return own.count(name) != 0; }
  const std::map<std::string, Ref> &bindings() const { return own; }
  const Scope *parent() const { return outer; }

private:
  std::map<std::string, Ref> own;
  Scope *outer;
};

struct Entity {
  enum class Kind : uint8_t {
    Tensor,
    Integer,
    Real,
    Boolean,
    String,
    List,
    Record,
    Tree,
    Function,
    FunctionType,
    Lambda,
    Layer,
    Instance,
    Members,
    Method,
    Module,
    Builtin,
    Bad
  };
  Kind kind = Kind::Bad;

  // Tensor. While expanding exactly one of value and term is set, unless it is hollow.
  Element element = Element::Real;
  Axes axes;
  std::optional<ValueId> value;
  const Term *term = nullptr; // a scalar inside an equation
  bool hollow = false;        // only its shape is known: the omitted argument of an initialiser
  bool live = false;          // the name of a weight, `text` of `instance`: reads what was last written to it

  Polynomial integer;             // Integer
  bool group = false;             // Integer: the rigid group in shape(x); Tree: any tree, without leaves
  double real = 0;                // Real
  bool boolean = false;           // Boolean
  bool shadow = false;            // Bad: an index that is not bound yet
  std::string text;               // String, Builtin (its name)
  std::vector<Ref> items;         // List, Record; Tree: tensors
  std::vector<std::string> names; // Record; empty texts in a tuple; Tree: their paths

  const ast::Decl *decl = nullptr; // Function, Layer, Method
  const FileScope *file = nullptr; // where `decl` or `type` stands; Module
  Bindings hyper;                  // Function, Layer: compile-time arguments
  bool applied = false;            // Function, Layer: brackets were given
  std::string label;               // Layer: `fc1: Linear`
  Span span;                       // Layer with a label
  const ast::Type *type = nullptr; // FunctionType
  const ast::LambdaExpr *lambda = nullptr;
  Scope *scope = nullptr;       // Lambda
  Frame *frame = nullptr;       // Lambda
  Instance *instance = nullptr; // Instance; Method (null: of the layer being walked)
  Ref member = nullptr;         // Members: the representative
  Polynomial count;             // Members
};

/// `real[n, 10]`, `(a: i32, b: real[n])`, `fn relu`: how messages print it.
std::string describe(Ref);

inline bool isTensor(Ref e) { return e->kind == Entity::Kind::Tensor; }
inline bool isInteger(Ref e) { return e->kind == Entity::Kind::Integer; }
inline std::optional<int64_t> constant(Ref e) {
  return isInteger(e) && !e->group ? e->integer.constant() : std::nullopt;
}

} // namespace nacre
