#include "sandbox/socket_address.hpp"

#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>

namespace fathom::sandbox {
namespace {

constexpr std::size_t kSockaddrIn6Min = 24;  // without the scope: RFC 2133, still taken by Linux

peer::Internet ipv4(const sockaddr_in& from) {
  peer::Internet internet{{}, ntohs(from.sin_port)};
  std::memcpy(internet.address.bytes.data(), &from.sin_addr, sizeof from.sin_addr);
  return internet;
}

peer::Internet ipv6(const sockaddr_in6& from) {
  peer::Internet internet{{}, ntohs(from.sin6_port)};
  internet.address.is_v6 = true;
  std::memcpy(internet.address.bytes.data(), &from.sin6_addr, sizeof from.sin6_addr);
  return internet;
}

SocketAddress parse_unix(std::string_view rest) {
  if (rest.empty() || rest.size() > sizeof(sockaddr_un::sun_path)) return peer::Malformed{};
  if (rest.front() == '\0') return peer::UnixAbstract{std::string(rest.substr(1))};
  return peer::UnixPath{std::string(rest.substr(0, rest.find('\0')))};
}

bool is_unspecified(const policies::Address& address) {
  const std::size_t size = address.is_v6 ? address.bytes.size() : 4;
  return std::all_of(address.bytes.begin(), address.bytes.begin() + size,
                     [](std::uint8_t byte) { return byte == 0; });
}

policies::Address loopback_of(bool is_v6) {
  policies::Address address{is_v6, {}};
  if (is_v6) {
    address.bytes.back() = 1;
  } else {
    address.bytes[0] = 127;
    address.bytes[3] = 1;
  }
  return address;
}

}  // namespace

SocketAddress parse_socket_address(std::string_view bytes) {
  sa_family_t family = 0;
  if (bytes.size() < sizeof family || bytes.size() > kSocketAddressBytesMax)
    return peer::Malformed{};
  std::memcpy(&family, bytes.data(), sizeof family);
  switch (family) {
    case AF_UNSPEC:
      return peer::Unspecified{};
    case AF_INET: {
      sockaddr_in v4{};
      if (bytes.size() < sizeof v4) return peer::Malformed{};
      std::memcpy(&v4, bytes.data(), sizeof v4);
      return ipv4(v4);
    }
    case AF_INET6: {
      sockaddr_in6 v6{};
      if (bytes.size() < kSockaddrIn6Min) return peer::Malformed{};
      std::memcpy(&v6, bytes.data(), std::min(sizeof v6, bytes.size()));
      return ipv6(v6);
    }
    case AF_UNIX:
      return parse_unix(bytes.substr(sizeof family));
    default:
      return peer::Other{family};
  }
}

std::string socket_address_bytes(const peer::Internet& internet) {
  if (internet.address.is_v6) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(internet.port);
    std::memcpy(&v6.sin6_addr, internet.address.bytes.data(), sizeof v6.sin6_addr);
    return {reinterpret_cast<const char*>(&v6), sizeof v6};
  }
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(internet.port);
  std::memcpy(&v4.sin_addr, internet.address.bytes.data(), sizeof v4.sin_addr);
  return {reinterpret_cast<const char*>(&v4), sizeof v4};
}

peer::Internet dialled(const peer::Internet& internet) {
  const policies::Address plain = internet.address.unmapped();
  if (!is_unspecified(plain)) return internet;
  if (plain.is_v6 == internet.address.is_v6)
    return {loopback_of(internet.address.is_v6), internet.port};
  peer::Internet mapped = internet;  // ::ffff:0.0.0.0
  mapped.address.bytes[12] = 127;
  mapped.address.bytes[15] = 1;
  return mapped;
}

bool is_loopback(const policies::Address& address) {
  const policies::Address plain = address.unmapped();
  return plain.is_v6 ? plain == loopback_of(true) : plain.bytes[0] == 127;
}

std::string to_text(const peer::Internet& internet) {
  const std::string address = internet.address.to_string();
  return (internet.address.is_v6 ? "[" + address + "]" : address) + ":" +
         std::to_string(internet.port);
}

}  // namespace fathom::sandbox
