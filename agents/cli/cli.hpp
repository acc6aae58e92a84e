// The command line: what can be typed, and which function answers it.
#pragma once

#include "agents/cli/exit_code.hpp"
#include "runtime/base/paths.hpp"

#include <string>
#include <vector>

namespace fathom::agents {

/// Runs `fathom ARGS…`. Every failure leaves one line `fathom: …` on standard error and its own
/// exit code.
ExitCode run_cli(const std::vector<std::string>& args, const GetEnv& env);

}  // namespace fathom::agents
