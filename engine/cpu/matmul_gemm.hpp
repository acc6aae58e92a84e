// W X for many vectors: 64 rows are decoded once into f32 and used for up to 256 vectors.
//
// The 16 lanes of a product are 16 sums that meet only at the end. So they need not be the lanes of
// a register: here a register has 16 rows, one lane of the order is taken through the whole row
// while its sums stay in registers, and then the next lane, in the order in which the tree joins
// them. Lanes kept side by side, as GEMV has them, would be 64 bytes of sums an output that travel
// to the second cache and back for each panel of columns: measured half as fast.
//
// A decoded lane of 32 rows (32 KiB at 4,096 columns) stays in the first cache while a lane of six
// vectors (6 KiB) after the other streams by.
#pragma once

#include "engine/cpu/matmul_gemv.hpp"
#include "engine/cpu/prepared_layout.hpp"
#include "engine/cpu/thread_scratch.hpp"

namespace fathom::engine::FATHOM_ISA {

constexpr std::int64_t kGroupRows = kLanes;  ///< rows that are decoded and turned together
constexpr std::int64_t kGroupsMax = 4;
constexpr std::int64_t kPackedFloats = 256 * 1024;
constexpr std::int64_t kScaleFloats = 64 * 1024;
constexpr std::int64_t kTreeLevels = 4;
constexpr std::int64_t kTreeFloats = kTreeLevels * kGroupsMax * kGroupRows * kGroupTokens;
static_assert(kPackedFloats + kScaleFloats + kTreeFloats <= kThreadScratchFloats);

/// How a block of rows is taken: so many groups of 16 rows, and so many lanes at a time.
struct PackShape {
  std::int64_t steps;   ///< of one lane: padded columns / 16
  std::int64_t groups;  ///< <= kGroupsMax
  std::int64_t lanes;   ///< 16 unless the rows are so long that fewer fit

  FATHOM_INLINE static PackShape of(std::int64_t cols, std::int64_t rows) {
    PackShape shape{(cols + kBlock - 1) / kBlock * 8, (rows + kGroupRows - 1) / kGroupRows, kLanes};
    if (shape.groups > kGroupsMax) shape.groups = kGroupsMax;
    while (shape.floats() > kPackedFloats && shape.groups > 2) shape.groups -= 2;
    while (shape.floats() > kPackedFloats && shape.lanes > 1) shape.lanes /= 2;
    return shape;
  }
  [[nodiscard]] FATHOM_INLINE std::int64_t group_floats() const { return steps * kGroupRows; }
  [[nodiscard]] FATHOM_INLINE std::int64_t lane_floats() const { return groups * group_floats(); }
  [[nodiscard]] FATHOM_INLINE std::int64_t floats() const { return lanes * lane_floats(); }
  [[nodiscard]] FATHOM_INLINE std::int64_t blocks() const { return steps / 8; }
};

/// Decoded rows and unfinished trees, laid out in the thread's buffer.
struct Packed {
  PackShape shape;
  float* weights;  ///< [lane of this pass][group][step][16 rows]
  float* scales;   ///< [group][quarter of the lanes][block][16 rows]
  float* tree;     ///< [level][group][vector][16 rows]

  FATHOM_INLINE Packed(PackShape packed_shape, float* buffer)
      : shape(packed_shape),
        weights(buffer),
        scales(weights + kPackedFloats),
        tree(scales + kScaleFloats) {}
};

// Of each quarter of a and b: the first two lanes alternating, or the last two.
FATHOM_INLINE Ints low_singles(Ints a, Ints b) {
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
}
FATHOM_INLINE Ints high_singles(Ints a, Ints b) {
  return __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
}
FATHOM_INLINE Ints low_pairs(Ints a, Ints b) {
  return __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
}
FATHOM_INLINE Ints high_pairs(Ints a, Ints b) {
  return __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
}
// The even or the odd quarters of a, then of b.
FATHOM_INLINE Ints even_quarters(Ints a, Ints b) {
  return __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
}
FATHOM_INLINE Ints odd_quarters(Ints a, Ints b) {
  return __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
}

/// v[i][lane] becomes v[lane][i]: four by four inside the quarters, then the quarters. Only
/// shuffles that leave their operands alone, or half the time goes into copies.
FATHOM_INLINE void transpose(Ints (&v)[kLanes]) {
#pragma clang loop unroll(full)
  for (int i = 0; i < kLanes; i += 4) {
    const Ints a = low_singles(v[i], v[i + 1]);
    const Ints b = high_singles(v[i], v[i + 1]);
    const Ints c = low_singles(v[i + 2], v[i + 3]);
    const Ints d = high_singles(v[i + 2], v[i + 3]);
    v[i] = low_pairs(a, c);
    v[i + 1] = high_pairs(a, c);
    v[i + 2] = low_pairs(b, d);
    v[i + 3] = high_pairs(b, d);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 4; ++i) {
    const Ints a = even_quarters(v[i], v[i + 4]);
    const Ints b = odd_quarters(v[i], v[i + 4]);
    const Ints c = even_quarters(v[i + 8], v[i + 12]);
    const Ints d = odd_quarters(v[i + 8], v[i + 12]);
    v[i] = even_quarters(a, c);
    v[i + 4] = even_quarters(b, d);
    v[i + 8] = odd_quarters(a, c);
    v[i + 12] = odd_quarters(b, d);
  }
}

/// Where the lanes of one pass go: floats from the group's begin, or -1 for those of other passes.
struct LanePlaces {
  std::int64_t at[kLanes];

