// SocketStream: a ByteStream over an Asio socket, or over TLS on one. Included by runtime/net
// sources only.
#pragma once

#include "runtime/net/byte_stream.hpp"
#include "runtime/net/network_error.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <utility>

namespace fathom::net {

template <class Socket>
class SocketStream : public ByteStream {
 public:
  explicit SocketStream(std::unique_ptr<Socket> socket) : socket_(std::move(socket)) {}

  asio::awaitable<Result<std::size_t>> read_some(std::span<char> into) override {
    boost::system::error_code ec;
    const std::size_t size = co_await socket_->async_read_some(
        asio::buffer(into.data(), into.size()), asio::redirect_error(asio::use_awaitable, ec));
    if (ec == asio::error::eof) co_return std::size_t{0};
    if (ec) co_return fail(network_error("reading", ec));
    co_return size;
  }

  asio::awaitable<Result<std::size_t>> write_some(std::string_view bytes) override {
    boost::system::error_code ec;
    const std::size_t size = co_await socket_->async_write_some(
        asio::buffer(bytes.data(), bytes.size()), asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return fail(network_error("writing", ec));
    co_return size;
  }

  [[nodiscard]] bool is_quiet() override {
    char byte = 0;
    const auto got =
        ::recv(socket_->lowest_layer().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  }

  /// Gives the socket away, to put another protocol on it. The stream is then good only for
  /// destruction.
  [[nodiscard]] std::unique_ptr<Socket> release() { return std::move(socket_); }

 protected:
  [[nodiscard]] Socket& socket() { return *socket_; }

 private:
  std::unique_ptr<Socket> socket_;
};

}  // namespace fathom::net
