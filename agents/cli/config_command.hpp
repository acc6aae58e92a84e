// fathom config: check a repository's config, print the schema of such documents.
#pragma once

#include "agents/cli/exit_code.hpp"
#include "agents/cli/terminal.hpp"
#include "runtime/base/result.hpp"

#include <functional>
#include <string>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming): its own name
class App;
}

namespace fathom::agents {

struct ConfigOptions {
  std::vector<std::string> files;  ///< lint
};

using ConfigRun = Result<ExitCode> (*)(const ConfigOptions&, Terminal&);

/// Reads each file strictly. Exit code 64 when one is wrong; every one is reported.
Result<ExitCode> config_lint(const ConfigOptions& options, Terminal& terminal);

/// JSON Schema of config documents.
Result<ExitCode> config_schema_text(const ConfigOptions& options, Terminal& terminal);

void add_config_commands(CLI::App& app, ConfigOptions& options,
                         const std::function<void(ConfigRun)>& choose);

}  // namespace fathom::agents
