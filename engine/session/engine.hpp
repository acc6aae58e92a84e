// Engine and Session: the one interface behind which a model stands, whether it runs here, on a
// cluster, at a vendor's, or only repeats a recording.
//
//   Engine   weights or an endpoint; opens sessions
//   Session  one transcript on its way into the model: what it has read stays resident, so a
//            request repeats the one before, plus what was appended
//
// A request is frozen before it is sent: asking again after a fault sends the same bytes.
#pragma once

#include "engine/text/sample.hpp"
#include "runtime/async/clock.hpp"
#include "runtime/base/message.hpp"
#include "runtime/base/result.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::engine {

namespace asio = boost::asio;

inline constexpr std::size_t kCallsPerSampleMax = 32;  ///< further ones of a sample are an error

/// A tool as the model is told of it.
struct ToolDeclaration {
  std::string name;
  std::string description;
  std::string parameters;  ///< JSON Schema, exactly these bytes

  friend bool operator==(const ToolDeclaration&, const ToolDeclaration&) = default;
};

/// Empty or absent values are the engine's own.
struct SamplingSettings {
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<std::uint64_t> seed;
  std::string effort;                   ///< none, low, high or max; frozen, as its text comes first
  std::uint64_t answer_tokens_max = 0;  ///< of one sample, reasoning included

  friend bool operator==(const SamplingSettings&, const SamplingSettings&) = default;
};

/// What every request of a session begins with. It never changes while the session lives.
struct SessionSetup {
  std::string system;
  std::vector<ToolDeclaration> tools;
  SamplingSettings sampling;
  /// JSON Schema of an answer without calls; "" for free text. An engine that samples here
  /// enforces it, others are asked for it.
  std::string answer_schema;
  std::string cache_key;        ///< names the session to engines that keep caches by name
  bool tools_in_prompt = true;  ///< false for a model trained on its tools
  /// The transcript begins with answers of this engine from an earlier process: a recording goes on
  /// behind them.
  bool goes_on = false;
};

/// Append-only within an epoch. Roles user, assistant and tool; a tool message holds the results of
/// all calls of the assistant message before it, in their order.
struct Transcript {
  std::vector<Message> messages;
  std::uint64_t epoch = 0;  ///< counts compactions: a new one shares nothing with the one before
};

/// What the arguments of a tool's calls may be now: any one of these JSON Schemas of objects.
struct CallForms {
  std::string tool;
  std::vector<std::string> schemas;

  friend bool operator==(const CallForms&, const CallForms&) = default;
};

/// Of one request, beside the setup.
struct RequestLimits {
  std::uint64_t answer_tokens_max = 0;     ///< 0: the setup's; the smaller one counts
  bool may_call = true;                    ///< false: an answer in words is wanted now
  std::optional<std::uint64_t> seed = {};  ///< another than the setup's, where there are seeds
  /// Another than the setup's, of an engine that samples here: elsewhere it is in the prefix.
  std::optional<double> temperature = {};
  /// Masks of an engine that samples here; nothing that the model reads changes, and other engines
  /// are not asked. An answer without a call is then no answer; forms are one for a tool at most.
  bool must_call = false;
  std::vector<CallForms> forms = {};
};

/// The frozen request, for the trace. Valid until the next prepare().
struct PreparedRequest {
  std::string_view body;
  /// How much of `body` the next request repeats: all but what closes it.
  std::size_t stable_bytes = 0;
  /// Where each message of the transcript begins in `body`; the setup stands before the first.
  std::span<const std::size_t> starts;
  std::uint64_t tokens = 0;           ///< of the whole prompt; 0 where only the engine counts them
  std::uint64_t resident_tokens = 0;  ///< of them not to be read again; 0 likewise
};

enum class FaultClass : std::uint8_t {
  transport,  ///< not reached, cut off, timed out: asking again may help
  rate,       ///< too many requests
  server,     ///< the engine's own failure
  format,     ///< an answer that cannot be read
  refused,    ///< a key, model or request that it does not accept: asking again is useless
  balance,    ///< nobody pays any more
  overflow,   ///< the prompt does not fit into the context
};
[[nodiscard]] std::string_view name_of(FaultClass kind);
[[nodiscard]] bool may_retry(FaultClass kind);

struct Fault {
  FaultClass kind{};
  std::string message;  ///< one line, begins with the engine's name, never with a secret in it
  std::optional<Duration> retry_after;
  bool is_unreachable = false;  ///< nobody listens there: waiting long will not help

  friend bool operator==(const Fault&, const Fault&) = default;
};

/// A whole answer. Calls have the ids that the engine gave them, or none.
struct Answered {
  Sample sample;
  Usage usage;
  std::string model;  ///< as the engine calls what answered
  /// What had to be mended in a call that was malformed, for the trace; "" for nothing.
  std::string repaired;
};

using SampleOutcome = std::expected<Answered, Fault>;

/// A request and its answer in the bytes of the wire, without the engine's key.
struct WireBodies {
  std::string request;
  std::string response;  ///< as far as it came, and at most kWireBytesKept
};
inline constexpr std::size_t kWireBytesKept = std::size_t{16} << 20;

/// Hears an answer while it comes; any may be empty. Must not throw.
struct SampleObserver {
  std::function<void(const SampleDelta&)> on_delta;
  std::function<void(std::uint64_t done, std::uint64_t total)> on_prefill = {};  ///< tokens
  /// Once for each request that an answer or a fault came to; of engines behind a wire only.
  std::function<void(WireBodies)> on_bodies = {};
};

class Session {
 public:
  Session() = default;
  virtual ~Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Freezes what the next sample is asked with. The transcript begins with the messages of the
  /// last one that was prepared, unless its epoch is new.
  virtual std::expected<PreparedRequest, Fault> prepare(const Transcript& transcript,
                                                        const RequestLimits& limits) = 0;
  /// Asks with the frozen request. Cancelling leaves the session as it was after prepare().
  virtual asio::awaitable<SampleOutcome> sample(const SampleObserver& observer) = 0;

  /// A session that begins where this one is: it shares what is resident.
  [[nodiscard]] virtual Result<std::unique_ptr<Session>> fork() const = 0;
};

/// In US dollars for a million tokens.
struct Price {
  double prompt = 0;
  double reused = 0;  ///< prompt tokens that were resident
  double completion = 0;

  [[nodiscard]] double of(const Usage& usage) const;
  friend bool operator==(const Price&, const Price&) = default;
};

struct EngineInfo {
  std::string name;   ///< its SPEC, without secrets
  std::string model;  ///< "" where the endpoint chooses
  std::uint64_t context_tokens = 0;
  std::optional<Price> price;         ///< absent: it costs nothing, or nobody knows
  std::vector<std::string> warnings;  ///< a line each, to be shown once: an outdated model's name
};

class Engine {
 public:
  Engine() = default;
  virtual ~Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  [[nodiscard]] virtual const EngineInfo& info() const = 0;
  /// Fails for a setup that the engine cannot do.
  virtual Result<std::unique_ptr<Session>> open(SessionSetup setup) = 0;
};

}  // namespace fathom::engine
