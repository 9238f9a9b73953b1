// One walk over the bodies that one declaration reaches.
//
// A walk is *modular* or *expanding*. The modular walk of a function or layer happens once: compile-time integers are
// rigid names, conditions that depend on them are unknown (both branches are walked, each with its facts), and a call
// looks at the callee's signature only. It emits nothing; it reports mistakes and learns which obligations callers
// inherit. The expanding walk starts at an entry or a test and goes through every call: compile-time values are known,
// sizes are polynomials over the names of the entry, and every tensor that is computed is appended to a Body.
#pragma once
#include "check/Checker.h"
#include "check/Emitter.h"
#include "check/Entity.h"
#include "check/Facts.h"
#include "check/Files.h"
#include "check/Instance.h"
#include <functional>

namespace nacre {

struct Problem { // thrown: abandons one statement, which is then reported
  Diagnostic diagnostic;
};
struct Quiet {};            // thrown: abandons a statement whose cause is reported already, or belongs to an instance
struct Unproved : Quiet {}; // thrown while extents are collected: the walk itself will report it
struct ShadowedIndex : Quiet {}; // thrown while extents are collected: an index has no value yet

struct Argument {
  std::string name;
  Ref value = nullptr;
  Span span;
};

/// What functions, methods, layers and entries have in common.
struct Signature {
  const ast::Decl *decl = nullptr;
  const std::vector<ast::Parameter> *compileTime = nullptr, *parameters = nullptr;
  const ast::Type *result = nullptr;
  const std::vector<const ast::Expr *> *where = nullptr;
  const ast::Block *body = nullptr;
  const ast::Expr *expression = nullptr;
};
Signature signatureOf(const ast::Decl *);

/// The axes that `...` stands for in an equation, and the index of each while expanding.
struct GroupBinding {
  Axes axes;
  std::vector<Index> indices;
};

/// One body being walked: whose names its text sees, and how the walk came to it.
struct Frame {
  const FileScope *file = nullptr;
  const ast::Decl *decl = nullptr;
  Scope *root = nullptr;                   // compile-time arguments and dimension names
  Instance *self = nullptr;                // the layer that a layer's body works on
  std::map<std::string, Polynomial> names; // dimensions of the signature
  Ref result = nullptr;                    // the declared type
  Span resultSpan;
  Ref returned = nullptr;                  // set by `return`
  std::vector<Argument> *yields = nullptr; // of the innermost loop
  const GroupBinding *group = nullptr;     // `...` of the innermost equation or reduction
  Frame *caller = nullptr;
  Span callSpan;
  std::string title; // `conv2` = Conv2d[o = 10]
  const Location *location = nullptr;
  bool test = false;
};

enum class Relation : uint8_t { NonNegative, Zero };

/// Values of a body that become a body of their own (Regions.cpp): from `begin` to the next region, the first `own` of
/// which are placeholders for arguments that only this region has.
struct Region {
  size_t begin, own;
  std::vector<ValueId> results;
  std::unique_ptr<Body> body;
};

/// A condition of a `where` clause, as the checker uses it.
struct Clause {
  enum class Form : uint8_t { Definition, NonNegative, Zero, Remainder, Plain } form;
  Polynomial value; // Definition: the size; else the polynomial that is >= 0, == 0, or divisible by `modulus`
  Polynomial modulus;
  const ast::Expr *expression;
  Ref plain = nullptr; // Plain: a condition on something else than sizes
};

class TrainBlock;

/// What of a train block is being expanded, which decides what may be written and whether `training` holds.
enum class TrainPhase : uint8_t { Loss, Step, Begin, Metrics, Summary };

class Walker {
public:
  Walker(Checker &checker, const ast::Decl *decl, const FileScope *file, bool modular);

  // ---- where walks begin (Modular.cpp, Entries.cpp, Models.cpp)
  void walkFunction(Modular &info);
  void walkLayer(Modular &info);
  void noteInstanceDimensions(Modular &info);
  void expandEntry(const ast::EntryDecl *, Entry &);
  void expandTest(const ast::TestDecl *, Test &);
  Ref evaluateAlone(const ast::Expr *, Scope *scope = nullptr); // a const, a model, a default
  void rehearse(Instance &);                                    // a model that nothing calls
  void complete(Instance &);                                    // what no call has reached

