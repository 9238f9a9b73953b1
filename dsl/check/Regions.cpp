// Bodies inside bodies. The body of a loop, of a kept call or of a custom derivative is walked into the enclosing body,
// where every name means what it means outside; then its values are cut off into a body of their own.
#include "check/Mentions.h"
#include "check/Walker.h"
#include <algorithm>

namespace nacre {

/// The values from `first` on are `shared` placeholders (arguments of every region), then the regions, one after the
/// other. What regions use from before `first`, weights included, becomes further arguments of each of them, and is
/// returned. The arguments that a region has to itself come last.
std::vector<ValueId> Walker::cutRegions(size_t first, size_t shared, std::vector<Region> &regions) {
  std::vector<Value> &values = emit.body->values;
  std::vector<Value> tail(std::make_move_iterator(values.begin() + long(first)), std::make_move_iterator(values.end()));
  values.resize(first);
  std::map<ValueId, ValueId> moved; // weights belong to the enclosing body
  for (size_t i = 0; i < tail.size(); ++i)
    if (tail[i].kind == Value::Kind::Weight) {
      values.push_back(std::move(tail[i]));
      tail[i] = Value{};
      moved[ValueId(first + i)] = ValueId(values.size() - 1);
    }
  for (auto &[key, id] : weightValues)
    if (auto found = moved.find(id); found != moved.end())
      id = found->second;
  auto outside = [&](ValueId id) -> std::optional<ValueId> {
    if (id < first)
      return id;
    auto found = moved.find(id);
    return found == moved.end() ? std::nullopt : std::optional(found->second);
  };
  std::vector<ValueId> captured;
  std::map<ValueId, size_t> place;
  auto note = [&](ValueId id) {
    if (auto from = outside(id))
      if (place.emplace(*from, captured.size()).second)
        captured.push_back(*from);
  };
  Mentions mentions(note);
  for (const Value &v : tail)
    mentions.of(v);
  for (const Region &region : regions)
    for (ValueId result : region.results)
      note(result);

  for (size_t r = 0; r < regions.size(); ++r) {
    Region &region = regions[r];
    size_t end = r + 1 < regions.size() ? regions[r + 1].begin : first + tail.size();
    region.body = std::make_unique<Body>();
    std::vector<Value> &inner = region.body->values;
    std::map<ValueId, ValueId> renamed;
    auto argument = [&](const TensorType &type, const std::string &name, const Location *location) {
      Value v{};
      v.kind = Value::Kind::Argument;
      v.number = uint32_t(inner.size());
      v.type = type;
      v.name = name;
      v.location = location;
      inner.push_back(std::move(v));
    };
    auto placeholder = [&](size_t id) {
      renamed[ValueId(id)] = ValueId(inner.size());
      const Value &v = tail[id - first];
      argument(v.type, v.name, v.location);
    };
    for (size_t i = 0; i < shared; ++i)
      placeholder(first + i);
    for (ValueId id : captured)
      argument(values[id].type, values[id].name, values[id].location);
    for (size_t i = 0; i < region.own; ++i)
      placeholder(region.begin + i);
    auto name = [&](ValueId id) -> ValueId {
      auto from = outside(id);
      return from ? ValueId(shared + place.at(*from)) : renamed.at(id);
    };
    std::map<const Term *, const Term *> renumbered;
    for (size_t id = region.begin + region.own; id < end; ++id) {
      if (moved.count(ValueId(id)))
        continue;
      Value v = std::move(tail[id - first]);
      emit.renumber(v, name, renumbered);
      renamed[ValueId(id)] = ValueId(inner.size());
      inner.push_back(std::move(v));
    }
    for (ValueId &result : region.results)
      region.body->results.push_back(name(result));
  }
  return captured;
}

/// The tensors of a value that are computed at run time, in order: itself, or those of its fields.
void Walker::leaves(Ref e, std::vector<Ref> &out) {
  if (e->kind == Entity::Kind::Record || e->kind == Entity::Kind::Tree)
    for (Ref item : e->items)
      leaves(sound(item), out);
  else
    out.push_back(e);
}

/// The same value with other leaves, taken from `next` on.
Ref Walker::withLeaves(Ref e, std::vector<Ref>::const_iterator &next) {
  if (e->kind != Entity::Kind::Record && e->kind != Entity::Kind::Tree)
    return *next++;
  std::vector<Ref> items;
  for (Ref item : e->items)
    items.push_back(withLeaves(item, next));
  return e->kind == Entity::Kind::Tree ? tree(std::move(items), e->names) : record(std::move(items), e->names);
}

/// Result `number` of a loop or of a call with a derivative of its own.
Ref Walker::resultOf(ValueId of, uint32_t number, TensorType type, Element element, const std::string &name) {
  Value v{};
  v.kind = Value::Kind::Result;
  v.number = number;
  v.operands = {of};
  v.type = std::move(type);
  v.name = name;
  return emitted(element, emit.append(std::move(v)));
}

} // namespace nacre
