#include "sandbox/egress/outbound.hpp"

#include "runtime/async/timeout.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/net/network_error.hpp"
#include "sandbox/egress/egress_rules.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace fathom::sandbox {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

ProxyRefusal refusal_for(const Error& error) {
  return error.code == ErrorCode::timeout ? ProxyRefusal::timed_out : ProxyRefusal::unreachable;
}

}  // namespace

std::vector<asio::ip::address> interface_addresses() {
  std::vector<asio::ip::address> out;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return out;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, ::freeifaddrs);
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    if (entry->ifa_addr->sa_family == AF_INET) {
      sockaddr_in at{};
      std::memcpy(&at, entry->ifa_addr, sizeof at);
      out.emplace_back(asio::ip::address_v4(ntohl(at.sin_addr.s_addr)));
    } else if (entry->ifa_addr->sa_family == AF_INET6) {
      sockaddr_in6 at{};
      std::memcpy(&at, entry->ifa_addr, sizeof at);
      asio::ip::address_v6::bytes_type bytes;
      std::memcpy(bytes.data(), &at.sin6_addr, bytes.size());
      out.emplace_back(asio::ip::address_v6(bytes));
    }
  }
  return out;
}

asio::awaitable<Result<std::unique_ptr<tcp::socket>>> dial_tcp(tcp::endpoint to) {
  auto socket = std::make_unique<tcp::socket>(co_await asio::this_coro::executor);
  error_code ec;
  co_await socket->async_connect(to, asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return fail(net::network_error("connecting to " + to.address().to_string(), ec));
  error_code ignored;
  socket->set_option(asio::socket_base::keep_alive(true), ignored);
  co_return std::move(socket);
}

Outbound::Outbound(const asio::any_io_executor& executor, Clock& clock, OutboundOptions options)
    : clock_(clock),
      options_(std::move(options)),
      resolver_(executor, clock, std::move(options_.resolver)) {
  ENSURE(options_.decide_resolved && options_.own_addresses && options_.dial,
         "the broker is given all it needs");
}

policies::Decision Outbound::decide(const std::string& host,
                                    const asio::ip::address& address) const {
  const std::string text = address.to_string();
  policies::Decision decision = options_.decide_resolved(host, text);
  if (decision.verdict != policies::Verdict::allow) return decision;
  const std::vector<asio::ip::address> own = options_.own_addresses();
  if (std::ranges::find(own, address) == own.end()) return decision;
  return {policies::Verdict::deny, "network.address_class",
          host + " is at " + text + " (this machine's own address)", ""};
}

asio::awaitable<Outbound::Outcome> Outbound::reach(Destination to) {
  // The one way to this machine's loopback: its ports are listed one by one.
  if (to.name == kHostName)
    co_return co_await dial_first({asio::ip::address_v4::loopback()}, to.port);

  std::vector<asio::ip::address> addresses;
  if (to.address) {
    addresses.push_back(*to.address);
  } else {
    auto resolving = resolver_.resolve(to.name);
    auto resolved = co_await with_timeout(clock_, options_.resolve_timeout,
                                          "looking up '" + to.name + "'", std::move(resolving));
    if (!resolved)
      co_return Outcome{nullptr, "", refusal_for(resolved.error()), resolved.error().message, {}};
    addresses = *std::move(resolved);
  }

  Outcome refused;
  refused.refusal = ProxyRefusal::forbidden;
  std::vector<asio::ip::address> good;
  for (const asio::ip::address& found : addresses) {
    const asio::ip::address address = unmapped(found);
    policies::Decision decision = decide(to.host(), address);
    if (decision.verdict == policies::Verdict::allow) {
      good.push_back(address);
    } else {
      refused.address = address.to_string();
      refused.denial = std::move(decision);
    }
  }
  if (good.empty()) co_return refused;
  if (good.size() > kAddressesTriedMax) good.resize(kAddressesTriedMax);
  co_return co_await dial_first(std::move(good), to.port);
}

// Each address may use an equal share of the time that is left, so that one which swallows packets
// does not spend it all.
asio::awaitable<Outbound::Outcome> Outbound::dial_first(std::vector<asio::ip::address> addresses,
                                                        std::uint16_t port) {
  const Instant end = clock_.now() + options_.connect_timeout;
  Outcome outcome;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    outcome.address = addresses[i].to_string();
    const auto tries_left = static_cast<Duration::rep>(addresses.size() - i);
    auto dialling = options_.dial({addresses[i], port});
    auto socket = co_await with_timeout(clock_, (end - clock_.now()) / tries_left,
                                        "connecting to " + outcome.address, std::move(dialling));
    if (socket) {
      outcome.socket = *std::move(socket);
      break;
    }
    outcome.refusal = refusal_for(socket.error());
    outcome.reason = socket.error().message;
  }
  co_return outcome;
}

}  // namespace fathom::sandbox
