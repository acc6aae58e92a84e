#include "agents/cli/cli.hpp"

#include "agents/cli/bench_command.hpp"
#include "agents/cli/completion.hpp"
#include "agents/cli/doctor.hpp"
#include "agents/cli/generate_command.hpp"
#include "agents/cli/model_command.hpp"
#include "agents/cli/policy_flags.hpp"
#include "agents/cli/sandbox_command.hpp"
#include "agents/cli/sandbox_report.hpp"
#include "agents/cli/terminal.hpp"
#include "agents/cli/trace_command.hpp"
#include "agents/cli/transaction_flags.hpp"
#include "engine/cpu/thread_pool.hpp"
#include "runtime/base/text.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <optional>

namespace fathom::agents {
namespace {

// What the parsed command will do. Set by the callback of the one sub-command that was chosen,
// run after parsing.
using Command = std::function<Result<ExitCode>(Terminal&)>;

struct Cli {
  CLI::App app{"Fathom runs coding agents against repositories, with its own DeepSeek-V4 engine.",
               "fathom"};
  const GetEnv& env;
  ColourMode colour = ColourMode::automatic;
  TraceOptions trace;
  ModelOptions model;
  PolicyOptions policy;
  GenerateOptions generate;
  BenchOptions bench;
  SandboxOptions sandbox;
  TransactionOptions transaction;
  bool json = false;
  std::string shell;
  Command command;

