// Rounding to the FP8 and FP4 grids of v4-spec §4.1, and the stored forms of KV entries and index
// keys. float_codes.cpp says the same element by element; the tests hold the two together.
#pragma once

#include "engine/cpu/kernels.hpp"
#include "engine/cpu/weight_decode.hpp"

namespace fathom::engine::FATHOM_ISA {

/// The largest magnitude as bits: integers order like magnitudes, and NaN above everything.
FATHOM_INLINE std::int32_t largest_bits(const float* x, std::int64_t n) {
  Ints top{};
  for_lanes(n, [&](std::int64_t i, std::int64_t lanes) __attribute__((always_inline)) {
    const Ints v = bits(abs(load_some(x + i, lanes)));
    top = v > top ? v : top;
  });
  std::int32_t result = 0;
  for (int i = 0; i < kLanes; ++i) result = top[i] > result ? top[i] : result;
  return result;
}

/// The scale's e8m0 byte: the exponent of max(amax, least) * inverse_max, rounded up; 255 where a
/// value is NaN or infinite.
FATHOM_INLINE std::int32_t scale_byte(std::int32_t amax_bits, float least_amax, float inverse_max) {
  if (amax_bits >= 0x7f800000) return 255;
  const float amax = __builtin_bit_cast(float, amax_bits);
  const float exact = (amax > least_amax ? amax : least_amax) * inverse_max;
  const auto exact_bits = __builtin_bit_cast(std::int32_t, exact);
  return (exact_bits >> 23) + ((exact_bits & 0x7fffff) != 0 ? 1 : 0);
}

FATHOM_INLINE float scale_of(std::int32_t byte) {
  return __builtin_bit_cast(float, byte == 255 ? 0x7fc00000 : byte == 0 ? 0x00400000 : byte << 23);
}

FATHOM_INLINE std::int32_t fp8_scale_byte(std::int32_t amax_bits) {
  return scale_byte(amax_bits, 1e-4f, 1.0f / 448.0f);
}
FATHOM_INLINE std::int32_t fp4_scale_byte(std::int32_t amax_bits) {
  return scale_byte(amax_bits, 6 * 0x1p-126f, 1.0f / 6.0f);
}

FATHOM_INLINE Floats with_sign_of(Floats magnitude, Floats signed_value) {
  return from_bits(bits(magnitude) | (bits(signed_value) & INT32_MIN));
}

/// To the nearest e4m3 value, ties to even, saturating; not for NaN.
FATHOM_INLINE Floats round_e4m3(Floats v) {
  const Floats a = abs(v) > 448.0f ? broadcast(448.0f) : abs(v);
  const Ints b = bits(a);
  const Ints normal = (b + 0x7ffff + ((b >> 20) & 1)) & ~0xfffff;
  const Floats subnormal = (a + 0x1p14f) - 0x1p14f;  // a float of that size has steps of 2^-9
  return with_sign_of(a < 0x1p-6f ? subnormal : from_bits(normal), v);
}

/// To the nearest e2m1 value, ties to even, saturating; not for NaN.
FATHOM_INLINE Floats round_e2m1(Floats v) {
  const Floats a = abs(v) > 6.0f ? broadcast(6.0f) : abs(v);
  const Floats halves = (a + 0x1p22f) - 0x1p22f;
  const Floats ones = (a + 0x1p23f) - 0x1p23f;
  const Floats twos = (a + 0x1p24f) - 0x1p24f;
  const Floats above = a < 4.0f ? ones : twos;
  return with_sign_of(a < 2.0f ? halves : above, v);
}

template <class Round>
FATHOM_INLINE void quantize_block(float* x, std::int64_t n, std::int32_t byte, Round round) {
  const float scale = scale_of(byte);
  const float inverse = scale_of(byte == 255 ? 255 : 254 - byte);
  for_lanes(n, [&](std::int64_t i, std::int64_t lanes) __attribute__((always_inline)) {
    // NaN scales make the whole block NaN, through the product.
    store_some(x + i, round(load_some(x + i, lanes) * inverse) * scale, lanes);
  });
}

inline void fp8_quantize(float* x, std::int64_t n, std::int64_t block) {
  for (std::int64_t i = 0; i < n; i += block) {
    const std::int64_t here = n - i < block ? n - i : block;
    quantize_block(x + i, here, fp8_scale_byte(largest_bits(x + i, here)),
                   [](Floats v) __attribute__((always_inline)) { return round_e4m3(v); });
  }
}

inline void fp4_quantize(float* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; i += kFp4Block) {
    const std::int64_t here = n - i < kFp4Block ? n - i : kFp4Block;
    quantize_block(x + i, here, fp4_scale_byte(largest_bits(x + i, here)),
                   [](Floats v) __attribute__((always_inline)) { return round_e2m1(v); });
  }
}

/// The code of a value on the e4m3 grid.
FATHOM_INLINE Ints e4m3_code(Floats q) {
  const Floats a = abs(q);
  const Ints normal = (bits(a) >> 20) - (120 << 3);
  const Ints subnormal = __builtin_convertvector(a * 512.0f, Ints);
  return (a < 0x1p-6f ? subnormal : normal) | ((bits(q) >> 24) & 0x80);
}

