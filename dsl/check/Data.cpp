// `data` declarations: each use becomes a row of Program::data with the functions that its maps and augmentations make.
//
// In a chain of `from` the maps run from the reader upwards, and so do the augmentations, each after the map of its own
// declaration. Where a declaration maps what one below it augments, that order can only be kept by mapping once more:
//   map = map2 . map1          (validation)
//   beforeAugment = map1, augment = augment2 . map2 . augment1          (training)
#include "check/Data.h"
#include "check/Visit.h"
#include <algorithm>

namespace nacre {
using ast::as;

constexpr size_t longestChain = 32;

DataExpansion::DataExpansion(Checker &checker, const ast::DataDecl *decl, const FileScope *file)
    : walker(checker, decl, file, false), checker(checker) {}

// ---- what a use says -----------------------------------------------------------------------------------------------
DataExpansion::Use DataExpansion::parse(Walker &asker, const ast::Expr *e, Scope *scope) {
  Use use;
  use.span = e->span;
  std::string selected;
  while (auto *pipe = as<ast::PipeExpr>(e)) {
    auto *call = as<ast::CallExpr>(pipe->target);
    if (!call)
      asker.fail(Kind::TypeMismatch, "`|>` after data selects from it", {{pipe->target->span, ""}},
                 "write `|> take(1000)` or `|> shard(by = \"rank\")`");
    readSelection(asker, call, scope, use.selections);
    selected = " |> " + flat(call->span.text()) + selected;
    e = pipe->value;
  }
  auto *brackets = as<ast::SubscriptExpr>(e);
  const ast::Expr *named = brackets ? brackets->base : e;
  const Global *found = nullptr;
  if (auto *id = as<ast::IdentifierExpr>(named)) {
    found = asker.frame->file->find(id->name);
    if (!found)
      asker.look(id->name, scope, id->span); // reports what is near
  } else if (auto *member = as<ast::MemberExpr>(named)) {
    Ref module = asker.sound(asker.evaluate(member->base, scope));
    if (module->kind == Entity::Kind::Module) {
      found = module->file->findPublic(member->field.text);
      if (!found)
        asker.memberOf(member, scope);
    }
  }
  if (!found || !found->decl || found->decl->kind != ast::DeclKind::Data) {
    std::vector<Label> labels = {{named->span, ""}};
    if (found && found->decl)
      labels.push_back({found->decl->name.span, "declared here"});
    asker.fail(Kind::TypeMismatch, "`" + flat(named->span.text()) + "` is no `data`", std::move(labels),
               "name a declaration `data name[..] -> (..) { }`");
  }
  use.decl = static_cast<const ast::DataDecl *>(found->decl);
  use.file = found->file;
  static const std::vector<ast::Argument> none;
  use.arguments = asker.compileTimeArguments(use.decl, use.file, brackets ? brackets->arguments : none, e->span, scope);
  use.title = use.decl->name.text;
  for (size_t i = 0; i < use.arguments.size(); ++i)
    use.title += (i ? ", " : "[") + describe(use.arguments[i].second);
  use.title += (use.arguments.empty() ? "" : "]") + selected;
  return use;
}

Walker::DataUse Walker::dataUse(const ast::Expr *e, Scope *inner) {
  DataExpansion::Use use = DataExpansion::parse(*this, e, inner);
  auto key = std::pair<const ast::Decl *, std::string>(use.decl, use.title);
  if (auto known = checker.dataRows.find(key); known != checker.dataRows.end()) {
    if (!known->second.record)
      throw Quiet();
    return {known->second.number, known->second.record};
  }
  checker.dataRows[key] = {};
  DataExpansion expansion(checker, use.decl, use.file);
  expansion.walker.top->caller = frame;
  try {
    DataUse made = expansion.expand(use);
    checker.dataRows[key] = {made.number, made.record};
    return made;
  } catch (Problem &p) {
    expansion.walker.report(std::move(p.diagnostic));
  } catch (Quiet &) {
  }
  failed = true;
  throw Quiet();
}

/// A declaration that nothing in the file uses is expanded once for its mistakes, and forgotten. Where a compile-time
/// argument is needed, text is "train"; anything else is left to the uses.
void Walker::checkUnusedData(const ast::DataDecl *data) {
  auto used = checker.dataRows.lower_bound({data, std::string()});
  if (used != checker.dataRows.end() && used->first.first == data)
    return;
  DataExpansion::Use use;
  use.decl = data;
  use.file = frame->file;
  use.title = data->name.text;
  use.span = data->name.span;
  size_t rows = checker.program->data.size(), functions = checker.program->functions.size();
  DataExpansion expansion(checker, data, use.file);
  Walker &walker = expansion.walker;
  try {
    std::vector<ast::Argument> given;
    ast::StringExpr placeholder(data->name.span);
    placeholder.value = "train";
    for (const ast::Parameter &p : data->compileTime) {
      Element element = Element::Real;
      if (p.initial)
        continue;
      if (!p.type || !elementNamed(p.type->name.text, element) || element != Element::Text)
        return;
      ast::Argument &argument = given.emplace_back();
      argument.name = p.name;
      argument.value = &placeholder;
      argument.span = p.span;
    }
    use.arguments = walker.compileTimeArguments(data, use.file, given, data->name.span, walker.frame->root);
    expansion.expand(use);
  } catch (Problem &p) {
    walker.report(std::move(p.diagnostic));
  } catch (Quiet &) {
  }
  checker.program->data.erase(checker.program->data.begin() + ptrdiff_t(rows), checker.program->data.end());
  checker.program->functions.erase(checker.program->functions.begin() + ptrdiff_t(functions),
                                   checker.program->functions.end());
}

// ---- the declarations of a chain -----------------------------------------------------------------------------------
static const std::string_view KnownLater[] = {"tokenizer", "window", "standardise", "negative"};

DataExpansion::Level DataExpansion::level(const Use &use, Frame *caller) {
  Level made;
  made.decl = use.decl;
  made.file = use.file;
  made.title = use.title;
  made.frame = walker.newFrame(use.file, use.decl);
  made.frame->root = walker.scope(nullptr);
  made.frame->caller = caller;
  made.frame->callSpan = use.span;
  made.frame->title = use.title;
  for (const auto &[name, value] : use.arguments)
    made.frame->root->bind(name, value);
  walker.frame = made.frame;
  const std::pair<std::string_view, const ast::Setting **> slots[] = {{"source", &made.source},
                                                                      {"from", &made.from},
                                                                      {"map", &made.map},
                                                                      {"augment", &made.augment},
                                                                      {"sampler", &made.sampler}};
  for (const ast::Setting &s : use.decl->settings) {
    auto slot = std::find_if(std::begin(slots), std::end(slots), [&](auto &x) { return x.first == s.name.text; });
    if (slot == std::end(slots)) {
      if (std::find(std::begin(KnownLater), std::end(KnownLater), s.name.text) != std::end(KnownLater))
        walker.notSupported("`" + s.name.text + "` in `data`", s.name.span);
      std::string near = nearest(s.name.text, {"source", "from", "map", "augment", "sampler"});
      walker.fail(Kind::UnknownSetting, "`data` has no setting `" + s.name.text + "`", {{s.name.span, ""}},
                  near.empty() ? "the settings are source, from, map, augment and sampler" : "`" + near + "` is close");
    }
    if (*slot->second)
      walker.fail(Kind::DuplicateName, "`" + s.name.text + "` is given twice",
                  {{s.name.span, "again here"}, {(*slot->second)->name.span, "first here"}}, "remove one of the two");
    if (s.optional)
      walker.fail(Kind::UnknownSetting, "`optional` says nothing about `" + s.name.text + "`", {{s.span, ""}},
                  "remove `optional`");
    bool function = s.name.text == "map" || s.name.text == "augment";
    if (!function && (s.body || !s.value))
      walker.fail(Kind::TypeMismatch, "`" + s.name.text + "` is one expression", {{s.span, ""}},
                  "write `" + s.name.text + ": ...`");
    *slot->second = &s;
  }
  if (!made.source == !made.from)
    walker.fail(made.source ? Kind::DuplicateName : Kind::MissingArgument,
                made.source ? "`" + use.decl->name.text + "` has a `source` and a `from`"
                            : "`" + use.decl->name.text + "` says not where its samples come from",
                {{use.decl->name.span, ""}},
                made.source ? "remove one of the two" : "write `source: csv(\"table.csv\")`, or `from(r): other`");
  const ast::Type *type = walker.resolve(use.decl->type);
  if (type->form != ast::Type::Form::Record)
    walker.fail(Kind::TypeMismatch, "a sample is a record", {{use.decl->type->span, ""}},
                "name its fields: `-> (image: real[784], label: i32)`");
  std::vector<Ref> items;
  std::vector<std::string> names;
  for (const ast::Field &field : type->fields) {
    if (field.name.text.empty())
      walker.fail(Kind::TypeMismatch, "a field of a sample has a name", {{field.type->span, ""}},
                  "name it: `label: i32`");
    if (std::find(names.begin(), names.end(), field.name.text) != names.end())
      walker.fail(Kind::DuplicateName, "two fields are called `" + field.name.text + "`", {{field.name.span, ""}},
                  "rename one of the two");
    items.push_back(fieldType(field.type, made.frame->root, false));
    names.push_back(field.name.text);
  }
  made.record = walker.record(std::move(items), std::move(names));
  return made;
}

/// The type of a field: a scalar, or a tensor of known size, that files can hold.
Ref DataExpansion::fieldType(const ast::Type *written, Scope *scope, bool ofReader) {
  const ast::Type *type = walker.resolve(written);
  const char *what = ofReader ? "what a reader gives" : "a field of a sample";
  if (type->form != ast::Type::Form::Named)
    walker.fail(Kind::TypeMismatch, std::string(what) + " is a scalar or a tensor", {{type->span, ""}},
                "give each tensor a name of its own");
  Ref made = walker.typeValue(type, scope);
  if (made->element == Element::Text || made->element == Element::F16 || made->element == Element::BF16)
    walker.notSupported("`" + std::string(name(made->element)) + "` as " + what, type->span,
                        made->element == Element::Text ? "read numbers" : "read `f32`");
  for (size_t axis = 0; axis < made->axes.size(); ++axis) {
    auto extent = made->axes[axis].group ? std::nullopt : made->axes[axis].size.constant();
    if (!extent)
      walker.fail(Kind::NotCompileTime, std::string(what) + " has a size known at compile time", {{type->span, ""}},
                  "write numbers, constants or compile-time parameters");
    if (*extent < 1)
      walker.fail(Kind::NegativeSize, "axis " + std::to_string(axis) + " has size " + std::to_string(*extent),
                  {{type->span, ""}}, "every axis has at least one element");
  }
  return made;
}

/// The level of a use, then those below it.
void DataExpansion::collect(Use use) {
  Frame *caller = walker.top->caller;
  while (true) {
    for (const Level &above : levels)
      if (levels.size() >= longestChain || (above.decl == use.decl && above.title == use.title))
        walker.fail(Kind::Recursion, "`" + use.title + "` takes its samples from itself",
                    {{use.span, ""}, {use.decl->name.span, "declared here"}}, "end the chain with a `source`");
    levels.push_back(level(use, caller));
    for (Option &o : use.selections) {
      if (std::any_of(selections.begin(), selections.end(), [&](const Option &p) { return p.name == o.name; }))
        walker.fail(Kind::NotSupported, "`" + o.name + "` at two places of one chain", {{o.span, ""}}, "select once");
      selections.push_back(std::move(o));
    }
    const Level &last = levels.back();
    if (!last.from)
      return;
    caller = last.frame;
    use = parse(walker, last.from->value, last.frame->root);
  }
}

// ---- functions -----------------------------------------------------------------------------------------------------
std::vector<DataExpansion::Input> DataExpansion::inputsOf(const Level &level) {
  std::vector<Input> inputs;
  for (size_t i = 0; i < level.record->items.size(); ++i)
    inputs.push_back({level.record->names[i], level.record->items[i], level.decl->type->span});
  return inputs;
}

/// What the reader is asked for: the parameters of the lowest `map`, or, without one, the fields of the sample.
std::vector<DataExpansion::Input> DataExpansion::rawInputs() {
  const Level &lowest = levels.back();
  if (!lowest.map)
    return inputsOf(lowest);
  walker.frame = lowest.frame;
  std::vector<Input> inputs;
  for (const ast::Parameter &p : lowest.map->parameters) {
    if (!p.type)
      walker.fail(Kind::MissingArgument, "`" + p.name.text + "` has no type, so the reader does not know what to give",
                  {{p.span, ""}}, "write `" + p.name.text + ": u8[28, 28]`, as the file has it");
    if (p.initial)
      walker.fail(Kind::UnknownArgument, "a parameter of `map` has no default", {{p.initial->span, ""}}, "remove it");
    if (p.name.text == "seed" ||
        std::any_of(inputs.begin(), inputs.end(), [&](auto &x) { return x.name == p.name.text; }))
      walker.fail(Kind::DuplicateName,
                  p.name.text == "seed" ? "`seed` is passed to every `map`" : "`" + p.name.text + "` is named twice",
                  {{p.name.span, ""}}, "rename it");
    inputs.push_back({p.name.text, fieldType(p.type, lowest.frame->root, true), p.span});
  }
  if (inputs.empty())
    walker.fail(Kind::MissingArgument, "`map` says not what the reader gives", {{lowest.map->span, ""}},
                "name the fields with their types: `map(image: u8[28, 28], label: u8): ...`");
  return inputs;
}

/// The fields as they are declared: every one a value of its exact type.
Ref DataExpansion::settle(Ref value, Ref declared, Span span) {
  Ref adapted = walker.adapt(value, declared);
  std::vector<Ref> items;
  for (size_t i = 0; i < declared->items.size(); ++i) {
    walker.emit.span = span;
    ValueId id = walker.valueOf(adapted->items[i], span);
    Scalar wanted = walker.scalarOf(declared->items[i]->element);
    TensorType type{wanted, walker.extentsOf(declared->items[i]->axes)};
    if (walker.emit.type(id).element != wanted) {
      std::vector<Index> indices = Emitter::indicesFor(type.extents);
      const Term *element = walker.emit.read(id, Emitter::subscriptsFor(indices));
      id = walker.emit.equation(std::move(indices), walker.emit.cast(element, wanted));
    }
    items.push_back(walker.emitted(declared->items[i]->element, id));
  }
  return walker.record(std::move(items), declared->names);
}

Ref DataExpansion::applyStage(const Stage &stage, Ref sample, const Bindings *raw) {
  const Level &level = *stage.level;
  walker.frame = level.frame;
  Span span = stage.setting ? stage.setting->span : level.decl->name.span;
  Ref value = sample;
  if (stage.setting) {
    Scope *inner = walker.scope(level.frame->root);
    const auto &parameters = stage.setting->parameters;
    if (raw) {
      for (const auto &[name, given] : *raw)
        inner->bind(name, given);
    } else {
      if (parameters.size() != 1 || parameters[0].type || parameters[0].initial)
        walker.fail(Kind::MissingArgument, "`" + stage.setting->name.text + "` takes the sample, a record",
                    {{span, ""}}, "write `" + stage.setting->name.text + "(r): (.. r.image ..)`");
      inner->bind(parameters[0].name.text, sample);
    }
    if (!stage.setting->value && !stage.setting->body)
      walker.fail(Kind::MissingReturn, "`" + stage.setting->name.text + "` gives no sample", {{span, ""}},
                  "write `" + stage.setting->name.text + "(r): (image = r.image)`");
    Signature s = signatureOf(level.decl);
    s.body = stage.setting->body;
    s.expression = stage.setting->value;
    level.frame->result = level.record;
    level.frame->resultSpan = level.decl->type->span;
    walker.step(span);
    walker.body(s, inner);
    value = walker.sound(level.frame->returned ? level.frame->returned : checker.bad);
    for (uint32_t model : walker.modelsRead) {
      (void)model;
      walker.fail(Kind::NotSupported, "a model inside `" + stage.setting->name.text + "` is not supported yet",
                  {{span, ""}}, "apply the model in the train block");
    }
  } else {
    walker.conform(value, level.record, level.decl->type->span, level.decl->type->span, "the sample");
  }
  return settle(value, level.record, span);
}

uint32_t DataExpansion::function(const std::string &name, const std::vector<Input> &inputs, bool raw,
                                 const std::vector<Stage> &stages) {
  Entry made;
  made.name = name;
  made.span = levels.front().decl->name.span;
  made.hasSeed = true;
  walker.entry = &made;
  walker.emit.body = &made.body;
  walker.emit.location = nullptr;
  walker.ordinals.clear(); // a map that is expanded twice draws the same numbers twice
  walker.factStack.assign(1, Facts());
  walker.frame = stages.front().level->frame;
  walker.step(made.span);
  Bindings bound;
  std::vector<Ref> items;
  std::vector<std::string> names;
  auto argument = [&](const std::string &called, TensorType type, Span span) {
    walker.emit.span = span;
    ValueId id = walker.emit.argument(uint32_t(made.arguments.size()), type, called);
    made.arguments.push_back({called, std::move(type), "npy", span});
    return id;
  };
  for (const Input &input : inputs) {
    TensorType type{walker.scalarOf(input.type->element), walker.extentsOf(input.type->axes)};
    items.push_back(walker.emitted(input.type->element, argument(input.name, type, input.span)));
    names.push_back(input.name);
    bound.push_back({input.name, items.back()});
  }
  walker.seed = walker.emit.read(argument("seed", {Scalar::U64, {}}, made.span));
  Ref sample = walker.record(items, names);
  for (size_t i = 0; i < stages.size(); ++i)
    sample = applyStage(stages[i], sample, raw && i == 0 && stages[i].setting ? &bound : nullptr);
  for (size_t i = 0; i < sample->items.size(); ++i) {
    ValueId id = *sample->items[i]->value;
    made.body.results.push_back(id);
    made.results.push_back({sample->names[i], made.body.values[id].type, "npy", made.span});
  }
  walker.emit.body = nullptr;
  walker.entry = nullptr;
  walker.seed = nullptr;
  checker.program->functions.push_back(std::move(made));
  return uint32_t(checker.program->functions.size() - 1);
}

Walker::DataUse DataExpansion::expand(const Use &use) {
  collect(use);
  std::vector<Input> raw = rawInputs();
  std::vector<std::string> fields;
  for (const Input &input : raw)
    fields.push_back(input.name);
  Data data;
  data.name = use.decl->name.text;
  data.title = use.title;
  data.span = use.decl->name.span;
  data.sampling = selections;
  walker.frame = levels.back().frame;
  readSource(levels.back(), data, fields);
  auto sampling = std::find_if(levels.begin(), levels.end(), [](const Level &l) { return l.sampler != nullptr; });
  if (sampling != levels.end()) {
    walker.frame = sampling->frame;
    readSampler(*sampling->sampler, levels.front().record, data);
  }
  std::vector<Stage> maps, all;
  size_t firstAugment = SIZE_MAX;
  for (auto level = levels.rbegin(); level != levels.rend(); ++level) {
    maps.push_back({&*level, level->map});
    all.push_back(maps.back());
    if (level->augment) {
      firstAugment = std::min(firstAugment, all.size());
      all.push_back({&*level, level->augment});
    }
  }
  // Stages and functions before the row: a row in error is never added.
  std::string number = std::to_string(checker.program->data.size());
  data.map = function(data.name + ".map" + number, raw, true, maps);
  if (firstAugment != SIZE_MAX) {
    std::vector<Stage> before(all.begin(), all.begin() + ptrdiff_t(firstAugment));
    std::vector<Stage> after(all.begin() + ptrdiff_t(firstAugment), all.end());
    const Level &lowest = *after.front().level;
    if (&lowest != &levels.front())
      data.beforeAugment = function(data.name + ".before" + number, raw, true, before);
    data.augment = function(data.name + ".augment" + number, inputsOf(lowest), false, after);
  }
  checker.program->data.push_back(std::move(data));
  return {uint32_t(checker.program->data.size() - 1), levels.front().record};
}

} // namespace nacre
