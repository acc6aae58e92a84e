// Sockets that the broker makes for commands: loopback sockets, and connections that do not block
// the loop. Errors are errno values, as they go back to the command.
#pragma once

#include "runtime/async/clock.hpp"
#include "runtime/base/unique_fd.hpp"
#include "sandbox/socket_address.hpp"

#include <boost/asio/awaitable.hpp>

#include <expected>
#include <string>

namespace fathom::sandbox {

namespace asio = boost::asio;

template <class T>
using OrErrno = std::expected<T, int>;

/// Linux gives up on a silent peer after two minutes; a command's own timeout cannot end a wait of
/// ours, so it is shorter.
constexpr Duration kDialTimeout = std::chrono::seconds(30);

/// A stream socket of a family that has loopback's address but no port yet: all it can do without
/// us is listen there.
OrErrno<UniqueFd> idle_socket(int family);

/// A stream socket bound to this address.
OrErrno<UniqueFd> bound_socket(const peer::Internet& at);

/// Connects to an address.
asio::awaitable<OrErrno<UniqueFd>> dial(Clock& clock, peer::Internet to);

/// The two ends of a connection on loopback.
struct LoopbackPair {
  UniqueFd near;  ///< for a command
  UniqueFd far;   ///< for us
};

/// A TCP connection of `family` (IPv4, or IPv4 in IPv6) that nobody else on this machine has a part
/// in: its listener is there for this one connection, and who else connects meanwhile is dropped.
asio::awaitable<OrErrno<LoopbackPair>> loopback_pair(Clock& clock, int family);

/// What happens when a Unix server's queue is full.
enum class WhenFull : std::uint8_t { fail, wait };

/// Connects to the Unix socket that `fd` (O_PATH) is open on, of whatever type it is.
asio::awaitable<OrErrno<UniqueFd>> dial_unix(Clock& clock, int fd, WhenFull when_full);

}  // namespace fathom::sandbox
