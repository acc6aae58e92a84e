#include "engine/local/sampler.hpp"

#include "engine/local/counter_random.hpp"
#include "tests/support/catch.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <string>

using namespace fathom::engine;

namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
using Logits = std::vector<float>;

Sampler sampler(SamplingOptions options, std::size_t vocabulary) {
  return Sampler::create(std::move(options), static_cast<std::int32_t>(vocabulary)).value();
}

TokenId greedy(SamplingOptions options, const Logits& logits, SampleRequest request = {}) {
  options.temperature = 0;
  request.logits = logits;
  return sampler(std::move(options), logits.size()).sample(request).value().token;
}

// How often each token is drawn at positions 0 … draws - 1.
std::vector<int> histogram(const SamplingOptions& options, const Logits& logits, int draws) {
  Sampler chooser = sampler(options, logits.size());
  std::vector<int> counts(logits.size());
  for (int i = 0; i < draws; ++i) {
    const Sampled drawn =
        chooser.sample({.logits = logits, .position = static_cast<std::uint64_t>(i)}).value();
    ++counts[static_cast<std::size_t>(drawn.token)];
  }
  return counts;
}

// Logits whose softmax is `probabilities`, up to a constant.
Logits logits_of(const std::vector<double>& probabilities) {
  Logits logits;
  for (const double p : probabilities) logits.push_back(static_cast<float>(std::log(p)));
  return logits;
}

double chi_square(const std::vector<int>& counts, const std::vector<double>& probabilities) {
  double draws = 0;
  for (const int count : counts) draws += count;
  double sum = 0;
  for (std::size_t i = 0; i < counts.size(); ++i)
    sum += std::pow(counts[i] - draws * probabilities[i], 2) / (draws * probabilities[i]);
  return sum;
}

Logits noise(std::size_t size, std::uint64_t seed) {
  Logits logits(size);
  for (std::size_t i = 0; i < size; ++i) logits[i] = static_cast<float>(uniform_at(seed, i)) * 12;
  return logits;
}

}  // namespace

TEST_CASE("temperature 0 takes the largest logit, of equals the lowest id", "[engine]") {
  CHECK(greedy({}, {1, 3, 2}) == 1);
  CHECK(greedy({}, {1, 3, 3, 3}) == 1);
  CHECK(greedy({}, {kNever, kNever, -5}) == 2);
}

TEST_CASE("a mask leaves only what it allows", "[engine]") {
  const std::vector<std::uint64_t> mask = {0b100, 0b10};
  Logits logits(70, 1);
  CHECK(greedy({}, logits, {.mask = mask}) == 2);
  logits[65] = 2;
  CHECK(greedy({}, logits, {.mask = mask}) == 65);
  Sampler chooser = sampler({}, 70);
  for (std::uint64_t i = 0; i < 100; ++i) {
    const auto drawn = chooser.sample({.logits = logits, .mask = mask, .position = i}).value();
    CHECK((drawn.token == 2 || drawn.token == 65));
  }
}

TEST_CASE("where nothing is allowed the sampler says so", "[engine]") {
  const std::vector<std::uint64_t> none = {0};
  const Logits logits = {1, 2};
  CHECK(sampler({}, 2).sample({.logits = logits, .mask = none, .position = 9}).error().message ==
        "sample at position 9: no token is allowed");
}

TEST_CASE("a logit that is no number is an error that names its token", "[engine]") {
  const Logits nan = {1, std::numeric_limits<float>::quiet_NaN(), 0};
  CHECK(sampler({}, 3).sample({.logits = nan, .position = 4}).error().message ==
        "sample at position 4: the logit of token 1 is NaN"
        ": the weights may be damaged; fathom model verify finds where");
  const Logits infinite = {1, 2, std::numeric_limits<float>::infinity()};
  CHECK(sampler({}, 3).sample({.logits = infinite}).error().message ==
        "sample at position 0: the logit of token 2 is infinite"
        ": the weights may be damaged; fathom model verify finds where");
}

