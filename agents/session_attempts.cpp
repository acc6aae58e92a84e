#include "agents/session_attempts.hpp"

#include "agents/interruption.hpp"
#include "policies/decide.hpp"
#include "runtime/base/ensure.hpp"
#include "runtime/base/text.hpp"

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <optional>
#include <utility>

namespace fathom::agents {
namespace {

constexpr const char* kCheckName = "accept";
constexpr const char* kMarkName = "attempts";
// Of further attempts where the agent's is 0: they would all be the first one again.
constexpr double kTemperatureAgain = 0.7;

// A document may be anybody's, so its command is as good as one of the model's.
asio::awaitable<Result<>> ask_policy(Session& session, const AcceptCheck& accept) {
  const Toolbox& toolbox = session.toolbox();
  const policies::Decision decision = policies::decide(
      toolbox.policy(), policies::request::Exec{accept.command, toolbox.workspace()});
  if (decision.verdict == policies::Verdict::allow) co_return Result<>{};
  if (decision.verdict == policies::Verdict::ask && session.approver()) {
    const ToolCall call{kCheckName, kCheckName,
                        nlohmann::ordered_json({{"command", accept.command}})
                            .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace),
                        ""};
    auto asking = session.approver()(call, decision);
    if (co_await std::move(asking) == tools::Approval::given) co_return Result<>{};
  }
  co_return fail(ErrorCode::permission,
                 "accept: the policy does not let the check run: " + decision.reason +
                     (decision.grant.empty() ? "" : "; it would with: " + decision.grant));
}

// The check may take minutes: whoever interrupts the turn means it too.
asio::awaitable<Result<std::optional<CheckEnd>>> run_check(Session& session,
                                                           const AcceptCheck& accept) {
  std::optional<Result<sandbox::Outcome>> outcome;
  const auto checking = [&]() -> asio::awaitable<void> {
    sandbox::Command command;
    command.argv = accept.command;
    command.time = accept.timeout;
    auto running = session.toolbox().commands().run(std::move(command));
    outcome = co_await std::move(running);
  };
  auto checked = until_interrupted(session.control(), checking());
  co_await std::move(checked);
  if (!outcome) co_return std::optional<CheckEnd>();
  if (!*outcome) co_return fail(context("accept", outcome->error()));
  CO_TRY(CheckEnd end, check_end(**outcome, accept.command.front()));
  co_return std::optional<CheckEnd>(std::move(end));
}

Attempts make_attempts(Session& session, const std::string& key) {
  const AgentDocument& agent = session.agent();
  ENSURE(agent.accept.has_value(), "attempts are for agents with a check");
  // The first attempt draws as the agent says, each further one otherwise.
  const auto draw = [&session](std::uint64_t attempt) {
    if (attempt == 0) return session.set_draw(std::nullopt, std::nullopt);
    const engine::SamplingSettings& sampling = session.agent().sampling;
    const bool says_the_same = sampling.temperature && *sampling.temperature == 0;
    session.set_draw(sampling.seed.value_or(0) + attempt,
                     says_the_same ? std::optional(kTemperatureAgain) : std::nullopt);
  };
  if (agent.accept->after_edits)
    session.set_edit_check([&session]() -> asio::awaitable<Result<std::optional<bool>>> {
      auto checking = run_check(session, *session.agent().accept);
      CO_TRY(const std::optional<CheckEnd> end, co_await std::move(checking));
      co_return end ? std::optional(end->passed) : std::nullopt;
    });
  Attempts::Services services{session.log(), {}, {}, {}, {}, {}, {}, {}};
  services.check = [&session] { return run_check(session, *session.agent().accept); };
  services.mark = [&session]() -> asio::awaitable<Result<std::string>> {
    auto marking = session.toolbox().mark(kMarkName);
    CO_TRY(const tools::SnapshotId mark, co_await std::move(marking));
    co_return mark.to_string();
  };
  services.go_back = [&session](const std::string& mark) -> asio::awaitable<Result<WentBack>> {
    CO_TRY(const tools::SnapshotId id, tools::SnapshotId::parse(mark));
    auto going = session.toolbox().go_back(id);
    CO_TRY(tools::Snapshots::Restored restored, co_await std::move(going));
    co_return WentBack{restored.before.to_string(), std::move(restored.report.not_restored)};
  };
  services.turn = [&session, draw, key](std::string text, std::uint64_t attempt,
                                        bool repeated) -> asio::awaitable<Result<TurnReport>> {
    draw(attempt);
    if (repeated) return session.repeat_turn(std::move(text));
    return session.run_turn(std::move(text), attempt == 0 ? key : "");
  };
  services.go_on = [&session, draw](std::uint64_t attempt) {
    draw(attempt);
    return session.go_on();
  };
  services.rewind = [&session] { session.rewind(); };
  services.stopped = [&session] { session.control().clear_interrupt(); };
  return {std::move(services), agent.attempts, agent.accept->after_edits};
}

}  // namespace

namespace {

// An agent whose edits are checked one by one is there to edit.
Result<> check_writable(const Session& session, const std::string& workspace) {
  if (!session.agent().accept->after_edits || ::access(workspace.c_str(), W_OK) == 0) return {};
  return fail(ErrorCode::permission,
              workspace + ": is read-only, so nothing can be repaired here and nothing was done");
}

}  // namespace

asio::awaitable<Result<AttemptsReport>> run_attempts(Session& session, std::string text,
                                                     std::string key) {
  CO_TRY_VOID(check_writable(session, session.toolbox().workspace()));
  auto asking = ask_policy(session, *session.agent().accept);
  CO_TRY_VOID(co_await std::move(asking));
  Attempts attempts = make_attempts(session, key);
  auto running = attempts.run(std::move(text));
  co_return co_await std::move(running);
}

asio::awaitable<Result<AttemptsReport>> resume_attempts(Session& session) {
  auto asking = ask_policy(session, *session.agent().accept);
  CO_TRY_VOID(co_await std::move(asking));
  Attempts attempts = make_attempts(session, "");
  auto running = attempts.resume();
  co_return co_await std::move(running);
}

}  // namespace fathom::agents
