// W x for up to sixteen vectors: weights are decoded in registers and used at once, and again for
// each four vectors. Storing them decoded (matmul_gemm.hpp) only pays for more.
//
// A block's eight steps are one chain of multiply-adds, so several rows go side by side to fill the
// units, and their bytes stream from as many places.
#pragma once

#include "engine/cpu/kernels.hpp"
#include "engine/cpu/weight_decode.hpp"

namespace fathom::engine::FATHOM_ISA {

constexpr int kGemvRows = 4;
constexpr std::int64_t kScaleGroup = 4;  ///< blocks whose scales are fetched together

/// Weights have no NaN scales, so 255 may become infinity here; 0 is 2^-127.
FATHOM_INLINE Ints weight_scale_bits(Ints bytes) {
  const Ints shifted = bytes << 23;
  return shifted > 0x00400000 ? shifted : broadcast(0x00400000);
}

FATHOM_INLINE std::int32_t weight_scale_bits(std::uint8_t byte) {
  const std::int32_t shifted = std::int32_t{byte} << 23;
  return shifted > 0x00400000 ? shifted : 0x00400000;
}

/// The scales of one row, `kScaleGroup` blocks at a time.
template <class Block>
struct RowScales;

template <>
struct RowScales<Fp8Block> {
  std::uint8_t bytes[kScaleGroup];

  FATHOM_INLINE void load(const WeightMatrix& w, std::int64_t row, std::int64_t block) {
    const std::int64_t blocks = (w.cols + kFp8Block - 1) / kFp8Block;
    const std::uint8_t* from = w.scales + row / kFp8Block * blocks + block;
    for (std::int64_t i = 0; i < kScaleGroup; ++i) bytes[i] = block + i < blocks ? from[i] : 0;
  }
  [[nodiscard]] FATHOM_INLINE Floats at(std::int64_t i) const {
    return from_bits(broadcast(weight_scale_bits(bytes[i])));
  }
};

template <>
struct RowScales<Fp4Block> {
  Floats values;

  FATHOM_INLINE void load(const WeightMatrix& w, std::int64_t row, std::int64_t block) {
    using Bytes = std::uint8_t __attribute__((vector_size(16)));
    const std::int64_t count = w.cols / kFp4Block;
    const std::int64_t rest = count - block * 4;
    const std::uint8_t* from = w.scales + row * count + block * 4;
    Bytes bytes{};
    if (rest >= 16) {
      __builtin_memcpy(&bytes, from, 16);
    } else {
      for (std::int64_t i = 0; i < rest; ++i) bytes[i] = from[i];
    }
    values = from_bits(weight_scale_bits(__builtin_convertvector(bytes, Ints)));
  }

  [[nodiscard]] FATHOM_INLINE Floats at(std::int64_t i) const {
    const auto first = static_cast<std::int32_t>(4 * i);
#if defined(__AVX512F__)
    const Ints group = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3};
    return Floats(_mm512_permutexvar_ps(__m512i(group + first), __m512(values)));
#else
    const float a = values[first];
    const float b = values[first + 1];
    const float c = values[first + 2];
    const float d = values[first + 3];
    return Floats{a, a, a, a, b, b, b, b, c, c, c, c, d, d, d, d};
#endif
  }
};

template <>
struct RowScales<InnerFp4Block> : RowScales<Fp4Block> {};
template <>
struct RowScales<Bf16Block> {
  FATHOM_INLINE void load(const WeightMatrix&, std::int64_t, std::int64_t) {}
};
template <>
struct RowScales<F32Block> {
  FATHOM_INLINE void load(const WeightMatrix&, std::int64_t, std::int64_t) {}
};

/// R rows times N vectors, in registers.
template <class Block, int R, int N>
struct GemvTile {
  Floats acc[R][N] = {};
  RowScales<Block> scales[R];

  FATHOM_INLINE void load_scales(const WeightMatrix& w, std::int64_t row, std::int64_t block) {
    for (int r = 0; r < R; ++r) scales[r].load(w, row + r, block);
  }

