// compile(): policy + machine + workspace → the plan of a session. Pure but for the paths it looks
// at through `look`; the golden tests of tests/sandbox hold its output line by line.
#pragma once

#include "policies/policy.hpp"
#include "sandbox/host.hpp"
#include "sandbox/pins.hpp"
#include "sandbox/plan.hpp"

#include <string>
#include <vector>

namespace fathom::sandbox {

enum class Mode : std::uint8_t {
  direct,       ///< edits are live in the workspace
  transaction,  ///< edits go to an overlay until they are committed
  disposable,   ///< edits go to memory and are gone at the session's end
};

/// Who the commands run as when the caller is root.
enum class RootMode : std::uint8_t {
  idmapped,   ///< a user id of their own, the workspace shown as theirs by an idmapped mount
  workspace,  ///< the workspace's owner, who is not root
  unmapped,   ///< root's own id without capabilities: where the file system refuses idmapped mounts
};

/// A folder that is shown as an overlay: what is there stays as it is, changes go elsewhere.
struct OverlayPlan {
  std::string path;       ///< resolved; shown here
  std::string folder;     ///< holds "upper" and "work"; "" keeps changes in the session's memory
  bool has_lower = true;  ///< false: there is nothing on the host, the upper folder is shown alone

  friend bool operator==(const OverlayPlan&, const OverlayPlan&) = default;
};

struct CompileInput {
  const policies::Policy& policy;
  const HostFacts& host;
  const Workspace& workspace;
  Rung rung = Rung::full;
  Mode mode = Mode::direct;
  RootMode root_mode = RootMode::idmapped;
  Pins pins = {};
  std::vector<OverlayPlan> overlays =
      {};                                 ///< the workspace when the mode is not direct, and caches
  std::vector<std::string> groups = {};   ///< control groups
  std::vector<std::string> filters = {};  ///< seccomp programs
  std::vector<ListenerPlan> listeners = {};
  std::string scratch = {};  ///< the session's own folder, writable, where it has no private /tmp
  std::vector<std::string> host_sockets = {};  ///< hidden where mounts would show them
  bool capture = false;  ///< deliver connections to any address to the listeners
};

Result<SessionPlan> compile(const CompileInput& input, const LookAtPath& look = look_at_path);

struct ViewEntry;  // root_view.hpp

/// The same for a caller that has the entries of the view already.
Result<SessionPlan> compile(const CompileInput& input, const std::vector<ViewEntry>& entries);

/// What a command of this session gets beside its argv: resource limits.
std::vector<std::pair<int, std::uint64_t>> compile_limits(const policies::Limits& limits);

}  // namespace fathom::sandbox
