#include "engine/local/sampling_options.hpp"

#include <charconv>
#include <string>
#include <string_view>

namespace fathom::engine {
namespace {

std::string text_of(float value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return {buffer, end};
}

struct Range {
  std::string_view name;
  float value;
  bool inside;  ///< false for NaN too: every comparison with it is
  std::string_view allowed;
};

}  // namespace

Result<> check(const SamplingOptions& options, std::int32_t vocabulary) {
  const auto between = [](float value, float low, float high) {
    return value >= low && value <= high;
  };
  const Range ranges[] = {
      {"temperature", options.temperature, between(options.temperature, 0, 2), "0 … 2"},
      {"top_p", options.top_p, options.top_p > 0 && options.top_p <= 1, "(0, 1]"},
      {"min_p", options.min_p, options.min_p >= 0 && options.min_p < 1, "[0, 1)"},
      {"repetition_penalty", options.repetition_penalty,
       options.repetition_penalty > 0 && options.repetition_penalty <= 2, "(0, 2]"},
      {"presence_penalty", options.presence_penalty, between(options.presence_penalty, -2, 2),
       "-2 … 2"},
      {"frequency_penalty", options.frequency_penalty, between(options.frequency_penalty, -2, 2),
       "-2 … 2"},
  };
  for (const Range& range : ranges) {
    if (range.inside) continue;
    return fail(ErrorCode::usage, std::string(range.name) + ": " + text_of(range.value) +
                                      " is not in " + std::string(range.allowed));
  }
  const auto whole = [](std::string_view name, std::int32_t value, std::int32_t high) {
    return std::string(name) + ": " + std::to_string(value) + " is not in 0 … " +
           std::to_string(high);
  };
  if (options.top_k < 0)
    return fail(ErrorCode::usage, whole("top_k", options.top_k, vocabulary) + " (0 = all)");
  if (options.penalty_window < 0 || options.penalty_window > kPenaltyWindowMax)
    return fail(ErrorCode::usage,
                whole("penalty_window", options.penalty_window, kPenaltyWindowMax));
  if (options.logprobs < 0 || options.logprobs > kTopLogprobsMax)
    return fail(ErrorCode::usage, whole("top_logprobs", options.logprobs, kTopLogprobsMax));
  if (options.logit_bias.size() > kLogitBiasesMax)
    return fail(ErrorCode::usage, "logit_bias: " + std::to_string(options.logit_bias.size()) +
                                      " entries are more than " + std::to_string(kLogitBiasesMax));
  for (const LogitBias& bias : options.logit_bias) {
    const std::string where = "logit_bias: token " + std::to_string(bias.token);
    if (bias.token < 0 || bias.token >= vocabulary)
      return fail(ErrorCode::usage,
                  where + " is not in the vocabulary of " + std::to_string(vocabulary));
    if (!between(bias.bias, -100, 100))
      return fail(ErrorCode::usage, where + ": " + text_of(bias.bias) + " is not in -100 … 100");
  }
  return {};
}

}  // namespace fathom::engine
