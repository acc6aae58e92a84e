#include "agents/cli/cli.hpp"

#include "agents/cli/agent_command.hpp"
#include "agents/cli/approve_command.hpp"
#include "agents/cli/chosen_command.hpp"
#include "agents/cli/completion.hpp"
#include "agents/cli/config_command.hpp"
#include "agents/cli/config_show.hpp"
#include "agents/cli/demo_command.hpp"
#include "agents/cli/doctor.hpp"
#include "agents/cli/encode_command.hpp"
#include "agents/cli/engine_flags.hpp"
#include "agents/cli/policy_flags.hpp"
#include "agents/cli/run_command.hpp"
#include "agents/cli/sandbox_command.hpp"
#include "agents/cli/sandbox_report.hpp"
#include "agents/cli/session_command.hpp"
#include "agents/cli/terminal.hpp"
#include "agents/cli/tool_command.hpp"
#include "agents/cli/trace_flags.hpp"
#include "agents/cli/transaction_flags.hpp"
#include "agents/cli/undo_command.hpp"
#include "runtime/base/text.hpp"

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <algorithm>
#include <optional>

namespace fathom::agents {
namespace {

struct Cli {
  CLI::App app{"Fathom runs coding agents against repositories, with its own DeepSeek-V4 engine.",
               "fathom"};
  const GetEnv& env;
  ColourMode colour = ColourMode::automatic;
  AgentOptions agent;
  ApproveOptions approve;
  ConfigOptions config;
  ConfigShowOptions config_show;
  TraceOptions trace;
  ModelOptions model;
  PolicyOptions policy;
  DemoOptions demo;
  EncodeOptions encode;
  GenerateOptions generate;
  BenchOptions bench;
  RunOptions run;
  SandboxOptions sandbox;
  SessionCommandOptions session;
  TransactionOptions transaction;
  ToolOptions tool;
  UndoOptions undo;
  bool json = false;
  std::string shell;
  ChosenCommand command;  ///< set by the callback of the one sub-command that was chosen

