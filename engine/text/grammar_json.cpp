#include "engine/text/grammar_json.hpp"

namespace fathom::engine {

// `{` gap first; first = `"` keys | `}`; keys = KEY `":` gap VALUE after; after = gap, then `,` gap
// `"` keys | `}`.
NodeId JsonRules::object(const Object& object) {
  const NodeId after = builder_.gap(builder_.finish());
  const std::uint32_t rule = builder_.add_members(object.required);
  ProgramBuilder::ChoiceSpec keys{.rule = rule};
  for (std::uint32_t i = 0; i < object.members.size(); ++i) {
    const auto& [key, value] = object.members[i];
    const NodeId member = builder_.gap(builder_.call(value, after));
    keys.spellings.push_back(
        {key.substr(1) + ":", {.next = member, .key = i, .guard = Guard::member}});
  }
  if (object.additional != kNoNode)
    keys.free_key = builder_.literal(":", builder_.gap(builder_.call(object.additional, after)));
  const NodeId key = builder_.choice(std::move(keys));
  builder_.set_keys(rule, key);
  const Leaf close{.next = builder_.finish(), .guard = Guard::complete};
  const NodeId more = builder_.gap(builder_.literal("\"", key));
  builder_.set_next(
      after,
      builder_.choice({.spellings = {{",", {.next = more, .guard = Guard::more}}, {"}", close}},
                       .rule = rule}));
  const NodeId first = builder_.choice(
      {.spellings = {{"\"", {.next = key, .guard = Guard::more}}, {"}", close}}, .rule = rule});
  return builder_.literal("{", builder_.gap(first));
}

NodeId JsonRules::array(NodeId item, Bounds items) {
  const std::uint32_t rule = builder_.add_bounds(items);
  const NodeId after = builder_.gap(builder_.finish());
  const std::uint32_t count_max = items.max == Bounds::kUnbounded ? items.min : items.max;
  const NodeId next = builder_.call(item, after, count_max);
  const Leaf close{.next = builder_.finish(), .guard = Guard::at_least};
  builder_.set_next(
      after,
      builder_.choice(
          {.spellings = {{",", {.next = builder_.gap(next), .guard = Guard::below}}, {"]", close}},
           .rule = rule}));
  std::vector<NodeId> first;
  if (items.min == 0) first.push_back(builder_.choice({.spellings = {{"]", close}}, .rule = rule}));
  if (items.max > 0) first.push_back(next);
  return builder_.literal("[", builder_.gap(builder_.alternatives(std::move(first))));
}

NodeId JsonRules::string(Bounds code_points) {
  return builder_.literal("\"",
                          builder_.terminal(TerminalId::string, builder_.finish(), code_points));
}

NodeId JsonRules::one_of(std::span<const std::string> spellings) {
  if (spellings.empty()) return builder_.alternatives({});
  ProgramBuilder::ChoiceSpec spec;
  for (const std::string& spelling : spellings)
    spec.spellings.push_back({spelling, {.next = builder_.finish()}});
  return builder_.choice(std::move(spec));
}

NodeId JsonRules::any_value() {
  if (any_value_ != kNoNode) return any_value_;
  any_value_ = builder_.reserve();
  const std::string words[] = {"false", "null", "true"};
  const NodeId made =
      builder_.alternatives({object({.additional = any_value_}), array(any_value_, {}), string(),
                             number(), one_of(words)});
  builder_.define(any_value_, made);
  return any_value_;
}

}  // namespace fathom::engine
