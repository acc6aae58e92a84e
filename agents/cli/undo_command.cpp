#include "agents/cli/undo_command.hpp"

#include "agents/run_history.hpp"
#include "agents/run_store.hpp"
#include "runtime/async/offload.hpp"
#include "runtime/base/text.hpp"
#include "runtime/trace/journal.hpp"
#include "tools/git/snapshots.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <system_error>
#include <utility>

namespace fathom::agents {

using nlohmann::ordered_json;
using tools::Snapshots;

namespace {

constexpr std::size_t kRunsLookedAtMax = 1'000;  // for the newest one that wrote here
constexpr std::size_t kPathsShownMax = 100;

struct Target {
  RunHistory history;
  std::size_t step = 1;
};

Result<std::size_t> step_number(std::string_view text, const RunHistory& history) {
  std::size_t step = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), step);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || step == 0 ||
      step > history.steps.size())
    return fail(ErrorCode::usage, "step '" + to_printable(clip_prefix(text, 20)) +
                                      "': the run has writing steps 1 to " +
                                      std::to_string(history.steps.size()));
  return step;
}

Result<Snapshots> open_snapshots(const RunStore& runs, const std::string& workspace) {
  tools::SnapshotOptions store;
  store.store = runs.snapshots();
  store.workspace = workspace;
  return Snapshots::open(std::move(store));
}

// What the run did to .git from `step` on and is so still, a line each. Only what the run did: when
// it left .git as it was, whatever is different by now is the user's own work.
std::vector<std::string> git_changes_of(const Snapshots& snapshots, const RunHistory& history,
                                        std::size_t step) {
  const auto before = snapshots.find(history.steps[step - 1].before);
  if (!before) return {};
  if (history.left) {
    const auto left = snapshots.find(*history.left);
    if (left && tools::git_changes(before->git, left->git).empty()) return {};
  }
  return tools::git_changes(before->git, tools::look_at_git(history.workspace));
}

bool has_something_to_undo(const RunStore& runs, const RunHistory& history) {
  if (history.steps.empty()) return false;
  if (history.changed) return true;
  const auto snapshots = open_snapshots(runs, history.workspace);
  return snapshots && !git_changes_of(*snapshots, history, 1).empty();
}

Result<Target> newest_here(const RunStore& runs, const std::filesystem::path& repository) {
  std::error_code error;
  const std::string here = std::filesystem::canonical(repository, error).string();
  if (error) return fail(system_error("undo in " + repository.string(), error.value()));
  std::size_t looked = 0;
  for (const RunId& run : TRY(runs.list())) {
    if (++looked > kRunsLookedAtMax) break;
    auto history = read_history(runs.journal(run));
    if (history && history->workspace == here && has_something_to_undo(runs, *history))
      return Target{*std::move(history), 1};
  }
  return fail(ErrorCode::not_found, "nothing to undo: no run has changed " + to_printable(here) +
                                        " (ignored files are not looked at)");
}

Result<Target> find_target(const RunStore& runs, const UndoOptions& options) {
  if (options.run.empty()) return newest_here(runs, options.repository);
  const std::size_t mark = options.run.find('#');
  const RunId run = TRY(runs.find(std::string_view(options.run).substr(0, mark)));
  Target target{TRY(read_history(runs.journal(run))), 1};
  if (target.history.steps.empty())
    return fail(ErrorCode::not_found, "run " + run.to_string() + " has written nothing");
  if (mark != std::string::npos)
    target.step = TRY(step_number(std::string_view(options.run).substr(mark + 1), target.history));
  return target;
}

std::string_view verb_of(tools::ChangeKind kind) {
  switch (kind) {
    case tools::ChangeKind::create:
      return "create";
    case tools::ChangeKind::rewrite:
      return "rewrite";
    case tools::ChangeKind::set_permissions:
      return "set permissions of";
    case tools::ChangeKind::remove:
      return "remove";
  }
  return "change";
}

ordered_json json_of(const std::vector<tools::NotRestored>& lost) {
  ordered_json list = ordered_json::array();
  for (const tools::NotRestored& one : lost)
    list.push_back({{"path", to_valid_utf8(one.path)}, {"reason", to_valid_utf8(one.reason)}});
  return list;
}

struct Plan {
  tools::RestorePlan files;
  std::vector<tools::NotRestored> lost;  ///< what no undo takes back
};

void show_plan(const UndoOptions& options, const Target& target, const Plan& whole,
               Terminal& terminal) {
  const tools::RestorePlan& plan = whole.files;
  if (options.json) {
    ordered_json changes = ordered_json::array();
    for (const tools::Change& change : plan.changes)
      changes.push_back({{"kind", verb_of(change.kind)},
                         {"path", to_valid_utf8(change.path)},
                         {"conflict", change.conflict}});
    terminal.out(ordered_json({{"run", target.history.run.to_string()},
                               {"step", target.step},
                               {"dry_run", true},
                               {"changes", changes},
                               {"conflicts", plan.conflicts()},
                               {"not_restored", json_of(whole.lost)}})
                     .dump() +
                 "\n");
    return;
  }
  for (std::size_t i = 0; i < std::min(plan.changes.size(), kPathsShownMax); ++i) {
    const tools::Change& change = plan.changes[i];
    terminal.out("would " + std::string(verb_of(change.kind)) + " " + to_printable(change.path) +
                 (change.conflict ? "  (changed by others since)" : "") + "\n");
  }
  if (plan.changes.size() > kPathsShownMax)
    terminal.out("and " + std::to_string(plan.changes.size() - kPathsShownMax) + " more\n");
  for (const tools::NotRestored& one : whole.lost)
    terminal.out("would not restore " + to_printable(one.path) + ": " + to_printable(one.reason) +
                 "\n");
  if (plan.changes.empty())
    terminal.out("nothing to undo: every file is as it was, ignored files aside\n");
}

