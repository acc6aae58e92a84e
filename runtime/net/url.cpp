#include "runtime/net/url.hpp"

#include "runtime/net/http_message.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace fathom::net {
namespace {

constexpr std::size_t kHostBytesMax = 253;  // RFC 1035: 255 octets on the wire
constexpr std::size_t kLabelBytesMax = 63;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

std::unexpected<Error> refuse(std::string why) {
  return fail(ErrorCode::bad_data, "url: " + std::move(why));
}

Result<> check_bytes(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte <= 0x20 || byte == 0x7F)
      return refuse("byte " + std::to_string(i + 1) + " is a space or a control character");
    if (byte >= 0x80)
      return refuse("byte " + std::to_string(i + 1) +
                    " is not ASCII (write the host in its xn-- form, percent-encode the rest)");
  }
  return {};
}

Result<std::string> parse_ipv6(std::string_view inside) {
  if (inside.contains('%')) return refuse("an IPv6 zone is not accepted");
  std::array<unsigned char, 16> address;
  std::array<char, INET6_ADDRSTRLEN> canonical;
  if (inet_pton(AF_INET6, std::string(inside).c_str(), address.data()) != 1)
    return refuse("what stands in [brackets] is not an IPv6 address");
  inet_ntop(AF_INET6, address.data(), canonical.data(), canonical.size());
  return canonical.data();
}

// inet_aton(3), and so getaddrinfo, reads 127.1, 0x7f.1 and 2130706433 as addresses. A host that
// ends in a number must be the address everybody reads alike.
bool ends_in_number(std::string_view host) {
  const std::string_view last = host.substr(host.rfind('.') + 1);
  const bool hex = last.starts_with("0x") && std::ranges::all_of(last.substr(2), is_hex);
  return hex || std::ranges::all_of(last, is_digit);
}

Result<std::string> parse_name(std::string_view text) {
  if (text.empty()) return refuse("the host is missing");
  if (text.size() > kHostBytesMax) return refuse("the host is longer than 253 bytes");
  std::string host(text);
  std::ranges::transform(host, host.begin(), to_lower);
  std::size_t label = 0;
  for (const char c : host) {
    if (c != '.' && c != '-' && c != '_' && !is_digit(c) && !is_letter(c))
      return refuse("the host may only hold letters, digits, '-', '_' and '.'");
    if (c == '.' && label == 0) return refuse("the host has an empty label");
    label = c == '.' ? 0 : label + 1;
    if (label > kLabelBytesMax) return refuse("a label of the host is longer than 63 bytes");
  }
  if (label == 0) return refuse("the host ends in a dot");
  if (ends_in_number(host) && !is_ip_address(host))
    return refuse("the host looks like an IPv4 address but is not one (write four numbers 0-255)");
  return host;
}

Result<std::uint16_t> parse_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || text.size() > 5 || port == 0 || port > 65535)
    return refuse("the port is not a number from 1 to 65535");
  return static_cast<std::uint16_t>(port);
}

Result<Origin> parse_origin(Scheme scheme, std::string_view authority) {
  if (authority.contains('@'))
    return refuse(
        "a user or password before the host is not accepted (send an authorization header)");
  Origin origin{scheme, {}, default_port(scheme)};
  std::string_view rest;
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return refuse("the host has '[' without ']'");
    origin.host = TRY(parse_ipv6(authority.substr(1, close - 1)));
    rest = authority.substr(close + 1);
  } else {
    const std::size_t colon = std::min(authority.find(':'), authority.size());
    origin.host = TRY(parse_name(authority.substr(0, colon)));
    rest = authority.substr(colon);
  }
  if (rest.empty()) return origin;
  if (rest[0] != ':') return refuse("only ':' and a port may follow the host");
  origin.port = TRY(parse_port(rest.substr(1)));
  return origin;
}

Result<> check_target(std::string_view target) {
  for (std::size_t i = 0; i < target.size(); ++i) {
    const char c = target[i];
    if (c == '#') return refuse("a fragment (#...) is not sent to a server: leave it out");
    const bool escape = i + 2 < target.size() && is_hex(target[i + 1]) && is_hex(target[i + 2]);
    if (c == '%' && !escape)
      return refuse("'%' in the path or query needs two hexadecimal digits after it");
    if (std::string_view("\"<>\\^`{|}").contains(c))
      return refuse(std::string("percent-encode '") + c + "' in the path or query");
  }
  return {};
}

}  // namespace

std::string_view name_of(Scheme scheme) { return scheme == Scheme::https ? "https" : "http"; }

std::uint16_t default_port(Scheme scheme) { return scheme == Scheme::https ? 443 : 80; }

bool is_ip_address(const std::string& host) {
  std::array<unsigned char, 16> address;
  return inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

bool is_loopback(const std::string& host) {
  std::array<unsigned char, 4> address;
  if (inet_pton(AF_INET, host.c_str(), address.data()) == 1) return address[0] == 127;
  return host == "::1" || host == "localhost" || host.ends_with(".localhost");
}

std::string Origin::host_port() const {
  const std::string name = host.contains(':') ? "[" + host + "]" : host;
  return name + ":" + std::to_string(port);
}

std::string Origin::authority() const {
  std::string text = host_port();
  if (port == default_port(scheme)) text.resize(text.rfind(':'));
  return text;
}

Result<Url> Url::parse(std::string_view text) {
  if (text.size() > kUrlBytesMax)
    return fail(ErrorCode::too_large,
                "url: longer than " + std::to_string(kUrlBytesMax) + " bytes");
  if (Result<> bytes = check_bytes(text); !bytes) return fail(std::move(bytes).error());
  const std::size_t colon = text.find("://");
  const std::string_view scheme_text = text.substr(0, std::min(colon, text.size()));
  const bool https = equal_ignoring_case(scheme_text, "https");
  if (colon == std::string_view::npos || (!https && !equal_ignoring_case(scheme_text, "http")))
    return refuse("it must begin with http:// or https://");
  text.remove_prefix(colon + 3);

  const std::size_t authority_end = std::min(text.find_first_of("/?#"), text.size());
  Url url;
  url.origin =
      TRY(parse_origin(https ? Scheme::https : Scheme::http, text.substr(0, authority_end)));
  const std::string_view target = text.substr(authority_end);
  if (Result<> checked = check_target(target); !checked) return fail(std::move(checked).error());
  if (target.starts_with('/')) {
    url.target = target;
  } else {
    url.target += target;
  }
  return url;
}

std::string Url::to_string() const {
  return std::string(name_of(origin.scheme)) + "://" + origin.authority() + target;
}

}  // namespace fathom::net
