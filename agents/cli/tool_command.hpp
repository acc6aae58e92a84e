// fathom tool: what tools there are, and one call of one of them, the way an agent calls it.
#pragma once

#include "agents/cli/exit_code.hpp"
#include "agents/cli/terminal.hpp"
#include "runtime/base/result.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace fathom::agents {

struct ToolOptions {
  std::string name;
  std::string arguments;  ///< JSON; "-" reads it from standard input
  std::string policy;     ///< name or file; "" is default
  std::filesystem::path repository = ".";
  std::vector<std::string> mcp;  ///< tool servers: NAME=COMMAND or NAME=URL
  bool yes = false;              ///< approve what the policy would ask about
  bool json = false;
};

/// Prints each tool's name, parameters and description; with --json what a model is told, exactly.
/// With tool servers, which are started for it, in a run of its own.
Result<ExitCode> tool_list(const ToolOptions& options, const GetEnv& env, Terminal& terminal);

/// Makes one call in a run of its own. Exit codes: 0; 1 the call failed; 12 the sandbox that the
/// policy requires is missing; 13 denied; 64 no such tool or wrong arguments; 130 interrupted.
Result<ExitCode> tool_call(const ToolOptions& options, const GetEnv& env, Terminal& terminal);

using ToolRun = Result<ExitCode> (*)(const ToolOptions&, const GetEnv&, Terminal&);
void add_tool_commands(CLI::App& app, ToolOptions& options,
                       const std::function<void(ToolRun)>& choose);

}  // namespace fathom::agents
