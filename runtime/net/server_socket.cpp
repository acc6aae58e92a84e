#include "runtime/net/server_socket.hpp"

#include "runtime/async/cancellation.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>

namespace fathom::net {
namespace {

using boost::system::error_code;

// A header of a few hundred bytes is the rule, so most connections never own more than this.
constexpr std::size_t kFirstBufferBytes = 4096;

}  // namespace

void ReceiveBuffer::consume(std::size_t bytes) {
  begin_ += bytes;
  if (begin_ == end_) begin_ = end_ = 0;
}

std::span<char> ReceiveBuffer::prepare(std::size_t bytes_max) {
  if (end_ == bytes_.size() && begin_ > 0) {
    std::copy(bytes_.begin() + static_cast<std::ptrdiff_t>(begin_),
              bytes_.begin() + static_cast<std::ptrdiff_t>(end_), bytes_.begin());
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == bytes_.size() && end_ < bytes_max)
    bytes_.resize(std::min(std::max(kFirstBufferBytes, 2 * end_), bytes_max));
  return std::span(bytes_).subspan(end_);
}

ServerSocket::ServerSocket(Socket socket, Clock& clock, Duration write_stall_timeout)
    : socket_(std::move(socket)), clock_(clock), write_stall_timeout_(write_stall_timeout) {
  error_code ec;
  socket_.non_blocking(true, ec);
  const auto local = socket_.local_endpoint(ec);
  is_tcp_ = !ec && local.protocol().family() != AF_UNIX;
  if (!is_tcp_) return;
  // Small pieces of a stream must leave at once; a peer whose machine vanished must be noticed some
  // day.
  socket_.set_option(asio::ip::tcp::no_delay(true), ec);
  socket_.set_option(asio::socket_base::keep_alive(true), ec);
}

asio::awaitable<ServerSocket::Read> ServerSocket::read(std::size_t bytes_max) {
  if (gone_) co_return Read::failed;
  const std::span<char> space = received_.prepare(bytes_max);
  if (space.empty()) co_return Read::full;
  interrupted_ = false;
  error_code ec;
  const std::size_t bytes = co_await socket_.async_read_some(
      asio::buffer(space.data(), space.size()), asio::redirect_error(asio::use_awaitable, ec));
  received_.commit(bytes);
  if (!ec) co_return Read::data;
  if (ec == asio::error::eof) co_return Read::end;
  // interrupt(), abandon() and a cancellation of this task all end the read with operation_aborted.
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) throw_cancelled();
  if (interrupted_) co_return Read::interrupted;
  gone_ = true;
  co_return Read::failed;
}

asio::awaitable<bool> ServerSocket::write(Pieces pieces) {
  std::array<asio::const_buffer, 3> buffers;
  std::ranges::transform(pieces, buffers.begin(),
                         [](std::string_view piece) { return asio::buffer(piece); });
  while (!gone_) {
    // The kernel takes nearly every write at once, so it is tried before anything is waited for:
    // that saves a round through the scheduler for each answer.
    error_code ec;
    std::size_t bytes = socket_.write_some(buffers, ec);
    for (asio::const_buffer& buffer : buffers) {
      const std::size_t taken = std::min(bytes, buffer.size());
      buffer += taken;
      bytes -= taken;
    }
    if (asio::buffer_size(buffers) == 0) co_return true;
    if (!ec) continue;
    if (ec != asio::error::would_block) break;
    write_deadline_ = clock_.now() + write_stall_timeout_;
    co_await socket_.async_wait(Socket::wait_write, asio::redirect_error(asio::use_awaitable, ec));
    write_deadline_ = Instant::max();
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) throw_cancelled();
  }
  gone_ = true;
  co_return false;
}

void ServerSocket::shutdown_write() {
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
}

void ServerSocket::interrupt() {
  read_deadline_ = Instant::max();
  interrupted_ = true;
  error_code ignored;
  socket_.cancel(ignored);
}

void ServerSocket::abandon() {
  gone_ = true;
  error_code ignored;
  // A reset, so that the peer cannot take what it has for all there is.
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  socket_.close(ignored);
}

void ServerSocket::on_sweep(Instant now) {
  if (now >= write_deadline_) {
    abandon();
  } else if (now >= read_deadline_) {
    interrupt();
  }
}

ServerSocket::Peer ServerSocket::peer() {
  if (gone_) return Peer::gone;
  pollfd question{socket_.native_handle(), POLLRDHUP, 0};
  if (::poll(&question, 1, 0) != 1) return Peer::present;
  if ((question.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) return Peer::gone;
  return (question.revents & POLLRDHUP) != 0 ? Peer::half_closed : Peer::present;
}

bool ServerSocket::send_if_quiet(std::string_view bytes) {
  int unsent = 0;
  if (gone_ || ::ioctl(socket_.native_handle(), SIOCOUTQ, &unsent) != 0 || unsent != 0)
    return false;
  const ssize_t sent =
      ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  // With an empty send queue a few bytes always fit whole.
  return sent == static_cast<ssize_t>(bytes.size());
}

}  // namespace fathom::net
