#include "engine/text/bpe.hpp"

#include "runtime/base/ensure.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <queue>

namespace fathom::engine {
namespace {

std::uint64_t mix(std::uint64_t value) {
  value *= 0x9E3779B97F4A7C15;
  return value ^ value >> 32;
}

std::uint64_t hash_pair(TokenId left, TokenId right) {
  return mix(static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
             static_cast<std::uint32_t>(right));
}

// Eight bytes at a time; the length tells "a" from "a\0".
std::uint64_t hash_text(std::string_view text) {
  std::uint64_t hash = text.size();
  const char* at = text.data();
  std::size_t left = text.size();
  for (; left >= 8; left -= 8, at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, 8);
    hash = mix(hash ^ word);
  }
  std::uint64_t word = 0;
  std::memcpy(&word, at, left);
  return mix(mix(hash ^ word));
}

}  // namespace

Bpe::Bpe(const std::array<TokenId, 256>& bytes, const std::vector<Merge>& merges)
    : bytes_(bytes), pairs_(std::bit_ceil(merges.size() * 2 + 1)), wholes_(1024) {
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const Merge& merge = merges[rank];
    std::size_t slot = hash_pair(merge.left, merge.right) & (pairs_.size() - 1);
    while (pairs_[slot].rank != kNoRank) slot = (slot + 1) & (pairs_.size() - 1);
    pairs_[slot] = {merge.left, merge.right, static_cast<std::uint32_t>(rank), merge.result};
  }
}

// The pair's merge, or a free slot, whose rank is kNoRank.
const Bpe::Pair& Bpe::find(TokenId left, TokenId right) const {
  std::size_t slot = hash_pair(left, right) & (pairs_.size() - 1);
  for (;; slot = (slot + 1) & (pairs_.size() - 1)) {
    const Pair& pair = pairs_[slot];
    if (pair.rank == kNoRank || (pair.left == left && pair.right == right)) return pair;
  }
}

TokenId Bpe::find_whole(std::string_view piece) const {
  if (piece.size() > kWholeBytesMax) return -1;
  std::size_t slot = hash_text(piece) & (wholes_.size() - 1);
  for (;; slot = (slot + 1) & (wholes_.size() - 1)) {
    const Whole& whole = wholes_[slot];
    if (whole.id < 0 || whole.text == piece) return whole.id;
  }
}

void Bpe::add_whole(std::string_view text, TokenId id) {
  if (text.size() > kWholeBytesMax) return;
  std::vector<TokenId> merged;
  merge(text, merged);
  if (merged != std::vector<TokenId>{id}) return;
  if (2 * (wholes_used_ + 1) > wholes_.size()) grow_wholes();
  std::size_t slot = hash_text(text) & (wholes_.size() - 1);
  while (wholes_[slot].id >= 0) slot = (slot + 1) & (wholes_.size() - 1);
  wholes_[slot] = {text, id};
  ++wholes_used_;
}

void Bpe::grow_wholes() {
  std::vector<Whole> old(wholes_.size() * 2);
  old.swap(wholes_);
  for (const Whole& whole : old) {
    if (whole.id < 0) continue;
    std::size_t slot = hash_text(whole.text) & (wholes_.size() - 1);
    while (wholes_[slot].id >= 0) slot = (slot + 1) & (wholes_.size() - 1);
    wholes_[slot] = whole;
  }
}

void Bpe::encode(std::string_view piece, std::vector<TokenId>& out) const {
  if (const TokenId whole = find_whole(piece); whole >= 0) {
    out.push_back(whole);
  } else {
    merge(piece, out);
  }
}

void Bpe::merge(std::string_view piece, std::vector<TokenId>& out) const {
  if (piece.size() <= kShortPieceMax) {
    merge_short(piece, out);
  } else {
    merge_long(piece, out);
  }
}

void Bpe::merge_short(std::string_view piece, std::vector<TokenId>& out) const {
  std::array<TokenId, kShortPieceMax> ids{};
  // Of each token and its right neighbour. Ranks stand apart because they are what is searched.
  std::array<std::uint32_t, kShortPieceMax> ranks{};
  std::array<TokenId, kShortPieceMax> results{};
  std::size_t count = piece.size();
  const auto look_up = [&](std::size_t i) {
    const Pair& pair = find(ids[i], ids[i + 1]);
    ranks[i] = pair.rank;
    results[i] = pair.result;
  };
  for (std::size_t i = 0; i < count; ++i) ids[i] = bytes_[static_cast<std::uint8_t>(piece[i])];
  for (std::size_t i = 0; i + 1 < count; ++i) look_up(i);
  while (count > 1) {
    std::uint32_t lowest = kNoRank;
    for (std::size_t i = 0; i + 1 < count; ++i) lowest = std::min(lowest, ranks[i]);
    if (lowest == kNoRank) break;
    std::size_t best = 0;
    while (ranks[best] != lowest) ++best;
    ids[best] = results[best];
    --count;
    const std::size_t behind = count - best - 1;  // tokens that move up by one
    std::copy_n(ids.begin() + best + 2, behind, ids.begin() + best + 1);
    std::copy_n(ranks.begin() + best + 1, behind, ranks.begin() + best);
    std::copy_n(results.begin() + best + 1, behind, results.begin() + best);
    if (best > 0) look_up(best - 1);
    if (best + 1 < count) look_up(best);
  }
  out.insert(out.end(), ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count));
}

// Tokens are a linked list over the places of their first bytes; a merged right neighbour is marked
// dead. A candidate is out of date when its left token is no longer the one it was made for.
void Bpe::merge_long(std::string_view piece, std::vector<TokenId>& out) const {
  constexpr TokenId kDead = -1;
  struct Node {
    TokenId id = kDead;
    std::uint32_t previous = 0;
    std::uint32_t next = 0;
  };
  struct Candidate {
    std::uint32_t rank = 0;
    std::uint32_t at = 0;
    const Pair* pair = nullptr;
    bool operator>(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : at > other.at;
    }
  };
  ENSURE(piece.size() < std::numeric_limits<std::uint32_t>::max(), "pieces are shorter than 4 GiB");
  const auto size = static_cast<std::uint32_t>(piece.size());
  std::vector<Node> nodes(size);
  std::vector<Candidate> storage;
  storage.reserve(size);
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates(
      std::greater<>(), std::move(storage));
  const auto consider = [&](std::uint32_t left, std::uint32_t right) {
    const Pair& pair = find(nodes[left].id, nodes[right].id);
    if (pair.rank != kNoRank) candidates.push({pair.rank, left, &pair});
  };
  for (std::uint32_t i = 0; i < size; ++i)
    nodes[i] = {bytes_[static_cast<std::uint8_t>(piece[i])], i == 0 ? 0 : i - 1, i + 1};
  for (std::uint32_t i = 0; i + 1 < size; ++i) consider(i, i + 1);

  while (!candidates.empty()) {
    const auto [rank, at, pair] = candidates.top();
    candidates.pop();
    Node& left = nodes[at];
    if (left.id != pair->left || left.next == size || nodes[left.next].id != pair->right) continue;
    Node& right = nodes[left.next];
    left.id = pair->result;
    left.next = right.next;
    right.id = kDead;
    if (left.next < size) nodes[left.next].previous = at;
    if (at > 0) consider(left.previous, at);
    if (left.next < size) consider(at, left.next);
  }
  for (std::uint32_t i = 0; i < size; i = nodes[i].next) out.push_back(nodes[i].id);
}

}  // namespace fathom::engine
