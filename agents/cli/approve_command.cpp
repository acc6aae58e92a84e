#include "agents/cli/approve_command.hpp"

#include "agents/cli/session_text.hpp"
#include "agents/run_store.hpp"
#include "agents/session_state.hpp"
#include "agents/session_summary.hpp"
#include "runtime/async/offload.hpp"
#include "runtime/base/text.hpp"
#include "runtime/trace/journal.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace fathom::agents {
namespace {

using nlohmann::ordered_json;

std::string dump(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

bool has_no_answer(const WaitingCall& call) { return !call.given; }

// The summary says what was asked and why, the fold whether an answer would still be heard:
// resuming looks at the fold.
Result<std::vector<WaitingCall>> waiting_calls(const RunStore& runs, const RunId& run) {
  const trace::BlobStore blobs = TRY(trace::BlobStore::open(runs.blobs()));
  const SessionState state = TRY(read_session(runs.journal(run), blobs));
  SessionSummary summary = summarize(runs.journal(run), run);
  if (summary.damage) return fail(*summary.damage);
  std::erase_if(summary.waiting, [&](const WaitingCall& waiting) {
    return std::ranges::none_of(state.pending(), [&](const PendingCall& pending) {
      return pending.call.id == waiting.call && pending.asked && !pending.started &&
             !pending.result;
    });
  });
  return std::move(summary.waiting);
}

Result<WaitingCall> named(const std::vector<WaitingCall>& waiting, const std::string& call) {
  std::vector<std::string_view> ids;
  for (const WaitingCall& one : waiting) {
    if (one.call == call) return one;
    ids.emplace_back(one.call);
  }
  const std::string_view near = nearest(call, ids);
  return fail(ErrorCode::usage,
              "no call '" + to_printable(clip_prefix(call, 64)) + "' waits" +
                  (near.empty() ? "" : " (did you mean '" + to_printable(near) + "'?)"));
}

Result<WaitingCall> chosen(const std::vector<WaitingCall>& waiting, const ApproveOptions& options,
                           const RunId& run, Terminal& terminal) {
  const std::string name = "run " + run.to_string();
  if (waiting.empty()) return fail(ErrorCode::not_found, name + ": no call waits for approval");
  if (!options.call.empty()) {
    const auto call = named(waiting, options.call);
    if (!call) return fail(context(name, call.error()));
    return *call;
  }
  const auto open = std::ranges::count_if(waiting, has_no_answer);
  if (open == 1) return *std::ranges::find_if(waiting, has_no_answer);
  for (const WaitingCall& call : waiting) {
    std::string lines = waiting_text(call);
    if (lines.ends_with('\n')) lines.pop_back();
    terminal.note(lines);
  }
  if (open == 0)
    return fail(ErrorCode::not_found,
                name + ": every call is answered for (fathom session resume " + run.to_string() +
                    " goes on; name a call to answer anew)");
  return fail(ErrorCode::usage,
              name + ": " + std::to_string(open) + " calls wait: name one of them");
}

void show(const ApproveOptions& options, const RunId& run, const WaitingCall& call,
          std::size_t left, Terminal& terminal) {
  const bool given = options.answer == ApprovalAnswer::yes;
  if (options.json) {
    terminal.out(dump({{"run", run.to_string()},
                       {"call", call.call},
                       {"tool", call.tool},
                       {"given", given},
                       {"waiting", left}}) +
                 "\n");
    return;
  }
  terminal.out((given ? "approved: " : "denied: ") + to_printable(call.call) + " " +
               to_printable(call.tool) + " " + to_printable(call.arguments) + "\n");
  terminal.note(left == 0 ? "fathom session resume " + run.to_string() + " goes on"
                          : std::to_string(left) + " more to answer for (fathom approve " +
                                run.to_string() + ")");
}

}  // namespace

Result<ExitCode> approve(const ApproveOptions& options, const GetEnv& env, Terminal& terminal) {
  auto folder = TRY(state_dir(env));
  const RunStore runs = TRY(RunStore::open(std::move(folder)));
  const RunId run = TRY(runs.find(options.run));
  SystemClock clock;
  asio::io_context io{1};
  OffloadPool pool;
  // First the lock: what waits by then goes on waiting until the answer stands there.
  const auto journal =
      trace::Journal::open({io.get_executor(), clock, pool}, runs.journal(run), run);
  if (!journal && journal.error().code == ErrorCode::in_use)
    return fail(ErrorCode::in_use,
                "run " + run.to_string() + " is in use: answer in the process that works on it");
  if (!journal) return fail(journal.error());
  const std::vector<WaitingCall> waiting = TRY(waiting_calls(runs, run));
  const WaitingCall call = TRY(chosen(waiting, options, run, terminal));
  trace::EventDraft answer;
  answer.type = "approval.answered";
  answer.cause = call.requested;
  answer.data = dump({{"call", call.call}, {"given", options.answer == ApprovalAnswer::yes}});
  TRY((*journal)->append(std::move(answer)));
  TRY((*journal)->flush());
  const auto left = std::ranges::count_if(
      waiting, [&](const WaitingCall& one) { return has_no_answer(one) && one.call != call.call; });
  show(options, run, call, static_cast<std::size_t>(left), terminal);
  return ExitCode::ok;
}

void add_approve_command(CLI::App& app, ApproveOptions& options,
                         const std::function<void(ApproveRun)>& choose) {
  CLI::App* command = app.add_subcommand("approve", "Answer for a call that a run waits for");
  command->add_option("RUN", options.run, "The run, or the end of its id")->required();
  command->add_option("CALL", options.call, "The call; by default the only one that waits");
  command->add_flag_callback(
      "--deny", [&options] { options.answer = ApprovalAnswer::no; }, "The answer is no");
  command->add_flag("--json", options.json, "One JSON object");
  command->footer(
      "Nothing runs yet: fathom session resume RUN acts on the answer.\n"
      "Exit codes: 64 several calls wait and none is named, 66 nothing waits, 69 the run is in "
      "use.\n"
      "Examples:\n  fathom approve FRRJMGX1\n  fathom approve FRRJMGX1 call-3 --deny");
  command->callback([choose] { choose(approve); });
}

}  // namespace fathom::agents
