// Who listens on this machine's TCP ports, by /proc/net/tcp and tcp6.
#pragma once

#include "runtime/base/result.hpp"
#include "sandbox/socket_address.hpp"

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace fathom::sandbox {

struct ListeningSocket {
  policies::Address address;
  std::uint16_t port = 0;
  std::uint64_t inode = 0;

  friend bool operator==(const ListeningSocket&, const ListeningSocket&) = default;
};

/// Of the text of /proc/net/tcp or tcp6; lines that are no listening sockets are passed over.
std::vector<ListeningSocket> parse_listening_sockets(std::string_view text);

/// Of this process's network. Fails when the tables cannot be read whole.
Result<std::vector<ListeningSocket>> listening_sockets();

enum class Listener : std::uint8_t { nobody, ours, foreign };

/// Who would get a connection to `to`. Where the kernel could choose between several, all must be
/// ours.
Listener who_listens(const std::vector<ListeningSocket>& sockets, const peer::Internet& to,
                     const std::function<bool(std::uint64_t inode)>& is_ours);

}  // namespace fathom::sandbox
