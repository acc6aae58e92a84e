// The environment of a command: empty, then what the sandbox computes, then what the policy passes
// and sets. Secrets of the runtime's own environment are never copied: only listed names are.
#pragma once

#include "policies/policy.hpp"
#include "sandbox/host.hpp"

#include <string>
#include <vector>

namespace fathom::sandbox {

/// NAME=value entries of this process, as environ(7) has them.
std::vector<std::string> process_environment();

/// `ours` is the runtime's environment; `extra` (proxy variables, per-call grants) comes last and
/// wins.
std::vector<std::string> command_environment(
    const policies::Environment& policy, const HostFacts& host,
    const std::vector<std::string>& ours, const std::vector<policies::EnvironmentVariable>& extra);

}  // namespace fathom::sandbox
