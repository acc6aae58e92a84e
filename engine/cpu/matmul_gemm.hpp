// W X for many vectors: a panel of rows is decoded once into f32 and used for all of them.
//
// Panels of 64 rows x 512 columns (128 KiB decoded) and 96 vectors (192 KiB) stay in the second
// cache, a vector tile (12 KiB) and a row tile (8 KiB) in the first. Sums are kept as 16 lanes (64
// bytes each, 384 KiB a panel) between column panels: folding them earlier would be another order.
#pragma once

#include "engine/cpu/matmul_gemv.hpp"
#include "engine/cpu/thread_scratch.hpp"

namespace fathom::engine::FATHOM_ISA {

constexpr std::int64_t kPanelRows = 64;
constexpr std::int64_t kPanelBlocks = kScaleGroup;
constexpr std::int64_t kPanelVectors = 96;

// Accumulators that fit the register file beside the operands: 24 of 32, or 12 of 16.
constexpr int kTileRows = kNative == 16 ? 4 : 2;
constexpr int kTileVectors = 6;

/// A decoded panel and its sums, laid out in the thread's buffer.
struct Panel {
  float* weights;  ///< [kPanelRows][kPanelBlocks * kBlock]
  float* scales;   ///< [kPanelRows][kPanelBlocks][kLanes]
  float* sums;     ///< [kPanelRows][kPanelVectors][kLanes]

  static constexpr std::int64_t kWeightStride = kPanelBlocks * kBlock;
  static constexpr std::int64_t kScaleStride = kPanelBlocks * kLanes;
  static constexpr std::int64_t kSumStride = kPanelVectors * kLanes;
  static constexpr std::int64_t kFloats = kPanelRows * (kWeightStride + kScaleStride + kSumStride);
  static_assert(kFloats <= kThreadScratchFloats);

  FATHOM_INLINE explicit Panel(float* buffer)
      : weights(buffer),
        scales(weights + kPanelRows * kWeightStride),
        sums(scales + kPanelRows * kScaleStride) {}
};

/// One row's blocks [block, block + count) to f32, count <= kPanelBlocks.
template <class Block>
FATHOM_INLINE void decode_row(const WeightMatrix& w, std::int64_t row, std::int64_t block,
                              std::int64_t count, float* out) {
  const std::int64_t stride = w.cols * Block::kBytes / kBlock;
  const std::byte* data = w.data + row * stride;
  for (std::int64_t b = block; b < block + count; ++b, out += kBlock) {
    const std::int64_t at = b * Block::kBytes;
    alignas(64) std::byte tail[Block::kBytes];
    const std::byte* from = data + at;
    if (at + Block::kBytes > stride) {
      __builtin_memset(tail, 0, sizeof tail);
      __builtin_memcpy(tail, from, static_cast<std::size_t>(stride - at));
      from = tail;
    }
    const Block codes(from);
#pragma clang loop unroll(full)
    for (int p = 0; p < 4; ++p) {
      const Pair pair = codes.pair(p);
      store(out + 32 * p, pair.first);
      store(out + 32 * p + 16, pair.second);
    }
  }
}

template <class Block>
void decode_panel(const WeightMatrix& w, RowRange rows, std::int64_t block, std::int64_t count,
                  Panel panel) {
  for (std::int64_t row = rows.begin; row < rows.end; ++row) {
    const std::int64_t r = row - rows.begin;
    decode_row<Block>(w, row, block, count, panel.weights + r * Panel::kWeightStride);
    if constexpr (Block::kScaled) {
      RowScales<Block> scales;
      scales.load(w, row, block);
      for (std::int64_t i = 0; i < count; ++i)
        store(panel.scales + r * Panel::kScaleStride + i * kLanes, scales.at(i));
    }
  }
}

/// Where one register tile finds its operands: R rows of weights, T vectors, R x T sums of 16 lanes
/// (T beside each other). `steps` are 16 columns each; whole blocks where there are scales.
struct TileOperands {
  const float* weights;
  std::int64_t weight_stride;
  const float* scales;
  const float* x;
  std::int64_t x_stride;
  std::int64_t steps;
  float* sums;
  std::int64_t sum_stride;
};

template <bool Scaled, int R, int T>
struct GemmTile {
  Native part[R][T];

