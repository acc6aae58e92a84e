// HttpClient: HTTP/1.1 requests over pooled connections, http or https, direct or through a proxy.
#pragma once

#include "runtime/async/clock.hpp"
#include "runtime/base/paths.hpp"
#include "runtime/base/result.hpp"
#include "runtime/net/connection_pool.hpp"
#include "runtime/net/deadlines.hpp"
#include "runtime/net/dialer.hpp"
#include "runtime/net/http_message.hpp"
#include "runtime/net/http_stream.hpp"
#include "runtime/net/proxy.hpp"
#include "runtime/net/url.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace fathom::net {

struct CallLimits {
  HttpTimeouts timeouts;
  /// A larger response body fails with `too_large`. Streams that run for days need more.
  std::uint64_t body_bytes_max = 64 * 1024 * 1024;
};

struct HttpClientOptions {
  std::string ca_file;  ///< PEM file with CAs to trust besides the system's; empty for none
  PoolLimits pool;
};

/// Redirects are not followed: a 3xx is a response like any other. One thread; the client outlives
/// its streams and the tasks that use it. Errors are one line that begins with the peer's host:port
/// and never hold header values.
class HttpClient {
 public:
  /// A client of the real network: proxies and SSL_CERT_FILE from `env`, certificates checked
  /// against the system's store and judged by `clock`.
  static Result<std::unique_ptr<HttpClient>> create(Clock& clock,
                                                    const HttpClientOptions& options = {},
                                                    const GetEnv& env = process_env);

  HttpClient(Clock& clock, std::unique_ptr<Dialer> dialer, ProxySettings proxies = {},
             PoolLimits pool = {});
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Sends `request` and returns when the response's head is there. A kept connection that turns
  /// out dead before any byte of a response is replaced by a fresh one, once, if nothing was sent
  /// yet or sending twice does no harm.
  asio::awaitable<Result<std::unique_ptr<HttpStream>>> open(Origin origin, HttpRequest request,
                                                            CallLimits limits = {});

  /// The whole response.
  asio::awaitable<Result<HttpResponse>> fetch(Origin origin, HttpRequest request,
                                              CallLimits limits = {});

  [[nodiscard]] std::size_t idle_connections() const { return pool_.size(); }
  void close_idle_connections() { pool_.clear(); }

 private:
  Clock& clock_;
  std::unique_ptr<Dialer> dialer_;
  ProxySettings proxies_;
  ConnectionPool pool_;
};

}  // namespace fathom::net
