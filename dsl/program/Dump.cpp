// The checked program as text: `nacre show --stage=checked`. Indices are numbered per equation, so that the text does
// not depend on what was checked before.
#include "program/Program.h"
#include <map>
#include <sstream>

namespace nacre {
namespace {

std::string text(const TensorType &type) {
  std::string out(name(type.element));
  if (type.extents.empty())
    return out;
  out += "[";
  for (size_t i = 0; i < type.extents.size(); ++i)
    out += (i ? ", " : "") + type.extents[i].text();
  return out + "]";
}

std::string number(double x, Scalar type) {
  std::ostringstream out;
  out.precision(type == Scalar::F64 ? 17 : 9);
  out << x;
  std::string s = out.str();
  if (s.find_first_not_of("-0123456789") == std::string::npos)
    s += ".0";
  return s;
}

std::string quoted(const std::string &s) { return "\"" + s + "\""; }

class Dumper {
public:
  explicit Dumper(const Program &program) : program(program) {}

  std::string run() {
    out << "program " << program.module << "\n";
    for (const Model &model : program.models)
      dump(model);
    for (const Entry &entry : program.entries)
      dump(entry);
    for (const Test &test : program.tests)
      dump(test);
    for (const Data &data : program.data)
      dump(data);
    for (const Entry &function : program.functions)
      dump(function, "function");
    for (const Train &train : program.trains)
      dump(train);
    return out.str();
  }

private:
  /// Index atoms of one equation get distinct names: `i`, then `i'`, `i''`.
  struct Names {
    std::map<const Atom *, const Atom *> shown;
    std::map<std::string, int> used;
  };

  const Atom *shownIndex(const Atom *atom, Names &names) {
    auto [slot, added] = names.shown.emplace(atom, nullptr);
    if (added) {
      int count = names.used[atom->name]++;
      slot->second = nameAtom(atom->name + std::string(size_t(count), '\''));
    }
    return slot->second;
  }
  std::string text(const Polynomial &p, Names &names) {
    return p
        .substitute([&](const Atom *a) -> std::optional<Polynomial> {
          if (a->kind != AtomKind::Index)
            return std::nullopt;
          return Polynomial(shownIndex(a, names));
        })
        .text();
  }
  std::string binders(const std::vector<Index> &indices, Names &names) {
    std::string s = "[";
    for (size_t i = 0; i < indices.size(); ++i)
      s += (i ? ", " : "") + shownIndex(indices[i].atom, names)->name + " < " + text(indices[i].extent, names);
    return s + "]";
  }

  std::string text(const std::vector<Subscript> &subscripts, Names &names) {
    std::string s;
    for (const Subscript &sub : subscripts) {
      s += &sub == &subscripts.front() ? "" : ", ";
      s += sub.gather ? "clamp " + text(sub.gather, names) : text(sub.affine, names);
      s += sub.guarded ? " guarded" : "";
    }
    return s;
  }

  std::string text(const Term *t, Names &names) {
    auto operand = [&](size_t i) { return text(t->operands[i], names); };
    switch (t->kind) {
    case Term::Kind::Constant:
      if (t->type == Scalar::Bool)
        return t->integer ? "true" : "false";
      if (t->type <= Scalar::BF16)
        return number(t->real, t->type) + (t->type == Scalar::F32 ? "" : std::string(name(t->type)));
      return std::to_string(t->integer) + (t->type == Scalar::I64 ? "" : std::string(name(t->type)));
    case Term::Kind::Size:
      return "(" + text(t->size, names) + ")";
    case Term::Kind::Read: {
      std::string s = "%" + std::to_string(t->tensor) + "[";
      return s + text(t->subscripts, names) + "]";
    }
    case Term::Kind::Apply: {
      static const std::map<Primitive, const char *> infix = {{Primitive::Add, "+"},      {Primitive::Subtract, "-"},
                                                              {Primitive::Multiply, "*"}, {Primitive::Divide, "/"},
                                                              {Primitive::Less, "<"},     {Primitive::LessEqual, "<="},
                                                              {Primitive::Equal, "=="},   {Primitive::NotEqual, "!="},
                                                              {Primitive::And, "and"},    {Primitive::Or, "or"}};
      if (auto found = infix.find(t->primitive); found != infix.end())
        return "(" + operand(0) + " " + found->second + " " + operand(1) + ")";
      std::string s = std::string(name(t->primitive)) + "(";
      for (size_t i = 0; i < t->operands.size(); ++i)
        s += (i ? ", " : "") + operand(i);
      return s + ")";
    }
    case Term::Kind::Cast:
      return std::string(name(t->type)) + "(" + operand(0) + ")";
    case Term::Kind::Select:
      return "(if " + operand(0) + " then " + operand(1) + " else " + operand(2) + ")";
    case Term::Kind::Reduce: {
      std::string bound = binders(t->indices, names);
      return std::string(name(t->reduction)) + bound + "(" + operand(0) + ")";
    }
    }
    return "?";
  }

