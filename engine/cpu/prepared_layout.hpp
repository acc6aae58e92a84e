// How prepared activations lie in memory: what activations.cpp writes and the matmul kernels read.
//
// Up to kDirectVectors: vector after vector, each in the order of its format's lanes and steps,
// [block][step][lane]. More: groups of kGroupTokens vectors, in a group [lane][tile][block][step]
// [vector], so that one lane of all tiles is one stream. A tile has kTileTokens vectors, the last
// of all what is left, and the lanes are in the order in which the final tree joins them.
#pragma once

#include <cstdint>

namespace fathom::engine {

constexpr std::int64_t kDirectVectors = 16;
constexpr std::int64_t kTileTokens = 6;
constexpr std::int64_t kGroupTokens = 42 * kTileTokens;

/// The tree adds lanes l and l + 8, then l + 4, l + 2, l + 1: taken in the order of reversed bits,
/// each sum is complete before the next is begun.
constexpr std::int64_t lane_in_tree_order(std::int64_t i) {
  return (i & 1) << 3 | (i & 2) << 1 | (i & 4) >> 1 | (i & 8) >> 3;
}

}  // namespace fathom::engine
