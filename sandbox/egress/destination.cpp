#include "sandbox/egress/destination.hpp"

#include "policies/host_pattern.hpp"

#include <boost/asio/ip/address_v4.hpp>
#include <boost/asio/ip/address_v6.hpp>

#include <algorithm>
#include <charconv>

namespace fathom::sandbox {
namespace {

asio::ip::address to_asio(const policies::Address& address) {
  if (address.is_v6) return asio::ip::address_v6(address.bytes);
  asio::ip::address_v4::bytes_type bytes;
  std::copy_n(address.bytes.begin(), bytes.size(), bytes.begin());
  return asio::ip::address_v4(bytes);
}

}  // namespace

asio::ip::address unmapped(const asio::ip::address& address) {
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address;
  return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
}

Result<Destination> parse_destination(std::string_view text, std::uint16_t port) {
  if (port == 0) return fail(ErrorCode::bad_data, "the port is no number from 1 to 65535");
  auto host = policies::Host::parse(text);
  if (!host) return fail(ErrorCode::bad_data, "the host " + host.error().message);
  Destination out{std::move(host->name), {}, port};
  if (host->address) out.address = to_asio(*host->address);
  return out;
}

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || text.starts_with('0'))
    return fail(ErrorCode::bad_data, "the port is no number from 1 to 65535");
  return port;
}

}  // namespace fathom::sandbox
