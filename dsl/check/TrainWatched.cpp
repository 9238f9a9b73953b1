// What the settings of a train block watch: the quantities that are measured, and which way each is better. A loss
// should fall; a metric rises unless its layer says `@lower_is_better`.
#include "check/Train.h"
#include <algorithm>

namespace nacre {

/// `plateaus(on = "validate.loss", patience = 10, threshold = 1e-4, cooldown = 0, mode = "min")`: how often the
/// quantity has stopped improving, a number that the trainer passes to every function of the block. What counts is
/// written down as options of the block, the defaults of `on` and `mode` in finishSettings.
Ref TrainBlock::plateaus(Walker &w, const std::vector<Argument> &args, Span span) {
  auto a = w.arrange("plateaus", args, {"on", "patience", "threshold", "cooldown", "mode"}, 0, span);
  std::vector<Option> said;
  const ast::Setting *rates = setting("optimizer"); // where a person looks for the schedule, not in the library
  Span where = rates ? rates->value->span : span;
  auto add = [&](const std::string &name) -> Option & {
    said.emplace_back();
    said.back().name = "plateau." + name;
    said.back().span = where;
    return said.back();
  };
  auto wrong = [&](const Argument &given, const std::string &name, const std::string &wanted) {
    w.sound(given.value);
    w.fail(Kind::BadSetting, "`" + name + "` of `plateaus` is " + wanted,
           {{given.span, "this is " + describe(given.value)}});
  };
  auto word = [&](const Argument &given, const std::string &name, bool isMode) {
    if (given.value && given.value->kind != Entity::Kind::String)
      wrong(given, name, isMode ? "\"min\" or \"max\"" : "the name of what is measured");
    if (!given.value || given.value->text.empty())
      return;
    if (isMode && given.value->text != "min" && given.value->text != "max")
      wrong(given, name, "\"min\" or \"max\"");
    Option &option = add(name);
    option.form = Option::Form::Text;
    option.text = given.value->text;
  };
  auto amount = [&](const Argument &given, const std::string &name, double missing, bool whole) {
    auto integer = given.value ? constant(given.value) : std::nullopt;
    bool real = given.value && given.value->kind == Entity::Kind::Real;
    double value = !given.value ? missing : real ? given.value->real : double(integer.value_or(-1));
    if (given.value && !(value >= 0 && (integer || (real && !whole))))
      wrong(given, name, whole ? "an integer, at least 0" : "a number, at least 0");
    add(name).number = value;
  };
  word(a[0], "on", false);
  word(a[4], "mode", true);
  amount(a[1], "patience", 10, true);
  amount(a[2], "threshold", 1e-4, false);
  amount(a[3], "cooldown", 0, true);
  if (plateau.empty())
    plateau = said;
  auto same = [](const Option &x, const Option &y) {
    return x.name == y.name && x.text == y.text && x.number == y.number;
  };
  if (!std::equal(plateau.begin(), plateau.end(), said.begin(), said.end(), same))
    w.fail(Kind::BadSetting, "a train block counts one kind of plateau",
           {{where, "two schedules here count differently"}},
           "use the same quantity and patience in all schedules of the block");
  return plateauCount;
}

/// The quantities that the settings name: `validate.loss`, `accuracy`, `validate.fair.gap`.
void TrainBlock::finishSettings() {
  bool validated = setting("validate") || setting("folds");
  std::map<std::string, bool> names; // is a lower one better?
  if (setting("loss"))
    names["loss"] = true;
  if (validated && setting("loss"))
    names["validate.loss"] = true;
  for (const auto &[metric, lower] : metricNames)
    names[(validated ? "validate." : "") + metric] = lower;

  auto settle = [&](std::vector<Option> &options, const std::string &name, const std::string &mode, Span span) {
    auto found = std::find_if(options.begin(), options.end(), [&](const Option &o) { return o.name == name; });
    if (found == options.end()) {
      Option made;
      made.form = Option::Form::Text;
      made.name = name;
      made.text = validated ? "validate.loss" : "loss";
      made.span = span;
      if (!names.count(made.text))
        reader.fail(Kind::MissingArgument, "this needs the name of what is watched", {{span, "there is no loss"}},
                    names.empty() ? "add `metrics`" : "for example \"" + names.begin()->first + "\"");
      options.push_back(std::move(made));
      found = options.end() - 1;
    } else {
      std::string &wanted = found->text;
      if (!names.count(wanted) && names.count("validate." + wanted))
        wanted = "validate." + wanted;
      if (!names.count(wanted)) {
        std::vector<std::string> known;
        std::string all;
        for (const auto &[n, lower] : names) {
          known.push_back(n);
          all += (all.empty() ? "" : ", ") + n;
        }
        std::string near = nearest(wanted, known);
        reader.fail(Kind::BadSetting, "nothing is called \"" + wanted + "\" in `" + decl->name.text + "`",
                    {{found->span, wanted.starts_with("validate.") && !validated ? "there is no `validate`" : ""}},
                    !near.empty()  ? "\"" + near + "\" is close"
                    : !all.empty() ? "what is measured: " + all
                                   : "add `metrics`");
      }
    }
    if (!optionNamed(options, mode)) {
      Option made;
      made.form = Option::Form::Text;
      made.name = mode;
      made.text = names[found->text] ? "min" : "max";
      made.span = span;
      options.push_back(std::move(made));
    }
  };
  try {
    if (const ast::Setting *s = setting("early_stop"))
      settle(row.options, "early_stop.on", "early_stop.mode", s->span);
    if (has("checkpoint.best"))
      settle(row.options, "checkpoint.by", "checkpoint.mode", setting("checkpoint")->span);
    if (const ast::Setting *s = setting("sweep"))
      settle(row.sweep, "sweep.best", "sweep.mode", s->span);
    if (!plateau.empty()) {
      Span span = plateau.front().span;
      if (!setting("epochs"))
        reader.fail(Kind::MissingSetting, "`" + decl->name.text + "` counts plateaus, and has no epochs",
                    {{span, "counted once per epoch"}, {decl->name.span, ""}},
                    "write `epochs: n` instead of `steps: n`");
      row.options.insert(row.options.end(), plateau.begin(), plateau.end());
      settle(row.options, "plateau.on", "plateau.mode", span);
    }
  } catch (Problem &p) {
    reader.report(std::move(p.diagnostic));
  } catch (Quiet &) {
    reader.failed = true;
  }
}

} // namespace nacre
