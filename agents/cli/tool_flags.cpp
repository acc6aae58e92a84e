#include "agents/cli/tool_command.hpp"

#include <CLI/CLI.hpp>

namespace fathom::agents {

namespace {

void add_session_options(CLI::App& command, ToolOptions& options) {
  command.add_option("--repo", options.repository, "Folder that the tool works on")
      ->capture_default_str();
  command.add_option("--policy", options.policy,
                     "default, readonly, ci-repair, or a file; the user's own comes on top");
  command
      .add_option("--mcp", options.mcp,
                  "NAME=COMMAND or NAME=URL: a tool server (MCP) whose tools come on top; a\n"
                  "command runs in the sandbox, FATHOM_MCP_AUTHORIZATION_NAME is a URL's header")
      ->allow_extra_args(false);
}

}  // namespace

void add_tool_commands(CLI::App& app, ToolOptions& options,
                       const std::function<void(ToolRun)>& choose) {
  CLI::App* tool = app.add_subcommand("tool", "List an agent's tools, or call one of them");
  tool->require_subcommand(1);
  tool->footer(
      "Examples:\n  fathom tool list\n  fathom tool call bash '{\"command\":\"make test\"}'");

  CLI::App* list = tool->add_subcommand("list", "Names, parameters and descriptions");
  list->add_flag("--json", options.json, "What a model is told, as one JSON array");
  add_session_options(*list, options);
  list->footer(
      "Examples:\n  fathom tool list --json | jq -r '.[].name'\n"
      "  fathom tool list --mcp 'files=npx -y @modelcontextprotocol/server-filesystem .'");
  list->callback([choose] { choose(tool_list); });

  CLI::App* call = tool->add_subcommand("call", "Make one call, confined and traced as any other");
  call->add_option("NAME", options.name, "The tool")->required();
  call->add_option("ARGUMENTS", options.arguments, "JSON object; - reads standard input");
  add_session_options(*call, options);
  call->add_flag("--yes", options.yes, "Approve what the policy would ask about");
  call->add_flag("--json", options.json, "One JSON object: status, content, data, run");
  call->footer(
      "Each call is a run with a journal of its own; `fathom undo` takes back what it wrote.\n"
      "Exit codes: 1 the call failed; 12 a required guarantee of the sandbox is missing; 13 "
      "denied;\n64 no such tool or wrong arguments.\n"
      "Examples:\n"
      "  fathom tool call bash '{\"command\":\"make -j2 test\"}'\n"
      "  fathom tool call str_replace_editor '{\"command\":\"view\",\"path\":\"README.md\"}'\n"
      "  fathom tool call search '{\"pattern\":\"TODO\",\"glob\":\"*.py\"}' --repo ~/src/x --json\n"
      "  jq -n '{pattern:\"a\\\"b\"}' | fathom tool call search -");
  call->callback([choose] { choose(tool_call); });
}

}  // namespace fathom::agents