  template <bool First>
  FATHOM_INLINE void step(const TileOperands& tile, std::int64_t k) {
    Native w[R];
#pragma clang loop unroll(full)
    for (int r = 0; r < R; ++r) w[r] = load<Native>(tile.weights + r * tile.weight_stride + k);
#pragma clang loop unroll(full)
    for (int t = 0; t < T; ++t) {
      const Native v = load<Native>(tile.x + t * tile.x_stride + k);
#pragma clang loop unroll(full)
      for (int r = 0; r < R; ++r) part[r][t] = First ? w[r] * v : fma(w[r], v, part[r][t]);
    }
  }

  FATHOM_INLINE static float* sum_at(const TileOperands& tile, int r, int t) {
    return tile.sums + r * tile.sum_stride + t * kLanes;
  }

  FATHOM_INLINE void add_scaled(const TileOperands& tile, std::int64_t lane) {
    for (std::int64_t b = 0; b < tile.steps / 8; ++b) {
      const std::int64_t k = b * kBlock + lane;
      step<true>(tile, k);
#pragma clang loop unroll(full)
      for (int s = 1; s < 8; ++s) step<false>(tile, k + s * kLanes);
#pragma clang loop unroll(full)
      for (int r = 0; r < R; ++r) {
        const auto scale = load<Native>(tile.scales + r * Panel::kScaleStride + b * kLanes + lane);
#pragma clang loop unroll(full)
        for (int t = 0; t < T; ++t) {
          float* sum = sum_at(tile, r, t) + lane;
          store(sum, fma(part[r][t], scale, load<Native>(sum)));
        }
      }
    }
  }

  FATHOM_INLINE void add_plain(const TileOperands& tile, std::int64_t lane) {
#pragma clang loop unroll(full)
    for (int r = 0; r < R; ++r)
#pragma clang loop unroll(full)
      for (int t = 0; t < T; ++t) part[r][t] = load<Native>(sum_at(tile, r, t) + lane);
    const std::int64_t end = tile.steps * kLanes;
#pragma clang loop unroll_count(4)
    for (std::int64_t k = lane; k < end; k += kLanes) step<false>(tile, k);
#pragma clang loop unroll(full)
    for (int r = 0; r < R; ++r)
#pragma clang loop unroll(full)
      for (int t = 0; t < T; ++t) store(sum_at(tile, r, t) + lane, part[r][t]);
  }

