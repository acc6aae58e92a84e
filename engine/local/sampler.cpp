#include "engine/local/sampler.hpp"

#include "engine/local/counter_random.hpp"
#include "engine/local/softmax.hpp"
#include "runtime/base/ensure.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace fathom::engine {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr float kInverseTemperatureMax = 1e30F;  // (score - max) * it must stay a number
constexpr std::size_t kSumBlock = 1024;

constexpr auto likelier = [](const auto& a, const auto& b) {
  return a.score != b.score ? a.score > b.score : a.token < b.token;
};

// `!(x < inf)` is true for NaN and +infinity alike.
bool has_bad_logit(std::span<const float> logits) {
  unsigned bad = 0;
  for (const float logit : logits)
    bad |= static_cast<unsigned>(!(logit < std::numeric_limits<float>::infinity()));
  return bad != 0;
}

Error bad_logit(std::span<const float> logits, std::uint64_t position) {
  std::size_t at = 0;
  while (logits[at] < std::numeric_limits<float>::infinity()) ++at;
  return {ErrorCode::bad_data, "sample at position " + std::to_string(position) +
                                   ": the logit of " + "token " + std::to_string(at) + " is " +
                                   (std::isnan(logits[at]) ? "NaN" : "infinite") +
                                   ": the weights may be damaged; fathom model verify finds where"};
}

}  // namespace

Result<Sampler> Sampler::create(SamplingOptions options, std::int32_t vocabulary) {
  ENSURE(vocabulary > 0, "a model has tokens");
  TRY(check(options, vocabulary));
  return Sampler(std::move(options), vocabulary);
}

Sampler::Sampler(SamplingOptions options, std::int32_t vocabulary) : options_(std::move(options)) {
  const auto size = static_cast<std::size_t>(vocabulary);
  scores_.resize(size);
  weights_.resize(size);
  counts_.resize(size);
  top_.reserve(static_cast<std::size_t>(options_.logprobs) + 1);
  if (truncates()) candidates_.reserve(size);
}

bool Sampler::truncates() const {
  return options_.top_k > 0 || options_.top_p < 1 || options_.min_p > 0;
}

Result<Sampled> Sampler::sample(const SampleRequest& request) {
  ENSURE(request.logits.size() == scores_.size(), "logits are as many as the vocabulary");
  if (has_bad_logit(request.logits)) return fail(bad_logit(request.logits, request.position));
  load(request.logits);
  penalise(request.history);
  if (!request.mask.empty()) apply_mask(request.mask);
  const float score_max = max_of(scores_);
  if (score_max == kNever)
    return fail(ErrorCode::bad_data,
                "sample at position " + std::to_string(request.position) + ": no token is allowed");
  if (options_.temperature == 0) {
    const auto first = std::ranges::find(scores_, score_max);
    return report(static_cast<TokenId>(first - scores_.begin()), request.logits);
  }
  return report(draw(score_max, uniform_at(options_.seed, request.position)), request.logits);
}

void Sampler::load(std::span<const float> logits) {
  std::ranges::copy(logits, scores_.begin());
  for (const LogitBias& bias : options_.logit_bias)
    scores_[static_cast<std::size_t>(bias.token)] += bias.bias;
}

void Sampler::penalise(std::span<const TokenId> history) {
  if (options_.repetition_penalty == 1 && options_.presence_penalty == 0 &&
      options_.frequency_penalty == 0)
    return;
  const auto window = static_cast<std::size_t>(options_.penalty_window);
  history = history.last(std::min(window, history.size()));
  for (const TokenId token : history) {
    ENSURE(token >= 0 && std::cmp_less(token, counts_.size()), "history holds tokens");
    ++counts_[static_cast<std::size_t>(token)];
  }
  for (const TokenId token : history) {
    const std::uint32_t count = std::exchange(counts_[static_cast<std::size_t>(token)], 0);
    if (count == 0) continue;  // done at its first place in the window
    float& score = scores_[static_cast<std::size_t>(token)];
    score = score > 0 ? score / options_.repetition_penalty : score * options_.repetition_penalty;
    score -= options_.presence_penalty + options_.frequency_penalty * static_cast<float>(count);
  }
}

void Sampler::apply_mask(std::span<const std::uint64_t> mask) {
  ENSURE(mask.size() * 64 >= scores_.size(), "a mask has a bit for each token");
  for (std::size_t i = 0; i < scores_.size(); i += 64) {
    const std::uint64_t word = mask[i / 64];
    if (word == ~std::uint64_t{0}) continue;
    const std::size_t end = std::min(i + 64, scores_.size());
    for (std::size_t token = i; token < end; ++token)
      if ((word >> (token % 64) & 1) == 0) scores_[token] = kNever;
  }
}

TokenId Sampler::draw(float score_max, double uniform) {
  const float scale = std::min(1 / options_.temperature, kInverseTemperatureMax);
  exp_below(scores_, score_max, scale, weights_);
  if (!truncates()) return draw_from_all(uniform);
  collect_candidates();
  return draw_from_few(uniform);
}

