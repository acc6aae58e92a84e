#include "engine/cpu/float_codes.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace fathom::engine {
namespace {

std::uint8_t sign_bit(float value, int place) {
  return static_cast<std::uint8_t>(std::signbit(value) ? 1 << place : 0);
}

std::uint8_t scale_byte(float amax, float least, float inverse_max) {
  if (!std::isfinite(amax)) return 255;
  const float scale = std::max(amax, least) * inverse_max;
  const auto bits = std::bit_cast<std::uint32_t>(scale);
  return static_cast<std::uint8_t>((bits >> 23) + ((bits & 0x7fffff) != 0 ? 1 : 0));
}

// Of values in rising order, the nearest; of two as near, the one with the even index.
template <std::size_t N>
std::uint8_t nearest_index(const std::array<float, N>& values, float magnitude) {
  const auto above = std::ranges::lower_bound(values, magnitude);
  const auto high = static_cast<std::size_t>(above - values.begin());
  if (high == N) return N - 1;
  if (high == 0) return 0;
  // Exact: values and magnitude share few bits, and the halfway point has one more than a value.
  const double middle = (double{values[high - 1]} + double{values[high]}) / 2;
  const bool up = magnitude > middle || (magnitude == middle && high % 2 == 0);
  return static_cast<std::uint8_t>(up ? high : high - 1);
}

const std::array<float, 127>& e4m3_values() {
  static const auto table = [] {
    std::array<float, 127> values{};
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = e4m3_decode(static_cast<std::uint8_t>(i));
    return values;
  }();
  return table;
}

constexpr std::array<float, 8> kE2m1 = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};

}  // namespace

float e4m3_decode(std::uint8_t code) {
  const int exponent = (code >> 3) & 15;
  const int mantissa = code & 7;
  if (exponent == 15 && mantissa == 7) return std::bit_cast<float>(0x7fc00000);
  const float magnitude = exponent == 0
                              ? std::ldexp(static_cast<float>(mantissa), -9)
                              : std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
  return (code & 0x80) != 0 ? -magnitude : magnitude;
}

std::uint8_t e4m3_encode(float value) {
  if (std::isnan(value)) return 0x7f;
  return nearest_index(e4m3_values(), std::fabs(value)) | sign_bit(value, 7);
}

float e2m1_decode(std::uint8_t code) {
  const float magnitude = kE2m1[code & 7];
  return (code & 8) != 0 ? -magnitude : magnitude;
}

std::uint8_t e2m1_encode(float value) {
  if (std::isnan(value)) return 7;
  return nearest_index(kE2m1, std::fabs(value)) | sign_bit(value, 3);
}

float bf16_decode(std::uint16_t word) { return std::bit_cast<float>(std::uint32_t{word} << 16); }

std::uint16_t bf16_encode(float value) {
  if (std::isnan(value)) return 0x7fc0;
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

std::uint8_t fp8_scale(float amax) { return scale_byte(amax, 1e-4f, 1.0f / 448.0f); }

std::uint8_t fp4_scale(float amax) { return scale_byte(amax, 6 * 0x1p-126f, 1.0f / 6.0f); }

}  // namespace fathom::engine