/// The code of a value on the e2m1 grid.
FATHOM_INLINE Ints e2m1_code(Floats q) {
  const Floats a = abs(q);
  const Ints normal = (bits(a) >> 22) - (126 << 1);
  const Ints below_one = __builtin_convertvector(a * 2.0f, Ints);
  return (a < 1.0f ? below_one : normal) | ((bits(q) >> 28) & 8);
}

inline void encode_kv(const float* x, KvShape shape, std::byte* entry) {
  using Bytes = std::int8_t __attribute__((vector_size(16)));
  using Words = std::int16_t __attribute__((vector_size(32)));
  const std::int64_t bf16_at = kv_bf16_offset(shape);
  __builtin_memset(entry + shape.fp8_dims, 0, static_cast<std::size_t>(bf16_at - shape.fp8_dims));
  for (std::int64_t i = 0; i < shape.fp8_dims; i += kKvScaleBlock) {
    const std::int32_t byte = fp8_scale_byte(largest_bits(x + i, kKvScaleBlock));
    const float inverse = scale_of(254 - byte);
    for (std::int64_t k = i; k < i + kKvScaleBlock; k += kLanes) {
      const Ints code =
          byte == 255 ? broadcast(0x7f) : e4m3_code(round_e4m3(load(x + k) * inverse));
      store(entry + k, __builtin_convertvector(code, Bytes));
    }
    entry[shape.fp8_dims + i / kKvScaleBlock] = static_cast<std::byte>(byte);
  }
  for_lanes(
      shape.bf16_dims, [&](std::int64_t i, std::int64_t lanes) __attribute__((always_inline)) {
        const Floats v = load_some(x + shape.fp8_dims + i, lanes);
        const Ints b = bits(v);
        const Ints rounded = (b + 0x7fff + ((b >> 16) & 1)) >> 16;
        const Ints word = v == v ? rounded : broadcast(0x7fc0);
        const Words words = __builtin_convertvector(word, Words);
        __builtin_memcpy(entry + bf16_at + 2 * i, &words, static_cast<std::size_t>(2 * lanes));
      });
}

inline void decode_kv(const std::byte* entry, KvShape shape, float* x) {
  for (std::int64_t i = 0; i < shape.fp8_dims; i += kKvScaleBlock) {
    const auto byte = static_cast<std::int32_t>(entry[shape.fp8_dims + i / kKvScaleBlock]);
    const float scale = scale_of(byte) * 256.0f;  // fp8_pair leaves 2^8 out
    for (std::int64_t k = i; k < i + kKvScaleBlock; k += 2 * kLanes) {
      const Pair pair = fp8_pair(entry + k);
      store(x + k, pair.first * scale);
      store(x + k + kLanes, pair.second * scale);
    }
  }
  const std::byte* rest = entry + kv_bf16_offset(shape);
  float* out = x + shape.fp8_dims;
  std::int64_t i = 0;
  for (; i + kLanes <= shape.bf16_dims; i += kLanes) store(out + i, bf16_lanes(rest + 2 * i));
  if (i < shape.bf16_dims) {
    std::byte tail[2 * kLanes] = {};
    __builtin_memcpy(tail, rest + 2 * i, static_cast<std::size_t>(2 * (shape.bf16_dims - i)));
    store_some(out + i, bf16_lanes(tail), shape.bf16_dims - i);
  }
}

inline void encode_index_key(const float* x, std::int64_t dims, std::byte* key) {
  for (std::int64_t i = 0; i < dims; i += kIndexScaleBlock) {
    const std::int32_t byte = fp4_scale_byte(largest_bits(x + i, kIndexScaleBlock));
    const float inverse = scale_of(254 - byte);
    for (std::int64_t k = i; k < i + kIndexScaleBlock; k += kLanes) {
      const Ints code = byte == 255 ? broadcast(7) : e2m1_code(round_e2m1(load(x + k) * inverse));
      for (int j = 0; j < kLanes; j += 2)
        key[(k + j) / 2] = static_cast<std::byte>(code[j] | (code[j + 1] << 4));
    }
    key[dims / 2 + i / kIndexScaleBlock] = static_cast<std::byte>(byte);
  }
}

inline void decode_index_key(const std::byte* key, std::int64_t dims, float* x) {
  using Bytes = std::uint8_t __attribute__((vector_size(16)));
  for (std::int64_t i = 0; i < dims; i += kIndexScaleBlock) {
    const float scale = scale_of(static_cast<std::int32_t>(key[dims / 2 + i / kIndexScaleBlock]));
    const Ints codes = __builtin_convertvector(load<Bytes>(key + i / 2), Ints);
    const Floats low = fp4_lanes(codes) * scale;
    const Floats high = fp4_lanes(codes >> 4) * scale;
    store(x + i, __builtin_shufflevector(low, high, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22,
                                         7, 23));
    store(x + i + kLanes, __builtin_shufflevector(low, high, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28,
                                                  13, 29, 14, 30, 15, 31));
  }
}

}  // namespace fathom::engine::FATHOM_ISA
