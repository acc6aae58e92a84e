// EgressBroker: the only way out of a session. Commands live in a network namespace with nothing
// but a loopback; the broker has its listening sockets in there and its own sockets out here, and
// carries bytes between the two for destinations that the policy allows.
//
//   program ── look-up ──► 127.0.0.53:53      NameServer: a synthetic address, or no such name
//           ── connect ──► 198.18.0.7:443     capture: every address is local in the namespace, and
//                                             the socket says which one was meant
//           ── CONNECT, GET http://…, SOCKS5 ──► 127.0.0.1:3128
//   then, in all cases: name → decide → look up once → check the address → dial that address →
//   check the TLS server name → carry bytes → EgressRecord
//
// With the network off only the name server listens, so that what was asked for is told by name.
//
// What it protects: a destination that the policy does not list is not reached, by name, address,
// proxy, other spelling or rebinding; nor is any address of this machine, its private networks or a
// cloud's metadata service, whatever name leads there; a look-up by itself sends nothing anywhere.
//
// What it does not protect. An allowed host is an exit: what is sent there is its own business (a
// push, an upload, a URL) and is seen in the record as bytes; names below an allowed wildcard carry
// data as well, in bounded number (kNamesPerRuleMax). Sites that share an allowed one's addresses:
// the TLS server name must be the allowed one, but the Host inside is encrypted, and ECH hides the
// true name (tls_server_name.hpp); of plain HTTP that is captured or tunnelled the Host is not
// looked at, of a request to the proxy it is rewritten. This machine's public address behind a
// translating router is not known as its own.
//
// What does not work: UDP but for look-ups, so no QUIC (clients fall back to TCP); ports that no
// rule lists (refused by the kernel, without a record); a server of the session's own on a port
// that a rule lists, which is the capture's; a network that is only reached through a proxy.
//
// What it costs (egress_bench, two cores shared with other work): 0.15-0.27 ms more until the first
// byte than a direct loopback connection, and half to three quarters of its throughput, at 0.8-1.5
// GiB/s.
#pragma once

#include "policies/decide.hpp"
#include "runtime/async/clock.hpp"
#include "runtime/async/task_group.hpp"
#include "runtime/base/result.hpp"
#include "runtime/base/unique_fd.hpp"
#include "sandbox/egress/egress_connection.hpp"
#include "sandbox/egress/name_server.hpp"
#include "sandbox/egress/rate_limit.hpp"
#include "sandbox/plan.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace fathom::sandbox {

constexpr std::size_t kConnectionsMax = 256;  ///< of one session at a time; more are reset
/// Over these, the next one waits.
constexpr int kConnectionsPerSecondMax = 500;
constexpr int kLookUpsPerSecondMax = 500;

/// egress_options() fills it from a policy; tests put their own name servers and networks in.
struct EgressOptions {
  policies::Network network;
  policies::Phase phase = policies::Phase::agent;
  DecideConnect decide;
  OutboundOptions outbound;
  OnEgressRecord on_record;
  EgressTimeouts timeouts;
  bool check_tls_server_name = true;
};

/// The policy's own decisions and this machine's network. `policy` outlives the broker; on_record
/// is left to the caller.
EgressOptions egress_options(const policies::Policy& policy, policies::Phase phase);

/// Single-threaded: everything runs on `executor`.
class EgressBroker {
 public:
  /// Fails when the policy lists more ports than a session can listen on.
  static Result<std::unique_ptr<EgressBroker>> create(asio::any_io_executor executor, Clock& clock,
                                                      EgressOptions options);

  /// What is to listen in the session's network, for SessionPlan.
  [[nodiscard]] std::vector<ListenerPlan> listeners() const;
  /// Whether the session's network takes every address for its own (wire::kSessionCapture).
  [[nodiscard]] bool capture() const { return !rules_.is_off(); }
  /// For programs that can talk to a proxy: a refusal then has a reason, and is not retried. With
  /// the network off, only what keeps npm from trying for a minute.
  [[nodiscard]] std::vector<policies::EnvironmentVariable> environment() const;
  /// The proxy's port on loopback, as environment() says it; nothing with the network off.
  [[nodiscard]] std::optional<std::uint16_t> proxy_port() const;
  /// For what is asked from now on; open connections stay.
  void set_phase(policies::Phase phase) { rules_.set_phase(phase); }

  /// Serves the session's sockets, which are those of listeners() in that order, until cancelled.
  /// Once; connections that are open then are closed and recorded.
  asio::awaitable<Result<>> serve(std::vector<UniqueFd> listeners);

  /// Instead of serve() for a session without a network of its own (ConnectBroker): serves what it
  /// is handed, until cancelled.
  asio::awaitable<void> serve_handed_over();
  /// A connection to the proxy.
  void take(UniqueFd inside);
  /// A connection to an address that was decided on and dialled.
  struct Ends {
    UniqueFd inside;
    UniqueFd outside;
  };
  struct Peer {
    std::string address;
    std::uint16_t port = 0;
  };
  void carry(Ends ends, Peer peer, policies::Decision decision);

 private:
  enum class Role : std::uint8_t { look_ups, proxy, capture };
  struct Listening {
    Role role;
    ListenerPlan plan;
  };

  EgressBroker(asio::any_io_executor executor, Clock& clock, EgressOptions options);
  static std::vector<Listening> plan_listeners(const EgressRules& rules);

  Result<> start(Role role, const ListenerPlan& plan, UniqueFd fd);
  asio::awaitable<void> serve_datagrams(asio::ip::udp::socket socket);
  asio::awaitable<void> accept(asio::ip::tcp::acceptor acceptor, Role role);
  asio::awaitable<void> run(asio::ip::tcp::socket socket, Role role);
  bool make_room(asio::ip::tcp::socket& socket);
  asio::awaitable<void> carry_between(std::pair<asio::ip::tcp::socket, asio::ip::tcp::socket> ends,
                                      Peer peer, policies::Decision decision);
  asio::awaitable<void> answer_look_ups(asio::ip::tcp::socket socket);
  void record_denied_name(const std::string& name, const policies::Decision& decision);

  asio::any_io_executor executor_;
  Clock& clock_;
  OnEgressRecord on_record_;
  EgressRules rules_;
  std::vector<Listening> listening_;
  SyntheticAddresses addresses_;
  NameServer name_server_;
  Outbound outbound_;
  std::vector<char> scratch_;
  EgressServices services_;
  RateLimit connection_rate_;
  RateLimit look_up_rate_;
  std::size_t connections_ = 0;
  bool takes_ = false;  ///< serve_handed_over() runs
  TaskGroup tasks_;
};

}  // namespace fathom::sandbox
