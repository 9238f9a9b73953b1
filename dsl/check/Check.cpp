#include "check/Checker.h"
#include "check/Train.h"
#include "check/Walker.h"
#include <cstdlib>
#include <functional>
#include <pthread.h>

namespace nacre {
using ast::as;

constexpr unsigned deepestDeclaration = 500;

Checker::Checker(SourceManager &sources, const CheckOptions &options, Diagnostics &diagnostics)
    : options(options), diagnostics(diagnostics), program(std::make_unique<Program>()), sources(sources),
      files(sources, options.libraryPaths, diagnostics) {
  bad = &make(Entity::Kind::Bad);
}

Entity &Checker::make(Entity::Kind kind) {
  Entity &e = entities.emplace_back();
  e.kind = kind;
  return e;
}
Scope *Checker::makeScope(Scope *outer) { return &scopes.emplace_back(outer); }
Frame *Checker::makeFrame() { return &frames.emplace_back(); }
Instance *Checker::makeInstance() { return &instances.emplace_back(); }

void Checker::report(Diagnostic d, const ast::Decl *blamed) {
  // One missing `where` is one mistake, however many lines need it.
  if (d.hint.rfind("add `where", 0) == 0 && !hinted.insert({blamed, d.hint}).second)
    return;
  diagnostics.report(std::move(d));
}

Modular &Checker::modular(const ast::Decl *decl, const FileScope *file) {
  Modular &info = infos[decl];
  if (info.state == Modular::State::Open) {
    info.state = Modular::State::Bad;
    throw Problem{{Kind::Recursion,
                   "`" + decl->name.text + "` uses itself",
                   {{decl->name.span, "declared here"}},
                   {},
                   "repeat with a list of layers or a `for` loop"}};
  }
  if (info.state != Modular::State::New)
    return info;
  if (openDeclarations >= deepestDeclaration)
    throw Problem{{Kind::Recursion,
                   "declarations use each other more than " + std::to_string(deepestDeclaration) + " deep",
                   {{decl->name.span, "reached here"}},
                   {},
                   "this is generated text: write a loop, or a list of layers"}};
  ++openDeclarations;
  info.state = Modular::State::Open;
  auto *function = as<ast::FunctionDecl>(decl);
  Walker walker(*this, decl, file, true);
  if (function && function->isExtern) {
    try {
      walker.checkExtern(function);
    } catch (Problem &p) {
      walker.report(std::move(p.diagnostic));
      info.state = Modular::State::Bad;
    }
  } else {
    if (function)
      walker.walkFunction(info);
    else
      walker.walkLayer(info);
  }
  --openDeclarations;
  if (info.state == Modular::State::Open)
    info.state = Modular::State::Good;
  return info;
}

static bool hasTensor(Ref e) {
  if (isTensor(e))
    return true;
  for (Ref item : e->items)
    if (hasTensor(item))
      return true;
  return false;
}

Ref Checker::constantValue(const ast::ConstantDecl *decl, const FileScope *file) {
  ConstantState &state = constants[decl];
  if (state.value)
    return state.value;
  if (state.open)
    throw Problem{{Kind::Recursion,
                   "`" + decl->name.text + "` uses itself",
                   {{decl->name.span, "declared here"}},
                   {},
                   "give it a value"}};
  state.open = true;
  Walker walker(*this, decl, file, false);
  Ref value = walker.evaluateAlone(decl->value);
  if (hasTensor(value)) {
    walker.report({Kind::NotCompileTime,
                   "the value of `" + decl->name.text + "` is computed at run time",
                   {{decl->value->span, "this is " + describe(value)}},
                   {},
                   "a constant is a number, a string, or a list of them"});
    value = bad;
  }
  for (const auto &[name, text] : options.settings) {
    if (name != decl->name.text || file != main)
      continue;
    char *end = nullptr;
    Entity &replaced = make(value->kind);
    if (value->kind == Entity::Kind::Integer) {
      replaced.integer = Polynomial(int64_t(std::strtoll(text.c_str(), &end, 10)));
    } else if (value->kind == Entity::Kind::Real) {
      replaced.real = std::strtod(text.c_str(), &end);
    } else if (value->kind == Entity::Kind::Boolean && (text == "true" || text == "false")) {
      replaced.boolean = text == "true";
      end = const_cast<char *>(text.c_str()) + text.size();
    } else if (value->kind == Entity::Kind::String) {
      replaced.text = text;
      end = const_cast<char *>(text.c_str()) + text.size();
    }
    if (!end || *end || text.empty()) {
      walker.report({Kind::TypeMismatch,
                     "`--set " + name + "=" + text + "` does not fit `" + name + "`",
                     {{decl->value->span, "this is " + describe(value)}},
                     {},
                     "a constant keeps the type of its value"});
      continue;
    }
    value = &replaced;
  }
  state.open = false;
  return state.value = value;
}

ModelState *Checker::model(const ast::ModelDecl *decl, const FileScope *file) {
  auto [slot, added] = modelOf.emplace(decl, nullptr);
  if (!added) {
    if (!slot->second)
      throw Problem{{Kind::Recursion,
                     "`" + decl->name.text + "` uses itself",
                     {{decl->name.span, "declared here"}},
                     {},
                     "a model is a layer of its own"}};
    return slot->second;
  }
  Walker walker(*this, decl, file, false);
  Ref value = walker.evaluateAlone(decl->value);
  ModelState &state = models.emplace_back();
  state.decl = decl;
  state.file = file;
  state.number = uint32_t(models.size() - 1);
  modelOf[decl] = &state;
  state.root = makeInstance();
  state.bad = true;
  if (value->kind == Entity::Kind::Bad)
    return &state;
  try {
    if (value->kind != Entity::Kind::Layer)
      walker.fail(Kind::NotALayer, "a model is one layer with its weights",
                  {{decl->value->span, "this is " + describe(value)}},
                  "write `model " + decl->name.text + " = SomeLayer[...]`");
    auto *layer = static_cast<const ast::LayerDecl *>(value->decl);
    Modular &info = modular(layer, value->file);
    state.root->decl = layer;
    state.root->file = value->file;
    state.root->hyper =
        value->applied ? value->hyper : walker.compileTimeArguments(layer, value->file, {}, decl->value->span, nullptr);
    state.root->span = decl->name.span;
    state.root->model = state.number;
    state.bad = info.state == Modular::State::Bad;
  } catch (Problem &p) {
    walker.report(std::move(p.diagnostic));
  } catch (Quiet &) {
  }
  return &state;
}

ModelState &Checker::testModel(const ast::TestDecl *decl) {
  ModelState &state = models.emplace_back();
  state.number = uint32_t(models.size() - 1);
  state.root = makeInstance();
  state.root->model = state.number;
  state.root->span = decl->name.span;
  state.testName = decl->name.text;
  return state;
}

ModelState &Checker::syntheticModel(const std::string &name, Span span) {
  ModelState &state = models.emplace_back();
  state.number = uint32_t(models.size() - 1);
  state.root = makeInstance();
  state.root->model = state.number;
  state.root->span = span;
  state.testName = name;
  state.ofTrain = true;
  return state;
}

/// A parameter that hides a declaration is allowed, and sometimes a surprise.
static void warnHidden(const ast::Decl *decl, const FileScope &file, Diagnostics &diagnostics) {
  Signature s = signatureOf(decl);
  for (const auto *list : {s.compileTime, s.parameters})
    for (const ast::Parameter &p : list ? *list : std::vector<ast::Parameter>()) {
      const Global *hidden = file.find(p.name.text);
      if (!hidden || !hidden->decl || hidden->decl == decl)
        continue;
      bool isLayer = hidden->decl->kind == ast::DeclKind::Layer;
      if (isLayer || hidden->decl->kind == ast::DeclKind::Function)
        diagnostics.report(
            {Kind::ShadowedName,
             "parameter `" + p.name.text + "` hides " + (isLayer ? "layer `" : "fn `") + p.name.text + "`",
             {{p.name.span, "hides it in `" + decl->name.text + "`"}, {hidden->decl->name.span, "declared here"}},
             {},
             "rename the parameter if you mean to call `" + p.name.text + "`"});
    }
}

void Checker::checkModular() {
  for (const ast::Decl *decl : main->tree->declarations) {
    Walker walker(*this, decl, main, false);
    try {
      for (const ast::Attribute &a : decl->attributes) {
        ast::Stmt carrier(ast::StmtKind::Do, decl->span);
        carrier.attributes = {a};
        walker.attributes(&carrier);
      }
      switch (decl->kind) {
      case ast::DeclKind::Function:
      case ast::DeclKind::Layer:
        warnHidden(decl, *main, diagnostics);
        modular(decl, main);
        break;
      case ast::DeclKind::Gradient:
        if (auto *function = gradientFunction(static_cast<const ast::GradientDecl *>(decl), main))
          modular(function, main);
        break;
      case ast::DeclKind::Constant:
        constantValue(static_cast<const ast::ConstantDecl *>(decl), main);
        break;
      case ast::DeclKind::Model:
        model(static_cast<const ast::ModelDecl *>(decl), main);
        break;
      default:
        break; // entries, tests and data are expanded later
      }
    } catch (Problem &p) {
      walker.report(std::move(p.diagnostic));
    } catch (Quiet &) {
    }
  }
  for (const auto &[name, text] : options.settings) {
    auto found = main->own.find(name);
    if (found == main->own.end() || found->second.decl->kind != ast::DeclKind::Constant)
      diagnostics.report({Kind::UnknownSetting,
                          "`--set " + name + "=" + text + "`: the file declares no constant `" + name + "`",
                          {},
                          {},
                          ""});
  }
}

void Checker::expand() {
  for (const ast::Decl *decl : main->tree->declarations) {
    if (auto *entry = as<ast::EntryDecl>(decl)) {
      Walker walker(*this, entry, main, false);
      Entry &made = program->entries.emplace_back();
      walker.expandEntry(entry, made);
    } else if (auto *test = as<ast::TestDecl>(decl); test && options.tests) {
      Walker walker(*this, test, main, false);
      Test &made = program->tests.emplace_back();
      walker.expandTest(test, made);
    }
  }
  for (const ast::Decl *decl : main->tree->declarations)
    if (auto *train = as<ast::TrainDecl>(decl); train && options.training)
      TrainBlock(*this, train, main).expand();
  for (const ast::Decl *decl : main->tree->declarations)
    if (auto *data = as<ast::DataDecl>(decl))
      Walker(*this, data, main, false).checkUnusedData(data);
}

std::unique_ptr<Program> Checker::check(const std::string &path) {
  main = files.load(path);
  if (!main || diagnostics.failed())
    return nullptr;
  program->file = main->source;
  if (!main->tree->module.empty()) {
    program->module = main->tree->module.back().text;
  } else {
    std::string name = path.substr(path.find_last_of('/') + 1);
    program->module = name.substr(0, name.find_last_of('.'));
  }
  checkModular();
  expand();
  if (!diagnostics.failed())
    finishModels();
  return diagnostics.failed() ? nullptr : std::move(program);
}

/// Everything here recurses as deep as the program is nested: expressions within expressions (at most 1000), calls
/// within calls (at most 200), declarations that lean on declarations (at most 500). A stack of its own makes the
/// product of these limits safe; the pages that are not touched cost nothing.
static void onLargeStack(const std::function<void()> &action) {
  constexpr size_t stackSize = size_t(512) << 20;
  auto run = [](void *data) -> void * {
    (*static_cast<const std::function<void()> *>(data))();
    return nullptr;
  };
  pthread_attr_t attributes;
  pthread_t thread;
  bool started = pthread_attr_init(&attributes) == 0;
  if (started) {
    started = pthread_attr_setstacksize(&attributes, stackSize) == 0 &&
              pthread_create(&thread, &attributes, run, const_cast<std::function<void()> *>(&action)) == 0;
    pthread_attr_destroy(&attributes);
  }
  if (started)
    pthread_join(thread, nullptr);
  else
    action(); // address space is short: the usual stack serves usual programs
}

std::unique_ptr<Program> check(SourceManager &sources, const std::string &path, const CheckOptions &options,
                               Diagnostics &diagnostics) {
  std::unique_ptr<Program> program;
  onLargeStack([&] { program = Checker(sources, options, diagnostics).check(path); });
  return program;
}

} // namespace nacre
