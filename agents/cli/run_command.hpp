// fathom run: an agent, a task, a repository. Also `fathom session resume`, which goes on.
#pragma once

#include "agents/cli/chosen_command.hpp"
#include "agents/cli/exit_code.hpp"
#include "agents/cli/terminal.hpp"
#include "agents/turn.hpp"
#include "runtime/base/paths.hpp"
#include "runtime/base/result.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}  // namespace CLI

namespace fathom::agents {

inline constexpr std::size_t kTaskBytesMax = std::size_t{1} << 20;

struct RunOptions {
  std::string task;  ///< "-" reads standard input
  std::filesystem::path task_file;
  std::filesystem::path repository = ".";
  std::string agent;   ///< name or file; "" is the user's
  std::string engine;  ///< SPEC or a name of the user's config; "" is the agent's
  std::string policy;
  std::string mode = "direct";
  std::string budget;
  std::vector<std::string> mcp;
  std::optional<std::string> resume;  ///< a run to go on with
  bool json = false;
  bool yes = false;           ///< approve what the policy would ask about
  bool ask = false;           ///< ask at the terminal, or fail where there is none
  bool trace_bodies = false;  ///< keep requests and answers in the bytes of the wire
  bool verbose = false;       ///< reasoning and whole outputs too
};

/// Exit codes: 0 answered; 10 loop, step limit; 12 the engine or a required guarantee of the
/// sandbox is not there; 13 a call waits for approval; 14 budget; 64 usage; 130 interrupted.
Result<ExitCode> run_agent(const RunOptions& options, const GetEnv& env, Terminal& terminal);

[[nodiscard]] ExitCode exit_code_of(TurnEnd end);

/// What is to be done: the argument, a file, or standard input. `usage` when there is nothing.
Result<std::string> read_task(const RunOptions& options);

void add_run_command(CLI::App& app, RunOptions& options, const GetEnv& env, const Choose& choose);
/// RUN and the options that count when it goes on; for `fathom session resume`.
void add_resume_command(CLI::App& session, RunOptions& options, const GetEnv& env,
                        const Choose& choose);

}  // namespace fathom::agents
