#include "tests/support/raw_client.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace fathom::test {
namespace {

template <class Endpoint>
UniqueFd connect_to(const Endpoint& endpoint) {
  UniqueFd fd(::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) throw std::system_error(errno, std::generic_category(), "socket");
  if (::connect(fd.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0)
    throw std::system_error(errno, std::generic_category(), "connect");
  return fd;
}

void make_non_blocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

}  // namespace

RawClient::RawClient(const net::ListenAddress& address) {
  namespace ip = boost::asio::ip;
  if (address.kind == net::ListenAddress::Kind::unix_socket) {
    fd_ = connect_to(boost::asio::local::stream_protocol::endpoint(address.path));
  } else {
    fd_ = connect_to(ip::tcp::endpoint(ip::make_address(address.host), address.port));
  }
  make_non_blocking(fd_.get());
}

RawClient::RawClient(UniqueFd accepted) : fd_(std::move(accepted)) { make_non_blocking(fd_.get()); }

std::size_t RawClient::send(std::string_view bytes) {
  const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

std::size_t RawClient::in_transit() const {
  int unsent = 0;
  if (::ioctl(fd_.get(), SIOCOUTQ, &unsent) != 0) return 0;
  return static_cast<std::size_t>(unsent);
}

void RawClient::receive() {
  std::array<char, 16384> space{};
  while (!ended_ && !reset_) {
    const ssize_t got = ::recv(fd_.get(), space.data(), space.size(), 0);
    if (got > 0) {
      received_.append(space.data(), static_cast<std::size_t>(got));
    } else if (got == 0) {
      ended_ = true;
    } else if (errno == EAGAIN || errno == EINTR) {
      return;
    } else {
      reset_ = true;
    }
  }
}

void RawClient::shutdown_write() { ::shutdown(fd_.get(), SHUT_WR); }

void RawClient::close_with_reset() {
  const linger abort{1, 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  fd_.reset();
}

std::size_t count_open_fds() {
  const std::filesystem::directory_iterator entries("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

}  // namespace fathom::test