  explicit Cli(const GetEnv& environment) : env(environment) {}
};

// Runs a task that waits (for a file to grow, for time to pass) until it ends or Ctrl-C stops it.
Result<ExitCode> run_waiting(const std::function<asio::awaitable<Result<>>(Clock&)>& start) {
  asio::io_context io{1};
  SystemClock clock;
  asio::signal_set interrupts(io, SIGINT, SIGTERM);
  std::optional<Result<>> result;
  bool interrupted = false;
  interrupts.async_wait([&](boost::system::error_code ec, int) {
    if (ec) return;
    interrupted = true;
    io.stop();
  });
  asio::co_spawn(io, start(clock), [&](std::exception_ptr error, Result<> ended) {
    if (error) std::rethrow_exception(error);
    result = std::move(ended);
    io.stop();
  });
  io.run();
  if (interrupted) return ExitCode::interrupted;
  if (!*result) return fail(result->error());
  return ExitCode::ok;
}

void add_trace_filters(CLI::App& command, Cli& cli) {
  command.add_option("FILE", cli.trace.file, "Journal of a run (.jsonl)")->required();
  command
      .add_option("--type", cli.trace.types,
                  "Only this type or family, such as tool.started or 'tool.'")
      ->allow_extra_args(false);
  command.add_option("--after", cli.trace.after_seq, "Only events behind this seq");
  command.add_flag("--json", cli.json, "One JSON object a line, as in the journal");
}

void add_trace(Cli& cli) {
  CLI::App* trace = cli.app.add_subcommand("trace", "Show, follow or replay the journal of a run");
  trace->require_subcommand(1);
  trace->footer(
      "Examples:\n  fathom trace show run.jsonl --type tool.\n  fathom trace tail run.jsonl\n"
      "  fathom trace replay run.jsonl --speed 10");

  CLI::App* show = trace->add_subcommand("show", "Print every event");
  add_trace_filters(*show, cli);
  show->footer(
      "Example:\n  fathom trace show run.jsonl --type tool. --type test. --json | jq .data");
  show->callback([&cli] {
    cli.command = [&cli](Terminal& terminal) -> Result<ExitCode> {
      TRY(trace_show(cli.trace, terminal));
      return ExitCode::ok;
    };
  });

  CLI::App* tail = trace->add_subcommand(
      "tail", "Print the last events, then follow until the run has finished");
  add_trace_filters(*tail, cli);
  tail->add_option("-n,--last", cli.trace.last, "How many events to begin with")
      ->capture_default_str();
  tail->add_flag("!--no-follow", cli.trace.follow, "Stop after those");
  tail->footer("Example:\n  fathom trace tail run.jsonl -n 50 --no-follow");
  tail->callback([&cli] {
    cli.command = [&cli](Terminal& terminal) {
      return run_waiting([&](Clock& clock) { return trace_tail(cli.trace, terminal, clock); });
    };
  });

  CLI::App* replay =
      trace->add_subcommand("replay", "Print the events at the pace they were recorded");
  add_trace_filters(*replay, cli);
  replay->add_option("--speed", cli.trace.speed, "Times as fast as recorded; 0 does not wait")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  replay->footer(
      "Example:\n  fathom trace replay run.jsonl --speed 10\n(pauses of more than 2 s are "
      "shortened to 2 s)");
  replay->callback([&cli] {
    cli.command = [&cli](Terminal& terminal) {
      return run_waiting([&](Clock& clock) { return trace_replay(cli.trace, terminal, clock); });
    };
  });
}

void add_model(Cli& cli) {
  CLI::App* model = cli.app.add_subcommand("model", "Look at a checkpoint, check it, or make one");
  model->require_subcommand(1);
  model->footer(
      "Examples:\n  fathom model inspect DeepSeek-V4-Flash\n  fathom model random --shape tiny "
      "/tmp/tiny");
  const auto add = [&](const char* name, const char* help,
                       Result<> (*run)(const ModelOptions&, Terminal&)) {
    CLI::App* command = model->add_subcommand(name, help);
    command->add_option("DIR", cli.model.dir, "Folder with config.json and model*.safetensors")
        ->required();
    command->callback([&cli, run] {
      cli.command = [&cli, run](Terminal& terminal) -> Result<ExitCode> {
        cli.model.format = cli.json ? ReportFormat::json : ReportFormat::human;
        TRY(run(cli.model, terminal));
        return ExitCode::ok;
      };
    });
    return command;
  };
  CLI::App* inspect =
      add("inspect", "Parameters, bytes, layers, KV bytes and what fits here", model_inspect);
  inspect->add_flag("--json", cli.json, "One JSON object");
  inspect->footer("Example:\n  fathom model inspect DIR --json | jq .kv_bytes");
  CLI::App* verify =
      add("verify", "Read every byte: damaged values, and the content's fingerprint", model_verify);
  verify->add_flag("--json", cli.json, "One JSON object");
  verify->footer("Exit code 65 when a value is no number.\nExample:\n  fathom model verify DIR");
  CLI::App* random =
      add("random", "Write random weights in the release's format, with a tokenizer", model_random);
  random
      ->add_option("--shape", cli.model.shape, "tiny (4 layers, 2 MB) or mini (12 layers, 1.7 GB)")
      ->capture_default_str();
  random->add_option("--seed", cli.model.seed, "The same seed gives the same bytes")
      ->capture_default_str();
  random->footer("Example:\n  fathom model random --shape mini /tmp/mini");
}

void add_policy(Cli& cli) {
  add_policy_commands(cli.app, cli.policy, [&cli](PolicyRun run) {
    cli.command = [&cli, run](Terminal& terminal) { return run(cli.policy, cli.env, terminal); };
  });
}

void add_sampling(CLI::App& command, engine::SamplingOptions& sampling) {
  command.add_option("--temperature", sampling.temperature, "0 takes the likeliest token")
      ->capture_default_str();
  command.add_option("--top-p", sampling.top_p, "Fewest tokens with this much probability")
      ->capture_default_str();
  command.add_option("--top-k", sampling.top_k, "This many likeliest tokens; 0 all")
      ->capture_default_str();
  command.add_option("--min-p", sampling.min_p, "At least this share of the likeliest")
      ->capture_default_str();
  command.add_option("--seed", sampling.seed, "The same seed gives the same tokens")
      ->capture_default_str();
}

void add_generate(Cli& cli) {
  GenerateOptions& options = cli.generate;
  CLI::App* command =
      cli.app.add_subcommand("generate", "Continue a prompt with a model on this machine");
  command->add_option("PROMPT", options.prompt, "Text to continue, or to answer with --chat");
  command->add_option("--model", options.model, "Folder of the checkpoint")->required();
  command->add_option("--prompt-file", options.prompt_file,
                      "Read the prompt from here; - is standard input");
  command->add_option("--suffix", options.suffix, "Fill in between PROMPT and this text");
  command->add_option("--schema", options.schema, "JSON Schema file that the answer must meet");
  command->add_option(
      "--tools", options.tools,
      "With --chat: JSON file with the tools it may call, as the OpenAI API has them");
  command->add_flag("--must-call", options.must_call, "With --tools: the answer is a call");
  command->add_option("--ids", options.ids, "Token ids in place of a prompt: \"0 5 9\"");
  command->add_flag("--chat", options.chat, "The prompt is a user's message");
  command->add_flag("--think", options.think, "With --chat: reason before the answer");
  command->add_option("--effort", options.effort,
                      "With --think: none, low, high or max, as the profile has it");
  command->add_option("--profile", options.profile,
                      "Chat encoding: preview or 0731; by default the checkpoint's");
  CLI::Option* ids = command->add_flag_callback(
      "--print-ids", [&] { options.output = GenerateOutput::ids; },
      "Print token ids and nothing else");
  command
      ->add_flag_callback(
          "--json", [&] { options.output = GenerateOutput::json; }, "One JSON object at the end")
      ->excludes(ids);
  command->add_option("--max-tokens", options.tokens_max, "Length of the answer at most")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 24))
      ->capture_default_str();
  add_sampling(*command, options.sampling);
  command->add_option("--stop", options.stop, "End before this text (repeatable)")
      ->allow_extra_args(false);
  command->add_flag("--ignore-eos", options.ignore_eos, "Go on behind the end of sentence");
  command->add_flag("!--no-speculation", options.speculate, "Do not draft tokens ahead");
  command->add_flag("--stats", options.stats, "Tokens a second, on standard error");
  command->add_option("--threads", options.threads, "Threads; 0 uses the cores of this machine")
      ->check(CLI::Range(0U, engine::ThreadPool::kThreadsMax))
      ->capture_default_str();
  const auto numerics = [&options](const std::string& name) {
    if (name != "official" && name != "exact")
      throw CLI::ValidationError("--numerics",
                                 "'" + to_printable(name) + "' is not official or exact");
    options.numerics = name == "exact" ? engine::Numerics::exact : engine::Numerics::official;
  };
  command
      ->add_option_function<std::string>("--numerics", numerics,
                                         "official (as released) or exact (f32)")
      ->type_name("MODE");
  command->footer(
      "Examples:\n  fathom generate --model DIR --chat 'Why is the sky blue?'\n"
      "  fathom generate --model DIR --chat 'List the files' --tools tools.json --json\n"
      "  fathom generate --model DIR --chat 'Name three birds' --schema birds.schema.json\n"
      "  fathom generate --model DIR --ids '0 5 9' --print-ids --temperature 0 --ignore-eos");
  command->callback([&cli] {
    cli.command = [&cli](Terminal& terminal) -> Result<ExitCode> {
      TRY(generate(cli.generate, terminal));
      return ExitCode::ok;
    };
  });
}

