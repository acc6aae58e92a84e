#include "policies/address_class.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <utility>
#include <vector>

namespace fathom::policies {
namespace {

constexpr std::size_t kAddressTextMax = INET6_ADDRSTRLEN;

struct Row {
  std::string_view range;
  AddressClass address_class;
};

// The first row that holds an address names it: single metadata addresses stand before the ranges
// around them. From IANA's special-purpose registries (RFC 6890 and its successors) and the
// vendors' documentation of their instance services.
constexpr std::array kTable = {
    Row{"169.254.169.254", AddressClass::metadata},  // AWS, GCP, Azure, OpenStack and most others
    Row{"169.254.170.2", AddressClass::metadata},    // AWS container credentials
    Row{"169.254.170.23", AddressClass::metadata},   // AWS pod identity
    Row{"169.254.169.253", AddressClass::metadata},  // AWS resolver
    Row{"169.254.0.23", AddressClass::metadata},     // Tencent
    Row{"100.100.100.200", AddressClass::metadata},  // Alibaba
    Row{"168.63.129.16", AddressClass::metadata},    // Azure's host channel, a public address
    Row{"192.0.0.192", AddressClass::metadata},      // Oracle
    Row{"fd00:ec2::254", AddressClass::metadata},    // AWS
    Row{"fd00:ec2::23", AddressClass::metadata},     // AWS pod identity
    Row{"fd00:ec2::253", AddressClass::metadata},    // AWS resolver
    Row{"fd20:ce::254", AddressClass::metadata},     // GCP
    Row{"0.0.0.0/8", AddressClass::unspecified},
    Row{"10.0.0.0/8", AddressClass::private_range},
    Row{"100.64.0.0/10", AddressClass::private_range},
    Row{"127.0.0.0/8", AddressClass::loopback},
    Row{"169.254.0.0/16", AddressClass::link_local},
    Row{"172.16.0.0/12", AddressClass::private_range},
    Row{"192.0.0.0/24", AddressClass::reserved},
    Row{"192.0.2.0/24", AddressClass::reserved},
    Row{"192.88.99.0/24", AddressClass::reserved},
    Row{"192.168.0.0/16", AddressClass::private_range},
    Row{"198.18.0.0/15", AddressClass::reserved},
    Row{"198.51.100.0/24", AddressClass::reserved},
    Row{"203.0.113.0/24", AddressClass::reserved},
    Row{"224.0.0.0/4", AddressClass::multicast},
    Row{"255.255.255.255", AddressClass::multicast},
    Row{"240.0.0.0/4", AddressClass::reserved},
    Row{"::", AddressClass::unspecified},
    Row{"::1", AddressClass::loopback},
    Row{"64:ff9b:1::/48", AddressClass::private_range},  // NAT64 of one network
    Row{"fc00::/7", AddressClass::private_range},
    Row{"fe80::/10", AddressClass::link_local},
    Row{"fec0::/10", AddressClass::private_range},
    Row{"ff00::/8", AddressClass::multicast},
    Row{"2001::/23", AddressClass::reserved},  // Teredo and other protocols
    Row{"2001:db8::/32", AddressClass::reserved},
    Row{"3fff::/20", AddressClass::reserved},
    Row{"2000::/3", AddressClass::public_address},  // the only unicast space that is assigned
    Row{"::/0", AddressClass::reserved},
};

bool begins_with(const Address& address, std::initializer_list<std::uint8_t> prefix) {
  return std::equal(prefix.begin(), prefix.end(), address.bytes.begin());
}

Address embedded(const Address& address, std::size_t at) {
  Address inner;
  std::copy_n(address.bytes.begin() + static_cast<std::ptrdiff_t>(at), 4, inner.bytes.begin());
  return inner;
}

bool same_prefix(const Address& a, const Address& b, unsigned bits) {
  for (unsigned bit = 0; bit < bits; bit += 8) {
    const unsigned kept = std::min(bits - bit, 8U);
    const auto mask = static_cast<std::uint8_t>(0xFF00U >> kept);
    if (((a.bytes[bit / 8] ^ b.bytes[bit / 8]) & mask) != 0) return false;
  }
  return true;
}

// Compares without unwrapping: the table's own rows for "::" and "64:ff9b:1::" are IPv6.
bool holds(const AddressRange& range, const Address& address) {
  return range.first.is_v6 == address.is_v6 && same_prefix(range.first, address, range.prefix_bits);
}

}  // namespace

std::optional<Address> Address::parse(std::string_view text) {
  if (text.empty() || text.size() > kAddressTextMax || text.find('\0') != std::string_view::npos)
    return std::nullopt;
  const std::string terminated(text);
  Address address;
  address.is_v6 = text.find(':') != std::string_view::npos;
  const int family = address.is_v6 ? AF_INET6 : AF_INET;
  if (::inet_pton(family, terminated.c_str(), address.bytes.data()) != 1) return std::nullopt;
  return address;
}

std::string Address::to_string() const {
  std::array<char, kAddressTextMax> text{};
  const int family = is_v6 ? AF_INET6 : AF_INET;
  return ::inet_ntop(family, bytes.data(), text.data(), text.size()) != nullptr ? text.data() : "";
}

Address Address::unmapped() const {
  const bool mapped = is_v6 && begins_with(*this, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF});
  return mapped ? embedded(*this, 12) : *this;
}