  FATHOM_INLINE LanePlaces(const PackShape& shape, std::int64_t first) {
    for (std::int64_t i = 0; i < kLanes; ++i) {
      const bool here = i >= first && i < first + shape.lanes;
      at[lane_in_tree_order(i)] = here ? (i - first) * shape.lane_floats() : -1;
    }
  }
};

/// The blocks of up to 16 rows, `stride` bytes apart.
struct GroupBlock {
  const std::byte* data;
  std::int64_t stride;
  std::int64_t rows;
};

template <class Block>
FATHOM_INLINE void pack_block(const GroupBlock& from, const LanePlaces& places, float* to) {
  for (int p = 0; p < 4; ++p) {
    Ints first[kLanes];
    Ints second[kLanes];
    for (int r = 0; r < kLanes; ++r) {
      if (r >= from.rows) {
        first[r] = second[r] = Ints{};
        continue;
      }
      const Pair pair = Block(from.data + r * from.stride).pair(p);
      first[r] = bits(pair.first);
      second[r] = bits(pair.second);
    }
    transpose(first);
    transpose(second);
    for (int lane = 0; lane < kLanes; ++lane) {
      if (places.at[lane] < 0) continue;
      float* at = to + places.at[lane] + 2 * p * kGroupRows;
      store(at, first[lane]);
      store(at + kGroupRows, second[lane]);
    }
  }
}

// A lane of fp4 is one word of a row's block, so it is turned before it is decoded: an eighth of
// the shuffles.
template <>
FATHOM_INLINE void pack_block<Fp4Block>(const GroupBlock& from, const LanePlaces& places,
                                        float* to) {
  Ints words[kLanes];
  for (int r = 0; r < kLanes; ++r)
    words[r] = r < from.rows ? load<Ints>(from.data + r * from.stride) : Ints{};
  transpose(words);
  for (int lane = 0; lane < kLanes; ++lane) {
    if (places.at[lane] < 0) continue;
    float* at = to + places.at[lane];
#pragma clang loop unroll(full)
    for (int step = 0; step < 8; ++step)
      store(at + step * kGroupRows, fp4_lanes(words[lane] >> (4 * step)));
  }
}

template <class Block>
FATHOM_INLINE void pack_group(const WeightMatrix& w, RowRange rows, const LanePlaces& places,
                              float* to) {
  const std::int64_t stride = w.cols * Block::kBytes / kBlock;
  const std::int64_t whole = w.cols / kBlock;
  const std::int64_t count = rows.end - rows.begin;
  GroupBlock from{w.data + rows.begin * stride, stride, count};
  for (std::int64_t b = 0; b < whole; ++b) {
    pack_block<Block>(from, places, to + b * 8 * kGroupRows);
    from.data += Block::kBytes;
  }
  if (w.cols % kBlock == 0) return;
  alignas(64) std::byte tail[kGroupRows][Block::kBytes] = {};
  for (std::int64_t r = 0; r < count; ++r)
    __builtin_memcpy(tail[r], from.data + r * stride,
                     static_cast<std::size_t>(stride - whole * Block::kBytes));
  pack_block<Block>({tail[0], Block::kBytes, count}, places, to + whole * 8 * kGroupRows);
}

/// Scales of one row to [quarter][block][16 rows]; fp8 has one for all lanes and fills quarter 0.
template <class Block>
FATHOM_INLINE void pack_scales(const WeightMatrix& w, std::int64_t row, const PackShape& shape,
                               float* to) {
  RowScales<Block> scales;
  for (std::int64_t b = 0; b < shape.blocks(); b += kScaleGroup) {
    scales.load(w, row, b);
    for (std::int64_t i = 0; i < kScaleGroup && b + i < shape.blocks(); ++i) {
      const Floats lanes = scales.at(i);
      for (std::int64_t quarter = 0; quarter < Block::kScaleQuarters; ++quarter)
        to[(quarter * shape.blocks() + b + i) * kGroupRows] = lanes[4 * quarter];
    }
  }
}

template <class Block>
void pack_rows(const WeightMatrix& w, RowRange rows, std::int64_t first_lane, Packed packed) {
  const PackShape& shape = packed.shape;
  const LanePlaces places(shape, first_lane);
  for (std::int64_t g = 0; g < shape.groups; ++g) {
    const std::int64_t begin = rows.begin + g * kGroupRows;
    const std::int64_t end = begin + kGroupRows < rows.end ? begin + kGroupRows : rows.end;
    pack_group<Block>(w, {begin, end}, places, packed.weights + g * shape.group_floats());
    if constexpr (Block::kScaled) {
      float* scales = packed.scales + g * 4 * shape.blocks() * kGroupRows;
      for (std::int64_t row = begin; row < end; ++row)
        pack_scales<Block>(w, row, shape, scales + row - begin);
    }
  }
}

/// One lane of a tile: V registers of rows times T vectors.
struct LaneOperands {
  const float* weights;       ///< of the first row
  std::int64_t group_stride;  ///< to the next 16 rows' lane
  const float* scales;
  std::int64_t scale_stride;
  const float* x;
  std::int64_t steps;
  float* tree;  ///< level 0 of the first row and vector
  std::int64_t tree_level;
  std::int64_t tree_group;
};

template <bool Scaled, int V, int T>
struct LaneTile {
  Native acc[V][T] = {};

