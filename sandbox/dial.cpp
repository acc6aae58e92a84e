#include "sandbox/dial.hpp"

#include "runtime/async/timeout.hpp"
#include "sandbox/without_capabilities.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
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

// How many others may be in the queue before our own connection: more is an attack, and refused.
constexpr int kStrangersMax = 16;

std::string own_address(int fd) {
  std::string bytes(sizeof(sockaddr_storage), '\0');
  auto size = static_cast<socklen_t>(bytes.size());
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(bytes.data()), &size) != 0) return "";
  bytes.resize(size);
  return bytes;
}

// Takes connections until the one from `wanted` comes. errno of a failure as its value.
asio::awaitable<Result<OrErrno<UniqueFd>>> accept_from(int listener, std::string wanted) {
  const auto executor = co_await asio::this_coro::executor;
  UniqueFd copy(::fcntl(listener, F_DUPFD_CLOEXEC, 0));
  if (!copy) co_return OrErrno<UniqueFd>(std::unexpected(errno));
  asio::posix::stream_descriptor watched(executor, copy.release());
  for (int strangers = 0; strangers <= kStrangersMax; ++strangers) {
    co_await watched.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
    std::string peer(sizeof(sockaddr_storage), '\0');
    auto size = static_cast<socklen_t>(peer.size());
    UniqueFd fd(::accept4(listener, reinterpret_cast<sockaddr*>(peer.data()), &size,
                          SOCK_CLOEXEC | SOCK_NONBLOCK));
    peer.resize(size);
    if (fd && peer == wanted) {
      switch_on(fd.get(), IPPROTO_TCP, TCP_NODELAY);
      co_return OrErrno<UniqueFd>(std::move(fd));
    }
  }
  co_return OrErrno<UniqueFd>(std::unexpected(ECONNREFUSED));
}

// Whether a socket may be written is asked of whoever connects: not of our capabilities. 0 or
// errno.
int connect_as_command(int fd, const sockaddr* address, socklen_t size) {
  const WithoutCapabilities as_the_command;
  if (!as_the_command.holds()) return EACCES;
  return ::connect(fd, address, size) == 0 ? 0 : errno;
}

asio::awaitable<Result<int>> connected(int fd) {
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
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

asio::awaitable<OrErrno<LoopbackPair>> loopback_pair(Clock& clock, int family) {
  peer::Internet at{{family == AF_INET6, {}}, 0};
  constexpr std::array<std::uint8_t, 4> kLoopback = {127, 0, 0, 1};
  at.address.bytes[10] = at.address.bytes[11] = family == AF_INET6 ? 0xFF : 0;
  std::ranges::copy(kLoopback, at.address.bytes.begin() + (family == AF_INET6 ? 12 : 0));
  auto listener = bound_socket(at);
  auto near = bound_socket(at);
  if (!listener || !near) co_return std::unexpected(listener ? near.error() : listener.error());
  const std::string to = own_address(listener->get());
  const auto* address = reinterpret_cast<const sockaddr*>(to.data());
  if (::listen(listener->get(), kStrangersMax) != 0) co_return std::unexpected(errno);
  if (::connect(near->get(), address, static_cast<socklen_t>(to.size())) != 0 &&
      errno != EINPROGRESS)
    co_return std::unexpected(errno);
  auto accepting = accept_from(listener->get(), own_address(near->get()));
  auto far = co_await with_timeout(clock, kDialTimeout, "accept", std::move(accepting));
  if (!far) co_return std::unexpected(ETIMEDOUT);
  if (!*far) co_return std::unexpected(far->error());
  co_return LoopbackPair{*std::move(near), *std::move(*far)};
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
    const int error = connect_as_command(made.get(), bytes, sizeof address);
    if (error == 0) co_return made;
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
