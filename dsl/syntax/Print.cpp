// The syntax tree as text, for `show --stage=ast`: a line per declaration and statement, expressions in prefix form.
#include "syntax/Ast.h"
#include "syntax/Parse.h"
#include <algorithm>
#include <charconv>

namespace nacre {
namespace {
using namespace ast;

constexpr std::string_view binaryNames[] = {"^",  "*", "/",  "//", "%",  "+",  "-",  "..",  "<",
                                            "<=", ">", ">=", "==", "!=", "~=", "in", "and", "or"};
constexpr std::string_view itemNames[] = {"load", "rename", "ignore", "freeze", "tie", "init", "quantize"};

std::string quote(const std::string &text) {
  std::string result = "\"";
  for (char c : text)
    result += c == '"' || c == '\\' ? std::string{'\\', c}
              : c == '\n'           ? "\\n"
              : c == '\r'           ? "\\r"
              : c == '\t'           ? "\\t"
                                    : std::string(1, c);
  return result + "\"";
}

class Dump {
public:
  std::string out;

  void file(const File &file) {
    line("file" + (file.module.empty() ? "" : " " + path(file.module)));
    ++indent;
    for (const Import &import : file.imports) {
      std::string text = "import " + path(import.path) + (import.alias.text.empty() ? "" : " as " + import.alias.text);
      for (const Name &name : import.names)
        text += " " + name.text;
      line(text);
    }
    for (const Decl *decl : file.declarations)
      declaration(*decl);
  }

private:
  void declaration(const Decl &decl) {
    for (size_t i = 0; i < decl.documentation.size();) {
      size_t end = std::min(decl.documentation.find('\n', i), decl.documentation.size());
      line("## " + decl.documentation.substr(i, end - i));
      i = end + 1;
    }
    attributes(decl.attributes);
    if (auto *d = as<ConstantDecl>(&decl))
      line("const " + d->name.text + typed(d->type) + " = " + text(d->value));
    else if (auto *d = as<TypeDecl>(&decl))
      line("type " + d->name.text + " = " + text(d->type));
    else if (auto *d = as<FunctionDecl>(&decl))
      function(*d);
    else if (auto *d = as<GradientDecl>(&decl))
      body("grad " + d->name.text + hyper(d->compileTime) + "(" + text(d->inputs) + "; " + text(d->results) + "; " +
               text(d->cotangents) + ") -> " + text(d->result),
           d->body);
    else if (auto *d = as<LayerDecl>(&decl))
      definition("layer " + d->name.text + hyper(d->compileTime) +
                     (d->hasHeader ? "(" + text(d->parameters) + ") -> " + text(d->result) : ""),
                 d->where, d->body, d->expression);
    else if (auto *d = as<ModelDecl>(&decl))
      model(*d);
    else if (auto *d = as<DataDecl>(&decl))
      settings("data " + d->name.text + hyper(d->compileTime) + " -> " + text(d->type), d->settings);
    else if (auto *d = as<TrainDecl>(&decl)) {
      std::string head = "train " + d->name.text + " on";
      for (const Name &name : d->models)
        head += " " + name.text;
      settings(head, d->settings);
    } else if (auto *d = as<EntryDecl>(&decl))
      definition("entry " + d->name.text + "(" + text(d->parameters) + ") -> " + text(d->result), d->where, d->body,
                 d->expression);
    else if (auto *d = as<TestDecl>(&decl))
      body("test " + quote(d->name.text), d->body);
  }

  void function(const FunctionDecl &f) {
    definition((f.isExtern ? "extern fn " : "fn ") + f.name.text + hyper(f.compileTime) + "(" + text(f.parameters) +
                   ") -> " + text(f.result),
               f.where, f.body, f.expression);
  }
  void definition(std::string head, const std::vector<const Expr *> &where, const Block *block, const Expr *value) {
    for (const Expr *fact : where)
      head += (fact == where.front() ? " where " : ", ") + text(fact);
    if (value)
      line(head + " = " + text(value));
    else
      body(head, block);
  }
  void model(const ModelDecl &model) {
    line("model " + model.name.text + " = " + text(model.value));
    ++indent;
    for (const ModelItem &item : model.items) {
      std::string text(itemNames[static_cast<size_t>(item.form)]);
      for (const Name *name : {&item.first, &item.second})
        if (name->span)
          text += " " + quote(name->text);
      line(text + (item.value ? " " + this->text(item.value) : "") + (item.optional ? " optional" : ""));
    }
    --indent;
  }
  void settings(const std::string &head, const std::vector<Setting> &settings) {
    line(head);
    ++indent;
    for (const Setting &s : settings) {
      std::string text = s.name.text + (s.parameters.empty() ? "" : "(" + this->text(s.parameters) + ")");
      if (s.value)
        line(text + ": " + this->text(s.value) + (s.optional ? " optional" : ""));
      else
        body(text, s.body);
    }
    --indent;
  }
  void attributes(const std::vector<Attribute> &attributes) {
    for (const Attribute &a : attributes)
      line("@" + a.name.text + (a.arguments.empty() ? "" : " " + text(a.arguments)));
  }
  void body(const std::string &head, const Block *block) {
    line(head);
    ++indent;
    if (block)
      for (const Stmt *stmt : block->statements)
        statement(*stmt);
    --indent;
  }

