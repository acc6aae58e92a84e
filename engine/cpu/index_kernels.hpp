// The indexer's scores: every compressed entry against every index head, on each token.
//
// A product is only 128 long, so lanes are keys, not dims: a tile of keys is decoded and turned
// once, and then a multiply-add takes one dim of one head for 16 keys, and no sum ever crosses
// lanes.
#pragma once

#include "engine/cpu/quantize_kernels.hpp"
#include "engine/cpu/thread_scratch.hpp"

namespace fathom::engine::FATHOM_ISA {

constexpr int kKeyVectors = kNative == 16 ? 4 : 2;
constexpr int kIndexHeads = 6;
constexpr std::int64_t kKeyTile = kKeyVectors * kNative;
constexpr std::int64_t kTurnedKeys = kKeyTile < kLanes ? kLanes : kKeyTile;
static_assert(kTurnedKeys * kIndexDimsMax <= kThreadScratchFloats);

FATHOM_INLINE Ints gather_words(const std::byte* from, std::int64_t stride, std::int64_t lanes) {
  Ints words{};
  for (std::int64_t lane = 0; lane < lanes; ++lane) {
    std::int32_t word;
    __builtin_memcpy(&word, from + lane * stride, sizeof word);
    words[lane] = word;
  }
  return words;
}

/// Up to 16 keys to turned[dim][kTurnedKeys], zeros where there is no key.
inline void turn_keys(const IndexScoring& s, std::int64_t key, std::int64_t lanes, float* turned) {
  const std::int64_t stride = index_key_bytes(s.format, s.dims);
  const std::byte* from = s.keys + key * stride;
  if (s.format == KvFormat::f32) {
    for (std::int64_t d = 0; d < s.dims; ++d)
      store(turned + d * kTurnedKeys, from_bits(gather_words(from + 4 * d, stride, lanes)));
    return;
  }
  for (std::int64_t group = 0; group < s.dims / kIndexScaleBlock; ++group) {
    Ints bytes{};
    for (std::int64_t lane = 0; lane < lanes; ++lane)
      bytes[lane] = static_cast<std::int32_t>(from[lane * stride + s.dims / 2 + group]);
    const Floats scale = e8m0(bytes);
    for (std::int64_t word = 4 * group; word < 4 * group + 4; ++word) {
      const Ints codes = gather_words(from + 4 * word, stride, lanes);
#pragma clang loop unroll(full)
      for (int i = 0; i < 8; ++i)
        store(turned + (8 * word + i) * kTurnedKeys, fp4_lanes(codes >> (4 * i)) * scale);
    }
  }
}

template <int T>
FATHOM_INLINE void score_heads(const IndexScoring& s, std::int64_t head, const float* keys,
                               float* scores) {
  const float* q = s.queries + head * s.dims;
  Native acc[T][kKeyVectors] = {};
  for (std::int64_t d = 0; d < s.dims; ++d) {
    Native key[kKeyVectors];
#pragma clang loop unroll(full)
    for (int v = 0; v < kKeyVectors; ++v)
      key[v] = load<Native>(keys + d * kTurnedKeys + v * kNative);
#pragma clang loop unroll(full)
    for (int t = 0; t < T; ++t) {
      const Native value = splat<Native>(q[t * s.dims + d]);
#pragma clang loop unroll(full)
      for (int v = 0; v < kKeyVectors; ++v) acc[t][v] = fma(value, key[v], acc[t][v]);
    }
  }
#pragma clang loop unroll(full)
  for (int v = 0; v < kKeyVectors; ++v) {
    auto score = load<Native>(scores + v * kNative);
#pragma clang loop unroll(full)
    for (int t = 0; t < T; ++t) {
      const Native relu = acc[t][v] < 0.0f ? Native{} : acc[t][v];  // NaN stays
      score = fma(splat<Native>(s.weights[head + t]), relu, score);
    }
    store(scores + v * kNative, score);
  }
}

inline void index_scores(const IndexScoring& s) {
  float* turned = thread_scratch();
  for (std::int64_t key = 0; key < s.count; key += kTurnedKeys) {
    const std::int64_t left = s.count - key;
    const std::int64_t count = left < kTurnedKeys ? left : kTurnedKeys;
    for (std::int64_t k = 0; k < kTurnedKeys; k += kLanes) {
      const std::int64_t rest = count - k < 0 ? 0 : count - k;
      turn_keys(s, rest == 0 ? 0 : key + k, rest < kLanes ? rest : kLanes, turned + k);
    }
    alignas(64) float scores[kTurnedKeys] = {};
    for (std::int64_t k = 0; k < kTurnedKeys; k += kKeyTile) {
      std::int64_t head = 0;
      for (; head + kIndexHeads <= s.heads; head += kIndexHeads)
        score_heads<kIndexHeads>(s, head, turned + k, scores + k);
      // One head alone has too few chains to fill the units: 32 and 64 heads leave two and four.
      for (; head + 2 <= s.heads; head += 2) score_heads<2>(s, head, turned + k, scores + k);
      for (; head < s.heads; ++head) score_heads<1>(s, head, turned + k, scores + k);
    }
    __builtin_memcpy(s.scores + key, scores, static_cast<std::size_t>(count) * sizeof(float));
  }
}

}  // namespace fathom::engine::FATHOM_ISA
