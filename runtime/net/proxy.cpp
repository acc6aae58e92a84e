#include "runtime/net/proxy.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <span>

namespace fathom::net {
namespace {

constexpr std::size_t kNoProxyBytesMax = 64 * 1024;

std::string base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8 | (i < count ? static_cast<std::uint8_t>(bytes[at + i]) : 0u);
    for (std::size_t i = 0; i < 4; ++i)
      out += i <= count ? kAlphabet[group >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

// User information is percent-encoded in a URL and plain in the header.
Result<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned value = 0;
    const std::string_view digits = text.substr(i + 1, 2);
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 2 || parsed.ec != std::errc() || parsed.ptr != digits.data() + 2)
      return fail(ErrorCode::bad_data, "'%' in the user or password needs two hexadecimal digits");
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

Result<Proxy> parse_proxy(std::string_view text) {
  const std::size_t scheme_end = text.find("://");
  const std::string_view scheme =
      scheme_end == std::string_view::npos ? "http" : text.substr(0, scheme_end);
  if (scheme != "http")
    return fail(ErrorCode::unsupported,
                "only http:// proxies are supported (https goes through "
                "them by CONNECT)");
  if (scheme_end != std::string_view::npos) text.remove_prefix(scheme_end + 3);
  text = text.substr(0, text.find_last_not_of('/') + 1);

  Proxy proxy;
  // The last '@': an unescaped one in the password is common, and a host has none.
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    const std::string_view user_info = text.substr(0, at);
    const std::size_t colon = std::min(user_info.find(':'), user_info.size());
    const std::string user = TRY(percent_decode(user_info.substr(0, colon)));
    const std::string password =
        TRY(percent_decode(user_info.substr(std::min(colon + 1, user_info.size()))));
    proxy.authorization = "Basic " + base64(user + ":" + password);
    text.remove_prefix(at + 1);
  }
  Url url = TRY(Url::parse("http://" + std::string(text)));
  if (url.target != "/")
    return fail(ErrorCode::bad_data, "a proxy is a host and a port, without a path");
  proxy.origin = std::move(url.origin);
  return proxy;
}

// The first of the two names that is set, parsed; nothing when neither is.
Result<std::optional<Proxy>> proxy_of(const GetEnv& env, std::span<const char* const> names) {
  for (const char* name : names) {
    const std::string value = env(name);
    if (value.empty()) continue;
    Result<Proxy> proxy = parse_proxy(value);
    if (!proxy) return fail(context(name, std::move(proxy).error()));
    proxy->variable = name;
    return std::optional(*std::move(proxy));
  }
  return std::optional<Proxy>();
}

// An address as its family and bytes; size 0 when `text` is none.
struct Address {
  std::array<std::uint8_t, 16> bytes{};
  std::size_t size = 0;
};

Address address_of(const std::string& text) {
  Address address;
  if (inet_pton(AF_INET, text.c_str(), address.bytes.data()) == 1) {
    address.size = 4;
  } else if (inet_pton(AF_INET6, text.c_str(), address.bytes.data()) == 1) {
    address.size = 16;
  }
  return address;
}

bool is_in_block(const std::string& host, const std::string& block, std::string_view bits_text) {
  const Address address = address_of(host);
  const Address base = address_of(block);
  std::size_t bits = 0;
  const auto parsed = std::from_chars(bits_text.data(), bits_text.data() + bits_text.size(), bits);
  if (parsed.ec != std::errc() || parsed.ptr != bits_text.data() + bits_text.size()) return false;
  if (address.size == 0 || address.size != base.size || bits > address.size * 8) return false;
  for (std::size_t bit = 0; bit < bits; ++bit) {
    const unsigned mask = 0x80u >> (bit % 8);
    if (((address.bytes[bit / 8] ^ base.bytes[bit / 8]) & mask) != 0) return false;
  }
  return true;
}

bool matches(const Origin& origin, std::string entry) {
  if (entry == "*") return true;
  if (const std::size_t slash = entry.find('/'); slash != std::string::npos)
    return is_in_block(origin.host, entry.substr(0, slash),
                       std::string_view(entry).substr(slash + 1));

  // A port is what follows the last colon, unless the whole is an IPv6 address.
  const std::size_t colon = entry.rfind(':');
  if (colon != std::string::npos && address_of(entry).size == 0) {
    if (entry.substr(colon + 1) != std::to_string(origin.port)) return false;
    entry.resize(colon);
  }
  if (entry.starts_with('[') && entry.ends_with(']')) entry = entry.substr(1, entry.size() - 2);
  if (const Address address = address_of(entry); address.size != 0) {
    const Address host = address_of(origin.host);
    return host.size == address.size && host.bytes == address.bytes;
  }
  if (entry.starts_with("*.")) entry.erase(0, 1);
  if (entry.starts_with('.')) entry.erase(0, 1);
  return !entry.empty() && (origin.host == entry || origin.host.ends_with("." + entry));
}

std::vector<std::string> split_exceptions(std::string_view text) {
  constexpr std::string_view kSeparators = ", \t\r\n";
  std::vector<std::string> entries;
  for (;;) {
    const std::size_t begin = text.find_first_not_of(kSeparators);
    if (begin == std::string_view::npos) return entries;
    text.remove_prefix(begin);
    const std::size_t end = std::min(text.find_first_of(kSeparators), text.size());
    std::string entry(text.substr(0, end));
    std::ranges::transform(entry, entry.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    });
    entries.push_back(std::move(entry));
    text.remove_prefix(end);
  }
}

}  // namespace

Result<ProxySettings> ProxySettings::from_env(const GetEnv& env) {
  constexpr std::array kHttp = {"http_proxy", "HTTP_PROXY"};
  constexpr std::array kHttps = {"https_proxy", "HTTPS_PROXY"};
  const bool under_cgi = !env("REQUEST_METHOD").empty();
  ProxySettings settings;
  settings.for_http_ = TRY(proxy_of(env, std::span(kHttp).first(under_cgi ? 1 : 2)));
  settings.for_https_ = TRY(proxy_of(env, kHttps));
  std::string exceptions = env("no_proxy");
  if (exceptions.empty()) exceptions = env("NO_PROXY");
  if (exceptions.size() > kNoProxyBytesMax)
    return fail(ErrorCode::too_large, "NO_PROXY: longer than 64 KiB");
  settings.exceptions_ = split_exceptions(exceptions);
  return settings;
}

Route ProxySettings::route_to(Origin origin) const {
  const std::optional<Proxy>& proxy = origin.scheme == Scheme::https ? for_https_ : for_http_;
  if (!proxy || is_loopback(origin.host) || is_excepted(origin)) return {std::move(origin), {}};
  return {std::move(origin), proxy};
}

bool ProxySettings::is_excepted(const Origin& origin) const {
  return std::ranges::any_of(exceptions_,
                             [&](const std::string& entry) { return matches(origin, entry); });
}

}  // namespace fathom::net
