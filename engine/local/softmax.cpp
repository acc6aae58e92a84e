// Compiled with -ffp-contract=off: a fused multiply-add on one machine and none on another would
// let a seed draw different tokens.
#include "engine/local/softmax.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace fathom::engine {
namespace {

constexpr std::size_t kLanes = 8;
constexpr float kExpMin = -87;  // exp of it is just above the smallest normal float

// exp(x) = 2^n * 2^f with |f| <= 1/2; the polynomial is the Taylor series of 2^f. Not std::exp:
// libraries differ in its last bit, and it does not vectorise.
float exp_of_negative(float x) {
  const float clamped = std::max(x, kExpMin);
  const float scaled = clamped * 1.44269504F;
  const auto n = static_cast<std::int32_t>(scaled - 0.5F);
  const float f = scaled - static_cast<float>(n);
  float power = 1.5403530e-4F;
  power = power * f + 1.3333558e-3F;
  power = power * f + 9.6181291e-3F;
  power = power * f + 5.5504109e-2F;
  power = power * f + 2.4022651e-1F;
  power = power * f + 6.9314718e-1F;
  power = power * f + 1.0F;
  const float scale = std::bit_cast<float>((n + 127) << 23);
  return x < kExpMin ? 0.0F : power * scale;
}

double total(const std::array<double, kLanes>& lanes) {
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
         ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

}  // namespace

float max_of(std::span<const float> values) {
  std::array<float, kLanes> lanes;
  lanes.fill(-std::numeric_limits<float>::infinity());
  const std::size_t whole = values.size() / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane)
      lanes[lane] = values[i + lane] > lanes[lane] ? values[i + lane] : lanes[lane];
  for (std::size_t i = whole; i < values.size(); ++i)
    lanes[0] = values[i] > lanes[0] ? values[i] : lanes[0];
  return *std::ranges::max_element(lanes);
}

void exp_below(std::span<const float> values, float max, float scale, std::span<float> weights) {
  for (std::size_t i = 0; i < values.size(); ++i)
    weights[i] = exp_of_negative((values[i] - max) * scale);
}

double sum_of(std::span<const float> values) {
  std::array<double, kLanes> lanes{};
  const std::size_t whole = values.size() / kLanes * kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane)
      lanes[lane] += static_cast<double>(values[i + lane]);
  for (std::size_t i = whole; i < values.size(); ++i) lanes[0] += static_cast<double>(values[i]);
  return total(lanes);
}

double log_sum_exp(std::span<const float> values, float max) {
  constexpr std::size_t kChunk = 1024;  // stays in the first-level cache
  std::array<float, kChunk> weights;
  double sum = 0;
  for (std::size_t at = 0; at < values.size(); at += kChunk) {
    const auto chunk = values.subspan(at, std::min(kChunk, values.size() - at));
    const std::span<float> out = std::span(weights).first(chunk.size());
    exp_below(chunk, max, 1, out);
    sum += sum_of(out);
  }
  return static_cast<double>(max) + std::log(sum);
}

}  // namespace fathom::engine