Address Address::unwrapped() const {
  if (const Address inner = unmapped(); !inner.is_v6) return inner;
  if (begins_with(*this, {0x00, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0}))
    return embedded(*this, 12);
  if (begins_with(*this, {0x20, 0x02})) return embedded(*this, 2);
  // ::/96, but neither :: nor ::1, which are addresses of their own.
  if (begins_with(*this, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})) {
    const bool own = bytes[12] == 0 && bytes[13] == 0 && bytes[14] == 0 && bytes[15] <= 1;
    if (!own) return embedded(*this, 12);
  }
  return *this;
}

AddressClass class_of(const Address& address) {
  static const std::vector<std::pair<AddressRange, AddressClass>> table = [] {
    std::vector<std::pair<AddressRange, AddressClass>> rows;
    rows.reserve(kTable.size());
    for (const Row& row : kTable)
      rows.emplace_back(AddressRange::parse(row.range).value(), row.address_class);
    return rows;
  }();
  const Address inner = address.unwrapped();
  for (const auto& [range, address_class] : table)
    if (holds(range, inner)) return address_class;
  return AddressClass::public_address;
}

std::string_view name_of(AddressClass address_class) {
  constexpr std::array<std::string_view, 8> kNames = {"public",      "loopback",      "metadata",
                                                      "link_local",  "private_range", "multicast",
                                                      "unspecified", "reserved"};
  return kNames[static_cast<std::size_t>(address_class)];
}

std::optional<AddressRange> AddressRange::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = Address::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (address->unwrapped() != *address) return std::nullopt;  // contains() would never see it
  const unsigned bits_max = address->is_v6 ? 128 : 32;
  AddressRange range{*address, bits_max};
  if (slash == std::string_view::npos) return range;
  const std::string_view bits = text.substr(slash + 1);
  if (bits.empty() || bits.size() > 3 || (bits.size() > 1 && bits.front() == '0'))
    return std::nullopt;
  const auto [end, error] =
      std::from_chars(bits.data(), bits.data() + bits.size(), range.prefix_bits);
  if (error != std::errc() || end != bits.data() + bits.size() || range.prefix_bits > bits_max)
    return std::nullopt;
  Address cut;
  cut.is_v6 = address->is_v6;
  for (unsigned bit = 0; bit < range.prefix_bits; bit += 8) {
    const unsigned kept = std::min(range.prefix_bits - bit, 8U);
    cut.bytes[bit / 8] = static_cast<std::uint8_t>(address->bytes[bit / 8] & (0xFF00U >> kept));
  }
  if (cut != *address) return std::nullopt;
  return range;
}

bool AddressRange::contains(const Address& address) const {
  return holds(*this, address.unwrapped());
}

}  // namespace fathom::policies
