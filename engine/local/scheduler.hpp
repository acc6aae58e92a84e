// Several requests on one model: continuous batching. Every step runs one batch: the next token of
// each request that generates (with its drafts), and a bounded piece of one prompt that is still
// being read, so that a long prompt does not hold up the others.
//
// Pure of threads: step() is called by whoever owns the engine (local_engine.hpp). The clock
// decides how much is drafted, never which tokens come out: those depend on the request alone.
#pragma once

#include "engine/local/answer_grammar.hpp"
#include "engine/local/forward.hpp"
#include "engine/local/sampler.hpp"
#include "engine/local/speculation.hpp"
#include "engine/local/step_costs.hpp"
#include "engine/local/stop_strings.hpp"
#include "runtime/base/result.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace fathom::engine {

using RequestId = std::uint64_t;

enum class StopReason : std::uint8_t { eos, stop, length, cancelled, failed };
std::string_view name_of(StopReason reason);

struct GenerationRequest {
  std::vector<TokenId> prompt;  ///< what follows the KV's position; at least one token
  LiveKv* kv =
      nullptr;  ///< the caller's; only the scheduler touches it until the request has finished
  SamplingOptions sampling;
  std::int64_t tokens_max = 256;
  bool stop_at_eos = true;
  /// Speculation changes the time, never the tokens.
  bool speculate = true;
  std::vector<std::string> stop;  ///< needs token_bytes
  std::function<std::string_view(TokenId)> token_bytes;
  /// What the answer may be, over a vocabulary as large as the model's; null allows all.
  std::shared_ptr<const Grammar> grammar;
  /// The token behind which the grammar holds (the end of the reasoning), until which the answer
  /// may not end; without one, at once.
  std::optional<TokenId> grammar_after;
  Tokenize tokenize;  ///< lets text that the grammar forces be guessed; may be empty
};

struct GenerationEvent {
  enum class Kind : std::uint8_t { prefill, token, finished };
  RequestId request = 0;
  Kind kind{};
  std::int64_t prompt_done = 0;   ///< prefill: tokens of the prompt that are in the KV
  std::int64_t prompt_total = 0;  ///< prefill
  TokenId token = 0;              ///< token
  float logprob = 0;              ///< token
  std::vector<TokenLogprob> top;  ///< token, when asked for
  StopReason reason{};            ///< finished
  std::optional<Error> error;     ///< finished with `failed`
  SpeculationCounts drafts;       ///< finished
};

class Scheduler {
 public:
  static constexpr std::size_t kRequestsMax = 56;           ///< running and waiting
  static constexpr std::int64_t kPrefillTokensAlone = 512;  ///< of a step in which nobody generates
  static constexpr std::int64_t kPrefillTokensBeside = 128;  ///< of a step in which somebody does
  /// With a clock pieces of prompts are cut so that a step takes about this long: cancelling and
  /// progress wait for a step, and others for their tokens. Smaller pieces than the least would
  /// read the weights for too little.
  static constexpr double kStepSecondsAlone = 2;
  static constexpr double kStepSecondsBeside = 0.25;
  static constexpr std::int64_t kPrefillTokensMin = 16;

  static_assert(kRequestsMax * (DraftPolicy::kDraftMax + 1) + kPrefillTokensBeside <=
                    Forward::kBatchTokensMax,
                "every request with all its drafts and a piece of a prompt fit into one batch");

  /// Seconds from any beginning; how long steps take decides how much is drafted.
  using Seconds = std::function<double()>;

  /// Without a clock steps are taken to cost what StepCosts assumes. Drafts with the MTP block
  /// where `forward` keeps what it needs.
  Scheduler(Forward& forward, const ModelConfig& config, Seconds now = {})
      : forward_(forward), c_(config), now_(std::move(now)) {}

  /// Whether the request could run: fails for an empty or too long prompt, ids that are not in the
  /// vocabulary, and wrong options. Any thread.
  [[nodiscard]] Result<> check(const GenerationRequest& request) const;
  /// Queues a request. Fails where check() does, with too_many(), and with one_at_a_time() for a KV
  /// that has a request.
  Result<RequestId> add(GenerationRequest request);
  [[nodiscard]] static Error too_many();
  [[nodiscard]] static Error one_at_a_time();
  /// The request ends with the next step; unknown or finished ids are ignored.
  void cancel(RequestId id);
  /// A request on hold keeps its place and gets nothing: its reader is behind.
  void hold(RequestId id, bool on);

  /// Runs one batch. Events in order of the requests' arrival; empty and idle() when there was
  /// nothing to do.
  std::span<const GenerationEvent> step();
  [[nodiscard]] bool idle() const { return running_.empty(); }
  /// Whether step() has something to do.
  [[nodiscard]] bool ready() const;

 private:
  struct Running {
    RequestId id = 0;
    GenerationRequest request;
    Sampler sampler;
    std::optional<StopStrings> stop;

    Running(RequestId number, GenerationRequest wanted, Sampler choice)
        : id(number), request(std::move(wanted)), sampler(std::move(choice)) {}

    std::optional<AnswerGrammar> grammar;
    Speculation speculation;
    std::int64_t origin = 0;  ///< position of the prompt's first token
    std::int64_t fed = 0;     ///< tokens of the prompt in the KV
    std::int64_t generated = 0;
    std::vector<TokenId>
        feed;  ///< of this step: the last token and its drafts, or a piece of the prompt
    bool held = false;
    bool cancelled = false;
    bool finished = false;

    [[nodiscard]] std::span<const TokenId> tokens() const { return speculation.history().tokens(); }
    [[nodiscard]] bool prefilling() const {
      return fed < static_cast<std::int64_t>(request.prompt.size());
    }
  };

  void plan();
  void plan_decode();
  void plan_mtp(std::size_t sequences);
  Result<Sampled> sample(Running& running, std::span<const float> logits);
  [[nodiscard]] Speculation::Place place_of(const Running& running, std::size_t sequences) const;
  [[nodiscard]] std::int64_t prefill_budget() const;
  void learn(double seconds);
  void consume(Running& running, std::span<const float> logits);
  /// False when the request is finished with this token.
  bool take(Running& running, const Sampled& sampled);
  void finish(Running& running, StopReason reason, std::optional<Error> error = {});

  Forward& forward_;
  const ModelConfig& c_;
  Seconds now_;
  StepCosts costs_;
  double prefill_seconds_ = 0;  ///< what a token of a prompt took lately
  double mtp_seconds_ = 0;      ///< what a draft of the MTP block took lately
  RequestId last_id_ = 0;
  std::size_t next_prefill_ = 0;  ///< whose prompt is read next: they take turns
  std::deque<std::unique_ptr<Running>> running_;
  std::vector<Running*> batch_;
  std::vector<Feed> feeds_;
  std::vector<Running*> asking_;  ///< the MTP block
  std::vector<Feed> mtp_feeds_;
  std::vector<GenerationEvent> events_;
};

}  // namespace fathom::engine
