#include "engine/remote/wire_codec.hpp"

#include <algorithm>

namespace fathom::engine {

std::uint64_t answer_tokens_max(const SessionSetup& setup, const RequestLimits& limits) {
  const std::uint64_t setup_max = setup.sampling.answer_tokens_max;
  if (setup_max == 0 || limits.answer_tokens_max == 0)
    return std::max(setup_max, limits.answer_tokens_max);
  return std::min(setup_max, limits.answer_tokens_max);
}

std::string schema_request(std::string_view schema) {
  // The words of V4's own template; "JSON" is in them, which DeepSeek's json_object asks for.
  std::string text =
      "\n\n## Response Format:\n\nYou MUST strictly adhere to the following schema to reply with "
      "JSON, unless you call a tool:\n";
  text += schema;
  return text;
}

}  // namespace fathom::engine
