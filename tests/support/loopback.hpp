// Loopback: a test double for servers and proxies. It listens on a real socket of this machine and
// plays a script on each connection, in the thread and io_context of the client under test; time is
// a ManualClock's.
#pragma once

#include "runtime/async/clock.hpp"
#include "runtime/async/task_group.hpp"
#include "runtime/net/url.hpp"
#include "tests/support/test_certificates.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace fathom::test {

/// The server's side of one connection. Failing calls throw, which ends the script and closes the
/// connection.
class LoopbackPeer {
 public:
  explicit LoopbackPeer(asio::ip::tcp::socket socket) : socket_(std::move(socket)) {}

  /// From here on everything is inside TLS. Returns the server name (SNI) the client asked for.
  asio::awaitable<std::string> start_tls(Identity identity);
  /// Has TLS change its keys: bytes on the wire that are no data.
  asio::awaitable<void> send_key_update();
  /// The next request: its head, and the body its Content-Length promises.
  asio::awaitable<std::string> read_request();
  /// Whatever comes next, "" at the end of the stream.
  asio::awaitable<std::string> read_some();
  asio::awaitable<void> send(std::string bytes);
  /// Waits until the client closes, and drops what it sends until then.
  asio::awaitable<void> wait_closed();
  /// No more will be sent; reading goes on.
  void close_sending() { socket_.shutdown(asio::ip::tcp::socket::shutdown_send); }
  /// Ends with RST instead of FIN.
  void reset();

 private:
  asio::ip::tcp::socket socket_;
  std::unique_ptr<asio::ssl::context> context_;
  std::unique_ptr<asio::ssl::stream<asio::ip::tcp::socket&>> tls_;
  std::string unread_;
};

class Loopback {
 public:
  using Script = std::function<asio::awaitable<void>(LoopbackPeer&)>;

  explicit Loopback(asio::io_context& io);

  [[nodiscard]] ManualClock& clock() { return clock_; }
  [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  /// The listening socket's address as an origin.
  [[nodiscard]] net::Origin origin(net::Scheme scheme = net::Scheme::http) const {
    return {scheme, "127.0.0.1", port()};
  }
  [[nodiscard]] std::size_t accepted() const { return accepted_; }

  /// Accepts connections from now on; each plays the next script, those after the last are closed
  /// at once.
  void serve(std::vector<Script> scripts);
  /// Lets everything that is ready run, then moves the clock. Who waits on a peer that stays
  /// silent, waits then.
  asio::awaitable<void> let_time_pass(Duration duration);
  /// Ends all scripts.
  asio::awaitable<void> stop();

 private:
  asio::awaitable<void> accept(std::vector<Script> scripts);
  asio::awaitable<void> play(Script script, asio::ip::tcp::socket socket);

  asio::any_io_executor executor_;
  ManualClock clock_;
  asio::ip::tcp::acceptor acceptor_;
  TaskGroup scripts_;
  std::size_t accepted_ = 0;
};

/// A listening socket whose queue is full: the system drops what else wants to connect, as a
/// firewall does.
class FullListener {
 public:
  explicit FullListener(const asio::any_io_executor& executor);

  [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

 private:
  asio::ip::tcp::acceptor acceptor_;
  std::vector<asio::ip::tcp::socket> queued_;
};

/// Runs `body(Loopback&)`, an awaitable<void>, on an io_context of its own. A test in which nothing
/// happens for half a minute of real time fails: all waiting is on this machine's own sockets.
void run_on_loopback(const std::function<asio::awaitable<void>(Loopback&)>& body);

/// Runs `task` to its end on `io`, together with all else there; returns what it threw.
std::exception_ptr run_to_end(asio::io_context& io, asio::awaitable<void> task);
/// The same, but cancels the task after `handlers` handlers of `io`.
std::exception_ptr cancel_after(asio::io_context& io, std::size_t handlers,
                                asio::awaitable<void> task);

/// Sockets this process has open: what a test compares to find a leak.
std::size_t open_sockets();

}  // namespace fathom::test
