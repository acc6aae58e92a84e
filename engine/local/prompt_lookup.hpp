// Drafts from what was already said: an edit repeats its context, so where the last tokens stood
// before, those that followed them then are a good guess.
#pragma once

#include "engine/text/token.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
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
  /// Tokens that are looked up; a candidate is then compared in full.
  static constexpr std::size_t kGram = 4;

  [[nodiscard]] bool same_gram(std::size_t end, std::size_t other) const;
  /// The slot of the gram that ends before `end`: its own, or the free one where it belongs.
  [[nodiscard]] std::size_t slot_of(std::size_t end) const;
  void grow();

  std::vector<TokenId> tokens_;
  // Open addressing, at most half full: for each gram the end of its latest earlier place, 0 where
  // free. Eight bytes a token, where a map of nodes takes fifty and an allocation.
  std::vector<std::uint32_t> slots_;
  std::size_t used_ = 0;
};

}  // namespace fathom::engine
