// Comparing a forward pass with golden vectors, by the bounds that the vectors' README states.
#pragma once

#include "tests/support/golden_model.hpp"

#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>

namespace fathom::test {

/// Logits and MTP logits in exact numerics, every position and chunk schedule.
constexpr float kLogitBound = 1e-4F;
/// Intermediate vectors: this share of the largest magnitude in the tensor, and this much more.
constexpr float kComponentShare = 2e-5F;
constexpr float kComponentFloor = 1e-5F;
/// The streams grow to 5-30 and gather the errors of all layers before.
constexpr float kStreamBound = 2e-4F;
/// The layer-local gate of official numerics: positions above the bound, of all positions.
constexpr float kLocalBound = 1e-3F;
constexpr double kLocalPositionsShare = 0.01;

/// A vector of the forward pass.
struct Seen {
  std::string_view name;
  std::int64_t layer;  ///< -1: the main head
  std::int64_t position;
};

class ComponentCheck {
 public:
  explicit ComponentCheck(const ExpectedTensors& expected) : expected_(expected) {}

  /// Vectors that were not recorded are passed over.
  void compare(const Seen& seen, std::span<const float> values);
  void compare_logits(const std::string& tensor, std::int64_t position,
                      std::span<const float> values);

  [[nodiscard]] std::size_t compared() const { return compared_; }
  /// What differs, the first few; empty when nothing does.
  [[nodiscard]] const std::string& report() const { return report_; }
  [[nodiscard]] float worst_logit() const { return worst_logit_; }

 private:
  void note(const std::string& what, float difference, float bound);
  void compare_ids(const std::string& tensor, std::int64_t row, std::span<const float> ids);

  const ExpectedTensors& expected_;
  std::size_t compared_ = 0;
  std::size_t noted_ = 0;
  float worst_logit_ = 0;
  std::string report_;
};

class LayerLocalCheck {
 public:
  explicit LayerLocalCheck(const ExpectedTensors& expected, float bound = kLocalBound)
      : expected_(expected), bound_(bound) {}

  /// Recorded positions of a layer: all of them, or none.
  [[nodiscard]] std::int64_t positions(std::int64_t layer) const;
  [[nodiscard]] std::vector<float> input(std::string_view name, std::int64_t layer,
                                         std::int64_t position) const;
  void compare(std::string_view name, std::int64_t layer, std::int64_t position,
               std::span<const float> values);
  /// Empty when no more than kLocalPositionsShare of the positions are off.
  [[nodiscard]] std::string report() const;

 private:
  const ExpectedTensors& expected_;
  float bound_;
  float worst_ = 0;
  std::size_t compared_ = 0;
  std::size_t off_ = 0;
  std::string first_;
};

/// The sets in tests/golden/v4; at least one is there.
void for_each_own_set(const std::function<void(const Golden&)>& check);
/// A set of $FATHOM_VECTORS/v4; absent, the test is skipped and says so.
void with_outside_set(const std::string& name, const std::function<void(const Golden&)>& check);
/// Sets there that have no test of their own name; none is no reason to skip.
void for_each_other_outside_set(const std::function<void(const Golden&)>& check);

}  // namespace fathom::test
