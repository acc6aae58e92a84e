// What a parsed command line will do: set while parsing, run afterwards.
#pragma once

#include "agents/cli/exit_code.hpp"
#include "agents/cli/terminal.hpp"
#include "runtime/base/result.hpp"

#include <functional>

namespace fathom::agents {

using ChosenCommand = std::function<Result<ExitCode>(Terminal&)>;
using Choose = std::function<void(ChosenCommand)>;

}  // namespace fathom::agents
