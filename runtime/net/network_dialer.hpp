// NetworkDialer: name look-up, TCP, the proxy's tunnel and TLS, one after the other, each under its
// own deadline.
#pragma once

#include "runtime/net/dialer.hpp"
#include "runtime/net/resolver.hpp"
#include "runtime/net/tls.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <memory>

namespace fathom::net {

class NetworkDialer final : public Dialer {
 public:
  NetworkDialer(std::unique_ptr<Resolver> resolver, std::unique_ptr<TlsContext> tls);

  asio::awaitable<Result<std::unique_ptr<ByteStream>>> dial(const Route& route,
                                                            const Deadlines& deadlines) override;

 private:
  using Socket = std::unique_ptr<asio::ip::tcp::socket>;

  /// A TCP connection to the origin, or to its proxy.
  asio::awaitable<Result<Socket>> connect(const Origin& peer, const Deadlines& deadlines);
  asio::awaitable<Result<Socket>> reach(const Route& route, const Deadlines& deadlines);

  std::unique_ptr<Resolver> resolver_;
  std::unique_ptr<TlsContext> tls_;
};

}  // namespace fathom::net
