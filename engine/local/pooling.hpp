// The softmax pooling of a closed block of tokens (v4-spec §2.6.1).
#pragma once

#include "engine/kv/live_kv.hpp"
#include "engine/model/weights.hpp"

#include <span>

namespace fathom::engine {

/// e[i] = sum_t K_t[i] * softmax_t(S_t[i]) for each channel i < compressor.dim, over the tokens of
/// `block` and, with overlap, those of the block before it. Before norm and rope.
void pool_block(const Compressor& compressor, const CompressorRows& rows, std::int64_t block,
                std::span<float> out);

}  // namespace fathom::engine