  explicit Cli(const GetEnv& environment) : env(environment) {}
};

void add_policy(Cli& cli) {
  add_policy_commands(cli.app, cli.policy, [&cli](PolicyRun run) {
    cli.command = [&cli, run](Terminal& terminal) { return run(cli.policy, cli.env, terminal); };
  });
}

void add_config(Cli& cli) {
  add_config_commands(cli.app, cli.config, [&cli](ConfigRun run) {
    cli.command = [&cli, run](Terminal& terminal) { return run(cli.config, terminal); };
  });
  add_config_show_commands(cli.app, cli.config_show, [&cli](ConfigShowRun run) {
    cli.command = [&cli, run](Terminal& terminal) {
      return run(cli.config_show, cli.env, terminal);
    };
  });
}

void add_agent(Cli& cli) {
  add_agent_commands(cli.app, cli.agent, [&cli](AgentRun run) {
    cli.command = [&cli, run](Terminal& terminal) { return run(cli.agent, cli.env, terminal); };
  });
}

void add_session(Cli& cli) {
  CLI::App* session = add_session_commands(cli.app, cli.session, [&cli](SessionRun run) {
    cli.command = [&cli, run](Terminal& terminal) { return run(cli.session, cli.env, terminal); };
  });
  add_resume_command(*session, cli.run, cli.env,
                     [&cli](ChosenCommand command) { cli.command = std::move(command); });
  add_approve_command(cli.app, cli.approve, [&cli](ApproveRun run) {
    cli.command = [&cli, run](Terminal& terminal) { return run(cli.approve, cli.env, terminal); };
  });
}

void add_tool(Cli& cli) {
  add_tool_commands(cli.app, cli.tool, [&cli](ToolRun run) {
    cli.command = [&cli, run](Terminal& terminal) { return run(cli.tool, cli.env, terminal); };
  });
}

void add_undo(Cli& cli) {
  add_undo_command(cli.app, cli.undo, [&cli](UndoRun run) {
    cli.command = [&cli, run](Terminal& terminal) { return run(cli.undo, cli.env, terminal); };
  });
}

void add_sandbox_options(CLI::App& command, Cli& cli) {
  SandboxOptions& options = cli.sandbox;
  command.add_option("--policy", options.policy,
                     "default, readonly, ci-repair, or a file; the user's own comes on top");
  command.add_option("--repo", options.repository, "Folder that the command works on")
      ->capture_default_str();
  add_mode_options(command, options);
  command.add_option("--rung", options.rung,
                     "full, no_network_ns, container or container_old: this one or none");
}

void add_sandbox(Cli& cli) {
  CLI::App* sandbox =
      cli.app.add_subcommand("sandbox", "Run a command confined, as an agent's commands are");
  sandbox->require_subcommand(1);
  CLI::App* run = sandbox->add_subcommand("run", "Run one command");
  add_sandbox_options(*run, cli);
  run->add_option("--timeout", cli.sandbox.timeout_s, "Seconds, if less than the policy's limit")
      ->check(CLI::Range(0.0, 1e6));
  run->add_flag("--yes", cli.sandbox.yes, "Approve what the policy would ask about");
  run->add_option("--grant", cli.sandbox.grants, "A line of policy to be asked for, for this run")
      ->allow_extra_args(false);
  run->add_option("--reason", cli.sandbox.reason, "Why, for the person who is asked");
  run->add_flag("--json", cli.json, "One JSON object in place of the command's output");
  run->add_option("CMD", cli.sandbox.command, "The command, behind --")->required();
  run->footer(
      "Exit codes: the command's own; 128 + its signal; 127 not found; 12 a required guarantee "
      "is\n"
      "missing and nothing ran; 13 denied by the policy; 75 time was up.\n"
      "Examples:\n  fathom sandbox run -- make -j4 test\n"
      "  fathom sandbox run --policy readonly --json -- git log --oneline\n"
      "  fathom sandbox run --mode transaction -- make format");
  run->callback([&cli] {
    cli.command = [&cli](Terminal& terminal) {
      cli.sandbox.json = cli.json;
      return sandbox_run(cli.sandbox, cli.env, terminal);
    };
  });
  add_transaction_commands(*sandbox, cli.transaction, [&cli](TransactionCommand command) {
    cli.command = [&cli, command](Terminal& terminal) {
      return command(cli.transaction, cli.env, terminal);
    };
  });
  CLI::App* shell = sandbox->add_subcommand("shell", "An interactive shell, to look around");
  add_sandbox_options(*shell, cli);
  shell->footer("Example:\n  fathom sandbox shell --mode disposable");
  shell->callback([&cli] {
    cli.command = [&cli](Terminal& terminal) {
      return sandbox_shell(cli.sandbox, cli.env, terminal);
    };
  });
}

void add_doctor(Cli& cli) {
  CLI::App* doctor = cli.app.add_subcommand(
      "doctor", "Say what this build and machine offer, and what is missing");
  doctor->add_flag("--json", cli.json, "One JSON object");
  doctor->footer(
      "Exit code 12 when something needed is missing.\nExample:\n  fathom doctor --json | jq "
      ".healthy");
  doctor->callback([&cli] {
    cli.command = [&cli](Terminal& terminal) -> Result<ExitCode> {
      auto probed = probe_sandbox(cli.env);  // first: it must come before there are threads
      auto sections = examine(cli.env);
      sections.insert(
          sections.begin() + 1,
          probed ? describe_sandbox(*probed, ::geteuid() == 0)
                 : Section{"sandbox", {{"rung", Health::missing, probed.error().message, ""}}});
      terminal.out(cli.json ? to_json(sections) : to_text(sections, terminal));
      return is_healthy(sections) ? ExitCode::ok : ExitCode::infrastructure;
    };
  });
}

void describe(const CLI::App& app, std::vector<std::string> path, std::vector<CommandNode>& nodes) {
  path.push_back(app.get_name());
  CommandNode node{path, {}, {}};
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames())
      node.options.push_back({"--" + name, option->get_description()});
    for (const std::string& name : option->get_snames())
      node.options.push_back({"-" + name, option->get_description()});
  }
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* command : commands)
    node.commands.push_back({command->get_name(), command->get_description()});
  nodes.push_back(std::move(node));
  for (const CLI::App* command : commands) describe(*command, path, nodes);
}

void add_completion(Cli& cli) {
  CLI::App* completion =
      cli.app.add_subcommand("completion", "Print the completion script of a shell");
  completion->add_option("SHELL", cli.shell, "bash, zsh or fish")->required();
  completion->footer("Example:\n  source <(fathom completion bash)");
  completion->callback([&cli] {
    cli.command = [&cli](Terminal& terminal) -> Result<ExitCode> {
      std::vector<CommandNode> nodes;
      describe(cli.app, {}, nodes);
      terminal.out(TRY(completion_script(cli.shell, nodes)));
      return ExitCode::ok;
    };
  });
}

