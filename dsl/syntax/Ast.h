// The syntax tree: what the grammar says, with spans, and nothing decided yet. Nodes live as long as their File.
#pragma once
#include "source/Source.h"
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace nacre::ast {

// clang-format off: a node is a line, a table of them reads best

struct Name {
  std::string text;
  Span span;
};

// ---- expressions ---------------------------------------------------------------------------------------------------
struct Expr;
struct Block;
struct Type;

enum class ExprKind : uint8_t {
  Integer, Float, String, Boolean, Hole, Identifier, Labelled, List, Comprehension, Tuple, Member, Subscript, Call,
  Unary, Binary, Pipe, If, Lambda, Loop
};

struct Expr {
  ExprKind kind;
  Span span;
  Expr(ExprKind kind, Span span) : kind(kind), span(span) {}
  virtual ~Expr() = default;
};

/// `expr as T` by kind; null if it is something else.
template <class T> const T *as(const Expr *e) { return e && e->kind == T::Tag ? static_cast<const T *>(e) : nullptr; }

/// One argument in parentheses or brackets.
struct Argument {
  enum class Form : uint8_t { Value, Ellipsis, Slice } form = Form::Value;
  Name name;                       // `name = value`; empty text if positional
  const Expr *value = nullptr;     // Value
  const Expr *lower = nullptr;     // Slice `a..b`: either end may be absent
  const Expr *upper = nullptr;
  Span span;
};
/// A name or `_` (text "_") in a pattern.
using Slot = Name;
struct Pattern {
  std::vector<Slot> slots;
  bool parenthesised = false; // `(a, b)` destructures; `a` binds
  Span span;
};

#define NODE(T) \
  static constexpr ExprKind Tag = ExprKind::T; \
  explicit T##Expr(Span span) : Expr(ExprKind::T, span) {}
struct IntegerExpr : Expr { NODE(Integer) int64_t value = 0; };
struct FloatExpr : Expr { NODE(Float) double value = 0; };
struct StringExpr : Expr { NODE(String) std::string value; /* escapes resolved, `{name}` kept */ };
struct BooleanExpr : Expr { NODE(Boolean) bool value = false; };
struct HoleExpr : Expr { NODE(Hole) };
struct IdentifierExpr : Expr { NODE(Identifier) std::string name; };
struct LabelledExpr : Expr { NODE(Labelled) Name label; Name name; };         // fc1: Linear
struct ListExpr : Expr { NODE(List) std::vector<const Expr *> elements; };
struct ComprehensionExpr : Expr { NODE(Comprehension) const Expr *body = nullptr; Pattern pattern; const Expr *sequence = nullptr; };
struct TupleExpr : Expr { NODE(Tuple) std::vector<Argument> elements; };      // one unnamed element: only a group
struct MemberExpr : Expr { NODE(Member) const Expr *base = nullptr; Name field; };
struct SubscriptExpr : Expr { NODE(Subscript) const Expr *base = nullptr; std::vector<Argument> arguments; };
struct CallExpr : Expr { NODE(Call) const Expr *callee = nullptr; std::vector<Argument> arguments; };
enum class UnaryOp : uint8_t { Negate, Not };
struct UnaryExpr : Expr { NODE(Unary) UnaryOp op = UnaryOp::Negate; const Expr *operand = nullptr; };
enum class BinaryOp : uint8_t {
  Power, Multiply, Divide, FloorDivide, Remainder, Add, Subtract, Range, Less, LessEqual, Greater, GreaterEqual, Equal,
  NotEqual, Close, In, And, Or
};
struct BinaryExpr : Expr { NODE(Binary) BinaryOp op = BinaryOp::Add; const Expr *lhs = nullptr, *rhs = nullptr; Span opSpan; };
struct PipeExpr : Expr { NODE(Pipe) const Expr *value = nullptr, *target = nullptr; };
struct IfExpr : Expr { NODE(If) const Expr *condition = nullptr, *then = nullptr, *otherwise = nullptr; };
struct LambdaExpr : Expr { NODE(Lambda) Pattern pattern; const Expr *body = nullptr; };
/// Also a statement: `for pattern in [reverse] sequence { }`.
struct LoopExpr : Expr { NODE(Loop) Pattern pattern; bool reverse = false; const Expr *sequence = nullptr; const Block *body = nullptr; };
#undef NODE

// ---- types ---------------------------------------------------------------------------------------------------------
struct Dimension {
  bool ellipsis = false;
  const Expr *size = nullptr; // null for `...`; a HoleExpr for `_`
  Span span;
};
struct Field {
  Name name; // empty text in a tuple
  const Type *type = nullptr;
};
struct Type {
  enum class Form : uint8_t { Named, Record, Function } form = Form::Named;
  Name name;                          // Named: `real`, `Boxes`
  bool brackets = false;              // `real[]` as against `real`
  std::vector<Dimension> dimensions;  // Named
  std::vector<Field> fields;          // Record, also a tuple
  std::vector<const Type *> inputs;   // Function
  const Type *output = nullptr;       // Function
  Span span;
};

// ---- statements ----------------------------------------------------------------------------------------------------
struct Attribute {
  Name name;
  std::vector<Argument> arguments;
  Span span;
};
struct Binder {
  bool ellipsis = false;
  Name name;
  const Expr *bound = nullptr; // `i < n`
  Span span;
};
struct FunctionDecl;

enum class StmtKind : uint8_t {
  Equation, Let, Var, Weight, Use, Function, Assign, Update, Scatter, Do, Return, Yield, If, While, For, ExpectError, Expect
};
struct Stmt {
  StmtKind kind;
  Span span;
  std::vector<Attribute> attributes;
  Stmt(StmtKind kind, Span span) : kind(kind), span(span) {}
  virtual ~Stmt() = default;
};
template <class T> const T *as(const Stmt *s) { return s && s->kind == T::Tag ? static_cast<const T *>(s) : nullptr; }
struct Block {
  std::vector<const Stmt *> statements;
  Span span;
};

#define NODE(T) \
  static constexpr StmtKind Tag = StmtKind::T; \
  explicit T##Stmt(Span span) : Stmt(StmtKind::T, span) {}
struct EquationStmt : Stmt { NODE(Equation) Name name; std::vector<Binder> binders; const Type *type = nullptr; const Expr *value = nullptr; };
struct LetStmt : Stmt { NODE(Let) Pattern pattern; const Type *type = nullptr; const Expr *value = nullptr; };
struct VarStmt : Stmt { NODE(Var) Pattern pattern; const Type *type = nullptr; const Expr *value = nullptr; };
/// `param` (trained) or `state` (carried).
struct WeightStmt : Stmt { NODE(Weight) bool trained = true; Name name; const Type *type = nullptr; const Expr *initial = nullptr; const Expr *condition = nullptr; };
struct UseStmt : Stmt { NODE(Use) Name name; const Expr *value = nullptr; };
struct FunctionStmt : Stmt { NODE(Function) const FunctionDecl *function = nullptr; };
/// The left side of `=`, `<-`, `+=` is an expression (Identifier, Member, Subscript) or a pattern `(a, b)`.
struct AssignStmt : Stmt { NODE(Assign) const Expr *target = nullptr; Pattern pattern; const Expr *value = nullptr; }; // target null: pattern
struct UpdateStmt : Stmt { NODE(Update) const Expr *target = nullptr; const Expr *value = nullptr; };                  // s <- e
struct ScatterStmt : Stmt { NODE(Scatter) const Expr *target = nullptr; const Expr *value = nullptr; std::vector<Binder> binders; };
struct DoStmt : Stmt { NODE(Do) const Expr *call = nullptr; };                                                         // assert(..), print(..)
struct ReturnStmt : Stmt { NODE(Return) const Expr *value = nullptr; };
struct YieldStmt : Stmt { NODE(Yield) const Expr *value = nullptr; };
struct IfStmt : Stmt { NODE(If) const Expr *condition = nullptr; const Block *then = nullptr; const Block *otherwise = nullptr; }; // `else if` is a block of one
struct WhileStmt : Stmt { NODE(While) const Expr *condition = nullptr; const Expr *limit = nullptr; const Block *body = nullptr; };
struct ForStmt : Stmt { NODE(For) const LoopExpr *loop = nullptr; };
struct ExpectErrorStmt : Stmt { NODE(ExpectError) Name errorKind; const Block *body = nullptr; };
struct ExpectStmt : Stmt { NODE(Expect) const Expr *condition = nullptr; const Expr *tolerance = nullptr; };
#undef NODE

// ---- declarations --------------------------------------------------------------------------------------------------
struct Parameter {
  Name name;
  const Type *type = nullptr;
  const Expr *initial = nullptr; // default
  Span span;
};
enum class DeclKind : uint8_t { Constant, TypeAlias, Function, Gradient, Layer, Model, Data, Train, Entry, Test };
struct Decl {
  DeclKind kind;
  Span span;
  Name name; // the string of a test
  std::string documentation; // `##` lines before it, without the marks
  std::vector<Attribute> attributes;
  Decl(DeclKind kind, Span span) : kind(kind), span(span) {}
  virtual ~Decl() = default;
};
template <class T> const T *as(const Decl *d) { return d && d->kind == T::Tag ? static_cast<const T *>(d) : nullptr; }

#define NODE(T, K) \
  static constexpr DeclKind Tag = DeclKind::K; \
  explicit T(Span span) : Decl(DeclKind::K, span) {}
struct ConstantDecl : Decl { NODE(ConstantDecl, Constant) const Type *type = nullptr; const Expr *value = nullptr; };
struct TypeDecl : Decl { NODE(TypeDecl, TypeAlias) const Type *type = nullptr; };
struct FunctionDecl : Decl {
  NODE(FunctionDecl, Function)
  bool isExtern = false;
  std::vector<Parameter> compileTime, parameters;
  const Type *result = nullptr;
  std::vector<const Expr *> where;
  const Block *body = nullptr;      // one of the two, neither if extern
  const Expr *expression = nullptr; // `= expr`
};
struct GradientDecl : Decl { NODE(GradientDecl, Gradient) std::vector<Parameter> compileTime, inputs, results, cotangents; const Type *result = nullptr; const Block *body = nullptr; };
struct LayerDecl : Decl {
  NODE(LayerDecl, Layer)
  std::vector<Parameter> compileTime;
  bool hasHeader = false; // `(x: ..) -> ..`
  std::vector<Parameter> parameters;
  const Type *result = nullptr;
  std::vector<const Expr *> where;
  const Block *body = nullptr;
  const Expr *expression = nullptr;
};
struct ModelItem {
  enum class Form : uint8_t { Load, Rename, Ignore, Freeze, Tie, Init, Quantize } form;
  Name first, second;            // the strings, quotes removed
  const Expr *value = nullptr;   // load: file; rename: via; init, quantize: expression
  bool optional = false;         // load
  Span span;
};
struct ModelDecl : Decl { NODE(ModelDecl, Model) const Expr *value = nullptr; std::vector<ModelItem> items; };
struct Setting {
  Name name;
  std::vector<Parameter> parameters;
  const Expr *value = nullptr;
  bool optional = false;
  const Block *body = nullptr;
  Span span;
};
struct DataDecl : Decl { NODE(DataDecl, Data) std::vector<Parameter> compileTime; const Type *type = nullptr; std::vector<Setting> settings; };
struct TrainDecl : Decl { NODE(TrainDecl, Train) std::vector<Name> models; std::vector<Setting> settings; };
struct EntryDecl : Decl { NODE(EntryDecl, Entry) std::vector<Parameter> parameters; const Type *result = nullptr; std::vector<const Expr *> where; const Block *body = nullptr; const Expr *expression = nullptr; };
struct TestDecl : Decl { NODE(TestDecl, Test) const Block *body = nullptr; };
#undef NODE

struct Import {
  std::vector<Name> path;
  Name alias;               // `as name`
  std::vector<Name> names;  // `{a, b}`
  Span span;
};

/// One parsed file. Owns every node reachable from it.
struct File {
  const SourceFile *source = nullptr;
  std::vector<Name> module;
  std::vector<Import> imports;
  std::vector<const Decl *> declarations;

  template <class T> T *make(Span span) {
    auto owned = std::make_unique<Holder<T>>(span);
    T *node = &owned->node;
    nodes.push_back(std::move(owned));
    return node;
  }
  Type *makeType() {
    types.push_back(std::make_unique<Type>());
    return types.back().get();
  }
  Block *makeBlock() {
    blocks.push_back(std::make_unique<Block>());
    return blocks.back().get();
  }

private:
  struct AnyHolder { virtual ~AnyHolder() = default; };
  template <class T> struct Holder : AnyHolder { T node; explicit Holder(Span span) : node(span) {} };
  std::vector<std::unique_ptr<AnyHolder>> nodes;
  std::vector<std::unique_ptr<Type>> types;
  std::vector<std::unique_ptr<Block>> blocks;
};

} // namespace nacre::ast