  bool failed = false;

private:
  friend class Checker;
  friend class NativeLoop;
  friend class DataExpansion;
  friend class TrainBlock;
  // ---- obligations and reports (Walker.cpp)
  using Maker = std::function<Diagnostic(const std::string &example)>;
  [[noreturn]] void fail(Kind, std::string headline, std::vector<Label>, std::string hint = "");
  void report(Diagnostic);
  std::vector<std::string> chain() const;
  Facts &facts() { return factStack.back(); }
  void require(Relation, const Polynomial &, Span place, unsigned tag, const Maker &, bool inherit = false,
               const std::optional<Polynomial> &modulus = std::nullopt);
  /// extent >= least (1: a tensor has no empty axis; 0: a reduction may run over nothing).
  void requireSize(const Polynomial &extent, int64_t least, Span place, unsigned tag, const std::string &what);
  void requireEqual(const Axis &, const Axis &, Span place, unsigned tag, const Maker &);
  bool same(const Axis &a, const Axis &b) { return a.group || b.group ? a == b : facts().equal(a.size, b.size); }
  bool same(const Axes &, const Axes &);
  std::string divisibilityHint(const Polynomial &a, const Polynomial &b);
  void notSupported(const std::string &what, Span, const std::string &hint = "");
  void rollBack(size_t values); // forgets values of the body from there on
  const Location *here(Span);
  bool expanding() const { return emit.body != nullptr; }
  void work(Span); // counts calls and rounds, which may multiply without a single value
  void step(Span); // counts work, so that a program cannot expand without end

  void entryOnce(const ast::EntryDecl *, Entry &); // (Entries.cpp)
  bool again(size_t reported, const std::set<std::pair<const ast::Decl *, std::string>> &hinted);
  void requireConcrete(const ast::Type *, bool result);
  void entryDimensions(const ast::EntryDecl *, const std::vector<Clause> &);

  // ---- facts of branches (Branches.cpp)
  void assume(const ast::Expr *condition, Scope *, bool on);
  std::optional<bool> truth(Ref);
  std::optional<bool> decide(ast::BinaryOp, const Polynomial &difference);

  // ---- names and types (Types.cpp)
  Ref look(const std::string &name, Scope *, Span);
  Ref global(const Global &, const std::string &name, Span);
  const ast::Type *resolve(const ast::Type *) const; // without aliases
  Ref typeValue(const ast::Type *, Scope *);
  Polynomial size(const ast::Expr *, Scope *);
  Polynomial sizeOf(Ref, Span);
  void declare(const ast::Type *, Scope *);
  void forEachTensorType(const ast::Type *, const std::function<void(const ast::Type *)> &) const;
  std::vector<Clause> enterSignature(const Signature &, Scope *);
  void requireClosed(const Signature &, Scope *, const std::vector<const ast::Type *> &,
                     const std::set<std::string> &defined);
  std::vector<Clause> clauses(const std::vector<const ast::Expr *> &, Scope *);
  void assumeClause(const Clause &);
  static void identifiers(const ast::Expr *, std::vector<const ast::IdentifierExpr *> &);

