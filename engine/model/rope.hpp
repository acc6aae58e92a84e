// Rotary position angles (v4-spec §2.5): plain for layers that see only their window, YaRN for all
// others.
#pragma once

#include "engine/model/config.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace fathom::engine {

class RopeFrequencies {
 public:
  /// Of a layer with ratio 0 (window) or greater (compressed).
  static RopeFrequencies window(const ModelConfig& config);
  static RopeFrequencies compressed(const ModelConfig& config);
  static RopeFrequencies of_layer(const ModelConfig& config, std::int64_t layer);

  /// cos and sin of the angles of `position`, rope_dim / 2 values each. The angle is the f32
  /// product that the reference forms; its cosine is then taken in double, because f32 range
  /// reduction is off by 1e-2 near 2^20.
  void angles(std::int64_t position, std::span<float> cos, std::span<float> sin) const;

  [[nodiscard]] std::size_t pairs() const { return frequencies_.size(); }
  [[nodiscard]] std::span<const float> frequencies() const { return frequencies_; }

 private:
  std::vector<float> frequencies_;
};

}  // namespace fathom::engine