void build(Cli& cli) {
  cli.app.set_version_flag("--version", version_text(), "Print the version");
  cli.app.require_subcommand(1);
  const auto set_colour = [&cli](const std::string& when) {
    if (when != "auto" && when != "always" && when != "never")
      throw CLI::ValidationError("--color",
                                 "'" + to_printable(when) + "' is not auto, always or never");
    cli.colour = when == "always"  ? ColourMode::always
                 : when == "never" ? ColourMode::never
                                   : ColourMode::automatic;
  };
  cli.app
      .add_option_function<std::string>("--color", set_colour,
                                        "auto, always or never (NO_COLOR is honoured)")
      ->type_name("WHEN");
  cli.app.footer(
      "Examples:\n  fathom doctor\n  fathom trace show run.jsonl\n\n"
      "Exit codes: 0 done, 12 something needed is missing, 13 denied, 64 usage, 65 damaged data, "
      "66 not "
      "found,\n"
      "68 too large, 69 in use, 70 a bug, 71 unsupported, 73 disk full, 74 I/O, 75 timeout,\n"
      "76 protocol, 77 permission, 78 certificate, 130 interrupted.");
  const auto choose = [&cli](ChosenCommand command) { cli.command = std::move(command); };
  add_bench_commands(cli.app, cli.bench, choose);
  add_agent(cli);
  add_demo_command(cli.app, cli.demo, cli.env, choose);
  add_doctor(cli);
  add_encode_command(cli.app, cli.encode, choose);
  add_generate_command(cli.app, cli.generate, choose);
  add_model_commands(cli.app, cli.model, choose);
  add_run_command(cli.app, cli.run, cli.env, choose);
  add_sandbox(cli);
  add_session(cli);
  add_policy(cli);
  add_config(cli);
  add_tool(cli);
  add_undo(cli);
  add_trace_commands(cli.app, cli.trace, cli.env, choose);
  add_completion(cli);
}

// The command the person got to before the mistake: suggestions come from there.
const CLI::App* deepest(const CLI::App* app) {
  for (;;) {
    const auto chosen = app->get_subcommands();
    if (chosen.empty()) return app;
    app = chosen.back();
  }
}

std::string suggestion(const CLI::App& app, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  const std::vector<std::string_view> views(names.begin(), names.end());
  const std::string_view near = nearest(word.substr(0, word.find('=')), views);
  return near.empty() ? "" : " (did you mean '" + std::string(near) + "'?)";
}

// CLI11's exceptions in our words: what is wrong, the nearest name, where to read on.
ExitCode report(const Cli& cli, const CLI::ParseError& error) {
  const CLI::App* at = deepest(&cli.app);
  std::string where = "fathom";
  for (const CLI::App* app = &cli.app; app != at; where += " " + app->get_name())
    app = app->get_subcommands().back();
  std::string message = error.what();
  // Unknown words are held by the app that met them; a missing sub-command often hides one as
  // well.
  auto extras = at->remaining();
  if (extras.empty()) extras = cli.app.remaining(true);
  const std::string kind = error.get_name();  // a bad value leaves words behind it unread
  if (!extras.empty() && kind != "ValidationError" && kind != "ExcludesError")
    message = "unknown " +
              std::string(extras.front().starts_with('-') ? "flag" : "command or argument") + " '" +
              to_printable(extras.front()) + "'" + suggestion(*at, extras.front());
  std::ranges::replace(message, '\n', ' ');
  std::fprintf(stderr, "fathom: %s; see '%s --help'\n", message.c_str(), where.c_str());
  return ExitCode::usage;
}

std::optional<ExitCode> parse(Cli& cli, const std::vector<std::string>& args) {
  std::vector<std::string> reversed(args.rbegin(), args.rend());
  try {
    cli.app.parse(std::move(reversed));
  } catch (const CLI::Success& help) {  // --help, --version
    cli.app.exit(help);
    return ExitCode::ok;
  } catch (const CLI::ParseError& error) {
    return report(cli, error);
  }
  return std::nullopt;
}

}  // namespace

ExitCode run_cli(const std::vector<std::string>& args, const GetEnv& env) {
  Cli cli(env);
  build(cli);
  if (const auto done = parse(cli, args)) return *done;
  Terminal terminal(cli.colour, env);
  const auto run = [&]() -> Result<ExitCode> {
    TRY(check_types(cli.trace.types));
    const ExitCode code = TRY(cli.command(terminal));
    TRY(terminal.flush());
    return code;
  };
  const Result<ExitCode> result = run();
  if (result) return *result;
  terminal.note(to_printable(result.error().message));
  return exit_code_of(result.error().code);
}

}  // namespace fathom::agents
