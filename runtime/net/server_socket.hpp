// ServerSocket: one accepted connection's bytes, with the two deadlines that the server's sweep
// checks.
//
// A timer operation a read would cost more than the read. So a deadline is only a number written
// here; one task of the server looks at the numbers of all connections a few times a second
// (ServerOptions::sweep_interval).
#pragma once

#include "runtime/async/clock.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace fathom::net {

/// Bytes received and not yet used, in one piece.
class ReceiveBuffer {
 public:
  [[nodiscard]] std::string_view view() const { return {bytes_.data() + begin_, end_ - begin_}; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  void consume(std::size_t bytes);

  /// Room for at least one more byte, unless `bytes_max` are held already: then nothing.
  std::span<char> prepare(std::size_t bytes_max);
  void commit(std::size_t bytes) { end_ += bytes; }

 private:
  std::vector<char> bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

class ServerSocket {
 public:
  using Socket = asio::basic_stream_socket<asio::generic::stream_protocol>;

  ServerSocket(Socket socket, Clock& clock, Duration write_stall_timeout);
  ServerSocket(const ServerSocket&) = delete;
  ServerSocket& operator=(const ServerSocket&) = delete;

  enum class Read : std::uint8_t {
    data,         ///< received() has grown
    end,          ///< the peer will send no more
    interrupted,  ///< the read deadline passed, or interrupt() was called
    failed,       ///< the connection is lost
    full,         ///< `bytes_max` bytes are held and unused
  };
  asio::awaitable<Read> read(std::size_t bytes_max);
  [[nodiscard]] ReceiveBuffer& received() { return received_; }

  /// Up to three pieces, written as one.
  using Pieces = std::array<std::string_view, 3>;
  /// False when the peer is gone or took nothing for the write stall timeout; gone() is true from
  /// then on. The pieces must live until the call returns.
  asio::awaitable<bool> write(Pieces pieces);

  /// No more bytes from us: the peer reads an end. Ours to receive are not affected.
  void shutdown_write();
  /// Ends a read that waits; it returns `interrupted`.
  void interrupt();
  /// Closes at once, from whatever state.
  void abandon();
  [[nodiscard]] bool gone() const { return gone_; }

  void set_read_deadline(Instant deadline) { read_deadline_ = deadline; }
  /// Interrupts or abandons what is overdue.
  void on_sweep(Instant now);

  enum class Peer : std::uint8_t {
    present,
    half_closed,  ///< sends no more; over TCP the same is seen of a peer that closed altogether
    gone,
  };
  /// What the kernel knows of the peer, asked without reading.
  [[nodiscard]] Peer peer();
  /// Sends `bytes` if nothing waits in the kernel to be sent, in one go or not at all. True when it
  /// was sent.
  bool send_if_quiet(std::string_view bytes);
  [[nodiscard]] bool is_tcp() const { return is_tcp_; }

  /// For Beast's websocket stream, which reads from the socket itself.
  [[nodiscard]] Socket& socket() { return socket_; }

 private:
  Socket socket_;
  Clock& clock_;
  Duration write_stall_timeout_;
  ReceiveBuffer received_;
  Instant read_deadline_ = Instant::max();
  Instant write_deadline_ = Instant::max();
  bool interrupted_ = false;
  bool gone_ = false;
  bool is_tcp_ = false;
};

}  // namespace fathom::net
