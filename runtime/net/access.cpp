#include "runtime/net/access.hpp"

#include <boost/asio/ip/address.hpp>

#include <algorithm>

namespace fathom::net {
namespace {

/// `host`, `host:port`, `[v6]` or `[v6]:port` without the port; empty when it is none of them.
std::string_view without_port(std::string_view host) {
  std::size_t end = host.find(':');
  if (host.starts_with('[')) {
    end = host.find(']');
    if (end == std::string_view::npos) return {};
    ++end;
  }
  if (end >= host.size()) return host;
  const std::string_view port = host.substr(end);
  const bool is_port =
      port.starts_with(':') && port.find_first_not_of("0123456789", 1) == port.npos;
  return is_port ? host.substr(0, end) : std::string_view();
}

/// The address that a Host without its port is, if it is one.
std::optional<boost::asio::ip::address> address_in(std::string_view host) {
  const bool in_brackets = host.starts_with('[');
  if (in_brackets) host = host.substr(1, host.size() - 2);
  boost::system::error_code ec;
  auto address = boost::asio::ip::make_address(std::string(host), ec);
  if (ec || address.is_v6() != in_brackets) return std::nullopt;
  return address;
}

bool may_be_host(const AccessRules& rules, std::string_view host) {
  if (rules.hosts == AccessRules::Hosts::any || is_loopback_host(host)) return true;
  host = without_port(host);
  if (std::ranges::any_of(rules.host_names,
                          [&](std::string_view name) { return equal_ignoring_case(host, name); }))
    return true;
  return rules.hosts == AccessRules::Hosts::addresses && address_in(host).has_value();
}

Refusal wrong_host(AccessRules::Hosts hosts) {
  if (hosts == AccessRules::Hosts::loopback_only)
    return {403, "host_not_allowed", "this server answers only to loopback host names", {}};
  return {403,
          "host_not_allowed",
          "this server does not answer to this host name (use its IP address)",
          {}};
}

std::string_view given_token(const HttpRequest& request) {
  constexpr std::string_view kScheme = "Bearer ";
  if (const std::string* authorization = request.headers.find("Authorization")) {
    const std::string_view value = *authorization;
    if (!equal_ignoring_case(value.substr(0, kScheme.size()), kScheme)) return {};
    return value.substr(std::min(value.find_first_not_of(' ', kScheme.size()), value.size()));
  }
  return request.headers.get("x-api-key");
}

}  // namespace

bool is_loopback_host(std::string_view host) {
  host = without_port(host);
  if (equal_ignoring_case(host, "localhost")) return true;
  const auto address = address_in(host);
  return address && address->is_loopback();
}

std::optional<Refusal> check_origin(const AccessRules& rules, const HttpRequest& request) {
  // HTTP/1.0 clients may send no Host at all (the parser lets no others); a browser always does,
  // and browsers are what this is about. An empty Host is no name of ours.
  const std::string* host = request.headers.find("Host");
  if (host && !may_be_host(rules, *host)) return wrong_host(rules.hosts);

  const std::string* origin = request.headers.find("Origin");
  if (!origin || std::ranges::find(rules.origins, *origin) != rules.origins.end())
    return std::nullopt;
  // Only where Host was verified: elsewhere a rebound name would be equal to its own Origin.
  const bool is_verified = host && rules.hosts != AccessRules::Hosts::any;
  if (is_verified && equal_ignoring_case(*origin, "http://" + *host)) return std::nullopt;
  return Refusal{403, "origin_not_allowed", "this web page may not call this server", {}};
}

std::optional<Refusal> check_token(const AccessRules& rules, const HttpRequest& request) {
  if (rules.token.empty()) return std::nullopt;
  const std::string_view given = given_token(request);
  if (equal_in_constant_time(given, rules.token)) return std::nullopt;
  return Refusal{
      401,
      "unauthorized",
      given.empty() ? "a token is needed: send Authorization: Bearer TOKEN" : "wrong token",
      {{"WWW-Authenticate", "Bearer"}}};
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  // volatile, or the compiler may leave the loop at the first difference.
  volatile unsigned char difference = a.size() == b.size() ? 0 : 1;
  const std::size_t size = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < size; ++i)
    difference = static_cast<unsigned char>(difference | (a[i] ^ b[i]));
  return difference == 0;
}

}  // namespace fathom::net
