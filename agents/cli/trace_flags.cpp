#include "agents/cli/trace_flags.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <functional>
#include <optional>

namespace fathom::agents {
namespace {

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

void add_trace_filters(CLI::App& command, TraceOptions& options) {
  command.add_option("FILE", options.file, "Journal of a run (.jsonl)")->required();
  command
      .add_option("--type", options.types,
                  "Only this type or family, such as tool.started or 'tool.'")
      ->allow_extra_args(false);
  command.add_option("--after", options.after_seq, "Only events behind this seq");
  command.add_flag_callback(
      "--json", [&options] { options.format = TraceFormat::json; },
      "One JSON object a line, as in the journal");
}

void add_blob(CLI::App& trace, TraceOptions& options, const GetEnv& env, const Choose& choose) {
  CLI::App* blob = trace.add_subcommand("blob", "Print a text that an event keeps elsewhere");
  blob->add_option("NAME", options.blob, "Its name in the event: sha256:…")->required();
  blob->footer("Example:\n  fathom trace blob sha256:9f86d0… > output.txt");
  blob->callback([&options, &env, choose] {
    choose([&options, &env](Terminal& terminal) -> Result<ExitCode> {
      TRY(trace_blob(options, env, terminal));
      return ExitCode::ok;
    });
  });
}

}  // namespace

void add_trace_commands(CLI::App& app, TraceOptions& options, const GetEnv& env,
                        const Choose& choose) {
  CLI::App* trace = app.add_subcommand("trace", "Show, follow or replay the journal of a run");
  trace->require_subcommand(1);
  trace->footer(
      "Examples:\n  fathom trace show run.jsonl --type tool.\n  fathom trace tail run.jsonl\n"
      "  fathom trace replay run.jsonl --speed 10\n  fathom trace blob sha256:9f86d0…");

  CLI::App* show = trace->add_subcommand("show", "Print every event");
  add_trace_filters(*show, options);
  show->footer(
      "Example:\n  fathom trace show run.jsonl --type tool. --type test. --json | jq .data");
  show->callback([&options, choose] {
    choose([&options](Terminal& terminal) -> Result<ExitCode> {
      TRY(trace_show(options, terminal));
      return ExitCode::ok;
    });
  });

  CLI::App* tail = trace->add_subcommand(
      "tail", "Print the last events, then follow until the run has finished");
  add_trace_filters(*tail, options);
  tail->add_option("-n,--last", options.last, "How many events to begin with")
      ->capture_default_str();
  tail->add_flag("!--no-follow", options.follow, "Stop after those");
  tail->footer("Example:\n  fathom trace tail run.jsonl -n 50 --no-follow");
  tail->callback([&options, choose] {
    choose([&options](Terminal& terminal) {
      return run_waiting([&](Clock& clock) { return trace_tail(options, terminal, clock); });
    });
  });

  CLI::App* replay =
      trace->add_subcommand("replay", "Print the events at the pace they were recorded");
  add_trace_filters(*replay, options);
  replay->add_option("--speed", options.speed, "Times as fast as recorded; 0 does not wait")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  replay->footer(
      "Example:\n  fathom trace replay run.jsonl --speed 10\n(pauses of more than 2 s are "
      "shortened to 2 s)");
  replay->callback([&options, choose] {
    choose([&options](Terminal& terminal) {
      return run_waiting([&](Clock& clock) { return trace_replay(options, terminal, clock); });
    });
  });
  add_blob(*trace, options, env, choose);
}

}  // namespace fathom::agents
