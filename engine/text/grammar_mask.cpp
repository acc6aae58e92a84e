#include "engine/text/grammar_mask.hpp"

#include "runtime/base/ensure.hpp"

#include <algorithm>
#include <utility>

namespace fathom::engine {
namespace {

std::uint64_t mix(std::uint64_t hash, std::uint64_t word) {
  hash = (hash ^ word) * 0x9E37'79B9'7F4A'7C15;
  return hash ^ (hash >> 29);
}

std::uint64_t hash_of(std::span<const Frame> stack) {
  std::uint64_t hash = stack.size();
  for (const Frame& frame : stack) {
    hash = mix(hash, std::uint64_t{frame.node} << 32 | frame.position);
    hash = mix(hash, frame.reg);
  }
  return hash;
}

void set_bits(std::span<std::uint64_t> mask, std::span<const TokenId> tokens) {
  for (const TokenId token : tokens)
    mask[static_cast<std::size_t>(token) / 64] |= std::uint64_t{1} << (token % 64);
}

void clear_bit(std::span<std::uint64_t> mask, TokenId token) {
  mask[static_cast<std::size_t>(token) / 64] &= ~(std::uint64_t{1} << (token % 64));
}

bool has_bit(std::span<const std::uint64_t> mask, TokenId token) {
  return (mask[static_cast<std::size_t>(token) / 64] >> (token % 64) & 1) != 0;
}

void unite(std::span<std::uint64_t> mask, std::span<const std::uint64_t> other) {
  for (std::size_t i = 0; i < mask.size(); ++i) mask[i] |= other[i];
}

bool is_inside_escape(const Terminal& table, std::size_t state) {
  const Terminal::State& at = table.states[state];
  const auto continuations = std::span(at.next).subspan(0x80, 0x40);
  return !at.boundary && std::ranges::all_of(continuations, [](std::uint8_t next) {
    return next == Terminal::kDead;
  });
}

template <class Visit>
void for_each_stack(const Stacks& stacks, Visit visit) {
  std::size_t at = 0;
  for (const std::uint32_t depth : stacks.depths) {
    visit(std::span(stacks.frames).subspan(at, depth));
    at += depth;
  }
}

}  // namespace

Stacks TokenMasks::start(const Program& program) {
  return {.frames = {{.node = program.start}}, .depths = {1}};
}

void TokenMasks::load_all(const Stacks& stacks, std::vector<Configuration>& out) {
  machine_.truncate(0);
  out.clear();
  for_each_stack(stacks,
                 [&](std::span<const Frame> stack) { out.push_back(machine_.load(stack)); });
}

// Each stack takes the whole token by itself, as when its mask was made: joined earlier, those
// beyond kConfigurationsMax would be dropped and with them what a mask has promised.
bool TokenMasks::accept(Stacks& stacks, std::string_view bytes) {
  machine_.truncate(0);
  reached_.clear();
  for_each_stack(stacks, [&](std::span<const Frame> stack) {
    here_.assign(1, machine_.load(stack));
    for (const char byte : bytes) {
      there_.clear();
      machine_.advance_all(here_, static_cast<unsigned char>(byte), there_);
      std::swap(here_, there_);
      if (here_.empty()) return;
    }
    machine_.join(here_, reached_);
  });
  if (reached_.empty()) return false;
  stacks.frames.clear();
  stacks.depths.clear();
  for (const Configuration& one : reached_) machine_.store(one, stacks);
  return true;
}

bool TokenMasks::may_end(const Stacks& stacks) {
  load_all(stacks, here_);
  return std::ranges::any_of(here_, [&](const Configuration& c) { return machine_.may_end(c); });
}

void TokenMasks::fill(const Stacks& stacks, std::span<std::uint64_t> mask) {
  ENSURE(mask.size() == vocabulary_.mask_words(), "a mask has a bit for each token");
  bool empty = true;
  for_each_stack(stacks, [&](std::span<const Frame> stack) {
    const Remembered& entry = look_up(stack);
    const auto& words = entry.wide != nullptr ? entry.wide->mask : entry.mask;
    if (words.empty()) {
      if (empty) std::ranges::fill(mask, 0);
    } else if (empty) {
      std::ranges::copy(words, mask.begin());
    } else {
      unite(mask, words);
    }
    // A wide entry whose remainders are many has both.
    if (entry.wide != nullptr && !entry.mask.empty()) unite(mask, entry.mask);
    set_bits(mask, entry.tokens);
    empty = false;
  });
  ENSURE(!empty, "a grammar's state has a stack");
  if (may_end(stacks)) {
    const TokenId end = vocabulary_.end_of_sequence();
    set_bits(mask, std::span(&end, 1));
  }
}

const TokenMasks::Remembered& TokenMasks::look_up(std::span<const Frame> stack) {
  const std::uint64_t hash = hash_of(stack);
  if (const auto found = remembered_.find(hash);
      found != remembered_.end() && std::ranges::equal(found->second.stack, stack))
    return found->second;
  if (remembered_.size() >= kRememberedStacksMax) remembered_.clear();
  Remembered& entry = remembered_[hash];
  entry = {};
  entry.stack.assign(stack.begin(), stack.end());
  learn(entry);
  return entry;
}

void TokenMasks::learn(Remembered& entry) {
  machine_.truncate(0);
  const Configuration at = machine_.load(entry.stack);
  if (!learn_terminal(entry, at) && !learn_free_key(entry, at))
    walk(vocabulary_.trie(), at, entry.tokens);
  if (entry.tokens.size() <= kListedTokensMax) return;
  entry.mask.resize(vocabulary_.mask_words());
  set_bits(entry.mask, entry.tokens);
  entry.tokens = {};
}

bool TokenMasks::learn_terminal(Remembered& entry, const Configuration& at) {
  const Node& node = machine_.program().nodes[at.top.node];
  if (node.kind != NodeKind::terminal) return false;
  const std::size_t state = at.top.position == 0 ? Terminal::kStart : at.top.position;
  const GrammarVocabulary::Wide* wide = vocabulary_.wide(node.terminal, state);
  if (wide == nullptr) return false;
  const Bounds* bounds = machine_.bounds_of(node);
  const bool bounded =
      bounds != nullptr && (at.top.reg < bounds->min || bounds->max != Bounds::kUnbounded);
  // Inside an escape a token's first bytes do not count as they do elsewhere: walk it out.
  if (bounded && is_inside_escape(terminal(node.terminal), state)) return false;
  entry.wide = wide;
  walk(wide->rest, machine_.behind(at, node.next), entry.tokens);
  if (bounded) keep_lengths(entry, at, *bounds);
  return true;
}

// Takes out the tokens that would make the string too long or close it too early.
void TokenMasks::keep_lengths(Remembered& entry, const Configuration& at, const Bounds& bounds) {
  const TokenLengths& lengths = vocabulary_.lengths();
  const std::uint64_t left = bounds.max == Bounds::kUnbounded
                                 ? std::numeric_limits<std::uint64_t>::max()
                                 : bounds.max - at.top.reg;
  const std::uint64_t wanted = bounds.min > at.top.reg ? bounds.min - at.top.reg : 0;
  const auto count = [&](TokenId token) {
    return std::uint64_t{lengths.code_points[static_cast<std::size_t>(token)]};
  };
  const auto fits = [&](TokenId token) { return count(token) <= left && count(token) >= wanted; };
  std::erase_if(entry.tokens, [&](TokenId token) { return !fits(token); });

  std::vector<std::uint64_t> mask = entry.wide->mask;
  if (left < TokenLengths::kShort) {
    for (std::size_t i = 0; i < mask.size(); ++i)
      mask[i] &= lengths.at_most[left][i] | lengths.closing_mask[i];
  } else {
    for (const TokenId token : lengths.longer)
      if (count(token) > left) clear_bit(mask, token);
  }
  for (const TokenId token : lengths.closing)
    if (!fits(token)) clear_bit(mask, token);
  entry.wide = nullptr;
  entry.mask = std::move(mask);
}

bool TokenMasks::learn_free_key(Remembered& entry, const Configuration& at) {
  const Node& node = machine_.program().nodes[at.top.node];
  if (node.kind != NodeKind::choice) return false;
  const Choice& choice = machine_.program().choices[node.what];
  const std::uint8_t state = machine_.free_key_state(at, choice);
  if (state == Terminal::kDead) return false;
  entry.wide = vocabulary_.wide(TerminalId::key, state);
  walk(entry.wide->rest, machine_.behind(at, choice.free_key), entry.tokens);
  if ((at.top.position & kFreeKey) == 0) redo_declared_keys(entry, at, choice);
  return true;
}

// The tokens that complete a declared key were taken for other keys: they go by that key's rule.
// They lie where the trie of tokens and the tree of keys agree up to a closing quote.
void TokenMasks::redo_declared_keys(Remembered& entry, const Configuration& at,
                                    const Choice& choice) {
  const TokenTrie& trie = vocabulary_.trie();
  const auto nodes = trie.nodes();
  std::vector<std::uint32_t> path(trie.depth_max() + 1);
  path[0] = at.top.position;
  std::vector<std::size_t> completing;  // trie nodes
  for (std::size_t i = 0; i < nodes.size();) {
    const Choice::Edge* edge = choice.find_edge(path[nodes[i].depth - 1U], nodes[i].byte);
    const bool free = edge != nullptr && choice.states[edge->target].key_state > Terminal::kDone;
    if (edge != nullptr && !free) completing.push_back(i);
    if (!free) {
      i = nodes[i].subtree_end;
      continue;
    }
    path[nodes[i].depth] = edge->target;
    ++i;
  }
  if (completing.empty()) return;
  std::vector<std::uint64_t> redone(vocabulary_.mask_words());
  for (const std::size_t node : completing) set_bits(redone, trie.tokens_below(node));
  std::erase_if(entry.tokens, [&](TokenId token) { return has_bit(redone, token); });
  std::vector<std::uint64_t> mask = entry.wide->mask;
  for (std::size_t i = 0; i < mask.size(); ++i) mask[i] &= ~redone[i];
  set_bits(mask, entry.tokens);
  entry.tokens.clear();
  std::vector<TokenId> allowed;
  for (const std::size_t node : completing) walk_below(node, at, allowed);
  set_bits(mask, allowed);
  entry.wide = nullptr;
  entry.mask = std::move(mask);
}

void TokenMasks::walk(const TokenTrie& trie, const Configuration& from,
                      std::vector<TokenId>& tokens) {
  const std::size_t links = machine_.links();
  levels_.resize(std::max(levels_.size(), trie.depth_max() + 1));
  walked_.assign(1, from);
  levels_[0] = {0, 1, links};
  walk_nodes(trie, 0, trie.nodes().size(), tokens);
  walk_deferred(links, tokens);
}

// Behind a quote that opens an ordinary string or key, the tokens below `node` are known but for
// their remainders. False where they have to be walked.
bool TokenMasks::skip_opening(std::size_t node, const Configuration& at,
                              std::vector<TokenId>& tokens) {
  if (at.top.position != 0) return false;
  const Program& program = machine_.program();
  const Node& top = program.nodes[at.top.node];
  TerminalId id = TerminalId::string;
  NodeId next = top.next;
  if (top.kind == NodeKind::choice) {
    const Choice& choice = program.choices[top.what];
    if (!choice.edges.empty() || machine_.free_key_state(at, choice) == Terminal::kDead)
      return false;
    id = TerminalId::key;
    next = choice.free_key;
  } else if (top.kind != NodeKind::terminal || top.terminal != id) {
    return false;
  } else if (const Bounds* bounds = machine_.bounds_of(top)) {
    if (bounds->min > 0 || bounds->max < vocabulary_.trie().depth_max()) return false;
  }
  const GrammarVocabulary::Opening* opening = vocabulary_.opening(id, node);
  if (opening == nullptr) return false;
  tokens.insert(tokens.end(), opening->inside.begin(), opening->inside.end());
  if (!opening->rest.nodes().empty()) {
    Stacks from;
    machine_.store(machine_.behind(at, next), from);
    deferred_.push_back({&opening->rest, std::move(from)});
  }
  return true;
}

// Remainders have no openings of their own, so nothing is deferred again. The first `links` links
// stay as they are.
void TokenMasks::walk_deferred(std::size_t links, std::vector<TokenId>& tokens) {
  const std::vector<Deferred> waiting = std::exchange(deferred_, {});
  for (const Deferred& one : waiting) {
    machine_.truncate(links);
    walk(*one.rest, machine_.load(one.from.frames), tokens);
  }
}

// The subtree of `node`, which `from` reaches along the bytes above it.
void TokenMasks::walk_below(std::size_t node, const Configuration& from,
                            std::vector<TokenId>& tokens) {
  const TokenTrie& trie = vocabulary_.trie();
  const std::size_t above = trie.nodes()[node].depth - 1U;
  const std::size_t links = machine_.links();
  here_.assign(1, from);
  for (const char byte : vocabulary_.bytes_of(trie.tokens_below(node).front()).substr(0, above)) {
    there_.clear();
    machine_.advance_all(here_, static_cast<unsigned char>(byte), there_);
    std::swap(here_, there_);
  }
  levels_.resize(std::max(levels_.size(), trie.depth_max() + 1));
  walked_ = here_;
  levels_[above] = {0, walked_.size(), machine_.links()};
  walk_nodes(trie, node, trie.nodes()[node].subtree_end, tokens);
  walk_deferred(links, tokens);
}

// Nodes begin … end of the trie, from the configurations of the level above the first of them.
void TokenMasks::walk_nodes(const TokenTrie& trie, std::size_t begin, std::size_t end,
                            std::vector<TokenId>& tokens) {
  const auto nodes = trie.nodes();
  const bool whole = &trie == &vocabulary_.trie();  // openings are prepared for its nodes
  for (std::size_t i = begin; i < end;) {
    const std::size_t depth = nodes[i].depth;
    const Level above = levels_[depth - 1];
    walked_.resize(above.end);
    machine_.truncate(above.links);
    if (above.end - above.begin == 1) {
      machine_.advance(walked_[above.begin], nodes[i].byte, walked_);
    } else {
      here_.assign(walked_.begin() + static_cast<std::ptrdiff_t>(above.begin),
                   walked_.begin() + static_cast<std::ptrdiff_t>(above.end));
      machine_.advance_all(here_, nodes[i].byte, walked_);
    }
    if (walked_.size() == above.end) {
      i = nodes[i].subtree_end;
      continue;
    }
    levels_[depth] = {above.end, walked_.size(), machine_.links()};
    const auto here = trie.tokens_at(i);
    tokens.insert(tokens.end(), here.begin(), here.end());
    const bool known = whole && nodes[i].byte == '"' && walked_.size() - above.end == 1 &&
                       skip_opening(i, walked_.back(), tokens);
    i = known ? nodes[i].subtree_end : i + 1;
  }
}

// The one byte that may come next, or -1 where there are several or the document may end.
int TokenMasks::only_byte(std::span<const Configuration> at) {
  for (const Configuration& one : at)
    if (machine_.may_end(one)) return -1;
  int only = -1;
  for (int byte = 0; byte < 256; ++byte) {
    there_.clear();
    for (const Configuration& one : at)
      machine_.advance(one, static_cast<unsigned char>(byte), there_);
    if (there_.empty()) continue;
    if (only >= 0) return -1;
    only = byte;
  }
  return only;
}

std::string TokenMasks::forced(const Stacks& stacks, std::size_t bytes_max) {
  std::string text;
  std::vector<Configuration> at;
  load_all(stacks, at);
  while (text.size() < bytes_max) {
    const int byte = only_byte(at);
    if (byte < 0) break;
    if (byte == kMarkerByte) {
      text += kMarkerText;
    } else {
      text += static_cast<char>(byte);
    }
    there_.clear();
    machine_.advance_all(at, static_cast<unsigned char>(byte), there_);
    std::swap(at, there_);
  }
  return text;
}

}  // namespace fathom::engine
