// Which requests go through a proxy, as the conventional environment variables say: a pure
// decision.
#pragma once

#include "runtime/base/paths.hpp"
#include "runtime/base/result.hpp"
#include "runtime/net/url.hpp"

#include <optional>
#include <string>
#include <vector>

namespace fathom::net {

struct Proxy {
  Origin origin;  ///< always plain http; TLS to the target runs inside CONNECT
  std::string
      authorization;  ///< the Proxy-Authorization value, empty for none. A secret: never print it
  std::string variable;  ///< where it was set, such as "HTTPS_PROXY", for errors

  friend bool operator==(const Proxy&, const Proxy&) = default;
};

/// How to reach an origin.
struct Route {
  Origin origin;
  std::optional<Proxy> proxy;
};

/// HTTP_PROXY, HTTPS_PROXY and NO_PROXY, each also in lower case, which wins as it does in curl.
/// HTTP_PROXY in upper case is ignored when REQUEST_METHOD is set: under CGI a client can set it
/// with a `Proxy:` header ("httpoxy").
class ProxySettings {
 public:
  ProxySettings() = default;  ///< no proxy

  /// A proxy is `http://[user:password@]host[:port]`, the scheme may be left out. Fails for
  /// anything else; the error names the variable and not its value.
  static Result<ProxySettings> from_env(const GetEnv& env);

  /// Loopback hosts are never proxied (as in Go): a model server on this machine is not the proxy's
  /// business. NO_PROXY entries, by commas or spaces: `*`; a name, which also covers the names
  /// below it (with or without a leading dot or `*.`); an address; an address block `10.0.0.0/8`.
  /// Each but the block may end in `:port`.
  [[nodiscard]] Route route_to(Origin origin) const;

 private:
  [[nodiscard]] bool is_excepted(const Origin& origin) const;

  std::optional<Proxy> for_http_;
  std::optional<Proxy> for_https_;
  std::vector<std::string> exceptions_;
};

}  // namespace fathom::net
