// The settings of a data block that the runtime reads: the reader with its files, the sampler.
#include "check/Data.h"
#include <algorithm>
#include <cmath>
#include <filesystem>

namespace nacre {
using ast::as;

namespace {
struct Reader {
  std::string_view name, unnamed;
  bool files = false, later = false;
};
struct ReaderSetting {
  std::string_view reader, name, forms;
};
const Reader Readers[] = {
#define READER(name, unnamed, files) {name, unnamed, files, false},
#define READER_LATER(name) {name, "", false, true},
#include "check/DataReaders.def"
};
const ReaderSetting ReaderSettings[] = {
#define READER_SETTING(reader, name, forms) {reader, name, forms},
#include "check/DataReaders.def"
};

std::string formsText(std::string_view forms) {
  static const std::pair<char, std::string_view> words[] = {{'F', "`true` or `false`"},
                                                            {'N', "a number"},
                                                            {'T', "text"},
                                                            {'n', "a list of numbers"},
                                                            {'t', "a list of texts"}};
  std::string out;
  for (char form : forms)
    for (auto [letter, word] : words)
      if (letter == form)
        out += (out.empty() ? "" : " or ") + std::string(word);
  return out;
}

std::optional<double> numberOf(Ref e) {
  if (auto integer = constant(e))
    return double(*integer);
  return e->kind == Entity::Kind::Real ? std::optional(e->real) : std::nullopt;
}

/// The value in the first of the forms that it has.
bool fill(Option &option, Ref value, std::string_view forms) {
  auto allows = [&](char form) { return forms.find(form) != std::string_view::npos; };
  if (value->kind == Entity::Kind::Boolean && allows('F')) {
    option.number = value->boolean;
    return true;
  }
  if (auto number = numberOf(value); number && allows('N')) {
    option.number = *number;
    return true;
  }
  if (value->kind == Entity::Kind::String && allows('T')) {
    option.form = Option::Form::Text;
    option.text = value->text;
    return true;
  }
  if (value->kind != Entity::Kind::List || value->items.empty())
    return false;
  for (Ref item : value->items) {
    if (auto number = numberOf(item); number && allows('n'))
      option.numbers.push_back(*number);
    else if (item->kind == Entity::Kind::String && allows('t'))
      option.texts.push_back(item->text);
    else
      return false;
  }
  option.form = option.texts.empty() ? Option::Form::Numbers : Option::Form::Texts;
  return option.texts.empty() || option.numbers.empty();
}
} // namespace

Option DataExpansion::option(Walker &walker, const std::string &name, const ast::Expr *value, Scope *scope,
                             std::string_view forms) {
  Option made;
  made.name = name;
  made.span = value->span;
  Ref evaluated = walker.sound(walker.evaluate(value, scope));
  if (!fill(made, evaluated, forms))
    walker.fail(Kind::TypeMismatch, "`" + name + "` is " + formsText(forms) + ", known at compile time",
                {{value->span, "this is " + describe(evaluated)}}, "write " + formsText(forms));
  if (made.form == Option::Form::Text && made.text.find('\0') != std::string::npos)
    walker.fail(Kind::TypeMismatch, "`" + name + "` holds a zero byte", {{value->span, ""}}, "remove it");
  return made;
}

static const Option *find(const std::vector<Option> &options, std::string_view name) {
  for (const Option &o : options)
    if (o.name == name)
      return &o;
  return nullptr;
}

void DataExpansion::readSource(const Level &level, Data &data, const std::vector<std::string> &fields) {
  const ast::Setting &setting = *level.source;
  auto *call = as<ast::CallExpr>(setting.value);
  auto *callee = call ? as<ast::IdentifierExpr>(call->callee) : nullptr;
  if (!callee)
    walker.fail(Kind::TypeMismatch, "`source` is a reader with its files",
                {{setting.value ? setting.value->span : setting.span, ""}}, "write `source: csv(\"table.csv\")`");
  auto reader = std::find_if(std::begin(Readers), std::end(Readers), [&](auto &r) { return r.name == callee->name; });
  if (reader == std::end(Readers)) {
    std::vector<std::string> names;
    std::string all;
    for (const Reader &r : Readers)
      if (!r.later) {
        names.emplace_back(r.name);
        all += (all.empty() ? "" : " ") + std::string(r.name);
      }
    std::string near = nearest(callee->name, names);
    walker.fail(Kind::UnknownName, "no reader named `" + callee->name + "`", {{callee->span, ""}},
                near.empty() ? "the readers are " + all : "`" + near + "` is close");
  }
  if (reader->later)
    walker.notSupported("the reader `" + callee->name + "`", callee->span,
                        "csv, npy, idx, image_folder and image_pairs are read");
  data.reader = callee->name;
  for (const ast::Argument &a : call->arguments) {
    if (a.form != ast::Argument::Form::Value)
      walker.fail(Kind::TypeMismatch, "a range or `...` is no setting", {{a.span, ""}}, "write `name = value`");
    std::string name = a.name.text;
    if (name.empty()) {
      if (reader->unnamed.empty() || &a != &call->arguments[0])
        walker.fail(Kind::UnknownArgument, "this setting of `" + callee->name + "` has no name", {{a.span, ""}},
                    reader->files ? "name the field: `image = \"images.npy\"`" : "write `name = value`");
      name = reader->unnamed;
    }
    if (find(data.options, name))
      walker.fail(Kind::UnknownArgument, "`" + name + "` is given twice", {{a.span, ""}}, "remove one of the two");
    auto known = std::find_if(std::begin(ReaderSettings), std::end(ReaderSettings), [&](auto &s) {
      return s.name == name && (s.reader.empty() || s.reader == callee->name);
    });
    // A file belongs to the field of its name; the plural is how data sets call their files.
    bool ofField =
        std::any_of(fields.begin(), fields.end(), [&](const std::string &f) { return name == f || name == f + "s"; });
    if (known == std::end(ReaderSettings) && !(reader->files && ofField)) {
      std::vector<std::string> names;
      for (const ReaderSetting &s : ReaderSettings)
        if (s.reader.empty() || s.reader == callee->name)
          names.emplace_back(s.name);
      if (reader->files)
        names.insert(names.end(), fields.begin(), fields.end());
      std::string near = nearest(name, names), all;
      for (const std::string &n : names)
        all += (all.empty() ? "" : " ") + n;
      walker.fail(Kind::UnknownArgument, "`" + callee->name + "` has no setting `" + name + "`", {{a.span, ""}},
                  near.empty()
                      ? (reader->files ? "its settings, and the fields of `map`, are " : "its settings are ") + all
                      : "`" + near + "` is close");
    }
    data.options.push_back(
        option(walker, name, a.value, level.frame->root, known == std::end(ReaderSettings) ? "T" : known->forms));
  }
  checkSource(level, data, fields, call->span);
}

/// What no single setting shows. Files are opened when training starts, not here.
void DataExpansion::checkSource(const Level &, const Data &data, const std::vector<std::string> &fields, Span span) {
  auto given = [&](std::string_view name) { return find(data.options, name); };
  auto missing = [&](const std::string &what, const std::string &hint) {
    walker.fail(Kind::MissingArgument, "`" + data.reader + "` needs " + what, {{span, ""}}, hint);
  };
  auto reader = std::find_if(std::begin(Readers), std::end(Readers), [&](auto &r) { return r.name == data.reader; });
  if (!reader->unnamed.empty() && (!given(reader->unnamed) || given(reader->unnamed)->text.empty()))
    missing("a " + std::string(reader->unnamed), "write `" + data.reader + "(\"path\")`");
  if (reader->files)
    for (const std::string &field : fields)
      if (field != "index" && !given(field) && !given(field + "s"))
        missing("the file of `" + field + "`", "write `" + field + " = \"path\"`");
  const Option *ratio = given("ratio"), *split = given("split"), *held = given("held_back");
  if (ratio && !split)
    missing("`split`: which of the parts this is", "write `split = split` and use `data[\"train\"]`");
  if (split && !ratio && !held)
    missing("`ratio` or `held_back`: what `split` divides by", "write `ratio = [0.8, 0.2]`");
  if (ratio && held)
    walker.fail(Kind::UnknownArgument, "`ratio` and `held_back` both say what is held back",
                {{ratio->span, ""}, {held->span, ""}}, "remove one of the two");
  if (ratio) {
    double sum = 0;
    bool sound = ratio->numbers.size() == 2 || ratio->numbers.size() == 3;
    for (double part : ratio->numbers) {
      sound = sound && part > 0 && part < 1;
      sum += part;
    }
    if (!sound || std::abs(sum - 1) > 1e-9)
      walker.fail(Kind::TypeMismatch, "`ratio` is two or three parts of 1", {{ratio->span, ""}},
                  "write `ratio = [0.8, 0.2]` (train, test) or `[0.8, 0.1, 0.1]` (train, validate, test)");
  }
  if (split) {
    bool three = ratio && ratio->numbers.size() == 3;
    bool known = split->text == "train" || split->text == "test" || (three && split->text == "validate");
    if (!known)
      walker.fail(Kind::TypeMismatch, "there is no part \"" + split->text + "\"", {{split->span, "asked for here"}},
                  three ? "the parts are \"train\", \"validate\" and \"test\""
                        : "the parts are \"train\" and \"test\"");
  }
  if (const Option *delimiter = given("delimiter");
      delimiter && (delimiter->text.size() != 1 || delimiter->text == "\""))
    walker.fail(Kind::TypeMismatch, "a delimiter is one character, and no quote", {{delimiter->span, ""}},
                "write `delimiter = \";\"`");
  for (std::string_view name : {"seed", "classes"})
    if (const Option *o = given(name); o && o->form == Option::Form::Number &&
                                       (o->number < 0 || o->number != std::floor(o->number) || o->number > 9e15))
      walker.fail(Kind::TypeMismatch, "`" + std::string(name) + "` is a whole number from 0", {{o->span, ""}},
                  "write it without a fraction");
}

/// `balanced("label")`, `weighted([1, 9], by = "label")`.
void DataExpansion::readSampler(const ast::Setting &setting, Ref record, Data &data) {
  auto *call = as<ast::CallExpr>(setting.value);
  auto *callee = call ? as<ast::IdentifierExpr>(call->callee) : nullptr;
  bool weighted = callee && callee->name == "weighted", balanced = callee && callee->name == "balanced";
  if (!weighted && !balanced)
    walker.fail(Kind::TypeMismatch, "a sampler is `balanced` or `weighted`",
                {{setting.value ? setting.value->span : setting.span, ""}},
                "write `sampler: balanced(\"label\")`, or `weighted([1, 9], by = \"label\")`");
  Option kind;
  kind.name = "sampler";
  kind.form = Option::Form::Text;
  kind.text = callee->name;
  kind.span = setting.span;
  data.sampling.push_back(kind);
  std::optional<Option> field, weights;
  for (size_t i = 0; i < call->arguments.size(); ++i) {
    const ast::Argument &a = call->arguments[i];
    bool isWeights = weighted && (a.name.text == "weights" || (a.name.text.empty() && i == 0));
    bool isField = a.name.text == "by" || (a.name.text.empty() && i == (weighted ? 1 : 0));
    if (a.form != ast::Argument::Form::Value || (!isWeights && !isField))
      walker.fail(Kind::UnknownArgument, "`" + callee->name + "` has no such setting", {{a.span, ""}},
                  weighted ? "write `weighted([1, 9], by = \"label\")`" : "write `balanced(\"label\")`");
    (isWeights ? weights : field) = option(walker, isWeights ? "sampler.weights" : "sampler.field", a.value,
                                           walker.frame->root, isWeights ? "n" : "T");
  }
  if (!field) { // the usual name
    field.emplace();
    field->name = "sampler.field";
    field->form = Option::Form::Text;
    field->text = "label";
    field->span = setting.span;
  }
  auto at = std::find(record->names.begin(), record->names.end(), field->text);
  if (at == record->names.end())
    walker.fail(Kind::UnknownField, "no field `" + field->text + "` to sample by",
                {{field->span, "the sample is " + describe(record)}}, "name a field of the sample");
  Ref type = record->items[size_t(at - record->names.begin())];
  if (!type->axes.empty() || family(type->element) == Family::Real)
    walker.fail(Kind::TypeMismatch, "samples are drawn by an integer, `" + field->text + "` is " + describe(type),
                {{field->span, ""}}, "name the field that holds the class");
  data.sampling.push_back(*field);
  if (weighted) {
    if (!weights)
      walker.fail(Kind::MissingArgument, "`weighted` needs a weight for each class", {{setting.value->span, ""}},
                  "write `weighted([1, 9], by = \"label\")`");
    double sum = 0;
    for (double w : weights->numbers) {
      if (!(w >= 0) || !std::isfinite(w))
        walker.fail(Kind::TypeMismatch, "a weight is a number from 0", {{weights->span, ""}},
                    "write `weighted([1, 9])`: one for each class");
      sum += w;
    }
    if (!(sum > 0))
      walker.fail(Kind::TypeMismatch, "every weight is 0: nothing could be drawn", {{weights->span, ""}},
                  "give at least one class a weight above 0");
    data.sampling.push_back(*weights);
  }
}

/// `|> take(1000)`, `|> shard(by = "rank")`.
void DataExpansion::readSelection(Walker &walker, const ast::CallExpr *call, Scope *scope,
                                  std::vector<Option> &selections) {
  auto *callee = as<ast::IdentifierExpr>(call->callee);
  bool take = callee && callee->name == "take", shard = callee && callee->name == "shard";
  if (!take && !shard)
    walker.fail(Kind::UnknownName, "nothing like this selects from data", {{call->span, ""}},
                "write `|> take(1000)` or `|> shard(by = \"rank\")`");
  if (call->arguments.size() != 1 || call->arguments[0].form != ast::Argument::Form::Value ||
      !(call->arguments[0].name.text.empty() || call->arguments[0].name.text == (take ? "count" : "by")))
    walker.fail(Kind::MissingArgument, "`" + callee->name + "` takes one argument", {{call->span, ""}},
                take ? "write `take(1000)`" : "write `shard(by = \"rank\")`");
  Option made = option(walker, callee->name, call->arguments[0].value, scope, take ? "N" : "T");
  if (take && (made.number < 1 || made.number != std::floor(made.number) || made.number > 9e15))
    walker.fail(Kind::TypeMismatch, "`take` needs a whole number from 1", {{made.span, ""}}, "write `take(1000)`");
  if (shard && made.text != "rank")
    walker.fail(Kind::NotSupported, "data is divided by \"rank\" only", {{made.span, ""}},
                "write `shard(by = \"rank\")`");
  if (find(selections, made.name))
    walker.fail(Kind::UnknownArgument, "`" + made.name + "` is given twice", {{made.span, ""}},
                "remove one of the two");
  selections.push_back(std::move(made));
}

} // namespace nacre
