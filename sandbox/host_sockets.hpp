// The Unix sockets of this machine that have a path. A read-only mount does not keep a socket below
// it from being connected to, and Landlock has no right for it, so a session with mounts covers
// those that its view would show.
//
// What it does not find: sockets that are bound later, by a relative path, or in another network
// namespace (a container's, shared through a folder), and second names of a socket (hard links).
#pragma once

#include "runtime/base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace fathom::sandbox {

constexpr std::size_t kHostSocketsMax = 512;  // that a view would show: each costs a mount

/// The absolute paths in the text of /proc/net/unix, each once, sorted.
std::vector<std::string> parse_socket_paths(std::string_view text);

/// Those of them at which there is a socket now. An error where the table cannot be read: which
/// sockets would be shown is not known then.
Result<std::vector<std::string>> host_socket_paths();

}  // namespace fathom::sandbox
