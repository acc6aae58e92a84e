// TLS on the client's side: whom to trust, and the handshake that finds out whether to.
#pragma once

#include "runtime/async/clock.hpp"
#include "runtime/base/paths.hpp"
#include "runtime/base/result.hpp"
#include "runtime/net/byte_stream.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <memory>
#include <string>

namespace fathom::net {

/// TLS 1.2 or later. There is no way to switch verification off: trusting a private CA takes one
/// file.
class TlsContext {
  struct Impl;
  struct Key {};  // only create() has one

 public:
  /// Trusts the system's store, or what SSL_CERT_FILE and SSL_CERT_DIR name instead of it, and the
  /// CAs in `ca_file` (PEM, empty for none).
  static Result<std::unique_ptr<TlsContext>> create(const std::string& ca_file, const GetEnv& env);
  TlsContext(Key, std::unique_ptr<Impl> impl);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  /// Speaks TLS on a connected socket to `host`, a name or an address, for which the peer must have
  /// a certificate valid at the clock's wall time. A certificate that is not trusted fails with
  /// `tls`, the reason and the way out.
  asio::awaitable<Result<std::unique_ptr<ByteStream>>> handshake(
      std::unique_ptr<asio::ip::tcp::socket> socket, const std::string& host, const Clock& clock);

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace fathom::net
