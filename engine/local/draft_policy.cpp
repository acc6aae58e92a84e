#include "engine/local/draft_policy.hpp"

#include <algorithm>

namespace fathom::engine {
namespace {

constexpr double kKept = 0.8;      // of what was known, with each verified draft
constexpr double kWorthIt = 1.02;  // a gain below this is noise

}  // namespace

// Drafting k tokens makes 1 + p + … + p^k of one, for the price of a larger step.
std::size_t DraftPolicy::plan(const StepCosts& costs, const DraftChance& chance) {
  const std::size_t most = std::min(chance.available, kDraftMax);
  if (most == 0) return 0;
  if (wait_ > 0) {
    --wait_;
    return 0;
  }
  const double base = costs.seconds(chance.sequences);
  const double guessing = base > 0 ? chance.seconds / base : 0;
  const auto sequences = static_cast<double>(chance.sequences);
  const double p = likely();
  std::size_t best = 0;
  double best_gain = kWorthIt;
  double extra = 0;
  double right = 1;
  for (std::size_t k = 1; k <= most; ++k) {
    right *= p;
    extra += right;
    const double price = costs.ratio(chance.sequences + k, chance.sequences) + guessing;
    const double gain = (1 + extra / sequences) / price;
    if (gain <= best_gain) continue;
    best_gain = gain;
    best = k;
  }
  if (best > 0) {
    pause_ = 0;
    return best;
  }
  pause_ = std::clamp(2 * pause_, kPauseMin, kPauseMax);
  wait_ = pause_;
  return std::min(most, kLookTokens);
}

void DraftPolicy::verified(std::size_t drafted, std::size_t accepted) {
  counts_.drafted += drafted;
  counts_.accepted += accepted;
  accepted_ = kKept * accepted_ + static_cast<double>(accepted);
  failed_ = kKept * failed_ + (accepted < drafted ? 1.0 : 0.0);
}

}  // namespace fathom::engine
