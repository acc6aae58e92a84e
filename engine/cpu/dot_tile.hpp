// Products of a few rows with a few vectors along their 16 lanes, both in f32: what attention's
// scores are made of.
#pragma once

#include "engine/cpu/lanes.hpp"

namespace fathom::engine::FATHOM_ISA {

// Accumulators that fit the register file beside the operands: 24 of 32, or 12 of 16.
constexpr int kTileRows = kNative == 16 ? 4 : 2;
constexpr int kTileVectors = 6;

/// R rows and T vectors of `dims` (a multiple of 16) floats; products[t * product_stride + r] gets
/// dot(row r, vector t) in the order of Kernels::dot.
struct TileOperands {
  const float* rows;
  std::int64_t row_stride;
  const float* vectors;
  std::int64_t vector_stride;
  std::int64_t dims;
  float* products;
  std::int64_t product_stride;
};

template <int R, int T>
void dot_tile(const TileOperands& tile) {
  alignas(64) float lanes[R][T][kLanes];
  // Lanes never meet before the last sum, so narrow registers take them in turns.
  for (std::int64_t lane = 0; lane < kLanes; lane += kNative) {
    Native acc[R][T] = {};
#pragma clang loop unroll(disable)
    for (std::int64_t k = lane; k < tile.dims; k += kLanes) {
      Native row[R];
#pragma clang loop unroll(full)
      for (int r = 0; r < R; ++r) row[r] = load<Native>(tile.rows + r * tile.row_stride + k);
#pragma clang loop unroll(full)
      for (int t = 0; t < T; ++t) {
        const auto v = load<Native>(tile.vectors + t * tile.vector_stride + k);
#pragma clang loop unroll(full)
        for (int r = 0; r < R; ++r) acc[r][t] = fma(row[r], v, acc[r][t]);
      }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < R; ++r)
#pragma clang loop unroll(full)
      for (int t = 0; t < T; ++t) store(&lanes[r][t][lane], acc[r][t]);
  }
  for (int t = 0; t < T; ++t)
    for (int r = 0; r < R; ++r) tile.products[t * tile.product_stride + r] = sum(load(lanes[r][t]));
}

template <int R>
FATHOM_INLINE void run_dot_tile(const TileOperands& tile, std::int64_t vectors) {
  switch (vectors) {
    case 1:
      return dot_tile<R, 1>(tile);
    case 2:
      return dot_tile<R, 2>(tile);
    case 3:
      return dot_tile<R, 3>(tile);
    case 4:
      return dot_tile<R, 4>(tile);
    case 5:
      return dot_tile<R, 5>(tile);
    default:
      return dot_tile<R, kTileVectors>(tile);
  }
}

}  // namespace fathom::engine::FATHOM_ISA
