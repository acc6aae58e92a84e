// The keys of a policy document, in one table.
#include "policies/policy_load.hpp"

namespace fathom::policies {

std::span<const PolicyKeys> policy_keys() {
  static const std::vector<PolicyKeys> table = {
      {"",
       {"apiVersion", "kind", "name", "filesystem", "exec", "network", "env", "secrets", "limits",
        "approvals", "syscalls", "require"}},
      {"filesystem", {"workspace", "home", "read", "write", "hidden", "protected", "caches"}},
      {"filesystem.read[]", {"path", "id", "match", "no_match"}},
      {"filesystem.write[]", {"path", "id", "confirm_wide", "match", "no_match"}},
      {"filesystem.hidden[]", {"path", "id", "match", "no_match"}},
      {"filesystem.protected", {"deny", "report"}},
      {"filesystem.protected.deny[]", {"pattern", "id", "match", "no_match"}},
      {"filesystem.protected.report[]", {"pattern", "id", "match", "no_match"}},
      {"exec", {"otherwise", "rules", "restrict"}},
      {"exec.rules[]", {"id", "verdict", "commands", "reason", "match", "no_match"}},
      {"exec.restrict[]", {"id", "verdict", "commands", "reason", "match", "no_match"}},
      {"network",
       {"loopback", "hosts", "restrict", "private_ranges", "host_loopback_ports", "unix_sockets"}},
      {"network.hosts[]", {"host", "id", "verdict", "ports", "phases", "match", "no_match"}},
      {"network.restrict[]", {"host", "id", "verdict", "ports", "phases", "match", "no_match"}},
      {"env", {"pass", "drop", "set"}},
      {"secrets[]", {"name", "use"}},
      {"limits", {"memory", "pids", "cpu_percent", "fds", "disk", "tmp", "output", "time"}},
      {"approvals", {"mode", "never_ask"}},
      {"require", {kGuaranteeNames.begin(), kGuaranteeNames.end()}},
  };
  return table;
}

}  // namespace fathom::policies