TEST_CASE("penalties by hand", "[engine]") {
  const std::vector<TokenId> history = {0, 0, 1};
  SECTION("presence counts once, frequency each time") {
    // 5 - 1 - 2 * 0.75 = 2.5 against 3.9 - 1 - 0.75 = 2.15 and 2.4
    const SamplingOptions options = {.presence_penalty = 1, .frequency_penalty = 0.75F};
    CHECK(greedy(options, {5, 3.9F, 2.4F}, {.history = history}) == 0);
    CHECK(greedy(options, {5, 3.9F, 2.6F}, {.history = history}) == 2);
  }
  SECTION("repetition divides what is positive and multiplies what is negative") {
    CHECK(greedy({.repetition_penalty = 2}, {4, 4, 1.9F}, {.history = history}) == 0);
    CHECK(greedy({.repetition_penalty = 2}, {4, 4, 2.1F}, {.history = history}) == 2);
    CHECK(greedy({.repetition_penalty = 2}, {-1, -1, -1.9F}, {.history = history}) == 2);
  }
  SECTION("only the window counts") {
    const SamplingOptions options = {.presence_penalty = 2, .penalty_window = 1};
    CHECK(greedy(options, {5, 5.5F, 0}, {.history = history}) == 0);
  }
  SECTION("the counts do not leak into the next call") {
    Sampler chooser = sampler({.temperature = 0, .frequency_penalty = 2}, 3);
    const Logits logits = {5, 3, 2};
    CHECK(chooser.sample({.logits = logits, .history = history}).value().token == 2);
    CHECK(chooser.sample({.logits = logits}).value().token == 0);
  }
}

TEST_CASE("a bias is added before the choice", "[engine]") {
  CHECK(greedy({.logit_bias = {{2, 3}}}, {1, 2, 0}) == 2);
  CHECK(greedy({.logit_bias = {{1, -100}}}, {1, 2, 0}) == 0);
}

TEST_CASE("truncation keeps exactly the tokens it should", "[engine]") {
  const Logits logits = logits_of({0.1, 0.4, 0.2, 0.3});
  const auto kept = [&](const SamplingOptions& options) {
    std::string tokens;
    const std::vector<int> counts = histogram(options, logits, 400);
    for (std::size_t i = 0; i < counts.size(); ++i)
      if (counts[i] > 0) tokens += static_cast<char>('0' + i);
    return tokens;
  };
  CHECK(kept({}) == "0123");
  CHECK(kept({.top_k = 1}) == "1");
  CHECK(kept({.top_k = 3}) == "123");
  CHECK(kept({.top_p = 0.39F}) == "1");
  CHECK(kept({.top_p = 0.5F}) == "13");
  CHECK(kept({.top_p = 0.85F}) == "123");
  CHECK(kept({.min_p = 0.6F}) == "13");
  CHECK(kept({.min_p = 0.3F}) == "123");
  // top_p counts within what top_k left: 0.4 / 0.7 = 0.57.
  CHECK(kept({.top_p = 0.55F, .top_k = 2}) == "1");
  // At temperature 0.5 the shares are 1, 16, 4 and 9 of 30.
  CHECK(kept({.temperature = 0.5F, .top_p = 0.5F}) == "1");
}

TEST_CASE("of equal tokens truncation keeps the lowest ids", "[engine]") {
  const std::vector<int> counts = histogram({.top_k = 3}, Logits(200, 1), 300);
  CHECK((counts[0] > 0 && counts[1] > 0 && counts[2] > 0));
  CHECK(counts[0] + counts[1] + counts[2] == 300);
}

TEST_CASE("draws follow the distribution", "[engine]") {
  const std::vector<double> probabilities = {0.05, 0.25, 0.4, 0.1, 0.2};
  const Logits logits = logits_of(probabilities);
  constexpr int kDraws = 20'000;
  // 4, 4, 2 and 1 degrees of freedom; bounds for p = 0.001.
  CHECK(chi_square(histogram({.seed = 11}, logits, kDraws), probabilities) < 18.5);
  CHECK(chi_square(
            histogram({.temperature = 2, .seed = 12}, logits_of({0.01, 0.09, 0.36, 0.04}), kDraws),
            {1 / 12.0, 3 / 12.0, 6 / 12.0, 2 / 12.0}) < 16.3);
  std::vector<int> few = histogram({.top_k = 3, .seed = 13}, logits, kDraws);
  CHECK(chi_square({few[1], few[2], few[4]}, {0.25 / 0.85, 0.4 / 0.85, 0.2 / 0.85}) < 13.9);
  few = histogram({.top_p = 0.6F, .seed = 14}, logits, kDraws);
  CHECK(chi_square({few[1], few[2]}, {0.25 / 0.65, 0.4 / 0.65}) < 10.9);
}

