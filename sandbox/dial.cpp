#include "sandbox/dial.hpp"

#include "runtime/async/timeout.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace fathom::sandbox {
namespace {

constexpr Duration kFullRetry = std::chrono::milliseconds(10);

void switch_on(int fd, int level, int option) {
  const int on = 1;
  (void)::setsockopt(fd, level, option, &on, sizeof on);
}

OrErrno<UniqueFd> stream_socket(int family) {
  UniqueFd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return std::unexpected(errno);
  switch_on(fd.get(), IPPROTO_TCP, TCP_NODELAY);
  return fd;
}

int bind_to(int fd, const peer::Internet& at) {
  const std::string bytes = socket_address_bytes(at);
  const auto* address = reinterpret_cast<const sockaddr*>(bytes.data());
  return ::bind(fd, address, static_cast<socklen_t>(bytes.size())) == 0 ? 0 : errno;
}

asio::awaitable<Result<int>> connected(int fd) {
  UniqueFd copy(::dup(fd));
  if (!copy) co_return errno;
  asio::posix::stream_descriptor watched(co_await asio::this_coro::executor, copy.release());
  co_await watched.async_wait(asio::posix::stream_descriptor::wait_write, asio::use_awaitable);
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  co_return error;
}

}  // namespace

OrErrno<UniqueFd> idle_socket(int family) {
  auto fd = stream_socket(family);
  if (!fd) return fd;
  // The address now, the port when it listens: none is taken for a socket that only connects.
  switch_on(fd->get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
  peer::Internet any{{family == AF_INET6, {}}, 0};
  int error = bind_to(fd->get(), dialled(any));
  if (error == EADDRNOTAVAIL && family == AF_INET6) {  // IPv6 without loopback
    any.address.bytes[10] = any.address.bytes[11] = 0xFF;
    error = bind_to(fd->get(), dialled(any));
  }
  if (error != 0) return std::unexpected(error);
  return fd;
}

OrErrno<UniqueFd> bound_socket(const peer::Internet& at) {
  auto fd = stream_socket(at.address.is_v6 ? AF_INET6 : AF_INET);
  if (!fd) return fd;
  // Every server sets it; the option set on the command's own socket is not ours to read.
  switch_on(fd->get(), SOL_SOCKET, SO_REUSEADDR);
  if (const int error = bind_to(fd->get(), at)) return std::unexpected(error);
  return fd;
}

asio::awaitable<OrErrno<UniqueFd>> dial(Clock& clock, peer::Internet to) {
  auto fd = stream_socket(to.address.is_v6 ? AF_INET6 : AF_INET);
  if (!fd) co_return fd;
  const std::string bytes = socket_address_bytes(to);
  const auto* address = reinterpret_cast<const sockaddr*>(bytes.data());
  if (::connect(fd->get(), address, static_cast<socklen_t>(bytes.size())) == 0) co_return fd;
  if (errno != EINPROGRESS) co_return std::unexpected(errno);
  const auto error = co_await with_timeout(clock, kDialTimeout, "connect", connected(fd->get()));
  if (!error) co_return std::unexpected(ETIMEDOUT);
  if (*error != 0) co_return std::unexpected(*error);
  co_return fd;
}

asio::awaitable<OrErrno<UniqueFd>> dial_unix(Clock& clock, int fd, WhenFull when_full) {
  // By descriptor: this very socket, wherever its name leads by now.
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const Instant deadline = clock.now() + kDialTimeout;
  for (int type = SOCK_STREAM;;) {
    UniqueFd made(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!made) co_return std::unexpected(errno);
    const auto* bytes = reinterpret_cast<const sockaddr*>(&address);
    if (::connect(made.get(), bytes, sizeof address) == 0) co_return made;
    const int error = errno;
    if (error == EPROTOTYPE && type == SOCK_STREAM) {
      type = SOCK_SEQPACKET;
      continue;
    }
    const bool again = error == EAGAIN && when_full == WhenFull::wait && clock.now() < deadline;
    if (!again) co_return std::unexpected(error);
    co_await clock.sleep_for(kFullRetry);
  }
}

}  // namespace fathom::sandbox
