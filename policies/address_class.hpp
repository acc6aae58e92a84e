// What an IP address is: a name that a policy allows may still resolve to the cloud's metadata
// service, to this machine or to the private network around it (DNS rebinding), so the address that
// is dialled is classified, once, and that very address is dialled.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fathom::policies {

/// An IPv4 or IPv6 address. IPv4 addresses that travel inside IPv6 ones are told by unwrapped().
struct Address {
  bool is_v6 = false;
  std::array<std::uint8_t, 16> bytes{};  ///< IPv4: the first four

  /// Canonical text only: four decimal numbers without leading zeros, or RFC 4291 (without brackets
  /// and without a zone). "0x7f.1", "127.1" and "2130706433" are other programs' spellings.
  static std::optional<Address> parse(std::string_view text);

  /// RFC 5952 for IPv6.
  [[nodiscard]] std::string to_string() const;

  /// The IPv4 address of a mapped one (::ffff:0:0/96), which to the kernel is the same; any other
  /// as it is.
  [[nodiscard]] Address unmapped() const;
  /// The IPv4 address that a gateway or the kernel would reach through this IPv6 address: mapped
  /// (::ffff:0:0/96), compatible (::/96), 6to4 (2002::/16) and NAT64 (64:ff9b::/96). Any other
  /// address is returned as it is.
  [[nodiscard]] Address unwrapped() const;

  friend bool operator==(const Address&, const Address&) = default;
};

enum class AddressClass : std::uint8_t {
  public_address,  ///< the only class that an allowed name may resolve to by itself
  loopback,
  metadata,  ///< a cloud's instance service, which gives credentials to whoever asks
  link_local,
  private_range,  ///< RFC 1918, RFC 6598 (carrier), RFC 4193 (ULA) and site-local
  multicast,      ///< and broadcast
  unspecified,    ///< 0.0.0.0/8 and ::, which many systems take for themselves
  reserved,       ///< documentation, benchmarks, Teredo, discard and unassigned
};

/// Of the unwrapped address.
AddressClass class_of(const Address& address);
std::string_view name_of(AddressClass address_class);

/// "10.0.0.0/8", "fd00::/8", or one address.
struct AddressRange {
  Address first;
  unsigned prefix_bits = 0;

  /// Bits set behind the prefix ("10.0.0.1/8") are refused: which of the two was meant? So
  /// are IPv6 forms of IPv4 addresses.
  static std::optional<AddressRange> parse(std::string_view text);
  /// Of the unwrapped address.
  [[nodiscard]] bool contains(const Address& address) const;
};

}  // namespace fathom::policies
