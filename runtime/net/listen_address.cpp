#include "runtime/net/listen_address.hpp"

#include <boost/asio/ip/address.hpp>

#include <charconv>
#include <optional>

namespace fathom::net {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return port;
}

}  // namespace

Result<ListenAddress> ListenAddress::parse(std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return fail(ErrorCode::usage, "listen " + std::string(text) + ": " + std::string(why) +
                                      " (write 127.0.0.1:8420, [::1]:8420 or unix:PATH)");
  };
  ListenAddress address;
  if (text.starts_with(kUnixPrefix)) {
    address.kind = Kind::unix_socket;
    address.host.clear();
    address.path = text.substr(kUnixPrefix.size());
    if (address.path.empty()) return wrong("the path is missing");
    if (address.path.find('\0') != std::string::npos) return wrong("the path holds a zero byte");
    return address;
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong("the port is missing");
  std::string_view host = text.substr(0, colon);
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return wrong("the port is not a number from 0 to 65535");

  const bool in_brackets = host.starts_with('[') && host.ends_with(']') && host.size() > 2;
  if (in_brackets) host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  boost::system::error_code ec;
  const auto parsed = boost::asio::ip::make_address(std::string(host), ec);
  if (ec || parsed.is_v6() != in_brackets) return wrong("the host is not an IP address");
  address.host = parsed.to_string();
  address.port = *port;
  return address;
}

std::string ListenAddress::to_string() const {
  if (kind == Kind::unix_socket) return std::string(kUnixPrefix) + path;
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return name + ":" + std::to_string(port);
}

bool ListenAddress::is_local() const {
  if (kind == Kind::unix_socket) return true;
  boost::system::error_code ec;
  const auto address = boost::asio::ip::make_address(host, ec);
  return !ec && address.is_loopback();
}

}  // namespace fathom::net
