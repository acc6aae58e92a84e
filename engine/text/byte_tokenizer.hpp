// Makes tokenizer.json files: for a model with random weights, and for tests.
#pragma once

#include "engine/text/tokenizer_json.hpp"

namespace fathom::engine {

/// What parse_tokenizer_json reads back as `model`.
[[nodiscard]] std::string to_tokenizer_json(const TokenizerModel& model);

/// The smallest tokenizer with which a V4 model can be run: begin and end of sentence and padding
/// (0, 1, 2, as in the real one), a token for each byte (3 to 258), the other special tokens, and
/// placeholders up to `vocab_size`, so that each id a model of that size says has a text. No
/// merges. `usage` when `vocab_size` leaves no room for all of them.
Result<TokenizerModel> byte_tokenizer(std::size_t vocab_size);

}  // namespace fathom::engine
