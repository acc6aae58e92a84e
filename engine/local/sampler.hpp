// From logits to a token.
//
// A draw depends on the logits, the options, the tokens before it and (seed, position), on nothing
// else: no generator moves along. So a token that was drafted and taken back, sampled in another
// batch or sampled twice comes out the same, and speculation needs no undo here: sample at every
// drafted position and compare.
//
// Order: bias, penalties, mask, temperature, min_p, top_k, top_p (of what min_p and top_k left).
// The arithmetic uses one fixed order of sums and our own exponential, so that a seed gives the
// same tokens on every machine that gives the same logits.
#pragma once

#include "engine/local/sampling_options.hpp"

#include <span>
#include <vector>

namespace fathom::engine {

struct TokenLogprob {
  TokenId token = 0;
  float logprob = 0;

  friend bool operator==(const TokenLogprob&, const TokenLogprob&) = default;
};

struct SampleRequest {
  std::span<const float> logits{};        ///< one for each token of the vocabulary
  std::span<const std::uint64_t> mask{};  ///< bit i allows token i; empty allows all
  std::span<const TokenId> history{};     ///< tokens before this one, newest last; penalties
  std::uint64_t position = 0;             ///< of the token to draw, in its session
};

/// Log probabilities are the model's own: of the logits as given, before options and mask.
struct Sampled {
  TokenId token = 0;
  float logprob = 0;
  std::span<const TokenLogprob> top;  ///< likeliest first, of equals the lowest id first; valid
                                      ///< until the sampler's next call
};

class Sampler {
 public:
  static Result<Sampler> create(SamplingOptions options, std::int32_t vocabulary);

  /// Fails when a logit is NaN or +infinity, and when nothing is allowed (a mask without bits, or
  /// only logits of -infinity). Allocates nothing after the first call.
  Result<Sampled> sample(const SampleRequest& request);

  [[nodiscard]] const SamplingOptions& options() const { return options_; }

 private:
  struct Candidate {
    TokenId token = 0;
    float score = 0;
    float weight = 0;
  };

  Sampler(SamplingOptions options, std::int32_t vocabulary);

  [[nodiscard]] bool truncates() const;
  void load(std::span<const float> logits);
  void penalise(std::span<const TokenId> history);
  void apply_mask(std::span<const std::uint64_t> mask);
  TokenId draw(float score_max, double uniform);
  [[nodiscard]] TokenId draw_from_all(double uniform) const;
  void collect_candidates();
  TokenId draw_from_few(double uniform);
  std::size_t keep_top_p();
  Sampled report(TokenId token, std::span<const float> logits);

  SamplingOptions options_;
  std::vector<float> scores_;          ///< logits with bias, penalties and mask
  std::vector<float> weights_;         ///< exp((score - the largest) / temperature)
  std::vector<std::uint32_t> counts_;  ///< all zero between calls
  std::vector<Candidate> candidates_;
  std::vector<TokenLogprob> top_;
};

}  // namespace fathom::engine
