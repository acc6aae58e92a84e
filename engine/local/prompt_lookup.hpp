// Drafts from what was already said: an edit repeats its context, so where the last tokens stood
// before, those that followed them then are a good guess.
#pragma once

#include "engine/text/token.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace fathom::engine {

/// An index of a growing token sequence. Tokens may be taken back.
class PromptLookup {
 public:
  /// Tokens that must agree before anything is drafted: fewer and prose drafts noise.
  static constexpr std::size_t kMatchMin = 6;

  void append(TokenId token);
  void append(std::span<const TokenId> tokens) {
    for (const TokenId token : tokens) append(token);
  }

  /// Up to `count` tokens that followed the most recent earlier place where the last tokens agree
  /// with the present ones; none without such a place.
  [[nodiscard]] std::span<const TokenId> draft(std::size_t count) const;

  [[nodiscard]] std::span<const TokenId> tokens() const { return tokens_; }

 private:
  static constexpr std::size_t kGram =
      4;  ///< tokens that are hashed; a candidate is then compared in full

  [[nodiscard]] std::uint64_t hash_before(std::size_t end) const;

  std::vector<TokenId> tokens_;
  std::unordered_map<std::uint64_t, std::uint32_t>
      last_;  ///< end of the latest earlier place of a gram
};

}  // namespace fathom::engine
