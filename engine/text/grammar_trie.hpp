// Tokens as a tree of their bytes, laid out so that walking it is one pass over an array: a node's
// children follow it, and a subtree that is not wanted is one jump.
#pragma once

#include "engine/text/token.hpp"

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace fathom::engine {

constexpr std::size_t kTokenBytesMax = 4'096;

class TokenTrie {
 public:
  struct Entry {
    std::string_view bytes;
    TokenId token = 0;
  };

  struct Node {
    std::uint32_t subtree_end = 0;   ///< the first node behind this one's subtree
    std::uint32_t tokens_begin = 0;  ///< its own tokens come before those of its children
    std::uint16_t depth = 0;         ///< bytes from the root, 1 for its children
    unsigned char byte = 0;          ///< the last of them
  };

  TokenTrie() : nodes_(1) {}

  /// In any order, equal bytes allowed; none empty or longer than kTokenBytesMax.
  explicit TokenTrie(std::vector<Entry> entries);

  [[nodiscard]] std::span<const Node> nodes() const {
    return std::span(nodes_).first(nodes_.size() - 1);
  }
  /// The tokens that end at `node`.
  [[nodiscard]] std::span<const TokenId> tokens_at(std::size_t node) const {
    return tokens_between(node, node + 1);
  }
  /// The tokens that end in its subtree, itself included.
  [[nodiscard]] std::span<const TokenId> tokens_below(std::size_t node) const {
    return tokens_between(node, nodes_[node].subtree_end);
  }
  [[nodiscard]] std::size_t depth_max() const { return depth_max_; }

 private:
  [[nodiscard]] std::span<const TokenId> tokens_between(std::size_t from, std::size_t to) const {
    return std::span(tokens_).subspan(nodes_[from].tokens_begin,
                                      nodes_[to].tokens_begin - nodes_[from].tokens_begin);
  }

  std::vector<Node> nodes_;  ///< and one behind the last, where the tokens end
  std::vector<TokenId> tokens_;
  std::size_t depth_max_ = 0;
};

}  // namespace fathom::engine
