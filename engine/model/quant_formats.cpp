#include "engine/model/quant_formats.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace fathom::engine {
namespace {

constexpr float kFp8Floor = 1e-4F;
constexpr float kFp4Floor = 6.0F * 0x1p-126F;
constexpr std::array<float, 8> kE2m1 = {0.0F, 0.5F, 1.0F, 1.5F, 2.0F, 3.0F, 4.0F, 6.0F};

/// NaN when one is among them.
float amax(std::span<const float> block, float floor) {
  float out = floor;
  for (float value : block)
    if (!(std::abs(value) <= out)) out = std::isnan(out) ? out : std::abs(value);
  return out;
}

/// ceil(log2(x)) + 127 for a positive x, read from its exponent: one more when any mantissa bit is
/// set.
std::uint8_t ceil_log2_code(float x) {
  if (!std::isfinite(x)) return 255;
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return static_cast<std::uint8_t>((bits >> 23) + ((bits & 0x7fffff) != 0 ? 1 : 0));
}

}  // namespace

std::uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>((bits >> 16) | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float from_e4m3(std::uint8_t code) {
  static const std::array<float, 256> table = [] {
    std::array<float, 256> out{};
    for (int c = 0; c < 256; ++c) {
      const int exponent = (c >> 3) & 15;
      const int mantissa = c & 7;
      const double magnitude =
          exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
      out[static_cast<std::size_t>(c)] =
          static_cast<float>((c & 0x80) != 0 ? -magnitude : magnitude);
    }
    out[0x7f] = out[0xff] = std::nanf("");
    return out;
  }();
  return table[code];
}

std::uint8_t to_e4m3(float value) {
  if (std::isnan(value)) return 0x7f;
  const int sign = std::signbit(value) ? 0x80 : 0;
  const float magnitude = std::min(std::abs(value), kE4m3Max);
  // Below 2^-6 the step is 2^-9; a value that rounds up to 8 steps is the code of 2^-6 itself.
  if (magnitude < 0x1p-6F)
    return static_cast<std::uint8_t>(sign | static_cast<int>(std::nearbyint(magnitude * 512)));
  const int exponent = std::ilogb(magnitude);
  const int steps =
      static_cast<int>(std::nearbyint(std::ldexp(magnitude, 3 - exponent)));  // 8 to 16
  return static_cast<std::uint8_t>(sign | (((exponent + 7) << 3) + (steps - 8)));
}

float from_e2m1(std::uint8_t code) {
  const float magnitude = kE2m1[code & 7];
  return (code & 8) != 0 ? -magnitude : magnitude;
}

std::uint8_t to_e2m1(float value) {
  const int sign = std::signbit(value) ? 8 : 0;
  const float magnitude = std::min(std::abs(value), kE2m1Max);
  // Halves up to 2, whole numbers up to 4, then 4 or 6; ties go to the even code.
  int code = 0;
  if (magnitude <= 2)
    code = static_cast<int>(std::nearbyint(magnitude * 2));
  else if (magnitude <= 4)
    code = static_cast<int>(std::nearbyint(magnitude)) + 2;
  else
    code = magnitude <= 5 ? 6 : 7;
  return static_cast<std::uint8_t>(sign | code);
}

float from_e8m0(std::uint8_t code) {
  if (code == 255) return std::nanf("");
  return std::ldexp(1.0F, code - 127);
}

std::uint8_t fp8_scale(std::span<const float> block) {
  return ceil_log2_code(amax(block, kFp8Floor) * (1.0F / kE4m3Max));
}

std::uint8_t fp4_scale(std::span<const float> block) {
  return ceil_log2_code(amax(block, kFp4Floor) * (1.0F / kE2m1Max));
}

void round_to_fp8(std::span<float> values, std::size_t block) {
  for (std::size_t at = 0; at < values.size(); at += block) {
    const auto piece = values.subspan(at, std::min(block, values.size() - at));
    const float scale = from_e8m0(fp8_scale(piece));
    for (float& value : piece) value = from_e4m3(to_e4m3(value / scale)) * scale;
  }
}

void round_to_fp4(std::span<float> values) {
  constexpr auto kBlock = static_cast<std::size_t>(kFp4Block);
  for (std::size_t at = 0; at < values.size(); at += kBlock) {
    const auto piece = values.subspan(at, std::min(kBlock, values.size() - at));
    const float scale = from_e8m0(fp4_scale(piece));
    for (float& value : piece) value = from_e2m1(to_e2m1(value / scale)) * scale;
  }
}

void dequantize_row(const WeightMatrix& matrix, std::int64_t row, std::span<float> out) {
  const std::byte* data = matrix.data + row * row_bytes(matrix.format, matrix.cols);
  const auto byte_at = [data](std::int64_t i) { return static_cast<std::uint8_t>(data[i]); };
  const auto cols = static_cast<std::int64_t>(out.size());
  switch (matrix.format) {
    case WeightFormat::f32:
      std::memcpy(out.data(), data, out.size_bytes());
      return;
    case WeightFormat::bf16:
      for (std::int64_t i = 0; i < cols; ++i)
        out[static_cast<std::size_t>(i)] =
            from_bf16(static_cast<std::uint16_t>(byte_at(2 * i) | (byte_at(2 * i + 1) << 8)));
      return;
    case WeightFormat::fp8: {
      const std::uint8_t* scales =
          matrix.scales + row / kFp8Block * ((matrix.cols + kFp8Block - 1) / kFp8Block);
      for (std::int64_t i = 0; i < cols; ++i)
        out[static_cast<std::size_t>(i)] = from_e4m3(byte_at(i)) * from_e8m0(scales[i / kFp8Block]);
      return;
    }
    case WeightFormat::fp4: {
      const std::uint8_t* scales = matrix.scales + row * (matrix.cols / kFp4Block);
      for (std::int64_t i = 0; i < cols; ++i) {
        const int nibble = (byte_at(i / 2) >> (i % 2 * 4)) & 15;
        out[static_cast<std::size_t>(i)] =
            from_e2m1(static_cast<std::uint8_t>(nibble)) * from_e8m0(scales[i / kFp4Block]);
      }
      return;
    }
  }
}

}  // namespace fathom::engine