  /// The v-th register of rows, in memory whose groups of 16 rows are `stride` apart.
  FATHOM_INLINE static std::int64_t at(int v, std::int64_t stride) {
    return v * kNative / kGroupRows * stride + v * kNative % kGroupRows;
  }

  template <bool First>
  FATHOM_INLINE static void step(const LaneOperands& lane, std::int64_t k, Native (&to)[V][T]) {
    Native w[V];
#pragma clang loop unroll(full)
    for (int v = 0; v < V; ++v)
      w[v] = load<Native>(lane.weights + k * kGroupRows + at(v, lane.group_stride));
#pragma clang loop unroll(full)
    for (int t = 0; t < T; ++t) {
      const Native x = splat<Native>(lane.x[k * T + t]);
#pragma clang loop unroll(full)
      for (int v = 0; v < V; ++v) to[v][t] = First ? w[v] * x : fma(w[v], x, to[v][t]);
    }
  }

  // The next tile's lane lies behind this one's.
  FATHOM_INLINE static void prefetch_next(const LaneOperands& lane, std::int64_t block) {
    const float* next = lane.x + (lane.steps + 8 * block) * T;
#pragma clang loop unroll(full)
    for (int line = 0; line < (8 * T + 15) / 16; ++line) __builtin_prefetch(next + 16 * line);
  }

  FATHOM_INLINE void add_plain(const LaneOperands& lane) {
    for (std::int64_t b = 0; b < lane.steps / 8; ++b) {
      prefetch_next(lane, b);
#pragma clang loop unroll(full)
      for (std::int64_t s = 0; s < 8; ++s) step<false>(lane, 8 * b + s, acc);
    }
  }

  FATHOM_INLINE void add_scaled(const LaneOperands& lane) {
    for (std::int64_t b = 0; b < lane.steps / 8; ++b) {
      Native part[V][T];
      prefetch_next(lane, b);
      step<true>(lane, 8 * b, part);
#pragma clang loop unroll(full)
      for (std::int64_t s = 1; s < 8; ++s) step<false>(lane, 8 * b + s, part);
#pragma clang loop unroll(full)
      for (int v = 0; v < V; ++v) {
        const auto scale = load<Native>(lane.scales + b * kGroupRows + at(v, lane.scale_stride));
#pragma clang loop unroll(full)
        for (int t = 0; t < T; ++t) acc[v][t] = fma(part[v][t], scale, acc[v][t]);
      }
    }
  }

  /// Joins the sums of the i-th lane with those of complete subtrees before it.
  FATHOM_INLINE void join(const LaneOperands& lane, std::int64_t i) {
#pragma clang loop unroll(full)
    for (int v = 0; v < V; ++v) {
#pragma clang loop unroll(full)
      for (int t = 0; t < T; ++t) {
        float* node = lane.tree + t * kGroupRows + at(v, lane.tree_group);
        Native value = acc[v][t];
        for (std::int64_t rest = i; (rest & 1) != 0; rest >>= 1) {
          value = load<Native>(node) + value;
          // The root of the whole tree has no level of its own: it ends where the last one was.
          if (rest != 1 || i != kLanes - 1) node += lane.tree_level;
        }
        store(node, value);
      }
    }
  }

