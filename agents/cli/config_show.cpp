#include "agents/cli/config_show.hpp"

#include "runtime/base/text.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace fathom::agents {
namespace {

using nlohmann::ordered_json;

constexpr const char* kCommand = "config";

ordered_json to_json(const EffectiveConfig& config) {
  ordered_json json = {{"file", config.file}, {"values", ordered_json::array()}};
  for (const ConfigLine& line : config_lines(config))
    json["values"].push_back(
        {{"key", line.key}, {"value", line.value}, {"origin", line.origin.to_string()}});
  return json;
}

CLI::App* config_command(CLI::App& app) {
  for (CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    if (command->get_name() == kCommand) return command;
  CLI::App* command = app.add_subcommand(kCommand, "What holds for all your runs");
  command->require_subcommand(1);
  command->footer("Examples:\n  fathom config show --origin\n  $EDITOR \"$(fathom config path)\"");
  return command;
}

}  // namespace

Result<ExitCode> config_show(const ConfigShowOptions& options, const GetEnv& env,
                             Terminal& terminal) {
  const EffectiveConfig config = TRY(load_effective_config(options.flags, env));
  if (options.format == ReportFormat::json) {
    terminal.out(to_json(config).dump(2, ' ', false, ordered_json::error_handler_t::replace) +
                 "\n");
    return ExitCode::ok;
  }
  for (const ConfigLine& line : config_lines(config)) {
    std::string out =
        to_printable(line.key) + " = " + (line.value.empty() ? "(none)" : to_printable(line.value));
    if (options.origin)
      out += "   " + terminal.paint(Colour::dim, "[" + to_printable(line.origin.to_string()) + "]");
    terminal.out(out + "\n");
  }
  return ExitCode::ok;
}

Result<ExitCode> config_path(const ConfigShowOptions&, const GetEnv& env, Terminal& terminal) {
  const auto folder = TRY(config_dir(env));
  terminal.out(to_printable(user_config_path(folder).string()) + "\n");
  return ExitCode::ok;
}

void add_config_show_commands(CLI::App& app, ConfigShowOptions& options,
                              const std::function<void(ConfigShowRun)>& choose) {
  CLI::App* config = config_command(app);
  CLI::App* show = config->add_subcommand("show", "Every value, and where it comes from");
  show->add_flag("--origin", options.origin, "Say where each value comes from");
  show->add_flag_callback(
      "--json", [&options] { options.format = ReportFormat::json; }, "One JSON object");
  show->add_option("--engine", options.flags.engine, "As of a run: what would hold then");
  show->add_option("--agent", options.flags.agent, "Likewise");
  show->add_option("--policy", options.flags.policy, "Likewise");
  show->footer(
      "From the lowest: built-in, ~/.config/fathom/config.yaml, FATHOM_ENGINE, FATHOM_AGENT and\n"
      "FATHOM_POLICY, flags. An agent's own engine and policy go before the file's.\n"
      "Example:\n  fathom config show --origin");
  show->callback([choose] { choose(config_show); });
  config->add_subcommand("path", "Print where your config is, or would be")
      ->callback([choose] { choose(config_path); })
      ->footer("Example:\n  $EDITOR \"$(fathom config path)\"");
}

}  // namespace fathom::agents
