// `fathom sandbox run --grant LINE`: asks a person for a policy a little wider, for this one run.
#pragma once

#include "agents/cli/exit_code.hpp"
#include "agents/cli/sandbox_command.hpp"
#include "sandbox/escalation.hpp"

#include <optional>

namespace fathom::agents {

/// The approved escalation, or the exit code with which the program ends: what was asked for and
/// why it did not come has been said then. Errors are those of the grants themselves.
struct GrantAnswer {
  std::optional<sandbox::Escalation> approved;
  ExitCode exit = ExitCode::ok;
};
Result<GrantAnswer> ask_for_grants(const SandboxOptions& options, const policies::Policy& policy,
                                   const policies::LoadContext& context, Terminal& terminal);

/// `outcome`, one JSON object, with what was granted for it.
std::string with_grants(const std::string& outcome, const sandbox::Escalation& escalation);

}  // namespace fathom::agents
