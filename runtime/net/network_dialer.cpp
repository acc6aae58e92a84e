#include "runtime/net/network_dialer.hpp"

#include "runtime/net/network_error.hpp"
#include "runtime/net/request_head.hpp"
#include "runtime/net/response_decoder.hpp"
#include "runtime/net/socket_stream.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <array>
#include <string>
#include <utility>
#include <vector>

namespace fathom::net {
namespace {

using asio::ip::tcp;
using boost::system::error_code;
using Addresses = std::vector<asio::ip::address>;
using TcpStream = SocketStream<tcp::socket>;

asio::awaitable<Result<std::unique_ptr<tcp::socket>>> connect_to(tcp::endpoint endpoint) {
  auto socket = std::make_unique<tcp::socket>(co_await asio::this_coro::executor);
  error_code ec;
  co_await socket->async_connect(endpoint, asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return fail(network_error("connecting to " + endpoint.address().to_string(), ec));
  error_code ignored;
  // Requests are written whole, so Nagle's algorithm could only delay their last segment.
  // Keep-alive probes find a peer that vanished while a model thinks for minutes.
  socket->set_option(tcp::no_delay(true), ignored);
  socket->set_option(asio::socket_base::keep_alive(true), ignored);
  co_return std::move(socket);
}

// Tries one address after the other. Each may use an equal share of the time that is left, so that
// a first address that swallows packets (broken IPv6, most often) does not spend the whole connect
// timeout.
asio::awaitable<Result<std::unique_ptr<tcp::socket>>> connect_to_any(Addresses addresses,
                                                                     std::uint16_t port,
                                                                     const Deadlines& deadlines) {
  Clock& clock = deadlines.clock();
  const Instant end = clock.now() + deadlines.timeouts().connect;
  Result<std::unique_ptr<tcp::socket>> socket;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    auto connecting = connect_to(tcp::endpoint(addresses[i], port));
    const auto tries_left = static_cast<Duration::rep>(addresses.size() - i);
    if (tries_left == 1) {
      socket = co_await std::move(connecting);
    } else {
      socket =
          co_await with_timeout(clock, (end - clock.now()) / tries_left,
                                "connecting to " + addresses[i].to_string(), std::move(connecting));
    }
    if (socket) break;
  }
  co_return std::move(socket);
}

Error refused_tunnel(const Proxy& proxy, unsigned status) {
  const std::string code = " (" + std::to_string(status) + ")";
  if (status == 407 && proxy.authorization.empty())
    return {ErrorCode::permission, "it wants a user and password" + code + ": write them into " +
                                       proxy.variable + " as http://user:password@host:port"};
  if (status == 407)
    return {ErrorCode::permission, "it refuses the user or password in " + proxy.variable + code};
  return {ErrorCode::network, "it refuses a tunnel to this host" + code};
}

asio::awaitable<Result<>> open_tunnel(TcpStream& stream, const Route& route) {
  const std::string head = encode_connect_head(route);
  for (std::string_view rest = head; !rest.empty();) {
    CO_TRY(const std::size_t sent, co_await stream.write_some(rest));
    rest.remove_prefix(sent);
  }
  ResponseDecoder decoder(BodyRule::none, 0);
  std::array<char, 4096> buffer;
  while (!decoder.has_head()) {
    CO_TRY(const std::size_t size, co_await stream.read_some(buffer));
    if (size == 0) {
      CO_TRY_VOID(decoder.end_of_input());
    } else {
      CO_TRY_VOID(decoder.feed({buffer.data(), size}));
    }
  }
  const unsigned status = decoder.take_head().status;
  if (status / 100 != 2) co_return fail(refused_tunnel(*route.proxy, status));
  // In TLS the client speaks first: bytes that are already here come from the proxy, not through
  // it.
  if (decoder.has_excess())
    co_return fail(ErrorCode::protocol, "it sent more than the answer to CONNECT");
  co_return Result<>();
}

}  // namespace

NetworkDialer::NetworkDialer(std::unique_ptr<Resolver> resolver, std::unique_ptr<TlsContext> tls)
    : resolver_(std::move(resolver)), tls_(std::move(tls)) {}

asio::awaitable<Result<std::unique_ptr<ByteStream>>> NetworkDialer::dial(
    const Route& route, const Deadlines& deadlines) {
  Result<Socket> socket = co_await reach(route, deadlines);
  if (!socket && route.proxy) {
    const std::string proxy =
        "proxy " + route.proxy->origin.host_port() + " of " + route.proxy->variable;
    co_return fail(context(proxy, std::move(socket).error()));
  }
  if (!socket) co_return fail(std::move(socket).error());
  if (route.origin.scheme == Scheme::http)
    co_return std::make_unique<TcpStream>(*std::move(socket));
  auto securing = tls_->handshake(*std::move(socket), route.origin.host, deadlines.clock());
  co_return co_await deadlines.run(Phase::tls, std::move(securing));
}

asio::awaitable<Result<NetworkDialer::Socket>> NetworkDialer::reach(const Route& route,
                                                                    const Deadlines& deadlines) {
  auto connecting = connect(route.proxy ? route.proxy->origin : route.origin, deadlines);
  CO_TRY(Socket socket, co_await std::move(connecting));
  if (!route.proxy || route.origin.scheme == Scheme::http) co_return std::move(socket);
  TcpStream stream(std::move(socket));
  auto tunnelling = open_tunnel(stream, route);
  CO_TRY_VOID(co_await deadlines.run(Phase::proxy, std::move(tunnelling)));
  co_return stream.release();
}

asio::awaitable<Result<NetworkDialer::Socket>> NetworkDialer::connect(const Origin& peer,
                                                                      const Deadlines& deadlines) {
  Addresses addresses;
  if (is_ip_address(peer.host)) {
    addresses.push_back(asio::ip::make_address(peer.host));
  } else {
    auto resolving = resolver_->resolve(peer.host);
    CO_TRY(addresses, co_await deadlines.run(Phase::resolve, std::move(resolving)));
  }
  auto connecting = connect_to_any(std::move(addresses), peer.port, deadlines);
  co_return co_await deadlines.run(Phase::connect, std::move(connecting));
}

}  // namespace fathom::net
