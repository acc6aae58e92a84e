// A token's number in the vocabulary of a checkpoint.
#pragma once

#include <cstdint>

namespace fathom::engine {

using TokenId = std::int32_t;

}  // namespace fathom::engine
