#include "agents/cli/config_command.hpp"

#include "agents/config.hpp"
#include "policies/yaml_document.hpp"
#include "runtime/base/file.hpp"
#include "runtime/base/text.hpp"

#include <CLI/CLI.hpp>

namespace fathom::agents {

Result<ExitCode> config_lint(const ConfigOptions& options, Terminal& terminal) {
  ExitCode exit = ExitCode::ok;
  for (const std::string& file : options.files) {
    const auto text = read_file(file, policies::kYamlBytesMax);
    const Result<Config> config = text ? parse_config(*text, file) : fail(text.error());
    if (config) {
      terminal.out(to_printable(file) + ": ok\n");
      continue;
    }
    terminal.note(to_printable(config.error().message));
    if (exit == ExitCode::ok) exit = exit_code_of(config.error().code);
  }
  return exit;
}

Result<ExitCode> config_schema_text(const ConfigOptions&, Terminal& terminal) {
  terminal.out(config_schema());
  return ExitCode::ok;
}

void add_config_commands(CLI::App& app, ConfigOptions& options,
                         const std::function<void(ConfigRun)>& choose) {
  CLI::App* config =
      app.add_subcommand("config", "What a repository says about itself: check it, its schema");
  config->require_subcommand(1);
  config->footer(
      "A repository's .fathom/config.yaml says how its tests are run:\n"
      "  apiVersion: fathom/v1\n  kind: Config\n"
      "  test: {command: [./run-tests, \"--xml={report}\"], format: junit}\n"
      "Examples:\n  fathom config lint .fathom/config.yaml\n"
      "  fathom config schema > config.schema.json");
  CLI::App* lint = config->add_subcommand("lint", "Check documents fully, as a run reads them");
  lint->add_option("FILE", options.files, "Config documents")->required();
  lint->footer("Example:\n  fathom config lint .fathom/config.yaml");
  lint->callback([choose] { choose(config_lint); });
  config->add_subcommand("schema", "Print the JSON Schema of config documents, for editors")
      ->callback([choose] { choose(config_schema_text); })
      ->footer("Example:\n  fathom config schema > config.schema.json");
}

}  // namespace fathom::agents
