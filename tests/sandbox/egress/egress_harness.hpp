// EgressHarness: a broker whose listeners are on this machine's own loopback, with a clock that
// stands still, driven from the test's own thread. Every name that a test does not list otherwise
// resolves to 192.0.2.1, and whatever is dialled is the harness's own server.
#pragma once

#include "runtime/async/clock.hpp"
#include "sandbox/egress/egress_broker.hpp"
#include "tests/support/raw_client.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>

#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::test {

struct EgressSetup {
  std::vector<policies::HostRule> hosts;
  std::vector<std::uint16_t> host_loopback_ports;
  /// What the name server says, look-up by look-up; the last one again and again.
  std::deque<std::vector<std::string>> addresses = {{"192.0.2.1"}};
  bool resolver_is_silent = false;
  bool dial_is_silent = false;
  std::vector<std::string> own_addresses;
  bool check_tls_server_name = true;
};

class EgressHarness {
 public:
  explicit EgressHarness(EgressSetup setup);
  /// Cancels the broker and waits until it has unwound.
  ~EgressHarness();
  EgressHarness(const EgressHarness&) = delete;
  EgressHarness& operator=(const EgressHarness&) = delete;

  sandbox::EgressBroker& broker() { return *broker_; }
  /// A connection to the listener that was planned for `type` and `port`.
  RawClient connect(int type, std::uint16_t port);
  RawClient connect_proxy() { return connect(SOCK_STREAM, 3128); }
  /// The server's side of the next connection that is dialled.
  RawClient accept();
  /// The answer to one datagram, or "".
  std::string ask(std::string_view datagram);

  void run_until(const std::function<bool()>& done);
  void settle();
  /// Runs at most so many handlers.
  void run_steps(int handlers);
  void advance(Duration duration);
  void cancel();

  /// What arrives until it is `bytes` long, or the connection ends.
  std::string read(RawClient& client, std::size_t bytes);
  std::string read_to_end(RawClient& client) { return read(client, std::string::npos); }
  /// A tunnel that stands: both ends.
  struct Tunnel {
    RawClient inside;
    RawClient outside;
  };
  Tunnel tunnel(const std::string& host_and_port);

  std::vector<sandbox::EgressRecord> records;
  std::vector<std::string> looked_up;
  std::vector<std::string> dialled;

 private:
  class Resolver;

  sandbox::EgressOptions options_of(EgressSetup setup);
  std::vector<UniqueFd> listen();

  boost::asio::io_context io_{1};
  ManualClock clock_;
  UniqueFd server_;
  std::uint16_t server_port_ = 0;
  std::unique_ptr<sandbox::EgressBroker> broker_;
  std::vector<std::uint16_t> ports_;  ///< of listeners(), as the kernel chose them
  boost::asio::cancellation_signal cancel_;
  bool ended_ = false;
  std::exception_ptr error_;
};

}  // namespace fathom::test
