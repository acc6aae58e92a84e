#include "sandbox/session.hpp"

#include "runtime/base/ensure.hpp"
#include "sandbox/descriptors.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <sys/socket.h>

#include <cstring>

namespace fathom::sandbox {
namespace {

constexpr std::size_t kAnswerBytesMax = 256;  // of any message from the zygote's side
using Wait = asio::posix::stream_descriptor::wait_type;

template <class T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

template <class T>
Result<T> message_as(std::string_view bytes) {
  if (bytes.size() != sizeof(T))
    return fail(ErrorCode::protocol, "the sandbox's zygote answered with a malformed message");
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

Result<CellEvent> decode(const ReceivedMessage& message, UniqueFd fd) {
  if (message.bytes.empty()) return CellEvent(cell_event::End{});
  wire::Kind kind{};
  if (message.bytes.size() >= sizeof kind) std::memcpy(&kind, message.bytes.data(), sizeof kind);
  switch (kind) {
    case wire::Kind::cell_started:
      return CellEvent(cell_event::Started{std::move(fd)});
    case wire::Kind::notify: {
      const auto note = TRY(message_as<wire::Notify>(message.bytes));
      if (note.terminal != 0) return CellEvent(cell_event::Terminal{std::move(fd)});
      return CellEvent(cell_event::Listener{std::move(fd)});
    }
    case wire::Kind::failed: {
      const auto failed = TRY(message_as<wire::Failed>(message.bytes));
      return CellEvent(cell_event::Failed{failed.stage, failed.error, failed.detail});
    }
    case wire::Kind::exited: {
      const auto exited = TRY(message_as<wire::Exited>(message.bytes));
      return CellEvent(cell_event::Exited{exited.status, exited.left != 0, exited.user_us,
                                          exited.system_us, exited.memory_bytes_max});
    }
    default:
      return fail(ErrorCode::protocol, "the sandbox's zygote answered with an unknown message");
  }
}

// Waits for one message and takes it.
asio::awaitable<Result<ReceivedMessage>> receive(asio::posix::stream_descriptor& socket,
                                                 std::span<char> buffer) {
  for (;;) {
    auto waiting = receive_with_descriptors(socket.native_handle(), buffer);
    if (!waiting) co_return fail(std::move(waiting).error());
    if (*waiting) co_return std::move(**waiting);
    co_await socket.async_wait(Wait::wait_read, asio::use_awaitable);
  }
}

}  // namespace

asio::awaitable<void> wait_readable(const asio::any_io_executor& executor, int fd) {
  asio::posix::stream_descriptor watched(executor, ::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  co_await watched.async_wait(Wait::wait_read, asio::use_awaitable);
}

std::string stage_text(wire::Stage stage, int error, std::uint32_t detail) {
  std::string text = "sandbox: " + std::string(name_of(stage));
  if (detail != 0) text += " (" + std::to_string(detail) + ")";
  return text + ": " + std::strerror(error);
}

Cell::Cell(asio::any_io_executor executor, UniqueFd socket)
    : socket_(std::move(executor), socket.release()) {}

Result<> Cell::launch(const LaunchPlan& plan, const std::array<int, 3>& stdio) {
  if (plan.argv.size() > wire::kArgumentsMax || plan.env.size() > wire::kArgumentsMax)
    return fail(ErrorCode::too_large, "launch: more than " + std::to_string(wire::kArgumentsMax) +
                                          " arguments: pass them in a file");
  std::string body = plan.encode();
  wire::Launch head;
  head.flags = (plan.terminal ? wire::kLaunchTerminal : 0U) |
               (plan.self_check ? wire::kLaunchSelfCheck : 0U);
  if (body.size() > wire::kPlanBytesMax)
    return fail(ErrorCode::too_large,
                "launch: arguments and environment have more than 8 MiB: pass them in a file");
  UniqueFd memory;
  std::vector<int> fds;
  if (body.size() + sizeof head > wire::kMessageBytesMax) {
    memory = TRY(sealed_memory("fathom-launch", body));
    fds.push_back(memory.get());
    head.flags |= wire::kLaunchInMemfd;
    body.clear();
  }
  fds.insert(fds.end(), stdio.begin(), stdio.end());
  std::string message(bytes_of(head));
  message += body;
  return send_with_descriptors(socket_.native_handle(), message, fds);
}

asio::awaitable<Result<CellEvent>> Cell::next() {
  std::array<char, kAnswerBytesMax> buffer{};
  CO_TRY(ReceivedMessage message, co_await receive(socket_, buffer));
  UniqueFd fd = message.fds.empty() ? UniqueFd() : std::move(message.fds.front());
  co_return decode(message, std::move(fd));
}

void Cell::ask_to_end() { ::shutdown(socket_.native_handle(), SHUT_WR); }

Session::Session(asio::any_io_executor executor, UniqueFd socket)
    : executor_(executor), socket_(executor, socket.release()) {}

Result<std::unique_ptr<Session>> Session::open(ZygoteProcess& zygote, const SessionPlan& plan,
                                               asio::any_io_executor executor) {
  UniqueFd socket = TRY(zygote.open_session(plan.encode()));
  auto session = std::unique_ptr<Session>(new Session(std::move(executor), std::move(socket)));
  session->has_shown_ = !plan.shown.empty();
  session->has_pid_namespaces_ = (plan.cell_flags & wire::kCellPids) != 0;
  return session;
}

Result<> Session::take_started(const wire::SessionStarted& message, std::vector<UniqueFd> fds) {
  started_ = true;
  if (message.stage == wire::Stage::none && !fds.empty()) {
    pidfd_ = std::move(fds.front());
    holder_ = message.pid;
    return {};
  }
  failed_stage_ = message.stage;
  return fail(ErrorCode::unsupported, stage_text(message.stage, message.error, message.detail));
}

Result<> Session::take_ready(const wire::SessionReady& message, std::vector<UniqueFd> fds) {
  ready_ = true;
  if (has_shown_ && message.stage == wire::Stage::none && !fds.empty()) {
    shown_ = std::move(fds.back());
    fds.pop_back();
  }
  listeners_ = std::move(fds);
  if (message.stage == wire::Stage::none) return {};
  failed_stage_ = message.stage;
  return fail(ErrorCode::unsupported, stage_text(message.stage, message.error, message.detail));
}

asio::awaitable<Result<>> Session::ready() {
  while (!error_ && !(started_ && ready_)) {
    std::array<char, kAnswerBytesMax> buffer{};
    CO_TRY(ReceivedMessage message, co_await receive(socket_, buffer));
    Result<> taken = fail(ErrorCode::protocol, "sandbox: the session ended while it was built");
    if (message.bytes.size() == sizeof(wire::SessionStarted) && !started_) {
      wire::SessionStarted started;
      std::memcpy(&started, message.bytes.data(), sizeof started);
      taken = started.kind == wire::Kind::session_started
                  ? take_started(started, std::move(message.fds))
                  : taken;
    } else if (message.bytes.size() == sizeof(wire::SessionReady)) {
      wire::SessionReady ready;
      std::memcpy(&ready, message.bytes.data(), sizeof ready);
      taken = take_ready(ready, std::move(message.fds));
    }
    if (!taken) error_ = std::move(taken).error();
  }
  if (error_) co_return fail(*error_);
  co_return Result<>{};
}

Result<std::unique_ptr<Cell>> Session::prepare(const MountRecipe* extra, CellFilter filter) {
  auto [ours, theirs] = TRY(socket_pair());
  wire::Prepare request;
  request.filter = filter.index;
  request.notify = filter.notify ? 1 : 0;
  std::vector<int> fds{theirs.get()};
  UniqueFd memory;
  if (extra != nullptr && !extra->empty()) {
    const std::string plan = extra->encode();
    memory = TRY(sealed_memory("fathom-mounts", plan));
    fds.push_back(memory.get());
  }
  TRY(send_with_descriptors(socket_.native_handle(), bytes_of(request), fds));
  return std::make_unique<Cell>(executor_, std::move(ours));
}

asio::awaitable<void> Session::close() {
  if (!started_) (void)co_await ready();
  socket_.close();
  if (pidfd_) co_await wait_readable(executor_, pidfd_.get());
}

}  // namespace fathom::sandbox
