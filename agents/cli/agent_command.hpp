// fathom agent: which agents there are, what one is and is told, whether a document is right.
#pragma once

#include "agents/cli/exit_code.hpp"
#include "agents/cli/model_command.hpp"  // ReportFormat
#include "agents/cli/terminal.hpp"
#include "runtime/base/paths.hpp"
#include "runtime/base/result.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}  // namespace CLI

namespace fathom::agents {

struct AgentOptions {
  std::vector<std::string> agents;   ///< show: one; lint: names and files
  std::filesystem::path repo = ".";  ///< the workspace
  bool system = false;               ///< show: the text that its sessions begin with
  ReportFormat format = ReportFormat::human;
};

using AgentRun = Result<ExitCode> (*)(const AgentOptions&, const GetEnv&, Terminal&);

/// The shipped ones and the user's; those that cannot be used with the reason.
Result<ExitCode> agent_list(const AgentOptions& options, const GetEnv& env, Terminal& terminal);

/// The document, or the frozen text of a session in the workspace under the agent's policy.
Result<ExitCode> agent_show(const AgentOptions& options, const GetEnv& env, Terminal& terminal);

/// Reads each strictly, with what it refers to. Exit code 64 when one is wrong; every one is
/// reported.
Result<ExitCode> agent_lint(const AgentOptions& options, const GetEnv& env, Terminal& terminal);

/// JSON Schema of agent documents.
Result<ExitCode> agent_schema_text(const AgentOptions& options, const GetEnv& env,
                                   Terminal& terminal);

/// Adds the commands to `app`. Parsing fills `options` and calls `choose` with the command to run.
/// Both must outlive `app`'s parse.
void add_agent_commands(CLI::App& app, AgentOptions& options,
                        const std::function<void(AgentRun)>& choose);

}  // namespace fathom::agents
