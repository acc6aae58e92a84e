// What can be typed behind `fathom policy`.
#pragma once

#include "agents/cli/policy_command.hpp"

#include <functional>

namespace CLI {
class App;
}  // namespace CLI

namespace fathom::agents {

/// Adds the commands to `app`. Parsing fills `options` and calls `choose` with the command to run.
/// Both must outlive `app`'s parse.
void add_policy_commands(CLI::App& app, PolicyOptions& options,
                         const std::function<void(PolicyRun)>& choose);

}  // namespace fathom::agents
