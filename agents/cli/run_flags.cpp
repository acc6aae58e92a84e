#include "agents/cli/run_command.hpp"

#include <CLI/CLI.hpp>

namespace fathom::agents {
namespace {

constexpr const char* kExitCodes =
    "Ctrl-C interrupts the step and ends the turn cleanly, twice stops at once; either way the "
    "run\n"
    "can be resumed. Lines typed meanwhile reach the agent with its next step.\n"
    "Exit codes: 0 answered, 10 loop or step limit, 12 engine or sandbox not there, 13 waiting "
    "for\n"
    "approval, 14 budget spent, 64 usage, 130 interrupted.\n";

void add_common(CLI::App& command, RunOptions& options) {
  command.add_option("--file", options.task_file, "Read the task from a file");
  command.add_option(
      "--engine", options.engine,
      "local:DIR, openai:URL[#MODEL], anthropic:URL[#MODEL], replay:FILE, or a name\n"
      "from the config; by default the agent's or the config's");
  command.add_option("--budget", options.budget, "steps=N,tokens=N,usd=X,wall=10m,tool_cpu=5m");
  command.add_flag("--json", options.json,
                   "Every event as a JSON object a line, as in the journal");
  command.add_flag("--yes", options.yes, "Approve what the policy would ask about");
  command.add_flag("--ask", options.ask, "Ask at the terminal; fail where there is none")
      ->excludes("--yes");
  command.add_flag("--trace-bodies", options.trace_bodies,
                   "Keep requests and answers as they went over the wire (events model.bodies),\n"
                   "without keys");
  command.add_flag("-v,--verbose", options.verbose, "Show reasoning and more of each output");
}

void choose_run(CLI::App& command, RunOptions& options, const GetEnv& env, const Choose& choose) {
  command.callback([&options, &env, choose] {
    choose([&options, &env](Terminal& terminal) { return run_agent(options, env, terminal); });
  });
}

}  // namespace

void add_run_command(CLI::App& app, RunOptions& options, const GetEnv& env, const Choose& choose) {
  CLI::App* run = app.add_subcommand("run", "Let an agent work on a task in a repository");
  run->add_option("TASK", options.task, "What is to be done; - reads standard input");
  run->add_option("--repo", options.repository, "Folder to work in")->capture_default_str();
  run->add_option("--agent", options.agent, "coder, reviewer, explorer, one of yours, or a file");
  run->add_option("--policy", options.policy,
                  "default, readonly, ci-repair, or a file; the user's own comes on top");
  run->add_option("--mode", options.mode,
                  "direct edits the folder; transaction keeps edits beside it until committed")
      ->check(CLI::IsMember({"direct", "transaction"}))
      ->capture_default_str();
  run->add_option("--mcp", options.mcp, "NAME=COMMAND or NAME=URL: a tool server (MCP)")
      ->allow_extra_args(false);
  add_common(*run, options);
  run->footer(
      std::string(kExitCodes) +
      "Examples:\n"
      "  fathom run 'make the failing test pass'\n"
      "  fathom run --agent reviewer 'what does the parser not check?' --repo ~/src/x\n"
      "  fathom run --engine openai:http://127.0.0.1:8000/v1 --budget steps=30,wall=10m - < "
      "task.txt\n"
      "  fathom run --json 'add a test for parse()' | jq -r 'select(.type == "
      "\"turn.finished\")'");
  choose_run(*run, options, env, choose);
}

void add_resume_command(CLI::App& session, RunOptions& options, const GetEnv& env,
                        const Choose& choose) {
  CLI::App* resume = session.add_subcommand(
      "resume", "Go on with a run, with another message or where it stopped");
  resume
      ->add_option_function<std::string>(
          "RUN", [&options](const std::string& run) { options.resume = run; },
          "Its id, or how the id ends")
      ->required();
  resume->add_option("TASK", options.task, "A further message; - reads standard input");
  add_common(*resume, options);
  resume->footer(std::string(kExitCodes) +
                 "It goes on within its budget, of which --budget replaces the parts it names, up "
                 "to the\nagent's.\n"
                 "Examples:\n  fathom session resume 3F7Q\n"
                 "  fathom session resume 3F7Q 'now document it' --budget usd=1");
  choose_run(*resume, options, env, choose);
}

}  // namespace fathom::agents
