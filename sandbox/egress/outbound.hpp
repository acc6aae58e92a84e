// Outbound: from an allowed destination to a connected socket. A name is looked up once, every
// address is checked, and exactly a checked address is dialled: between check and use there is
// nothing that a name server could change (DNS rebinding).
#pragma once

#include "policies/decide.hpp"
#include "runtime/async/clock.hpp"
#include "runtime/net/resolver.hpp"
#include "sandbox/egress/cached_resolver.hpp"
#include "sandbox/egress/destination.hpp"
#include "sandbox/egress/proxy_request.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::sandbox {

constexpr std::size_t kAddressesTriedMax = 4;  ///< of one name

/// policies::decide_resolved with its policy bound: may `host`, which was allowed, be reached at
/// `address`? It looks through IPv4-mapped, NAT64 and 6to4 addresses, and knows private_ranges.
using DecideResolved =
    std::function<policies::Decision(std::string_view host, std::string_view address)>;
using OwnAddresses = std::function<std::vector<asio::ip::address>()>;
using Dial = std::function<asio::awaitable<Result<std::unique_ptr<asio::ip::tcp::socket>>>(
    asio::ip::tcp::endpoint)>;

/// The addresses of this machine's interfaces, as they are now (getifaddrs(3)).
std::vector<asio::ip::address> interface_addresses();

/// A plain TCP connection.
asio::awaitable<Result<std::unique_ptr<asio::ip::tcp::socket>>> dial_tcp(
    asio::ip::tcp::endpoint to);

struct OutboundOptions {
  std::unique_ptr<net::Resolver> resolver;
  DecideResolved decide_resolved;
  OwnAddresses own_addresses = interface_addresses;
  Dial dial = dial_tcp;
  Duration resolve_timeout = std::chrono::seconds(10);
  Duration connect_timeout = std::chrono::seconds(10);  ///< all addresses together
};

class Outbound {
 public:
  struct Outcome {
    std::unique_ptr<asio::ip::tcp::socket> socket;  ///< null when it failed
    std::string address;                            ///< dialled, or the one that stood in the way
    ProxyRefusal refusal{};
    std::string reason;                        ///< how the network failed
    std::optional<policies::Decision> denial;  ///< instead: none of the addresses may be dialled
  };

  Outbound(const asio::any_io_executor& executor, Clock& clock, OutboundOptions options);

  asio::awaitable<Outcome> reach(Destination to);

 private:
  asio::awaitable<Outcome> dial_first(std::vector<asio::ip::address> addresses, std::uint16_t port);
  [[nodiscard]] policies::Decision decide(const std::string& host,
                                          const asio::ip::address& address) const;

  Clock& clock_;
  OutboundOptions options_;
  CachedResolver resolver_;
};

}  // namespace fathom::sandbox
