// What compile() needs to know of this machine and of the workspace, as values: read once by
// look_at_host(), written by hand in tests.
#pragma once

#include "policies/policy.hpp"
#include "runtime/base/paths.hpp"
#include "runtime/base/result.hpp"

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace fathom::sandbox {

/// How commands are confined, from the strongest down. sandbox.md's guarantee ladder.
enum class Rung : std::uint8_t {
  full,           ///< namespaces of all kinds, Landlock behind them, seccomp
  no_network_ns,  ///< as full, but the loopback of a network namespace cannot be raised: no sockets
                  ///< but Unix
  container,      ///< no user namespaces: Landlock and seccomp
  container_old,  ///< as container, with a Landlock before ABI 4: no network at all, gaps named
};

enum class PathType : std::uint8_t { missing, file, folder, other };

/// One path of this machine with its links resolved. Missing paths keep their resolved parent.
struct HostPath {
  std::string path;
  PathType type = PathType::missing;
};
using LookAtPath = std::function<HostPath(const std::string&)>;

/// Resolves by realpath(3).
HostPath look_at_path(const std::string& path);

struct HostFacts {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string user;
  std::string home;         ///< resolved; "" when there is none
  int landlock_abi = 0;     ///< 0: no Landlock
  std::string resolv_conf;  ///< where /etc/resolv.conf leads; "" when it does not exist
};

HostFacts look_at_host(const GetEnv& env);

/// The folder whose files the commands work on.
struct Workspace {
  std::string root;  ///< resolved
  uid_t owner = 0;
  gid_t group = 0;
};

/// Resolves `path` once. Fails when it does not exist, is no folder, or is "/" or the home folder.
Result<Workspace> open_workspace(const std::string& path, const HostFacts& host);

std::string_view name_of(Rung rung);
/// Whether commands get namespaces of their own; else Landlock and seccomp are all there is.
bool has_namespaces(Rung rung);

}  // namespace fathom::sandbox
