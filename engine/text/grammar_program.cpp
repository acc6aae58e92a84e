#include "engine/text/grammar_program.hpp"

#include "runtime/base/ensure.hpp"

#include <algorithm>
#include <span>
#include <tuple>
#include <utility>

namespace fathom::engine {

const Choice::Edge* Choice::find_edge(std::uint32_t state, unsigned char byte) const {
  const State& at = states[state];
  const auto own = std::span(edges).subspan(at.edges_begin, at.edges_end - at.edges_begin);
  const auto found = std::ranges::lower_bound(own, byte, {}, &Edge::byte);
  return found != own.end() && found->byte == byte ? &*found : nullptr;
}

bool Program::allows(const Choice& choice, const Leaf& leaf, std::uint64_t reg,
                     unsigned depth) const {
  if (!fits(leaf.next, depth)) return false;
  switch (leaf.guard) {
    case Guard::none:
      return true;
    case Guard::member: {
      const Members& rule = members[choice.rule];
      if (!rule.ordered()) return (reg >> leaf.key & 1) == 0;
      return leaf.key >= reg && rule.next_required[reg] >= leaf.key;
    }
    case Guard::complete: {
      const Members& rule = members[choice.rule];
      if (!rule.ordered()) return (rule.required_set & ~reg) == 0;
      return rule.next_required[reg] == rule.required.size();
    }
    case Guard::more:
      return allows_more(members[choice.rule], reg, depth);
    case Guard::at_least:
      return reg >= bounds[choice.rule].min;
    case Guard::below:
      return reg < bounds[choice.rule].max;
  }
  return false;
}

bool Program::allows_more(const Members& rule, std::uint64_t reg, unsigned depth) const {
  const Choice& keys = choices[rule.keys];
  if (keys.free_key != kNoNode && fits(keys.free_key, depth)) return true;
  return std::ranges::any_of(keys.leaves,
                             [&](const Leaf& key) { return allows(keys, key, reg, depth); });
}

std::uint64_t Program::register_after(const Choice& choice, const Leaf& leaf,
                                      std::uint64_t reg) const {
  if (leaf.guard != Guard::member) return reg;
  return members[choice.rule].ordered() ? leaf.key + std::uint64_t{1}
                                        : reg | std::uint64_t{1} << leaf.key;
}

ProgramBuilder::ProgramBuilder() { add({.kind = NodeKind::finish}); }

NodeId ProgramBuilder::add(const Node& node) {
  // Past the bound nodes are no longer kept apart; build() refuses the program.
  if (program_.nodes.size() > kGrammarNodesMax) return finish();
  program_.nodes.push_back(node);
  return static_cast<NodeId>(program_.nodes.size() - 1);
}

NodeId ProgramBuilder::gap(NodeId next) { return add({.kind = NodeKind::gap, .next = next}); }

NodeId ProgramBuilder::terminal(TerminalId id, NodeId next, Bounds bounds) {
  const bool bounded = bounds.min > 0 || bounds.max != Bounds::kUnbounded;
  const std::uint32_t what = bounded ? add_bounds(bounds) + 1 : 0;
  return add({.kind = NodeKind::terminal, .terminal = id, .next = next, .what = what});
}

NodeId ProgramBuilder::call(NodeId rule, NodeId next, std::uint32_t count_max) {
  return add({.kind = NodeKind::call, .next = next, .what = rule, .count = count_max});
}

NodeId ProgramBuilder::alternatives(std::vector<NodeId> targets) {
  targets_.push_back(std::move(targets));
  return add(
      {.kind = NodeKind::alternatives, .what = static_cast<std::uint32_t>(targets_.size() - 1)});
}

NodeId ProgramBuilder::literal(std::string_view bytes, NodeId next) {
  return choice({.spellings = {{std::string(bytes), {.next = next}}}});
}

void ProgramBuilder::define(NodeId reserved, NodeId target) {
  const Node& node = program_.nodes[reserved];
  if (node.kind == NodeKind::alternatives) targets_[node.what] = {target};
}

void ProgramBuilder::set_next(NodeId node, NodeId next) {
  Node& changed = program_.nodes[node];
  if (changed.kind == NodeKind::choice) {
    program_.choices[changed.what].leaves.front().next = next;
  } else {
    changed.next = next;
  }
}

std::uint32_t ProgramBuilder::add_bounds(Bounds bounds) {
  program_.bounds.push_back(bounds);
  return static_cast<std::uint32_t>(program_.bounds.size() - 1);
}

std::uint32_t ProgramBuilder::add_members(const std::vector<bool>& required) {
  Members members{.required = required};
  const auto count = static_cast<std::uint32_t>(required.size());
  members.next_required.assign(count + 1U, count);
  for (std::uint32_t i = count; i-- > 0;) {
    members.next_required[i] = required[i] ? i : members.next_required[i + 1U];
    if (required[i] && !members.ordered()) members.required_set |= std::uint64_t{1} << i;
  }
  program_.members.push_back(std::move(members));
  return static_cast<std::uint32_t>(program_.members.size() - 1);
}

void ProgramBuilder::set_keys(std::uint32_t members, NodeId choice) {
  program_.members[members].keys = program_.nodes[choice].what;
}

NodeId ProgramBuilder::choice(ChoiceSpec spec) {
  auto& spellings = spec.spellings;
  std::ranges::sort(spellings, [](const Spelling& a, const Spelling& b) {
    return std::tie(a.bytes, a.leaf.key) < std::tie(b.bytes, b.leaf.key);
  });
  const auto same = [](const Spelling& a, const Spelling& b) { return a.bytes == b.bytes; };
  const auto [first, last] = std::ranges::unique(spellings, same);
  spellings.erase(first, last);
  Choice made{.rule = spec.rule, .free_key = spec.free_key};
  for (const Spelling& spelling : spellings) {
    ENSURE(!spelling.bytes.empty(), "a spelling has bytes");
    choice_bytes_ += spelling.bytes.size();
    made.leaves.push_back(spelling.leaf);
  }
  if (choice_bytes_ > kChoiceBytesMax) return finish();

  // Breadth first: a state's edges lie together.
  const Terminal& keys = engine::terminal(TerminalId::key);
  made.states.push_back(
      {.leaves_end = static_cast<std::uint32_t>(spellings.size()), .key_state = Terminal::kStart});
  std::vector<std::size_t> depth = {0};
  for (std::size_t i = 0; i < made.states.size(); ++i) {
    Choice::State state = made.states[i];
    std::uint32_t at = state.leaves_begin;
    state.ends_here = at < state.leaves_end && spellings[at].bytes.size() == depth[i];
    if (state.ends_here) ++at;
    state.edges_begin = static_cast<std::uint32_t>(made.edges.size());
    while (at < state.leaves_end) {
      const char byte = spellings[at].bytes[depth[i]];
      Choice::State child{.leaves_begin = at};
      while (at < state.leaves_end && spellings[at].bytes[depth[i]] == byte) ++at;
      child.leaves_end = at;
      const auto bits = static_cast<unsigned char>(byte);
      if (state.key_state > Terminal::kDone) child.key_state = keys.next(state.key_state, bits);
      made.edges.push_back({bits, static_cast<std::uint32_t>(made.states.size())});
      made.states.push_back(child);
      depth.push_back(depth[i] + 1);
    }
    state.edges_end = static_cast<std::uint32_t>(made.edges.size());
    made.states[i] = state;
  }
  program_.choices.push_back(std::move(made));
  return add(
      {.kind = NodeKind::choice, .what = static_cast<std::uint32_t>(program_.choices.size() - 1)});
}

Result<Program> ProgramBuilder::build(NodeId start) {
  if (program_.nodes.size() > kGrammarNodesMax)
    return fail(ErrorCode::too_large,
                "more than " + std::to_string(kGrammarNodesMax) + " grammar nodes");
  if (choice_bytes_ > kChoiceBytesMax)
    return fail(ErrorCode::too_large,
                "names and enums of more than " + std::to_string(kChoiceBytesMax) + " bytes");
  program_.start = start;
  TRY(flatten());
  TRY(compute_heights());
  if (!program_.fits(start, 1)) return fail(ErrorCode::bad_data, "no value satisfies it");
  return std::move(program_);
}

Result<> ProgramBuilder::flatten() {
  visited_.assign(program_.nodes.size(), 0);
  for (NodeId node = 0; node < program_.nodes.size(); ++node)
    if (program_.nodes[node].kind == NodeKind::alternatives) TRY(flatten_one(node, 0));
  for (Node& node : program_.nodes) {
    if (node.kind != NodeKind::alternatives) continue;
    const std::vector<NodeId>& own = targets_[node.what];
    node.what = static_cast<std::uint32_t>(program_.targets.size());
    node.count = static_cast<std::uint32_t>(own.size());
    program_.targets.insert(program_.targets.end(), own.begin(), own.end());
  }
  return {};
}

// Afterwards targets_ of `node` holds no alternatives and nothing twice.
Result<> ProgramBuilder::flatten_one(NodeId node, std::size_t depth) {
  if (visited_[node] == 2) return {};
  if (visited_[node] == 1)
    return fail(ErrorCode::bad_data, "a '$ref' leads back to itself without a value between");
  if (depth > kAlternativesDepthMax)
    return fail(ErrorCode::too_large,
                "alternatives nested deeper than " + std::to_string(kAlternativesDepthMax));
  visited_[node] = 1;
  std::vector<NodeId> flat;
  const auto append = [&](NodeId target) {
    if (std::ranges::find(flat, target) == flat.end()) flat.push_back(target);
  };
  const std::size_t own = program_.nodes[node].what;
  for (const NodeId target : targets_[own]) {
    if (program_.nodes[target].kind == NodeKind::alternatives) {
      TRY(flatten_one(target, depth + 1));
      for (const NodeId inner : targets_[program_.nodes[target].what]) append(inner);
    } else {
      append(target);
    }
    if (flat.size() > kAlternativesMax)
      return fail(ErrorCode::too_large,
                  "more than " + std::to_string(kAlternativesMax) + " alternatives in one place");
  }
  targets_[own] = std::move(flat);
  visited_[node] = 2;
  return {};
}

Result<> ProgramBuilder::compute_heights() {
  for (Node& node : program_.nodes) node.height = kHeightInfinite;
  std::size_t steps = 0;
  // From below: nothing has a way to the end until it is found to have one.
  for (bool changed = true; changed;) {
    changed = false;
    for (Node& node : program_.nodes) {
      const std::uint16_t height = height_of(node);
      if (height < node.height) {
        node.height = height;
        changed = true;
      }
    }
    steps += program_.nodes.size();
    if (steps > kHeightStepsMax)
      return fail(ErrorCode::too_large, "rules that refer to each other in too many ways");
  }
  return {};
}

std::uint16_t ProgramBuilder::height_of(const Node& node) const {
  const auto height = [&](NodeId id) { return program_.nodes[id].height; };
  switch (node.kind) {
    case NodeKind::finish:
      return 0;
    case NodeKind::gap:
    case NodeKind::terminal:
      return height(node.next);
    case NodeKind::choice:
      return height_of(program_.choices[node.what]);
    case NodeKind::call: {
      const std::uint16_t inner = height(node.what);
      if (inner >= kStackDepthMax) return kHeightInfinite;
      return std::max(static_cast<std::uint16_t>(inner + 1), height(node.next));
    }
    case NodeKind::alternatives: {
      std::uint16_t lowest = kHeightInfinite;
      for (std::uint32_t i = 0; i < node.count; ++i)
        lowest = std::min(lowest, height(program_.targets[node.what + i]));
      return lowest;
    }
  }
  return kHeightInfinite;
}

// The frames a member's value needs, not counting what follows it: that is the object itself.
std::uint16_t ProgramBuilder::height_of_member(NodeId id) const {
  while (program_.nodes[id].kind == NodeKind::gap) id = program_.nodes[id].next;
  const Node& node = program_.nodes[id];
  if (node.kind != NodeKind::call) return 0;
  const std::uint16_t inner = program_.nodes[node.what].height;
  return inner >= kStackDepthMax ? kHeightInfinite : static_cast<std::uint16_t>(inner + 1);
}

// The lowest leaf, except that `complete` costs what the required members need.
std::uint16_t ProgramBuilder::height_of(const Choice& choice) const {
  std::uint16_t lowest = kHeightInfinite;
  const Members* members = nullptr;
  for (const Leaf& leaf : choice.leaves) {
    if (leaf.guard == Guard::complete) members = &program_.members[choice.rule];
    if (leaf.guard != Guard::more) lowest = std::min(lowest, program_.nodes[leaf.next].height);
  }
  if (choice.free_key != kNoNode) lowest = std::min(lowest, program_.nodes[choice.free_key].height);
  if (members == nullptr) return lowest;
  std::vector<std::uint16_t> of_member(members->required.size(), kHeightInfinite);
  for (const Leaf& leaf : program_.choices[members->keys].leaves)
    of_member[leaf.key] = std::min(of_member[leaf.key], height_of_member(leaf.next));
  for (std::size_t i = 0; i < of_member.size(); ++i)
    if (members->required[i]) lowest = std::max(lowest, of_member[i]);
  return lowest;
}

}  // namespace fathom::engine
