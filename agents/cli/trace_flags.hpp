// What can be typed behind `fathom trace`.
#pragma once

#include "agents/cli/chosen_command.hpp"
#include "agents/cli/trace_command.hpp"

namespace CLI {
class App;
}  // namespace CLI

namespace fathom::agents {

/// Adds the commands to `app`. Parsing fills `options`, which with `env` outlive the command that
/// it chooses.
void add_trace_commands(CLI::App& app, TraceOptions& options, const GetEnv& env,
                        const Choose& choose);

}  // namespace fathom::agents
