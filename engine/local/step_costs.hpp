// What a step of n tokens takes, learnt from the steps that ran: how much a draft costs depends on
// the machine (whether arithmetic or reading the weights is the limit), on the model (how many more
// experts further tokens wake) and on who else runs, so it is measured and not assumed.
#pragma once

#include <array>
#include <cstddef>

namespace fathom::engine {

class StepCosts {
 public:
  /// Steps of more tokens are not told apart.
  static constexpr std::size_t kTokensMax = 128;
  /// Before anything is known: what each further token adds, in one-token steps.
  static constexpr double kFurtherTokenShare = 0.2;
  /// One slow step (the machine was busy elsewhere) counts for no more than this many times what
  /// was known.
  static constexpr double kOutlierFactor = 2;

  /// A step of `tokens` (at least one) took `seconds`.
  void record(std::size_t tokens, double seconds);

  /// How many times a step of `base` tokens a step of `tokens` takes; both at least one.
  [[nodiscard]] double ratio(std::size_t tokens, std::size_t base) const;

  /// Seconds that a step of `tokens` is expected to take, 0 when no step ran yet.
  [[nodiscard]] double seconds(std::size_t tokens) const;

 private:
  [[nodiscard]] double estimate(std::size_t tokens) const;

  std::array<double, kTokensMax + 1> seconds_{};  ///< by tokens; 0: none ran
};

}  // namespace fathom::engine
