// session_events: what a session writes into its journal, and how it is read back. A session is a
// fold over these and nothing else: resuming one, replaying one and showing one read the same.
//
//   type                 data
//   agent.started        agent, engine, model, document, system, tools, sampling, answer_schema, …
//   turn.started         turn, text, key            a user's message begins a turn
//   steer.delivered      key, text                  a user's message inside a turn
//   guard.noted          guard, text                a note of the runtime to the model
//   model.request        request, attempt, epoch, messages, bytes, stable_bytes, sha256,
//                        prompt_tokens, reused_tokens, divergence
//   model.message        request, text, reasoning, calls, finish, usage, model, cost_usd, repaired
//   tool.finished        call, status, content, …   written by tools::Dispatcher
//   compaction.finished  epoch, messages            the transcript anew
//   turn.finished        turn, reason, usage, steps
//
// A forked session's journal begins with its parent's events up to some seq, then run.forked {from,
// seq}: reading it needs nothing else.
//
// A text that is too long for an event is in the blob store: {"ref":"sha256:…","size":N,
// "preview":"…"} stands for it, as in all events. The lists `tools`, `calls` and `messages` are
// such texts as a whole. What is no UTF-8 is mended on the way in.
#pragma once

#include "engine/session/engine.hpp"
#include "runtime/base/result.hpp"
#include "runtime/trace/blob_store.hpp"
#include "runtime/trace/event.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace fathom::engine {

/// The setup of a session and where it came from.
struct AgentStarted {
  std::string agent;     ///< its name
  std::string engine;    ///< EngineInfo::name
  std::string model;     ///< EngineInfo::model
  std::string document;  ///< the agent's YAML
  SessionSetup setup;
};

/// A user-role message: of a person, or a note of the runtime.
struct UserSaid {
  enum class How : std::uint8_t { turn, steer, guard };
  How how = How::turn;
  std::string text;
  std::string key;  ///< of a turn or steer: the sender's, for its receipt; of a guard: its name
  std::uint64_t turn = 0;  ///< of a turn: its number, from 1
  /// Of a turn: the transcript has the message already, and what was read because of it.
  bool repeated = false;

  friend bool operator==(const UserSaid&, const UserSaid&) = default;
};

/// Where a request stopped sharing bytes with the one before, though it should not have.
struct Divergence {
  std::uint64_t byte = 0;
  std::uint64_t message = 0;  ///< its index in the transcript; the setup is kSetup
  static constexpr std::uint64_t kSetup = ~std::uint64_t{0};

  friend bool operator==(const Divergence&, const Divergence&) = default;
};

struct RequestSent {
  std::uint64_t request = 0;  ///< counts the session's requests from 1; retries keep it
  std::uint64_t attempt = 1;
  std::uint64_t epoch = 0;
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  std::uint64_t stable_bytes = 0;
  std::string sha256;               ///< of the body
  std::uint64_t prompt_tokens = 0;  ///< an estimate where only the engine counts
  std::uint64_t reused_tokens = 0;  ///< what should be resident, likewise
  std::optional<Divergence> divergence;

  friend bool operator==(const RequestSent&, const RequestSent&) = default;
};

enum class AnswerEnd : std::uint8_t { stop, length, tool_calls, interrupted };
[[nodiscard]] std::string_view name_of(AnswerEnd end);

struct ModelAnswered {
  std::uint64_t request = 0;
  Message message;  ///< calls with their ids
  AnswerEnd end = AnswerEnd::stop;
  Usage usage;
  std::string model;
  std::optional<double> cost_usd;
  std::string repaired;

  friend bool operator==(const ModelAnswered&, const ModelAnswered&) = default;
};

/// A call that was cancelled before it had a result has no content.
struct CallFinished {
  ToolResult result;
  friend bool operator==(const CallFinished&, const CallFinished&) = default;
};

struct Compacted {
  Transcript transcript;
};

struct TurnEnded {
  std::uint64_t turn = 0;
  std::string reason;
  std::uint64_t steps = 0;
  Usage usage;
  std::optional<double> cost_usd;

  friend bool operator==(const TurnEnded&, const TurnEnded&) = default;
};

using SessionEvent = std::variant<AgentStarted, UserSaid, RequestSent, ModelAnswered, CallFinished,
                                  Compacted, TurnEnded>;

/// The event's type and data. Puts long texts into `blobs`, which blocks: on the agent thread use
/// it through offload when `is_large`. CallFinished is the dispatcher's to write, except for a call
/// that was never dispatched.
Result<trace::EventDraft> encode(const SessionEvent& event, const trace::BlobStore& blobs);
/// Whether encode() would use the blob store.
[[nodiscard]] bool is_large(const SessionEvent& event);

/// Nothing for events of other types. `bad_data` names the key that is wrong; blobs that are gone
/// are `not_found`.
Result<std::optional<SessionEvent>> decode(const trace::Event& event,
                                           const trace::BlobStore& blobs);

/// Up to so many bytes of the blob of this name; fails as BlobStore::read does.
using ReadBlob = std::function<Result<std::string>(std::string_view name, std::size_t bytes_max)>;
/// The same where there is no store of one's own.
Result<std::optional<SessionEvent>> decode(const trace::Event& event, const ReadBlob& blobs);

}  // namespace fathom::engine
