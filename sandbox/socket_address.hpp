// SocketAddress: the bytes of a sockaddr that a command handed to the kernel, taken apart once.
// Pure.
#pragma once

#include "policies/address_class.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace fathom::sandbox {

constexpr std::size_t kSocketAddressBytesMax = 128;  // sockaddr_storage

/// What a socket address names.
namespace peer {
struct Internet {
  policies::Address address;  ///< as written: mapped addresses stay mapped
  std::uint16_t port = 0;
  friend bool operator==(const Internet&, const Internet&) = default;
};
struct UnixPath {
  std::string path;  ///< up to its first NUL
  friend bool operator==(const UnixPath&, const UnixPath&) = default;
};
struct UnixAbstract {
  std::string name;  ///< without the NUL in front; may hold others
  friend bool operator==(const UnixAbstract&, const UnixAbstract&) = default;
};
struct Unspecified {  ///< AF_UNSPEC: connect undoes a connection
  friend bool operator==(const Unspecified&, const Unspecified&) = default;
};
struct Other {  ///< another family
  int family = 0;
  friend bool operator==(const Other&, const Other&) = default;
};
struct Malformed {  ///< EINVAL to the kernel too
  friend bool operator==(const Malformed&, const Malformed&) = default;
};
}  // namespace peer

using SocketAddress = std::variant<peer::Internet, peer::UnixPath, peer::UnixAbstract,
                                   peer::Unspecified, peer::Other, peer::Malformed>;

SocketAddress parse_socket_address(std::string_view bytes);

/// The sockaddr_in or sockaddr_in6 of an address; never with a scope or a flow.
std::string socket_address_bytes(const peer::Internet& internet);

/// What the kernel connects to when this is dialled: the unspecified addresses mean this machine.
peer::Internet dialled(const peer::Internet& internet);

/// Whether that is this machine's loopback, however it is spelled.
bool is_loopback(const policies::Address& address);

/// 127.0.0.1:80, [::1]:80.
std::string to_text(const peer::Internet& internet);

}  // namespace fathom::sandbox
