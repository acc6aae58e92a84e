#include "engine/text/grammar_mask.hpp"

#include "runtime/base/ensure.hpp"

#include <algorithm>

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

void unite(std::span<std::uint64_t> mask, std::span<const std::uint64_t> other) {
  for (std::size_t i = 0; i < mask.size(); ++i) mask[i] |= other[i];
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

bool TokenMasks::accept(Stacks& stacks, std::string_view bytes) {
  load_all(stacks, here_);
  for (const char byte : bytes) {
    there_.clear();
    machine_.advance_all(here_, static_cast<unsigned char>(byte), there_);
    if (there_.empty()) return false;
    std::swap(here_, there_);
  }
  stacks.frames.clear();
  stacks.depths.clear();
  for (const Configuration& one : here_) machine_.store(one, stacks);
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
  entry.wide = wide_at(at);
  if (entry.wide != nullptr) {
    walk(entry.wide->rest, machine_.behind_terminal(at), entry.tokens);
  } else {
    walk(vocabulary_.trie(), at, entry.tokens);
  }
  if (entry.tokens.size() <= kListedTokensMax) return;
  entry.mask.resize(vocabulary_.mask_words());
  set_bits(entry.mask, entry.tokens);
  entry.tokens = {};
}

// Null also for strings so near a bound that not every token that stays inside is allowed.
const GrammarVocabulary::Wide* TokenMasks::wide_at(const Configuration& at) const {
  const Node& node = machine_.program().nodes[at.top.node];
  if (node.kind != NodeKind::terminal) return nullptr;
  if (const Bounds* bounds = machine_.bounds_of(node)) {
    const bool short_of_min = at.top.reg < bounds->min;
    const bool near_max = bounds->max != Bounds::kUnbounded &&
                          bounds->max - at.top.reg < vocabulary_.trie().depth_max();
    if (short_of_min || near_max) return nullptr;
  }
  const std::size_t state = at.top.position == 0 ? Terminal::kStart : at.top.position;
  return vocabulary_.wide(node.terminal, state);
}

void TokenMasks::walk(const TokenTrie& trie, const Configuration& from,
                      std::vector<TokenId>& tokens) {
  const auto nodes = trie.nodes();
  levels_.resize(std::max(levels_.size(), trie.depth_max() + 1));
  walked_.assign(1, from);
  levels_[0] = {0, 1, machine_.links()};
  for (std::size_t i = 0; i < nodes.size();) {
    ++visited_;
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
    ++i;
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

std::string TokenMasks::forced(const Stacks& stacks) {
  std::string text;
  std::vector<Configuration> at;
  load_all(stacks, at);
  while (text.size() < kForcedBytesMax) {
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