  void statement(const Stmt &stmt) {
    attributes(stmt.attributes);
    if (auto *s = as<EquationStmt>(&stmt))
      line("equation " + s->name.text + "[" + text(s->binders) + "]" + typed(s->type) + " = " + text(s->value));
    else if (auto *s = as<LetStmt>(&stmt))
      line("let " + text(s->pattern) + typed(s->type) + " = " + text(s->value));
    else if (auto *s = as<VarStmt>(&stmt))
      line("var " + text(s->pattern) + typed(s->type) + " = " + text(s->value));
    else if (auto *s = as<WeightStmt>(&stmt))
      line((s->trained ? "param " : "state ") + s->name.text + typed(s->type) +
           (s->initial ? " = " + text(s->initial) : "") + (s->condition ? " when " + text(s->condition) : ""));
    else if (auto *s = as<UseStmt>(&stmt))
      line("use " + s->name.text + " = " + text(s->value));
    else if (auto *s = as<FunctionStmt>(&stmt))
      function(*s->function);
    else if (auto *s = as<AssignStmt>(&stmt))
      line("assign " + (s->target ? text(s->target) : text(s->pattern)) + " = " + text(s->value));
    else if (auto *s = as<UpdateStmt>(&stmt))
      line("update " + text(s->target) + " <- " + text(s->value));
    else if (auto *s = as<ScatterStmt>(&stmt))
      line("scatter " + text(s->target) + " += " + text(s->value) +
           (s->binders.empty() ? "" : " over " + text(s->binders)));
    else if (auto *s = as<DoStmt>(&stmt))
      line("do " + text(s->call));
    else if (auto *s = as<ReturnStmt>(&stmt))
      line("return " + text(s->value));
    else if (auto *s = as<YieldStmt>(&stmt))
      line("yield " + text(s->value));
    else if (auto *s = as<IfStmt>(&stmt)) {
      body("if " + text(s->condition), s->then);
      if (s->otherwise)
        body("else", s->otherwise);
    } else if (auto *s = as<WhileStmt>(&stmt))
      body("while " + text(s->condition) + " limit " + text(s->limit), s->body);
    else if (auto *s = as<ForStmt>(&stmt))
      body(loopHead(*s->loop), s->loop->body);
    else if (auto *s = as<ExpectErrorStmt>(&stmt))
      body("expect error " + quote(s->errorKind.text), s->body);
    else if (auto *s = as<ExpectStmt>(&stmt))
      line("expect " + text(s->condition) + (s->tolerance ? " within " + text(s->tolerance) : ""));
  }
  std::string loopHead(const LoopExpr &loop) {
    return "for " + text(loop.pattern) + " in " + (loop.reverse ? "reverse " : "") + text(loop.sequence);
  }

