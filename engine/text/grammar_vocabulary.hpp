// A vocabulary prepared for grammars: once for a checkpoint, shared, never changed.
//
// Inside a JSON string nearly all of the 129,280 tokens are allowed, and which ones are not does
// not depend on the grammar: only on the state of the string's byte table, and for the few hundred
// tokens that close the string and go on, on what may follow. So for every state of the wide
// terminals (strings, keys, free text) the mask of the tokens that stay inside or end exactly with
// it is computed here, and the tokens that go on are kept as a small trie of what they go on with:
// a thousand tokens such as `.",` and `s",` share one remainder.
#pragma once

#include "engine/text/grammar_terminals.hpp"
#include "engine/text/grammar_trie.hpp"
#include "runtime/base/result.hpp"

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

namespace fathom::engine {

constexpr std::size_t kVocabularyTokensMax = std::size_t{1} << 20;

/// What a tokenizer knows about its tokens. Only read during create().
struct VocabularyView {
  std::span<const std::string_view> token_bytes;  ///< by id; an unused id is empty
  std::span<const TokenId> special{};             ///< never allowed for their text
  TokenId end_of_sequence = 0;                    ///< one of the special tokens
  std::optional<TokenId> marker{};                ///< `｜DSML｜`, one of the special tokens
};

/// What tokens do to the length of a JSON string, seen from between two characters or from inside
/// one (leading continuation bytes belong to a character that was counted).
struct TokenLengths {
  static constexpr std::size_t kShort = 16;

  std::vector<std::uint8_t> code_points;  ///< by token, up to its end or a closing quote; 255: more
  std::vector<TokenId> closing;           ///< tokens with a closing quote
  std::vector<std::uint64_t> closing_mask;
  std::vector<TokenId> longer;  ///< not closing, kShort code points or more
  std::array<std::vector<std::uint64_t>, kShort> at_most;  ///< [n]: not closing, at most n
};

class GrammarVocabulary {
 public:
  /// The tokens allowed in one state of a wide terminal.
  struct Wide {
    std::vector<std::uint64_t> mask;  ///< those that stay inside it or complete it exactly
    TokenTrie rest;                   ///< those that go on behind it, by what they go on with
  };

  /// The same for the tokens of a subtree of the trie that lie behind an opening quote.
  struct Opening {
    std::vector<TokenId> inside;
    TokenTrie rest;
  };

  /// Takes about 0.2 s for 129,280 tokens. Fails when a byte that UTF-8 uses has no token of its
  /// own: then a grammar could reach a place where no token goes on.
  static Result<std::shared_ptr<const GrammarVocabulary>> create(const VocabularyView& view);

  [[nodiscard]] std::size_t size() const { return offsets_.size() - 1; }
  [[nodiscard]] std::size_t mask_words() const { return (size() + 63) / 64; }
  [[nodiscard]] TokenId end_of_sequence() const { return end_of_sequence_; }
  [[nodiscard]] bool has_marker() const { return has_marker_; }
  [[nodiscard]] const TokenTrie& trie() const { return trie_; }

  /// What grammars see of a token: kMarkerByte for the marker, nothing for other special tokens and
  /// those no grammar allows.
  [[nodiscard]] std::string_view bytes_of(TokenId token) const;

  /// Null for the narrow terminals (numbers).
  [[nodiscard]] const Wide* wide(TerminalId terminal, std::size_t state) const;

  /// For strings and keys that begin behind trie node `node`; null where nothing is prepared,
  /// because it is no quote or little hangs below it.
  [[nodiscard]] const Opening* opening(TerminalId terminal, std::size_t node) const;

  [[nodiscard]] const TokenLengths& lengths() const { return lengths_; }

 private:
  GrammarVocabulary() = default;

  void copy_bytes(const VocabularyView& view);
  void measure_lengths();
  [[nodiscard]] Wide make_wide(const Terminal& terminal, std::uint8_t state) const;
  void prepare_openings(TerminalId id);

  struct Range {
    std::size_t begin = 0;
    std::size_t end = 0;
    std::size_t depth = 0;  ///< bytes above it
  };
  template <class Allow>
  TokenTrie run_terminal(const Terminal& table, std::uint8_t state, Range range, Allow allow) const;

  std::string bytes_;
  std::vector<std::uint32_t> offsets_;
  TokenId end_of_sequence_ = 0;
  bool has_marker_ = false;
  TokenTrie trie_;
  std::array<std::vector<Wide>, kTerminals> wide_;
  std::array<std::unordered_map<std::size_t, Opening>, kTerminals> openings_;
  TokenLengths lengths_;
};

}  // namespace fathom::engine