void add_bench(Cli& cli) {
  CLI::App* bench =
      cli.app.add_subcommand("bench", "Measure, as shares of what this machine can do");
  bench->require_subcommand(1);
  CLI::App* engine =
      bench->add_subcommand("engine", "Tokens a second of a checkpoint: prompts, decoding, drafts");
  engine->add_option("--model", cli.bench.model, "Folder of the checkpoint")->required();
  engine
      ->add_option("--context", cli.bench.contexts,
                   "Also decode behind so many tokens, made up (repeatable)")
      ->allow_extra_args(false);
  engine
      ->add_option("--threads", cli.bench.threads,
                   "Threads; 0 measures one and then the cores of this machine")
      ->check(CLI::Range(0U, engine::ThreadPool::kThreadsMax))
      ->capture_default_str();
  engine->add_flag("--quick", cli.bench.quick, "One round of each");
  engine->add_flag("--json", cli.json, "One JSON object");
  engine->footer(
      "Fails when something else is running: then figures mean nothing.\n"
      "Examples:\n  fathom model random --shape mini DIR\n  fathom bench engine --model DIR\n"
      "  fathom bench engine --model DIR --context 1000 --context 256000 --json");
  engine->callback([&cli] {
    cli.command = [&cli](Terminal& terminal) -> Result<ExitCode> {
      cli.bench.format = cli.json ? ReportFormat::json : ReportFormat::human;
      TRY(bench_engine(cli.bench, terminal));
      return ExitCode::ok;
    };
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
  add_bench(cli);
  add_doctor(cli);
  add_generate(cli);
  add_model(cli);
  add_sandbox(cli);
  add_policy(cli);
  add_trace(cli);
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
  cli.trace.format = cli.json ? TraceFormat::json : TraceFormat::human;
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
