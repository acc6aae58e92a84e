// The few passes over all logits that sampling needs, in one fixed order of arithmetic.
#pragma once

#include <span>

namespace fathom::engine {

/// The largest value; -infinity when there is none. NaNs are skipped.
float max_of(std::span<const float> values);

/// weights[i] = exp((values[i] - max) * scale) for values <= max and scale > 0, relative error
/// below 2e-7; exactly 0 from exp(-87) downwards, so also for -infinity.
void exp_below(std::span<const float> values, float max, float scale, std::span<float> weights);

/// The sum in a fixed order: eight running sums in double, so that vector units give the same bits.
double sum_of(std::span<const float> values);

/// log(sum(exp(values))), without storing the exponentials.
double log_sum_exp(std::span<const float> values, float max);

}  // namespace fathom::engine
