// ModelCaller: asks the model, patiently. Each attempt is an event; what is asked again is the same
// request, byte for byte. It also watches over the prefix: a request has to begin with the bytes of
// the one before, or what is resident is read anew, and who changed them is named.
#pragma once

#include "agents/session_log.hpp"
#include "engine/session/engine.hpp"
#include "runtime/async/clock.hpp"
#include "runtime/base/result.hpp"
#include "runtime/trace/sha256.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>

namespace fathom::agents {

struct RetryRules {
  std::uint64_t attempts_max = 6;
  std::uint64_t format_attempts_max = 3;  ///< a model that writes nonsense rarely stops
  Duration first_wait = std::chrono::seconds(1);
  Duration wait_max = std::chrono::seconds(60);
  Duration asked_wait_max = std::chrono::minutes(5);  ///< that an engine may ask for
  /// When nobody listens at the other end: it was never started, or it is gone.
  Duration unreachable_max = std::chrono::seconds(4);
};

/// How long to wait before the next attempt, or nothing when there should be none. `attempt` is the
/// one that failed, from 1; `waited` what was waited so far; `jitter` is in [0, 1).
[[nodiscard]] std::optional<Duration> wait_before_retry(const RetryRules& rules,
                                                        const engine::Fault& fault,
                                                        std::uint64_t attempt, Duration waited,
                                                        double jitter);

/// The first byte at which `body` does not repeat what the request before it promised to; nothing
/// when it does.
[[nodiscard]] std::optional<engine::Divergence> find_divergence(
    std::string_view promised, const engine::PreparedRequest& request);

class ModelCaller {
 public:
  struct Services {
    Clock& clock;
    SessionLog& log;
    std::uint64_t seed = 0;  ///< of the jitter
    RetryRules retry;
    /// Keeps what goes over the wire, and says where in `model.bodies`; asides too.
    bool keeps_bodies = false;
  };

  /// `engine` outlives it.
  ModelCaller(Services services, const engine::Engine& engine,
              std::unique_ptr<engine::Session> session);

  /// Asks for the answer to the log's transcript and adds it to the log. The outer error is the
  /// journal's. Cancelling it leaves the session as it was. `on_retry` (may be empty): what the
  /// observer has heard so far is void, the answer begins again.
  asio::awaitable<Result<engine::SampleOutcome>> ask(const engine::RequestLimits& limits,
                                                     const engine::SampleObserver& observer,
                                                     std::function<void()> on_retry = {});
  /// The same with a message more than the transcript has, and without a trace in it: a summary, a
  /// title. What is resident is shared.
  asio::awaitable<Result<engine::SampleOutcome>> ask_aside(Message question,
                                                           const engine::RequestLimits& limits);

  /// Tokens that the next request will have, as far as known.
  [[nodiscard]] std::uint64_t context_used() const;
  [[nodiscard]] const engine::EngineInfo& info() const { return engine_->info(); }
  [[nodiscard]] engine::Session& session() { return *session_; }
  [[nodiscard]] const engine::Engine& engine() const { return *engine_; }
  /// Goes on from where the engine was before the first change of an attempt that is forgotten.
  void rewind();
  /// Another model goes on with the same transcript.
  void replace(const engine::Engine& engine, std::unique_ptr<engine::Session> session);

 private:
  asio::awaitable<Result<engine::SampleOutcome>> attempts(engine::Session& session,
                                                          engine::RequestSent sent,
                                                          const engine::SampleObserver& observer,
                                                          std::function<void()> on_retry);
  /// One attempt, with its bodies kept where they are wanted; `request` 0 is an aside.
  asio::awaitable<Result<engine::SampleOutcome>> sample(engine::Session& session,
                                                        const engine::SampleObserver& observer,
                                                        std::uint64_t request,
                                                        std::uint64_t attempt);
  [[nodiscard]] engine::RequestSent describe(const engine::PreparedRequest& request);
  void promise(std::string_view stable, bool goes_on);
  void keep_place();
  [[nodiscard]] std::uint64_t estimate(std::uint64_t bytes) const;
  Result<> explain_miss(const engine::RequestSent& sent, const Usage& usage);
  void name_calls(std::vector<ToolCall>& calls) const;
  double jitter();

  Services services_;
  const engine::Engine* engine_;
  std::unique_ptr<engine::Session> session_;
  std::unique_ptr<engine::Session> place_;  ///< null where there is none to go back to
  std::mt19937_64 random_;

  std::string promised_;  ///< the stable bytes of the last request
  trace::Sha256 hash_;    ///< of promised_
  std::uint64_t promised_epoch_ = 0;
  std::uint64_t known_tokens_ = 0;  ///< of prompt and answer of the last request
  std::uint64_t known_bytes_ = 0;   ///< of its body
  std::size_t known_messages_ = 0;
  double tokens_per_byte_ = kTokensPerByte;

  static constexpr double kTokensPerByte =
      0.28;  ///< of code and prose, until an engine has counted
};

}  // namespace fathom::agents
