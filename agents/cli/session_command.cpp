#include "agents/cli/session_command.hpp"

#include "agents/cli/session_export.hpp"
#include "agents/cli/session_text.hpp"
#include "agents/run_store.hpp"
#include "runtime/base/text.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <utility>

namespace fathom::agents {
namespace {

using nlohmann::ordered_json;

std::string dump(const ordered_json& json) {
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

Result<RunStore> open_runs(const GetEnv& env) {
  auto state = TRY(state_dir(env));
  return RunStore::open(std::move(state));
}

Result<RunId> chosen(const RunStore& runs, const std::string& text) {
  return text.empty() ? newest_session(runs) : runs.find(text);
}

}  // namespace

Result<ExitCode> session_list(const SessionCommandOptions& options, const GetEnv& env,
                              Terminal& terminal) {
  const RunStore runs = TRY(open_runs(env));
  const SessionList list = TRY(list_sessions(runs, options.limit));
  if (options.format == ReportFormat::json) {
    terminal.out(sessions_json(list.sessions));
  } else {
    terminal.out(sessions_text(list.sessions, terminal));
    if (list.sessions.empty()) terminal.note("there are no sessions yet");
  }
  if (list.has_more)
    terminal.note("there are older ones: --limit shows up to " + std::to_string(kListedMax));
  return ExitCode::ok;
}

Result<ExitCode> session_show(const SessionCommandOptions& options, const GetEnv& env,
                              Terminal& terminal) {
  const RunStore runs = TRY(open_runs(env));
  const RunId run = TRY(chosen(runs, options.run));
  const SessionSummary summary = summarize(runs.journal(run), run);
  if (!summary.is_session && summary.damage) return fail(*summary.damage);
  if (!summary.is_session)
    return fail(ErrorCode::bad_data, "run " + run.to_string() +
                                         ": holds no session of an agent (fathom trace show " +
                                         runs.journal(run).string() + " shows its events)");
  terminal.out(options.format == ReportFormat::json ? session_json(summary)
                                                    : session_text(summary, terminal));
  if (!summary.damage) return ExitCode::ok;
  TRY(terminal.flush());
  return fail(*summary.damage);
}

Result<ExitCode> session_fork(const SessionCommandOptions& options, const GetEnv& env,
                              Terminal& terminal) {
  const RunStore runs = TRY(open_runs(env));
  const RunId from = TRY(chosen(runs, options.run));
  SystemClock clock;
  const RunId run = RunStore::new_run(clock);
  const std::uint64_t seq = TRY(fork_session(runs, {from, options.at}, run, clock));
  if (options.format == ReportFormat::json) {
    terminal.out(dump({{"run", run.to_string()}, {"from", from.to_string()}, {"seq", seq}}));
    return ExitCode::ok;
  }
  terminal.out(run.to_string() + "\n");
  terminal.note("begins as run " + from.to_string() + " was at event " + std::to_string(seq) +
                "; the workspace stays as it is (fathom session resume " + run.to_string() +
                " goes on)");
  return ExitCode::ok;
}

Result<ExitCode> session_remove(const SessionCommandOptions& options, const GetEnv& env,
                                Terminal& terminal) {
  const RunStore runs = TRY(open_runs(env));
  const RunId run = TRY(runs.find(options.run));
  const Removed removed = TRY(remove_run(runs, run));
  if (options.format == ReportFormat::json) {
    terminal.out(dump({{"run", run.to_string()},
                       {"bytes", removed.bytes},
                       {"outputs", removed.outputs},
                       {"kept", {"blobs", "snapshots"}}}));
    return ExitCode::ok;
  }
  terminal.out("removed run " + run.to_string() + ": its journal and " +
               std::to_string(removed.outputs) + (removed.outputs == 1 ? " file" : " files") +
               " of outputs, " + format_bytes(removed.bytes) + "\n");
  terminal.note("blobs and snapshots are shared with other runs and stay");
  return ExitCode::ok;
}

Result<ExitCode> session_export(const SessionCommandOptions& options, const GetEnv& env,
                                Terminal& terminal) {
  const ExportFormat format = TRY(parse_export_format(options.export_as));
  const RunStore runs = TRY(open_runs(env));
  const RunId run = TRY(chosen(runs, options.run));
  const auto notes =
      export_session(runs, run, format, [&](std::string_view text) { terminal.out(text); });
  // What came before a damaged place is worth having: it leaves first.
  TRY(terminal.flush());
  if (!notes) return fail(notes.error());
  for (const std::string& note : *notes) terminal.note(note);
  return ExitCode::ok;
}

CLI::App* add_session_commands(CLI::App& app, SessionCommandOptions& options,
                               const std::function<void(SessionRun)>& choose) {
  CLI::App* session = app.add_subcommand("session", "Sessions: list, show, fork, remove, export");
  session->require_subcommand(1);
  session->footer(
      "RUN is an id or the end of one (4 characters at least); by default the newest session.\n"
      "Examples:\n  fathom session list\n  fathom session show\n"
      "  fathom session fork 01M8HSH55A1S6FVG5VFRRJMGX1 --at 42\n"
      "  fathom session export --format messages");
  const auto add = [&](const char* name, const char* help, SessionRun run) {
    CLI::App* command = session->add_subcommand(name, help);
    command->callback([choose, run] { choose(run); });
    return command;
  };
  const auto add_json = [&](CLI::App* command) {
    command->add_flag_callback(
        "--json", [&options] { options.format = ReportFormat::json; }, "One JSON value");
  };
  const auto add_run = [&](CLI::App* command) {
    return command->add_option("RUN", options.run, "The session; by default the newest one");
  };
  CLI::App* list = add("list", "The newest first: state, turns, steps, tokens, cost", session_list);
  list->add_option("-n,--limit", options.limit, "How many at most")
      ->check(CLI::Range(std::size_t{1}, kListedMax))
      ->capture_default_str();
  add_json(list);
  list->footer(
      "idle: no turn is open; open: one runs or was interrupted; waiting: for fathom approve.\n"
      "A fork's steps, tokens and cost are its own, without those of the run it came from.\n"
      "Example:\n  fathom session list --json | jq -r '.[] | select(.state == \"waiting\").run'");
  CLI::App* show = add("show", "What it is, its turns, and what waits for approval", session_show);
  add_run(show);
  add_json(show);
  show->footer("Example:\n  fathom session show FRRJMGX1 --json | jq .waiting");
  CLI::App* fork = add("fork", "Begin a new session where this one is, or was", session_fork);
  add_run(fork);
  fork->add_option("--at", options.at, "The event (its seq) up to which it is the same");
  add_json(fork);
  fork->footer(
      "The event must have no call before it that has no result yet; by default the last such.\n"
      "Files are not taken back: fathom undo does that. It may spend the whole budget anew, and\n"
      "in mode transaction it has a transaction of its own.\n"
      "Example:\n  fathom session fork FRRJMGX1 --at 42");
  CLI::App* remove = add("rm", "Remove a run: its journal and whole outputs", session_remove);
  add_run(remove)->required()->description("The run");
  add_json(remove);
  remove->footer(
      "fathom undo does not know the run any more. Exit code 69 while a process works on it.\n"
      "Example:\n  fathom session rm FRRJMGX1");
  CLI::App* exported = add("export", "Print it for people, scripts or a chat API", session_export);
  add_run(exported);
  exported
      ->add_option("--format", options.export_as,
                   "markdown (all that was said), jsonl (its events), messages (what the model "
                   "is shown)")
      ->capture_default_str();
  exported->footer("Example:\n  fathom session export FRRJMGX1 > session.md");
  return session;
}

}  // namespace fathom::agents
