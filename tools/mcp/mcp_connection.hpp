// McpConnection: one tool server over a session's life. Shakes hands, lists the tools once, makes
// calls, and starts a server that died again with the next call, a bounded number of times and only
// while it offers the same tools: what the model was told of them does not change.
#pragma once

#include "runtime/async/clock.hpp"
#include "runtime/async/signal.hpp"
#include "tools/mcp/mcp_session.hpp"
#include "tools/mcp/mcp_transport.hpp"
#include "tools/mcp/remote_tool.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::tools {

inline constexpr std::size_t kPagesMax = 32;    // of one tool list
inline constexpr std::size_t kRestartsMax = 3;  // of one server in one session

struct McpTimes {
  Duration start = std::chrono::seconds(30);  ///< process, handshake and list together
  Duration call = std::chrono::seconds(120);  ///< without a sign of progress
  Duration call_max = std::chrono::minutes(30);
};

class McpConnection final : private McpSink {
 public:
  using OnProgress = std::function<void(std::string_view line)>;

  McpConnection(asio::any_io_executor executor, Clock& clock, std::string name,
                std::unique_ptr<McpTransport> transport, McpTimes times = {});
  ~McpConnection() override;

  /// Connects and lists the tools, which from here on are the session's. Once, before call().
  asio::awaitable<Result<>> start();

  /// The result of one call, as JSON. A server that is gone is started again first. Cancelling
  /// tells the server and does not wait for it. Errors begin with the server's name; after
  /// `timeout` and a server that died it is unknown what the call has done.
  asio::awaitable<Result<std::string>> call(std::string_view tool, std::string_view arguments,
                                            OnProgress on_progress);

  /// Ends the server. No start() or call() may be running; destruction needs it.
  asio::awaitable<void> close();

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::vector<RemoteTool>& tools() const { return tools_; }
  /// What of the list was left out, and why.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }
  [[nodiscard]] policies::Request request() const { return transport_->request(); }
  /// True once, after the server has said that its tools are others now.
  bool take_tools_changed();

 private:
  struct Waiting;
  class Entry;
  struct Patience {
    Duration between;  ///< signs of life
    Duration in_all;
    const OnProgress* on_progress = nullptr;
  };

  void on_frame(std::string_view frame) override;
  void on_failed(std::uint64_t id, Error why) override;
  void on_closed(Error why) override;
  [[nodiscard]] bool awaits(std::uint64_t id) const override;

  asio::awaitable<Result<>> connect();
  asio::awaitable<Result<>> greet();
  struct Listing {
    std::vector<RemoteTool> tools;
    std::vector<std::string> notes;
  };
  asio::awaitable<Result<Listing>> list();
  asio::awaitable<Result<>> take_list();
  asio::awaitable<Result<std::string>> ask(std::string_view method, std::string params,
                                           Patience patience);
  asio::awaitable<Result<std::string>> exchange(McpSession::Request request, Patience patience);
  asio::awaitable<Result<>> wait_for(Waiting& waiting);
  void take(SessionEvent event);
  void answer(std::uint64_t id, Result<std::string> result);
  [[nodiscard]] Error with_log(Error error) const;

  asio::any_io_executor executor_;
  Clock& clock_;
  std::string name_;
  std::unique_ptr<McpTransport> transport_;
  McpTimes times_;
  std::optional<McpSession> session_;
  std::map<std::uint64_t, Waiting*> waiting_;
  std::vector<RemoteTool> tools_;
  std::vector<std::string> notes_;
  std::optional<Error> closed_;  ///< why the conversation ended
  Signal connected_;
  bool connecting_ = false;
  bool is_open_ = false;
  bool is_listed_ = false;
  bool told_of_change_ = false;
  std::size_t starts_ = 0;
};

}  // namespace fathom::tools
