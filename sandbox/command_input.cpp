#include "sandbox/command_input.hpp"

#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <string_view>
#include <utility>

namespace fathom::sandbox {
namespace {

using Wait = asio::posix::stream_descriptor::wait_type;

bool is_null_device(const struct stat& info) {
  return S_ISCHR(info.st_mode) && info.st_rdev == ::makedev(1, 3);
}

// A named one can be opened again, by its descriptor, for writing to whoever reads it by name.
bool is_anonymous(int pipe) {
  struct statfs system{};
  return ::fstatfs(pipe, &system) == 0 && system.f_type == PIPEFS_MAGIC;
}

// write(2) to a pipe that nobody reads raises SIGPIPE, and there is no flag against it: the signal
// is held back and, when it is this write's, taken before anybody sees it.
ssize_t write_without_signal(int fd, std::string_view bytes) {
  sigset_t broken;
  sigset_t old;
  sigset_t waiting;
  sigemptyset(&broken);
  sigaddset(&broken, SIGPIPE);
  sigpending(&waiting);
  const bool others = sigismember(&waiting, SIGPIPE) == 1;
  ::pthread_sigmask(SIG_BLOCK, &broken, &old);
  const ssize_t size = ::write(fd, bytes.data(), bytes.size());
  const int error = errno;
  if (size < 0 && error == EPIPE && !others) {
    const timespec now{};
    (void)::sigtimedwait(&broken, nullptr, &now);
  }
  ::pthread_sigmask(SIG_SETMASK, &old, nullptr);
  errno = error;
  return size;
}

// Ours alone, so that it may be non-blocking. A pipe without a name keeps its description.
Result<UniqueFd> own_source(int fd, const struct stat& info) {
  if (S_ISFIFO(info.st_mode)) {
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    UniqueFd again(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (!again) return fail(system_error("standard input: open the fifo", errno));
    return again;
  }
  UniqueFd same(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!same) return fail(system_error("standard input", errno));
  return same;
}

// Empty for what can always be read, which epoll refuses: files and some devices.
Result<UniqueFd> readiness_of(int source) {
  UniqueFd set(::epoll_create1(EPOLL_CLOEXEC));
  if (!set) return fail(system_error("standard input: epoll", errno));
  epoll_event event{};
  event.events = EPOLLIN;
  if (::epoll_ctl(set.get(), EPOLL_CTL_ADD, source, &event) == 0) return set;
  if (errno == EPERM) return UniqueFd();
  return fail(system_error("standard input: epoll", errno));
}

}  // namespace

Result<InputKind> input_kind(int fd) {
  if (fd < 0) return InputKind::empty;
  const std::string what = "standard input: ";
  const int flags = ::fcntl(fd, F_GETFL);
  struct stat info{};
  if (flags < 0 || ::fstat(fd, &info) != 0) return fail(system_error("standard input", errno));
  if ((flags & O_PATH) != 0)
    return fail(ErrorCode::usage, what + "a path without contents (O_PATH): open it for reading");
  if (S_ISDIR(info.st_mode))
    return fail(ErrorCode::usage, what + "a folder, which leads out of the sandbox: give a file");
  if ((flags & O_ACCMODE) == O_WRONLY)
    return fail(ErrorCode::usage, what + "open for writing only: open it for reading");
  if (is_null_device(info)) return InputKind::empty;
  if (S_ISCHR(info.st_mode) && ::isatty(fd) == 1)
    return fail(ErrorCode::usage,
                what + "a terminal of the host: let the command run on one of its own");
  if (S_ISFIFO(info.st_mode) && is_anonymous(fd)) return InputKind::pass;
  if (S_ISFIFO(info.st_mode) || S_ISREG(info.st_mode) || S_ISSOCK(info.st_mode) ||
      S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode))
    return InputKind::feed;
  return fail(ErrorCode::usage, what + "neither a file nor a pipe nor a socket");
}

InputFeeder::InputFeeder(asio::any_io_executor executor, UniqueFd source, UniqueFd read_end,
                         UniqueFd write_end)
    : source_(std::move(source)),
      read_end_(std::move(read_end)),
      write_end_(std::move(executor), write_end.release()) {}

Result<InputFeeder> InputFeeder::create(const asio::any_io_executor& executor, int source) {
  struct stat info{};
  if (::fstat(source, &info) != 0) return fail(system_error("standard input", errno));
  UniqueFd own = TRY(own_source(source, info));
  UniqueFd ready = TRY(readiness_of(own.get()));
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(system_error("pipe", errno));
  UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  InputFeeder feeder(executor, std::move(own), std::move(read_end), std::move(write_end));
  feeder.is_socket_ = S_ISSOCK(info.st_mode);
  feeder.blocks_ = !S_ISSOCK(info.st_mode) && !S_ISFIFO(info.st_mode);
  if (ready) feeder.readiness_.emplace(executor, ready.release());
  feeder.write_end_.non_blocking(true);
  return feeder;
}

// 0 at the end, which an error is as well: a command cannot be told of it in another way. Tried
// before it is waited for: a fifo opened after its last writer left never polls as ended.
asio::awaitable<std::size_t> InputFeeder::read_some(std::string& buffer) {
  bool waits_first = blocks_;
  for (;;) {
    if (waits_first && readiness_)
      co_await readiness_->async_wait(Wait::wait_read, asio::use_awaitable);
    const ssize_t size = is_socket_
                             ? ::recv(source_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT)
                             : ::read(source_.get(), buffer.data(), buffer.size());
    if (size >= 0) co_return static_cast<std::size_t>(size);
    const bool again = errno == EINTR || (readiness_ && errno == EAGAIN);
    if (!again) co_return 0;
    waits_first = true;
  }
}

asio::awaitable<bool> InputFeeder::write_whole(std::string_view bytes) {
  while (!bytes.empty()) {
    co_await write_end_.async_wait(Wait::wait_write, asio::use_awaitable);
    const ssize_t size = write_without_signal(write_end_.native_handle(), bytes);
    if (size < 0 && errno != EAGAIN && errno != EINTR) co_return false;
    if (size > 0) bytes.remove_prefix(static_cast<std::size_t>(size));
  }
  co_return true;
}

asio::awaitable<void> InputFeeder::run() {
  std::string buffer(kInputChunkBytes, '\0');
  for (;;) {
    auto reading = read_some(buffer);
    const std::size_t size = co_await std::move(reading);
    if (size == 0) break;
    auto writing = write_whole(std::string_view(buffer).substr(0, size));
    if (!co_await std::move(writing)) break;
  }
  write_end_.close();  // by which the command sees the end
}

}  // namespace fathom::sandbox
