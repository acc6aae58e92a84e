// ServerHarness: an HttpServer on a free loopback port with a clock that stands still, driven from
// the test's own thread: nothing happens behind the test's back, and time passes only in advance().
#pragma once

#include "runtime/async/clock.hpp"
#include "runtime/net/http_server.hpp"
#include "tests/support/raw_client.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <functional>
#include <string>
#include <string_view>

namespace fathom::test {

class ServerHarness {
 public:
  /// Starts serving, or throws what create() said.
  ServerHarness(ManualClock& clock, net::HttpHandler handler, net::ServerOptions options = {});
  /// Cancels the server and waits until it has unwound.
  ~ServerHarness();
  ServerHarness(const ServerHarness&) = delete;
  ServerHarness& operator=(const ServerHarness&) = delete;

  [[nodiscard]] net::HttpServer& server() { return server_; }
  [[nodiscard]] const net::ListenAddress& address() const { return server_.address(); }
  [[nodiscard]] boost::asio::io_context& io() { return io_; }
  [[nodiscard]] RawClient connect();

  /// Runs the server until `done()`. Throws when that does not happen in many seconds.
  void run_until(const std::function<bool()>& done);
  /// Runs everything that is ready.
  void settle();
  /// Sends all of `bytes` and waits until the server has had the chance to act on them.
  void deliver(RawClient& client, std::string_view bytes);
  /// Lets `duration` pass, one sweep of the server at a time.
  void advance(Duration duration);

  /// What the client receives, until that is `bytes` long or the connection ends; taken out of
  /// client.received().
  std::string read(RawClient& client, std::size_t bytes);
  /// All that comes until the connection ends.
  std::string read_to_end(RawClient& client);

  /// A response's bytes as the server writes them now: `fields` are whole lines.
  std::string response(std::string_view status, std::string_view fields, std::string_view body);
  /// The server's own refusal. `more` are fields before and after those that every refusal has.
  struct Fields {
    std::string_view before;
    std::string_view after = "Connection: close\r\n";
  };
  std::string refusal(std::string_view status, std::string_view code, std::string_view message,
                      Fields more);
  std::string refusal(std::string_view status, std::string_view code, std::string_view message) {
    return refusal(status, code, message, Fields());
  }

  void cancel();
  [[nodiscard]] bool ended() const { return ended_; }
  /// What run() threw, if it did.
  [[nodiscard]] const std::exception_ptr& error() const { return error_; }

 private:
  boost::asio::io_context io_{1};
  ManualClock& clock_;
  Duration sweep_interval_;
  net::HttpServer server_;
  boost::asio::cancellation_signal cancel_;
  bool ended_ = false;
  std::exception_ptr error_;
};

/// A handler that answers 200 with `body`.
net::HttpHandler answer_with(std::string body);

}  // namespace fathom::test