  std::string text(const Expr *e) {
    if (auto *x = as<IntegerExpr>(e))
      return std::to_string(x->value);
    if (auto *x = as<FloatExpr>(e)) {
      char buffer[40];
      std::string digits(buffer, std::to_chars(buffer, buffer + sizeof buffer, x->value).ptr);
      return digits.find_first_of(".en") == std::string::npos ? digits + ".0" : digits; // recognisable as a real
    }
    if (auto *x = as<StringExpr>(e))
      return quote(x->value);
    if (auto *x = as<BooleanExpr>(e))
      return x->value ? "true" : "false";
    if (auto *x = as<IdentifierExpr>(e))
      return x->name;
    if (auto *x = as<LabelledExpr>(e))
      return "(label " + x->label.text + " " + x->name.text + ")";
    if (auto *x = as<ListExpr>(e)) {
      std::string result = "[";
      for (const Expr *element : x->elements)
        result += (element == x->elements.front() ? "" : ", ") + text(element);
      return result + "]";
    }
    if (auto *x = as<ComprehensionExpr>(e))
      return "[" + text(x->body) + " for " + text(x->pattern) + " in " + text(x->sequence) + "]";
    if (auto *x = as<TupleExpr>(e))
      return "(tuple" + spaced(x->elements) + ")";
    if (auto *x = as<MemberExpr>(e))
      return "(. " + text(x->base) + " " + x->field.text + ")";
    if (auto *x = as<SubscriptExpr>(e))
      return "(index " + text(x->base) + spaced(x->arguments) + ")";
    if (auto *x = as<CallExpr>(e))
      return "(call " + text(x->callee) + spaced(x->arguments) + ")";
    if (auto *x = as<UnaryExpr>(e))
      return (x->op == UnaryOp::Not ? "(not " : "(neg ") + text(x->operand) + ")";
    if (auto *x = as<BinaryExpr>(e))
      return "(" + std::string(binaryNames[static_cast<size_t>(x->op)]) + " " + text(x->lhs) + " " + text(x->rhs) + ")";
    if (auto *x = as<PipeExpr>(e))
      return "(|> " + text(x->value) + " " + text(x->target) + ")";
    if (auto *x = as<IfExpr>(e))
      return "(if " + text(x->condition) + " " + text(x->then) + " " + text(x->otherwise) + ")";
    if (auto *x = as<LambdaExpr>(e))
      return "(=> " + text(x->pattern) + " " + text(x->body) + ")";
    if (auto *x = as<LoopExpr>(e)) { // its statements on lines of their own, inside the line
      Dump inner;
      inner.indent = indent + 2;
      for (const Stmt *stmt : x->body->statements)
        inner.statement(*stmt);
      return "(" + loopHead(*x) + "\n" + inner.out + std::string(2 * (indent + 1), ' ') + ")";
    }
    return "_";
  }

  std::string text(const Argument &a) {
    if (a.form == Argument::Form::Ellipsis)
      return "...";
    if (a.form == Argument::Form::Slice)
      return "(slice " + (a.lower ? text(a.lower) : "-") + " " + (a.upper ? text(a.upper) : "-") + ")";
    return (a.name.text.empty() ? "" : a.name.text + "=") + text(a.value);
  }
  std::string text(const std::vector<Argument> &arguments) {
    std::string result = spaced(arguments);
    return result.empty() ? result : result.substr(1);
  }
  std::string spaced(const std::vector<Argument> &arguments) {
    std::string result;
    for (const Argument &a : arguments)
      result += " " + text(a);
    return result;
  }
  std::string text(const Pattern &pattern) {
    std::string result;
    for (const Slot &slot : pattern.slots)
      result += (result.empty() ? "" : ", ") + slot.text;
    return pattern.parenthesised ? "(" + result + ")" : result;
  }
  std::string text(const std::vector<Binder> &binders) {
    std::string result;
    for (const Binder &b : binders)
      result +=
          (result.empty() ? "" : ", ") + (b.ellipsis ? "..." : b.name.text + (b.bound ? " < " + text(b.bound) : ""));
    return result;
  }
  std::string text(const std::vector<Parameter> &parameters) {
    std::string result;
    for (const Parameter &p : parameters)
      result += (result.empty() ? "" : ", ") + p.name.text + typed(p.type) + (p.initial ? " = " + text(p.initial) : "");
    return result;
  }
  std::string hyper(const std::vector<Parameter> &parameters) {
    return parameters.empty() ? "" : "[" + text(parameters) + "]";
  }
  std::string typed(const Type *type) { return type ? ": " + text(type) : ""; }
  std::string text(const Type *type) {
    std::string result;
    if (type->form == Type::Form::Named) {
      for (const Dimension &d : type->dimensions)
        result += (result.empty() ? "" : ", ") + (d.ellipsis ? "..." : text(d.size));
      return type->name.text + (type->brackets ? "[" + result + "]" : "");
    }
    if (type->form == Type::Form::Record) {
      for (const Field &f : type->fields)
        result += (result.empty() ? "" : ", ") + (f.name.text.empty() ? "" : f.name.text + ": ") + text(f.type);
      return "(" + result + ")";
    }
    for (const Type *input : type->inputs)
      result += (result.empty() ? "" : ", ") + text(input);
    return "fn(" + result + ") -> " + text(type->output);
  }
  std::string path(const std::vector<Name> &parts) {
    std::string result;
    for (const Name &part : parts)
      result += (result.empty() ? "" : ".") + part.text;
    return result;
  }

  void line(const std::string &text) { out += std::string(2 * indent, ' ') + text + "\n"; }
  size_t indent = 0;
};
} // namespace

std::string dump(const ast::File &file) {
  Dump dump;
  dump.file(file);
  return std::move(dump.out);
}

} // namespace nacre
