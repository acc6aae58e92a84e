// The formulas of vector_math.hpp on one float; a test holds the two together bit for bit.
#include "engine/cpu/scalar_math.hpp"

#include <bit>
#include <cmath>
#include <initializer_list>

namespace fathom::engine {

float exp(float x) {
  if (std::isnan(x)) return x;
  constexpr float kRound = 12582912.0f;
  const float bounded = x < -110.0f ? -110.0f : x > 100.0f ? 100.0f : x;
  const float shifted = std::fma(bounded, 1.44269504f, kRound);
  const float n = shifted - kRound;
  float r = std::fma(n, -0.693145752f, bounded);
  r = std::fma(n, -1.42860677e-6f, r);
  float p = 1.0f / 5040;
  for (float coefficient : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f})
    p = std::fma(p, r, coefficient);
  p = std::fma(p * r, r, r) + 1.0f;
  const std::int32_t exponent = std::bit_cast<std::int32_t>(shifted) - 0x4b400000;
  const std::int32_t half = exponent >> 1;
  const auto first = std::bit_cast<float>((half + 127) << 23);
  const auto second = std::bit_cast<float>((exponent - half + 127) << 23);
  return p * first * second;
}

float sigmoid(float x) { return 1.0f / (1.0f + exp(-x)); }

float softplus(float x) {
  if (std::isnan(x)) return x;
  const float y = exp(-std::fabs(x));
  const float s = y / (2.0f + y);
  const float q = s * s;
  float p = 1.0f / 17;
  for (float divisor : {15.0f, 13.0f, 11.0f, 9.0f, 7.0f, 5.0f, 3.0f})
    p = std::fma(p, q, 1.0f / divisor);
  const float log1p = std::fma(p * q, s, s) * 2.0f;
  return (x > 0.0f ? x : 0.0f) + log1p;
}

float e8m0_to_float(std::uint8_t byte) {
  if (byte == 255) return std::bit_cast<float>(0x7fc00000);
  if (byte == 0) return std::bit_cast<float>(0x00400000);
  return std::bit_cast<float>(std::int32_t{byte} << 23);
}

}  // namespace fathom::engine
