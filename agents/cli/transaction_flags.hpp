// What can be typed behind `fathom sandbox` about transactions.
#pragma once

#include "agents/cli/sandbox_command.hpp"
#include "agents/cli/transaction_command.hpp"

#include <functional>

namespace CLI {
class App;
}  // namespace CLI

namespace fathom::agents {

/// Adds --mode and --transaction to a command that runs something.
void add_mode_options(CLI::App& command, SandboxOptions& options);

/// Adds list, changes, commit and discard to `sandbox`. Parsing fills `options` and calls `choose`
/// with the command to run. Both must outlive the parse.
void add_transaction_commands(CLI::App& sandbox, TransactionOptions& options,
                              const std::function<void(TransactionCommand)>& choose);

}  // namespace fathom::agents
