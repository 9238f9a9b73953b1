// The weight tree of each model after all its calls: order, patterns, and the numbers that bodies refer to.
#include "check/Walker.h"
#include <algorithm>

namespace nacre {
using ast::as;

/// The prefixes of the path that the pattern can reach, piece by piece: time is bounded however many stars there are.
bool matchesPath(std::string_view pattern, std::string_view path) {
  std::vector<char> reached(path.size() + 1, 0);
  reached[0] = 1;
  for (size_t i = 0; i < pattern.size();) {
    std::vector<char> next(path.size() + 1, 0);
    bool any = pattern.substr(i, 2) == "**", capture = pattern[i] == '{';
    if (any || capture || pattern[i] == '*') {
      bool open = false; // a run that began at an earlier prefix may go on
      for (size_t k = 0; k <= path.size(); ++k) {
        if (!any && !capture && k > 0 && path[k - 1] == '.')
          open = false;
        next[k] = capture ? open : open || reached[k];
        open = open || reached[k];
      }
      size_t close = capture ? pattern.find('}', i) : i + any;
      if (close == std::string_view::npos)
        return false;
      i = close + 1;
    } else {
      for (size_t k = 0; k < path.size(); ++k)
        next[k + 1] = reached[k] && path[k] == pattern[i];
      ++i;
    }
    reached = std::move(next);
  }
  return reached.back();
}

/// Weights and sub-layers that the source declares but no call has reached: they exist all the same.
void Walker::complete(Instance &instance) {
  if (!instance.decl || !instance.decl->body)
    return;
  Frame *own = newFrame(instance.file, instance.decl);
  own->root = scope(nullptr);
  own->self = &instance;
  for (const auto &[name, value] : instance.hyper)
    own->root->bind(name, value);
  for (const auto &[name, value] : instance.dims)
    own->root->bind(name, integer(value));
  frame = own;
  for (const ast::Stmt *s : instance.decl->body->statements) {
    try {
      if (auto *w = as<ast::WeightStmt>(s);
          w && !instance.weights.count(w->name.text) && !instance.absent.count(w->name.text))
        weightStatement(w, own->root);
      if (auto *u = as<ast::UseStmt>(s); u && !instance.shared.count(u->name.text))
        useStatement(u, own->root);
    } catch (Problem &p) {
      report(std::move(p.diagnostic));
    } catch (Quiet &) {
    }
  }
}

/// A call with symbolic arguments gives the weights of a model their shapes when no entry or test calls it.
void Walker::rehearse(Instance &root) {
  Body scratch;
  emit.body = &scratch;
  size_t before = checker.diagnostics.all().size();
  try {
    Scope *inner = scope(frame->root);
    Frame *saved = frame;
    Frame *own = newFrame(root.file, root.decl);
    own->root = scope(nullptr);
    for (const auto &[name, value] : root.hyper)
      own->root->bind(name, value);
    inner = scope(own->root);
    frame = own;
    std::vector<Argument> args;
    for (const ast::Parameter &p : root.decl->parameters) {
      if (!p.type)
        throw Quiet();
      declare(p.type, inner);
      Ref type = typeValue(p.type, inner);
      if (!isTensor(type))
        throw Quiet();
      for (const Axis &axis : type->axes)
        if (axis.group)
          throw Quiet();
      TensorType concrete{scalarOf(type->element), extentsOf(type->axes)};
      args.push_back({"", emitted(type->element, emit.argument(uint32_t(args.size()), concrete, p.name.text)), p.span});
    }
    frame = saved;
    invoke(root, root.decl, args, root.span);
  } catch (Problem &) {
    root.called = false;
  } catch (Quiet &) {
    root.called = false;
  }
  if (checker.diagnostics.all().size() != before) {
    checker.diagnostics.truncate(before);
    root.called = false;
  }
  emit.body = nullptr;
}

static void forEachBody(Body &body, const std::function<void(Value &)> &visit) {
  for (Value &v : body.values) {
    visit(v);
    if (v.inner)
      forEachBody(*v.inner, visit);
  }
}

/// Whether the layer or one below it is called: `net.encoder(x)` reads weights without a call of `net` itself.
static bool anyCalled(const Instance &instance) {
  return instance.called || std::any_of(instance.children.begin(), instance.children.end(),
                                        [](const auto &child) { return child.instance && anyCalled(*child.instance); });
}

std::vector<uint32_t> Checker::weightOrder(ModelState &state, bool report) {
  std::vector<uint32_t> order;
  std::function<void(Instance &)> visit = [&](Instance &instance) {
    if (instance.decl) {
      Walker walker(*this, instance.decl, instance.file, false);
      Modular &info = modular(instance.decl, instance.file);
      for (const std::string &name : info.instanceDimensions)
        if (!instance.dims.count(name) && !instance.called) {
          if (report)
            walker.report({Kind::UnsizedLayer,
                           "`" + (instance.path.empty() ? state.decl->name.text : instance.path) +
                               "` is never called, so `" + name + "` of " + instance.decl->name.text + " has no size",
                           {{instance.span, "no call gives `" + name + "`"}},
                           {},
                           "call it once, or remove it"});
          return;
        }
      Body scratch;
      walker.emit.body = &scratch;
      walker.complete(instance);
    }
    auto place = [&](const Instance::Child &c) {
      return c.instance ? c.instance->span.begin : state.weights[c.weight].span.begin;
    };
    if (instance.decl)
      std::stable_sort(instance.children.begin(), instance.children.end(),
                       [&](const Instance::Child &a, const Instance::Child &b) { return place(a) < place(b); });
    auto children = instance.children;
    for (Instance::Child &child : children) {
      if (child.instance)
        visit(*child.instance);
      else
        order.push_back(child.weight);
    }
  };
  visit(*state.root);
  return order;
}

void Checker::finishModels() {
  std::vector<std::optional<uint32_t>> position(models.size());
  std::vector<std::vector<uint32_t>> finalNumber(models.size());
  for (size_t m = 0; m < models.size(); ++m) {
    ModelState &state = models[m];
    if (state.bad)
      continue;
    if (state.decl && !state.root->called && state.root->decl->hasHeader) {
      Walker walker(*this, state.decl, state.file, false);
      walker.rehearse(*state.root);
    }
    if (state.decl && !anyCalled(*state.root))
      continue; // its sizes come from calls in `train`, which are not read yet
    std::vector<uint32_t> order = weightOrder(state, true);
    if (diagnostics.failed())
      continue;
    if (!state.decl && order.empty())
      continue;
    position[m] = uint32_t(program->models.size());
    Model &made = program->models.emplace_back();
    made.name = state.decl ? state.decl->name.text : state.testName;
    made.ofTest = state.decl == nullptr && !state.ofTrain;
    made.ofTrain = state.ofTrain;
    made.span = state.root->span;
    finalNumber[m].assign(state.weights.size(), 0);
    for (uint32_t number : order) {
      finalNumber[m][number] = uint32_t(made.weights.size());
      made.weights.push_back(std::move(state.weights[number]));
    }
    if (state.decl) {
      made.documentation = state.decl->documentation;
      modelItems(state, made);
    }
  }
  auto renumber = [&](Body &body) {
    forEachBody(body, [&](Value &v) {
      if (v.kind != Value::Kind::Weight)
        return;
      v.number = finalNumber[v.model][v.number];
      v.model = position[v.model].value_or(0);
    });
  };
  auto renumberList = [&](std::vector<uint32_t> &list) {
    std::vector<uint32_t> out;
    for (uint32_t m : list)
      if (position[m])
        out.push_back(*position[m]);
    std::sort(out.begin(), out.end());
    list = std::move(out);
  };
  if (diagnostics.failed())
    return;
  for (Entry &entry : program->entries) {
    renumber(entry.body);
    renumberList(entry.models);
  }
  for (Test &test : program->tests) {
    renumber(test.body);
    renumberList(test.models);
  }
  for (Entry &function : program->functions) {
    renumber(function.body);
    renumberList(function.models);
    for (Store &store : function.stores) {
      store.weight = finalNumber[store.model][store.weight];
      store.model = *position[store.model];
    }
    std::sort(function.stores.begin(), function.stores.end(), [](const Store &a, const Store &b) {
      return std::pair(a.model, a.weight) < std::pair(b.model, b.weight);
    });
  }
  for (Train &train : program->trains) {
    std::vector<uint32_t> used; // the trained ones stay first
    for (uint32_t m : train.models)
      if (position[m])
        used.push_back(*position[m]);
    train.models = std::move(used);
    for (auto *model : {&train.optimizer, &train.metrics})
      *model = *model ? position[**model] : std::nullopt;
  }
  std::vector<LayerRow> rows;
  for (LayerRow &row : program->layers)
    if (position[row.model]) {
      row.model = *position[row.model];
      if (!program->models[row.model].ofTest && !program->models[row.model].ofTrain)
        rows.push_back(std::move(row));
    }
  program->layers = std::move(rows);
}

void Checker::modelItems(ModelState &state, Model &made) {
  Walker walker(*this, state.decl, state.file, false);
  auto matching = [&](const ast::Name &pattern) {
    std::vector<size_t> found;
    for (size_t i = 0; i < made.weights.size(); ++i)
      if (matchesPath(pattern.text, made.weights[i].path))
        found.push_back(i);
    return found;
  };
  auto required = [&](const ast::ModelItem &item, const ast::Name &pattern, const char *word) {
    auto found = matching(pattern);
    if (found.empty()) {
      std::vector<std::string> paths;
      for (const Weight &w : made.weights)
        paths.push_back(w.path);
      std::string near = nearest(pattern.text, paths);
      walker.fail(Kind::UnmatchedPattern,
                  "`" + std::string(word) + " \"" + pattern.text + "\"` matches no weight of `" + made.name + "`",
                  {{pattern.span ? pattern.span : item.span, ""}},
                  !near.empty()   ? "`" + near + "` is close"
                  : paths.empty() ? "this model has no weights"
                                  : "its weights are called like `" + paths.front() + "`");
    }
    return found;
  };
  for (const ast::ModelItem &item : state.decl->items) {
    try {
      switch (item.form) {
      case ast::ModelItem::Form::Load: {
        Ref value = walker.evaluate(item.value, walker.frame->root);
        if (value->kind != Entity::Kind::String)
          walker.fail(Kind::TypeMismatch, "`load` needs the name of a file",
                      {{item.value->span, "this is " + describe(value)}});
        made.weightsFile = value->text;
        made.fileOptional = item.optional;
        break;
      }
      case ast::ModelItem::Form::Rename: {
        Rename rename{item.first.text, item.second.text, false, item.span};
        if (item.value) {
          auto *via = as<ast::IdentifierExpr>(item.value);
          if (!via || via->name != "transpose")
            walker.fail(Kind::NotSupported, "`via` other than `transpose` is not supported yet",
                        {{item.value->span, ""}});
          rename.transpose = true;
        }
        made.renames.push_back(std::move(rename));
        break;
      }
      case ast::ModelItem::Form::Ignore:
        made.ignored.push_back(item.first.text);
        break;
      case ast::ModelItem::Form::Freeze:
        for (size_t i : required(item, item.first, "freeze"))
          made.weights[i].frozen = true;
        break;
      case ast::ModelItem::Form::Init:
        for (size_t i : required(item, item.first, "init")) {
          Weight &w = made.weights[i];
          Element element = Element::F32;
          elementNamed(nacre::name(w.type.element), element);
          w.initial = walker.initialBody(item.value, w.type, element, walker.frame->root, w.path);
          w.initialisedHere = true;
        }
        break;
      case ast::ModelItem::Form::Tie: {
        auto a = required(item, item.first, "tie"), b = required(item, item.second, "tie");
        if (a.size() != 1 || b.size() != 1 || a[0] == b[0])
          walker.fail(Kind::UnmatchedPattern, "`tie` names two different weights", {{item.span, ""}},
                      "write both paths in full");
        if (!(made.weights[a[0]].type == made.weights[b[0]].type)) {
          auto shown = [&](const Weight &w) {
            std::string out;
            for (const Polynomial &extent : w.type.extents)
              out += (out.empty() ? "" : ", ") + extent.text();
            return std::string(nacre::name(w.type.element)) + "[" + out + "]";
          };
          walker.fail(Kind::TieShape,
                      "tied weights differ: " + shown(made.weights[a[0]]) + " and " + shown(made.weights[b[0]]),
                      {{item.span, ""},
                       {made.weights[a[0]].span, "`" + made.weights[a[0]].path + "`"},
                       {made.weights[b[0]].span, "`" + made.weights[b[0]].path + "`"}},
                      "one tensor has one shape");
        }
        size_t target = b[0];
        while (made.weights[target].tiedTo)
          target = *made.weights[target].tiedTo;
        if (target != a[0])
          made.weights[a[0]].tiedTo = uint32_t(target);
        break;
      }
      case ast::ModelItem::Form::Quantize:
        walker.notSupported("`quantize`", item.span);
        break;
      }
    } catch (Problem &p) {
      walker.report(std::move(p.diagnostic));
    } catch (Quiet &) {
    }
  }
}

} // namespace nacre