  static void run(const LaneOperands& lane, std::int64_t i) {
    LaneTile tile;
    if constexpr (Scaled) {
      tile.add_scaled(lane);
    } else {
      tile.add_plain(lane);
    }
    tile.join(lane, i);
  }
};

template <bool Scaled, int V>
FATHOM_INLINE void run_lane(const LaneOperands& lane, std::int64_t i, std::int64_t vectors) {
  switch (vectors) {
    case 1:
      return LaneTile<Scaled, V, 1>::run(lane, i);
    case 2:
      return LaneTile<Scaled, V, 2>::run(lane, i);
    case 3:
      return LaneTile<Scaled, V, 3>::run(lane, i);
    case 4:
      return LaneTile<Scaled, V, 4>::run(lane, i);
    case 5:
      return LaneTile<Scaled, V, 5>::run(lane, i);
    default:
      return LaneTile<Scaled, V, kTileTokens>::run(lane, i);
  }
}

/// One lane, all packed rows, all of x's vectors: x is at the first tile's begin.
template <class Block>
void multiply_lane(Packed packed, std::int64_t i, std::int64_t place,
                   const PreparedActivations& x) {
  const PackShape& shape = packed.shape;
  const std::int64_t quarter = Block::kScaleQuarters == 4 ? lane_in_tree_order(i) / 4 : 0;
  LaneOperands lane{.weights = nullptr,
                    .group_stride = shape.group_floats(),
                    .scales = nullptr,
                    .scale_stride = 4 * shape.blocks() * kGroupRows,
                    .x = nullptr,
                    .steps = shape.steps,
                    .tree = nullptr,
                    .tree_level = kGroupsMax * kGroupTokens * kGroupRows,
                    .tree_group = kGroupTokens * kGroupRows};
  for (std::int64_t row = 0; row < shape.groups * kGroupRows;) {
    const std::int64_t group = row / kGroupRows;
    const std::int64_t in_group = row % kGroupRows;
    const bool two = row + 2 * kNative <= shape.groups * kGroupRows;
    lane.weights =
        packed.weights + group * shape.group_floats() + place * shape.lane_floats() + in_group;
    lane.scales = packed.scales + group * lane.scale_stride +
                  quarter * shape.blocks() * kGroupRows + in_group;
    for (std::int64_t t = 0; t < x.n; t += kTileTokens) {
      const std::int64_t vectors = x.n - t < kTileTokens ? x.n - t : kTileTokens;
      lane.x = x.data + (i * x.n + t) * shape.steps;
      lane.tree = packed.tree + group * lane.tree_group + t * kGroupRows + in_group;
      if (two) {
        run_lane<Block::kScaled, 2>(lane, i, vectors);
      } else {
        run_lane<Block::kScaled, 1>(lane, i, vectors);
      }
    }
    row += two ? 2 * kNative : kNative;
  }
}

FATHOM_INLINE void write_products(Packed packed, RowRange rows, std::int64_t n, MatrixOutput y) {
  // The root ended at the last level.
  const float* root = packed.tree + (kTreeLevels - 1) * kGroupsMax * kGroupTokens * kGroupRows;
  for (std::int64_t t = 0; t < n; ++t) {
    for (std::int64_t row = rows.begin; row < rows.end; row += kGroupRows) {
      const std::int64_t group = (row - rows.begin) / kGroupRows;
      const float* from = root + (group * kGroupTokens + t) * kGroupRows;
      const std::int64_t left = rows.end - row;
      store_some(y.data + t * y.stride + row, load(from), left < kLanes ? left : kLanes);
    }
  }
}

template <class Block>
void gemm(const WeightMatrix& w, RowRange rows, const PreparedActivations& x, MatrixOutput y) {
  const PackShape shape = PackShape::of(w.cols, rows.end - rows.begin);
  const std::int64_t step = shape.groups * kGroupRows;
  constexpr std::int64_t kTokens = kGroupTokens / kTileTokens * kTileTokens;
  for (std::int64_t row = rows.begin; row < rows.end; row += step) {
    const RowRange here{row, row + step < rows.end ? row + step : rows.end};
    Packed packed(shape, thread_scratch());
    packed.shape.groups = (here.end - here.begin + kGroupRows - 1) / kGroupRows;
    for (std::int64_t t = 0; t < x.n; t += kTokens) {
      const std::int64_t n = x.n - t < kTokens ? x.n - t : kTokens;
      for (std::int64_t i = 0; i < kLanes; ++i) {
        // With one pass, the rows of the vectors before are still there.
        if (i % shape.lanes == 0 && (t == 0 || shape.lanes < kLanes))
          pack_rows<Block>(w, here, i, packed);
        multiply_lane<Block>(packed, i, i % shape.lanes,
                             {x.data + t * shape.steps * kLanes, n, x.stride});
      }
      write_products(packed, here, n, {y.data + t * y.stride, y.stride});
    }
  }
}

template <class Block>
FATHOM_INLINE void matmul_format(const WeightMatrix& w, RowRange rows, const PreparedActivations& x,
                                 MatrixOutput y) {
  if (x.n <= kDirectVectors) return gemv<Block>(w, rows, x, y);
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
