// Destination: whom a confined program wants to reach, in one spelling. What a proxy's request
// line, a SOCKS message or a DNS question says is read here, once, by the policy's own reader of
// hosts, and only this form is decided on, looked up and logged: two readers of one text disagree
// sooner or later, and that difference is the hole (a name with a NUL byte that ends as an allowed
// one, 0x7f.1, user@host).
#pragma once

#include "runtime/base/result.hpp"

#include <boost/asio/ip/address.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fathom::sandbox {

namespace asio = boost::asio;

struct Destination {
  std::string name;  ///< lower case, without the root's dot; empty for an address
  std::optional<asio::ip::address> address;  ///< IPv4 mapped into IPv6 is IPv4
  std::uint16_t port = 0;

  [[nodiscard]] std::string host() const { return address ? address->to_string() : name; }

  friend bool operator==(const Destination&, const Destination&) = default;
};

/// As policies::Host::parse reads it. The error never repeats the text.
Result<Destination> parse_destination(std::string_view text, std::uint16_t port);

/// "443" and nothing near it: no sign, no space, no leading zero, not 0.
Result<std::uint16_t> parse_port(std::string_view text);

/// `address`, or the IPv4 address that it maps (::ffff:0:0/96).
asio::ip::address unmapped(const asio::ip::address& address);

}  // namespace fathom::sandbox
