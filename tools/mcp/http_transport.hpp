// HttpTransport: a tool server behind a URL (MCP's streamable HTTP). Every frame is a POST of its
// own; the answer comes as JSON or as an event stream, which is taken up again when it breaks.
//
// The server is reached by this process and not through the sandbox: it is none of the programs
// that the model runs. The policy's network rules are asked for every call (Tool::intent); the URL
// was given by a person, and redirects are not followed. The stream on which servers may speak
// without being asked is not opened: nothing that comes there is acted upon.
#pragma once

#include "runtime/async/clock.hpp"
#include "runtime/async/signal.hpp"
#include "runtime/async/task_group.hpp"
#include "runtime/net/http_client.hpp"
#include "tools/mcp/mcp_transport.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <map>
#include <optional>
#include <string>

namespace fathom::tools {

inline constexpr std::size_t kPostsMax = 64;   // at once
inline constexpr std::size_t kResumesMax = 3;  // of one broken stream
inline constexpr std::size_t kSessionIdBytesMax = 512;
inline constexpr Duration kResumeDelay = std::chrono::seconds(1);  // unless the server says another
inline constexpr Duration kResumeDelayMax = std::chrono::seconds(10);
inline constexpr Duration kGoodbyeTimeout = std::chrono::seconds(2);
inline constexpr std::uint64_t kStreamBytesMax = 64ULL << 20;  // of one answer's stream

class HttpTransport final : public McpTransport {
 public:
  struct Server {
    net::Url url;
    net::Headers headers;  ///< from the user's configuration; secrets may be among them
  };

  /// `clock` and `client` outlive it.
  HttpTransport(asio::any_io_executor executor, Clock& clock, net::HttpClient& client,
                Server server);
  ~HttpTransport() override;

  asio::awaitable<Result<>> open(McpSink& sink) override;
  Result<> send(Outgoing outgoing) override;
  void drop(std::uint64_t id) override;
  void set_version(std::string_view version) override { version_ = version; }
  void abort() override;
  asio::awaitable<void> close() override;
  [[nodiscard]] policies::Request request() const override;

 private:
  using Stream = std::unique_ptr<net::HttpStream>;
  /// Where a stream can be taken up again.
  struct Place {
    std::string last_event_id;
    Duration delay = kResumeDelay;
  };

  asio::awaitable<void> post(Outgoing outgoing);
  asio::awaitable<void> deliver(const Outgoing& outgoing);
  asio::awaitable<Result<>> exchange(const Outgoing& outgoing);
  asio::awaitable<Result<>> take_answer(Stream stream, std::uint64_t id);
  asio::awaitable<Result<>> follow(Stream stream, std::uint64_t id);
  asio::awaitable<Result<>> read_events(net::HttpStream& stream, std::uint64_t id, Place& place);
  asio::awaitable<Result<>> say_goodbye();
  Result<> take_session_id(const net::HttpStream& stream);
  [[nodiscard]] net::HttpRequest request_of(std::string method, std::string body) const;

  asio::any_io_executor executor_;
  Clock& clock_;
  net::HttpClient& client_;
  Server server_;
  McpSink* sink_ = nullptr;
  std::string session_id_;
  std::string version_;
  bool is_open_ = false;
  std::size_t notifying_ = 0;  ///< posts that answer nothing; requests wait for them
  Signal notified_;
  std::map<std::uint64_t, TaskGroup*> posts_;  ///< of requests, each to be cancelled alone
  std::optional<TaskGroup> tasks_;
};

}  // namespace fathom::tools