  void dump(const Body &body, const std::string &indent, const Model *fixed = nullptr) {
    for (size_t id = 0; id < body.values.size(); ++id) {
      const Value &v = body.values[id];
      out << indent << "%" << id;
      if (v.kind != Value::Kind::Loop && v.kind != Value::Kind::Custom)
        out << ": " << text(v.type, counters);
      out << " = ";
      switch (v.kind) {
      case Value::Kind::Argument:
        out << "argument " << v.number;
        break;
      case Value::Kind::Weight:
        out << "weight ";
        if (v.model < program.models.size() && v.number < program.models[v.model].weights.size())
          out << program.models[v.model].name << " " << program.models[v.model].weights[v.number].path;
        break;
      case Value::Kind::Constant: {
        out << "constant [";
        for (size_t i = 0; i < v.numbers.size() && i < 16; ++i)
          out << (i ? ", " : "") << number(v.numbers[i], v.type.element);
        out << (v.numbers.size() > 16 ? ", ...]" : "]");
        break;
      }
      case Value::Kind::Equation: {
        Names names = counters;
        std::string bound = binders(v.indices, names);
        out << bound << " " << text(v.body, names);
        break;
      }
      case Value::Kind::Reshape:
        out << "reshape %" << v.operands[0];
        break;
      case Value::Kind::Concat:
        out << "concat axis " << v.axis;
        for (ValueId operand : v.operands)
          out << " %" << operand;
        break;
      case Value::Kind::Keep:
        out << "keep " << v.name;
        for (ValueId operand : v.operands)
          out << " %" << operand;
        break;
      case Value::Kind::Result:
        out << "result " << v.number << " of %" << v.operands[0];
        break;
      case Value::Kind::Gradient:
        out << "gradient of %" << v.operands[0] << " by %" << v.operands[1];
        break;
      case Value::Kind::StopGradient:
        out << "stop gradient %" << v.operands[0];
        break;
      case Value::Kind::Custom:
      case Value::Kind::Extern:
        out << (v.kind == Value::Kind::Custom ? "custom " : "extern ") << v.name;
        for (ValueId operand : v.operands)
          out << " %" << operand;
        break;
      case Value::Kind::Scatter: {
        Names names = counters;
        std::string bound = binders(v.indices, names);
        out << "scatter into %" << v.operands[0] << " " << bound << " " << text(v.body, names) << " at ["
            << text(v.subscripts, names) << "]";
        break;
      }
      case Value::Kind::Permutation:
      case Value::Kind::CumulativeSum:
        out << (v.kind == Value::Kind::Permutation ? "permutation" : "cumulative sum") << " axis " << v.axis
            << (v.reverse ? " reverse" : "") << " %" << v.operands[0];
        break;
      case Value::Kind::Loop: {
        Names names = counters;
        out << "loop " << binders(v.indices, names) << (v.reverse ? " reverse" : "") << " carries " << v.carried;
        for (ValueId operand : v.operands)
          out << " %" << operand;
        break;
      }
      }
      if (!v.name.empty() && v.kind == Value::Kind::Equation)
        out << "  # " << v.name;
      for (const std::string &promise : v.promises)
        out << "  @" << promise;
      out << "\n";
      Names outside = counters;
      if (v.kind == Value::Kind::Loop)
        shownIndex(v.indices[0].atom, counters);
      if (v.condition)
        out << indent << " while\n", dump(*v.condition, indent + "  ", fixed);
      if (v.inner)
        out << (v.condition ? indent + " do\n" : ""), dump(*v.inner, indent + "  ", fixed);
      if (v.backward)
        out << indent << " backward\n", dump(*v.backward, indent + "  ", fixed);
      counters = std::move(outside);
    }
    out << indent << "results";
    for (ValueId result : body.results)
      out << " %" << result;
    out << "\n";
  }

  void dump(const Model &model) {
    out << "\nmodel " << model.name << (model.ofTest ? " (of a test)" : model.ofTrain ? " (of training)" : "") << "\n";
    if (!model.weightsFile.empty())
      out << "  load " << quoted(model.weightsFile) << (model.fileOptional ? " optional" : "") << "\n";
    for (const Rename &r : model.renames)
      out << "  rename " << quoted(r.from) << " -> " << quoted(r.to) << (r.transpose ? " via transpose" : "") << "\n";
    for (const std::string &pattern : model.ignored)
      out << "  ignore " << quoted(pattern) << "\n";
    for (const Weight &w : model.weights) {
      out << "  " << (w.trained ? "param " : "state ") << w.path << ": " << nacre::text(w.type) << " of " << w.layer;
      if (w.frozen)
        out << " frozen";
      if (w.tiedTo)
        out << " tied to " << model.weights[*w.tiedTo].path;
      if (w.initialisedHere)
        out << " initialised";
      out << "\n";
      if (w.initial)
        dump(*w.initial, "    ");
    }
  }

