#include "agents/demo/demo_trial.hpp"

#include "agents/session_attempts.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <memory>
#include <utility>

namespace fathom::agents {
namespace {

using nlohmann::json;

// What the events of a session say of its calls and of the time that its model takes.
class Watcher {
 public:
  Watcher(Clock& clock, DemoTrial& trial) : clock_(clock), trial_(trial) {}

  void hear(const trace::EventDraft& event) {
    if (event.type == "compaction.finished") is_fork_ = true;
    if (event.type == "model.request") hear_request(event.data);
    if (event.type == "model.message") trial_.sampling += clock_.now() - asked_;
    if (event.type != "tool.requested" && event.type != "tool.finished") return;
    const json said = json::parse(event.data, nullptr, false);
    if (!said.is_object()) return;
    const std::string call = said.value("call", "");
    if (event.type == "tool.requested") {
      names_[call] = said.value("tool", "");
    } else if (const auto asked = names_.find(call); asked != names_.end()) {
      // Those that were not run at all were never asked for.
      if (said.value("status", "") != "ok" && asked->second != "run_tests") ++trial_.failed_calls;
    }
  }

 private:
  void hear_request(const std::string& data) {
    asked_ = clock_.now();
    if (!std::exchange(is_fork_, false)) return;
    const json said = json::parse(data, nullptr, false);
    if (!said.is_object()) return;
    trial_.fork_prompt_tokens += said.value("prompt_tokens", std::uint64_t{0});
    trial_.fork_reused_tokens += said.value("reused_tokens", std::uint64_t{0});
  }

  Clock& clock_;
  DemoTrial& trial_;
  bool is_fork_ = false;
  Instant asked_{};
  std::map<std::string, std::string> names_;
};

}  // namespace

asio::awaitable<Result<DemoTrial>> try_repair(Session::Surroundings around, SessionOptions options,
                                              std::string task) {
  DemoTrial trial;
  Clock& clock = around.machine.clock;
  const Instant began = clock.now();
  Watcher watcher(clock, trial);
  options.on_event = [&watcher](const trace::EventDraft& event) { watcher.hear(event); };
  auto starting = Session::start(std::move(around), std::move(options));
  CO_TRY(const std::unique_ptr<Session> session, co_await std::move(starting));
  trial.run = session->run();
  auto trying = run_attempts(*session, std::move(task));
  const Result<AttemptsReport> report = co_await std::move(trying);
  trial.fixed = report && report->verdict == AttemptVerdict::accepted;
  trial.usage = session->ledger().spent().usage;
  auto closing = session->close(trial.fixed ? 0 : 1);
  const Result<> closed = co_await std::move(closing);
  trial.took = clock.now() - began;
  if (!report) co_return fail(report.error());
  if (!closed) co_return fail(closed.error());
  trial.attempts = report->attempts;
  trial.why = report->why;
  co_return trial;
}

}  // namespace fathom::agents
