#include "sandbox/ladder.hpp"

#include "sandbox/landlock_plan.hpp"

namespace fathom::sandbox {
namespace {

using policies::Guarantee;
using policies::Strength;

constexpr std::string_view kUserNamespaceFix =
    "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1, "
    "user.max_user_namespaces=10000, "
    "kernel.apparmor_restrict_unprivileged_userns=0, or docker run --security-opt "
    "seccomp=unconfined "
    "--security-opt apparmor=unconfined";

std::string landlock_text(int abi) { return "Landlock ABI " + std::to_string(abi); }

GuaranteeState enforced(Guarantee guarantee, std::string mechanism) {
  return {guarantee, Strength::enforced, std::move(mechanism), "", ""};
}

GuaranteeState fs_write(const Footing& footing) {
  if (has_namespaces(footing.rung))
    return enforced(Guarantee::fs_write,
                    footing.landlock_abi > 0
                        ? "read-only mounts and " + landlock_text(footing.landlock_abi)
                        : "read-only mounts");
  const std::string landlock = landlock_text(footing.landlock_abi);
  // Landlock has no right for these; SECURITY.md says so too.
  if (footing.landlock_abi >= 3)
    return enforced(Guarantee::fs_write,
                    footing.listener
                        ? landlock + ", and a broker for modes, owners and times"
                        : landlock + ": contents and names, not modes, owners and times");
  if (footing.landlock_abi > 0)
    return {Guarantee::fs_write, Strength::best_effort, landlock_text(footing.landlock_abi),
            "files outside the workspace can be truncated before Landlock ABI 3",
            "use Linux 6.2 or newer"};
  return {Guarantee::fs_write, Strength::none, "nothing", "neither user namespaces nor Landlock",
          std::string(kUserNamespaceFix)};
}

GuaranteeState fs_read(const Footing& footing) {
  if (has_namespaces(footing.rung) && footing.root && footing.root_mode == RootMode::unmapped)
    return {Guarantee::fs_read, Strength::best_effort, "mounts",
            "runs as uid 0: files that only root may read are hidden by a list",
            "put the workspace on a file system with idmapped mounts (ext4, xfs, btrfs), or run "
            "Fathom as "
            "an ordinary user"};
  if (has_namespaces(footing.rung)) return enforced(Guarantee::fs_read, "mounts");
  if (footing.landlock_abi > 0)
    return enforced(Guarantee::fs_read, landlock_text(footing.landlock_abi));
  return {Guarantee::fs_read, Strength::none, "nothing", "neither user namespaces nor Landlock",
          std::string(kUserNamespaceFix)};
}

GuaranteeState protected_paths(const Footing& footing) {
  if (has_namespaces(footing.rung))
    return enforced(Guarantee::protected_paths,
                    "read-only mounts, and an audit after each command");
  return {Guarantee::protected_paths, Strength::best_effort, "detect and revert",
          "no mounts: changes stand until the command ends", std::string(kUserNamespaceFix)};
}

GuaranteeState network(const Footing& footing) {
  if (footing.rung == Rung::full) return enforced(Guarantee::network, "network namespace");
  if (footing.rung == Rung::container && footing.listener)
    return enforced(Guarantee::network, "connect broker and " +
                                            landlock_text(footing.landlock_abi) +
                                            ": loopback shared with the host, no UDP, names by "
                                            "the proxy only");
  return enforced(Guarantee::network, "seccomp: no Internet sockets, not even loopback");
}

GuaranteeState processes(const Footing& footing) {
  if (has_namespaces(footing.rung)) return enforced(Guarantee::processes, "process namespace");
  if (footing.landlock_abi >= kLandlockScopeAbi)
    return {Guarantee::processes, Strength::best_effort, "Landlock scope, no ptrace",
            "processes of this user can be listed", std::string(kUserNamespaceFix)};
  return {Guarantee::processes, Strength::none, "no ptrace",
          "processes of this user can be signalled and listed", std::string(kUserNamespaceFix)};
}

GuaranteeState tree_kill(const Footing& footing) {
  if (has_namespaces(footing.rung)) return enforced(Guarantee::tree_kill, "process namespace");
  return {Guarantee::tree_kill, Strength::best_effort, "subreaper and sweep",
          "a tree that forks faster than it is swept can outlive its command for a while",
          std::string(kUserNamespaceFix)};
}

GuaranteeState limit(Guarantee guarantee, LimitBy by) {
  switch (by) {
    case LimitBy::cgroup_v2:
    case LimitBy::cgroup_v1:
    case LimitBy::user_namespace:
      return enforced(guarantee, std::string(name_of(by)));
    case LimitBy::polling:
      return {guarantee, Strength::best_effort, "polling",
              "no writable control group: the tree is measured ten times a second and killed",
              "delegate a cgroup: systemd-run --user --scope -p Delegate=yes fathom …"};
    case LimitBy::unlimited:
      return enforced(guarantee, std::string(name_of(by)));
    case LimitBy::nothing:
      if (guarantee == Guarantee::cpu)
        return {guarantee, Strength::none, "nothing",
                "no writable control group: limits.cpu_percent is not applied",
                "delegate a cgroup: systemd-run --user --scope -p Delegate=yes fathom …"};
      return {guarantee, Strength::none, "limits of this user, shared with everything else",
              "no writable control group and no user namespace",
              "delegate a cgroup: systemd-run --user --scope -p Delegate=yes fathom …"};
  }
  return {};
}

}  // namespace

std::vector<GuaranteeState> guarantees_of(const Footing& footing) {
  return {fs_write(footing),
          fs_read(footing),
          protected_paths(footing),
          network(footing),
          processes(footing),
          tree_kill(footing),
          limit(Guarantee::memory, footing.memory),
          limit(Guarantee::pids, footing.pids),
          limit(Guarantee::cpu, footing.cpu),
          enforced(Guarantee::syscalls, "seccomp filter")};
}

std::vector<GuaranteeState> missing_guarantees(const std::vector<GuaranteeState>& held,
                                               const std::vector<Strength>& require) {
  std::vector<GuaranteeState> missing;
  for (const GuaranteeState& state : held) {
    const auto index = static_cast<std::size_t>(state.guarantee);
    if (index < require.size() && state.strength < require[index]) missing.push_back(state);
  }
  return missing;
}

std::string_view name_of(LimitBy by) {
  switch (by) {
    case LimitBy::cgroup_v2:
      return "cgroup v2";
    case LimitBy::cgroup_v1:
      return "cgroup v1";
    case LimitBy::user_namespace:
      return "limit of the user namespace";
    case LimitBy::polling:
      return "polling";
    case LimitBy::nothing:
      return "nothing";
    case LimitBy::unlimited:
      return "no limit is set";
  }
  return "?";
}

std::string_view name_of(RootMode mode) {
  switch (mode) {
    case RootMode::idmapped:
      return "idmapped";
    case RootMode::workspace:
      return "workspace";
    case RootMode::unmapped:
      return "unmapped";
  }
  return "?";
}

}  // namespace fathom::sandbox
