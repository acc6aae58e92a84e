#include "engine/text/grammar_machine.hpp"

#include "runtime/base/ensure.hpp"

#include <algorithm>

namespace fathom::engine {
namespace {

// Whitespace where JSON allows it, but never without end: at most one line break and kGapBytesMax
// bytes in a row. The position counts the bytes and remembers the break.
constexpr std::uint32_t kGapBytesMax = 64;
constexpr std::uint32_t kGapBreak = 0x100;

std::uint32_t gap_after(std::uint32_t position, unsigned char byte) {
  if ((position & 0xFF) == kGapBytesMax) return 0;
  if (byte == ' ' || byte == '\t') return position + 1;
  const bool breaks = byte == '\n' && (position & kGapBreak) == 0;
  return breaks ? (position | kGapBreak) + 1 : 0;
}

std::size_t state_of(std::uint32_t position) { return position == 0 ? Terminal::kStart : position; }

// A terminal that is back at its start is the same configuration as one that has just begun.
std::uint32_t position_of(std::uint8_t state) { return state == Terminal::kStart ? 0 : state; }

}  // namespace

Configuration Machine::load(std::span<const Frame> frames) {
  ENSURE(!frames.empty(), "a stack has a bottom");
  Configuration made{.top = frames.back(), .depth = static_cast<std::uint32_t>(frames.size())};
  for (const Frame& frame : frames.first(frames.size() - 1)) {
    links_.push_back({frame, made.below});
    made.below = static_cast<std::uint32_t>(links_.size() - 1);
  }
  return made;
}

void Machine::store(const Configuration& configuration, Stacks& stacks) const {
  stacks.depths.push_back(configuration.depth);
  stacks.frames.resize(stacks.frames.size() + configuration.depth);
  auto out = stacks.frames.rbegin();
  *out++ = configuration.top;
  for (std::uint32_t at = configuration.below; at != Configuration::kNoLink; at = links_[at].below)
    *out++ = links_[at].frame;
}

bool Machine::pop(Configuration& configuration) const {
  if (configuration.below == Configuration::kNoLink) return false;
  const Link& link = links_[configuration.below];
  configuration.top = link.frame;
  configuration.below = link.below;
  --configuration.depth;
  return true;
}

void Machine::push(Configuration& configuration, const Node& call) {
  if (program_.nodes[call.next].kind != NodeKind::finish) {
    Frame back = configuration.top;
    if (call.count > 0 && back.reg < call.count) ++back.reg;
    back.node = call.next;
    back.position = 0;
    links_.push_back({back, configuration.below});
    configuration.below = static_cast<std::uint32_t>(links_.size() - 1);
    ++configuration.depth;
  }
  configuration.top = {.node = call.what};
}

// Finished rules are left at once, so that equal stacks look equal.
void Machine::settle(Configuration& configuration) const {
  while (program_.nodes[configuration.top.node].kind == NodeKind::finish && pop(configuration)) {
  }
}

void Machine::advance(Configuration at, unsigned char byte, std::vector<Configuration>& out) {
  for (;;) {
    const Node& node = program_.nodes[at.top.node];
    Outcome outcome = Outcome::passed;
    switch (node.kind) {
      case NodeKind::finish:
        if (!pop(at)) return;
        continue;
      case NodeKind::call:
        push(at, node);
        continue;
      case NodeKind::alternatives:
        for (std::uint32_t i = 0; i < node.count; ++i) {
          const NodeId target = program_.targets[node.what + i];
          if (!program_.fits(target, at.depth)) continue;
          at.top.node = target;
          at.top.position = 0;
          advance(at, byte, out);
        }
        return;
      case NodeKind::gap:
        if (const std::uint32_t next = gap_after(at.top.position, byte); next != 0) {
          at.top.position = next;
          outcome = Outcome::taken;
        } else {
          at.top.node = node.next;
          at.top.position = 0;
        }
        break;
      case NodeKind::terminal:
        outcome = step_terminal(at, node, byte);
        break;
      case NodeKind::choice:
        outcome = step_choice(at, program_.choices[node.what], byte);
        break;
    }
    if (outcome == Outcome::dead) return;
    if (outcome == Outcome::passed) continue;
    settle(at);
    out.push_back(at);
    return;
  }
}

Machine::Outcome Machine::step_terminal(Configuration& at, const Node& node,
                                        unsigned char byte) const {
  const Terminal& table = engine::terminal(node.terminal);
  const Terminal::State& state = table.states[state_of(at.top.position)];
  const std::uint8_t next = state.next[byte];
  if (next == Terminal::kDead) {
    if (!state.may_end) return Outcome::dead;
    at.top.node = node.next;
    at.top.position = 0;
    return Outcome::passed;
  }
  if (const Bounds* bounds = bounds_of(node); bounds != nullptr && state.boundary) {
    // The byte closes the string or begins another character.
    if (next == Terminal::kDone) {
      if (at.top.reg < bounds->min) return Outcome::dead;
    } else {
      if (at.top.reg >= bounds->max) return Outcome::dead;
      // Beyond the minimum of an endless string there is nothing to count.
      if (bounds->max != Bounds::kUnbounded || at.top.reg < bounds->min) ++at.top.reg;
    }
  }
  if (next == Terminal::kDone) {
    at.top.node = node.next;
    at.top.position = 0;
  } else {
    at.top.position = position_of(next);
  }
  return Outcome::taken;
}

const Leaf* Machine::first_allowed(const Configuration& at, const Choice& choice,
                                   const Choice::State& state) const {
  for (std::uint32_t i = state.leaves_begin; i < state.leaves_end; ++i)
    if (program_.allows(choice, choice.leaves[i], at.top.reg, at.depth)) return &choice.leaves[i];
  return nullptr;
}

void Machine::take(Configuration& at, const Choice& choice, const Leaf& leaf) const {
  at.top.reg = program_.register_after(choice, leaf, at.top.reg);
  at.top.node = leaf.next;
  at.top.position = 0;
}

Machine::Outcome Machine::step_choice(Configuration& at, const Choice& choice,
                                      unsigned char byte) const {
  if ((at.top.position & kFreeKey) != 0)
    return step_free_key(at, choice, at.top.position & ~kFreeKey, byte);
  const Choice::State& state = choice.states[at.top.position];
  const Choice::Edge* edge = choice.find_edge(at.top.position, byte);
  if (edge == nullptr) {
    if (choice.free_key != kNoNode) return step_free_key(at, choice, state.key_state, byte);
    if (!state.ends_here) return Outcome::dead;
    const Leaf& leaf = choice.leaves[state.leaves_begin];
    if (!program_.allows(choice, leaf, at.top.reg, at.depth)) return Outcome::dead;
    take(at, choice, leaf);
    return Outcome::passed;
  }
  const Choice::State& target = choice.states[edge->target];
  const Leaf* leaf = first_allowed(at, choice, target);
  // What no declared key completes may still become a free one.
  const bool free = choice.free_key != kNoNode && target.key_state > Terminal::kDone &&
                    program_.fits(choice.free_key, at.depth);
  if (leaf == nullptr && !free) return Outcome::dead;
  at.top.position = edge->target;
  if (target.edges_begin == target.edges_end) take(at, choice, *leaf);
  return Outcome::taken;
}

Machine::Outcome Machine::step_free_key(Configuration& at, const Choice& choice,
                                        std::size_t key_state, unsigned char byte) const {
  if (key_state <= Terminal::kDone || !program_.fits(choice.free_key, at.depth))
    return Outcome::dead;
  const std::uint8_t next = engine::terminal(TerminalId::key).next(key_state, byte);
  if (next == Terminal::kDead) return Outcome::dead;
  if (next == Terminal::kDone) {
    at.top.node = choice.free_key;
    at.top.position = 0;
  } else {
    at.top.position = kFreeKey | next;
  }
  return Outcome::taken;
}

bool Machine::same(const Configuration& a, const Configuration& b) const {
  if (a.top != b.top || a.depth != b.depth) return false;
  std::uint32_t left = a.below;
  std::uint32_t right = b.below;
  while (left != right) {
    if (links_[left].frame != links_[right].frame) return false;
    left = links_[left].below;
    right = links_[right].below;
  }
  return true;
}

void Machine::advance_all(std::span<const Configuration> from, unsigned char byte,
                          std::vector<Configuration>& out) {
  const std::size_t begin = out.size();
  for (const Configuration& one : from) {
    std::size_t end = out.size();
    advance(one, byte, out);
    for (std::size_t i = end; i < out.size(); ++i) {
      const auto known = std::span(out).subspan(begin, end - begin);
      const bool twice =
          std::ranges::any_of(known, [&](const Configuration& k) { return same(k, out[i]); });
      if (!twice && known.size() < kConfigurationsMax) out[end++] = out[i];
    }
    out.resize(end);
  }
}

void Machine::join(std::span<const Configuration> from, std::vector<Configuration>& out) const {
  for (const Configuration& one : from) {
    const bool twice =
        std::ranges::any_of(out, [&](const Configuration& known) { return same(known, one); });
    if (!twice && out.size() < kConfigurationsMax) out.push_back(one);
  }
}

bool Machine::may_end(Configuration at) const {
  for (;;) {
    const Node& node = program_.nodes[at.top.node];
    switch (node.kind) {
      case NodeKind::finish:
        if (!pop(at)) return true;
        continue;
      case NodeKind::gap:
        at.top.node = node.next;
        at.top.position = 0;
        continue;
      case NodeKind::terminal: {
        const auto& state = engine::terminal(node.terminal).states[state_of(at.top.position)];
        if (!state.may_end) return false;
        // Text of an answer is complete without the calls that may follow it.
        if (node.terminal == TerminalId::content) return true;
        at.top.node = node.next;
        at.top.position = 0;
        continue;
      }
      case NodeKind::choice: {
        const Choice& choice = program_.choices[node.what];
        if ((at.top.position & kFreeKey) != 0) return false;
        const Choice::State& state = choice.states[at.top.position];
        if (!state.ends_here) return false;
        const Leaf& leaf = choice.leaves[state.leaves_begin];
        if (!program_.allows(choice, leaf, at.top.reg, at.depth)) return false;
        take(at, choice, leaf);
        continue;
      }
      case NodeKind::call:
      case NodeKind::alternatives:
        return false;  // no rule is empty
    }
  }
}

Configuration Machine::behind(Configuration at, NodeId next) const {
  at.top.node = next;
  at.top.position = 0;
  settle(at);
  return at;
}

std::uint8_t Machine::free_key_state(const Configuration& at, const Choice& choice) const {
  if (choice.free_key == kNoNode || !program_.fits(choice.free_key, at.depth))
    return Terminal::kDead;
  if ((at.top.position & kFreeKey) != 0) return static_cast<std::uint8_t>(at.top.position);
  const std::uint8_t state = choice.states[at.top.position].key_state;
  return state > Terminal::kDone ? state : Terminal::kDead;
}

}  // namespace fathom::engine
