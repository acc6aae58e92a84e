// fathom demo: a broken repository is made, and the bundled model repairs it while you watch; or
// many of them, to count how many it repairs.
#pragma once

#include "agents/cli/chosen_command.hpp"
#include "agents/cli/exit_code.hpp"
#include "agents/cli/terminal.hpp"
#include "runtime/base/paths.hpp"
#include "runtime/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace CLI {
class App;
}  // namespace CLI

namespace fathom::agents {

struct DemoOptions {
  std::optional<std::uint64_t> seed;  ///< absent: one by the clock
  std::filesystem::path folder;       ///< where the repository is made; "" is a temporary one
  std::size_t count = 1;
  std::string set = "names";
  std::string engine = "demo";
  bool json = false;
};

/// Exit codes: of one, those of `fathom run`; of many, 0 once all were tried.
Result<ExitCode> run_demo(const DemoOptions& options, const GetEnv& env, Terminal& terminal);

void add_demo_command(CLI::App& app, DemoOptions& options, const GetEnv& env, const Choose& choose);

}  // namespace fathom::agents