// With top_k a heap of the k likeliest so far, its least at the front: after the first few thousand
// tokens hardly one gets in.
void Sampler::collect_candidates() {
  const auto k = options_.top_k > 0 ? static_cast<std::size_t>(options_.top_k) : weights_.size();
  const bool heap = k < weights_.size();
  candidates_.clear();
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    // The likeliest token weighs 1.
    if (weights_[i] == 0 || weights_[i] < options_.min_p) continue;
    if (candidates_.size() == k) {
      if (scores_[i] <= candidates_.front().score) continue;  // of equals the lowest ids stay
      std::ranges::pop_heap(candidates_, likelier);
      candidates_.pop_back();
    }
    candidates_.push_back({static_cast<TokenId>(i), scores_[i], weights_[i]});
    if (heap) std::ranges::push_heap(candidates_, likelier);
  }
  // In the order of ids again: the order of a heap is the library's own affair.
  if (heap) std::ranges::sort(candidates_, {}, &Candidate::token);
}

TokenId Sampler::draw_from_all(double uniform) const {
  const std::span<const float> weights = weights_;
  const auto block = [&](std::size_t at) {
    return weights.subspan(at, std::min(kSumBlock, weights.size() - at));
  };
  double total = 0;
  for (std::size_t at = 0; at < weights.size(); at += kSumBlock) total += sum_of(block(at));
  double left = uniform * total;
  std::size_t at = 0;
  for (; at + kSumBlock < weights.size(); at += kSumBlock) {
    const double sum = sum_of(block(at));
    if (left < sum) break;
    left -= sum;
  }
  // Rounding may leave a little beyond the end: then the last token with weight is meant.
  std::size_t last = 0;
  bool found = false;
  for (std::size_t i = at; i < weights.size(); ++i) {
    if (weights[i] == 0) continue;
    last = i;
    found = true;
    left -= static_cast<double>(weights[i]);
    if (left < 0) break;
  }
  if (!found) {  // the last block is all zeros
    last = at;
    while (weights[last] == 0) --last;
  }
  return static_cast<TokenId>(last);
}

TokenId Sampler::draw_from_few(double uniform) {
  const std::size_t kept = options_.top_p < 1 ? keep_top_p() : candidates_.size();
  double total = 0;
  for (std::size_t i = 0; i < kept; ++i) total += static_cast<double>(candidates_[i].weight);
  double left = uniform * total;
  for (std::size_t i = 0; i + 1 < kept; ++i) {
    left -= static_cast<double>(candidates_[i].weight);
    if (left < 0) return candidates_[i].token;
  }
  return candidates_[kept - 1].token;
}

// Brings the fewest likeliest candidates that hold top_p of the weight to the front, sorted.
// Sorting all 129,280 takes ten times as long as everything else here, and mostly a few dozen
// suffice.
std::size_t Sampler::keep_top_p() {
  double total = 0;
  for (const Candidate& candidate : candidates_) total += static_cast<double>(candidate.weight);
  const double wanted = total * static_cast<double>(options_.top_p);
  // Of n candidates those lighter than (total - wanted) / n weigh less than total - wanted
  // together: without them what is left still holds what is wanted. Half of it, to be safe from
  // rounding.
  const double light = (total - wanted) / (2 * static_cast<double>(candidates_.size()));
  std::erase_if(candidates_, [&](const Candidate& candidate) {
    return static_cast<double>(candidate.weight) < light;
  });
  double sum = 0;
  std::size_t sorted = 0;
  for (std::size_t part = 64;; part *= 8) {
    const std::size_t end = std::min(part, candidates_.size());
    const auto from = candidates_.begin() + static_cast<std::ptrdiff_t>(sorted);
    const auto to = candidates_.begin() + static_cast<std::ptrdiff_t>(end);
    std::ranges::partial_sort(from, to, candidates_.end(), likelier);
    for (; sorted < end; ++sorted) {
      sum += static_cast<double>(candidates_[sorted].weight);
      if (sum >= wanted) return sorted + 1;
    }
    if (end == candidates_.size()) return end;
  }
}

Sampled Sampler::report(TokenId token, std::span<const float> logits) {
  const double norm = log_sum_exp(logits, max_of(logits));
  const auto logprob = [&](std::size_t i) {
    return static_cast<float>(static_cast<double>(logits[i]) - norm);
  };
  top_.clear();
  const auto wanted = static_cast<std::size_t>(options_.logprobs);
  for (std::size_t i = 0; wanted > 0 && i < logits.size(); ++i) {
    // Until the end `logprob` holds the logit; strictly larger, so that of equals the first stays.
    if (top_.size() == wanted && !(logits[i] > top_.back().logprob)) continue;
    if (top_.size() == wanted) top_.pop_back();
    auto place = top_.end();
    while (place != top_.begin() && std::prev(place)->logprob < logits[i]) --place;
    top_.insert(place, {static_cast<TokenId>(i), logits[i]});
  }
  for (TokenLogprob& entry : top_) entry.logprob = logprob(static_cast<std::size_t>(entry.token));
  return {token, logprob(static_cast<std::size_t>(token)), top_};
}

}  // namespace fathom::engine
