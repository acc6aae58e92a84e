// McpSession: one conversation with a tool server (Model Context Protocol) as a state machine.
// Frames go in; what to send and what has happened come out. Pure: whoever moves the frames also
// watches the clock, and gives up requests that take too long.
//
// The server is somebody else's program. It may ask for nothing but a ping; what it says without
// being asked is counted, and too much of it ends the conversation.
#pragma once

#include "runtime/base/result.hpp"
#include "tools/mcp/rpc_message.hpp"

#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace fathom::tools {

inline constexpr std::string_view kMcpVersion = "2025-06-18";
inline constexpr std::size_t kInFlightMax = 32;  // requests of ours
/// Messages that answer nothing, since the last answer: notifications, requests, late answers.
inline constexpr std::size_t kUnaskedMax = 10'000;
inline constexpr std::size_t kUnaskedBytesMax = 16UL << 20;
inline constexpr std::size_t kProgressBytesMax = 500;  // of one line of progress
inline constexpr std::size_t kLogLinesMax = 8;         // kept of what the server logs
inline constexpr std::size_t kLogLineBytesMax = 300;

namespace session_event {
/// Request `id` is answered.
struct Answered {
  std::uint64_t id = 0;
  Result<std::string> result;  ///< JSON; the server's own error is `bad_data`
};
/// Request `id` goes on.
struct Progress {
  std::uint64_t id = 0;
  std::string line;  ///< printable: "3/10: reading"
};
/// The handshake, request `id`, is over: others may be sent.
struct Ready {
  std::uint64_t id = 0;
};
/// To be sent.
struct Send {
  std::string frame;
};
}  // namespace session_event

using SessionEvent = std::variant<session_event::Answered, session_event::Progress,
                                  session_event::Ready, session_event::Send>;

class McpSession {
 public:
  struct Request {
    std::uint64_t id = 0;
    std::string frame;
  };

  /// The first request, `initialize`. Once.
  Request begin();

  /// Takes one frame. An error ends the conversation: the peer broke the protocol, says too much,
  /// or speaks a version that is not known here.
  Result<std::vector<SessionEvent>> take(std::string_view frame);

  /// A request with a progress token. `in_use` when kInFlightMax are in flight.
  Result<Request> ask(std::string_view method, std::string params);

  /// Forgets a request and gives the notification that says so; "" when it is not in flight, or is
  /// the first one, which the protocol does not let us take back.
  std::string cancel(std::uint64_t id, std::string_view reason);

  [[nodiscard]] bool awaits(std::uint64_t id) const { return in_flight_.contains(id); }
  [[nodiscard]] bool is_ready() const { return state_ == State::ready; }
  /// What both sides speak, once ready.
  [[nodiscard]] const std::string& version() const { return version_; }
  /// Name and version of the server as it calls itself, printable.
  [[nodiscard]] const std::string& server() const { return server_; }
  [[nodiscard]] bool has_tools() const { return has_tools_; }
  /// The server says its tools are others now. Noted, never followed: a session's are frozen.
  [[nodiscard]] bool tools_changed() const { return tools_changed_; }
  /// Before a list that will have the change in it.
  void forget_change() { tools_changed_ = false; }
  /// The last lines it logged.
  [[nodiscard]] const std::deque<std::string>& log() const { return log_; }

 private:
  enum class State : std::uint8_t { fresh, greeting, ready };
  using Events = std::vector<SessionEvent>;
  Result<> take_response(rpc::Response response, Events& events);
  Result<> take_greeting(const rpc::Response& response, Events& events);
  void take_request(const rpc::Request& request, Events& events);
  void take_notification(const rpc::Notification& notification, Events& events);
  Result<> count_unasked(std::size_t bytes);

  State state_ = State::fresh;
  std::uint64_t last_id_ = 0;
  std::uint64_t greeting_ = 0;
  std::set<std::uint64_t> in_flight_;
  std::size_t unasked_ = 0;
  std::size_t unasked_bytes_ = 0;
  std::string version_;
  std::string server_;
  bool has_tools_ = false;
  bool tools_changed_ = false;
  std::deque<std::string> log_;
};

}  // namespace fathom::tools
