// Stored weights to f32 lanes: 128 elements of a row as four pairs of vectors, in the order of
// kernels.hpp.
//
// fp4 with AVX-512: one register holds the block; lane l has elements 8 l … 8 l + 7 as nibbles, and
// vpermps looks only at the low four bits of a lane, so 16 weights cost a shift and a look-up in a
// register of 16 floats.
// fp8: a sign-extended byte shifted left by 7, without bit 14, is the f16 number of 2^-8 times the
// value, subnormals too, and vcvtph2ps makes it f32 (building the f32 directly would make subnormal
// operands, which cost an assist each). The missing 2^8 is in the prepared activations.
#pragma once

#include "engine/cpu/lanes.hpp"
#include "engine/cpu/vector_math.hpp"
#include "engine/model/weight_matrix.hpp"

namespace fathom::engine::FATHOM_ISA {

struct Pair {
  Floats first;
  Floats second;
};

#if defined(__AVX512F__)

FATHOM_INLINE Floats low_halves(__m512i f16) {
  return Floats(_mm512_cvtph_ps(_mm512_castsi512_si256(f16)));
}
FATHOM_INLINE Floats high_halves(__m512i f16) {
  return Floats(_mm512_cvtph_ps(_mm512_extracti64x4_epi64(f16, 1)));
}

/// 32 codes, times 2^-8
FATHOM_INLINE Pair fp8_pair(const std::byte* codes) {
  const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes));
  const __m512i words = _mm512_slli_epi16(_mm512_cvtepi8_epi16(bytes), 7);
  const __m512i f16 = _mm512_and_si512(words, _mm512_set1_epi16(static_cast<short>(0xBFFF)));
  return {low_halves(f16), high_halves(f16)};
}

#elif defined(__AVX2__)

FATHOM_INLINE Floats join(__m256 low, __m256 high) {
  return Floats(
      __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

FATHOM_INLINE Floats fp8_lanes(const std::byte* codes) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes));
  const __m256i words = _mm256_slli_epi16(_mm256_cvtepi8_epi16(bytes), 7);
  const __m256i f16 = _mm256_and_si256(words, _mm256_set1_epi16(static_cast<short>(0xBFFF)));
  return join(_mm256_cvtph_ps(_mm256_castsi256_si128(f16)),
              _mm256_cvtph_ps(_mm256_extracti128_si256(f16, 1)));
}

FATHOM_INLINE Pair fp8_pair(const std::byte* codes) {
  return {fp8_lanes(codes), fp8_lanes(codes + 16)};
}

#else

FATHOM_INLINE Floats fp8_lanes(const std::byte* codes) {
  using Bytes = std::int8_t __attribute__((vector_size(16)));
  const Ints code = __builtin_convertvector(load<Bytes>(codes), Ints);
  // As f32 the code's exponent is 120 too small; subnormal operands only cost time.
  return from_bits(((code & 0x7f) << 20) | (code & INT32_MIN)) * 0x1p112f;
}

FATHOM_INLINE Pair fp8_pair(const std::byte* codes) {
  return {fp8_lanes(codes), fp8_lanes(codes + 16)};
}

#endif

/// The values of the 16 codes in the low four bits of each lane; the bits above are anything.
#if defined(__AVX512F__)

FATHOM_INLINE Floats fp4_lanes(Ints codes) {
  const Floats table = {0.0f,  0.5f,  1.0f,  1.5f,  2.0f,  3.0f,  4.0f,  6.0f,
                        -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f};
  return Floats(_mm512_permutexvar_ps(__m512i(codes), __m512(table)));
}

#elif defined(__AVX2__)

FATHOM_INLINE Floats fp4_lanes(Ints codes) {
  const __m256 table = {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f};
  const auto low = __m256i(__builtin_shufflevector(codes, codes, 0, 1, 2, 3, 4, 5, 6, 7));
  const auto high = __m256i(__builtin_shufflevector(codes, codes, 8, 9, 10, 11, 12, 13, 14, 15));
  const Ints sign = (codes << 28) & INT32_MIN;
  const Floats magnitude = join(_mm256_permutevar8x32_ps(table, low),  //
                                _mm256_permutevar8x32_ps(table, high));
  return from_bits(bits(magnitude) | sign);
}

