// EgressConnection: one connection that a confined program made, from the question whether it may
// be to the record of what it was.
#pragma once

#include "runtime/async/clock.hpp"
#include "sandbox/egress/connection_pipe.hpp"
#include "sandbox/egress/egress_record.hpp"
#include "sandbox/egress/egress_rules.hpp"
#include "sandbox/egress/outbound.hpp"
#include "sandbox/egress/synthetic_addresses.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <span>
#include <string>

namespace fathom::sandbox {

struct EgressTimeouts {
  Duration request = std::chrono::seconds(10);  ///< for a proxy's request, or one DNS message
  Duration idle = std::chrono::minutes(10);     ///< a connection that carries nothing
  Duration farewell = std::chrono::seconds(1);  ///< for a refused program to take the reason
};

/// What all connections of a session share; it outlives them.
struct EgressServices {
  Clock& clock;
  EgressRules& rules;
  SyntheticAddresses& addresses;
  Outbound& outbound;
  OnEgressRecord on_record;
  EgressTimeouts timeouts;
  bool check_tls_server_name = true;
  std::span<char> scratch;  ///< of ConnectionPipe
};

class EgressConnection {
 public:
  EgressConnection(EgressServices& services, asio::ip::tcp::socket inside);
  /// Records the connection, also one that is cancelled.
  ~EgressConnection();
  EgressConnection(const EgressConnection&) = delete;
  EgressConnection& operator=(const EgressConnection&) = delete;

  /// The program meant the local address of the socket: the session's network takes every address
  /// for its own.
  asio::awaitable<void> run_captured();
  /// The program talks to the session's proxy.
  asio::awaitable<void> run_proxied();

  /// The program meant this address, which was decided on and dialled already.
  asio::awaitable<void> run_dialled(asio::ip::tcp::socket outside, std::string address,
                                    std::uint16_t port, policies::Decision decision);

  /// Closes with a reset, and records why.
  void turn_away(Via via, std::string reason);

 private:
  asio::awaitable<void> open(Destination to, std::string first);
  bool name_destination(Destination& to);
  bool decide(const Destination& to);
  asio::awaitable<Result<Destination>> read_proxy_request(std::string& first);
  asio::awaitable<void> carry(asio::ip::tcp::socket outside, std::string first);
  ConnectionPipe::Gate look_at_first(std::string_view first);
  void deny(std::string rule, std::string reason);
  void take(policies::Decision decision);
  asio::awaitable<void> refuse(ProxyRefusal refusal);
  asio::awaitable<void> refuse_captured();
  asio::awaitable<void> say_and_close(std::string bytes);
  asio::awaitable<Result<std::string>> read_some();

  EgressServices& services_;
  asio::ip::tcp::socket inside_;
  Instant began_;
  EgressRecord record_;
  bool recorded_ = false;  ///< true once there is something to record
};

}  // namespace fathom::sandbox
