// What can be typed about the engine: `fathom model`, `fathom generate` and `fathom bench`.
#pragma once

#include "agents/cli/bench_command.hpp"
#include "agents/cli/chosen_command.hpp"
#include "agents/cli/generate_command.hpp"
#include "agents/cli/model_command.hpp"

namespace CLI {
class App;
}  // namespace CLI

namespace fathom::agents {

/// Each adds its commands to `app`. Parsing fills `options`, which outlive the command that it
/// chooses.
void add_model_commands(CLI::App& app, ModelOptions& options, const Choose& choose);
void add_generate_command(CLI::App& app, GenerateOptions& options, const Choose& choose);
void add_bench_commands(CLI::App& app, BenchOptions& options, const Choose& choose);

}  // namespace fathom::agents
