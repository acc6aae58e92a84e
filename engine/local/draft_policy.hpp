// How many tokens to draft for a sequence: as many as were lately accepted, none where drafting
// does not pay.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace fathom::engine {

/// What drafting did for a request.
struct DraftCounts {
  std::uint64_t drafted = 0;
  std::uint64_t accepted = 0;
};

/// Pure: decides from outcomes alone, so that a run can be repeated. A verified batch of up to
/// kDraftMax + 1 tokens costs little more than one token where reading the weights is the cost;
/// where it does not, the caller's measured times belong in here too.
class DraftPolicy {
 public:
  static constexpr std::size_t kDraftMax =
      15;  ///< with the sampled token a batch of 16: one pass of the kernels
  static constexpr std::size_t kDraftStart = 4;
  static constexpr std::uint32_t kPauseMax = 64;  ///< tokens without drafts after repeated failure

  /// Tokens to draft now.
  [[nodiscard]] std::size_t length() const { return wait_ > 0 ? 0 : length_; }

  /// A step without a draft went by.
  void skipped() {
    if (wait_ > 0) --wait_;
  }

  void verified(std::size_t drafted, std::size_t accepted) {
    counts_.drafted += drafted;
    counts_.accepted += accepted;
    if (accepted == drafted) {
      length_ = std::min(2 * length_, kDraftMax);
      pause_ = 0;
    } else if (2 * accepted >= drafted) {
      length_ = std::max<std::size_t>(accepted, 2);
      pause_ = 0;
    } else {
      length_ = std::max<std::size_t>(length_ / 2, 2);
      pause_ = std::min(pause_ == 0 ? 2 : 2 * pause_, kPauseMax);
      wait_ = pause_;
    }
  }

  [[nodiscard]] const DraftCounts& counts() const { return counts_; }

 private:
  std::size_t length_ = kDraftStart;
  std::uint32_t pause_ = 0;
  std::uint32_t wait_ = 0;
  DraftCounts counts_;
};

}  // namespace fathom::engine
