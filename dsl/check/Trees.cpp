// Weights as values: the parameters of a layer as one value, whose leaves have paths. Arithmetic works leaf by leaf.
//
// In a modular walk a tree is open: it has no leaves, and stands for whatever tree a caller brings.
#include "check/Train.h"
#include "check/Visit.h"
#include <algorithm>

namespace nacre {
using ast::as;

static bool isTree(Ref e) { return e->kind == Entity::Kind::Tree; }
static bool isOpen(Ref tree) { return tree->group; }

Ref Walker::tree(std::vector<Ref> items, std::vector<std::string> paths) {
  Entity &e = make(Entity::Kind::Tree);
  e.items = std::move(items);
  e.names = std::move(paths);
  return &e;
}

Ref Walker::openTree() {
  Entity &e = make(Entity::Kind::Tree);
  e.group = true;
  return &e;
}

/// What stands for any leaf of an open tree: a tensor of any rank.
Ref Walker::anyLeaf() {
  return tensorType(Element::Real, {{Polynomial(freshAtom(AtomKind::Group, "size of a weight")), true}});
}

/// The parameters below a layer that are trained, with their paths from it. Their sizes come from calls, so a tree that
/// is read before the last of them makes the body be walked again.
std::vector<std::pair<std::string, Walker::WeightKey>> Walker::parametersOf(const Instance &instance, Span span) {
  std::vector<std::pair<std::string, WeightKey>> out;
  ModelState &model = checker.models[*instance.model];
  if (!lastPass)
    unsizedRead = true;
  for (uint32_t number : checker.weightOrder(model, false)) {
    const Weight &weight = model.weights[number];
    WeightKey key{model.number, number};
    std::string prefix = instance.path.empty() ? "" : instance.path + ".";
    if (!weight.trained || !weight.path.starts_with(prefix) || (train && !train->isParameter(key)))
      continue;
    out.push_back({weight.path.substr(prefix.size()), key});
  }
  if (out.empty() && !lastPass)
    throw Quiet();
  if (out.empty())
    fail(Kind::TypeMismatch, "`" + flat(span.text()) + "` has no parameters that are trained", {{span, ""}},
         "a layer with `param`s that are not all frozen");
  return out;
}

/// `weights(net)`.
Ref Walker::weightsOf(Ref e, Span span) {
  sound(e);
  if (isTree(e))
    return e;
  if (e->kind == Entity::Kind::Members || (e->kind == Entity::Kind::Instance && !expanding()))
    return openTree();
  if (e->kind != Entity::Kind::Instance)
    fail(Kind::TypeMismatch, "the weights of a model or a layer", {{span, "this is " + describe(e)}});
  std::vector<Ref> items;
  std::vector<std::string> paths;
  for (const auto &[path, key] : parametersOf(*e->instance, span)) {
    items.push_back(emitted(Element::Real, currentWeight(key, span, path)));
    modelsRead.insert(key.first);
    paths.push_back(path);
  }
  return tree(std::move(items), std::move(paths));
}

/// d scalar / d each parameter below the layer.
Ref Walker::gradientTree(Ref scalar, Ref layer, Span span, Span bySpan) {
  if (!expanding())
    return openTree();
  std::vector<Ref> items;
  std::vector<std::string> paths;
  for (const auto &[path, key] : parametersOf(*layer->instance, bySpan)) {
    modelsRead.insert(key.first);
    const Weight &weight = checker.models[key.first].weights[key.second];
    ValueId value = currentWeight(key, span, path);
    // What the scalar never reads has the gradient 0: a tree has one shape, whatever is derived.
    bool read = dependsOn(scalar, value, span);
    items.push_back(read ? gradientOf(scalar, value, span, weight.span)
                         : emitted(Element::Real, emit.equation(Emitter::indicesFor(weight.type.extents),
                                                                emit.real(weight.type.element, 0))));
    paths.push_back(path);
  }
  return tree(std::move(items), std::move(paths));
}

/// Calls `leaf` with the values of one path, for each path; operands that are no trees come as they are.
Ref Walker::leafwise(const std::vector<Ref> &operands, Span span,
                     const std::function<Ref(const std::vector<Ref> &)> &leaf) {
  Ref first = nullptr;
  for (Ref operand : operands) {
    if (!isTree(operand)) {
      auto shape = shapeOf(operand);
      if (!shape || !shape->axes.empty())
        fail(Kind::TypeMismatch, "weights and " + describe(operand), {{span, ""}},
             "the other side is a tree of the same paths, or one number");
      continue;
    }
    if (isOpen(operand))
      return openTree();
    if (first && first->names != operand->names) {
      if (!lastPass) {
        unsizedRead = true;
        throw Quiet();
      }
      auto [a, b] =
          std::mismatch(first->names.begin(), first->names.end(), operand->names.begin(), operand->names.end());
      fail(Kind::TypeMismatch, "two trees of weights with different paths",
           {{span, a != first->names.end() ? "only one has `" + *a + "`" : "only one has `" + *b + "`"}},
           "both come from layers of one kind");
    }
    first = first ? first : operand;
  }
  std::vector<Ref> items;
  for (size_t i = 0; i < first->items.size(); ++i) {
    std::vector<Ref> values;
    for (Ref operand : operands)
      values.push_back(isTree(operand) ? operand->items[i] : operand);
    items.push_back(sound(leaf(values)));
  }
  return tree(std::move(items), first->names);
}

/// sum, mean, max and min run over all leaves.
Ref Walker::reduceTree(const std::string &name, Ref e, Span span) {
  bool adds = name == "sum" || name == "mean";
  if (!adds && name != "max" && name != "min")
    fail(Kind::TypeMismatch, "`" + name + "` of weights", {{span, ""}}, "take it of one weight");
  if (isOpen(e))
    return tensorType(Element::Real, {});
  Ref total = nullptr;
  Polynomial count(0);
  for (Ref leaf : e->items) {
    Polynomial elements(1);
    for (const Axis &axis : leaf->axes)
      elements = elements * axis.size;
    count = count + elements;
    Ref part = reduceWhole(adds ? "sum" : name, leaf, span);
    total = !total ? part
            : adds ? binaryOf(ast::BinaryOp::Add, total, part, span, span, span)
                   : extremum(name, {{"", total, span}, {"", part, span}}, span);
  }
  return name == "mean" ? binaryOf(ast::BinaryOp::Divide, total, integer(count), span, span, span) : total;
}

/// `named(net)`: pairs of a path and a weight, at compile time.
Ref Walker::namedOf(Ref e, Span span) {
  Ref of = weightsOf(e, span);
  if (isOpen(of)) {
    Entity &members = make(Entity::Kind::Members);
    members.count = Polynomial(freshAtom(AtomKind::Name, "weights"));
    members.member = record({tensorType(Element::Text, {}), anyLeaf()}, {"", ""});
    return &members;
  }
  std::vector<Ref> pairs;
  for (size_t i = 0; i < of->items.size(); ++i)
    pairs.push_back(record({string(of->names[i]), of->items[i]}, {"", ""}));
  return list(std::move(pairs));
}

Ref Walker::matchesOf(const std::vector<Argument> &args, Span span) {
  auto a = arrange("matches", args, {"path", "pattern"}, 2, span);
  bool strings = true;
  for (const Argument &x : a) {
    auto shape = shapeOf(x.value);
    if (!shape || shape->element != Element::Text)
      fail(Kind::TypeMismatch, "`matches` compares a path with a pattern", {{x.span, "this is " + describe(x.value)}});
    strings &= x.value->kind == Entity::Kind::String;
  }
  return strings ? boolean(matchesPath(a[1].value->text, a[0].value->text)) : tensorType(Element::Bool, {});
}

/// `net <- tree`, `net[path] <- w`; false if the left side is no layer.
bool Walker::storeTree(const ast::UpdateStmt *s, Scope *inner) {
  auto *part = as<ast::SubscriptExpr>(s->target);
  const ast::Expr *target = part ? part->base : s->target;
  if (target->kind != ast::ExprKind::Identifier && target->kind != ast::ExprKind::Member)
    return false;
  Ref layer = sound(evaluate(target, inner));
  if (layer->kind != Entity::Kind::Instance)
    return false;
  Ref value = sound(evaluate(s->value, inner));
  Ref path = nullptr;
  if (part) {
    if (part->arguments.size() != 1 || !part->arguments[0].value)
      fail(Kind::TypeMismatch, "one path names a weight", {{part->span, ""}}, "write `net[path] <- w`");
    path = sound(evaluate(part->arguments[0].value, inner));
    auto shape = shapeOf(path);
    if (!shape || shape->element != Element::Text)
      fail(Kind::TypeMismatch, "a weight is named by its path", {{part->span, "this is " + describe(path)}});
  }
  if (!path && !isTree(value))
    fail(Kind::TypeMismatch, "weights are what a layer takes", {{s->value->span, "this is " + describe(value)}},
         "a tree such as `0.5 * weights(net)`");
  if (!expanding() || (isTree(value) && isOpen(value)))
    return true;
  if (train && phase != TrainPhase::Step && phase != TrainPhase::Begin)
    fail(Kind::MisplacedStatement, "only `step` and `begin` write weights", {{s->span, ""}},
         "a loss computes and changes nothing");
  std::map<std::string, WeightKey> known;
  for (const auto &[name, key] : parametersOf(*layer->instance, target->span))
    known[name] = key;
  auto write = [&](const std::string &name, Ref leaf) {
    auto found = known.find(name);
    if (found == known.end()) {
      if (!lastPass)
        throw Quiet();
      std::vector<std::string> names;
      for (const auto &[other, key] : known)
        names.push_back(other);
      std::string near = nearest(name, names);
      fail(Kind::UnknownName, "`" + flat(target->span.text()) + "` has no weight `" + name + "`", {{s->span, ""}},
           near.empty() ? "its weights are called like `" + names.front() + "`" : "`" + near + "` is close");
    }
    const Weight &weight = checker.models[found->second.first].weights[found->second.second];
    Entity &declared = make(Entity::Kind::Tensor);
    declared.element = Element::Real;
    for (const Polynomial &extent : weight.type.extents)
      declared.axes.push_back({extent, false});
    conform(leaf, &declared, s->value->span, weight.span, "`" + name + "`");
    writeWeight(found->second, adapt(leaf, &declared), s->value->span);
  };
  if (path)
    write(path->text, value);
  else
    for (size_t i = 0; i < value->items.size(); ++i)
      write(value->names[i], value->items[i]);
  return true;
}

} // namespace nacre