  // ---- calls (Signature.cpp, Conditions.cpp, Calls.cpp)
  struct Bound {
    Scope *scope; // compile-time arguments and dimension names of the callee
    Frame *frame;
    std::map<std::string, Argument> given;
    std::map<std::string, Label> origin;
  };
  struct Later {
    const ast::Dimension *dimension;
    Axis axis;
    size_t number;
    Span span;
    std::string what;
  };
  Bindings compileTimeArguments(const ast::Decl *, const FileScope *, const std::vector<ast::Argument> &, Span,
                                Scope *);
  void bindType(const ast::Type *, Ref, Bound &, Span, const std::string &what, std::vector<Later> &);
  void solve(const Later &, Bound &);
  Bound bindCall(const Signature &, const FileScope *, const Bindings &hyper, const std::vector<Argument> &, Span,
                 Instance *);
  void checkClauses(const Signature &, Bound &, Span, const std::vector<Condition> &inherited);
  Ref call(const Signature &, const FileScope *, const Bindings &hyper, const std::vector<Argument> &, Span, Instance *,
           const std::vector<Condition> &inherited, const std::string &title);
  Ref inlineBody(const Signature &, Bound &, Span, Instance *, const std::string &title);
  // ---- calls that stay one value, foreign functions (Custom.cpp)
  struct Placeholders;
  Placeholders placeholdersFor(const Signature &, Bound &, Span, bool numbers);
  Ref keepCall(const Signature &, Bound &, Span, const std::string &title);
  Ref customCall(const Signature &, Bound &, Span, const ast::GradientDecl *);
  Ref externCall(const Signature &, Scope *, Span);
  Ref calledBody(const Signature &, Scope *, Span);
  Ref typed(Ref value, Ref declared, Span);
  void checkExtern(const ast::FunctionDecl *);
  Ref apply(Ref callee, std::vector<Argument>, Span, Scope *, const ast::Expr *calleeExpr);
  Ref invoke(Instance &, const ast::Decl *method, const std::vector<Argument> &, Span, const Bindings &own = {});
  Bindings methodArguments(Ref method, Span, Scope *);
  void enterCall(Span);
  std::vector<Argument> arguments(const std::vector<ast::Argument> &, Scope *);
  bool dependsOnIndices(Ref) const;
  std::string boundText(const ast::Expr *, Scope *);

  // ---- layers (Layers.cpp)
  Ref instantiate(Ref layer, const std::string &label, Span);
  void claim(const std::string &label, Span);
  void weightStatement(const ast::WeightStmt *, Scope *);
  void useStatement(const ast::UseStmt *, Scope *);
  Ref ofSelf(const std::string &name, Span);
  Ref emitWeight(Instance &, const std::string &name, Span);
  std::unique_ptr<Body> initialBody(const ast::Expr *, const TensorType &, Element, Scope *, const std::string &path);
  Ref applyInitialiser(const ast::Expr *, Ref target, Scope *);

  // ---- writing weights (Stores.cpp)
  using WeightKey = std::pair<uint32_t, uint32_t>; // position in Checker::models, order of creation there
  ValueId currentWeight(WeightKey, Span, const std::string &name);
  ValueId oldWeight(WeightKey, Span, const std::string &name);
  void writeWeight(WeightKey, Ref value, Span);
  std::optional<std::pair<Instance *, std::string>> weightTarget(const ast::Expr *, Scope *);
  void store(const ast::UpdateStmt *, Scope *);
  bool storeTree(const ast::UpdateStmt *, Scope *);
  bool training() const;
  /// After a branch on a run-time condition: what was written in one of the two is chosen.
  void chooseWritten(Ref condition, std::map<WeightKey, ValueId> then, Span);
  void bindInstanceDimensions(Instance &, Bound &, Span);

  // ---- statements (Statements.cpp, Branches.cpp, Expect.cpp)
  void block(const ast::Block *, Scope *);
  void boundOnce(const ast::Block *); // a name is bound once per block
  void unreached(const ast::Block *, Scope *);
  bool statement(const ast::Stmt *, Scope *); // false: the body has returned
  void walkStatement(const ast::Stmt *, Scope *);
  void poison(const ast::Stmt *, Scope *);
  void body(const Signature &, Scope *);
  void returnValue(Ref, Span);
  void destructure(const ast::Pattern &, Ref, Scope *, Span, bool rebind = false);
  void ifStatement(const ast::IfStmt *, Scope *);
  Ref evaluated(const ast::Stmt *, const ast::Expr *, Scope *);
  void update(const ast::UpdateStmt *, Scope *);
  void expectError(const ast::ExpectErrorStmt *, Scope *);
  void expectStatement(const ast::ExpectStmt *, Scope *);
  void attributes(const ast::Stmt *);
  void conform(Ref value, Ref declared, Span, Span declaredSpan, const std::string &what);
  Ref adapt(Ref value, Ref declared);
  static void assigned(const ast::Block *, std::set<std::string> &);