  /// One block of each row, `stride` bytes apart; `i` is its place in the group of scales.
  FATHOM_INLINE void add(const std::byte* data, std::int64_t stride, const PreparedActivations& x,
                         std::int64_t i) {
    Floats part[R][N];
    Block blocks[R];
    // The same place of the next R rows: the hardware starts anew with each row and page, and the
    // decoders leave it no time for that. Behind the last row nothing is read.
#pragma clang loop unroll(full)
    for (int r = 0; r < R; ++r)
#pragma clang loop unroll(full)
      for (std::int64_t line = 0; line < Block::kBytes; line += 64)
        __builtin_prefetch(data + (R + r) * stride + line);
#pragma clang loop unroll(full)
    for (int r = 0; r < R; ++r) blocks[r] = Block(data + r * stride);
#pragma clang loop unroll(full)
    for (int p = 0; p < 4; ++p) {
#pragma clang loop unroll(full)
      for (int r = 0; r < R; ++r) {
        const Pair w = blocks[r].pair(p);
#pragma clang loop unroll(full)
        for (int v = 0; v < N; ++v) {
          const float* at = x.data + v * x.stride + 32 * p;
          Floats& sum = Block::kScaled ? part[r][v] : acc[r][v];
          sum = Block::kScaled && p == 0 ? w.first * engine::FATHOM_ISA::load(at)
                                         : fma(w.first, engine::FATHOM_ISA::load(at), sum);
          sum = fma(w.second, engine::FATHOM_ISA::load(at + 16), sum);
        }
      }
    }
    if constexpr (Block::kScaled) {
#pragma clang loop unroll(full)
      for (int r = 0; r < R; ++r) {
        const Floats scale = scales[r].at(i);
#pragma clang loop unroll(full)
        for (int v = 0; v < N; ++v) acc[r][v] = fma(part[r][v], scale, acc[r][v]);
      }
    }
  }
};

/// The last, partial block of `rows` rows, with zeros behind it.
template <class Block>
struct TailBlocks {
  alignas(64) std::byte bytes[kGemvRows + 1][Block::kBytes] = {};  // InnerFp4Block reads on

  FATHOM_INLINE TailBlocks(const std::byte* from, std::int64_t stride, int rows,
                           std::int64_t count) {
    for (int r = 0; r < rows; ++r)
      __builtin_memcpy(bytes[r], from + r * stride, static_cast<std::size_t>(count));
  }
};

template <class Block, int R, int N>
void gemv_rows(const WeightMatrix& w, std::int64_t row, const PreparedActivations& x,
               MatrixOutput y) {
  const std::int64_t stride = w.cols * Block::kBytes / kBlock;
  const std::byte* data = w.data + row * stride;
  const std::int64_t blocks = w.cols / kBlock;
  PreparedActivations at = x;
  GemvTile<Block, R, N> tile;
  std::int64_t b = 0;
  for (; b + kScaleGroup <= blocks; b += kScaleGroup) {
    tile.load_scales(w, row, b);
#pragma clang loop unroll(full)
    for (std::int64_t i = 0; i < kScaleGroup; ++i) {
      tile.add(data + i * Block::kBytes, stride, at, i);
      at.data += kBlock;
    }
    data += kScaleGroup * Block::kBytes;
  }
  if (b * kBlock < w.cols) tile.load_scales(w, row, b);
  for (std::int64_t i = 0; b + i < blocks; ++i) {
    tile.add(data, stride, at, i);
    at.data += kBlock;
    data += Block::kBytes;
  }
  if (const std::int64_t rest = w.cols % kBlock; rest != 0) {
    const TailBlocks<Block> tail(data, stride, R, rest * Block::kBytes / kBlock);
    tile.add(tail.bytes[0], Block::kBytes, at, blocks - b);
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < N; ++v) y.data[v * y.stride + row + r] = sum(tile.acc[r][v]);
}

/// R rows times all of x's vectors, four at a time: from the second time on the rows are in the
/// first cache.
template <class Block, int R>
FATHOM_INLINE void gemv_vectors(const WeightMatrix& w, std::int64_t row, PreparedActivations x,
                                MatrixOutput y) {
  for (; x.n >= 4; x.n -= 4) {
    // Eight chains at a time are enough, and with more the sums leave the registers.
    for (int r = 0; r < R; r += 2) gemv_rows < Block, R<2 ? R : 2, 4>(w, row + r, x, y);
    x.data += 4 * x.stride;
    y.data += 4 * y.stride;
  }
  if (x.n == 3) gemv_rows<Block, R, 3>(w, row, x, y);
  if (x.n == 2) gemv_rows<Block, R, 2>(w, row, x, y);
  if (x.n == 1) gemv_rows<Block, R, 1>(w, row, x, y);
}

template <class Block>
void gemv(const WeightMatrix& w, RowRange rows, const PreparedActivations& x, MatrixOutput y) {
  std::int64_t row = rows.begin;
  for (; row + kGemvRows <= rows.end; row += kGemvRows) {
    if (row + kGemvRows < w.rows) {
      gemv_vectors<typename InnerBlock<Block>::Type, kGemvRows>(w, row, x, y);
    } else {
      gemv_vectors<Block, kGemvRows>(w, row, x, y);
    }
  }
  for (; row < rows.end; ++row) gemv_vectors<Block, 1>(w, row, x, y);
}

}  // namespace fathom::engine::FATHOM_ISA
