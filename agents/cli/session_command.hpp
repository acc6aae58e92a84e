// fathom session: which sessions there are, what one said, a fork of one, the end of one.
#pragma once

#include "agents/cli/exit_code.hpp"
#include "agents/cli/model_command.hpp"  // ReportFormat
#include "agents/cli/terminal.hpp"
#include "agents/session_store.hpp"
#include "runtime/base/paths.hpp"
#include "runtime/base/result.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace CLI {
class App;
}  // namespace CLI

namespace fathom::agents {

struct SessionCommandOptions {
  std::string run;         ///< whole id or the end of one; "" is the newest session (not for rm)
  std::size_t limit = 20;  ///< list
  std::optional<std::uint64_t> at;     ///< fork: the event; absent: the last boundary
  std::string export_as = "markdown";  ///< markdown, jsonl or messages
  ReportFormat format = ReportFormat::human;
};

using SessionRun = Result<ExitCode> (*)(const SessionCommandOptions&, const GetEnv&, Terminal&);

/// The newest first; a damaged one with its error.
Result<ExitCode> session_list(const SessionCommandOptions& options, const GetEnv& env,
                              Terminal& terminal);
/// What it is, its turns and what waits for an answer. Exit code 65 when it is damaged, after what
/// could be read was shown.
Result<ExitCode> session_show(const SessionCommandOptions& options, const GetEnv& env,
                              Terminal& terminal);
/// A new run that begins where this one was.
Result<ExitCode> session_fork(const SessionCommandOptions& options, const GetEnv& env,
                              Terminal& terminal);
Result<ExitCode> session_remove(const SessionCommandOptions& options, const GetEnv& env,
                                Terminal& terminal);
Result<ExitCode> session_export(const SessionCommandOptions& options, const GetEnv& env,
                                Terminal& terminal);

/// Adds the commands to `app`. Parsing fills `options` and calls `choose` with the command to run.
/// Both must outlive `app`'s parse. Gives the command `session`, for more commands below it.
CLI::App* add_session_commands(CLI::App& app, SessionCommandOptions& options,
                               const std::function<void(SessionRun)>& choose);

}  // namespace fathom::agents
