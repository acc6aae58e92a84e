#include "agents/cli/agent_command.hpp"

#include "agents/document/agent_files.hpp"
#include "agents/document/shipped_agents.hpp"
#include "agents/document/system_text.hpp"
#include "policies/policy_files.hpp"
#include "runtime/base/text.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace fathom::agents {
namespace {

using nlohmann::ordered_json;

std::string dump(const ordered_json& json) {
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::string line_of(const ListedAgent& agent, std::size_t width, const Terminal& terminal) {
  std::string out = to_printable(agent.name);
  out.resize(std::max(width, out.size()), ' ');
  out += "  " + std::string(name_of(agent.origin)) + "  ";
  return out +
         (agent.error.empty() ? to_printable(agent.description)
                              : terminal.paint(Colour::red, to_printable(agent.error))) +
         "\n";
}

// An agent that names what it may start has to be able to: the names are looked up, one level deep.
Result<> check_sub_agents(const FoundAgent& found, const AgentOptions& options, const GetEnv& env) {
  for (const std::string& name : found.agent.agents) {
    const auto sub = find_agent(name, options.repo, env);
    if (!sub) return fail(context(found.file + ": agents", sub.error()));
  }
  return {};
}

Result<> lint_one(const std::string& name, const AgentOptions& options, const GetEnv& env) {
  const FoundAgent found = TRY(find_agent(name, options.repo, env));
  return check_sub_agents(found, options, env);
}

}  // namespace

Result<ExitCode> agent_list(const AgentOptions& options, const GetEnv& env, Terminal& terminal) {
  const std::vector<ListedAgent> all = TRY(list_agents(env));
  std::size_t width = 0;
  for (const ListedAgent& agent : all) width = std::max(width, agent.name.size());
  ordered_json report = ordered_json::array();
  for (const ListedAgent& agent : all) {
    if (options.format == ReportFormat::human) terminal.out(line_of(agent, width, terminal));
    ordered_json entry = {{"name", agent.name},
                          {"origin", name_of(agent.origin)},
                          {"file", agent.file},
                          {"description", agent.description}};
    if (!agent.error.empty()) entry["error"] = agent.error;
    report.push_back(std::move(entry));
  }
  if (options.format == ReportFormat::json) terminal.out(dump(report));
  return ExitCode::ok;
}

Result<ExitCode> agent_show(const AgentOptions& options, const GetEnv& env, Terminal& terminal) {
  const FoundAgent found = TRY(find_agent(options.agents.front(), options.repo, env));
  if (!options.system) {
    terminal.out(printable_lines(found.text));
    return ExitCode::ok;
  }
  const auto effective =
      TRY(policies::load_effective_policy({options.repo, found.agent.policy}, env));
  const Instructions instructions = TRY(read_instructions(found.agent, effective.policy));
  for (const std::string& note : instructions.notes) terminal.note(to_printable(note));
  terminal.out(printable_lines(system_text(
      found.agent, instructions, environment_of(effective.policy.filesystem.workspace_root))));
  return ExitCode::ok;
}

Result<ExitCode> agent_lint(const AgentOptions& options, const GetEnv& env, Terminal& terminal) {
  ordered_json report = ordered_json::array();
  ExitCode code = ExitCode::ok;
  for (const std::string& name : options.agents) {
    const Result<> checked = lint_one(name, options, env);
    if (!checked && code == ExitCode::ok) code = exit_code_of(checked.error().code);
    ordered_json entry = {{"agent", name}, {"ok", checked.has_value()}};
    if (!checked) entry["error"] = checked.error().message;
    report.push_back(std::move(entry));
    if (options.format == ReportFormat::json) continue;
    if (checked) {
      terminal.out(to_printable(name) + ": ok\n");
    } else {
      terminal.note(to_printable(checked.error().message));
    }
  }
  if (options.format == ReportFormat::json) terminal.out(dump(report));
  return code;
}

Result<ExitCode> agent_schema_text(const AgentOptions&, const GetEnv&, Terminal& terminal) {
  terminal.out(agent_schema());
  return ExitCode::ok;
}

void add_agent_commands(CLI::App& app, AgentOptions& options,
                        const std::function<void(AgentRun)>& choose) {
  CLI::App* agent = app.add_subcommand("agent", "Which agents there are, and what they are told");
  agent->require_subcommand(1);
  agent->footer(
      "An agent is looked for among the built-in ones, in ~/.config/fathom/agents/NAME.yaml, and\n"
      "as a file; one of a repository is meant by its path only.\n"
      "Examples:\n  fathom agent list\n  fathom agent show coder > "
      "~/.config/fathom/agents/my.yaml\n"
      "  fathom agent show coder --system\n  fathom agent lint my");
  const auto add = [&](const char* name, const char* help, AgentRun run) {
    CLI::App* command = agent->add_subcommand(name, help);
    command->callback([choose, run] { choose(run); });
    return command;
  };
  const auto add_json = [&](CLI::App* command) {
    command->add_flag_callback(
        "--json", [&options] { options.format = ReportFormat::json; }, "One JSON value");
  };
  const auto add_repo = [&](CLI::App* command) {
    command->add_option("--repo", options.repo, "The workspace")->capture_default_str();
  };
  CLI::App* list = add("list", "The built-in ones and yours", agent_list);
  add_json(list);
  list->footer("Example:\n  fathom agent list --json | jq -r '.[].name'");
  CLI::App* show = add("show", "Print the document, or what its sessions begin with", agent_show);
  show->add_option("AGENT", options.agents, "Name or file")->required()->expected(1);
  show->add_flag("--system", options.system, "The system text in this repository");
  add_repo(show);
  show->footer("Example:\n  fathom agent show reviewer --system --repo ~/work/project");
  CLI::App* lint = add("lint", "Check documents, and what they refer to", agent_lint);
  lint->add_option("AGENT", options.agents, "Names or files")->required();
  add_repo(lint);
  add_json(lint);
  lint->footer(
      "Exit code 64 when one is wrong.\nExample:\n  fathom agent lint .fathom/agents/*.yaml");
  add("schema", "Print the JSON Schema of agent documents, for editors", agent_schema_text)
      ->footer("Example:\n  fathom agent schema > agent.schema.json");
}

}  // namespace fathom::agents
