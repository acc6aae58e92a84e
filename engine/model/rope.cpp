#include "engine/model/rope.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace fathom::engine {
namespace {

std::vector<float> plain_frequencies(std::int64_t dim, double base) {
  std::vector<float> out(static_cast<std::size_t>(dim / 2));
  for (std::size_t k = 0; k < out.size(); ++k) {
    const double exponent = 2.0 * static_cast<double>(k) / static_cast<double>(dim);
    out[k] = 1.0F / static_cast<float>(std::pow(base, exponent));
  }
  return out;
}

}  // namespace

RopeFrequencies RopeFrequencies::window(const ModelConfig& config) {
  RopeFrequencies out;
  out.frequencies_ = plain_frequencies(config.rope_dim, config.rope_theta);
  return out;
}

RopeFrequencies RopeFrequencies::compressed(const ModelConfig& config) {
  RopeFrequencies out;
  const double base = config.compress_rope_theta;
  out.frequencies_ = plain_frequencies(config.rope_dim, base);
  if (config.rope_original_context == 0) return out;

  const auto dim = static_cast<double>(config.rope_dim);
  const auto context = static_cast<double>(config.rope_original_context);
  const auto correction = [&](double rotations) {
    return dim * std::log(context / (rotations * 2 * std::numbers::pi)) / (2 * std::log(base));
  };
  const double low = std::max(std::floor(correction(config.rope_beta_fast)), 0.0);
  double high = std::min(std::ceil(correction(config.rope_beta_slow)), dim - 1);
  if (low == high) high += 0.001;
  const auto factor = static_cast<float>(config.rope_factor);
  for (std::size_t k = 0; k < out.frequencies_.size(); ++k) {
    const float ramp = std::clamp(
        (static_cast<float>(k) - static_cast<float>(low)) / static_cast<float>(high - low), 0.0F,
        1.0F);
    const float f = out.frequencies_[k];
    out.frequencies_[k] = f / factor * ramp + f * (1.0F - ramp);
  }
  return out;
}

RopeFrequencies RopeFrequencies::of_layer(const ModelConfig& config, std::int64_t layer) {
  return config.kind(layer) == AttentionKind::window ? window(config) : compressed(config);
}

void RopeFrequencies::angles(std::int64_t position, std::span<float> cos,
                             std::span<float> sin) const {
  for (std::size_t k = 0; k < frequencies_.size(); ++k) {
    const float angle = static_cast<float>(position) * frequencies_[k];
    cos[k] = static_cast<float>(std::cos(static_cast<double>(angle)));
    sin[k] = static_cast<float>(std::sin(static_cast<double>(angle)));
  }
}

}  // namespace fathom::engine
