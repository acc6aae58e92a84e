#include "engine/local/sampling_options.hpp"

#include "tests/support/catch.hpp"

#include <limits>
#include <string>

using namespace fathom::engine;

namespace {

template <class Change>
std::string error_of(Change change) {
  SamplingOptions options;
  change(options);
  const auto result = check(options, 100);
  return result ? "" : result.error().message;
}

}  // namespace

TEST_CASE("an option out of range is named with its range", "[engine]") {
  CHECK(error_of([](auto&) {}).empty());
  CHECK(error_of([](auto& o) { o.temperature = 3; }) == "temperature: 3 is not in 0 … 2");
  CHECK(error_of([](auto& o) { o.temperature = std::numeric_limits<float>::quiet_NaN(); }) ==
        "temperature: nan is not in 0 … 2");
  CHECK(error_of([](auto& o) { o.top_p = 0; }) == "top_p: 0 is not in (0, 1]");
  CHECK(error_of([](auto& o) { o.min_p = 1; }) == "min_p: 1 is not in [0, 1)");
  CHECK(error_of([](auto& o) { o.repetition_penalty = 0; }) ==
        "repetition_penalty: 0 is not in (0, 2]");
  CHECK(error_of([](auto& o) { o.presence_penalty = 2.5F; }) ==
        "presence_penalty: 2.5 is not in -2 … 2");
  CHECK(error_of([](auto& o) { o.frequency_penalty = -3; }) ==
        "frequency_penalty: -3 is not in -2 … 2");
  CHECK(error_of([](auto& o) { o.top_k = -1; }) == "top_k: -1 is not in 0 … 100 (0 = all)");
  CHECK(error_of([](auto& o) { o.top_k = 1000; }).empty());
  CHECK(error_of([](auto& o) { o.logprobs = 21; }) == "top_logprobs: 21 is not in 0 … 20");
  CHECK(error_of([](auto& o) { o.penalty_window = -1; }) ==
        "penalty_window: -1 is not in 0 … 65536");
  CHECK(error_of([](auto& o) { o.logit_bias = {{100, 1}}; }) ==
        "logit_bias: token 100 is not in the vocabulary of 100");
  CHECK(error_of([](auto& o) { o.logit_bias = {{5, 101}}; }) ==
        "logit_bias: token 5: 101 is not in -100 … 100");
}
