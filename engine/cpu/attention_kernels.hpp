// Sparse attention of one query position, and the indexer's scores.
//
// Attention takes the listed entries in blocks of 64: decodes them once to f32, multiplies all
// heads with them (dot_tile.hpp), and folds the block into each head's running
// maximum, sum and output. The maximum starts at the sink, so a sink far above all scores cannot
// overflow. Scores of all entries are never held at once.
#pragma once

#include "engine/cpu/dot_tile.hpp"
#include "engine/cpu/quantize_kernels.hpp"
#include "engine/cpu/row_kernels.hpp"
#include "engine/cpu/thread_scratch.hpp"

namespace fathom::engine::FATHOM_ISA {

constexpr std::int64_t kHeadGroup = 64;

/// The state of up to kHeadGroup heads over one block, laid out in the thread's buffer.
struct AttentionBuffer {
  float* entries;  ///< [kAttentionBlock][dims]
  float* weights;  ///< [kHeadGroup][kAttentionBlock]: scores, then their exponentials

  static_assert(kAttentionBlock * (kKvDimsMax + kHeadGroup) <= kThreadScratchFloats);

  FATHOM_INLINE explicit AttentionBuffer(float* buffer)
      : entries(buffer), weights(buffer + kAttentionBlock * kKvDimsMax) {}
};

FATHOM_INLINE void scale_row(float* x, std::int64_t n, float factor) {
  for (std::int64_t i = 0; i < n; i += kLanes) store(x + i, load(x + i) * factor);
}

template <int R>
FATHOM_INLINE void score_entries(const Attention& a, AttentionBuffer buffer, std::int64_t entry,
                                 std::int64_t head) {
  const std::int64_t dims = a.shape.dims();
  const std::int64_t left = a.heads - head;
  run_dot_tile<R>({.rows = buffer.entries + entry * dims,
                   .row_stride = dims,
                   .vectors = a.queries + head * dims,
                   .vector_stride = dims,
                   .dims = dims,
                   .products = buffer.weights + head * kAttentionBlock + entry,
                   .product_stride = kAttentionBlock},
                  left < kTileVectors ? left : kTileVectors);
}

inline void score_block(const Attention& a, AttentionBuffer buffer, std::int64_t entries) {
  for (std::int64_t head = 0; head < a.heads; head += kTileVectors) {
    std::int64_t e = 0;
    for (; e + kTileRows <= entries; e += kTileRows) score_entries<kTileRows>(a, buffer, e, head);
    for (; e < entries; ++e) score_entries<1>(a, buffer, e, head);
  }
  for (std::int64_t head = 0; head < a.heads; ++head)
    scale_row(buffer.weights + head * kAttentionBlock, kAttentionBlock, a.scale);
}

/// out[head + t][lanes] += sum over entries of weights * entry, entry by entry.
template <int T, int V>
FATHOM_INLINE void add_values(const Attention& a, AttentionBuffer buffer, std::int64_t entries,
                              std::int64_t head, std::int64_t lane) {
  const std::int64_t dims = a.shape.dims();
  float* out = a.out + head * dims + lane;
  Native acc[T][V];
#pragma clang loop unroll(full)
  for (int t = 0; t < T; ++t)
#pragma clang loop unroll(full)
    for (int v = 0; v < V; ++v) acc[t][v] = load<Native>(out + t * dims + v * kNative);
  for (std::int64_t e = 0; e < entries; ++e) {
    Native value[V];
#pragma clang loop unroll(full)
    for (int v = 0; v < V; ++v)
      value[v] = load<Native>(buffer.entries + e * dims + lane + v * kNative);
#pragma clang loop unroll(full)
    for (int t = 0; t < T; ++t) {
      const Native weight = splat<Native>(buffer.weights[(head + t) * kAttentionBlock + e]);
#pragma clang loop unroll(full)
      for (int v = 0; v < V; ++v) acc[t][v] = fma(weight, value[v], acc[t][v]);
    }
  }
#pragma clang loop unroll(full)
  for (int t = 0; t < T; ++t)
#pragma clang loop unroll(full)
    for (int v = 0; v < V; ++v) store(out + t * dims + v * kNative, acc[t][v]);
}

template <int T>
FATHOM_INLINE void add_values_of(const Attention& a, AttentionBuffer buffer, std::int64_t entries,
                                 std::int64_t head) {
  constexpr int kVectors = kNative == 16 ? 4 : 2;
  const std::int64_t dims = a.shape.dims();
  std::int64_t lane = 0;
  for (; lane + kVectors * kNative <= dims; lane += kVectors * kNative)
    add_values<T, kVectors>(a, buffer, entries, head, lane);
  for (; lane < dims; lane += kNative) add_values<T, 1>(a, buffer, entries, head, lane);
}

inline void add_block(const Attention& a, AttentionBuffer buffer, std::int64_t entries) {
  constexpr int kHeads = kNative == 16 ? 6 : 4;
  std::int64_t head = 0;
  for (; head + kHeads <= a.heads; head += kHeads) add_values_of<kHeads>(a, buffer, entries, head);
  for (; head + 2 <= a.heads; head += 2) add_values_of<2>(a, buffer, entries, head);
  for (; head < a.heads; ++head) add_values_of<1>(a, buffer, entries, head);
}

struct HeadState {
  float top;    ///< the largest score so far, or the sink
  float total;  ///< sum of exp(score - top), the sink's part among them
};

/// Scores to exponentials, and what was summed before to the new maximum.
FATHOM_INLINE void fold_head(HeadState& state, float* weights, std::int64_t entries, float* out,
                             std::int64_t dims) {
  const float here = largest(weights, entries);
  const float top = here > state.top ? here : state.top;
  const Floats shift = exp(broadcast(state.top - top));
  // Equal maxima, also two of -inf, leave everything as it is.
  const float factor = top == state.top ? 1.0f : shift[0];
  Floats acc{};
  for_lanes(entries, [&](std::int64_t i, std::int64_t lanes) __attribute__((always_inline)) {
    store_some(weights + i, exp(load_some(weights + i, lanes) - top), lanes);
    acc += load_some(weights + i, lanes);
  });
  state.total = __builtin_fmaf(state.total, factor, sum(acc));
  state.top = top;
  if (factor != 1.0f) scale_row(out, dims, factor);
}

inline void attend_heads(const Attention& a) {
  const AttentionBuffer buffer(thread_scratch());
  const std::int64_t dims = a.shape.dims();
  HeadState states[kHeadGroup];
  for (std::int64_t h = 0; h < a.heads; ++h)
    states[h] = {a.sinks[h], a.sinks[h] == -__builtin_inff() ? 0.0f : 1.0f};
  __builtin_memset(a.out, 0, static_cast<std::size_t>(a.heads * dims) * sizeof(float));
  for (std::int64_t e = 0; e < a.entry_count; e += kAttentionBlock) {
    const std::int64_t left = a.entry_count - e;
    const std::int64_t entries = left < kAttentionBlock ? left : kAttentionBlock;
    for (std::int64_t i = 0; i < entries; ++i) {
      float* to = buffer.entries + i * dims;
      if (a.format == KvFormat::packed) {
        decode_kv(a.entries[e + i], a.shape, to);
      } else {
        __builtin_memcpy(to, a.entries[e + i], static_cast<std::size_t>(dims) * sizeof(float));
      }
    }
    score_block(a, buffer, entries);
    for (std::int64_t h = 0; h < a.heads; ++h)
      fold_head(states[h], buffer.weights + h * kAttentionBlock, entries, a.out + h * dims, dims);
    add_block(a, buffer, entries);
  }
  for (std::int64_t h = 0; h < a.heads; ++h)
    scale_row(a.out + h * dims, dims, 1.0f / states[h].total);
}

inline void attend(const Attention& attention) {
  for (std::int64_t h = 0; h < attention.heads; h += kHeadGroup) {
    const std::int64_t left = attention.heads - h;
    Attention group = attention;
    group.heads = left < kHeadGroup ? left : kHeadGroup;
    group.queries += h * attention.shape.dims();
    group.sinks += h;
    group.out += h * attention.shape.dims();
    attend_heads(group);
  }
}

}  // namespace fathom::engine::FATHOM_ISA