  static void run(const TileOperands& tile) {
    GemmTile here;
    // Lanes never meet before the last sum, so narrow registers take them in turns.
    for (std::int64_t lane = 0; lane < kLanes; lane += kNative) {
      if constexpr (Scaled) {
        here.add_scaled(tile, lane);
      } else {
        here.add_plain(tile, lane);
      }
    }
  }
};

template <bool Scaled, int R>
FATHOM_INLINE void run_tile(const TileOperands& tile, std::int64_t vectors) {
  switch (vectors) {
    case 1:
      return GemmTile<Scaled, R, 1>::run(tile);
    case 2:
      return GemmTile<Scaled, R, 2>::run(tile);
    case 3:
      return GemmTile<Scaled, R, 3>::run(tile);
    case 4:
      return GemmTile<Scaled, R, 4>::run(tile);
    case 5:
      return GemmTile<Scaled, R, 5>::run(tile);
    default:
      return GemmTile<Scaled, R, kTileVectors>::run(tile);
  }
}

/// All rows of a decoded panel times x (already at the panel's columns and vectors).
template <bool Scaled>
void multiply_panel(Panel panel, std::int64_t rows, std::int64_t blocks,
                    const PreparedActivations& x) {
  for (std::int64_t t = 0; t < x.n; t += kTileVectors) {
    const std::int64_t vectors = x.n - t < kTileVectors ? x.n - t : kTileVectors;
    TileOperands tile{.weights = panel.weights,
                      .weight_stride = Panel::kWeightStride,
                      .scales = panel.scales,
                      .x = x.data + t * x.stride,
                      .x_stride = x.stride,
                      .steps = blocks * 8,
                      .sums = panel.sums + t * kLanes,
                      .sum_stride = Panel::kSumStride};
    std::int64_t r = 0;
    for (; r + kTileRows <= rows; r += kTileRows) {
      run_tile<Scaled, kTileRows>(tile, vectors);
      tile.weights += kTileRows * Panel::kWeightStride;
      tile.scales += kTileRows * Panel::kScaleStride;
      tile.sums += kTileRows * Panel::kSumStride;
    }
    for (; r < rows; ++r) {
      run_tile<Scaled, 1>(tile, vectors);
      tile.weights += Panel::kWeightStride;
      tile.scales += Panel::kScaleStride;
      tile.sums += Panel::kSumStride;
    }
  }
}

template <class Block>
void multiply_rows(const WeightMatrix& w, RowRange rows, const PreparedActivations& x,
                   MatrixOutput y) {
  const Panel panel(thread_scratch());
  const std::int64_t blocks = prepared_size(w.cols) / kBlock;
  const std::int64_t count = rows.end - rows.begin;
  for (std::int64_t r = 0; r < count; ++r)
    __builtin_memset(panel.sums + r * Panel::kSumStride, 0,
                     static_cast<std::size_t>(x.n * kLanes) * sizeof(float));
  for (std::int64_t b = 0; b < blocks; b += kPanelBlocks) {
    const std::int64_t here = blocks - b < kPanelBlocks ? blocks - b : kPanelBlocks;
    decode_panel<Block>(w, rows, b, here, panel);
    multiply_panel<Block::kScaled>(panel, count, here, {x.data + b * kBlock, x.n, x.stride});
  }
  for (std::int64_t t = 0; t < x.n; ++t)
    for (std::int64_t r = 0; r < count; ++r)
      y.data[t * y.stride + rows.begin + r] =
          sum(load(panel.sums + r * Panel::kSumStride + t * kLanes));
}

template <class Block>
void gemm(const WeightMatrix& w, RowRange rows, const PreparedActivations& x, MatrixOutput y) {
  // Groups of vectors of nearly one size, in whole tiles.
  const std::int64_t groups = (x.n + kPanelVectors - 1) / kPanelVectors;
  const std::int64_t tiles = (x.n + groups * kTileVectors - 1) / (groups * kTileVectors);
  const std::int64_t size = tiles * kTileVectors;
  for (std::int64_t row = rows.begin; row < rows.end; row += kPanelRows) {
    const std::int64_t end = rows.end < row + kPanelRows ? rows.end : row + kPanelRows;
    for (std::int64_t t = 0; t < x.n; t += size) {
      const std::int64_t n = x.n - t < size ? x.n - t : size;
      multiply_rows<Block>(w, {row, end}, {x.data + t * x.stride, n, x.stride},
                           {y.data + t * y.stride, y.stride});
    }
  }
}

template <class Block>
FATHOM_INLINE void matmul_format(const WeightMatrix& w, RowRange rows, const PreparedActivations& x,
                                 MatrixOutput y) {
  if (x.n == 1) return gemv<Block, 1>(w, rows, x, y);
  if (x.n == 2) return gemv<Block, 2>(w, rows, x, y);
  return gemm<Block>(w, rows, x, y);
}

inline void matmul_rows(const WeightMatrix& w, RowRange rows, const PreparedActivations& x,
                        MatrixOutput y) {
  switch (w.format) {
    case WeightFormat::f32:
      return matmul_format<F32Block>(w, rows, x, y);
    case WeightFormat::bf16:
      return matmul_format<Bf16Block>(w, rows, x, y);
    case WeightFormat::fp8:
      return matmul_format<Fp8Block>(w, rows, x, y);
    case WeightFormat::fp4:
      return matmul_format<Fp4Block>(w, rows, x, y);
  }
}

}  // namespace fathom::engine::FATHOM_ISA
