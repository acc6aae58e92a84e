// Server-sent events, both directions, as pure functions of bytes: the event stream format of the
// WHATWG HTML standard, section 9.2.6.
#pragma once

#include "runtime/base/result.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::net {

/// The most one event may hold before its blank line arrives. The largest seen from a model server
/// is the final event of the Responses API, which repeats the whole answer.
constexpr std::size_t kSseEventBytesMax = 16 * 1024 * 1024;
/// An id is repeated in every later event, so a large one would multiply.
constexpr std::size_t kSseIdBytesMax = 1024;
/// A longer reconnection time is taken for this one: whoever adds it to a clock cannot overflow.
constexpr std::chrono::milliseconds kSseRetryMax = std::chrono::days(1);

struct SseEvent {
  std::string type = "message";
  std::string data;  ///< valid UTF-8; lines joined by LF
  std::string id;    ///< the last id the stream set, also when this event set none

  friend bool operator==(const SseEvent&, const SseEvent&) = default;
};

/// Takes a stream in pieces cut anywhere. What is unfinished when the stream ends is dropped, as
/// the standard asks.
class SseParser {
 public:
  explicit SseParser(std::size_t event_bytes_max = kSseEventBytesMax)
      : event_bytes_max_(event_bytes_max) {}

  /// Appends the events that `bytes` completes to `events`. Fails with `too_large` when an event or
  /// id outgrows its bound; then the stream cannot be followed further and every later call fails
  /// alike.
  Result<> feed(std::string_view bytes, std::vector<SseEvent>& events);

  /// What to send as Last-Event-ID when connecting again.
  [[nodiscard]] const std::string& last_event_id() const { return last_event_id_; }
  /// The reconnection time the server asked for, if any; at most kSseRetryMax.
  [[nodiscard]] std::optional<std::chrono::milliseconds> retry() const { return retry_; }

 private:
  void end_line(std::vector<SseEvent>& events);
  void take_field(std::string_view name, std::string_view value);
  void dispatch(std::vector<SseEvent>& events);

  std::size_t event_bytes_max_;
  std::string line_;  ///< the unfinished line
  std::string data_;  ///< each data line followed by LF
  std::string type_;
  std::string last_event_id_;
  std::optional<std::chrono::milliseconds> retry_;
  bool first_line_ = true;  ///< a byte order mark may only stand here
  bool after_cr_ = false;   ///< a LF now belongs to the CR before it
  std::optional<Error> failed_;
};

/// The bytes of one event: one `data:` line for each line of its data (CR, LF and CRLF all break
/// lines and arrive as LF). `event:` only for a type other than "message", `id:` only when not
/// empty. Type and id hold no CR, LF or NUL: they are the program's own, so anything else is a
/// defect.
[[nodiscard]] std::string encode_sse(const SseEvent& event);

/// A comment: keeps proxies and idle timeouts from closing a quiet stream, and no receiver sees it.
[[nodiscard]] std::string encode_sse_comment(std::string_view text);

}  // namespace fathom::net