TEST_CASE("draws over a large vocabulary follow the distribution", "[engine]") {
  // 5000 tokens span several blocks of the sum; they are counted by id modulo 10.
  Logits logits(5'000);
  std::vector<double> shares(10);
  double total = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double weight = 1 + static_cast<double>(i % 10) + (i > 4'000 ? 5 : 0);
    logits[i] = static_cast<float>(std::log(weight));
    shares[i % 10] += weight;
    total += weight;
  }
  for (double& share : shares) share /= total;
  const std::vector<int> counts = histogram({.seed = 3}, logits, 20'000);
  std::vector<int> by_digit(10);
  for (std::size_t i = 0; i < counts.size(); ++i) by_digit[i % 10] += counts[i];
  CHECK(chi_square(by_digit, shares) < 27.9);  // 9 degrees of freedom
}

TEST_CASE("log probabilities are the model's own", "[engine]") {
  const Logits logits = logits_of({0.1, 0.4, 0.2, 0.3});
  const std::vector<std::uint64_t> mask = {0b0001};
  Sampler chooser = sampler({.temperature = 0.5F, .logprobs = 2, .logit_bias = {{0, 5}}}, 4);
  const Sampled drawn = chooser.sample({.logits = logits, .mask = mask}).value();
  CHECK(drawn.token == 0);
  CHECK(drawn.logprob == Approx(std::log(0.1)).epsilon(1e-5));
  REQUIRE(drawn.top.size() == 2);
  CHECK(drawn.top[0].token == 1);
  CHECK(drawn.top[0].logprob == Approx(std::log(0.4)).epsilon(1e-5));
  CHECK(drawn.top[1].token == 3);
  CHECK(drawn.top[1].logprob == Approx(std::log(0.3)).epsilon(1e-5));
}

TEST_CASE("top log probabilities are likeliest first, of equals the lowest id", "[engine]") {
  Sampler chooser = sampler({.logprobs = 4}, 6);
  const Logits logits = {1, 2, 3, 2, 3, 1};
  std::string order;
  for (const TokenLogprob& entry : chooser.sample({.logits = logits}).value().top)
    order += static_cast<char>('0' + entry.token);
  CHECK(order == "2413");
}

TEST_CASE("a draw does not depend on what was sampled before, between or elsewhere", "[engine]") {
  const SamplingOptions options = {.top_p = 0.9F, .top_k = 50, .seed = 5};
  constexpr std::size_t kVocabulary = 3'000;
  constexpr std::uint64_t kPositions = 40;
  std::vector<TokenId> straight;
  Sampler one = sampler(options, kVocabulary);
  for (std::uint64_t i = 0; i < kPositions; ++i)
    straight.push_back(one.sample({.logits = noise(kVocabulary, i), .position = i}).value().token);
  // Backwards, with drafts in between that are thrown away, in a sampler and a copy of it.
  Sampler other = sampler(options, kVocabulary);
  for (std::uint64_t i = kPositions; i-- > 0;) {
    Sampler branch = other;
    (void)other.sample({.logits = noise(kVocabulary, i + 99), .position = i + 1}).value();
    const SampleRequest request = {.logits = {}, .position = i};
    const Logits logits = noise(kVocabulary, i);
    SampleRequest again = request;
    again.logits = logits;
    CHECK(other.sample(again).value().token == straight[i]);
    CHECK(branch.sample(again).value().token == straight[i]);
  }
}

TEST_CASE("a seed gives these tokens, on every machine", "[engine]") {
  const Logits logits = noise(1'000, 1);
  Sampler chooser = sampler({.seed = 42}, logits.size());
  std::vector<TokenId> drawn;
  for (std::uint64_t i = 0; i < 8; ++i)
    drawn.push_back(chooser.sample({.logits = logits, .position = i}).value().token);
  CHECK(drawn == std::vector<TokenId>{597, 994, 846, 741, 363, 351, 241, 385});
}

TEST_CASE("the smallest temperatures are as good as none", "[engine]") {
  const Logits logits = {1, 1.0001F, kNever};
  Sampler chooser = sampler({.temperature = std::numeric_limits<float>::denorm_min()}, 3);
  for (std::uint64_t i = 0; i < 20; ++i)
    CHECK(chooser.sample({.logits = logits, .position = i}).value().token == 1);
}
