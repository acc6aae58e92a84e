// The number formats of a V4 checkpoint and of its simulated quantisation (v4-spec §4.1, §5.1), one
// value at a time: plain code that says what the fast kernels must equal bit for bit.
#pragma once

#include "engine/model/weight_matrix.hpp"

#include <bit>
#include <cstdint>
#include <span>

namespace fathom::engine {

/// Two ways to compute (engine.md): as released, with activations rounded to the FP8 grid and KV
/// stored in its native formats, or in f32 throughout.
enum class Numerics : std::uint8_t { official, exact };

constexpr float kE4m3Max = 448.0F;
constexpr float kE2m1Max = 6.0F;

inline float from_bf16(std::uint16_t bits) {
  return std::bit_cast<float>(std::uint32_t{bits} << 16);
}
/// Round to nearest even.
std::uint16_t to_bf16(float value);

/// e4m3fn: no infinities; codes 0x7f and 0xff are NaN.
float from_e4m3(std::uint8_t code);
/// Round to nearest even, saturating at 448; NaN gives 0x7f.
std::uint8_t to_e4m3(float value);

/// The low four bits: a sign and one of 0, .5, 1, 1.5, 2, 3, 4, 6.
float from_e2m1(std::uint8_t code);
/// Round to nearest even, saturating at 6.
std::uint8_t to_e2m1(float value);

/// 2^(code-127); 255 is NaN.
float from_e8m0(std::uint8_t code);

/// The power of two 2^ceil(log2(max(|x|, floor) / grid_max)) as an e8m0 code, from the bits of the
/// f32 product with 1/grid_max, as the official kernels do. `floor` is 1e-4 for FP8 and 6 * 2^-126
/// for FP4. 255 (NaN) where a value is not finite: then the whole block becomes NaN.
std::uint8_t fp8_scale(std::span<const float> block);
std::uint8_t fp4_scale(std::span<const float> block);

/// Rounds to the grid in place: every `block` values become q * s with q on the FP8 grid. The last
/// block may be short.
void round_to_fp8(std::span<float> values, std::size_t block);
/// Likewise FP4, blocks of 32.
void round_to_fp4(std::span<float> values);

/// One row as f32: what the stored bytes mean. `out` has `matrix.cols` values.
void dequantize_row(const WeightMatrix& matrix, std::int64_t row, std::span<float> out);

}  // namespace fathom::engine
