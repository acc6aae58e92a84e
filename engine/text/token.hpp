// What the model counts in: a token is a number that stands for a few bytes of text.
#pragma once

#include <cstdint>

namespace fathom::engine {

/// An id of the checkpoint's vocabulary, counted from 0. Negative ids name no token.
using TokenId = std::int32_t;

}  // namespace fathom::engine