  // ---- assignment (Assignments.cpp)
  /// One axis of what a slice takes.
  struct Part {
    bool single = false;
    Polynomial low, high; // of a range
    Subscript subscript;  // of one position
  };
  void assign(const ast::AssignStmt *, Scope *);
  Ref withPart(const ast::SubscriptExpr *, Ref base, Ref value, Span valueSpan, Scope *);
  void scatter(const ast::ScatterStmt *, Scope *);

  // ---- loops (Loops.cpp)
  Ref loop(const ast::LoopExpr *, Scope *, bool isStatement, bool unroll);
  void carried(const ast::Block *, Scope *, const std::function<void()> &head, Span, std::vector<Argument> &yields);
  void whileStatement(const ast::WhileStmt *, Scope *);
  // ---- loops that stay loops (NativeLoops.cpp)
  struct LoopPlan {
    const ast::Block *body;
    Index counter;
    std::string name; // of the counter; empty: none
    Polynomial low;
    const ast::Expr *condition = nullptr;
    Span span;
    bool reverse = false, yields = false, checkpoint = false;
  };
  Ref nativeLoop(const LoopPlan &, Scope *);
  Index loopCounter(const std::string &name, const Polynomial &count);
  bool countsRounds(const Atom *) const;
  std::set<const Atom *> freeIndices(const Term *) const;
  // ---- bodies inside bodies (Regions.cpp)
  std::vector<ValueId> cutRegions(size_t first, size_t shared, std::vector<Region> &);
  void leaves(Ref, std::vector<Ref> &);
  Ref withLeaves(Ref, std::vector<Ref>::const_iterator &next);
  Ref resultOf(ValueId, uint32_t number, TensorType, Element, const std::string &name);
  Ref comprehension(const ast::ComprehensionExpr *, Scope *);
  std::vector<Ref> sequence(Ref, Span);

  // ---- expressions (Expressions.cpp)
  Ref evaluate(const ast::Expr *, Scope *);
  Ref memberOf(const ast::MemberExpr *, Scope *);
  Ref subscript(const ast::SubscriptExpr *, Scope *);
  Ref slice(const ast::SubscriptExpr *, Ref base, Scope *, std::vector<Part> *parts = nullptr);
  Ref pipe(const ast::PipeExpr *, Scope *);
  Ref conditional(const ast::IfExpr *, Scope *);
  Ref interpolate(const ast::StringExpr *, Scope *);

  // ---- arithmetic (Tensors.cpp, Arithmetic.cpp)
  struct Shape {
    Element element;
    Axes axes;
    bool literal = false; // adapts to any number type
  };
  std::optional<Shape> shapeOf(Ref);
  Ref tensorType(Element, Axes);
  Element combine(const Shape &, const Shape &, Span, const std::string &operation, bool arithmetic);
  Axes broadcast(const Shape &, const Shape &, Span, Span, const std::string &operation);
  Ref binary(const ast::BinaryExpr *, Scope *);
  Ref binaryOf(ast::BinaryOp, Ref, Ref, Span, Span, Span);
  Ref unary(const ast::UnaryExpr *, Scope *);
  Ref powerOf(Ref, Ref, Span, Span, Span);
  using TermMaker = std::function<const Term *(const std::vector<const Term *> &)>;
  /// One elementwise operation on operands whose shapes broadcast to `axes`; each operand arrives as `operandType`.
  Ref elementwise(const std::vector<Ref> &operands, const std::vector<Scalar> &operandTypes, Element result, Axes axes,
                  const TermMaker &, Span);
  Ref convert(Ref, Element, Span);
  Ref selectOf(Ref condition, Ref then, Ref otherwise, Span, Span, Span);
  Ref closeTo(Ref, Ref, Span, Span, Span); // ~=: the largest deviation
  Scalar scalarOf(Element) const;
  const Term *termOf(Ref, Scalar); // a scalar
  const Term *nativeTerm(Ref);     // a scalar in its own type
  ValueId valueOf(Ref, Span);      // a whole tensor or scalar
  Ref whole(Ref, Span);            // the same, as an entity
  std::vector<Polynomial> extentsOf(const Axes &) const;
  Ref emitted(Element, ValueId);
  bool listNumbers(Ref, std::vector<double> &) const;

