// fathom config show, fathom config path: what holds for this user, and where it is written.
#pragma once

#include "agents/cli/exit_code.hpp"
#include "agents/cli/model_command.hpp"  // ReportFormat
#include "agents/cli/terminal.hpp"
#include "agents/document/effective_config.hpp"
#include "runtime/base/paths.hpp"
#include "runtime/base/result.hpp"

#include <functional>

namespace CLI {
class App;
}  // namespace CLI

namespace fathom::agents {

struct ConfigShowOptions {
  ConfigFlags flags;  ///< as the same flags of a command that runs an agent
  bool origin = false;
  ReportFormat format = ReportFormat::human;
};

using ConfigShowRun = Result<ExitCode> (*)(const ConfigShowOptions&, const GetEnv&, Terminal&);

/// Every value, on request with where it comes from. No key is among them, only where keys are.
Result<ExitCode> config_show(const ConfigShowOptions& options, const GetEnv& env,
                             Terminal& terminal);

/// The path of the user's config, whether it is there or not.
Result<ExitCode> config_path(const ConfigShowOptions& options, const GetEnv& env,
                             Terminal& terminal);

/// Adds both to the command `config` of `app`, which is made where it is not there yet. Parsing
/// fills `options` and calls `choose`. Both must outlive `app`'s parse.
void add_config_show_commands(CLI::App& app, ConfigShowOptions& options,
                              const std::function<void(ConfigShowRun)>& choose);

}  // namespace fathom::agents
