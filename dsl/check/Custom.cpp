// Functions with a derivative of their own, foreign functions, and calls that stay one value.
//
// `grad f(inputs; results; cotangents) -> (..)` is checked like a function of all three; a call of `f` then carries two
// bodies: what it computes, and what its derivative computes.
#include "check/Visit.h"
#include "check/Walker.h"
#include <algorithm>

namespace nacre {
using ast::as;

/// The declaration as a function, or null after a report if it does not fit what it is the derivative of.
const ast::FunctionDecl *Checker::gradientFunction(const ast::GradientDecl *decl, const FileScope *file) {
  auto [slot, added] = gradientFunctions.emplace(decl, nullptr);
  if (!added)
    return slot->second;
  const std::string &name = decl->name.text;
  auto found = file->own.find(name);
  auto *function = found == file->own.end() ? nullptr : as<ast::FunctionDecl>(found->second.decl);
  auto refuse = [&](std::string headline, std::vector<Label> labels, std::string hint) {
    report({Kind::GradientDeclaration, std::move(headline), std::move(labels), {}, std::move(hint)}, decl);
    return nullptr;
  };
  if (!function)
    return refuse("`grad " + name + "` without a function `" + name + "` in this file", {{decl->name.span, ""}},
                  "a derivative stands in the file of its function");
  size_t results = function->result->form == ast::Type::Form::Record ? function->result->fields.size() : 1;
  auto differ = [&](const std::string &what, size_t given, size_t wanted, const std::string &hint) {
    return refuse("`grad " + name + "` and `" + name + "` differ in the number of " + what + ": " +
                      std::to_string(given) + " and " + std::to_string(wanted),
                  {{decl->name.span, ""}, {function->name.span, "declared here"}}, hint);
  };
  if (decl->compileTime.size() != function->compileTime.size())
    return differ("compile-time parameters", decl->compileTime.size(), function->compileTime.size(),
                  "repeat those of the function");
  if (decl->inputs.size() != function->parameters.size())
    return differ("inputs", decl->inputs.size(), function->parameters.size(),
                  "write `grad " + name + "(inputs; results; cotangents of the results)`");
  if (decl->results.size() != results)
    return differ("results", decl->results.size(), results, "name each result of the function behind the first `;`");
  if (decl->cotangents.size() != results)
    return differ("cotangents", decl->cotangents.size(), results, "one for each result, behind the second `;`");
  ast::FunctionDecl &made = *gradientStorage.emplace_back(std::make_unique<ast::FunctionDecl>(decl->span));
  made.name = decl->name;
  made.compileTime = decl->compileTime;
  for (const auto *list : {&decl->inputs, &decl->results, &decl->cotangents})
    made.parameters.insert(made.parameters.end(), list->begin(), list->end());
  made.result = decl->result;
  made.body = decl->body;
  return gradientFunctions[decl] = &made;
}

/// The C symbol: that of `@symbol("name")`, or the name of the function.
static std::string symbolOf(const ast::Decl *decl) {
  for (const ast::Attribute &a : decl->attributes)
    if (a.name.text == "symbol" && a.arguments.size() == 1)
      if (auto *text = as<ast::StringExpr>(a.arguments[0].value))
        return text->value;
  return decl->name.text;
}

/// A number without a type of its own as a value of the declared one.
Ref Walker::typed(Ref value, Ref declared, Span span) {
  bool number = isInteger(value) || value->kind == Entity::Kind::Real || value->kind == Entity::Kind::Boolean;
  if (!number || !isTensor(declared) || !declared->axes.empty())
    return value;
  emit.span = span;
  return emitted(declared->element, emit.equation({}, termOf(value, scalarOf(declared->element))));
}

Ref Walker::externCall(const Signature &s, Scope *inner, Span span) {
  Value made{};
  made.kind = Value::Kind::Extern;
  made.name = symbolOf(s.decl);
  for (const ast::Parameter &p : *s.parameters) {
    std::vector<Ref> parts;
    leaves(typed(sound(inner->find(p.name.text)), typeValue(p.type, inner), span), parts);
    for (Ref part : parts)
      made.operands.push_back(valueOf(whole(part, span), span));
  }
  Ref result = typeValue(s.result, inner);
  made.type = {scalarOf(result->element), extentsOf(result->axes)};
  return emitted(result->element, emit.append(std::move(made)));
}

/// What crosses to C has one meaning, whatever the build calls `real`.
void Walker::checkExtern(const ast::FunctionDecl *function) {
  auto refuse = [&](const std::string &headline, Span span, const std::string &hint) {
    fail(Kind::AbiType, headline, {{span, ""}, {function->name.span, "a C function"}}, hint);
  };
  std::vector<const ast::Type *> types;
  for (const ast::Parameter &p : function->parameters) {
    if (!p.type)
      refuse("an argument of a C function has a type", p.span, "write `" + p.name.text + ": f32[n]`");
    types.push_back(resolve(p.type));
  }
  if (resolve(function->result)->form != ast::Type::Form::Named)
    refuse("a C function gives one tensor", function->result->span, "declare one function for each result");
  types.push_back(resolve(function->result));
  for (const ast::Type *type : types) {
    Element element;
    if (type->form != ast::Type::Form::Named || (elementNamed(type->name.text, element) && element == Element::Text))
      refuse("only scalars and tensors cross the C boundary", type->span, "");
    if (elementNamed(type->name.text, element) && element == Element::Real)
      refuse("the type of a C function is concrete, never `real`", type->span, "write `f32`");
  }
  std::string symbol = symbolOf(function);
  bool valid = !symbol.empty() && !std::isdigit(static_cast<unsigned char>(symbol[0])) &&
               std::all_of(symbol.begin(), symbol.end(), [](unsigned char c) { return std::isalnum(c) || c == '_'; });
  if (!valid)
    fail(Kind::AbiName, "`" + symbol + "` is no name of C", {{function->name.span, ""}},
         "letters, digits and underscores");
}

/// The parameters of the callee as placeholders: the values of its region. Compile-time numbers stay what they are, but
/// with `numbers` those of a real type become values.
struct Walker::Placeholders {
  std::vector<ValueId> operands;
  std::vector<Element> elements;
  std::map<std::string, Ref> bound; // what each parameter denotes inside
};

Walker::Placeholders Walker::placeholdersFor(const Signature &s, Bound &bound, Span span, bool numbers) {
  Placeholders made;
  std::vector<std::pair<std::string, Ref>> values;
  for (const ast::Parameter &p : *s.parameters) {
    Ref value = bound.given[p.name.text].value;
    if (isPlain(p.type, "int") && isInteger(value))
      continue;
    if (p.type) {
      Ref declared = typeValue(p.type, bound.scope);
      value = adapt(value, declared);
      if (numbers && isTensor(declared) && family(declared->element) == Family::Real)
        value = typed(value, declared, span);
    }
    std::vector<Ref> parts;
    leaves(value, parts);
    for (Ref &part : parts)
      if ((isTensor(part) && !part->hollow) || (part->kind == Entity::Kind::List && shapeOf(part)))
        part = whole(part, span);
    auto next = parts.cbegin();
    values.push_back({p.name.text, withLeaves(value, next)});
  }
  for (auto &[name, value] : values) {
    std::vector<Ref> parts;
    leaves(value, parts);
    for (Ref &part : parts)
      if (isTensor(part) && part->value) {
        ValueId outer = *part->value;
        ValueId id = emit.argument(uint32_t(made.operands.size()), emit.type(outer), name);
        made.operands.push_back(outer);
        made.elements.push_back(part->element);
        part = emitted(part->element, id);
      }
    auto next = parts.cbegin();
    made.bound[name] = withLeaves(value, next);
  }
  return made;
}

/// A function marked @keep stays one value: its body is expanded into a body of its own.
Ref Walker::keepCall(const Signature &s, Bound &bound, Span span, const std::string &) {
  size_t start = emit.body->values.size();
  const Location *location = emit.location;
  Placeholders inputs = placeholdersFor(s, bound, span, false);
  size_t first = emit.body->values.size() - inputs.operands.size();
  try {
    Scope *inner = scope(bound.scope);
    for (const auto &[name, value] : inputs.bound)
      inner->bind(name, value);
    body(s, inner);
    if (!frame->returned)
      throw Quiet();
    Ref result = sound(frame->returned);
    auto shape = shapeOf(result);
    if (!shape)
      fail(Kind::TypeMismatch, "a function marked @keep returns one tensor", {{span, "this is " + describe(result)}});
    ValueId id = valueOf(result, span);
    Value kept{};
    kept.kind = Value::Kind::Keep;
    kept.name = s.decl->name.text;
    kept.type = emit.type(id);
    std::vector<Region> regions;
    regions.push_back({first + inputs.operands.size(), 0, {id}, nullptr});
    kept.operands = inputs.operands;
    for (ValueId captured : cutRegions(first, inputs.operands.size(), regions))
      kept.operands.push_back(captured);
    kept.inner = std::move(regions[0].body);
    emit.location = location;
    return emitted(shape->element, emit.append(std::move(kept)));
  } catch (...) {
    rollBack(start);
    throw;
  }
}

Ref Walker::customCall(const Signature &s, Bound &bound, Span span, const ast::GradientDecl *declared) {
  const ast::FunctionDecl *derivative = checker.gradientFunction(declared, bound.frame->file);
  if (!derivative)
    throw Quiet();
  Modular &known = checker.modular(derivative, bound.frame->file);
  if (known.state == Modular::State::Bad)
    throw Quiet();
  size_t start = emit.body->values.size();
  const Location *location = emit.location;
  openDerivatives.insert(declared); // a use of the function inside its derivative is an ordinary call
  struct Leave {
    std::set<const ast::GradientDecl *> &open;
    const ast::GradientDecl *declared;
    ~Leave() { open.erase(declared); }
  } leave{openDerivatives, declared};
  try {
    Placeholders inputs = placeholdersFor(s, bound, span, true);
    size_t count = inputs.operands.size(), first = emit.body->values.size() - count;
    Scope *inner = scope(bound.scope);
    for (const auto &[name, value] : inputs.bound)
      inner->bind(name, value);
    Ref result = calledBody(s, inner, span);
    std::vector<Ref> results;
    leaves(result, results);
    std::vector<Region> regions;
    regions.push_back({first + count, 0, {}, nullptr});
    for (Ref &part : results) {
      part = whole(part, span);
      regions[0].results.push_back(valueOf(part, span));
    }
    regions.push_back({emit.body->values.size(), 2 * results.size(), {}, nullptr});
    std::vector<TensorType> types;
    for (ValueId id : regions[0].results)
      types.push_back(emit.type(id));

    // The derivative sees the inputs, then a placeholder for each result and each cotangent.
    std::vector<Argument> arguments;
    for (const ast::Parameter &p : *s.parameters) {
      auto found = inputs.bound.find(p.name.text);
      arguments.push_back({"", found != inputs.bound.end() ? found->second : bound.given[p.name.text].value, span});
    }
    for (size_t round = 0; round < 2; ++round) {
      std::vector<Ref> own;
      for (size_t i = 0; i < results.size(); ++i)
        own.push_back(emitted(results[i]->element, emit.argument(0, types[i], "")));
      auto next = own.cbegin();
      Ref all = withLeaves(result, next);
      for (Ref part : result->kind == Entity::Kind::Record ? all->items : std::vector{all})
        arguments.push_back({"", part, span});
    }
    Bindings hyper;
    for (size_t i = 0; i < declared->compileTime.size(); ++i)
      hyper.push_back({declared->compileTime[i].name.text, bound.scope->find((*s.compileTime)[i].name.text)});
    Ref slopes = call(signatureOf(derivative), bound.frame->file, hyper, arguments, span, nullptr,
                      known.conditions["forward"], "the derivative of `" + s.decl->name.text + "`");
    std::vector<Ref> parts;
    leaves(sound(slopes), parts);
    size_t given = 0;
    for (size_t i = 0; i < count; ++i) {
      if (family(inputs.elements[i]) != Family::Real)
        continue;
      if (given == parts.size())
        break;
      Ref input = emitted(inputs.elements[i], ValueId(first + i));
      std::string what = "the derivative of `" + s.decl->name.text + "` by `" + emit.body->values[first + i].name + "`";
      Ref slope = parts[given++];
      auto shape = shapeOf(slope);
      if (shape && shape->axes.empty() && !input->axes.empty() && shape->literal)
        slope = fillOf(convert(slope, input->element, span), input->axes, span);
      conform(slope, input, declared->result->span, bound.given.begin()->second.span, what);
      regions[1].results.push_back(emit.reshape(valueOf(whole(convert(slope, input->element, span), span), span),
                                                emit.type(ValueId(first + i)).extents));
    }
    size_t wanted = size_t(std::count_if(inputs.elements.begin(), inputs.elements.end(),
                                         [](Element e) { return family(e) == Family::Real; }));
    if (parts.size() != wanted)
      fail(Kind::GradientDeclaration,
           "`grad " + s.decl->name.text + "` gives cotangents for " + std::to_string(parts.size()) + " of " +
               std::to_string(wanted) + " real inputs",
           {{declared->result->span, ""}}, "one for each input of a real type, in order");
    std::vector<Element> elements;
    for (Ref part : results)
      elements.push_back(part->element);

    std::vector<ValueId> captured = cutRegions(first, count, regions);
    Value made{};
    made.kind = Value::Kind::Custom;
    made.name = s.decl->name.text;
    made.operands = inputs.operands;
    made.operands.insert(made.operands.end(), captured.begin(), captured.end());
    made.inner = std::move(regions[0].body);
    made.backward = std::move(regions[1].body);
    Body *outer = std::exchange(emit.body, made.backward.get());
    for (ValueId id : captured) // the declaration says nothing about what the function sees besides its inputs
      if (const TensorType &type = outer->values[id].type; isReal(type.element))
        emit.body->results.push_back(emit.equation(Emitter::indicesFor(type.extents), emit.real(type.element, 0)));
    emit.body = outer;
    emit.location = location;
    ValueId id = emit.append(std::move(made));
    std::vector<Ref> outside;
    for (size_t i = 0; i < types.size(); ++i)
      outside.push_back(resultOf(id, uint32_t(i), types[i], elements[i], ""));
    auto next = outside.cbegin();
    return withLeaves(result, next);
  } catch (...) {
    rollBack(start);
    throw;
  }
}

} // namespace nacre
