// The small float formats of the checkpoints, one value at a time: the definition that the kernels
// are tested against. Encoders round to nearest, ties to even, and saturate.
#pragma once

#include <cstdint>

namespace fathom::engine {

/// e4m3fn: 4 exponent bits with bias 7, 3 of mantissa, no infinity; 7f and ff are NaN, 448 is the
/// largest value.
float e4m3_decode(std::uint8_t code);
std::uint8_t e4m3_encode(float value);

/// e2m1: the low four bits are sign and 0, 0.5, 1, 1.5, 2, 3, 4, 6. NaN encodes as 6.
float e2m1_decode(std::uint8_t code);
std::uint8_t e2m1_encode(float value);

float bf16_decode(std::uint16_t word);
std::uint16_t bf16_encode(float value);

/// The e8m0 byte of a block's scale (v4-spec §4.1), from its largest magnitude; 255 (NaN) where
/// that is infinite or NaN.
std::uint8_t fp8_scale(float amax);
std::uint8_t fp4_scale(float amax);

}  // namespace fathom::engine