// The undo's own journal, so that it can be undone like any other run.
Result<RunId> record(const RunStore& runs, const Target& target, const Snapshots::Restored& done,
                     const tools::SnapshotId& left) {
  SystemClock clock;
  asio::io_context io{1};
  OffloadPool pool;
  const RunId run = RunStore::new_run(clock);
  const auto journal =
      TRY(trace::Journal::open({io.get_executor(), clock, pool}, runs.journal(run), run));
  const auto append = [&](const char* type, const ordered_json& data) {
    trace::EventDraft draft;
    draft.type = type;
    draft.data = data.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    return journal->append(std::move(draft));
  };
  const std::string undone = target.history.run.to_string();
  TRY(append("run.started", {{"workspace", target.history.workspace}, {"undo", undone}}));
  TRY(append("tool.requested", {{"call", "undo"}, {"tool", "undo"}, {"arguments", undone}}));
  TRY(append("tool.snapshot", {{"call", "undo"}, {"snapshot", done.before.to_string()}}));
  TRY(append("tool.snapshot",
             {{"snapshot", left.to_string()}, {"changed", !done.report.changed.empty()}}));
  TRY(append("run.finished", {{"exit_code", done.report.not_restored.empty() ? 0 : 74}}));
  TRY(journal->flush());
  return run;
}

void show_done(const UndoOptions& options, const Target& target, const tools::RestoreReport& report,
               const std::string& run, Terminal& terminal) {
  if (options.json) {
    ordered_json changed = ordered_json::array();
    for (const std::string& path : report.changed) changed.push_back(to_valid_utf8(path));
    terminal.out(ordered_json({{"run", run},
                               {"undone", target.history.run.to_string()},
                               {"step", target.step},
                               {"changed", changed},
                               {"not_restored", json_of(report.not_restored)}})
                     .dump() +
                 "\n");
    return;
  }
  for (std::size_t i = 0; i < std::min(report.changed.size(), kPathsShownMax); ++i)
    terminal.out(to_printable(report.changed[i]) + "\n");
  for (const tools::NotRestored& one : report.not_restored)
    terminal.note("not restored: " + to_printable(one.path) + ": " + to_printable(one.reason));
  const std::string undone = target.history.run.to_string();
  if (report.changed.empty()) {
    terminal.note("nothing was taken back: what snapshots hold is as before step " +
                  std::to_string(target.step) + " of run " + undone +
                  (report.not_restored.empty() ? " (ignored files are not looked at)"
                                               : "; an earlier run has to be named"));
    return;
  }
  terminal.note(std::to_string(report.changed.size()) +
                (report.changed.size() == 1 ? " path is" : " paths are") + " as before step " +
                std::to_string(target.step) + " of run " + undone +
                (report.not_restored.empty() ? "" : ", but not all of it is") + " (fathom undo " +
                run + " takes this back)");
}

}  // namespace

Result<ExitCode> undo(const UndoOptions& options, const GetEnv& env, Terminal& terminal) {
  auto state = TRY(state_dir(env));
  const RunStore runs = TRY(RunStore::open(std::move(state)));
  const Target target = TRY(find_target(runs, options));
  Snapshots snapshots = TRY(open_snapshots(runs, target.history.workspace));
  std::vector<tools::NotRestored> lost;
  for (std::string& line : git_changes_of(snapshots, target.history, target.step))
    lost.push_back({".git", std::move(line)});
  const tools::SnapshotId before = target.history.steps[target.step - 1].before;
  if (options.dry_run) {
    tools::RestorePlan plan = TRY(snapshots.plan(before, target.history.left));
    show_plan(options, target, {std::move(plan), std::move(lost)}, terminal);
    return ExitCode::ok;
  }
  auto restored =
      snapshots.restore(before, target.history.left,
                        options.force ? tools::Conflicts::overwrite : tools::Conflicts::stop);
  if (!restored && restored.error().code == ErrorCode::in_use)
    return fail(ErrorCode::in_use,
                restored.error().message + "; --dry-run shows it, --force overwrites it");
  if (!restored) return fail(restored.error());
  std::ranges::move(lost, std::back_inserter(restored->report.not_restored));
  const auto left = TRY(snapshots.take("undo of " + target.history.run.to_string()));
  const RunId run = TRY(record(runs, target, *restored, left.record.id));
  show_done(options, target, restored->report, run.to_string(), terminal);
  return restored->report.not_restored.empty() ? ExitCode::ok : ExitCode::io;
}

void add_undo_command(CLI::App& app, UndoOptions& options,
                      const std::function<void(UndoRun)>& choose) {
  CLI::App* command = app.add_subcommand("undo", "Take back what a run wrote into its folder");
  command->add_option("RUN", options.run,
                      "The run, or RUN#STEP: from that writing step on; by default the newest run "
                      "that changed --repo");
  command->add_option("--repo", options.repository, "Folder whose newest run is meant")
      ->capture_default_str();
  command->add_flag("--force", options.force, "Also files that somebody else changed since");
  command->add_flag("--dry-run", options.dry_run, "Say what would be done");
  command->add_flag("--json", options.json, "One JSON object");
  command->footer(
      "Ignored files and .git are never touched; what the run did to .git is said (exit code 74).\n"
      "What others changed since stays; where the run and somebody else changed the same file\n"
      "nothing is done without --force (exit code 69).\n"
      "Examples:\n  fathom undo --dry-run\n  fathom undo 01M8HSH55A1S6FVG5VFRRJMGX1#3");
  command->callback([choose] { choose(undo); });
}

}  // namespace fathom::agents
