// Tokenizer: text to token ids and back, from a checkpoint's tokenizer.json.
//
// Special tokens come only from text that says it is a template's. The reference joins all strings
// and lets the tokenizer find markers in them, so that a file with `<｜User｜>` in it can end a
// turn; here such text becomes ordinary tokens. Ids differ from the reference there and nowhere
// else.
#pragma once

#include "engine/text/bpe.hpp"
#include "engine/text/text_piece.hpp"
#include "engine/text/token.hpp"
#include "engine/text/tokenizer_json.hpp"
#include "runtime/base/result.hpp"

#include <bitset>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace fathom::engine {

/// Immutable: threads may share one.
class Tokenizer {
 public:
  /// The errors of parse_tokenizer_json, behind the path.
  static Result<Tokenizer> load(const std::filesystem::path& tokenizer_json);
  static Result<Tokenizer> parse(std::string_view tokenizer_json);
  /// Fails when `model` lacks V4's begin or end of sentence.
  static Result<Tokenizer> create(TokenizerModel model);

  Tokenizer(Tokenizer&&) = default;
  Tokenizer& operator=(Tokenizer&&) = default;

  /// The tokens of ordinary text, which never include an added one. Any bytes, less than 4 GiB;
  /// decode() gives them back exactly.
  [[nodiscard]] std::vector<TokenId> encode(std::string_view text) const;

  /// The tokens of a template: added tokens are found in it (the leftmost, of those the longest).
  [[nodiscard]] std::vector<TokenId> encode_template(std::string_view text) const;

  /// The tokens of all pieces as one text, with added tokens found in template pieces only. Where
  /// two pieces meet inside a word, they are merged as the reference merges the joined string.
  [[nodiscard]] std::vector<TokenId> encode_pieces(std::span<const TextPiece> pieces) const;

  /// Fill in the middle: what the model says next belongs between `prefix` and `suffix`. Without
  /// begin of sentence. `unsupported` when the vocabulary lacks the three markers.
  Result<std::vector<TokenId>> encode_fim(std::string_view prefix, std::string_view suffix) const;

  /// The bytes of the tokens, joined. Not always UTF-8: a cut may stand inside a character.
  [[nodiscard]] std::string decode(std::span<const TokenId> ids) const;

  /// The bytes of one token, the text of an added one; empty for an id without a token.
  [[nodiscard]] std::string_view token_bytes(TokenId id) const;

  /// Whether `id` is an added token, which only a template can have brought in.
  [[nodiscard]] bool is_special(TokenId id) const;

  /// The added token spelled `text`.
  [[nodiscard]] std::optional<TokenId> find_special(std::string_view text) const;

  /// One more than the largest id.
  [[nodiscard]] std::size_t vocab_size() const { return tokens_.size(); }
  [[nodiscard]] TokenId bos() const { return bos_; }
  [[nodiscard]] TokenId eos() const { return eos_; }

 private:
  Tokenizer(TokenizerModel model, const std::array<TokenId, 256>& bytes);

  struct Match {
    std::size_t at = 0;
    std::string_view text;
    TokenId id = 0;
  };
  /// The first added token in `text` from `from` on.
  [[nodiscard]] std::optional<Match> find_added(std::string_view text, std::size_t from) const;
  void append(std::string_view text, std::vector<TokenId>& out) const;

  std::vector<std::string> tokens_;  ///< by id; what the maps and bpe_ look at stands here
  std::vector<bool> added_;
  std::unordered_map<std::string_view, TokenId> specials_;
  std::vector<std::size_t> special_sizes_;  ///< the different lengths, longest first
  std::bitset<256> special_starts_;         ///< their first bytes
  Bpe bpe_;
  TokenId bos_ = 0;
  TokenId eos_ = 0;
};

}  // namespace fathom::engine
