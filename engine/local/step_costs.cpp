#include "engine/local/step_costs.hpp"

#include "runtime/base/ensure.hpp"

#include <algorithm>

namespace fathom::engine {
namespace {

constexpr double kNewShare = 0.125;  // of the newest step in what is known

}  // namespace

void StepCosts::record(std::size_t tokens, double seconds) {
  ENSURE(tokens > 0, "a step has tokens");
  if (tokens > kTokensMax || !(seconds > 0)) return;
  double& known = seconds_[tokens];
  if (known == 0)
    known = seconds;
  else
    known += kNewShare * (std::min(seconds, kOutlierFactor * known) - known);
}

double StepCosts::estimate(std::size_t tokens) const {
  tokens = std::min(tokens, kTokensMax);
  if (seconds_[tokens] > 0) return seconds_[tokens];
  std::size_t below = tokens;
  while (below > 0 && seconds_[below] == 0) --below;
  std::size_t above = tokens;
  while (above <= kTokensMax && seconds_[above] == 0) ++above;
  const auto growth = [](std::size_t n) {
    return 1 + kFurtherTokenShare * static_cast<double>(n - 1);
  };
  if (below > 0 && above <= kTokensMax) {
    const double share = static_cast<double>(tokens - below) / static_cast<double>(above - below);
    return seconds_[below] + share * (seconds_[above] - seconds_[below]);
  }
  if (below > 0) return seconds_[below] * growth(tokens) / growth(below);
  if (above <= kTokensMax) return seconds_[above] * growth(tokens) / growth(above);
  return growth(tokens);
}

double StepCosts::ratio(std::size_t tokens, std::size_t base) const {
  ENSURE(tokens > 0 && base > 0, "a step has tokens");
  return estimate(tokens) / estimate(base);
}

double StepCosts::seconds(std::size_t tokens) const {
  const bool any = std::ranges::any_of(seconds_, [](double known) { return known > 0; });
  return any ? estimate(tokens) : 0;
}

}  // namespace fathom::engine
