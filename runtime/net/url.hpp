// Url: an absolute http or https address, parsed strictly. What a lenient parser repairs (spaces,
// 127.1, a password before the host, a stray control character) two programs repair differently,
// and that difference is an attack.
#pragma once

#include "runtime/base/result.hpp"

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace fathom::net {

constexpr std::size_t kUrlBytesMax = 8 * 1024;

enum class Scheme : std::uint8_t { http, https };

/// "http" or "https".
[[nodiscard]] std::string_view name_of(Scheme scheme);
/// 80 or 443.
[[nodiscard]] std::uint16_t default_port(Scheme scheme);

/// Whom a connection is made to. Connections are shared by requests of one origin only.
struct Origin {
  Scheme scheme = Scheme::https;
  std::string host;  ///< lower case; an IPv6 address in its canonical form, without brackets
  std::uint16_t port = 443;

  /// "example.com:443", "[::1]:80": for CONNECT, and how every network error names the peer.
  [[nodiscard]] std::string host_port() const;
  /// The value of the Host header: the port only when it is not the scheme's own.
  [[nodiscard]] std::string authority() const;

  friend auto operator<=>(const Origin&, const Origin&) = default;
};

struct Url {
  Origin origin;
  std::string target = "/";  ///< path and query, percent-encoded as on the wire

  /// Accepts scheme, host, optional port, path and query. Refuses user information, fragments, host
  /// names that are not ASCII, and every byte RFC 3986 wants percent-encoded. An error never
  /// repeats the text: a URL that does not parse may still hold a password.
  static Result<Url> parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const Url&, const Url&) = default;
};

/// True for an IPv4 or IPv6 address (without brackets), false for a name.
[[nodiscard]] bool is_ip_address(const std::string& host);
/// True for 127.0.0.0/8, ::1, "localhost" and names below it.
[[nodiscard]] bool is_loopback(const std::string& host);

}  // namespace fathom::net
