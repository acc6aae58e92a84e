// WireCodec: a wire format as its client speaks it, in pure functions. A body is written so that
// the next one repeats it:
//
//   {"model":…,…,"messages":[ m0, m1, …        what the next request begins with (stable bytes)
//   ],"max_tokens":…,"tool_choice":…}          what may differ between two requests of a session
//
// Servers read an object's keys in any order, so the ones that may change stand behind the messages
// and cost the prefix nothing.
#pragma once

#include "engine/remote/answer_draft.hpp"
#include "engine/session/engine.hpp"
#include "runtime/net/sse.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::engine {

/// Whose server it is, by its address: each documents other fields, and some refuse those they do
/// not know.
enum class Vendor : std::uint8_t { deepseek, openai, anthropic, other };

/// A sampled message and its content exactly as the server wants it back. Message has no field for
/// the signatures of Anthropic's thinking blocks, and the transcript's owner needs none.
struct SampledContent {
  Message message;
  std::string wire;  ///< "" where the message says it all
};

/// The body so far, and what of the transcript decides how later messages are written. It is the
/// same for the same transcript, so a session that is opened again writes the same bytes.
struct RenderedBody {
  std::string bytes;
  bool first = true;            ///< no message yet
  bool reasoning_seen = false;  ///< an assistant message had some
};

/// Reads one answer. After a fault nothing more is asked of it.
class AnswerReader {
 public:
  AnswerReader() = default;
  virtual ~AnswerReader() = default;
  AnswerReader(const AnswerReader&) = delete;
  AnswerReader& operator=(const AnswerReader&) = delete;

  virtual std::optional<Fault> on_event(const net::SseEvent& event,
                                        std::vector<SampleDelta>& deltas) = 0;
  /// The whole answer as one JSON object, from a server that does not stream.
  virtual std::optional<Fault> on_body(std::string_view json, std::vector<SampleDelta>& deltas) = 0;
  /// The server said that nothing follows.
  [[nodiscard]] virtual bool complete() const = 0;

  struct Whole {
    Answered answered;
    std::string wire_content;  ///< for SampledContent
  };
  /// The stream is over; call it once.
  virtual std::expected<Whole, Fault> finish(std::vector<SampleDelta>& deltas) = 0;
};

class WireCodec {
 public:
  WireCodec() = default;
  virtual ~WireCodec() = default;
  WireCodec(const WireCodec&) = delete;
  WireCodec& operator=(const WireCodec&) = delete;

  /// The body up to its first message.
  [[nodiscard]] virtual std::string begin(const SessionSetup& setup) const = 0;
  /// Appends one message. `sampled` is the last answer, in case that this is it.
  virtual void append(RenderedBody& body, const Message& message,
                      const SampledContent& sampled) const = 0;
  /// What closes a body.
  [[nodiscard]] virtual std::string end(const SessionSetup& setup,
                                        const RequestLimits& limits) const = 0;
  /// `context` outlives the reader.
  [[nodiscard]] virtual std::unique_ptr<AnswerReader> reader(
      const AnswerContext& context) const = 0;
};

/// The bound of one answer's tokens: the smaller one of the setup and the request; 0 for none.
[[nodiscard]] std::uint64_t answer_tokens_max(const SessionSetup& setup,
                                              const RequestLimits& limits);
/// The text that asks for an answer by `schema` where no field of the request can.
[[nodiscard]] std::string schema_request(std::string_view schema);

}  // namespace fathom::engine
