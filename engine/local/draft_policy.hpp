// How many tokens to draft for a sequence: as many as make a token cheapest, by what was accepted
// lately and what steps of that size take; none where drafting does not pay, but for a rare look
// whether it would by now.
#pragma once

#include "engine/local/step_costs.hpp"

#include <cstddef>
#include <cstdint>

namespace fathom::engine {

/// What drafting did.
struct DraftCounts {
  std::uint64_t drafted = 0;
  std::uint64_t accepted = 0;

  DraftCounts& operator+=(const DraftCounts& other) {
    drafted += other.drafted;
    accepted += other.accepted;
    return *this;
  }
  friend bool operator==(const DraftCounts&, const DraftCounts&) = default;
};

/// Where a draft would stand.
struct DraftChance {
  std::size_t available = 0;  ///< tokens that could be drafted
  std::size_t sequences =
      1;               ///< that get a token in this step anyway: what the step costs at least
  double seconds = 0;  ///< for guessing them
};

/// For one sequence and one way of guessing.
class DraftPolicy {
 public:
  /// With the sampled token a batch of 16: one pass of the kernels.
  static constexpr std::size_t kDraftMax = 15;
  static constexpr std::size_t kLookTokens = 2;  ///< of a look whether drafting pays by now
  static constexpr std::uint32_t kPauseMin = 4;  ///< chances left out before the first look
  static constexpr std::uint32_t kPauseMax = 256;

  /// `likely`: the share of tokens that are accepted, before anything is known.
  explicit DraftPolicy(double likely)
      : accepted_(likely * kPriorTokens), failed_((1 - likely) * kPriorTokens) {}

  /// Tokens to draft now, at most what is available.
  std::size_t plan(const StepCosts& costs, const DraftChance& chance);

  void verified(std::size_t drafted, std::size_t accepted);

  [[nodiscard]] const DraftCounts& counts() const { return counts_; }
  /// The probability that a drafted token is right when those before it were.
  [[nodiscard]] double likely() const { return accepted_ / (accepted_ + failed_); }

 private:
  static constexpr double kPriorTokens = 2;

  double accepted_;
  double failed_;
  std::uint32_t pause_ = 0;
  std::uint32_t wait_ = 0;
  DraftCounts counts_;
};

}  // namespace fathom::engine
