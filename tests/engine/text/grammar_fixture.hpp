// What the tests and the benchmark of grammars share: made-up vocabularies, dice, random ways to
// cut a text into tokens, and walks through a grammar along its masks.
#pragma once

#include "engine/text/grammar.hpp"
#include "engine/text/grammar_vocabulary.hpp"

#include <deque>
#include <unordered_map>

namespace fathom::engine::test {

/// A seeded sequence (splitmix64), the same on every machine.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t word();
  /// 0 … sides - 1
  std::size_t roll(std::size_t sides) { return static_cast<std::size_t>(word() % sides); }
  bool chance(std::size_t in, std::size_t of) { return roll(of) < in; }

 private:
  std::uint64_t state_;
};

/// Like a byte-level vocabulary of DeepSeek's: special tokens, all bytes, fragments of JSON, DSML,
/// code and words, CJK.
class TestVocabulary {
 public:
  explicit TestVocabulary(std::size_t size);

  [[nodiscard]] const std::shared_ptr<const GrammarVocabulary>& prepared() const {
    return prepared_;
  }
  [[nodiscard]] VocabularyView view() const;
  [[nodiscard]] std::size_t size() const { return views_.size(); }
  /// The bytes of the text, the marker's as its text.
  [[nodiscard]] std::string_view text_of(TokenId token) const {
    return views_[static_cast<std::size_t>(token)];
  }

  /// One of the ways to write `text` in tokens; `｜DSML｜` is always its own token.
  [[nodiscard]] std::vector<TokenId> cut(std::string_view text, Dice& dice) const;
  /// The longest token at each place.
  [[nodiscard]] std::vector<TokenId> cut_greedily(std::string_view text) const;

  static constexpr TokenId kBegin = 0;
  static constexpr TokenId kEnd = 1;
  static constexpr TokenId kThink = 2;
  static constexpr TokenId kMarker = 3;

 private:
  void add(std::string bytes);

  std::deque<std::string> tokens_;
  std::vector<std::string_view> views_;
  std::unordered_map<std::string_view, TokenId> by_bytes_;
  std::size_t longest_ = 0;
  std::vector<TokenId> special_ = {kBegin, kEnd, kThink, kMarker};
  std::shared_ptr<const GrammarVocabulary> prepared_;
};

[[nodiscard]] inline bool has_bit(std::span<const std::uint64_t> mask, TokenId token) {
  return (mask[static_cast<std::size_t>(token) / 64] >> (token % 64) & 1) != 0;
}

/// The mask by asking accept() for every token: slow, and without trie, tables or caches.
std::vector<std::uint64_t> mask_by_force(const GrammarState& state, std::size_t vocabulary);
std::vector<std::uint64_t> mask_of(const GrammarState& state, std::size_t vocabulary);

/// A text that the masks led to, from the start to the end of the sequence: `tokens` random ones,
/// then those that tend to close what is open, and `hints` where they are allowed: chance alone
/// rarely spells a required key.
struct Walk {
  std::string text;
  std::vector<TokenId> tokens;
  bool ended = false;
};
Walk walk(GrammarState state, const TestVocabulary& vocabulary, Dice& dice, std::size_t tokens,
          std::span<const std::string> hints = {});

}  // namespace fathom::engine::test
