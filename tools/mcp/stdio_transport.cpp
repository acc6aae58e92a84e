#include "tools/mcp/stdio_transport.hpp"

#include "runtime/async/timeout.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"
#include "tools/mcp/rpc_message.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <utility>

namespace fathom::tools {

StdioTransport::StdioTransport(asio::any_io_executor executor, Clock& clock, Commands& commands,
                               std::vector<std::string> argv, std::string workspace)
    : executor_(std::move(executor)),
      clock_(clock),
      commands_(commands),
      argv_(std::move(argv)),
      workspace_(std::move(workspace)),
      queued_(executor_),
      ended_(executor_),
      frames_(kFrameBytesMax) {
  ENSURE(!argv_.empty(), "a server is a program");
}

StdioTransport::~StdioTransport() = default;

policies::Request StdioTransport::request() const {
  return policies::request::Exec{argv_, workspace_};
}

// An anonymous pipe, which is all that a sandboxed program may inherit. We keep the end that the
// server reads as well: a write to a pipe without a reader would raise SIGPIPE, and that the server
// is gone is told by the sandbox.
asio::awaitable<Result<>> StdioTransport::open(McpSink& sink) {
  ENSURE(!tasks_, "one conversation at a time");
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) co_return fail(system_error("pipe", errno));
  input_.reset(ends[0]);
  output_.emplace(executor_, ends[1]);
  output_->non_blocking(true);
  sink_ = &sink;
  queue_.clear();
  queue_bytes_ = 0;
  frames_ = LineFrames(kFrameBytesMax);
  stderr_tail_.clear();
  is_running_ = true;
  tasks_.emplace(executor_);
  tasks_->spawn(serve());
  tasks_->spawn(write());
  co_return Result<>{};
}

Result<> StdioTransport::send(Outgoing outgoing) {
  if (!is_running_) return fail(ErrorCode::io, "the server is gone");
  if (queue_bytes_ + outgoing.frame.size() > kSendQueueBytesMax)
    return fail(ErrorCode::in_use,
                "the server does not read: " + format_bytes(queue_bytes_) + " wait to be sent");
  outgoing.frame += '\n';
  queue_bytes_ += outgoing.frame.size();
  queue_.push_back(std::move(outgoing.frame));
  queued_.notify_all();
  return {};
}

asio::awaitable<void> StdioTransport::write() {
  for (;;) {
    while (queue_.empty()) co_await queued_.wait();
    const std::string frame = std::move(queue_.front());
    queue_.pop_front();
    boost::system::error_code ec;
    co_await asio::async_write(*output_, asio::buffer(frame),
                               asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return;  // closed by us: nobody else can
    queue_bytes_ -= frame.size();
  }
}

void StdioTransport::take(sandbox::OutputStream stream, std::string_view bytes) {
  if (stream == sandbox::OutputStream::err) {
    stderr_tail_ += bytes;
    if (stderr_tail_.size() > kStderrTailBytes)
      stderr_tail_ = std::string(clip_suffix(stderr_tail_, kStderrTailBytes));
    return;
  }
  const Result<> fed = frames_.feed(bytes, [this](std::string_view frame) {
    if (is_running_) sink_->on_frame(frame);
  });
  if (fed || !is_running_) return;
  abort();
  sink_->on_closed({ErrorCode::too_large, "was ended: it wrote " + fed.error().message});
}

std::string StdioTransport::last_words() const {
  std::string_view text = stderr_tail_;
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.remove_suffix(1);
  const std::size_t line = text.rfind('\n');
  if (line != std::string_view::npos) text.remove_prefix(line + 1);
  return to_printable(clip_prefix(text, kStderrLineBytesMax));
}

Error StdioTransport::error_of(const Result<sandbox::Outcome>& outcome) const {
  if (!outcome) return outcome.error();
  if (outcome->ending == sandbox::Ending::not_started)
    return {ErrorCode::unsupported, "did not start: " + outcome->evidence};
  std::string text = "ended (" + summary(*outcome) + ")";
  if (const std::string last = last_words(); !last.empty()) text += ", stderr: " + last;
  return {ErrorCode::io, text};
}

asio::awaitable<void> StdioTransport::serve() {
  struct Ended {
    StdioTransport& self;
    ~Ended() {
      self.is_running_ = false;
      self.ended_.notify_all();
    }
  } const ended{*this};
  sandbox::Command command;
  command.argv = argv_;
  command.lifetime = sandbox::Lifetime::service;
  command.input = input_.get();
  command.on_output = [this](sandbox::OutputStream stream, std::string_view bytes) {
    take(stream, bytes);
  };
  auto running = commands_.run(std::move(command));
  const Result<sandbox::Outcome> outcome = co_await std::move(running);
  if (!is_running_) co_return;
  is_running_ = false;
  sink_->on_closed(error_of(outcome));
}

void StdioTransport::abort() {
  is_running_ = false;
  if (tasks_) tasks_->cancel();
}

asio::awaitable<Result<>> StdioTransport::wait_ended() {
  while (is_running_) co_await ended_.wait();
  co_return Result<>{};
}

asio::awaitable<void> StdioTransport::close() {
  if (!tasks_) co_return;
  // join() leaves the group empty, whatever else it does.
  struct Reset {
    std::optional<TaskGroup>& group;
    ~Reset() {
      if (group->size() == 0) group.reset();
    }
  } const reset{tasks_};
  if (is_running_) {
    output_->close();  // the server reads the end of its input
    auto waiting = with_timeout(clock_, kCloseGrace, "end", wait_ended());
    (void)co_await std::move(waiting);
  }
  abort();
  co_await tasks_->join();
  output_.reset();
  input_.reset();
}

}  // namespace fathom::tools
