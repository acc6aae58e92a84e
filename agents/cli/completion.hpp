// Shell completion, generated from the commands themselves so that it cannot fall behind them.
#pragma once

#include "runtime/base/result.hpp"

#include <string>
#include <vector>

namespace fathom::agents {

struct CommandWord {
  std::string name;  ///< "show" or "--json"
  std::string help;
};

/// One command and what can follow it.
struct CommandNode {
  std::vector<std::string> path;  ///< {"fathom", "trace", "show"}
  std::vector<CommandWord> commands;
  std::vector<CommandWord> options;
};

/// The script for `shell`: bash, zsh or fish. Files complete where no command word fits.
Result<std::string> completion_script(const std::string& shell,
                                      const std::vector<CommandNode>& nodes);

}  // namespace fathom::agents