  void fields(const char *word, const std::vector<Field> &list) {
    for (const Field &f : list)
      out << "  " << word << " " << f.name << ": " << nacre::text(f.type) << (f.codec == "npy" ? "" : " as " + f.codec)
          << "\n";
  }

  static std::string text(const Option &option) {
    auto decimal = [](double x) {
      std::ostringstream shown;
      shown.precision(17);
      shown << x;
      return shown.str();
    };
    std::string list;
    switch (option.form) {
    case Option::Form::Number:
      return option.name + " = " + decimal(option.number);
    case Option::Form::Text:
      return option.name + " = " + quoted(option.text);
    case Option::Form::Numbers:
      for (double x : option.numbers)
        list += (list.empty() ? "" : ", ") + decimal(x);
      break;
    case Option::Form::Texts:
      for (const std::string &x : option.texts)
        list += (list.empty() ? "" : ", ") + quoted(x);
      break;
    }
    return option.name + " = [" + list + "]";
  }

  void dump(const Data &data) {
    out << "\ndata " << data.title << "\n  reader " << data.reader << "\n";
    for (const Option &option : data.options)
      out << "  option " << text(option) << "\n";
    out << "  map " << program.functions[data.map].name << "\n";
    if (data.beforeAugment)
      out << "  before augment " << program.functions[*data.beforeAugment].name << "\n";
    if (data.augment)
      out << "  augment " << program.functions[*data.augment].name << "\n";
    for (const Option &option : data.sampling)
      out << "  sampling " << text(option) << "\n";
  }

  void dump(const Entry &entry, const char *word = "entry") {
    out << "\n" << word << " " << entry.name << "\n";
    for (const DimensionName &d : entry.dimensions) {
      out << "  dimension " << d.name << " >= " << d.lower;
      if (d.upper)
        out << ", <= " << *d.upper;
      out << " (axis " << d.axis << " of argument " << d.argument << ")\n";
    }
    fields("argument", entry.arguments);
    fields("result", entry.results);
    for (const Guard &g : entry.guards)
      out << "  guard " << g.value.text() << (g.equality ? " == 0" : " >= 0") << "  # " << g.text << "\n";
    for (const SubscriptCheck &c : entry.subscriptChecks)
      out << "  subscripts of argument " << c.argument << " below " << c.limit.text() << "  # " << c.text << "\n";
    if (entry.hasSeed)
      out << "  seeded\n";
    dump(entry.body, "  ");
    for (const Store &s : entry.stores) {
      const Model &model = program.models[s.model];
      out << "  store " << model.name << " " << model.weights[s.weight].path << " = %" << s.value << "\n";
    }
  }

  void dump(const Train &train) {
    out << "\ntrain " << train.name << "\n";
    for (size_t i = 0; i < train.models.size(); ++i)
      out << (i < train.trained ? "  trains " : "  uses ") << program.models[train.models[i]].name << "\n";
    auto model = [&](const char *word, const std::optional<uint32_t> &position) {
      if (position)
        out << "  " << word << " " << program.models[*position].name << "\n";
    };
    model("optimizer", train.optimizer);
    model("metrics", train.metrics);
    auto function = [&](const char *word, const std::optional<uint32_t> &position) {
      if (position)
        out << "  " << word << " " << program.functions[*position].name << "\n";
    };
    function("step", train.step);
    function("accumulate", train.accumulate);
    function("begin", train.begin);
    function("evaluate", train.evaluate);
    function("summary", train.summary);
    function("show", train.show);
    function("probe", train.probe);
    for (const std::string &text : train.probes)
      out << "    " << text << "\n";
    auto data = [&](const char *word, const std::optional<uint32_t> &position) {
      if (position)
        out << "  " << word << " " << program.data[*position].title << "\n";
    };
    data("data", train.data);
    data("validate", train.validate);
    for (uint32_t position : train.shared)
      data("shared", position);
    for (const Option &option : train.options)
      out << "  option " << text(option) << "\n";
    for (const Option &option : train.sweep)
      out << "  sweep " << text(option) << "\n";
  }

  void dump(const Test &test) {
    out << "\ntest " << quoted(test.name) << (test.seed ? " seed " + std::to_string(test.seed) : "") << "\n";
    dump(test.body, "  ");
    for (const Expectation &e : test.expectations) {
      out << "  expect result " << e.condition;
      if (e.deviation)
        out << ", deviation " << *e.deviation << " within " << number(e.tolerance, Scalar::F32);
      out << "  # " << e.text << "\n";
    }
  }

  std::string text(const TensorType &type, Names &names) {
    std::string s(name(type.element));
    for (size_t i = 0; i < type.extents.size(); ++i)
      s += (i ? ", " : "[") + text(type.extents[i], names);
    return s + (type.extents.empty() ? "" : "]");
  }

  const Program &program;
  Names counters; // of the loops around
  std::ostringstream out;
};

} // namespace

std::string dump(const Program &program) { return Dumper(program).run(); }

} // namespace nacre
