// HttpServer: HTTP/1.1 for this machine, and with a token for others: whole answers, streams and
// WebSockets.
#pragma once

#include "runtime/async/clock.hpp"
#include "runtime/base/result.hpp"
#include "runtime/net/http_message.hpp"
#include "runtime/net/listen_address.hpp"
#include "runtime/net/websocket.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::net {

/// How a handler answers: with exactly one of send, start (then write any number of times) and
/// upgrade. All of them unwind the handler as cancelled when the client is gone or takes nothing
/// for the write stall timeout.
class Responder {
 public:
  Responder() = default;
  virtual ~Responder() = default;
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;

  /// Sends a whole response. Content-Length, Date and Connection are set by the server;
  /// `Connection: close` in the response is honoured. To HEAD the same response goes out without
  /// its body.
  virtual asio::awaitable<void> send(HttpResponse response) = 0;

  /// Sends the head; the body follows by write() and ends when the handler returns. A handler that
  /// throws instead leaves the stream without its end, so that the client cannot take it for
  /// complete.
  virtual asio::awaitable<void> start(HttpResponse head) = 0;
  /// Sends one piece, and returns when the kernel has taken it: a slow client slows its handler and
  /// nobody else. `piece` must live until then.
  virtual asio::awaitable<void> write(std::string_view piece) = 0;

  /// Turns the connection into a WebSocket, valid until the handler returns; returning closes it
  /// with 1000, throwing with 1011. nullptr when `request`, the handler's own, is no proper
  /// handshake: then it was answered with 400 (426 for another version of the protocol), and the
  /// handler has nothing left to do.
  virtual asio::awaitable<WebSocket*> upgrade(const HttpRequest& request,
                                              WebSocketOptions options) = 0;
};

/// Answers one request. Cancelled when the client disconnects or the server stops. When it throws
/// or returns without an answer, the client gets 500, the connection is closed and the server lives
/// on.
using HttpHandler = std::function<asio::awaitable<void>(HttpRequest, Responder&)>;

struct ServerOptions {
  ListenAddress listen;

  enum class Exposure : std::uint8_t { needs_token, allowed_without_token };
  /// An address that others can reach is refused without a token, unless this says otherwise.
  Exposure exposure = Exposure::needs_token;
  std::string token;  ///< asked for as Authorization: Bearer or x-api-key; empty: none
  std::vector<std::string> origins;  ///< web pages that may call (access.hpp)
  /// Names that may be in Host besides `localhost` and IP addresses (on loopback: its own), without
  /// a port. On an exposed address an empty list with a token takes every name, since no page knows
  /// the token; without a token it takes none, or a page could rebind its own (access.hpp).
  std::vector<std::string> hosts;
  /// Requests that need no token, such as health checks. Not called when there is no token.
  std::function<bool(const HttpRequest&)> is_public;

  std::size_t connections_max = 512;  ///< further ones get 503 with Retry-After
  std::size_t header_bytes_max = 32 << 10;
  std::size_t body_bytes_max = 64 << 20;
  std::size_t bodies_bytes_max = 512 << 20;  ///< of all requests in progress; beyond it 503
  std::optional<std::size_t> requests_per_connection_max;

  Duration header_timeout =
      std::chrono::seconds(10);  ///< from a request's first byte to its last field
  Duration body_progress_timeout = std::chrono::seconds(30);  ///< between two pieces of a body
  /// What a body must reach on average, the first body_progress_timeout aside: otherwise a byte now
  /// and then would hold a connection for ever. Not 0.
  std::size_t body_bytes_per_second_min = 4 << 10;
  Duration idle_timeout = std::chrono::seconds(75);         ///< between requests
  Duration write_stall_timeout = std::chrono::seconds(30);  ///< without the client taking anything
  /// After our last answer, for the client to read it and close.
  Duration linger_timeout = std::chrono::seconds(2);
  /// How often deadlines and disconnects are looked for: the precision of everything above.
  Duration sweep_interval = std::chrono::milliseconds(100);

  /// Told in one line why a handler failed; the client is told only that it did.
  std::function<void(std::string_view)> on_handler_failed;
};

/// Runs on one thread, that of `executor`; handlers run there, too. Destroy it after run() has
/// ended.
class HttpServer {
 public:
  /// Binds and listens. Errors: usage (an exposed address without a token), in_use, permission,
  /// too_large.
  static Result<HttpServer> create(asio::any_io_executor executor, Clock& clock,
                                   ServerOptions options, HttpHandler handler);
  ~HttpServer();
  HttpServer(HttpServer&&) noexcept;
  HttpServer& operator=(HttpServer&&) = delete;

  /// Where it listens, with the port that the kernel chose.
  [[nodiscard]] const ListenAddress& address() const;

  /// Serves until drained. Cancelling it closes every connection at once and unwinds as cancelled.
  /// Call it once.
  asio::awaitable<void> run();

  /// Ends run() gracefully: no new connections, idle ones are closed, WebSockets get 1001, requests
  /// in progress are answered until `deadline`; what is left then is cancelled.
  void drain(Instant deadline);

  [[nodiscard]] std::size_t connections() const;

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fathom::net
