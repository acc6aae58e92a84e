// How a token is chosen: the knobs of the APIs in one value, checked once.
#pragma once

#include "engine/text/token.hpp"
#include "runtime/base/result.hpp"

#include <cstdint>
#include <vector>

namespace fathom::engine {

constexpr std::int32_t kTopLogprobsMax = 20;
constexpr std::int32_t kPenaltyWindowMax = 65'536;
constexpr std::size_t kLogitBiasesMax = 4'096;

struct LogitBias {
  TokenId token = 0;
  float bias = 0;  ///< added to the logit, -100 … 100

  friend bool operator==(const LogitBias&, const LogitBias&) = default;
};

struct SamplingOptions {
  float temperature = 1;         ///< 0 … 2; 0 takes the largest logit, of equals the lowest id
  float top_p = 1;               ///< (0, 1]: the fewest tokens with this much probability
  std::int32_t top_k = 0;        ///< this many tokens; 0 = all
  float min_p = 0;               ///< [0, 1): at least this share of the likeliest token's
  float repetition_penalty = 1;  ///< (0, 2]: divides positive logits of seen tokens
  float presence_penalty = 0;    ///< -2 … 2: taken off the logit of seen tokens
  float frequency_penalty = 0;   ///< -2 … 2: the same, once for each time seen
  std::int32_t penalty_window = 4'096;  ///< the last tokens that count as seen
  std::uint64_t seed = 0;
  std::int32_t logprobs = 0;  ///< how many of the likeliest tokens to report, 0 … kTopLogprobsMax
  std::vector<LogitBias> logit_bias{};

  friend bool operator==(const SamplingOptions&, const SamplingOptions&) = default;
};

/// Fails with a line that names the option: `temperature: 3 is not in 0 … 2`. `vocabulary` is the
/// number of logits.
Result<> check(const SamplingOptions& options, std::int32_t vocabulary);

}  // namespace fathom::engine