#else

FATHOM_INLINE Floats fp4_lanes(Ints codes) {
  constexpr float kTable[16] = {0.0f,  0.5f,  1.0f,  1.5f,  2.0f,  3.0f,  4.0f,  6.0f,
                                -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f};
  Floats v;
  for (int lane = 0; lane < kLanes; ++lane) v[lane] = kTable[codes[lane] & 15];
  return v;
}

#endif

FATHOM_INLINE Floats bf16_lanes(const std::byte* from) {
  using Words = std::uint16_t __attribute__((vector_size(32)));
  return from_bits(__builtin_convertvector(load<Words>(from), Ints) << 16);
}

// One format each: how many bytes a block has, whether it has scales (one for all lanes, or one for
// each quarter of them), and its pairs of vectors.
// pair(p) has the steps 2 p and 2 p + 1.

struct Fp4Block {
  static constexpr std::int64_t kBytes = 64;
  static constexpr std::int64_t kScaleQuarters = 4;
  static constexpr bool kScaled = true;
  Ints codes;

  Fp4Block() = default;
  FATHOM_INLINE explicit Fp4Block(const std::byte* from) : codes(load<Ints>(from)) {}
  [[nodiscard]] FATHOM_INLINE Pair pair(int p) const {
    return {fp4_lanes(codes >> (8 * p)), fp4_lanes(codes >> (8 * p + 4))};
  }
};

/// The same of a block with at least three bytes of the matrix behind it. Loaded again from one,
/// two and three bytes on, half of the shifts are loads, of which there are more to be had: 15.0 to
/// 16.9 GB/s of weights from the second cache.
struct InnerFp4Block {
  static constexpr std::int64_t kBytes = 64;
  static constexpr std::int64_t kScaleQuarters = 4;
  static constexpr bool kScaled = true;
  const std::byte* from;

  InnerFp4Block() = default;
  FATHOM_INLINE explicit InnerFp4Block(const std::byte* block) : from(block) {}
  [[nodiscard]] FATHOM_INLINE Pair pair(int p) const {
    const Ints codes = load<Ints>(from + p);
    return {fp4_lanes(codes), fp4_lanes(codes >> 4)};
  }
};

struct Fp8Block {
  static constexpr std::int64_t kBytes = 128;
  static constexpr std::int64_t kScaleQuarters = 1;
  static constexpr bool kScaled = true;
  const std::byte* from;

  Fp8Block() = default;
  FATHOM_INLINE explicit Fp8Block(const std::byte* block) : from(block) {}
  [[nodiscard]] FATHOM_INLINE Pair pair(int p) const { return fp8_pair(from + 32 * p); }
};

struct Bf16Block {
  static constexpr std::int64_t kBytes = 256;
  static constexpr std::int64_t kScaleQuarters = 0;
  static constexpr bool kScaled = false;
  const std::byte* from;

  Bf16Block() = default;
  FATHOM_INLINE explicit Bf16Block(const std::byte* block) : from(block) {}
  [[nodiscard]] FATHOM_INLINE Pair pair(int p) const {
    return {bf16_lanes(from + 64 * p), bf16_lanes(from + 64 * p + 32)};
  }
};

struct F32Block {
  static constexpr std::int64_t kBytes = 512;
  static constexpr std::int64_t kScaleQuarters = 0;
  static constexpr bool kScaled = false;
  const std::byte* from;

  F32Block() = default;
  FATHOM_INLINE explicit F32Block(const std::byte* block) : from(block) {}
  [[nodiscard]] FATHOM_INLINE Pair pair(int p) const {
    return {load(from + 128 * p), load(from + 128 * p + 64)};
  }
};

/// How blocks of rows that are not the last of their matrix are read.
template <class Block>
struct InnerBlock {
  using Type = Block;
};
template <>
struct InnerBlock<Fp4Block> {
  using Type = InnerFp4Block;
};

}  // namespace fathom::engine::FATHOM_ISA