  // ---- equations (Extents.cpp, Subscripts.cpp, Equations.cpp)
  struct Reducer {
    std::string name;
    std::vector<ast::Binder> binders;
    const ast::Expr *element;
    Span span;
  };
  struct Use {
    Axis axis;
    Span span;
    Ref tensor;
  };
  struct Uses {
    std::map<std::string, std::vector<Use>> found;
    std::vector<std::pair<Axes, Span>> groups;
    const ast::Expr *lost = nullptr; // a subscripted tensor that could not be evaluated
    Scope *lostScope = nullptr;
  };
  void equation(const ast::EquationStmt *, Scope *);
  Ref equationValue(const std::vector<ast::Binder> &, const ast::Type *, const ast::Expr *, Scope *, Span,
                    const std::string &name);
  std::vector<Index> indices(const std::vector<ast::Binder> &, const std::vector<const ast::Expr *> &, Scope *outer,
                             Scope *inner, Axes &axes, GroupBinding &group);
  void uses(const ast::Expr *, const std::set<std::string> &names, std::set<std::string> hidden, Scope *clean, Uses &,
            bool group);
  std::optional<Reducer> reducer(const ast::Expr *, Scope *);
  Ref reduce(const Reducer &, Scope *);
  Ref reduceWhole(const std::string &name, Ref, Span);
  const Term *reduction(const std::string &name, std::vector<Index>, const Term *, Element &result,
                        const Polynomial &count, Span);
  Element reducedElement(const std::string &name, Element, Span);
  Ref elementOf(const ast::SubscriptExpr *, Ref base, Scope *, std::vector<Subscript> *place = nullptr);
  void checkSubscript(Ref, const Axis &, size_t number, Span, Ref base, Subscript *);
  void noteGather(const Term *, const Polynomial &extent, const std::string &text);
  std::optional<uint32_t> sourceArgument(ValueId) const;

  // ---- builtins (Builtins.cpp, Draws.cpp)
  Ref builtin(const std::string &name, const Bindings &hyper, const std::vector<Argument> &, Span);
  Ref scalarFunction(const std::string &name, const std::vector<Argument> &, Span);
  Ref extremum(const std::string &name, const std::vector<Argument> &, Span);
  Ref reshapeOf(const std::vector<Argument> &, Span);
  Ref concatOf(const std::string &name, const std::vector<Argument> &, Span);
  Ref splitOf(const std::vector<Argument> &, Span);
  Ref unstackOf(const std::vector<Argument> &, Span);
  Ref fillOf(Ref value, Axes, Span);
  Axes sizes(const Argument &);
  Ref draw(const std::string &name, const std::vector<Argument> &, Span);
  const Term *seedTerm(Span);
  std::vector<Argument> arrange(const std::string &name, const std::vector<Argument> &,
                                const std::vector<std::string> &parameters, size_t required, Span);
  size_t axisNumber(const Argument &, size_t rank, Ref tensor);

  // ---- data (Data.cpp)
  struct DataUse {
    uint32_t number = 0;  // in Program::data
    Ref record = nullptr; // of one sample: tensor types with known extents, in the order of the fields
  };
  /// `digits["train"]`, `mlp.digits[split] |> take(100)`: its row, made when it is first met. Throws Problem or Quiet.
  DataUse dataUse(const ast::Expr *, Scope *);
  void checkUnusedData(const ast::DataDecl *);

  // ---- weights as values (Trees.cpp)
  Ref tree(std::vector<Ref> items, std::vector<std::string> paths);
  Ref openTree();
  Ref anyLeaf();
  std::vector<std::pair<std::string, WeightKey>> parametersOf(const Instance &, Span);
  Ref weightsOf(Ref, Span);
  Ref gradientTree(Ref scalar, Ref layer, Span, Span bySpan);
  Ref leafwise(const std::vector<Ref> &operands, Span, const std::function<Ref(const std::vector<Ref> &)> &leaf);
  Ref reduceTree(const std::string &name, Ref, Span);
  Ref namedOf(Ref, Span);
  Ref matchesOf(const std::vector<Argument> &, Span);

