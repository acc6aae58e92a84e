// StdioTransport: a tool server that is a program of the session, in the same sandbox as every
// command: it sees the workspace, an empty home, and no network but what the policy grants. A line
// of its output is a frame; what it says on stderr is kept for the error when it ends.
#pragma once

#include "runtime/async/clock.hpp"
#include "runtime/async/signal.hpp"
#include "runtime/async/task_group.hpp"
#include "runtime/base/unique_fd.hpp"
#include "tools/commands.hpp"
#include "tools/mcp/line_frames.hpp"
#include "tools/mcp/mcp_transport.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace fathom::tools {

inline constexpr std::size_t kSendQueueBytesMax = 8UL << 20;  // that the server has not read yet
inline constexpr std::size_t kStderrTailBytes = 4UL << 10;
inline constexpr std::size_t kStderrLineBytesMax = 300;           // shown of its last line
inline constexpr Duration kCloseGrace = std::chrono::seconds(2);  // to end once its input is closed

class StdioTransport final : public McpTransport {
 public:
  /// `commands` and `clock` outlive it. `argv` is not empty; `workspace` is where it runs.
  StdioTransport(asio::any_io_executor executor, Clock& clock, Commands& commands,
                 std::vector<std::string> argv, std::string workspace);
  ~StdioTransport() override;

  asio::awaitable<Result<>> open(McpSink& sink) override;
  Result<> send(Outgoing outgoing) override;
  void drop(std::uint64_t) override {}
  void set_version(std::string_view) override {}
  void abort() override;
  asio::awaitable<void> close() override;
  [[nodiscard]] policies::Request request() const override;

 private:
  asio::awaitable<void> serve();
  asio::awaitable<void> write();
  asio::awaitable<Result<>> wait_ended();
  void take(sandbox::OutputStream stream, std::string_view bytes);
  [[nodiscard]] Error error_of(const Result<sandbox::Outcome>& outcome) const;
  [[nodiscard]] std::string last_words() const;

  asio::any_io_executor executor_;
  Clock& clock_;
  Commands& commands_;
  std::vector<std::string> argv_;
  std::string workspace_;
  McpSink* sink_ = nullptr;                               ///< of the conversation that goes on
  UniqueFd input_;                                        ///< what the server reads
  std::optional<asio::posix::stream_descriptor> output_;  ///< what we write
  std::deque<std::string> queue_;
  std::size_t queue_bytes_ = 0;
  Signal queued_;
  Signal ended_;
  bool is_running_ = false;
  LineFrames frames_;
  std::string stderr_tail_;
  std::optional<TaskGroup> tasks_;
};

}  // namespace fathom::tools
