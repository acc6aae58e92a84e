// Host names as a policy means them. One function reads the names that a child asks for (a proxy's
// request line, a DNS question, a URL) and one the patterns of a policy; both give the same
// canonical form or nothing, and only canonical forms are compared. A name with a NUL byte once
// passed the suffix test of a well-known sandbox and then meant another host to the resolver:
// what cannot be read here matches nothing.
//
// Not known here: which suffixes are public. "*.co.uk" is accepted, and its author trusts all of
// it.
#pragma once

#include "policies/address_class.hpp"
#include "runtime/base/result.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace fathom::policies {

constexpr std::size_t kHostBytesMax = 253;  ///< RFC 1035, without the root's dot
constexpr std::size_t kLabelBytesMax = 63;

/// A canonical host: lower case, without the root's trailing dot, or an address.
struct Host {
  std::string name;                ///< empty for an address
  std::optional<Address> address;  ///< IPv4 mapped into IPv6 is IPv4

  /// Names are letters, digits, "-", "_" and dots (international names in their "xn--" form), with
  /// no empty label. Addresses are canonical; an IPv6 address may stand in brackets. Everything
  /// else is refused: a port, user@, percent signs, spaces, other spellings of IPv4 addresses. The
  /// message says what is wrong, without the text.
  static Result<Host> parse(std::string_view text);

  [[nodiscard]] std::string to_string() const { return address ? address->to_string() : name; }
  /// This machine by name: "localhost" or below it (RFC 6761).
  [[nodiscard]] bool is_localhost() const;

  friend bool operator==(const Host&, const Host&) = default;
};

/// "example.com", "*.example.com" (any depth below it, not itself), or an address.
class HostPattern {
 public:
  static Result<HostPattern> parse(std::string_view text);

  [[nodiscard]] bool matches(const Host& host) const;
  /// False for anything that is no host.
  [[nodiscard]] bool matches(std::string_view text) const;
  /// The form parse() reads.
  [[nodiscard]] std::string to_string() const;

 private:
  HostPattern(Host host, bool below) : host_(std::move(host)), below_(below) {}
  Host host_;
  bool below_;  ///< "*." in front
};

}  // namespace fathom::policies
