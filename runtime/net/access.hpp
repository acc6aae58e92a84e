// Who may talk to a server: pure rules over a request's header.
//
// A server on the loopback address is reachable by every web page its user visits, in two ways: the
// page sends requests straight to it (they carry an Origin), or its own host name is made to
// resolve to 127.0.0.1 (DNS rebinding: the browser then sees one origin, but Host still names the
// attacker). So both are checked before any handler runs, and a bearer token is asked for besides
// when one is configured.
#pragma once

#include "runtime/net/http_message.hpp"
#include "runtime/net/refusal.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom::net {

struct AccessRules {
  enum class Hosts : std::uint8_t {
    loopback_only,  ///< Host must name this machine: what a server bound to loopback wants
    addresses,      ///< or be an IP address, which no name service can turn against its owner
    any,            ///< on a network the names are not ours to know; there a token is asked for
  };

  Hosts hosts = Hosts::loopback_only;
  std::vector<std::string> host_names;  ///< what else may be in Host, without a port
  /// Web pages that may call, such as `https://viewer.example`. A page that this server itself
  /// delivered (its Origin is `http://` and the verified Host it asks) needs no entry.
  std::vector<std::string> origins;
  std::string token;  ///< empty: none is asked for
};

/// 403 `host_not_allowed` or `origin_not_allowed`, or nothing when the request may pass.
[[nodiscard]] std::optional<Refusal> check_origin(const AccessRules& rules,
                                                  const HttpRequest& request);

/// 401 unless the request carries the token as `Authorization: Bearer TOKEN` or `x-api-key: TOKEN`;
/// where both are sent, Authorization decides.
[[nodiscard]] std::optional<Refusal> check_token(const AccessRules& rules,
                                                 const HttpRequest& request);

/// True for `localhost`, 127.0.0.0/8 and `[::1]`, each with or without a port.
[[nodiscard]] bool is_loopback_host(std::string_view host);

/// Compares in a time that depends on the sizes alone, so that a token cannot be guessed byte by
/// byte.
[[nodiscard]] bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace fathom::net
