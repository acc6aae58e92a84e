// fathom undo: takes back what a run, or its last steps, wrote into the workspace.
#pragma once

#include "agents/cli/exit_code.hpp"
#include "agents/cli/terminal.hpp"
#include "runtime/base/result.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace fathom::agents {

struct UndoOptions {
  std::string run;  ///< "RUN", "RUN#STEP"; "" is the newest run of `repository` that wrote
  std::filesystem::path repository = ".";
  bool force = false;    ///< also what others changed since
  bool dry_run = false;  ///< say what would be done
  bool json = false;
};

/// The undo is a run as well: undoing that brings everything back. Exit codes: 0; 66 no such run or
/// nothing to undo; 69 somebody else changed the same files since: without --force nothing was
/// done; 74 not everything is as it was: a file could not be restored, or the run did something to
/// .git.
Result<ExitCode> undo(const UndoOptions& options, const GetEnv& env, Terminal& terminal);

using UndoRun = Result<ExitCode> (*)(const UndoOptions&, const GetEnv&, Terminal&);
void add_undo_command(CLI::App& app, UndoOptions& options,
                      const std::function<void(UndoRun)>& choose);

}  // namespace fathom::agents
