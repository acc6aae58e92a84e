// WebSocket: the server's end of one upgraded connection (RFC 6455). Responder::upgrade makes it.
#pragma once

#include "runtime/async/clock.hpp"
#include "runtime/net/http_message.hpp"
#include "runtime/net/refusal.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::net {

class ServerSocket;

struct WebSocketMessage {
  enum class Kind : std::uint8_t { text, binary };

  Kind kind = Kind::text;
  std::string data;  ///< text is valid UTF-8

  friend bool operator==(const WebSocketMessage&, const WebSocketMessage&) = default;
};

struct WebSocketOptions {
  /// Those we speak, best first. When there are any, a client that offers none of them is refused.
  std::vector<std::string> subprotocols{};
  std::size_t message_bytes_max = 256 << 10;  ///< incoming; a longer message closes with 1009
  std::size_t queued_bytes_max = 1 << 20;     ///< outgoing and not yet taken by the kernel
  Duration ping_interval = std::chrono::seconds(15);
  /// A peer that was not heard for so long, not even by a pong, is gone. Counts only while a read
  /// waits.
  Duration idle_timeout = std::chrono::seconds(45);
  Duration close_timeout = std::chrono::seconds(5);  ///< for the peer's answer to our close
};

/// Close codes of RFC 6455 §7.4.1 that a program chooses; 4000 to 4999 are free for its own.
enum class CloseCode : std::uint16_t {
  normal = 1000,
  going_away = 1001,
  protocol_error = 1002,
  unsupported_data = 1003,
  bad_payload = 1007,
  policy = 1008,
  too_large = 1009,
  internal_error = 1011,
  overloaded = 1013,
};

/// One reader, any number of writers, all on the server's thread. Pings are answered, and the
/// peer's close is noticed, only inside read(): keep one waiting. Cancelling the handler closes the
/// connection without a close frame.
class WebSocket {
 public:
  WebSocket(ServerSocket& socket, Clock& clock, WebSocketOptions options);
  ~WebSocket();
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;

  /// The next message; nothing when the connection is closed, by whichever side. What is wrong with
  /// the peer's messages is answered here: 1002 broken framing, 1007 text that is not UTF-8, 1009
  /// too large.
  asio::awaitable<std::optional<WebSocketMessage>> read();

  /// Queues one text message, which must be valid UTF-8. Waits while the queue is full; false when
  /// the connection is closed. A message larger than the whole queue passes when the queue is
  /// empty.
  asio::awaitable<bool> write(std::string_view text);
  /// The same without waiting: false also when the queue is full. One slow client of a fan-out
  /// costs the others nothing; what to do about it (drop, mark, close) is the caller's choice.
  [[nodiscard]] bool try_write(std::string_view text);
  [[nodiscard]] std::size_t queued_bytes() const;

  /// Sends what is queued and a close frame, and waits for the peer's, at most the close timeout. A
  /// second call waits for the first. `reason` is cut to the 123 bytes that fit.
  asio::awaitable<void> close(CloseCode code, std::string_view reason = {});
  /// The peer's close code: 1005 when it sent none, nothing while it has not closed.
  [[nodiscard]] std::optional<std::uint16_t> peer_close_code() const;
  [[nodiscard]] bool is_open() const;
  /// The one that was agreed on, or "".
  [[nodiscard]] const std::string& subprotocol() const;

  // For the connection that owns it:

  /// Writes the answer to the handshake, which check_handshake found good.
  void accept(const HttpRequest& request, std::string subprotocol);
  /// Moves queued bytes to the socket until finish() or the end of the connection.
  asio::awaitable<void> run_writer();
  /// Closes with `code` if that was not done, and waits until the last byte is on its way.
  asio::awaitable<void> finish(CloseCode code);
  void on_sweep(Instant now);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Whether `request` opens a WebSocket (RFC 6455 §4.2.1), and in which of the subprotocols: "" when
/// `ours` is empty.
[[nodiscard]] std::expected<std::string, Refusal> check_handshake(
    const HttpRequest& request, const std::vector<std::string>& ours);

}  // namespace fathom::net
