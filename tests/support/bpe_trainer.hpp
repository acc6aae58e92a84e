// Learns a small tokenizer from a text, so that tests and benchmarks have merges to work with: no
// real checkpoint's tokenizer.json can be part of this tree.
#pragma once

#include "engine/text/tokenizer_json.hpp"

#include <string_view>

namespace fathom::test {

/// byte_tokenizer's tokens and up to `merges` more, by the usual rule: the pair that is most
/// frequent inside the pieces of `text` becomes the next token (of equal ones that with the lower
/// ids).
engine::TokenizerModel train_tokenizer(std::string_view text, std::size_t merges);

}  // namespace fathom::test