  // ---- order along an axis (Orders.cpp)
  std::pair<Ref, size_t> alongAxis(const std::string &name, const Argument &x, const Argument &axis);
  bool compileTimeFlag(const Argument &);
  ValueId permutation(ValueId, size_t axis, bool descending);
  Ref inOrder(Ref x, size_t axis, ValueId order, const Polynomial &extent);
  Ref sortOf(const std::string &name, const std::vector<Argument> &, Span);
  Ref largestOf(const Bindings &hyper, const std::vector<Argument> &, Span);
  Ref runningSum(const std::vector<Argument> &, Span);

  // ---- derivatives (Gradients.cpp)
  bool dependsOn(Ref, ValueId by, Span);
  /// d scalar / d `by`, a value of the body being filled; `bySpan` is what the source calls it.
  Ref gradientOf(Ref scalar, ValueId by, Span span, Span bySpan);
  ValueId insideLoop(ValueId of, ValueId by, Span span, const std::string &what);
  Ref gradientBy(Ref scalar, Ref by, Span, Span bySpan);
  Ref gradientCall(const std::vector<Argument> &, Span);
  Ref stopGradient(Ref, Span);
  static bool differentiatedBy(const Signature &, const std::string &name);
  Ref gradientDeviation(const ast::CallExpr *, Scope *);
  double gradientTolerance() const;

  // ---- making entities
  Entity &make(Entity::Kind kind) { return checker.make(kind); }
  Ref integer(Polynomial);
  Ref real(double);
  Ref boolean(bool);
  Ref string(std::string);
  Ref list(std::vector<Ref>);
  Ref record(std::vector<Ref>, std::vector<std::string> names);
  Scope *scope(Scope *outer) { return checker.makeScope(outer); }
  Frame *newFrame(const FileScope *, const ast::Decl *);
  Ref sound(Ref); // throws Quiet for Bad

  Checker &checker;
  const ast::Decl *decl;
  bool modular;
  Emitter emit;
  std::vector<Facts> factStack;
  size_t outsideBranches = 0; // factStack level of the equation, below the facts of its `if`s
  Frame *frame = nullptr;
  Frame *top = nullptr;
  bool unsizedRead = false; // a weight was read before a call gave it its size: walk again
  bool lastPass = false;
  bool dry = false;                       // extents are being collected: nothing is reported
  unsigned inEquation = 0;                // scalars are terms, not values
  unsigned depth = 0;                     // of calls
  bool exhausted = false;                 // `too-large` was reported
  std::map<const ast::Expr *, Ref> bases; // tensors subscripted in the equation being walked
  std::set<const Atom *> compileTimeAtoms, caseAtoms;
  Assignment defaults;
  std::vector<Condition> *conditions = nullptr; // modular: what callers inherit
  std::vector<Condition> held;                  // obligations that were inherited or guarded
  Modular *info = nullptr;
  Entry *entry = nullptr;
  Test *test = nullptr;
  TrainBlock *train = nullptr;
  TrainPhase phase = TrainPhase::Loss;
  std::string fieldLabel;              // of the metric being evaluated: labels its layer
  std::map<WeightKey, ValueId> writes; // what `<-` has left in each weight so far
  const Term *seed = nullptr;
  std::map<std::string, uint32_t> ordinals;            // draws so far, by path
  std::vector<Index> loopCounters;                     // of the native loops around what is being walked
  std::vector<std::pair<ValueId, size_t>> loopCarried; // their carried values in the body: the first, and how many
  std::set<const ast::GradientDecl *> openDerivatives; // being expanded
  bool checkpointed = false;                           // the loop at hand recomputes its rounds
  std::optional<std::string> drawPath;                 // of an initialiser: the path of its weight
  std::set<uint32_t> modelsRead;
  std::map<std::pair<uint32_t, uint32_t>, ValueId> weightValues; // of the body being filled
};

} // namespace nacre
