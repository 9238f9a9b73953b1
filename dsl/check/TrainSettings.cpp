// The settings of a `train` block against the table of what may stand there (TrainSettings.def).
#include "check/Train.h"
#include "check/Visit.h"
#include <algorithm>

namespace nacre {
using ast::as;

namespace {
struct SettingRow {
  std::string_view name, form;
  bool repeats;
  std::string_view text;
};
struct ChoiceRow {
  std::string_view setting, call, example;
};
struct ArgumentRow {
  std::string_view setting, call, name, form, option;
  bool required;
  std::string_view initial;
};

const SettingRow Settings[] = {
#define SETTING(name, form, repeats, text) {#name, #form, repeats, text},
#include "check/TrainSettings.def"
};
const ChoiceRow Choices[] = {
#define CHOICE(setting, call, example) {#setting, #call, example},
#include "check/TrainSettings.def"
};
const ArgumentRow Arguments[] = {
#define ARGUMENT(setting, call, name, form, option, required, initial)                                                 \
  {#setting, #call, #name, #form, option, required, initial},
#include "check/TrainSettings.def"
};

std::string_view textOf(std::string_view setting) {
  for (const SettingRow &known : Settings)
    if (known.name == setting)
      return known.text;
  return "";
}
} // namespace

TrainBlock::TrainBlock(Checker &checker, const ast::TrainDecl *decl, const FileScope *file)
    : checker(checker), decl(decl), file(file), reader(checker, decl, file, false) {
  row.name = decl->name.text;
  row.documentation = decl->documentation;
  row.span = decl->name.span;
}

const ast::Setting *TrainBlock::setting(const std::string &name) const {
  auto found = given.find(name);
  return found == given.end() ? nullptr : found->second.front();
}

void TrainBlock::number(const std::string &name, double value, Span span) {
  Option option;
  option.name = name;
  option.number = value;
  option.span = span;
  row.options.push_back(std::move(option));
}

void TrainBlock::text(const std::string &name, const std::string &value, Span span) {
  Option option;
  option.form = Option::Form::Text;
  option.name = name;
  option.text = value;
  option.span = span;
  row.options.push_back(std::move(option));
}

const Option *TrainBlock::optionNamed(const std::vector<Option> &options, const std::string &name) {
  for (const Option &o : options)
    if (o.name == name)
      return &o;
  return nullptr;
}
bool TrainBlock::has(const std::string &option) const { return optionNamed(row.options, option) != nullptr; }
double TrainBlock::numberOf(const std::string &option) const {
  const Option *found = optionNamed(row.options, option);
  return found ? found->number : 0;
}

/// One value of a setting as a row of options.
void TrainBlock::readArgument(const ast::Argument &a, const std::string &form, const std::string &option,
                              const std::string &what) {
  Span span = a.value->span;
  Ref value = reader.sound(reader.evaluate(a.value, reader.frame->root));
  auto wrong = [&](const std::string &wanted) {
    reader.fail(Kind::BadSetting, what + " is " + wanted, {{span, "this is " + describe(value)}});
  };
  auto integer = constant(value);
  double real = value->kind == Entity::Kind::Real ? value->real : double(integer.value_or(0));
  bool isNumber = integer || value->kind == Entity::Kind::Real;
  if (form == "Count") {
    if (!integer || *integer < 1)
      wrong("an integer, at least 1");
    return number(option, real, span);
  }
  if (form == "Number") {
    if (!integer)
      wrong("an integer");
    return number(option, real, span);
  }
  if (form == "Positive" || form == "NotNegative") {
    bool strictly = form == "Positive";
    if (!isNumber || !(strictly ? real > 0 : real >= 0))
      wrong(strictly ? "a number greater than 0" : "a number, at least 0");
    return number(option, real, span);
  }
  if (form == "Element") {
    if (value->kind != Entity::Kind::Builtin || value->text != "bf16")
      wrong("`bf16`");
    return text(option, value->text, span);
  }
  if (form == "Texts" && value->kind == Entity::Kind::List) {
    Option made;
    made.form = Option::Form::Texts;
    made.name = option;
    made.span = span;
    for (Ref item : value->items) {
      if (item->kind != Entity::Kind::String)
        wrong("a string, or a list of strings");
      made.texts.push_back(item->text);
    }
    row.options.push_back(std::move(made));
    return;
  }
  if (value->kind != Entity::Kind::String || value->text.empty())
    wrong(form == "Texts" ? "a string, or a list of strings" : "a string");
  if (form == "Mode" && value->text != "min" && value->text != "max")
    wrong("\"min\" or \"max\"");
  if (form == "Texts") {
    Option made;
    made.form = Option::Form::Texts;
    made.name = option;
    made.span = span;
    made.texts = {value->text};
    row.options.push_back(std::move(made));
    return;
  }
  text(option, value->text, span);
}

/// `clip: global_norm(1.0)`: one of the calls that the table lists for the setting.
void TrainBlock::readCall(const ast::Setting &s) {
  const std::string &name = s.name.text;
  auto *call = as<ast::CallExpr>(s.value);
  auto *callee = call ? as<ast::IdentifierExpr>(call->callee) : nullptr;
  std::vector<std::string> known;
  std::string examples;
  for (const ChoiceRow &c : Choices)
    if (c.setting == name) {
      known.emplace_back(c.call);
      examples += (examples.empty() ? "`" : " or `") + std::string(c.example) + "`";
    }
  if (!callee || std::find(known.begin(), known.end(), callee->name) == known.end())
    reader.fail(Kind::BadSetting, "`" + name + ":` needs " + examples,
                {{s.value->span, callee ? "no `" + callee->name + "` is known here" : "this is none of them"}},
                "write `" + name + ": " + (known.empty() ? "" : examples.substr(1, examples.find('`', 1) - 1)) + "`");
  std::vector<const ArgumentRow *> rows;
  for (const ArgumentRow &a : Arguments)
    if (a.setting == name && a.call == callee->name)
      rows.push_back(&a);
  std::set<const ArgumentRow *> seen;
  std::string all;
  for (const ArgumentRow *a : rows)
    all += (all.empty() ? "`" : ", `") + std::string(a->name) + "`";
  for (size_t i = 0; i < call->arguments.size(); ++i) {
    const ast::Argument &a = call->arguments[i];
    const ArgumentRow *row = nullptr;
    for (size_t k = 0; k < rows.size(); ++k)
      if (a.name.text.empty() ? k == i : rows[k]->name == a.name.text)
        row = rows[k];
    if (!row || !a.value || !seen.insert(row).second)
      reader.fail(Kind::UnknownArgument,
                  "`" + callee->name + "` has no " + (row ? "second" : "such") + " argument" +
                      (a.name.text.empty() ? "" : " `" + a.name.text + "`"),
                  {{a.span, ""}}, "its arguments are " + all);
    readArgument(a, std::string(row->form), std::string(row->option),
                 "`" + std::string(row->name) + "` of `" + callee->name + "`");
  }
  for (const ArgumentRow *a : rows) {
    if (seen.count(a))
      continue;
    if (a->required)
      reader.fail(Kind::MissingArgument, "`" + callee->name + "` needs `" + std::string(a->name) + "`",
                  {{s.value->span, ""}}, "its arguments are " + all);
    if (!a->initial.empty())
      number(std::string(a->option), std::stod(std::string(a->initial)), s.value->span);
  }
}

/// `grid(hidden = [32, 64], rate = [1e-3, 3e-3], best = "accuracy")`; `random(trials = 20, ..)` takes ranges as lists
/// of two numbers too.
void TrainBlock::readSweep(const ast::Setting &s) {
  auto *call = as<ast::CallExpr>(s.value);
  auto *callee = call ? as<ast::IdentifierExpr>(call->callee) : nullptr;
  if (!callee || (callee->name != "grid" && callee->name != "random"))
    reader.fail(Kind::BadSetting, "`sweep:` needs `grid(..)` or `random(trials = 20, ..)`", {{s.value->span, ""}},
                "write `sweep: grid(rate = [1e-3, 1e-2])`");
  auto moved = [&](auto &&read) { // what `read` appends to the options belongs to the sweep
    size_t before = row.options.size();
    read();
    for (size_t i = before; i < row.options.size(); ++i)
      row.sweep.push_back(std::move(row.options[i]));
    row.options.resize(before);
  };
  moved([&] { text("sweep", callee->name, s.value->span); });
  size_t constants = 0;
  bool trials = false;
  for (const ast::Argument &a : call->arguments) {
    const std::string &name = a.name.text;
    if (name.empty() || !a.value)
      reader.fail(Kind::BadSetting, "a sweep names what it varies", {{a.span, ""}}, "write `rate = [1e-3, 1e-2]`");
    if (name == "best") {
      moved([&] { readArgument(a, "Text", "sweep.best", "`best`"); });
      continue;
    }
    if (name == "mode") {
      moved([&] { readArgument(a, "Mode", "sweep.mode", "`mode`"); });
      continue;
    }
    if (name == "seed") {
      moved([&] { readArgument(a, "Number", "sweep.seed", "`seed`"); });
      continue;
    }
    if (name == "trials" && callee->name == "random") {
      moved([&] { readArgument(a, "Count", "sweep.trials", "`trials`"); });
      trials = true;
      continue;
    }
    auto found = file->own.find(name);
    if (found == file->own.end() || !found->second.decl || found->second.decl->kind != ast::DeclKind::Constant) {
      std::vector<std::string> names;
      for (const auto &[known, global] : file->own)
        if (global.decl && global.decl->kind == ast::DeclKind::Constant)
          names.push_back(known);
      std::string near = nearest(name, names);
      reader.fail(Kind::UnknownName, "a sweep varies constants of this file, and `" + name + "` is none",
                  {{a.name.span, ""}},
                  near.empty() ? "declare `const " + name + " = ..` and use it" : "`" + near + "` is close");
    }
    ++constants;
    Ref current = checker.constantValue(static_cast<const ast::ConstantDecl *>(found->second.decl), file);
    Ref values = reader.sound(reader.evaluate(a.value, reader.frame->root));
    Option made;
    made.name = name;
    made.span = a.span;
    if (values->kind != Entity::Kind::List || values->items.empty())
      reader.fail(Kind::BadSetting, "`" + name + "` needs a list of values to try",
                  {{a.value->span, "this is " + describe(values)}}, "write `" + name + " = [1, 2]`");
    for (Ref item : values->items) {
      bool string = item->kind == Entity::Kind::String;
      bool real = item->kind == Entity::Kind::Real, integer = constant(item).has_value();
      bool boolean = item->kind == Entity::Kind::Boolean;
      bool fits = current->kind == Entity::Kind::Real ? real || integer : current->kind == item->kind;
      if (!fits || !(string || real || integer || boolean))
        reader.fail(Kind::TypeMismatch,
                    "`" + name + "` is " + describe(current) + " and cannot become " + describe(item),
                    {{a.value->span, "tried here"}, {found->second.decl->span, "declared here"}},
                    "a constant keeps the type of its value");
      made.form = string ? Option::Form::Texts : Option::Form::Numbers;
      if (string)
        made.texts.push_back(item->text);
      else
        made.numbers.push_back(real ? item->real : boolean ? item->boolean : double(*constant(item)));
    }
    row.sweep.push_back(std::move(made));
  }
  if (constants == 0)
    reader.fail(Kind::BadSetting, "this sweep varies nothing", {{s.value->span, ""}}, "name constants of the file");
  if (callee->name == "random" && !trials)
    reader.fail(Kind::MissingArgument, "`random` needs `trials`", {{s.value->span, ""}},
                "write `random(trials = 20, ..)`");
}

void TrainBlock::readSettings() {
  for (const ast::Setting &s : decl->settings) {
    const std::string &name = s.name.text;
    auto known = std::find_if(std::begin(Settings), std::end(Settings), [&](auto &k) { return k.name == name; });
    try {
      if (known == std::end(Settings)) {
        std::vector<std::string> names;
        for (const SettingRow &k : Settings)
          names.emplace_back(k.name);
        std::string near = nearest(name, names), all;
        for (const std::string &n : names)
          all += (all.empty() ? "" : " ") + n;
        reader.fail(Kind::UnknownSetting, "`train` has no setting `" + name + "`", {{s.name.span, ""}},
                    near.empty() ? "the settings are " + all : "`" + near + "` is close");
      }
      auto &list = given[name];
      list.push_back(&s);
      if (list.size() > 1 && !known->repeats)
        reader.fail(Kind::DuplicateName, "`" + name + ":` is given twice",
                    {{s.name.span, "again here"}, {list.front()->name.span, "first here"}}, "remove one of the two");
      bool body = known->form == "Body";
      bool wrongForm = body ? false : s.body != nullptr || !s.parameters.empty();
      if (wrongForm || (name == "begin" && !s.body) || (s.optional && name != "resume"))
        reader.fail(Kind::BadSetting, "`" + name + "` is written otherwise", {{s.span, ""}}, std::string(textOf(name)));
      if (known->form == "Later")
        reader.notSupported("`" + name + ":`", s.name.span, "remove it: one process uses all processors");
      ast::Argument value;
      value.value = s.value;
      if (known->form == "Count" || known->form == "Number" || known->form == "Text")
        readArgument(value, std::string(known->form), name == "resume" ? "resume.path" : name, "`" + name + "`");
      if (name == "resume")
        number("resume.optional", s.optional, s.span);
      if (known->form == "Choice")
        readCall(s);
      if (known->form == "Sweep")
        readSweep(s);
      if (known->form == "Train") {
        auto *id = as<ast::IdentifierExpr>(s.value);
        const ast::TrainDecl *other = nullptr;
        for (const ast::Decl *d : file->tree->declarations)
          if (auto *train = as<ast::TrainDecl>(d); train && id && train->name.text == id->name)
            other = train;
        if (!other || other == decl)
          reader.fail(Kind::UnknownName, "`after:` names another train block of this file", {{s.value->span, ""}},
                      "write the name of the block that comes before");
        text("after", id->name, s.value->span);
      }
      if (name == "regularise") {
        const Option *l1 = optionNamed(row.options, "regularise.l1"), *l2 = optionNamed(row.options, "regularise.l2");
        bool absolute = as<ast::IdentifierExpr>(as<ast::CallExpr>(s.value)->callee)->name == "l1";
        Penalty penalty{absolute, (absolute ? l1 : l2)->number, {}, {}};
        std::string prefix = absolute ? "regularise.l1" : "regularise.l2";
        if (const Option *except = optionNamed(row.options, prefix + ".except"))
          penalty.except = except->texts;
        if (const Option *only = optionNamed(row.options, prefix + ".only"))
          penalty.only = only->texts;
        for (const Penalty &before : penalties)
          if (before.absolute == absolute)
            reader.fail(Kind::DuplicateName, "two penalties of one kind", {{s.value->span, ""}},
                        "name all patterns in one list");
        penalties.push_back(std::move(penalty));
      }
    } catch (Problem &p) {
      reader.report(std::move(p.diagnostic));
    } catch (Quiet &) {
      reader.failed = true;
    }
  }
  if (reader.failed)
    return;
  try {
    requireSettings();
  } catch (Problem &p) {
    reader.report(std::move(p.diagnostic));
  } catch (Quiet &) {
    reader.failed = true;
  }
}

/// What must be there, and what cannot stand together.
void TrainBlock::requireSettings() {
  auto missing = [&](const std::string &name, const std::string &why) {
    reader.fail(Kind::MissingSetting, "`" + decl->name.text + "` has no `" + name + "`", {{decl->name.span, why}},
                std::string(textOf(name)));
  };
  auto both = [&](const char *a, const char *b) {
    if (setting(a) && setting(b))
      reader.fail(Kind::BadSetting, "`" + std::string(a) + "` and `" + b + "` exclude each other",
                  {{setting(a)->name.span, ""}, {setting(b)->name.span, ""}}, "keep one of the two");
  };
  both("loss", "step");
  both("epochs", "steps");
  both("validate", "folds");
  if (!setting("loss") && !setting("step"))
    missing("loss", "and no `step`: nothing says what is learned");
  if (setting("loss") && !setting("optimizer"))
    missing("optimizer", "a loss needs one");
  if (!setting("epochs") && !setting("steps"))
    missing("epochs", "and no `steps`: nothing says when to stop");
  if (setting("loss") && !setting("data") && !setting("shared"))
    missing("data", "a loss is about samples");
  if (setting("shared") && !setting("data") && !setting("steps"))
    missing("steps", "without `data` there are no epochs");
  if (setting("data") && !setting("batch"))
    missing("batch", "samples come in batches");
  for (const char *name : {"validate", "folds", "batch", "accumulate", "epochs", "metrics", "show"})
    if (setting(name) && !setting("data"))
      missing("data", "needed by `" + std::string(name) + "`");
  batch = int64_t(numberOf("batch"));
  every = has("accumulate") ? int64_t(numberOf("accumulate")) : 1;
}

} // namespace nacre
