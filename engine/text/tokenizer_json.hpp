// Hugging Face's tokenizer.json, as far as a byte-level BPE tokenizer with DeepSeek-V4's
// pre-tokenizer needs it. Everything in the file that would change an id and is not understood is
// refused by name; what cannot change one (decoder, post-processor, padding) is not looked at.
#pragma once

#include "engine/text/bpe.hpp"
#include "engine/text/token.hpp"
#include "runtime/base/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::engine {

/// A token that no merging makes: markers of the template, `<think>`, placeholders.
struct AddedToken {
  TokenId id = 0;
  std::string text;

  friend bool operator==(const AddedToken&, const AddedToken&) = default;
};

struct TokenizerModel {
  std::vector<std::string> tokens;  ///< bytes by id; empty: added, or an id without a token
  std::vector<Merge> merges;        ///< by rank
  std::vector<AddedToken> added;
};

constexpr std::size_t kVocabMax = 262'144;                   // twice V4's 129,280
constexpr std::size_t kTokenizerJsonBytesMax = 64ull << 20;  // V4's has 8 MB
constexpr std::size_t kAddedTokenBytesMax = 256;

/// Errors name the part of the file and what is wrong with it: `merge 12: unknown token 'Ġzz'`.
Result<TokenizerModel> parse_tokenizer_json(std::string_view json);

}  // namespace fathom::engine
